"""How long to wait before trying again."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

Jitter: TypeAlias = Callable[[float], float]
"""Turns the longest wait allowed into the wait to take, so that many do not retry in step."""

_MAX_DOUBLINGS: Final = 60
"""Any base has met its cap by then; 2.0 to a larger power would overflow in the end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """Waits that double from `base_s` up to `cap_s`."""

    base_s: float
    cap_s: float

    def delay_s(self, failures: int, jitter: Jitter) -> float:
        """Return the wait after the `failures`-th failure in a row, counted from 1."""
        doublings = min(failures - 1, _MAX_DOUBLINGS)
        return jitter(min(self.base_s * 2.0**doublings, self.cap_s))
