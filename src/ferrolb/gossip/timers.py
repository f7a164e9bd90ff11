"""All deadlines of the machine in one place, so that a driver needs one timer."""

import heapq
from enum import IntEnum
from typing import Final, NamedTuple

_STALE_MAX: Final = 64
"""Heap entries without meaning, beyond as many as are valid, before they are swept out."""


class TimerKind(IntEnum):
    """What is due. Of two that are due at one moment the smaller goes first."""

    STREAM = 0
    RELAY = 1
    PROBE_TIMEOUT = 2
    PROBE_VERDICT = 3
    SUSPICION = 4
    PROBE = 5
    PUSH_PULL = 6
    GOSSIP = 7
    LEAVE = 8


class Timer(NamedTuple):
    """One thing to be done at a time; `subject` is a stream, a sequence number, or 0."""

    kind: TimerKind
    subject: int = 0


class Timers:
    """One deadline for each timer that is set."""

    def __init__(self) -> None:
        # Every timer in _deadlines is in _heap with that deadline; other heap entries are stale.
        self._deadlines: dict[Timer, float] = {}
        self._heap: list[tuple[float, Timer]] = []

    def set(self, timer: Timer, deadline: float) -> None:
        """Set or move a timer."""
        self._deadlines[timer] = deadline
        heapq.heappush(self._heap, (deadline, timer))
        if len(self._heap) > 2 * len(self._deadlines) + _STALE_MAX:
            self._heap = [(at, timer) for timer, at in self._deadlines.items()]
            heapq.heapify(self._heap)

    def cancel(self, timer: Timer) -> None:
        """Forget a timer; nothing if it is not set."""
        self._deadlines.pop(timer, None)

    def is_set(self, timer: Timer) -> bool:
        """Tell whether a timer is set."""
        return timer in self._deadlines

    def next_deadline(self) -> float | None:
        """Return the earliest deadline."""
        while self._heap:
            deadline, timer = self._heap[0]
            if self._deadlines.get(timer) == deadline:
                return deadline
            heapq.heappop(self._heap)
        return None

    def pop_due(self, now: float) -> tuple[Timer, float] | None:
        """Take the timer that has been due for longest, and when it was."""
        deadline = self.next_deadline()
        if deadline is None or deadline > now:
            return None
        timer = heapq.heappop(self._heap)[1]
        del self._deadlines[timer]
        return timer, deadline


def next_in_phase(phase: float, interval: float, now: float) -> float:
    """Return the first of `phase`, `phase + interval`, … that is after `now`."""
    due = phase + max(0, (now - phase) // interval + 1) * interval
    return due if due > now else due + interval
