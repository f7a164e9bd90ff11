"""Which pool holds an address, without looking at all of them."""

from bisect import bisect_right
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ferrolb.model import IPAddress, PoolName, PoolSet


class PoolIndex:
    """The prefixes of a set of pools, in order; those in force never overlap."""

    def __init__(self, pools: "PoolSet") -> None:
        self.pools = pools
        found: dict[int, list[tuple[int, int, PoolName]]] = {4: [], 6: []}
        for pool in pools.pools.values():
            for prefix in pool.prefixes:
                first = int(prefix.network_address)
                found[prefix.version].append((first, first + prefix.num_addresses - 1, pool.name))
        self._ranges = {version: sorted(ranges) for version, ranges in found.items()}
        # the first addresses alone, for bisect
        self._firsts = {v: [one[0] for one in ranges] for v, ranges in self._ranges.items()}

    def pool_of(self, addresses: "Sequence[IPAddress]") -> "PoolName | None":
        """Return the one pool that holds all of the addresses, None where there is none."""
        pool = self._find(addresses[0])
        if pool is None or any(self._find(address) != pool for address in addresses[1:]):
            return None
        return pool

    def _find(self, address: "IPAddress") -> "PoolName | None":
        number = int(address)
        at = bisect_right(self._firsts[address.version], number) - 1
        if at < 0:
            return None
        _, last, pool = self._ranges[address.version][at]
        return pool if number <= last else None
