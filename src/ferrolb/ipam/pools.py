"""The pools in force, with the state of each: its address spaces, its counters, its place."""

from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from ferrolb.ipam.space import SATURATED, AddressSpace

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ferrolb.ipam.claim import Claim, Terms
    from ferrolb.model import IPAddress, Pool, PoolName, PoolSet


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolUsage:
    """Counters of one pool; capacities are saturated at 2^63 - 1."""

    capacity: int
    capacity_ipv4: int
    capacity_ipv6: int
    assigned_ipv4: int
    """Distinct addresses in use, however many Services share one."""
    assigned_ipv6: int
    services: int

    @property
    def assigned(self) -> int:
        """Distinct addresses of both families in use."""
        return self.assigned_ipv4 + self.assigned_ipv6

    @property
    def available_ipv4(self) -> int:
        """IPv4 addresses that nobody uses."""
        return self.capacity_ipv4 - self.assigned_ipv4

    @property
    def available_ipv6(self) -> int:
        """IPv6 addresses that nobody uses."""
        return self.capacity_ipv6 - self.assigned_ipv6


class Candidates(NamedTuple):
    """The first address of each family that a claim could have in one pool."""

    ipv4: "IPAddress | None"
    ipv6: "IPAddress | None"


class PoolState:
    """One pool with its address spaces and counters."""

    def __init__(self, pool: "Pool") -> None:
        self.pool = pool
        self.assigned = {4: 0, 6: 0}
        """Distinct addresses in use, by IP version."""
        self.services = 0
        by_version = {
            version: [prefix for prefix in pool.prefixes if prefix.version == version]
            for version in (4, 6)
        }
        self.spaces = {
            version: AddressSpace(prefixes, avoid_buggy=pool.avoid_buggy_ips)
            for version, prefixes in by_version.items()
            if prefixes
        }
        """By IP version; a family without prefixes has none."""

    @property
    def name(self) -> "PoolName":
        """The pool's name."""
        return self.pool.name

    def position_of(self, address: "IPAddress") -> int | None:
        """Return the address's position in its space, None if the pool cannot give it."""
        space = self.spaces.get(address.version)
        return None if space is None else space.position_of(address)

    def find(self, terms: "Terms") -> Candidates:
        """Return the first address of each family that may be given on these terms."""
        ipv4, ipv6 = (
            None if space is None else space.find(terms)
            for space in (self.spaces.get(4), self.spaces.get(6))
        )
        return Candidates(ipv4, ipv6)

    def usage(self) -> PoolUsage:
        """Return the counters."""
        ipv4, ipv6 = (
            self.spaces[version].capacity if version in self.spaces else 0 for version in (4, 6)
        )
        return PoolUsage(
            capacity=min(ipv4 + ipv6, SATURATED),
            capacity_ipv4=ipv4,
            capacity_ipv6=ipv6,
            assigned_ipv4=self.assigned[4],
            assigned_ipv6=self.assigned[6],
            services=self.services,
        )


class PoolTable:
    """The pools in force: by name, by address, and in the order in which they are tried.

    Relies on the configuration's overlap check: no two prefixes hold one address.
    """

    def __init__(self, pools: "PoolSet") -> None:
        self.config = pools
        self.states = {name: PoolState(pool) for name, pool in sorted(pools.pools.items())}
        self.pinned = sorted(
            (state for state in self.states.values() if state.pool.allocation is not None),
            key=_rank,
        )
        """Positive priorities first, ascending; equal ones by name."""
        self.unpinned = [state for state in self.states.values() if state.pool.allocation is None]
        self._spans = {
            version: sorted(
                (
                    (int(prefix[0]), int(prefix[-1]), state)
                    for state in self.states.values()
                    for prefix in state.pool.prefixes
                    if prefix.version == version
                ),
                key=_first,
            )
            for version in (4, 6)
        }

    def covering(self, address: "IPAddress") -> PoolState | None:
        """Return the pool one of whose prefixes holds the address, usable or not."""
        spans = self._spans[address.version]
        at = bisect_right(spans, int(address), key=_first) - 1
        if at < 0 or int(address) > spans[at][1]:
            return None
        return spans[at][2]

    def owner(self, ips: "Sequence[IPAddress]") -> PoolState | None:
        """Return the one pool that can give all these addresses."""
        owners = [self.covering(ip) for ip in ips]
        first = owners[0] if owners else None
        if first is None or any(owner is not first for owner in owners):
            return None
        return first if all(first.position_of(ip) is not None for ip in ips) else None


def is_compatible(pool: "Pool", claim: "Claim") -> bool:
    """Tell whether the pool's `serviceAllocation` lets this Service use it."""
    pin = pool.allocation
    if pin is None:
        return True
    if pin.namespaces is not None and claim.key.namespace not in pin.namespaces:
        return False
    return not pin.service_selectors or any(
        selector.matches(claim.labels) for selector in pin.service_selectors
    )


def _rank(state: PoolState) -> "tuple[bool, int, PoolName]":
    priority = state.pool.allocation.priority if state.pool.allocation else 0
    return (True, 0, state.name) if priority <= 0 else (False, priority, state.name)


def _first(span: tuple[int, int, PoolState]) -> int:
    return span[0]
