"""How long a suspect has to defend itself: less, the more members suspect it independently."""

import math


def min_timeout_s(mult: int, member_count: int, probe_interval_s: float) -> float:
    """Return the shortest suspicion among that many members."""
    scale = max(1.0, math.log10(max(1, member_count)))
    return mult * math.floor(scale * 1000) * probe_interval_s / 1000


def confirmations_expected(mult: int, member_count: int) -> int:
    """Return how many others must agree for the shortest suspicion; 0: it is the shortest anyway.

    The suspect and the one who suspects first cannot confirm.
    """
    expected = mult - 2
    return 0 if member_count - 2 < expected else max(0, expected)


def timeout_s(confirmations: int, expected: int, shortest_s: float, longest_s: float) -> float:
    """Return the length of a suspicion, from its beginning, after that many confirmations."""
    if expected < 1:
        return shortest_s
    share = math.log(confirmations + 1) / math.log(expected + 1)
    length_ms = math.floor(1000 * (longest_s - share * (longest_s - shortest_s)))
    return max(shortest_s, length_ms / 1000)


class Suspicion:
    """One running suspicion."""

    def __init__(self, sender: str, *, expected: int, shortest_s: float, max_mult: int) -> None:
        """Begin; `sender`, who suspects first, cannot confirm."""
        self._expected = expected
        self._shortest_s = shortest_s
        self._longest_s = max_mult * shortest_s
        # The first suspecter and those who have confirmed: never more than expected + 1.
        self._senders = {sender}

    @property
    def timeout_s(self) -> float:
        """How long it lasts from its beginning, as things stand."""
        confirmations = len(self._senders) - 1
        return timeout_s(confirmations, self._expected, self._shortest_s, self._longest_s)

    def confirm(self, sender: str) -> bool:
        """Take another member's suspicion; return whether it is new and still needed."""
        if len(self._senders) > self._expected or sender in self._senders:
            return False
        self._senders.add(sender)
        return True
