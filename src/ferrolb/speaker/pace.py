"""A bounded rate, as a machine without a clock."""


class Pace:
    """Gives out turns, in order of asking: `burst` at once, then `rate` a second."""

    def __init__(self, *, rate: float, burst: int) -> None:
        self._interval_s = 1 / rate
        self._lead_s = (burst - 1) * self._interval_s
        # when the next turn would be due if the burst had been used up
        self._due = float("-inf")

    def take(self, *, now: float) -> float:
        """Take a turn; return in how many seconds it is due, 0 for at once."""
        due = max(self._due, now - self._lead_s)
        self._due = due + self._interval_s
        return max(0.0, due - now)
