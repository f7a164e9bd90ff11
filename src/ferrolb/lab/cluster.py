"""What a lab does for its cluster: runs pods, keeps EndpointSlices, serves Services."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

from ferrolb.kube import (
    ENDPOINT_SLICES,
    PODS,
    SERVICES,
    AlreadyExistsError,
    ApiError,
    ApiObject,
    Cache,
    NotFoundError,
    Reflector,
)
from ferrolb.lab.endpoints import EndpointKeeper
from ferrolb.lab.errors import LabError, RefusedError
from ferrolb.lab.kubelet import Kubelet
from ferrolb.lab.objects import (
    PodObject,
    ServiceObject,
    SliceObject,
    decode_pod,
    decode_service,
    decode_slice,
)
from ferrolb.lab.proxy import ProxyKeeper, ServiceProxy
from ferrolb.lab.status import PodStatus
from ferrolb.lab.topology import Topology

if TYPE_CHECKING:
    from collections.abc import Callable

    import msgspec

    from ferrolb.kube import ApiClient, Resource
    from ferrolb.model import Json, JsonObject

T = TypeVar("T", bound=ApiObject)


class ClusterKeeper:
    """Kubelet of all nodes, and what else of a cluster does not run by itself.

    Args:
        makes_slices: whether the lab makes the EndpointSlices; else the cluster does.
        proxies: by node, those that the lab has to program; none where kube-proxy runs.
    """

    def __init__(
        self,
        client: "ApiClient",
        topology: Topology,
        *,
        makes_slices: bool,
        proxies: Mapping[str, ServiceProxy],
    ) -> None:
        self._client = client
        self._makes_slices = makes_slices
        self._has_proxies = bool(proxies)
        self._services: Cache[ServiceObject] = Cache()
        self._pods: Cache[PodObject] = Cache()
        self._slices: Cache[SliceObject] = Cache()
        self._kubelet = Kubelet(client, self._pods, topology)
        self._endpoints = EndpointKeeper(
            client, services=self._services, pods=self._pods, slices=self._slices
        )
        self._proxy = ProxyKeeper(proxies, services=self._services, slices=self._slices)

    async def start(self, group: asyncio.TaskGroup) -> None:
        """Start everything in `group`; return when the first lists are complete."""

        def follow(
            resource: "Resource", cache: Cache[T], decode: "Callable[[msgspec.Raw], T]"
        ) -> None:
            reflector = Reflector(self._client, resource, cache, decode=decode)
            group.create_task(reflector.run(), name=f"reflector {resource.plural}")

        follow(PODS, self._pods, decode_pod)
        await self._pods.synced.wait()
        group.create_task(self._kubelet.run(), name="kubelet")
        if not self._makes_slices and not self._has_proxies:
            return
        follow(SERVICES, self._services, decode_service)
        follow(ENDPOINT_SLICES, self._slices, decode_slice)
        for cache in (self._services, self._slices):
            await cache.synced.wait()
        if self._makes_slices:
            self._endpoints.start()
            group.create_task(self._endpoints.run(), name="endpoints")
        if self._has_proxies:
            self._proxy.start()
            group.create_task(self._proxy.run(), name="proxy")

    def pods_on(self, node: str) -> int:
        """Return how many backends run on a node."""
        return self._kubelet.count_on(node)

    async def add_pod(
        self,
        namespace: str,
        name: str,
        *,
        node: str,
        labels: Mapping[str, str],
        ports: Sequence[int],
    ) -> PodStatus:
        """Create a Pod and wait until it answers.

        Raises:
            RefusedError: there is one of that name.
            LabError: the API refused it or could not be reached.
        """
        try:
            created = await self._client.create(
                PODS.path(namespace), _pod(namespace, name, node, labels, ports)
            )
        except AlreadyExistsError as error:
            raise RefusedError(f"there is a pod {namespace}/{name} already") from error
        except ApiError as error:
            raise LabError(f"cannot create pod {namespace}/{name}: {error}") from error
        uid = decode_pod(created).metadata.uid
        return await self._kubelet.await_running((namespace, name), uid)

    async def delete_pod(self, namespace: str, name: str) -> None:
        """Delete a Pod and wait until it is silent and gone.

        Raises:
            RefusedError: there is none of that name.
            LabError: the API refused or could not be reached.
        """
        try:
            await self._client.delete(PODS.path(namespace, name))
        except NotFoundError as error:
            raise RefusedError(f"there is no pod {namespace}/{name}") from error
        except ApiError as error:
            raise LabError(f"cannot delete pod {namespace}/{name}: {error}") from error
        await self._kubelet.await_gone((namespace, name))


def _pod(
    namespace: str, name: str, node: str, labels: Mapping[str, str], ports: Sequence[int]
) -> "JsonObject":
    listed: list[Json] = [
        {"containerPort": port, "protocol": protocol}
        for port in ports
        for protocol in ("TCP", "UDP")
    ]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": {**labels}},
        "spec": {
            "nodeName": node,
            "containers": [{"name": "backend", "image": "backend", "ports": listed}],
        },
    }
