"""Event aggregation: which Events a program writes, how often, and under which names.

Repeats are counted, similar messages folded, chatty objects throttled, and the event of a lasting
condition is said again before it expires. The machine holds what is still to be written; a shell
takes it, does the requests and reports back.
"""

import heapq
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from itertools import count
from typing import Final, Generic, NamedTuple, TypeVar

from ferrolb.model import EventNote
from ferrolb.reconcile.event_text import cut_message, event_digest, event_name

COMBINED_PREFIX: Final = "(combined from similar events): "
"""Starts the message of the one event that similar ones are folded into."""

SIMILAR_MESSAGES: Final = 10
"""From this many different messages of one type and reason about one object on, they are folded."""

SIMILAR_WINDOW_S: Final = 600.0
"""Seconds without an event of that type and reason after which counting starts again."""

BURST: Final = 25
"""Events of one type about one object that may be written at once."""

REFILL_S: Final = 300.0
"""Seconds after which one more may be written."""

REFRESH_FROM_S: Final = 900.0
"""Youngest age at which a lasting condition's event is said again."""

REFRESH_SPREAD_S: Final = 2100.0
"""Ages are spread over this long, up to minute 50: API servers keep events for one hour.

With `REFRESH_GAP_S` this sustains 5,400 conditions that begin together; of more than that, some
events expire before they are said again.
"""

REFRESH_GAP_S: Final = 0.5
"""Seconds between two refreshes of a program; less costs API servers writes that tell nothing new.
"""

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


@dataclass(frozen=True, slots=True, kw_only=True)
class EventLimits:
    """How much the machine remembers; an entry takes about 1 kB."""

    known: int = 4096
    """Events, objects and lumps remembered, each. A forgotten one costs two requests more, or a
    fresh allowance of `BURST`."""
    pending: int = 20_000
    """Events not yet written: a start with 10,000 Services must lose none."""
    held: int = 10_000
    """Lasting conditions; twice what `REFRESH_GAP_S` sustains, so that those that end make room."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventSubject:
    """The object that an event is about; `namespace` is empty for a cluster-scoped one."""

    api_version: str
    kind: str
    namespace: str
    name: str
    uid: str = ""
    resource_version: str = ""

    @property
    def identity(self) -> tuple[str, str, str, str, str]:
        """What stays the same over the object's life."""
        return (self.api_version, self.kind, self.namespace, self.name, self.uid)


class EventKey(NamedTuple):
    """Names one Event object."""

    namespace: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EventWrite:
    """One Event to write: created where `is_new`, else count and last time patched."""

    key: EventKey
    subject: EventSubject
    note: EventNote
    count: int
    first: datetime
    last: datetime
    is_new: bool
    is_combined: bool
    """The message changes from write to write."""


class Admission(StrEnum):
    """What became of an event that was recorded."""

    QUEUED = "queued"
    THROTTLED = "throttled"
    """The object had its share; the event is counted and shows with the next one like it."""
    OVERFLOW = "overflow"
    """Too many events wait to be written."""


@dataclass(slots=True, kw_only=True)
class _Entry:
    key: EventKey
    subject: EventSubject
    note: EventNote
    first: datetime
    last: datetime
    is_combined: bool
    count: int = 0
    is_known: bool = False
    """The API server has it, as far as we know."""
    is_dirty: bool = False
    """It changed while a write of it was under way."""


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: float


@dataclass(slots=True)
class _Similar:
    at: float
    messages: set[bytes] = field(default_factory=set)


@dataclass(slots=True, kw_only=True)
class _Hold:
    subject: EventSubject
    note: EventNote
    key: Hashable
    ticket: int


