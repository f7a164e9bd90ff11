"""What the speaker watches: one cache and one reflector a resource."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from ferrolb.kube import (
    ADDRESS_POOLS,
    COMMUNITIES,
    CONFIGURATION_STATES,
    ENDPOINT_SLICES,
    IP_ADDRESS_POOLS,
    L2_ADVERTISEMENTS,
    NODES,
    SERVICE_L2_STATUSES,
    SERVICES,
    AnnouncedServiceObject,
    Cache,
    EndpointSliceObject,
    Follower,
    L2StatusObject,
    NodeObject,
    RawObject,
    ReflectorOptions,
    decode_announced_service,
    decode_endpoint_slice,
    decode_l2_status,
    decode_node,
    decode_raw,
    wait_for_lists,
)

if TYPE_CHECKING:
    from ferrolb.kube import ApiClient
    from ferrolb.telemetry import ClientMetrics


_LOAD_BALANCERS: Final = "spec.type=LoadBalancer"
"""Served since Kubernetes 1.31; an older API server answers 400, and all Services are listed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watches:
    """The caches; custom resources only of the own namespace."""

    services: Cache[AnnouncedServiceObject] = field(default_factory=Cache)
    slices: Cache[EndpointSliceObject] = field(default_factory=Cache)
    nodes: Cache[NodeObject] = field(default_factory=Cache)
    pools: Cache[RawObject] = field(default_factory=Cache)
    legacy_pools: Cache[RawObject] = field(default_factory=Cache)
    communities: Cache[RawObject] = field(default_factory=Cache)
    l2_advertisements: Cache[RawObject] = field(default_factory=Cache)
    l2_statuses: Cache[L2StatusObject] = field(default_factory=Cache)
    own_state: Cache[RawObject] = field(default_factory=Cache)
    """The own ConfigurationState; waited for by nobody."""

    def start(
        self,
        group: asyncio.TaskGroup,
        client: "ApiClient",
        *,
        namespace: str,
        state_name: str,
        metrics: "ClientMetrics",
    ) -> None:
        """Start every reflector in `group`."""
        follow = Follower(client, group, metrics=metrics).follow
        everywhere = ReflectorOptions()
        own = ReflectorOptions(namespace=namespace)
        optional = ReflectorOptions(namespace=namespace, optional=True)
        follow(
            SERVICES,
            self.services,
            decode_announced_service,
            ReflectorOptions(field_selector=_LOAD_BALANCERS),
        )
        follow(ENDPOINT_SLICES, self.slices, decode_endpoint_slice, everywhere)
        follow(NODES, self.nodes, decode_node, everywhere)
        follow(IP_ADDRESS_POOLS, self.pools, decode_raw, own)
        follow(ADDRESS_POOLS, self.legacy_pools, decode_raw, optional)
        follow(COMMUNITIES, self.communities, decode_raw, own)
        follow(L2_ADVERTISEMENTS, self.l2_advertisements, decode_raw, own)
        follow(SERVICE_L2_STATUSES, self.l2_statuses, decode_l2_status, optional)
        state = ReflectorOptions(
            namespace=namespace, field_selector=f"metadata.name={state_name}", optional=True
        )
        follow(CONFIGURATION_STATES, self.own_state, decode_raw, state)

    async def synced(self, done: Callable[[str], None]) -> None:
        """Wait until each cache holds a complete list; call `done` with the name of each."""
        await wait_for_lists(self.steps(), done)

    def steps(self) -> dict[str, asyncio.Event]:
        """Return, by name, what is set once that resource has been listed."""
        return {
            "services": self.services.synced,
            "endpointslices": self.slices.synced,
            "nodes": self.nodes.synced,
            "ipaddresspools": self.pools.synced,
            "addresspools": self.legacy_pools.synced,
            "communities": self.communities.synced,
            "l2advertisements": self.l2_advertisements.synced,
            "servicel2statuses": self.l2_statuses.synced,
        }
