"""The schedule alone: bursts, pace, refresh."""

from itertools import pairwise

import pytest

from ferrolb.l2.gratuitous import (
    ROUND_INTERVAL_S,
    ROUNDS,
    ROUNDS_PER_TICK,
    TICK_S,
    GratuitousSchedule,
)

TARGET = (3, b"\x0a\0\0\x05")


def run(schedule, until, now=0.0):
    """Ask whenever the schedule wants to be asked; return (time, target) of each round."""
    sent = []
    while now <= until:
        sent += [(round(now, 6), target) for target in schedule.rounds(now=now)]
        deadline = schedule.next_deadline()
        if deadline is None:
            break
        assert deadline > now, "a deadline that has passed would never end"
        now = deadline
    return sent


def test_a_burst_is_five_rounds_1100_ms_apart():
    schedule = GratuitousSchedule(refresh_s=0)
    schedule.start(TARGET, now=0.0)
    assert run(schedule, 60.0) == [(t, TARGET) for t in (0.0, 1.1, 2.2, 3.3, 4.4)]
    assert schedule.next_deadline() is None


def test_asking_early_sends_nothing():
    schedule = GratuitousSchedule(refresh_s=0)
    schedule.start(TARGET, now=0.0)
    assert schedule.rounds(now=0.0) == [TARGET]
    assert schedule.rounds(now=0.5) == []
    assert schedule.next_deadline() == ROUND_INTERVAL_S


def test_a_stopped_target_is_silent_at_once():
    schedule = GratuitousSchedule(refresh_s=0)
    schedule.start(TARGET, now=0.0)
    schedule.stop(TARGET)
    assert run(schedule, 60.0) == []
    schedule.start(TARGET, now=0.0)
    assert schedule.rounds(now=0.0) == [TARGET]
    schedule.stop(TARGET)
    assert schedule.rounds(now=9.0) == []
    assert schedule.next_deadline() is None


def test_a_burst_started_anew_has_an_immediate_round_and_all_repeats():
    schedule = GratuitousSchedule(refresh_s=0)
    schedule.start(TARGET, now=0.0)
    assert schedule.rounds(now=0.0) == [TARGET]
    schedule.start(TARGET, now=0.5)
    assert [t for t, _ in run(schedule, 60.0, now=0.5)] == [0.5, 1.6, 2.7, 3.8, 4.9]


def test_a_first_round_still_to_come_is_not_doubled():
    schedule = GratuitousSchedule(refresh_s=0)
    schedule.start(TARGET, now=0.0)
    schedule.start(TARGET, now=0.0)
    assert len(run(schedule, 60.0)) == ROUNDS


def test_one_round_alone_is_one_round_and_none_within_a_burst():
    schedule = GratuitousSchedule(refresh_s=0)
    schedule.once(TARGET, now=0.0)
    assert run(schedule, 60.0) == [(0.0, TARGET)]
    schedule.start(TARGET, now=70.0)
    schedule.once(TARGET, now=70.0)
    assert len(run(schedule, 99.0, now=70.0)) == ROUNDS


def test_a_burst_takes_the_place_of_one_round():
    schedule = GratuitousSchedule(refresh_s=0)
    schedule.once(TARGET, now=0.0)
    schedule.start(TARGET, now=0.0)
    assert len(run(schedule, 60.0)) == ROUNDS


def test_the_pace_is_a_number_of_rounds_a_tick():
    schedule = GratuitousSchedule(refresh_s=0)
    targets = [(3, i.to_bytes(4, "big")) for i in range(ROUNDS_PER_TICK + 2)]
    for target in targets[:-1]:
        schedule.start(target, now=0.0)
    assert schedule.rounds(now=0.0) == targets[:-2]
    assert schedule.rounds(now=TICK_S / 2) == []
    assert schedule.next_deadline() == TICK_S
    assert schedule.rounds(now=TICK_S) == targets[-2:-1]
    # what a tick has left is free for what comes next
    schedule.start(targets[-1], now=TICK_S * 1.5)
    assert schedule.next_deadline() == TICK_S * 1.5
    assert schedule.rounds(now=TICK_S * 1.5) == targets[-1:]


def test_first_rounds_go_before_repeats():
    schedule = GratuitousSchedule(refresh_s=0)
    old = [(3, i.to_bytes(4, "big")) for i in range(ROUNDS_PER_TICK)]
    for target in old:
        schedule.start(target, now=0.0)
    assert schedule.rounds(now=0.0) == old
    schedule.start(TARGET, now=5.0)
    assert schedule.rounds(now=5.0)[0] == TARGET


def test_w05_each_address_is_refreshed_once_in_each_interval_spread_evenly():
    schedule = GratuitousSchedule(refresh_s=100.0)
    ips = [i.to_bytes(4, "big") for i in range(50)]
    for ip in ips:
        schedule.hold(ip, now=0.0)
    seen: dict[bytes, list[float]] = {ip: [] for ip in ips}
    for second in range(301):
        for ip in schedule.refreshes(now=float(second)):
            seen[ip].append(float(second))
    assert {len(times) for times in seen.values()} == {3}
    assert all(99.0 <= b - a <= 101.0 for times in seen.values() for a, b in pairwise(times))
    # no ten seconds of an interval have much more than a tenth of the work
    busiest = [0] * 10
    for times in seen.values():
        busiest[int(times[0] % 100 // 10)] += 1
    assert sum(busiest) == 50
    assert max(busiest) <= 8


@pytest.mark.parametrize(("refresh_s", "expected"), [(0.0, None), (100.0, 61.803)])
def test_w05_the_refresh_can_be_off(refresh_s, expected):
    schedule = GratuitousSchedule(refresh_s=refresh_s)
    schedule.hold(b"\0\0\0\1", now=0.0)
    deadline = schedule.next_deadline()
    assert deadline == (None if expected is None else pytest.approx(expected, abs=0.001))
    schedule.release(b"\0\0\0\1")
    assert schedule.next_deadline() is None


def test_a_long_stop_is_made_up_for_once():
    schedule = GratuitousSchedule(refresh_s=100.0)
    schedule.hold(b"\0\0\0\1", now=0.0)
    assert schedule.refreshes(now=5000.0) == [b"\0\0\0\1"]
    assert schedule.refreshes(now=5099.0) == []
    assert schedule.refreshes(now=5100.0) == [b"\0\0\0\1"]


def test_the_deadline_is_the_earlier_of_burst_and_refresh():
    schedule = GratuitousSchedule(refresh_s=1.0)
    schedule.hold(b"\0\0\0\1", now=0.0)
    schedule.start(TARGET, now=0.2)
    assert schedule.next_deadline() == 0.2
    assert schedule.rounds(now=0.2) == [TARGET]
    assert schedule.next_deadline() == pytest.approx(0.618, abs=0.001)