class _Recent(Generic[K, V]):
    """A table that forgets what has not been used for longest."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._items: OrderedDict[K, V] = OrderedDict()

    def get(self, key: K, make: Callable[[], V]) -> V:
        """Return the value, made where absent, and count it as used."""
        if key not in self._items:
            self._items[key] = make()
            if len(self._items) > self._limit:
                self._items.popitem(last=False)
        self._items.move_to_end(key)
        return self._items[key]


class EventAggregator:
    """The events of one source. `record` and `hold` put in, `take` gives out what to write."""

    def __init__(self, limits: EventLimits | None = None) -> None:
        self._limits = limits if limits is not None else EventLimits()
        self._known: _Recent[EventKey, _Entry] = _Recent(self._limits.known)
        self._similar: _Recent[Hashable, _Similar] = _Recent(self._limits.known)
        self._buckets: _Recent[Hashable, _Bucket] = _Recent(self._limits.known)
        # An entry is in at most one of these two, and may have left _known.
        self._pending: OrderedDict[EventKey, _Entry] = OrderedDict()
        self._in_flight: dict[EventKey, _Entry] = {}
        self._holds: dict[Hashable, _Hold] = {}
        # Every ticket of _live is in _due or _ripe; tickets that are not in _live are left-overs.
        # Tickets ascend: of two ripe ones the smaller was said longer ago and expires sooner.
        self._live: dict[int, _Hold] = {}
        self._due: list[tuple[float, int]] = []
        self._ripe: list[int] = []
        self._tickets = count()
        self._refresh_at = float("-inf")

    @property
    def pending(self) -> int:
        """How many events wait to be written."""
        return len(self._pending)

    @property
    def held(self) -> int:
        """How many conditions last."""
        return len(self._holds)

    def record(
        self, subject: EventSubject, note: EventNote, *, now: float, wall: datetime
    ) -> Admission:
        """Count the event and queue it for writing, unless the object had its share."""
        entry = self._observe(subject, note, now=now, wall=wall)
        if not self._allow((subject.identity, note.type), now=now):
            return Admission.THROTTLED
        return self._enqueue(entry)

    def take(self) -> EventWrite | None:
        """Return the next event to write; one of the three `on_` methods below must follow."""
        if not self._pending:
            return None
        key, entry = self._pending.popitem(last=False)
        self._in_flight[key] = entry
        return EventWrite(
            key=key,
            subject=entry.subject,
            note=entry.note,
            count=entry.count,
            first=entry.first,
            last=entry.last,
            is_new=not entry.is_known,
            is_combined=entry.is_combined,
        )

    def on_written(self, key: EventKey, *, earlier: int = 0) -> None:
        """The write succeeded; `earlier` is the count that the API server had from before us."""
        entry = self._in_flight.pop(key)
        entry.is_known = True
        entry.count += earlier
        self._requeue(entry)

    def on_dropped(self, key: EventKey) -> None:
        """The write was given up; a later event like it takes the count along."""
        self._requeue(self._in_flight.pop(key))

    def on_interrupted(self, key: EventKey) -> None:
        """Nobody knows how the write ended; `take` gives it out again."""
        entry = self._in_flight.pop(key)
        entry.is_dirty = True
        self._requeue(entry)

    def hold(self, key: Hashable, subject: EventSubject, note: EventNote, *, now: float) -> bool:
        """Say the event again and again until `release(key)`; it has just been recorded.

        Holding the same note again changes nothing; another note takes its place.

        Returns:
            False when too many conditions last; this one is not said again.
        """
        hold = self._holds.get(key)
        if hold is not None and hold.note == note and hold.subject.uid == subject.uid:
            return True
        self.release(key)
        if len(self._holds) >= self._limits.held:
            return False
        self._schedule(_Hold(subject=subject, note=note, key=key, ticket=0), now=now)
        return True

    def release(self, key: Hashable) -> None:
        """The condition ended, or never was."""
        hold = self._holds.pop(key, None)
        if hold is None:
            return
        del self._live[hold.ticket]
        if len(self._due) > 2 * len(self._live) + self._limits.known:
            self._due = [item for item in self._due if item[1] in self._live]
            heapq.heapify(self._due)

    def next_deadline(self) -> float | None:
        """Return when `on_deadline` has something to do, None while no condition lasts."""
        while self._ripe and self._ripe[0] not in self._live:
            heapq.heappop(self._ripe)
        if self._ripe:
            return self._refresh_at
        while self._due and self._due[0][1] not in self._live:
            heapq.heappop(self._due)
        return max(self._due[0][0], self._refresh_at) if self._due else None

    def on_deadline(self, *, now: float, wall: datetime) -> Admission | None:
        """Queue the refresh that is due, at most one; None when none is."""
        deadline = self.next_deadline()
        if deadline is None or deadline > now:
            return None
        while self._due and self._due[0][0] <= now:
            heapq.heappush(self._ripe, heapq.heappop(self._due)[1])
        hold = self._next_ripe()
        self._refresh_at = now + REFRESH_GAP_S
        self._schedule(hold, now=now)
        return self._enqueue(self._observe(hold.subject, hold.note, now=now, wall=wall))

    def _next_ripe(self) -> _Hold:
        ticket = heapq.heappop(self._ripe)
        while ticket not in self._live:
            ticket = heapq.heappop(self._ripe)
        return self._live.pop(ticket)

    def _schedule(self, hold: _Hold, *, now: float) -> None:
        hold.ticket = next(self._tickets)
        self._holds[hold.key] = hold
        self._live[hold.ticket] = hold
        digest = event_digest(hold.subject.uid, hold.note)
        share = int.from_bytes(digest) / (1 << 8 * len(digest))
        heapq.heappush(self._due, (now + REFRESH_FROM_S + share * REFRESH_SPREAD_S, hold.ticket))

    def _observe(
        self, subject: EventSubject, note: EventNote, *, now: float, wall: datetime
    ) -> _Entry:
        note = replace(note, message=cut_message(note.message))
        digest = event_digest(subject.uid, note)
        is_combined = self._is_one_of_many(subject, note, digest, now=now)
        if is_combined:
            # The prefix stands for all messages, so that they are one event.
            digest = event_digest(subject.uid, replace(note, message=COMBINED_PREFIX))
            note = replace(note, message=cut_message(COMBINED_PREFIX + note.message))
        key = EventKey(subject.namespace, event_name(subject.name, digest))
        entry = self._find_or_make(
            key,
            lambda: _Entry(
                key=key,
                subject=subject,
                note=note,
                first=wall,
                last=wall,
                is_combined=is_combined,
            ),
        )
        entry.subject = subject
        entry.note = note
        entry.last = wall
        entry.count += 1
        return entry

    def _find_or_make(self, key: EventKey, make: Callable[[], _Entry]) -> _Entry:
        unfinished = self._pending.get(key) or self._in_flight.get(key)
        return self._known.get(key, (lambda: unfinished) if unfinished is not None else make)

    def _is_one_of_many(
        self, subject: EventSubject, note: EventNote, digest: bytes, *, now: float
    ) -> bool:
        similar = self._similar.get(
            (subject.identity, note.type, note.reason), lambda: _Similar(now)
        )
        if now - similar.at > SIMILAR_WINDOW_S:
            similar.messages.clear()
        similar.at = now
        if digest in similar.messages:
            return False
        if len(similar.messages) >= SIMILAR_MESSAGES - 1:
            return True
        similar.messages.add(digest)
        return False

    def _allow(self, key: Hashable, *, now: float) -> bool:
        bucket = self._buckets.get(key, lambda: _Bucket(BURST, now))
        bucket.tokens = min(BURST, bucket.tokens + (now - bucket.at) / REFILL_S)
        bucket.at = now
        if bucket.tokens < 1:
            return False
        bucket.tokens -= 1
        return True

    def _enqueue(self, entry: _Entry) -> Admission:
        if entry.key in self._in_flight:
            entry.is_dirty = True
        elif entry.key not in self._pending:
            if len(self._pending) + len(self._in_flight) >= self._limits.pending:
                return Admission.OVERFLOW
            self._pending[entry.key] = entry
        return Admission.QUEUED

    def _requeue(self, entry: _Entry) -> None:
        if entry.is_dirty:
            entry.is_dirty = False
            self._pending[entry.key] = entry
