"""The error of frames that are malformed, or not of a kind that is read here."""

from ferrolb.l2.outcome import DropReason
from ferrolb.wire import WireError


class FrameError(WireError):
    """Drop the frame, and count `reason`; never answer it."""

    def __init__(self, reason: DropReason) -> None:
        """Keep the reason, which is the whole message."""
        super().__init__(reason.value)
        self.reason = reason
