"""What a lab does for its cluster: runs pods, keeps EndpointSlices, serves Services."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ferrolb.lab.errors import RefusedError
from ferrolb.lab.status import PodStatus
from ferrolb.lab.topology import Topology

if TYPE_CHECKING:
    from ferrolb.kube import ApiClient


class ClusterKeeper:
    """Kubelet, endpoint controller and service proxy of all nodes."""

    def __init__(self, client: "ApiClient", topology: Topology) -> None:
        self._client = client
        self._topology = topology

    async def start(self, group: asyncio.TaskGroup) -> None:
        """Start everything in `group`; return when the first lists are complete."""
        _ = group

    def pods_on(self, node: str) -> int:
        """Return how many backends run on a node."""
        _ = node
        return 0

    async def add_pod(
        self,
        namespace: str,
        name: str,
        *,
        node: str,
        labels: Mapping[str, str],
        ports: Sequence[int],
    ) -> PodStatus:
        """Create a Pod and wait until it answers."""
        _ = namespace, name, node, labels, ports
        raise RefusedError("not yet")

    async def delete_pod(self, namespace: str, name: str) -> None:
        """Delete a Pod and wait until it is silent."""
        _ = namespace, name
        raise RefusedError("not yet")
