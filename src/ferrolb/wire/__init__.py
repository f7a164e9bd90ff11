"""Bytes with bounds: a reader and a writer with nested limits, and the error of malformed input.

No protocol is known here.
"""

from ferrolb.wire.errors import NoRoomError, TrailingBytesError, TruncatedError, WireError
from ferrolb.wire.reader import Reader
from ferrolb.wire.writer import Writer

__all__ = ["NoRoomError", "Reader", "TrailingBytesError", "TruncatedError", "WireError", "Writer"]
