"""Keeps the EndpointSlices of Services true to the Pods, as a cluster's own controller does."""

import contextlib
from typing import TYPE_CHECKING

import msgspec

from ferrolb.kube import (
    ENDPOINT_SLICES,
    AlreadyExistsError,
    Cache,
    NotFoundError,
    ObjectKey,
    QueueDriver,
    RequeueAfter,
)
from ferrolb.lab.objects import (
    Conditions,
    PodObject,
    ServiceObject,
    SliceObject,
    decode_slice,
)
from ferrolb.lab.slices import MANAGED_LABEL, MANAGER, SERVICE_LABEL, is_selected, slices_of

if TYPE_CHECKING:
    from ferrolb.kube import ApiClient, Change
    from ferrolb.model import JsonObject


class EndpointKeeper:
    """One pass a Service writes what differs, and nothing else."""

    def __init__(
        self,
        client: "ApiClient",
        *,
        services: Cache[ServiceObject],
        pods: Cache[PodObject],
        slices: Cache[SliceObject],
    ) -> None:
        self._client = client
        self._services = services
        self._pods = pods
        self._slices = slices
        self._queue = QueueDriver[tuple[str, str]]("endpoints", self._reconcile)

    def start(self) -> None:
        """Look at everything there is, and at every change from now on."""
        self._services.subscribe(self._on_service)
        self._pods.subscribe(self._on_pod)
        self._slices.subscribe(self._on_slice)
        for key in self._services:
            self._queue.add(key)
        for one in self._slices.values():
            self._wake_owner(one)

    async def run(self) -> None:
        """Work until cancelled."""
        await self._queue.run()

    def _on_service(self, change: "Change[ServiceObject]") -> None:
        before = change.old.spec if change.old else None
        if change.new is None or change.new.spec != before:
            self._queue.add(change.key)

    def _on_pod(self, change: "Change[PodObject]") -> None:
        labels = [pod.metadata.labels for pod in (change.old, change.new) if pod is not None]
        for key, service in ((key, self._services.get(key)) for key in self._services):
            if service is not None and key.namespace == change.key.namespace:
                selector = service.spec.selector
                if any(is_selected(selector, one) for one in labels):
                    self._queue.add(key)

    def _on_slice(self, change: "Change[SliceObject]") -> None:
        for one in (change.old, change.new):
            if one is not None:
                self._wake_owner(one)

    def _wake_owner(self, one: SliceObject) -> None:
        labels = one.metadata.labels or {}
        if labels.get(MANAGED_LABEL) == MANAGER and SERVICE_LABEL in labels:
            self._queue.add((one.metadata.namespace, labels[SERVICE_LABEL]))

    async def _reconcile(self, key: tuple[str, str]) -> RequeueAfter | None:
        namespace, name = key
        service = self._services.get(key)
        wanted = {} if service is None else slices_of(service, self._pods.values())
        for slice_name, body in wanted.items():
            known = self._slices.get((namespace, slice_name))
            if known is None:
                await self._create(namespace, body)
            elif not _is_same(known, body):
                path = ENDPOINT_SLICES.path(namespace, slice_name)
                changed = {field: body[field] for field in ("endpoints", "ports")}
                self._take(await self._client.patch(path, changed))
        for family in ("ipv4", "ipv6"):
            stale = f"{name}-lab-{family}"
            if stale not in wanted and (namespace, stale) in self._slices:
                await self._delete(namespace, stale)
        return None

    async def _create(self, namespace: str, body: "JsonObject") -> None:
        try:
            self._take(await self._client.create(ENDPOINT_SLICES.path(namespace), body))
        except AlreadyExistsError:
            return  # the watch is behind; its event brings the key back
        except NotFoundError:
            return  # the namespace is going

    async def _delete(self, namespace: str, name: str) -> None:
        with contextlib.suppress(NotFoundError):
            await self._client.delete(ENDPOINT_SLICES.path(namespace, name))
        self._slices.remove(ObjectKey(namespace, name), "")

    def _take(self, answer: bytes) -> None:
        self._slices.put_written(decode_slice(answer))


def _is_same(known: SliceObject, body: "JsonObject") -> bool:
    wanted = decode_slice(msgspec.json.encode(body))
    return _usable(known) == _usable(wanted) and known.ports == wanted.ports


def _usable(one: SliceObject) -> list[tuple[tuple[str, ...], str, Conditions]]:
    return [
        (endpoint.addresses or (), endpoint.node_name or "", endpoint.conditions or Conditions())
        for endpoint in one.endpoints or ()
    ]
