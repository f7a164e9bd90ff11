"""Counting, naming, folding, throttling and refreshing of events."""

import re
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from ferrolb.model import EventNote, EventType
from ferrolb.reconcile.event_text import MAX_MESSAGE_BYTES, MAX_NAME
from ferrolb.reconcile.events import (
    BURST,
    COMBINED_PREFIX,
    REFILL_S,
    REFRESH_FROM_S,
    REFRESH_GAP_S,
    REFRESH_SPREAD_S,
    SIMILAR_MESSAGES,
    SIMILAR_WINDOW_S,
    Admission,
    EventAggregator,
    EventLimits,
    EventSubject,
    EventWrite,
)

WALL = datetime(2026, 1, 1, tzinfo=UTC)
DNS_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")


def subject(name: str = "web", *, uid: str = "u-1", namespace: str = "shop") -> EventSubject:
    return EventSubject(
        api_version="v1",
        kind="Service",
        namespace=namespace,
        name=name,
        uid=uid,
        resource_version="7",
    )


def warning(message: str = "no luck", reason: str = "AllocationFailed") -> EventNote:
    return EventNote(type=EventType.WARNING, reason=reason, message=message)


def normal(message: str = "fine") -> EventNote:
    return EventNote(type=EventType.NORMAL, reason="IPAllocated", message=message)


class Driver:
    """An aggregator with its clock, and an API server that accepts everything."""

    def __init__(self, limits: EventLimits | None = None) -> None:
        self.machine = EventAggregator(limits)
        self.now = 1000.0

    @property
    def wall(self) -> datetime:
        return WALL + timedelta(seconds=self.now)

    def record(self, note: EventNote, about: EventSubject | None = None) -> Admission:
        return self.machine.record(about or subject(), note, now=self.now, wall=self.wall)

    def take(self) -> EventWrite:
        write = self.machine.take()
        assert write is not None
        return write

    def say(self, note: EventNote, about: EventSubject | None = None) -> EventWrite:
        assert self.record(note, about) is Admission.QUEUED
        return self.written()

    def written(self) -> EventWrite:
        write = self.take()
        self.machine.on_written(write.key)
        return write

    def hold(self, note: EventNote, key: str = "k", about: EventSubject | None = None) -> bool:
        return self.machine.hold(key, about or subject(), note, now=self.now)

    def refresh(self) -> Admission | None:
        return self.machine.on_deadline(now=self.now, wall=self.wall)

    def deadline(self) -> float:
        deadline = self.machine.next_deadline()
        assert deadline is not None
        return deadline


@pytest.fixture
def driver() -> Driver:
    return Driver()


def test_the_first_event_is_created_with_all_it_says(driver: Driver) -> None:
    write = driver.say(warning())
    assert (write.is_new, write.is_combined, write.count) == (True, False, 1)
    assert (write.subject, write.note) == (subject(), warning())
    assert write.first == write.last == driver.wall
    assert write.key.namespace == "shop"
    assert driver.machine.take() is None


def test_a_repeat_is_counted_and_patched(driver: Driver) -> None:
    first = driver.say(warning())
    driver.now += 60
    second = driver.say(warning())
    assert second.key == first.key
    assert (second.is_new, second.count) == (False, 2)
    assert (second.first, second.last) == (first.first, driver.wall)


def test_repeats_that_wait_together_are_one_write(driver: Driver) -> None:
    for _ in range(5):
        assert driver.record(warning()) is Admission.QUEUED
    assert driver.machine.pending == 1
    assert driver.written().count == 5
    assert driver.machine.pending == 0


def test_a_repeat_during_a_write_is_written_afterwards(driver: Driver) -> None:
    driver.record(warning())
    write = driver.take()
    assert driver.record(warning()) is Admission.QUEUED
    assert driver.machine.take() is None
    driver.machine.on_written(write.key)
    repeat = driver.take()
    assert (repeat.is_new, repeat.count) == (False, 2)


def test_the_count_of_an_earlier_program_is_taken_over(driver: Driver) -> None:
    driver.record(warning())
    write = driver.take()
    driver.machine.on_written(write.key, earlier=6)
    assert driver.say(warning()).count == 8


def test_a_write_that_was_given_up_is_created_by_the_next_event_with_its_count(
    driver: Driver,
) -> None:
    driver.record(warning())
    driver.machine.on_dropped(driver.take().key)
    assert driver.machine.take() is None
    write = driver.say(warning())
    assert (write.is_new, write.count) == (True, 2)


def test_a_repeat_during_a_write_that_is_given_up_is_tried(driver: Driver) -> None:
    driver.record(warning())
    write = driver.take()
    driver.record(warning())
    driver.machine.on_dropped(write.key)
    again = driver.take()
    assert (again.is_new, again.count) == (True, 2)


