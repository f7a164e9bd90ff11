"""The ConfigurationState object of one program: whether its configuration is valid, and why not.

A condition is applied by the reconciler that found it, under a field manager of its own; `result`
and `errorSummary` follow from all conditions. What already stands is not written again, so a
restart and a pass that changes nothing cost no write, and `lastTransitionTime` keeps the moment
at which the status last changed (C-10).
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from ferrolb.kube.client import PatchType, parse_object
from ferrolb.kube.errors import AlreadyExistsError, ForbiddenError, NotFoundError
from ferrolb.kube.resource import CONFIGURATION_STATES
from ferrolb.telemetry import get_logger

if TYPE_CHECKING:
    from ferrolb.kube.client import ApiClient
    from ferrolb.kube.errors import ApiError
    from ferrolb.kube.resource import ApiPath
    from ferrolb.model import Json, JsonObject

MAX_MESSAGE: Final = 32768
"""Characters of a condition's message that the API accepts."""

MAX_LABEL_VALUE: Final = 63
"""Characters of a label's value; a node's name may be longer."""

_COMPONENT_LABEL: Final = "metallb.io/component-type"
_NODE_LABEL: Final = "metallb.io/node-name"


_TYPE: Final["JsonObject"] = {
    "apiVersion": CONFIGURATION_STATES.api_version,
    "kind": CONFIGURATION_STATES.kind,
}


class ConditionReason(StrEnum):
    """`reason` of a condition."""

    RECONCILED = "Reconciled"
    CONFIGURATION_ERROR = "ConfigurationError"
    UNKNOWN_ERROR = "UnknownError"


@dataclass(frozen=True, slots=True)
class Finding:
    """What a reconciler found; the configuration is fine where the reason is RECONCILED."""

    reason: ConditionReason = ConditionReason.RECONCILED
    message: str = ""

    @classmethod
    def configuration_error(cls, text: str) -> "Finding":
        """The configuration has errors; repeating changes nothing."""
        return cls(ConditionReason.CONFIGURATION_ERROR, f"configuration error: {text}")

    @classmethod
    def unknown_error(cls, text: str) -> "Finding":
        """The configuration could not be judged, because reading it failed or the like."""
        return cls(ConditionReason.UNKNOWN_ERROR, text)


@dataclass(frozen=True, slots=True, kw_only=True)
class StateIdentity:
    """Which object it is, and what goes with it."""

    namespace: str
    name: str
    labels: Mapping[str, str]
    owner_name: str = ""
    """The own Pod: the object goes when it goes. Empty where there is none."""
    owner_uid: str = ""

    @classmethod
    def for_controller(
        cls, namespace: str, *, owner_name: str = "", owner_uid: str = ""
    ) -> "StateIdentity":
        """The controller's."""
        return cls(
            namespace=namespace,
            name="controller",
            labels={_COMPONENT_LABEL: "controller"},
            owner_name=owner_name,
            owner_uid=owner_uid,
        )

    @classmethod
    def for_speaker(
        cls, namespace: str, *, node: str, owner_name: str = "", owner_uid: str = ""
    ) -> "StateIdentity":
        """A speaker's; a node name too long for a label gets none."""
        labels = {_COMPONENT_LABEL: "speaker"}
        if len(node) <= MAX_LABEL_VALUE:
            labels[_NODE_LABEL] = node
        return cls(
            namespace=namespace,
            name=f"speaker-{node}",
            labels=labels,
            owner_name=owner_name,
            owner_uid=owner_uid,
        )

    def owner_references(self) -> "list[Json]":
        """Return `metadata.ownerReferences`; empty without an owner."""
        if not self.owner_uid:
            return []
        return [{"apiVersion": "v1", "kind": "Pod", "name": self.owner_name, "uid": self.owner_uid}]


def _utc_now() -> datetime:
    return datetime.now(UTC)


