"""Which known prefix a new one overlaps with, without looking at all of them."""

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ferrolb.model import IPNetwork

Place: TypeAlias = tuple[int, int]
"""Where a prefix stands: the place of its pool, and its own in the pool."""

_Key: TypeAlias = tuple[int, int]
"""Prefix length, and the bits of the network address that it covers."""


class PrefixIndex:
    """Prefixes with a place in an order; finds the first of them that overlaps a given one.

    Two prefixes overlap exactly if one is an ancestor of the other or they are equal. Each prefix
    is filed under itself and under its ancestors, of the lengths that occur at all, so that both
    questions are look-ups: the cost is the number of different lengths, not of prefixes.
    """

    def __init__(self, lengths: "Iterable[tuple[int, int]]") -> None:
        """Take the (version, length) of every prefix that will be added or asked for."""
        self._lengths: dict[int, list[int]] = {4: [], 6: []}
        for version, length in sorted(set(lengths), reverse=True):
            self._lengths[version].append(length)
        self._exact: dict[int, dict[_Key, tuple[Place, IPNetwork]]] = {4: {}, 6: {}}
        # _below[version][ancestor] is the first in order of the prefixes under it, or equal to
        # it; that of a shorter ancestor is never later than that of a longer one
        self._below: dict[int, dict[_Key, tuple[Place, IPNetwork]]] = {4: {}, 6: {}}

    def add(self, prefix: "IPNetwork", place: Place) -> None:
        """File a prefix under its place in the order."""
        entry = (place, prefix)
        version, length = prefix.version, prefix.prefixlen
        for key in self._ancestors(prefix):
            if key[0] == length and self._is_first(self._exact[version], key, place):
                self._exact[version][key] = entry
            if not self._is_first(self._below[version], key, place):
                break
            self._below[version][key] = entry

    def first(self, prefix: "IPNetwork") -> "tuple[Place, IPNetwork] | None":
        """Return place and value of the first prefix in order that overlaps, or None."""
        exact, below = self._exact[prefix.version], self._below[prefix.version]
        found = [exact[key] for key in self._ancestors(prefix) if key in exact]
        own = (prefix.prefixlen, _bits(prefix, prefix.prefixlen))
        if own in below:
            found.append(below[own])
        return min(found, key=lambda entry: entry[0], default=None)

    def _ancestors(self, prefix: "IPNetwork") -> "Iterable[_Key]":
        for length in self._lengths[prefix.version]:
            if length <= prefix.prefixlen:
                yield length, _bits(prefix, length)

    @staticmethod
    def _is_first(entries: "dict[_Key, tuple[Place, IPNetwork]]", key: _Key, place: Place) -> bool:
        return key not in entries or place < entries[key][0]


def _bits(prefix: "IPNetwork", length: int) -> int:
    return int(prefix.network_address) >> (prefix.max_prefixlen - length)
