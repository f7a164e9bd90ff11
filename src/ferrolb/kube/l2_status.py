"""Writes of ServiceL2Status objects: one request each, and what it found said as a value."""

from typing import TYPE_CHECKING, Final

import msgspec

from ferrolb.kube.errors import BadAnswerError, ConflictError, NotFoundError
from ferrolb.kube.l2_status_objects import (
    NAMESPACE_LABEL,
    NODE_LABEL,
    SERVICE_LABEL,
    decode_l2_status,
)
from ferrolb.kube.resource import SERVICE_L2_STATUSES

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from ferrolb.kube.client import ApiClient
    from ferrolb.kube.l2_status_objects import (
        L2StatusContent,
        L2StatusLabels,
        L2StatusObject,
        PodOwner,
    )
    from ferrolb.kube.resource import ApiPath
    from ferrolb.model import JsonObject
    from ferrolb.telemetry import ClientMetrics

_STATUS: Final = "status"
_PREFIX: Final = "l2-"
"""What the server makes the names from."""


class L2StatusWriter:
    """Creates, changes and deletes ServiceL2Status objects of one namespace.

    An object that is gone is an expected outcome, None; every other failure of the API is raised
    as `ApiError`. There is no other way than these writes: the roles that know the resource at all
    grant each of them.
    """

    def __init__(self, client: "ApiClient", *, namespace: str, metrics: "ClientMetrics") -> None:
        self._client = client
        self._namespace = namespace
        self._metrics = metrics

    async def create(
        self, labels: "L2StatusLabels", owner: "PodOwner | None"
    ) -> "L2StatusObject | None":
        """Create an object without a status, which a server drops here, and return it."""
        body: JsonObject = {
            "apiVersion": SERVICE_L2_STATUSES.api_version,
            "kind": SERVICE_L2_STATUSES.kind,
            "metadata": {
                "generateName": _PREFIX,
                "namespace": self._namespace,
                **_metadata(labels, owner),
            },
        }
        return await self._write(
            self._client.create(SERVICE_L2_STATUSES.path(self._namespace), body)
        )

    async def patch_metadata(
        self, obj: "L2StatusObject", labels: "L2StatusLabels", owner: "PodOwner | None"
    ) -> "L2StatusObject | None":
        """Set the three labels and, if there is one, the only owner; None if the object is gone."""
        change: JsonObject = {"metadata": {"uid": obj.metadata.uid, **_metadata(labels, owner)}}
        return await self._write(self._client.patch(self._path(obj), change))

    async def patch_status(
        self, obj: "L2StatusObject", status: "L2StatusContent"
    ) -> "L2StatusObject | None":
        """Set the status; None if the object is gone.

        Raises:
            InvalidError: a field that cannot be changed has another value.
        """
        change: JsonObject = {"metadata": {"uid": obj.metadata.uid}, _STATUS: status.to_json()}
        return await self._write(self._client.patch(self._path(obj, _STATUS), change))

    async def delete(self, obj: "L2StatusObject") -> bool:
        """Delete this very object; False if it was gone already."""
        request = self._client.delete(self._path(obj), uid=obj.metadata.uid)
        return await self._count(request) is not None

    async def _write(self, request: "Coroutine[None, None, bytes]") -> "L2StatusObject | None":
        answer = await self._count(request)
        if answer is None:
            return None
        try:
            return decode_l2_status(answer)
        except msgspec.DecodeError as error:
            raise BadAnswerError(f"the object written cannot be read: {error}") from error

    async def _count(self, request: "Coroutine[None, None, bytes]") -> bytes | None:
        """Return the answer, None where that object is gone or another has its name by now."""
        outcome = "error"
        try:
            answer = await request
            outcome = "ok"
        except (NotFoundError, ConflictError):
            outcome = "gone"
            return None
        finally:
            self._metrics.writes.labels(resource=SERVICE_L2_STATUSES.plural, outcome=outcome).inc()
        return answer

    def _path(self, obj: "L2StatusObject", subresource: str | None = None) -> "ApiPath":
        return SERVICE_L2_STATUSES.path(self._namespace, obj.metadata.name, subresource)


def _metadata(labels: "L2StatusLabels", owner: "PodOwner | None") -> "JsonObject":
    metadata: JsonObject = {
        "labels": {
            NODE_LABEL: labels.node,
            SERVICE_LABEL: labels.service,
            NAMESPACE_LABEL: labels.namespace,
        }
    }
    if owner is not None:
        metadata["ownerReferences"] = [owner.to_json()]
    return metadata
