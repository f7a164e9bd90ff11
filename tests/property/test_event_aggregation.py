"""The aggregator under any sequence of commands: bounded, nothing lost unsaid, names valid."""

import re
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from typing_extensions import override

from ferrolb.model import EventNote, EventType
from ferrolb.reconcile.event_text import MAX_MESSAGE_BYTES, MAX_NAME
from ferrolb.reconcile.events import (
    REFRESH_FROM_S,
    REFRESH_GAP_S,
    Admission,
    EventAggregator,
    EventKey,
    EventLimits,
    EventSubject,
    EventWrite,
)

LIMITS = EventLimits(known=3, pending=4, held=3)
WALL = datetime(2026, 1, 1, tzinfo=UTC)
DNS_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")

subjects = st.integers(0, 3).map(
    lambda number: EventSubject(
        api_version="v1", kind="Service", namespace="shop", name=f"s{number}", uid=f"u{number}"
    )
)
notes = st.builds(
    EventNote,
    type=st.sampled_from(EventType),
    reason=st.sampled_from(["A", "B"]),
    message=st.integers(0, 14).map(str),
)


class Aggregation(RuleBasedStateMachine):
    """Compares the machine with plain counters: every event is written, waiting, or refused."""

    def __init__(self) -> None:
        super().__init__()
        self.machine = EventAggregator(LIMITS)
        self.now = 0.0
        self.in_flight: list[EventWrite] = []
        self.queued: set[EventKey] = set()
        self.refreshed_at: list[float] = []
        self.held_at: dict[str, float] = {}

    @property
    def wall(self) -> datetime:
        return WALL + timedelta(seconds=self.now)

    @rule(seconds=st.sampled_from([0.0, 0.1, 1.0, 100.0, 700.0, 4000.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule(subject=subjects, note=notes)
    def record(self, subject: EventSubject, note: EventNote) -> None:
        before = self.machine.pending
        admission = self.machine.record(subject, note, now=self.now, wall=self.wall)
        if admission is Admission.OVERFLOW:
            assert before + len(self.in_flight) >= LIMITS.pending
        if admission is not Admission.QUEUED:
            assert self.machine.pending == before

    @rule()
    def take(self) -> None:
        waiting = self.machine.pending
        write = self.machine.take()
        assert (write is None) == (waiting == 0)
        if write is None:
            return
        assert write.key not in {other.key for other in self.in_flight}
        assert write.count >= 1
        assert write.first <= write.last <= self.wall
        self.in_flight.append(write)

    @precondition(lambda self: self.in_flight)
    @rule(earlier=st.integers(0, 5))
    def written(self, earlier: int) -> None:
        self.machine.on_written(self.in_flight.pop(0).key, earlier=earlier)

    @precondition(lambda self: self.in_flight)
    @rule()
    def dropped(self) -> None:
        self.machine.on_dropped(self.in_flight.pop().key)

    @rule(key=st.sampled_from("abcde"), subject=subjects, note=notes)
    def hold(self, key: str, subject: EventSubject, note: EventNote) -> None:
        is_held = self.machine.hold(key, subject, note, now=self.now)
        if is_held:
            self.held_at.setdefault(key, self.now)
        else:
            self.held_at.pop(key, None)
        assert self.machine.held == len(self.held_at)

    @rule(key=st.sampled_from("abcde"))
    def release(self, key: str) -> None:
        self.machine.release(key)
        self.held_at.pop(key, None)
        assert self.machine.held == len(self.held_at)

    @rule()
    def deadline(self) -> None:
        due = self.machine.next_deadline()
        admission = self.machine.on_deadline(now=self.now, wall=self.wall)
        assert (admission is not None) == (due is not None and due <= self.now)
        if admission is None:
            return
        assert self.now >= min(self.held_at.values()) + REFRESH_FROM_S
        if self.refreshed_at:
            assert self.now - self.refreshed_at[-1] >= REFRESH_GAP_S
        self.refreshed_at.append(self.now)

    @invariant()
    def a_deadline_exists_exactly_while_something_is_held(self) -> None:
        assert (self.machine.next_deadline() is None) == (self.machine.held == 0)

    @invariant()
    def memory_is_bounded(self) -> None:
        assert self.machine.pending + len(self.in_flight) <= LIMITS.pending
        assert self.machine.held <= LIMITS.held
        for table in (self.machine._known, self.machine._similar, self.machine._buckets):
            assert len(table._items) <= LIMITS.known

    @override
    def teardown(self) -> None:
        while self.in_flight:
            self.written(0)
        while self.machine.pending:
            self.take()
            self.written(0)
        assert self.machine.take() is None


TestAggregation = Aggregation.TestCase


@given(name=st.text(max_size=400), message=st.text(max_size=1500), uid=st.text(max_size=40))
def test_any_text_gives_a_valid_name_and_a_bounded_message(
    name: str, message: str, uid: str
) -> None:
    machine = EventAggregator()
    subject = EventSubject(api_version="v1", kind="Service", namespace="n", name=name, uid=uid)
    machine.record(subject, EventNote(EventType.NORMAL, "R", message), now=0.0, wall=WALL)
    write = machine.take()
    assert write is not None
    assert DNS_SUBDOMAIN.fullmatch(write.key.name)
    assert len(write.key.name) <= MAX_NAME
    assert len(write.note.message.encode()) <= MAX_MESSAGE_BYTES
    if len(message.encode()) <= MAX_MESSAGE_BYTES:
        assert write.note.message == message


@given(texts=st.lists(st.integers(0, 30), max_size=60))
def test_every_event_of_an_unthrottled_object_is_in_one_count(texts: list[int]) -> None:
    machine = EventAggregator()
    counts: dict[EventKey, int] = {}
    for number, text in enumerate(texts):
        subject = EventSubject(
            api_version="v1", kind="Service", namespace="n", name="a", uid=str(number % 3)
        )
        note = EventNote(EventType.NORMAL, "R", str(text))
        machine.record(subject, note, now=number * 300.0, wall=WALL)
        write = machine.take()
        assert write is not None
        machine.on_written(write.key)
        counts[write.key] = write.count
    assert sum(counts.values()) == len(texts)
