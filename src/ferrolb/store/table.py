"""The objects of one resource in order, at present and as of an earlier version."""

from bisect import bisect_right, insort
from typing import TYPE_CHECKING, TypeAlias

from ferrolb.store.codec import decode

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ferrolb.model import JsonObject
    from ferrolb.store.history import History

Place: TypeAlias = tuple[str, str]
"""Namespace and name."""


class Table:
    """The objects of one resource. `names` are the keys of `objects`, sorted."""

    def __init__(self, history: "History") -> None:
        self.objects: dict[Place, bytes] = {}
        self.names: list[Place] = []
        self.history = history

    def put(self, place: Place, encoded: bytes) -> None:
        """Add an object, or replace it."""
        if place not in self.objects:
            insort(self.names, place)
        self.objects[place] = encoded

    def remove(self, place: Place) -> None:
        """Take an object away that is there."""
        del self.objects[place]
        del self.names[bisect_right(self.names, place) - 1]

    def as_of(self, resource_version: int) -> "tuple[list[Place], dict[Place, bytes]]":
        """Return names and objects at a version that the history reaches back to."""
        undone: dict[Place, bytes | None] = {}
        for change in self.history.since(resource_version):
            undone.setdefault((change.key.namespace, change.key.name), change.encoded_previous)
        if not undone:
            return self.names, self.objects
        objects = dict(self.objects)
        for place, encoded in undone.items():
            if encoded is None:
                objects.pop(place, None)
            else:
                objects[place] = encoded
        return sorted(objects), objects


def span(names: "Sequence[Place]", namespace: str | None, after: Place | None) -> tuple[int, int]:
    """Return where in `names` those of a namespace begin, behind `after`, and where they end."""
    start, stop = 0, len(names)
    if namespace is not None:
        start = bisect_right(names, (namespace, ""))
        stop = bisect_right(names, (namespace + "\0", ""))
    if after is not None:
        start = max(start, bisect_right(names, after))
    return start, max(start, stop)


def choose(
    names: "Sequence[Place]",
    objects: "dict[Place, bytes]",
    *,
    limit: int | None,
    matches: "Callable[[JsonObject], bool] | None",
) -> tuple[tuple[bytes, ...], int]:
    """Return up to `limit` objects, and how many names were looked at for them."""
    if matches is None:
        count = len(names) if limit is None else min(limit, len(names))
        return tuple(objects[place] for place in names[:count]), count
    chosen: list[bytes] = []
    for looked_at, place in enumerate(names):
        if limit is not None and len(chosen) == limit:
            return tuple(chosen), looked_at
        if matches(decode(objects[place])):
            chosen.append(objects[place])
    return tuple(chosen), len(names)
