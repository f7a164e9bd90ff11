"""One line on a terminal that says what is being measured."""

import sys
import time
from typing import Final

_INTERVAL_S: Final = 0.1


class Progress:
    """Writes to stderr, and only if that is a terminal."""

    def __init__(self) -> None:
        self._is_shown = sys.stderr.isatty()
        self._step = ""
        self._last = 0.0

    def step(self, text: str) -> None:
        """Begin something new."""
        self._step = text
        self._last = 0.0
        self.detail("")

    def detail(self, text: str) -> None:
        """Say how far it is; at most ten times a second."""
        now = time.monotonic()
        if not self._is_shown or now - self._last < _INTERVAL_S:
            return
        self._last = now
        sys.stderr.write(f"\r\x1b[K{self._step} {text}")
        sys.stderr.flush()

    def end(self) -> None:
        """Leave an empty line for what comes next."""
        if self._is_shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
