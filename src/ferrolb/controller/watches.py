"""What the controller watches: one cache and one reflector a resource."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ferrolb.controller.state import STATE_NAME
from ferrolb.kube import (
    ADDRESS_POOLS,
    BGP_ADVERTISEMENTS,
    COMMUNITIES,
    CONFIGURATION_STATES,
    IP_ADDRESS_POOLS,
    L2_ADVERTISEMENTS,
    NAMESPACES,
    NODES,
    SERVICES,
    Cache,
    Follower,
    NamespaceObject,
    NodeObject,
    RawObject,
    ReflectorOptions,
    ServiceObject,
    decode_namespace,
    decode_node,
    decode_raw,
    decode_service,
    wait_for_lists,
)

if TYPE_CHECKING:
    from ferrolb.kube import ApiClient
    from ferrolb.telemetry import ClientMetrics


@dataclass(frozen=True, slots=True, kw_only=True)
class Watches:
    """The caches; custom resources only of the own namespace."""

    services: Cache[ServiceObject] = field(default_factory=Cache)
    namespaces: Cache[NamespaceObject] = field(default_factory=Cache)
    pools: Cache[RawObject] = field(default_factory=Cache)
    legacy_pools: Cache[RawObject] = field(default_factory=Cache)
    """AddressPools; its resource may be absent or not allowed, and is then empty (C-17)."""
    communities: Cache[RawObject] = field(default_factory=Cache)
    nodes: Cache[NodeObject] = field(default_factory=Cache)
    l2_advertisements: Cache[RawObject] = field(default_factory=Cache)
    bgp_advertisements: Cache[RawObject] = field(default_factory=Cache)
    """These three only tell what may be announced; where one may not be read, nothing is told, and
    nobody waits for them."""
    own_state: Cache[RawObject] = field(default_factory=Cache)
    """The own ConfigurationState; waited for by nobody."""

    def start(
        self,
        group: asyncio.TaskGroup,
        client: "ApiClient",
        *,
        namespace: str,
        metrics: "ClientMetrics",
    ) -> None:
        """Start every reflector in `group`."""
        follow = Follower(client, group, metrics=metrics).follow
        everywhere = ReflectorOptions()
        own = ReflectorOptions(namespace=namespace)
        optional = ReflectorOptions(namespace=namespace, optional=True)
        follow(SERVICES, self.services, decode_service, everywhere)
        follow(NAMESPACES, self.namespaces, decode_namespace, everywhere)
        follow(IP_ADDRESS_POOLS, self.pools, decode_raw, own)
        follow(ADDRESS_POOLS, self.legacy_pools, decode_raw, optional)
        follow(COMMUNITIES, self.communities, decode_raw, own)
        follow(L2_ADVERTISEMENTS, self.l2_advertisements, decode_raw, optional)
        follow(BGP_ADVERTISEMENTS, self.bgp_advertisements, decode_raw, optional)
        follow(NODES, self.nodes, decode_node, ReflectorOptions(optional=True))
        state = ReflectorOptions(
            namespace=namespace, field_selector=f"metadata.name={STATE_NAME}", optional=True
        )
        follow(CONFIGURATION_STATES, self.own_state, decode_raw, state)

    async def synced(self, done: Callable[[str], None]) -> None:
        """Wait until each cache holds a complete list; call `done` with the name of each."""
        await wait_for_lists(self.steps(), done)

    def for_coverage(self) -> "tuple[Cache[NodeObject] | Cache[RawObject], ...]":
        """Return the caches that only tell what may be announced."""
        return (self.nodes, self.l2_advertisements, self.bgp_advertisements)

    def steps(self) -> dict[str, asyncio.Event]:
        """Return, by name, what is set once that resource has been listed."""
        return {
            "services": self.services.synced,
            "namespaces": self.namespaces.synced,
            "ipaddresspools": self.pools.synced,
            "addresspools": self.legacy_pools.synced,
            "communities": self.communities.synced,
        }
