from hypothesis import given
from hypothesis import strategies as st

from ferrolb.ipam.runs import Runs


def runs_of(*values: int) -> Runs:
    made = Runs()
    for value in values:
        made.add(value)
    return made


def test_empty_set_has_its_first_gap_at_zero():
    assert Runs().first_gap() == 0
    assert 0 not in Runs()


def test_values_that_touch_make_one_run():
    assert len(runs_of(0, 2)) == 2
    assert len(runs_of(0, 2, 1)) == 1
    assert len(runs_of(1, 0)) == 1


def test_adding_and_removing_twice_changes_nothing():
    runs = runs_of(3, 3)
    assert (len(runs), 3 in runs) == (1, True)
    runs.remove(3)
    runs.remove(3)
    runs.remove(9)
    assert len(runs) == 0


def test_removing_from_the_middle_splits_a_run():
    runs = runs_of(*range(5))
    runs.remove(2)
    assert (len(runs), runs.first_gap()) == (2, 2)
    assert [value in runs for value in range(6)] == [True, True, False, True, True, False]


@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 12)), max_size=60),
    st.sampled_from((0, 2**127)),
)
def test_runs_are_a_set(commands, offset):
    runs, expected = Runs(), set()
    for is_added, value in commands:
        if is_added:
            runs.add(offset + value)
            expected.add(offset + value)
        else:
            runs.remove(offset + value)
            expected.discard(offset + value)
        assert [offset + v in runs for v in range(14)] == [
            offset + v in expected for v in range(14)
        ]
        assert runs.first_gap() == next(v for v in range(14) if v not in expected)
        assert len(runs) == sum(v - 1 not in expected for v in expected)