def test_an_interrupted_write_is_given_out_again(driver: Driver) -> None:
    driver.record(warning())
    write = driver.take()
    driver.machine.on_interrupted(write.key)
    assert driver.take() == write


def test_writes_leave_in_the_order_in_which_they_were_recorded(driver: Driver) -> None:
    notes = [warning("b"), normal("a"), warning("c")]
    for note in notes:
        driver.record(note)
    assert [driver.written().note for _ in notes] == notes


# Names


def test_the_name_does_not_depend_on_program_run_or_time() -> None:
    names = set()
    for now in (0.0, 5000.0):
        driver = Driver()
        driver.now = now
        names.add(driver.say(warning()).key.name)
    assert len(names) == 1
    # Another release of this program has to find the events of this one.
    assert names == {"web.8dcaee9c8236eeb5"}


@pytest.mark.parametrize(
    ("about", "note"),
    [
        (subject(uid="u-2"), warning()),
        (subject(), EventNote(EventType.NORMAL, "AllocationFailed", "no luck")),
        (subject(), warning(reason="Other")),
        (subject(), warning("bad luck")),
        (subject(), EventNote(EventType.WARNING, "AllocationFailedn", "o luck")),
    ],
    ids=["uid", "type", "reason", "message", "shifted"],
)
def test_the_name_depends_on_uid_type_reason_and_message(
    driver: Driver, about: EventSubject, note: EventNote
) -> None:
    assert driver.say(warning()).key.name != driver.say(note, about).key.name


def test_events_of_one_text_about_two_objects_have_two_names(driver: Driver) -> None:
    one = driver.say(warning(), subject("a"))
    two = driver.say(warning(), subject("b", uid="u-2"))
    assert one.key.name.startswith("a.")
    assert two.key.name.startswith("b.")


@pytest.mark.parametrize(
    "name",
    [
        "web",
        "a" * 63,
        "a" * 300,
        "System:Foo",
        "-x-",
        "a..b",
        "a.-.b",
        "é",
        "",
        "." * 300,
        "-" * 99,
    ],
)
def test_any_name_gives_a_valid_bounded_event_name(driver: Driver, name: str) -> None:
    written = driver.say(warning(), subject(name)).key.name
    assert DNS_SUBDOMAIN.fullmatch(written)
    assert len(written) <= MAX_NAME


# Messages


def test_a_message_of_the_allowed_length_is_whole(driver: Driver) -> None:
    assert driver.say(warning("x" * MAX_MESSAGE_BYTES)).note.message == "x" * MAX_MESSAGE_BYTES


def test_a_longer_message_is_cut_between_characters(driver: Driver) -> None:
    message = driver.say(warning("é" * MAX_MESSAGE_BYTES)).note.message
    assert len(message.encode()) <= MAX_MESSAGE_BYTES
    assert message == "é" * 510 + "..."


def test_a_lone_surrogate_does_not_break_the_message(driver: Driver) -> None:
    assert driver.say(warning("a\ud800b")).note.message == "a?b"


# Folding


def say_different(driver: Driver, number: int, start: int = 0) -> list[EventWrite]:
    return [driver.say(warning(f"reason {start + i}")) for i in range(number)]


def test_the_tenth_different_message_is_folded(driver: Driver) -> None:
    plain = say_different(driver, SIMILAR_MESSAGES - 1)
    assert not any(write.is_combined for write in plain)
    tenth = driver.say(warning("reason 9"))
    assert tenth.note.message == COMBINED_PREFIX + "reason 9"
    assert (tenth.is_new, tenth.is_combined, tenth.count) == (True, True, 1)
    driver.now += 1
    eleventh = driver.say(warning("reason 10"))
    assert eleventh.key == tenth.key
    assert (eleventh.is_new, eleventh.count) == (False, 2)
    assert eleventh.note.message == COMBINED_PREFIX + "reason 10"


def test_a_message_said_before_the_tenth_keeps_its_own_event(driver: Driver) -> None:
    plain = say_different(driver, SIMILAR_MESSAGES)
    repeat = driver.say(warning("reason 0"))
    assert repeat.key == plain[0].key
    assert repeat.note.message == "reason 0"


def test_folding_ends_after_ten_quiet_minutes(driver: Driver) -> None:
    say_different(driver, SIMILAR_MESSAGES)
    driver.now += SIMILAR_WINDOW_S
    assert driver.say(warning("still")).is_combined
    driver.now += SIMILAR_WINDOW_S + 1
    assert not driver.say(warning("fresh")).is_combined


@pytest.mark.parametrize(
    ("about", "note"),
    [
        (subject(), warning("x", reason="Other")),
        (subject(), EventNote(EventType.NORMAL, "AllocationFailed", "x")),
        (subject("other"), warning("x")),
        (subject(uid="u-2"), warning("x")),
    ],
    ids=["reason", "type", "object", "uid"],
)
def test_only_one_type_and_reason_about_one_object_is_folded(
    driver: Driver, about: EventSubject, note: EventNote
) -> None:
    say_different(driver, SIMILAR_MESSAGES)
    assert not driver.say(note, about).is_combined