class ConfigurationState:
    """Keeps the object in being and its status up to date.

    A cluster without this resource, or with roles that lack it, is said once in the log and
    otherwise left alone: reporting must not keep the program from its work.
    """

    def __init__(
        self,
        client: "ApiClient",
        identity: StateIdentity,
        *,
        wall: Callable[[], datetime] = _utc_now,
    ) -> None:
        self._client = client
        self._identity = identity
        self._wall = wall
        self._log = get_logger(object=f"{identity.namespace}/{identity.name}")
        self._lock = asyncio.Lock()
        self._is_known = False
        self._is_told = False
        self._status: JsonObject = {}

    async def ensure(self) -> bool:
        """Create the object if it is missing; False where that is not possible.

        Raises:
            ApiError: the API failed; try again.
        """
        async with self._lock:
            return await self._ensure()

    async def report(self, reporter: str, finding: Finding) -> None:
        """Set the condition `<reporter>Valid`, and what follows from all conditions.

        `reporter` is MetalLB's field manager: `poolReconciler` or `configReconciler`.

        Raises:
            ApiError: the API failed; report again.
        """
        async with self._lock:
            if not self._is_known and not await self._ensure():
                return
            try:
                await self._report_anew(reporter, finding)
            except (NotFoundError, ForbiddenError) as error:
                self._give_up(error)

    def forget(self) -> None:
        """The object was deleted, or changed by somebody else: look before the next write."""
        self._is_known = False

    async def _ensure(self) -> bool:
        try:
            self._read(await self._find_or_create())
            await self._sum_up()
        except (NotFoundError, ForbiddenError) as error:
            self._give_up(error)
            return False
        self._is_known = True
        return True

    def _give_up(self, error: "ApiError") -> None:
        self._is_known = False
        if not self._is_told:
            self._is_told = True
            self._log.warning("no ConfigurationState can be written", error=str(error))

    async def _find_or_create(self) -> "JsonObject":
        collection = CONFIGURATION_STATES.path(self._identity.namespace)
        try:
            return await self._adopt(await self._get())
        except NotFoundError:
            pass
        try:
            return parse_object(await self._client.create(collection, self._new_object()))
        except AlreadyExistsError:
            return await self._get()

    async def _get(self) -> "JsonObject":
        path = CONFIGURATION_STATES.path(self._identity.namespace, self._identity.name)
        return parse_object(await self._client.get(path))

    async def _adopt(self, found: "JsonObject") -> "JsonObject":
        """Take over the object of a Pod before us: it would vanish together with that Pod."""
        metadata = found.get("metadata")
        owners = self._identity.owner_references()
        if not owners or not isinstance(metadata, dict):
            return found
        if metadata.get("ownerReferences") == owners:
            return found
        path = CONFIGURATION_STATES.path(self._identity.namespace, self._identity.name)
        change: JsonObject = {"metadata": {"ownerReferences": owners}}
        return parse_object(await self._client.patch(path, change))

    def _new_object(self) -> "JsonObject":
        metadata: JsonObject = {
            "namespace": self._identity.namespace,
            "name": self._identity.name,
            "labels": dict(self._identity.labels),
        }
        if owners := self._identity.owner_references():
            metadata["ownerReferences"] = owners
        return {**_TYPE, "metadata": metadata}

    async def _report_anew(self, reporter: str, finding: Finding) -> None:
        """Report, once more from the start if the object was deleted meanwhile."""
        try:
            await self._report(reporter, finding)
        except NotFoundError:
            if await self._ensure():
                await self._report(reporter, finding)

    async def _report(self, reporter: str, finding: Finding) -> None:
        condition = self._next_condition(f"{reporter}Valid", finding)
        if not any(condition.items() <= other.items() for other in _conditions(self._status)):
            await self._apply(reporter, condition)
        await self._sum_up()

    async def _sum_up(self) -> None:
        summary = _summary(_conditions(self._status))
        if any(self._status.get(name) != value for name, value in summary.items()):
            path = self._status_path()
            change: JsonObject = {"status": summary}
            self._read(parse_object(await self._client.patch(path, change)))

    async def _apply(self, reporter: str, condition: "JsonObject") -> None:
        body: JsonObject = {
            **_TYPE,
            "metadata": {"namespace": self._identity.namespace, "name": self._identity.name},
            "status": {"conditions": [condition]},
        }
        answer = await self._client.patch(
            self._status_path(),
            body,
            content_type=PatchType.APPLY,
            params={"fieldManager": reporter, "force": "true"},
        )
        self._read(parse_object(answer))

    def _next_condition(self, name: str, finding: Finding) -> "JsonObject":
        is_valid = finding.reason is ConditionReason.RECONCILED
        status = "True" if is_valid else "False"
        changed_at: Json = self._wall().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        for condition in _conditions(self._status):
            if condition.get("type") == name and condition.get("status") == status:
                changed_at = condition.get("lastTransitionTime", changed_at)
        return {
            "type": name,
            "status": status,
            "reason": finding.reason.value,
            "message": finding.message[:MAX_MESSAGE],
            "lastTransitionTime": changed_at,
        }

    def _status_path(self) -> "ApiPath":
        return CONFIGURATION_STATES.path(self._identity.namespace, self._identity.name, "status")

    def _read(self, content: "JsonObject") -> None:
        status = content.get("status")
        self._status = status if isinstance(status, dict) else {}


def _conditions(status: "JsonObject") -> "list[JsonObject]":
    conditions = status.get("conditions")
    if not isinstance(conditions, list):
        return []
    return [condition for condition in conditions if isinstance(condition, dict)]


def _summary(conditions: "list[JsonObject]") -> "JsonObject":
    """Return `result` and `errorSummary`, which only configuration errors count for."""
    if not conditions:
        return {"result": "Unknown", "errorSummary": ""}
    errors = [
        str(condition.get("message", ""))
        for condition in conditions
        if condition.get("status") == "False"
        and condition.get("reason") == ConditionReason.CONFIGURATION_ERROR
    ]
    return {"result": "Invalid" if errors else "Valid", "errorSummary": "\n".join(errors)}
