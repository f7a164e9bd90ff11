"""When an address is announced without being asked: bursts, the slow refresh, the pace of both."""

from typing import Final, TypeAlias

from ferrolb.l2.due import DueQueue

ROUNDS: Final = 5
"""Rounds of a burst. Four repeats let three frames in a row be lost; more is noise."""

ROUND_INTERVAL_S: Final = 1.1
"""Between two rounds: Linux ignores a changed neighbour for 1 s after the last change."""

ROUNDS_PER_TICK: Final = 64
"""At most 128 frames go out at once. That many of the shortest fit the usual send buffer of a
packet socket (208 KiB, below 1 KiB each), and hold the loop up for about a millisecond."""

TICK_S: Final = 0.01
"""With the number above: 700 addresses have their first frame out within 0.11 s."""

_GOLDEN: Final = 0.6180339887498949
"""Multiples of it, modulo 1, are spread evenly however many of them there are."""

Target: TypeAlias = tuple[int, bytes]
"""Interface index and packed address."""


class GratuitousSchedule:
    """Says which address is to be announced through which interface, and when.

    Bursts belong to a target, the refresh to an address. A target that is stopped is silent from
    that moment on. First rounds come before all others when there is more to do than the pace
    allows.
    """

    def __init__(self, *, refresh_s: float) -> None:
        """Refresh each address every `refresh_s` seconds; 0: never."""
        self._refresh_s = refresh_s
        # each target is in one of the two queues exactly when it is in _rounds_left
        self._first: DueQueue[Target] = DueQueue()
        self._later: DueQueue[Target] = DueQueue()
        self._rounds_left: dict[Target, int] = {}
        self._refreshes: DueQueue[bytes] = DueQueue()
        self._phase = 0.0
        self._tick_end = float("-inf")
        self._room = ROUNDS_PER_TICK

    def start(self, target: Target, *, now: float) -> None:
        """Begin a burst; one that runs begins again, unless its first round is still to come."""
        if target not in self._first:
            self._later.discard(target)
            self._first.set(target, now)
            self._rounds_left[target] = ROUNDS

    def once(self, target: Target, *, now: float) -> None:
        """Send one round, unless a burst does it already."""
        if target not in self._rounds_left:
            self._later.set(target, now)
            self._rounds_left[target] = 1

    def stop(self, target: Target) -> None:
        """Send nothing more, until told otherwise."""
        self._first.discard(target)
        self._later.discard(target)
        self._rounds_left.pop(target, None)

    def hold(self, ip: bytes, *, now: float) -> None:
        """Refresh the address from now on, each at a moment of its own."""
        if self._refresh_s > 0:
            self._phase = (self._phase + _GOLDEN) % 1.0
            self._refreshes.set(ip, now + self._refresh_s * self._phase)

    def release(self, ip: bytes) -> None:
        """Refresh it no more."""
        self._refreshes.discard(ip)

    def refreshes(self, *, now: float) -> list[bytes]:
        """Return the addresses whose refresh has come; a long stop is made up for once only."""
        found: list[bytes] = []
        while (popped := self._refreshes.pop(now)) is not None:
            ip, due = popped
            following = due + self._refresh_s
            self._refreshes.set(ip, following if following > now else now + self._refresh_s)
            found.append(ip)
        return found

    def rounds(self, *, now: float) -> list[Target]:
        """Return what is to be sent now: as much of what is due as the pace allows."""
        is_new_tick = now >= self._tick_end
        if is_new_tick:
            self._room = ROUNDS_PER_TICK
        found: list[Target] = []
        while self._room and (target := self._take(now)) is not None:
            self._room -= 1
            found.append(target)
        if found and is_new_tick:
            self._tick_end = now + TICK_S
        return found

    def next_deadline(self) -> float | None:
        """Return when there is something to do that the pace allows; None: there is nothing."""
        rounds = [
            due for due in (self._first.next_due(), self._later.next_due()) if due is not None
        ]
        dues = [min(rounds) if self._room else max(min(rounds), self._tick_end)] if rounds else []
        refresh = self._refreshes.next_due()
        return min([*dues, refresh] if refresh is not None else dues, default=None)

    def _take(self, now: float) -> Target | None:
        popped = self._first.pop(now) or self._later.pop(now)
        if popped is None:
            return None
        target = popped[0]
        self._rounds_left[target] -= 1
        if self._rounds_left[target]:
            self._later.set(target, now + ROUND_INTERVAL_S)
        else:
            del self._rounds_left[target]
        return target
