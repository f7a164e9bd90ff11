"""Keys, each with the time at which it is due."""

from heapq import heapify, heappop, heappush
from typing import Final, Generic, TypeVar

K = TypeVar("K")

_SLACK: Final = 64
"""Outdated entries that may lie in the heap beyond one for each key: rebuilding it for fewer
would cost more than they do."""


class DueQueue(Generic[K]):
    """Hands keys out in the order of their times, and those of one time in the order set."""

    def __init__(self) -> None:
        self._current: dict[K, tuple[float, int]] = {}
        # every item of _current is also here; what is here and not there is outdated
        self._heap: list[tuple[float, int, K]] = []
        self._sequence = 0

    def __contains__(self, key: K) -> bool:
        return key in self._current

    def __len__(self) -> int:
        return len(self._current)

    def set(self, key: K, due: float) -> None:
        """Make the key due at that time, in place of any other."""
        self._sequence += 1
        self._current[key] = (due, self._sequence)
        heappush(self._heap, (due, self._sequence, key))
        if len(self._heap) > 2 * len(self._current) + _SLACK:
            self._heap = [(*when, held) for held, when in self._current.items()]
            heapify(self._heap)

    def discard(self, key: K) -> None:
        """Forget the key, if it is there."""
        self._current.pop(key, None)

    def next_due(self) -> float | None:
        """Return the earliest time; None: there is no key."""
        heap = self._heap
        while heap:
            due, sequence, key = heap[0]
            if self._current.get(key) == (due, sequence):
                return due
            heappop(heap)
        return None

    def pop(self, now: float) -> tuple[K, float] | None:
        """Take out the first key that is due, with its time; None: there is none yet."""
        due = self.next_due()
        if due is None or due > now:
            return None
        key = heappop(self._heap)[2]
        del self._current[key]
        return key, due
