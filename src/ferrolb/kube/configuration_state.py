"""The ConfigurationState object of one program: whether its configuration is valid, and why not.

A condition is applied by the reconciler that found it, under a field manager of its own; `result`
and `errorSummary` follow from all conditions. What already stands is not written again, so a
restart and a pass that changes nothing cost no write, and `lastTransitionTime` keeps the moment
at which the status last changed (C-10).
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from ferrolb.config import configuration_status, read_conditions
from ferrolb.kube.client import PatchType, parse_object
from ferrolb.kube.errors import AlreadyExistsError, ForbiddenError, NotFoundError
from ferrolb.kube.resource import CONFIGURATION_STATES
from ferrolb.telemetry import get_logger

if TYPE_CHECKING:
    from ferrolb.config import Condition
    from ferrolb.kube.client import ApiClient
    from ferrolb.kube.errors import ApiError
    from ferrolb.kube.resource import ApiPath
    from ferrolb.model import Json, JsonObject

MAX_LABEL_VALUE: Final = 63
"""Characters of a label's value; a node's name may be longer."""

_STATUS: Final = "status"
_COMPONENT_LABEL: Final = "metallb.io/component-type"
_NODE_LABEL: Final = "metallb.io/node-name"


_TYPE: Final["JsonObject"] = {
    "apiVersion": CONFIGURATION_STATES.api_version,
    "kind": CONFIGURATION_STATES.kind,
}


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

    async def report(self, manager: str, conditions: "Sequence[Condition]") -> bool:
        """Set these conditions, and what follows from all conditions of the object.

        Returns:
            False where that is not possible for now: no such resource, or no right.

        `manager` is the field manager: MetalLB's are `poolReconciler` and `configReconciler`. A
        condition that it reported before and does not report now is removed.

        Raises:
            ApiError: the API failed; report again.
        """
        async with self._lock:
            if not self._is_known and not await self._ensure():
                return False
            try:
                await self._report_anew(manager, conditions)
            except (NotFoundError, ForbiddenError) as error:
                self._give_up(error)
                return False
            return True

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
        try:
            return parse_object(await self._client.patch(path, change))
        except ForbiddenError as error:
            # some clusters let only those change owners who may delete; what vanishes is made anew
            self._log.info("the object keeps its former owner", error=str(error))
            return found

    def _new_object(self) -> "JsonObject":
        metadata: JsonObject = {
            "namespace": self._identity.namespace,
            "name": self._identity.name,
            "labels": dict(self._identity.labels),
        }
        if owners := self._identity.owner_references():
            metadata["ownerReferences"] = owners
        return {**_TYPE, "metadata": metadata}

    async def _report_anew(self, manager: str, conditions: "Sequence[Condition]") -> None:
        """Report, once more from the start if the object was deleted meanwhile."""
        try:
            await self._report(manager, conditions)
        except NotFoundError:
            if await self._ensure():
                await self._report(manager, conditions)

    async def _report(self, manager: str, conditions: "Sequence[Condition]") -> None:
        standing = read_conditions({_STATUS: self._status})
        if any(condition not in standing for condition in conditions):
            await self._apply(manager, conditions)
        await self._sum_up()

    async def _sum_up(self) -> None:
        amounts_to = configuration_status(read_conditions({_STATUS: self._status}))
        summary: JsonObject = {
            "result": amounts_to.result.value,
            "errorSummary": amounts_to.error_summary,
        }
        if any(self._status.get(name) != value for name, value in summary.items()):
            change: JsonObject = {_STATUS: summary}
            self._read(parse_object(await self._client.patch(self._status_path(), change)))

    async def _apply(self, manager: str, conditions: "Sequence[Condition]") -> None:
        entries: list[Json] = [self._entry(condition) for condition in conditions]
        body: JsonObject = {
            **_TYPE,
            "metadata": {"namespace": self._identity.namespace, "name": self._identity.name},
            _STATUS: {"conditions": entries},
        }
        answer = await self._client.patch(
            self._status_path(),
            body,
            content_type=PatchType.APPLY,
            params={"fieldManager": manager, "force": "true"},
        )
        self._read(parse_object(answer))

    def _entry(self, condition: "Condition") -> "JsonObject":
        status = "True" if condition.is_true else "False"
        changed_at: Json = self._wall().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        for entry in _conditions(self._status):
            if entry.get("type") == condition.type and entry.get("status") == status:
                changed_at = entry.get("lastTransitionTime", changed_at)
        return {
            "type": condition.type,
            "status": status,
            "reason": condition.reason,
            "message": condition.message,
            "lastTransitionTime": changed_at,
        }

    def _status_path(self) -> "ApiPath":
        return CONFIGURATION_STATES.path(self._identity.namespace, self._identity.name, "status")

    def _read(self, content: "JsonObject") -> None:
        status = content.get(_STATUS)
        self._status = status if isinstance(status, dict) else {}


def _conditions(status: "JsonObject") -> "list[JsonObject]":
    conditions = status.get("conditions")
    if not isinstance(conditions, list):
        return []
    return [condition for condition in conditions if isinstance(condition, dict)]