def test_a_new_version_of_the_object_is_the_same_object(driver: Driver) -> None:
    first = driver.say(warning())
    newer = EventSubject(
        api_version="v1",
        kind="Service",
        namespace="shop",
        name="web",
        uid="u-1",
        resource_version="8",
    )
    write = driver.say(warning(), newer)
    assert (write.key, write.count, write.subject) == (first.key, 2, newer)


# Throttling


def test_an_object_has_a_burst_then_one_event_per_five_minutes(driver: Driver) -> None:
    for _ in range(BURST):
        driver.say(warning())
    assert driver.record(warning()) is Admission.THROTTLED
    assert driver.machine.take() is None
    driver.now += REFILL_S - 1
    assert driver.record(warning()) is Admission.THROTTLED
    driver.now += 1
    assert driver.say(warning()).count == BURST + 3
    assert driver.record(warning()) is Admission.THROTTLED


def test_the_burst_is_full_again_at_most(driver: Driver) -> None:
    driver.say(warning())
    driver.now += 1000 * REFILL_S
    admissions = [driver.record(warning()) for _ in range(BURST + 1)]
    assert admissions == [Admission.QUEUED] * BURST + [Admission.THROTTLED]


@pytest.mark.parametrize(
    ("about", "note"),
    [(subject(), normal()), (subject("other"), warning()), (subject(uid="u-2"), warning())],
    ids=["type", "object", "uid"],
)
def test_the_share_is_for_each_object_and_type(
    driver: Driver, about: EventSubject, note: EventNote
) -> None:
    for _ in range(BURST):
        driver.say(warning())
    assert driver.record(warning(reason="Other")) is Admission.THROTTLED
    assert driver.record(note, about) is Admission.QUEUED


# Bounded memory


def test_more_waiting_events_than_allowed_are_refused() -> None:
    driver = Driver(EventLimits(pending=2))
    assert [driver.record(warning(text)) for text in "abc"] == [
        Admission.QUEUED,
        Admission.QUEUED,
        Admission.OVERFLOW,
    ]
    assert driver.record(warning("a")) is Admission.QUEUED
    write = driver.take()
    assert driver.record(warning("d")) is Admission.OVERFLOW
    driver.machine.on_written(write.key)
    assert driver.record(warning("c")) is Admission.QUEUED
    assert [driver.written().note.message for _ in range(2)] == ["b", "c"]


def test_a_forgotten_event_is_created_again() -> None:
    driver = Driver(EventLimits(known=2))
    driver.say(warning("a"))
    driver.say(warning("b"))
    driver.say(warning("a"))
    driver.say(warning("c"))
    assert driver.say(warning("a")).count == 3
    assert driver.say(warning("b")).is_new


def test_a_forgotten_event_that_still_waits_is_not_written_twice() -> None:
    driver = Driver(EventLimits(known=1))
    driver.record(warning("a"))
    driver.record(warning("b"))
    driver.record(warning("a"))
    writes = [driver.written(), driver.written()]
    assert [(write.note.message, write.count) for write in writes] == [("a", 2), ("b", 1)]
    assert driver.machine.take() is None


def test_a_forgotten_event_under_way_is_patched_afterwards() -> None:
    driver = Driver(EventLimits(known=1))
    driver.record(warning("a"))
    write = driver.take()
    driver.record(warning("b"))
    driver.record(warning("a"))
    driver.machine.on_written(write.key)
    assert [driver.written().note.message for _ in range(2)] == ["b", "a"]


def test_a_forgotten_object_has_its_burst_again() -> None:
    driver = Driver(EventLimits(known=1))
    for _ in range(BURST):
        driver.record(warning())
    driver.record(warning(), subject("other"))
    assert driver.record(warning()) is Admission.QUEUED


# Refreshing


def test_a_lasting_condition_is_said_again_between_minutes_15_and_50(driver: Driver) -> None:
    driver.say(warning())
    assert driver.hold(warning())
    age = driver.deadline() - driver.now
    assert REFRESH_FROM_S <= age <= REFRESH_FROM_S + REFRESH_SPREAD_S
    driver.now += age - 0.1
    assert driver.refresh() is None
    driver.now += 0.1
    assert driver.refresh() is Admission.QUEUED
    write = driver.written()
    assert (write.count, write.last, write.is_new) == (2, driver.wall, False)
    assert driver.deadline() == pytest.approx(driver.now + age)


