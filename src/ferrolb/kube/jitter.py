"""The randomness that waits are spread with."""

from random import SystemRandom
from typing import Final

# the generator need not be good, only different in each process
_RANDOM: Final = SystemRandom()


def half_to_full(longest_s: float) -> float:
    """Return a wait between half of `longest_s` and all of it."""
    return longest_s * _RANDOM.uniform(0.5, 1.0)
