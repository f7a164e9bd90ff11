import pytest

from ferrolb.gossip.broadcasts import Broadcasts, transmit_limit
from ferrolb.model import NodeName

A, B, C = NodeName("a"), NodeName("b"), NodeName("c")


def message(letter: str, size: int = 40) -> bytes:
    return letter.encode() * size


@pytest.mark.parametrize(
    ("count", "limit"), [(1, 4), (9, 4), (10, 8), (99, 8), (100, 12), (999, 12)]
)
def test_transmissions_grow_with_the_cluster(count, limit):
    assert transmit_limit(4, count) == limit


def test_a_message_is_sent_as_often_as_the_limit_says():
    queue = Broadcasts()
    queue.queue(A, message("a"))
    taken = [queue.take(100, overhead_bytes=2, limit=3) for _ in range(4)]
    assert taken == [[message("a")]] * 3 + [[]]
    assert A not in queue


def test_a_newer_message_about_a_member_replaces_the_older_one():
    queue = Broadcasts()
    queue.queue(A, message("a"))
    queue.take(100, overhead_bytes=2, limit=4)
    queue.queue(A, message("n"))
    assert len(queue) == 1
    assert queue.take(100, overhead_bytes=2, limit=4) == [message("n")]


def test_what_was_sent_least_goes_first_and_of_these_the_newest():
    queue = Broadcasts()
    queue.queue(A, message("a"))
    queue.take(100, overhead_bytes=2, limit=4)
    queue.queue(B, message("b"))
    queue.queue(C, message("c"))
    expected = [message("c"), message("b"), message("a")]
    assert queue.take(1000, overhead_bytes=2, limit=4) == expected


def test_what_does_not_fit_waits_for_its_turn():
    queue = Broadcasts()
    queue.queue(A, message("a"))
    queue.queue(B, message("b", 90))
    assert queue.take(80, overhead_bytes=2, limit=4) == [message("a")]
    assert queue.take(41, overhead_bytes=2, limit=4) == []
    assert queue.take(92, overhead_bytes=2, limit=4) == [message("b", 90)]


def test_what_is_forgotten_is_not_sent():
    queue = Broadcasts()
    queue.queue(A, message("a"))
    queue.forget(A)
    queue.forget(B)
    assert queue.take(100, overhead_bytes=2, limit=4) == []
