"""A set of integers kept as merged runs, so that the first gap is found without a search."""

from bisect import bisect_right


class Runs:
    """A set of non-negative integers as ascending runs, no two of which touch."""

    __slots__ = ("_ends", "_starts")

    def __init__(self) -> None:
        # run i is _starts[i] .. _ends[i], both included; _ends[i] + 1 < _starts[i + 1]
        self._starts: list[int] = []
        self._ends: list[int] = []

    def __contains__(self, value: int) -> bool:
        at = bisect_right(self._starts, value) - 1
        return at >= 0 and value <= self._ends[at]

    def __len__(self) -> int:
        """Return the number of runs, not of values."""
        return len(self._starts)

    def first_gap(self) -> int:
        """Return the smallest non-negative integer that is not in the set."""
        if not self._starts or self._starts[0] > 0:
            return 0
        return self._ends[0] + 1

    def add(self, value: int) -> None:
        """Put a value in; one that is in already is left alone."""
        at = bisect_right(self._starts, value)
        if at and value <= self._ends[at - 1]:
            return
        joins_left = at > 0 and self._ends[at - 1] + 1 == value
        joins_right = at < len(self._starts) and self._starts[at] == value + 1
        if joins_left and joins_right:
            self._ends[at - 1] = self._ends[at]
            del self._starts[at], self._ends[at]
        elif joins_left:
            self._ends[at - 1] = value
        elif joins_right:
            self._starts[at] = value
        else:
            self._starts.insert(at, value)
            self._ends.insert(at, value)

    def remove(self, value: int) -> None:
        """Take a value out; one that is not in is left alone."""
        at = bisect_right(self._starts, value) - 1
        if at < 0 or value > self._ends[at]:
            return
        start, end = self._starts[at], self._ends[at]
        if start == end:
            del self._starts[at], self._ends[at]
        elif value == start:
            self._starts[at] = value + 1
        elif value == end:
            self._ends[at] = value - 1
        else:
            self._ends[at] = value - 1
            self._starts.insert(at + 1, value + 1)
            self._ends.insert(at + 1, end)
