"""Addresses that nobody may announce: how long already, and which of them have been told."""

from typing import Final

from ferrolb.model import ServiceKey

DELAY_S: Final = 10.0
"""Seconds that a Service may go unannounced before its user is told: an administrator who applies
pools, Services and advertisements one after the other is done by then (C-25)."""

TOLD_AT_ONCE: Final = 50
"""Events in one go, about one go a second: one missing advertisement may concern every Service,
and events that are worth reading must not wait behind thousands of the same."""


class Silences:
    """A delay for each Service; times come in as arguments."""

    def __init__(self) -> None:
        # in the order in which they began, since the delay is the same for all
        self._waiting: dict[ServiceKey, tuple[float, str]] = {}
        # every key is in at most one of the two
        self._told: dict[ServiceKey, str] = {}

    def __len__(self) -> int:
        return len(self._waiting) + len(self._told)

    def judge(self, key: ServiceKey, why: str | None, *, now: float) -> bool:
        """Note why nobody may announce the Service; None: somebody may, or there is no need.

        Returns:
            True where what has been told is true no longer.
        """
        if why is None:
            self._waiting.pop(key, None)
            return self._told.pop(key, None) is not None
        told = self._told.get(key)
        if told is None:
            since = self._waiting[key][0] if key in self._waiting else now
            self._waiting[key] = (since, why)
        elif told != why:
            # it has lasted long enough, only the reason is news
            del self._told[key]
            self._waiting = {key: (now - DELAY_S, why), **self._waiting}
        return False

    def take_due(self, *, now: float) -> list[tuple[ServiceKey, str]]:
        """Return whom to tell what now; they count as told."""
        due: list[tuple[ServiceKey, str]] = []
        for key, (since, why) in self._waiting.items():
            if since + DELAY_S > now or len(due) >= TOLD_AT_ONCE:
                break
            due.append((key, why))
        for key, why in due:
            del self._waiting[key]
            self._told[key] = why
        return due

    def clear(self) -> list[ServiceKey]:
        """Forget everything; return whom something was told that nobody knows any more."""
        told = list(self._told)
        self._waiting.clear()
        self._told.clear()
        return told

    def next_deadline(self) -> float | None:
        """Return when `take_due` has something to give, None while nothing waits."""
        return next((since + DELAY_S for since, _ in self._waiting.values()), None)
