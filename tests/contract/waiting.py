"""Waiting for what a server does in its own time."""

import time
from collections.abc import Callable
from typing import Final

DEADLINE_S: Final = 30.0
"""Only a broken server comes near it."""


def wait_for(condition: Callable[[], bool]) -> None:
    """Ask again and again until something holds."""
    end = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)
