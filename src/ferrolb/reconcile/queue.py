"""The work queue: which key is to be worked next, each at most once and by one worker a time."""

import heapq
from collections import OrderedDict
from collections.abc import Hashable
from typing import Final, Generic, TypeVar

from ferrolb.reconcile.backoff import Backoff, Jitter
from ferrolb.reconcile.errors import ReconcileError

K = TypeVar("K", bound=Hashable)

DEFAULT_BACKOFF: Final = Backoff(base_s=0.005, cap_s=30.0)
"""5 ms: most failures are conflicts, gone when the watch event that caused them has arrived.
30 s: failures are API faults only (a refusal waits for a wake instead), so the cap is how long
an ended outage may go unnoticed; a larger one delays recovery, a smaller one costs an API that is
down one request a key each time."""


class Queue(Generic[K]):
    """First in, first out; a key that is added again while it waits is not moved or doubled.

    A key added while it is being worked is handed out once more after that, never beside it.
    """

    def __init__(self, *, jitter: Jitter, backoff: Backoff = DEFAULT_BACKOFF) -> None:
        self._jitter = jitter
        self._backoff = backoff
        # an ordered set, of which a plain dict cannot take the first in constant time;
        # no key of _ready is in _running
        self._ready: OrderedDict[K, None] = OrderedDict()
        self._running: set[K] = set()
        # keys of _running to be worked once more
        self._again: set[K] = set()
        # each key of _deadlines has an entry of that time in _heap; others there are stale
        self._deadlines: dict[K, float] = {}
        self._heap: list[tuple[float, int, K]] = []
        self._sequence = 0
        self._failures: dict[K, int] = {}

    @property
    def ready(self) -> int:
        """How many keys wait for a worker."""
        return len(self._ready)

    @property
    def running(self) -> int:
        """How many keys are being worked."""
        return len(self._running)

    @property
    def delayed(self) -> int:
        """How many keys wait for their time."""
        return len(self._deadlines)

    def add(self, key: K) -> None:
        """Ask for a pass over `key` as soon as possible."""
        if key in self._running:
            self._again.add(key)
        else:
            self._ready.setdefault(key, None)

    def add_after(self, key: K, delay_s: float, *, now: float) -> None:
        """Ask for a pass once `delay_s` has passed; of several such wishes the earliest counts.

        It stands beside `add`: a pass before that time does not fulfil it.
        """
        deadline = now + delay_s
        known = self._deadlines.get(key)
        if known is not None and known <= deadline:
            return
        self._deadlines[key] = deadline
        self._sequence += 1
        heapq.heappush(self._heap, (deadline, self._sequence, key))
        self._drop_stale()

    def take(self, *, now: float) -> K | None:
        """Hand out the next key, or None; it has to come back by `done` or `failed`."""
        self._promote(now)
        if not self._ready:
            return None
        key, _ = self._ready.popitem(last=False)
        self._running.add(key)
        return key

    def done(self, key: K) -> None:
        """Take back a key whose pass succeeded; its failures are forgotten.

        Raises:
            ReconcileError: the key is not out.
        """
        self._give_back(key)
        self._failures.pop(key, None)

    def failed(self, key: K, *, now: float, at_least_s: float = 0.0) -> float:
        """Take back a key whose pass failed, to be tried again; return the wait in seconds.

        The wait grows with each failure in a row, and is never below `at_least_s`.

        Raises:
            ReconcileError: the key is not out.
        """
        self._give_back(key)
        failures = self._failures.get(key, 0) + 1
        self._failures[key] = failures
        delay = max(self._backoff.delay_s(failures, self._jitter), at_least_s)
        self.add_after(key, delay, now=now)
        return delay

    def failures(self, key: K) -> int:
        """Return how often in a row the key's passes have failed."""
        return self._failures.get(key, 0)

    def next_deadline(self) -> float | None:
        """Return when the first delayed key is due, None if there is none.

        Keys that wait for a worker have no deadline: `take` until it returns None.
        """
        self._drop_stale()
        return self._heap[0][0] if self._heap else None

    def _give_back(self, key: K) -> None:
        if key not in self._running:
            raise ReconcileError(f"{key!r} is not being worked")
        self._running.remove(key)
        if key in self._again:
            self._again.remove(key)
            self._ready[key] = None

    def _promote(self, now: float) -> None:
        self._drop_stale()
        while self._heap and self._heap[0][0] <= now:
            key = heapq.heappop(self._heap)[2]
            del self._deadlines[key]
            self.add(key)
            self._drop_stale()

    def _drop_stale(self) -> None:
        # a wish that was brought forward leaves its later entry behind
        while self._heap and self._deadlines.get(self._heap[0][2]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        if len(self._heap) > 2 * len(self._deadlines) + 64:
            self._heap = [
                entry for entry in self._heap if self._deadlines.get(entry[2]) == entry[0]
            ]
            heapq.heapify(self._heap)