def test_c10_refreshes_are_spread_over_the_whole_window(driver: Driver) -> None:
    ages = []
    for number in range(400):
        driver.hold(warning(), about=subject(uid=f"u-{number}"))
        ages.append(driver.deadline() - driver.now)
    assert min(ages) < REFRESH_FROM_S + 0.05 * REFRESH_SPREAD_S
    assert max(ages) > REFRESH_FROM_S + 0.95 * REFRESH_SPREAD_S
    assert 0.4 < sum(age < REFRESH_FROM_S + REFRESH_SPREAD_S / 2 for age in ages) / 400 < 0.6


def test_nothing_is_said_again_after_release(driver: Driver) -> None:
    driver.hold(warning())
    driver.machine.release("k")
    driver.machine.release("k")
    assert driver.machine.next_deadline() is None
    driver.now += 10_000
    assert driver.refresh() is None
    assert driver.machine.held == 0


def test_holding_the_same_note_again_does_not_put_the_refresh_off(driver: Driver) -> None:
    driver.hold(warning())
    deadline = driver.deadline()
    driver.now += 600
    assert driver.hold(warning())
    assert driver.deadline() == deadline


@pytest.mark.parametrize(
    ("about", "note"),
    [(subject(), warning("other")), (subject(uid="u-2"), warning())],
    ids=["note", "uid"],
)
def test_another_note_takes_the_place_of_the_held_one(
    driver: Driver, about: EventSubject, note: EventNote
) -> None:
    driver.hold(warning())
    driver.now += 600
    driver.hold(note, about=about)
    assert driver.machine.held == 1
    assert driver.deadline() >= driver.now + REFRESH_FROM_S
    driver.now = driver.deadline()
    driver.refresh()
    write = driver.take()
    assert (write.note, write.subject) == (note, about)


def test_c10_at_most_two_refreshes_a_second(driver: Driver) -> None:
    for number in range(20):
        driver.hold(warning(), key=str(number), about=subject(uid=f"u-{number}"))
    driver.now += 3600
    refreshed_at = []
    while driver.machine.pending < 20:
        assert driver.refresh() is Admission.QUEUED
        assert driver.refresh() is None
        refreshed_at.append(driver.now)
        driver.now = driver.deadline()
    gaps = {after - before for before, after in pairwise(refreshed_at)}
    assert gaps == {REFRESH_GAP_S}


def test_the_stated_number_of_conditions_is_sustained() -> None:
    driver = Driver()
    said_at = {}
    for number in range(5400):
        driver.hold(warning(), key=str(number), about=subject(uid=f"u-{number}"))
        said_at[f"u-{number}"] = driver.now
    worst = 0.0
    end = driver.now + 2.5 * 3600
    while driver.now < end:
        driver.now = driver.deadline()
        assert driver.refresh() is Admission.QUEUED
        uid = driver.written().subject.uid
        worst = max(worst, driver.now - said_at[uid])
        said_at[uid] = driver.now
    assert 3000 < worst <= 3600


def test_a_refresh_is_not_throttled(driver: Driver) -> None:
    driver.hold(warning())
    for _ in range(BURST):
        driver.say(warning())
    driver.now = driver.deadline()
    for _ in range(5):
        driver.record(warning())
    assert driver.refresh() is Admission.QUEUED


def test_more_lasting_conditions_than_allowed_are_refused() -> None:
    driver = Driver(EventLimits(held=2))
    assert [driver.hold(warning(), key=key) for key in "abc"] == [True, True, False]
    assert driver.hold(warning("other"), key="a")
    driver.machine.release("b")
    assert driver.hold(warning(), key="c")
    assert driver.machine.held == 2


def test_conditions_that_come_and_go_leave_nothing_behind() -> None:
    driver = Driver(EventLimits(known=10))
    driver.hold(warning(), key="stays")
    deadline = driver.deadline()
    for number in range(1000):
        driver.hold(warning(str(number)), key="flaps")
        assert len(driver.machine._due) <= 2 * 2 + 10 + 1
    driver.machine.release("flaps")
    assert driver.deadline() == deadline


def test_of_two_overdue_refreshes_the_one_said_longer_ago_comes_first(driver: Driver) -> None:
    for number in range(20):
        driver.hold(warning(), key=str(number), about=subject(uid=f"u-{number}"))
        driver.now += 1
    driver.now += 3600
    order = []
    for _ in range(20):
        driver.refresh()
        order.append(driver.written().subject.uid)
        driver.now = driver.deadline()
    assert order == [f"u-{number}" for number in range(20)]


def test_an_overdue_condition_that_ended_is_skipped(driver: Driver) -> None:
    for key in "abc":
        driver.hold(warning(key), key=key)
    driver.now += 3600
    driver.machine.release("a")
    assert driver.refresh() is Admission.QUEUED
    assert driver.written().note.message == "b"
    driver.machine.release("c")
    driver.now += REFRESH_GAP_S
    assert driver.deadline() > driver.now
    assert driver.refresh() is None
