"""Which known prefix a new one overlaps with, without looking at all of them."""

from bisect import bisect_left, bisect_right, insort
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from ferrolb.model import IPNetwork

Place: TypeAlias = tuple[int, int]
"""Where a prefix stands: the place of its pool, and its own in the pool."""

_Entry: TypeAlias = "tuple[Place, IPNetwork]"


class PrefixIndex:
    """Disjoint prefixes with a place in an order; finds the first that overlaps a given one."""

    def __init__(self) -> None:
        self._families = {4: _FamilyIndex(), 6: _FamilyIndex()}

    def add(self, prefix: "IPNetwork", place: Place) -> None:
        """File a prefix, which must overlap none of those filed before."""
        self._families[prefix.version].add(prefix, place)

    def first(self, prefix: "IPNetwork") -> "IPNetwork | None":
        """Return the first prefix in order that overlaps, or None."""
        entry = self._families[prefix.version].first(prefix)
        return entry[1] if entry else None


@dataclass(slots=True)
class _FamilyIndex:
    # sorted; every element is a key of entries
    firsts: list[int] = field(default_factory=list)
    entries: "dict[int, _Entry]" = field(default_factory=dict)
    # For prefixes that were asked for and contain others: the first in order of those. Without
    # it a thousand copies of one wide prefix would each look at all that it contains.
    inside: "dict[tuple[int, int], _Entry]" = field(default_factory=dict)
    inside_lengths: set[int] = field(default_factory=set)

    def add(self, prefix: "IPNetwork", place: Place) -> None:
        first, _ = _bounds(prefix)
        entry = (place, prefix)
        insort(self.firsts, first)
        self.entries[first] = entry
        for length in self.inside_lengths:
            key = (length, first >> (prefix.max_prefixlen - length))
            if key in self.inside:
                self.inside[key] = min(self.inside[key], entry, key=_place_of)

    def first(self, prefix: "IPNetwork") -> "_Entry | None":
        first, last = _bounds(prefix)
        length = prefix.prefixlen
        key = (length, first >> (prefix.max_prefixlen - length))
        if key in self.inside:
            return self.inside[key]
        start, end = bisect_left(self.firsts, first), bisect_right(self.firsts, last)
        if start > 0:
            before = self.entries[self.firsts[start - 1]]
            # two prefixes are either disjoint or one contains the other
            if _bounds(before[1])[1] >= last:
                return before
        found = min(
            (self.entries[one] for one in self.firsts[start:end]), key=_place_of, default=None
        )
        if found is not None and found[1].prefixlen > length:
            self.inside[key] = found
            self.inside_lengths.add(length)
        return found


def _bounds(prefix: "IPNetwork") -> tuple[int, int]:
    first = int(prefix.network_address)
    return first, first + (1 << (prefix.max_prefixlen - prefix.prefixlen)) - 1


def _place_of(entry: "_Entry") -> Place:
    return entry[0]
