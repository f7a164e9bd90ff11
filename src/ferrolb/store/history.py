"""The recent changes of one resource, bounded by number and by bytes."""

from bisect import bisect_right
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ferrolb.store.change import Change

HISTORY_LIMIT: Final = 8192
"""Changes kept for one resource. A watcher that was away for longer, and a paged list during which
more happened, start again (410). At 1.5 kB a Service the history of Services is some 12 MB."""

HISTORY_BYTES_LIMIT: Final = 32 * 1024 * 1024
"""Bytes of objects kept in the history of one resource, so that large ConfigMaps changed over and
over cannot fill the memory. The last change is always kept."""

_SLACK: Final = 8
"""Trimming takes place once an eighth more than the limit has gathered, so that the cost of moving
the rest is spread over many changes."""


class History:
    """Changes in order, oldest first.

    `floor` is the resourceVersion up to which they are gone, `latest` the one of the last change.
    """

    def __init__(self, *, floor: int, limit: int, limit_bytes: int) -> None:
        self.floor = floor
        self.latest = floor
        self._limit = limit
        self._limit_bytes = limit_bytes
        self._changes: list[Change] = []
        self._versions: list[int] = []
        self._bytes = 0

    def append(self, change: "Change") -> None:
        """Add the newest change, and forget the oldest beyond the limits."""
        self.latest = change.resource_version
        self._changes.append(change)
        self._versions.append(change.resource_version)
        self._bytes += len(change.encoded)
        if len(self._changes) > self._limit + self._limit // _SLACK:
            self._forget(len(self._changes) - self._limit)
        if self._bytes > self._limit_bytes:
            self._forget(self._excess(self._limit_bytes - self._limit_bytes // _SLACK))

    def since(self, resource_version: int) -> "Sequence[Change]":
        """Return the changes after a version that is not below the floor."""
        return self._changes[bisect_right(self._versions, resource_version) :]

    def compact(self, resource_version: int) -> None:
        """Forget the changes up to and including that version."""
        self._forget(bisect_right(self._versions, resource_version))
        self.floor = max(self.floor, resource_version)

    def _excess(self, limit_bytes: int) -> int:
        """Count the oldest changes to drop for the others to fit, sparing the last."""
        kept = self._bytes
        for count, change in enumerate(self._changes[:-1]):
            if kept <= limit_bytes:
                return count
            kept -= len(change.encoded)
        return len(self._changes) - 1

    def _forget(self, count: int) -> None:
        if count:
            self.floor = self._versions[count - 1]
            self._bytes -= sum(len(change.encoded) for change in self._changes[:count])
            del self._changes[:count]
            del self._versions[:count]
