"""Errors of the gossip room."""

from ferrolb.gossip.constants import DropReason
from ferrolb.wire import WireError


class GossipError(Exception):
    """Base of what callers of this room can be told by exception."""


class SettingsError(GossipError):
    """The tuning file cannot be used: tell the user, and do not start."""


class KeyringError(GossipError):
    """The keys cannot be used: tell the user, and do not start."""


class MalformedError(WireError):
    """Input cannot be used: drop it, and count it under `reason`. It never leaves this room."""

    def __init__(self, reason: DropReason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
