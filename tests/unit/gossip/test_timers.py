import pytest

from ferrolb.gossip.timers import Timer, TimerKind, Timers, next_in_phase

STREAM, PROBE = Timer(TimerKind.STREAM, 1), Timer(TimerKind.PROBE)


def test_the_earliest_is_due_first_and_once():
    timers = Timers()
    timers.set(PROBE, 2.0)
    timers.set(STREAM, 1.0)
    assert timers.next_deadline() == 1.0
    assert timers.pop_due(0.9) is None
    assert timers.pop_due(5.0) == (STREAM, 1.0)
    assert timers.pop_due(5.0) == (PROBE, 2.0)
    assert timers.pop_due(5.0) is None
    assert timers.next_deadline() is None


def test_a_timer_that_was_moved_or_cancelled_is_not_due():
    timers = Timers()
    timers.set(PROBE, 1.0)
    timers.set(PROBE, 3.0)
    timers.set(STREAM, 2.0)
    timers.cancel(STREAM)
    timers.cancel(STREAM)
    assert timers.next_deadline() == 3.0
    assert timers.is_set(PROBE)
    assert not timers.is_set(STREAM)


@pytest.mark.parametrize(
    ("now", "due"), [(0.0, 10.0), (9.99, 10.0), (10.0, 10.2), (10.1, 10.2), (100.0, 100.2)]
)
def test_a_beat_keeps_its_phase_and_is_always_ahead(now, due):
    found = next_in_phase(10.0, 0.2, now)
    assert found == pytest.approx(due)
    assert found > now
