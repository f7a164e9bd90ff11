"""The addresses of one family in one pool, numbered in the order in which they are given."""

import ipaddress
from bisect import bisect_left, bisect_right, insort
from itertools import accumulate
from typing import TYPE_CHECKING, Final

from ferrolb.ipam.runs import Runs

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ferrolb.ipam.claim import Terms
    from ferrolb.model import IPAddress, IPNetwork, Port

SATURATED: Final = 2**63 - 1
"""What a counter shows that would not fit a signed 64-bit number."""

_HUGE_HOST_BITS: Final = 62
"""From this many host bits on a prefix counts as SATURATED, as MetalLB counts it."""


class AddressSpace:
    """Usable addresses of one family, as positions 0, 1, 2 … in the order of `spec.addresses`.

    Addresses that `avoidBuggyIPs` skips have no position: runs of taken addresses merge across
    them, and the first free address is the first gap, however large the pool is.
    """

    def __init__(self, prefixes: "Sequence[IPNetwork]", *, avoid_buggy: bool) -> None:
        self._version = prefixes[0].version
        self._skips = avoid_buggy and self._version == 4
        spans = [(int(prefix[0]), int(prefix[-1])) for prefix in prefixes]
        sizes = [self._rank(last + 1) - self._rank(first) for first, last in spans]
        usable = [(span, size) for span, size in zip(spans, sizes, strict=True) if size]
        self._firsts = [span[0] for span, _ in usable]
        self._offsets = [0, *accumulate(size for _, size in usable)]
        self._size = self._offsets[-1]
        # by address: first, last, position of the first usable address
        self._spans = sorted(
            (span[0], span[1], offset)
            for (span, _), offset in zip(usable, self._offsets, strict=False)
        )
        self._taken = Runs()
        # (sharing key, backend key) -> ports in use there -> positions, ascending
        self._shared: dict[tuple[str, str], dict[frozenset[Port], list[int]]] = {}
        self.capacity = self._count(prefixes)
        """Number of usable addresses, saturated."""

    def position_of(self, address: "IPAddress") -> int | None:
        """Return the position of an address of this family, None if it is not usable here."""
        number = int(address)
        at = bisect_right(self._spans, number, key=_first) - 1
        if at < 0:
            return None
        first, last, offset = self._spans[at]
        if number > last or (self._skips and number & 0xFF in (0, 255)):
            return None
        return offset + self._rank(number) - self._rank(first)

    def find(self, terms: "Terms") -> "IPAddress | None":
        """Return the first address that is free, or that is shared on the same terms."""
        best = self._taken.first_gap()
        if terms.sharing:
            groups = self._shared.get((terms.sharing, terms.backend), {})
            for ports, positions in groups.items():
                if positions[0] < best and ports.isdisjoint(terms.ports):
                    best = positions[0]
        return self._address_at(best) if best < self._size else None

    def take(self, position: int) -> None:
        """Mark a position as taken."""
        self._taken.add(position)

    def free(self, position: int) -> None:
        """Mark a position as free."""
        self._taken.remove(position)

    def offer(self, position: int, group: tuple[str, str], ports: "frozenset[Port]") -> None:
        """Let Services with the same sharing and backend key, and other ports, join there."""
        insort(self._shared.setdefault(group, {}).setdefault(ports, []), position)

    def withdraw(self, position: int, group: tuple[str, str], ports: "frozenset[Port]") -> None:
        """Undo `offer`."""
        groups = self._shared[group]
        positions = groups[ports]
        del positions[bisect_left(positions, position)]
        if not positions:
            del groups[ports]
            if not groups:
                del self._shared[group]

    def _address_at(self, position: int) -> "IPAddress":
        at = bisect_right(self._offsets, position) - 1
        first = self._firsts[at]
        number = first + position - self._offsets[at]
        if self._skips:
            block, rest = divmod(self._rank(first) + position - self._offsets[at], 254)
            number = (block << 8) + rest + 1
        if self._version == 4:
            return ipaddress.IPv4Address(number)
        return ipaddress.IPv6Address(number)

    def _rank(self, number: int) -> int:
        """Return how many usable addresses there are below `number`."""
        if not self._skips:
            return number
        return (number >> 8) * 254 + min(max((number & 0xFF) - 1, 0), 254)

    def _count(self, prefixes: "Iterable[IPNetwork]") -> int:
        if any(prefix.max_prefixlen - prefix.prefixlen >= _HUGE_HOST_BITS for prefix in prefixes):
            return SATURATED
        return min(self._size, SATURATED)


def _first(span: tuple[int, int, int]) -> int:
    return span[0]
