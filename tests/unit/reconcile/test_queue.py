import pytest

from ferrolb.reconcile import Backoff, Queue, ReconcileError


def queue(**options) -> Queue[str]:
    options.setdefault("backoff", Backoff(base_s=1.0, cap_s=4.0))
    return Queue(jitter=lambda s: s, **options)


def drain(q: Queue[str], *, now: float) -> list[str]:
    taken = []
    while (key := q.take(now=now)) is not None:
        taken.append(key)
    return taken


def test_keys_come_out_in_the_order_they_came_in_each_once():
    q = queue()
    for key in "baba":
        q.add(key)
    assert q.ready == 2
    assert drain(q, now=0.0) == ["b", "a"]
    assert q.running == 2


def test_key_added_while_worked_is_handed_out_again_only_after_it_came_back():
    q = queue()
    q.add("a")
    assert q.take(now=0.0) == "a"
    q.add("a")
    q.add("a")
    assert q.take(now=0.0) is None
    q.done("a")
    assert drain(q, now=0.0) == ["a"]
    q.done("a")
    assert q.take(now=0.0) is None
    assert q.running == 0


def test_delayed_key_waits_for_its_time():
    q = queue()
    q.add_after("a", 5.0, now=10.0)
    assert q.next_deadline() == 15.0
    assert q.delayed == 1
    assert q.take(now=14.9) is None
    assert q.take(now=15.0) == "a"
    assert q.next_deadline() is None
    assert q.delayed == 0


def test_earliest_of_several_delays_counts():
    q = queue()
    q.add_after("a", 5.0, now=0.0)
    q.add_after("a", 9.0, now=0.0)
    q.add_after("a", 2.0, now=0.0)
    assert q.next_deadline() == 2.0
    assert drain(q, now=20.0) == ["a"]
    q.done("a")
    assert drain(q, now=20.0) == []


def test_due_keys_come_in_the_order_of_their_deadlines_behind_waiting_ones():
    q = queue()
    q.add_after("late", 2.0, now=0.0)
    q.add_after("soon", 1.0, now=0.0)
    q.add("now")
    assert drain(q, now=3.0) == ["now", "soon", "late"]


def test_pass_before_the_time_does_not_fulfil_a_delay():
    q = queue()
    q.add_after("a", 5.0, now=0.0)
    q.add("a")
    assert drain(q, now=1.0) == ["a"]
    q.done("a")
    assert drain(q, now=5.0) == ["a"]


def test_key_due_while_worked_is_handed_out_again_after_that():
    q = queue()
    q.add("a")
    q.take(now=0.0)
    q.add_after("a", 1.0, now=0.0)
    assert q.take(now=2.0) is None
    q.done("a")
    assert q.take(now=2.0) == "a"


def test_failures_are_tried_again_after_growing_waits_and_forgotten_on_success():
    q = queue()
    q.add("a")
    waits = []
    now = 0.0
    for _ in range(4):
        assert q.take(now=now) == "a"
        waits.append(q.failed("a", now=now))
        assert q.take(now=now) is None
        now += waits[-1]
    assert waits == [1.0, 2.0, 4.0, 4.0]
    assert q.failures("a") == 4
    assert q.take(now=now) == "a"
    q.done("a")
    assert q.failures("a") == 0
    q.add("a")
    q.take(now=now)
    assert q.failed("a", now=now) == 1.0


def test_failures_of_one_key_do_not_slow_another():
    q = queue()
    for _ in range(3):
        q.add("a")
        q.take(now=100.0)
        q.failed("a", now=0.0)
    q.add("b")
    assert q.take(now=0.0) == "b"
    assert q.failed("b", now=0.0) == 1.0


def test_failed_key_that_was_added_meanwhile_is_not_held_back():
    q = queue()
    q.add("a")
    q.take(now=0.0)
    q.add("a")
    q.failed("a", now=0.0)
    assert q.take(now=0.0) == "a"


def test_wait_is_never_below_what_the_server_asked_for():
    q = queue()
    q.add("a")
    q.take(now=0.0)
    assert q.failed("a", now=0.0, at_least_s=9.0) == 9.0
    assert q.next_deadline() == 9.0


def test_default_backoff_starts_at_5_ms_and_ends_at_30_s():
    q: Queue[str] = Queue(jitter=lambda s: s)
    waits = []
    for _ in range(20):
        q.add("a")
        q.take(now=0.0)
        waits.append(q.failed("a", now=0.0))
    assert waits[:3] == [0.005, 0.01, 0.02]
    assert waits[-1] == 30.0


@pytest.mark.parametrize("give_back", [Queue.done, lambda q, k: q.failed(k, now=0.0)])
def test_key_that_is_not_out_cannot_come_back(give_back):
    q = queue()
    q.add("a")
    with pytest.raises(ReconcileError, match="'a' is not being worked"):
        give_back(q, "a")


def test_wishes_brought_forward_again_and_again_do_not_pile_up():
    q = queue()
    q.add_after("first", 0.5, now=0.0)
    for step in range(10_000):
        q.add_after("a", 20_000.0 - step, now=0.0)
    assert len(q._heap) < 100
    assert q.next_deadline() == 0.5
    assert drain(q, now=10_001.0) == ["first", "a"]
