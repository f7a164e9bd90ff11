import pytest

from ferrolb.reconcile import Backoff


@pytest.mark.parametrize(
    ("failures", "expected"),
    [(1, 0.5), (2, 1.0), (3, 2.0), (4, 3.0), (5, 3.0), (100_000, 3.0)],
)
def test_wait_doubles_up_to_the_cap(failures: int, expected: float) -> None:
    assert Backoff(base_s=0.5, cap_s=3.0).delay_s(failures, lambda s: s) == expected


def test_jitter_is_given_the_longest_wait() -> None:
    assert Backoff(base_s=8.0, cap_s=3.0).delay_s(1, lambda s: s / 2) == 1.5
