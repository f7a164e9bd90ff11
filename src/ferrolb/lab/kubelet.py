"""Runs the Pods of all nodes: addresses for them, backends behind those, and their status."""

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final

from ferrolb.kube import (
    PODS,
    ApiError,
    Cache,
    ConflictError,
    NotFoundError,
    QueueDriver,
    RequeueAfter,
)
from ferrolb.lab.backend import Backend
from ferrolb.lab.objects import PodObject
from ferrolb.lab.population import running_status
from ferrolb.lab.status import PodStatus
from ferrolb.lab.topology import NodeHost, Topology
from ferrolb.runtime import DEFAULT_NAMESPACE
from ferrolb.telemetry import get_logger

if TYPE_CHECKING:
    from ferrolb.kube import ApiClient, Change
    from ferrolb.model import JsonObject

_FIRST_NUMBER: Final = 2
_LAST_NUMBER: Final = 254
"""Pods on a node: what a /24 has room for."""

_DEFAULT_PORTS: Final = (("TCP", 8080), ("UDP", 8080))
"""Of a Pod that names none."""


class Kubelet:
    """One for all nodes. Every Pod is its own; those of the system's namespace run without it."""

    def __init__(self, client: "ApiClient", pods: Cache[PodObject], topology: Topology) -> None:
        self._client = client
        self._pods = pods
        self._topology = topology
        self._backends: dict[tuple[str, str], Backend] = {}
        self._numbers: dict[tuple[str, str], tuple[str, int]] = {}
        self._uids: dict[tuple[str, str], str] = {}
        self._changed = asyncio.Condition()
        self._queue = QueueDriver[tuple[str, str]]("pods", self._reconcile)
        pods.subscribe(self._on_change)

    async def run(self) -> None:
        """Work until cancelled."""
        await self._queue.run()

    def count_on(self, node: str) -> int:
        """Return how many backends run on a node."""
        return sum(backend.pod.node == node for backend in self._backends.values())

    async def await_running(self, key: tuple[str, str], uid: str) -> PodStatus:
        """Wait until the Pod's backend answers and the API knows it; not another's of its name."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._uids.get(key) == uid)
        return self._backends[key].pod

    async def await_gone(self, key: tuple[str, str]) -> None:
        """Wait until no backend of that Pod answers, and the API has forgotten it."""
        async with self._changed:
            await self._changed.wait_for(
                lambda: key not in self._backends and self._pods.get(key) is None
            )

    def _on_change(self, change: "Change[PodObject]") -> None:
        self._queue.add((change.key.namespace, change.key.name))

    async def _reconcile(self, key: tuple[str, str]) -> RequeueAfter | None:
        pod = self._pods.get(key)
        # another of its name may be there before the first one's end was seen
        if pod is None or self._uids.get(key, pod.metadata.uid) != pod.metadata.uid:
            await self._stop(key)
        if pod is None:
            return None
        if pod.metadata.deletionTimestamp is not None:
            await self._stop(key)
            await self._finish(pod)
        elif pod.metadata.namespace == DEFAULT_NAMESPACE or pod.spec.host_network:
            return None  # it runs already, or nobody's
        elif not pod.spec.node_name:
            await self._schedule(pod)
        elif key not in self._backends:
            node = self._topology.node(pod.spec.node_name)
            if node is not None:
                await self._start(key, pod, node)
        return None

    async def _start(self, key: tuple[str, str], pod: PodObject, node: NodeHost) -> None:
        number = self._free_number(node.name)
        if number is None:
            get_logger().warning("no pod address left", node=node.name, pod=pod.metadata.name)
            return
        ips = tuple(str(network[number]) for network in node.pods)
        ports = tuple((one.protocol, one.container_port) for one in pod.ports) or _DEFAULT_PORTS
        status = PodStatus(
            namespace=pod.metadata.namespace, name=pod.metadata.name, node=node.name, ips=ips
        )
        backend = Backend(status, ports)
        self._numbers[key] = (node.name, number)
        try:
            await backend.open()
            path = PODS.path(pod.metadata.namespace, pod.metadata.name, "status")
            containers = [one.name for one in pod.spec.containers or ()]
            await self._client.patch(path, {"status": running_status(node, ips, containers)})
        except (OSError, ApiError) as error:
            backend.close()
            del self._numbers[key]
            if isinstance(error, NotFoundError):
                return  # deleted meanwhile
            raise
        self._backends[key] = backend
        self._uids[key] = pod.metadata.uid
        await self._tell()

    async def _stop(self, key: tuple[str, str]) -> None:
        backend = self._backends.pop(key, None)
        if backend is not None:
            backend.close()
            del self._numbers[key]
            del self._uids[key]
        await self._tell()

    async def _finish(self, pod: PodObject) -> None:
        """Let the API forget a Pod that has ended, as its node's kubelet does."""
        if self._topology.node(pod.spec.node_name) is None:
            return
        meta = pod.metadata
        with contextlib.suppress(NotFoundError, ConflictError):  # gone, or another of its name
            path = PODS.path(meta.namespace, meta.name)
            await self._client.delete(path, uid=meta.uid, grace_s=0)

    async def _schedule(self, pod: PodObject) -> None:
        """Bind a Pod to the node with the fewest, as a scheduler would."""
        counts = {node.name: 0 for node in self._topology.nodes}
        for other in self._pods.values():
            if other.spec.node_name in counts and not other.spec.host_network:
                counts[other.spec.node_name] += 1
        node = min(counts, key=lambda name: counts[name])
        meta = pod.metadata
        binding: JsonObject = {
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": {"name": meta.name, "namespace": meta.namespace},
            "target": {"kind": "Node", "name": node},
        }
        try:
            await self._client.create(PODS.path(meta.namespace, meta.name, "binding"), binding)
        except NotFoundError:
            # the development server has no bindings; its Pods can be changed
            path = PODS.path(meta.namespace, meta.name)
            await self._client.patch(path, {"spec": {"nodeName": node}})

    def _free_number(self, node: str) -> int | None:
        taken = {number for name, number in self._numbers.values() if name == node}
        free = (one for one in range(_FIRST_NUMBER, _LAST_NUMBER + 1) if one not in taken)
        return next(free, None)

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()
