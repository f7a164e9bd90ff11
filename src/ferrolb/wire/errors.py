"""Errors of reading and writing bytes."""


class WireError(Exception):
    """Input is malformed: drop it, count it, and never let it end a program.

    Rooms derive their own errors from it, each with the answer that its protocol wants.
    """


class TruncatedError(WireError):
    """Input ends, or its limit does, before a field that must be there."""


class TrailingBytesError(WireError):
    """Input goes on where it must end."""


class NoRoomError(Exception):
    """What is to be written does not fit a limit or a field: write less, or split it."""
