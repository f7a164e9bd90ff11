import gc

import pytest

from ferrolb.runtime import settle


class Node:
    """A member of a cycle."""

    def __init__(self):
        self.itself = self


@pytest.fixture(autouse=True)
def _thaw():
    yield
    gc.unfreeze()


def test_what_is_there_is_left_out_of_later_collections():
    kept = [Node() for _ in range(1000)]
    settle()
    assert gc.get_freeze_count() > len(kept)
    assert not any(one is kept[0] for one in gc.get_objects())


def test_cycles_made_later_are_still_collected():
    settle()
    Node()
    assert gc.collect() >= 1
