"""Reading a connection: any slices in, one message out."""

from typing import Final

from ferrolb.gossip.constants import (
    FRAME_MAX_BYTES,
    INFLATED_STREAM_MAX_BYTES,
    PLAIN_STREAM_MAX_BYTES,
    DropReason,
    MessageType,
)
from ferrolb.gossip.errors import MalformedError
from ferrolb.gossip.framing import FRAME_HEAD_BYTES, decompressed
from ferrolb.gossip.keyring import Keyring
from ferrolb.gossip.messages import StreamMessage, decode_stream_message, sizes_that_follow
from ferrolb.gossip.msgpack import read_map, read_raw_size
from ferrolb.wire import Reader, TruncatedError

_MAP_MAX_BYTES: Final = 4_096
"""The longest map of fields, an entry with name and metadata being the longest honest one (900
bytes). While one is incomplete it is read again with each slice: the limit bounds that work."""

_COMPRESS_HEAD_BYTES: Final = 32
"""Where the length of what is compressed stands: within a map of two short fields."""


class StreamParser:
    """What one connection has received, until it is a message."""

    def __init__(self, keyring: Keyring | None, *, accepts_plain: bool) -> None:
        """Begin with nothing; `accepts_plain`: also what is not encrypted."""
        self._keyring = keyring
        self._accepts_plain = accepts_plain or keyring is None
        self._buffer = bytearray()
        self._needed = 1
        # Of content without a length: where the next map begins, how many are to come, how many
        # bytes after them. None: the first map has not been read.
        self._at = 0
        self._maps: int | None = None
        self._extra_bytes = 0

    @property
    def buffered_bytes(self) -> int:
        """What waits for the rest of the message."""
        return len(self._buffer)

    def feed(self, data: bytes) -> StreamMessage | None:
        """Take the next slice; return the message once it is whole, and ignore what follows it.

        Raises:
            WireError: it will never be one; close the connection.
        """
        self._buffer += data
        if len(self._buffer) < self._needed:
            return None
        kind = self._buffer[0]
        if kind == MessageType.ENCRYPT:
            return self._sealed()
        if not self._accepts_plain:
            raise MalformedError(DropReason.PLAINTEXT, "not encrypted")
        message = self._packed() if kind == MessageType.COMPRESS else self._plain()
        if message is None and len(self._buffer) > PLAIN_STREAM_MAX_BYTES:
            raise MalformedError(DropReason.TOO_LARGE, "no message within the limit")
        return message

    def _sealed(self) -> StreamMessage | None:
        if self._keyring is None:
            raise MalformedError(DropReason.UNDECRYPTABLE, "encrypted, and there is no key")
        self._needed = FRAME_HEAD_BYTES
        if len(self._buffer) < self._needed:
            return None
        head = bytes(self._buffer[:FRAME_HEAD_BYTES])
        length = int.from_bytes(head[1:], "big")
        if length > FRAME_MAX_BYTES:
            raise MalformedError(DropReason.TOO_LARGE, f"a frame of {length} bytes")
        self._needed = FRAME_HEAD_BYTES + length
        if len(self._buffer) < self._needed:
            return None
        content = self._keyring.open(bytes(self._buffer[FRAME_HEAD_BYTES : self._needed]), head)
        if content[:1] == bytes([MessageType.COMPRESS]):
            content = decompressed(Reader(content, 1), INFLATED_STREAM_MAX_BYTES)
        return decode_stream_message(Reader(content))

    def _packed(self) -> StreamMessage | None:
        head = Reader(bytes(self._buffer[:_COMPRESS_HEAD_BYTES]), 1)
        try:
            self._needed = read_raw_size(head, b"Buf") + head.position
        except TruncatedError:
            if len(self._buffer) >= _COMPRESS_HEAD_BYTES:
                raise
            return None
        if self._needed > PLAIN_STREAM_MAX_BYTES:
            raise MalformedError(DropReason.TOO_LARGE, f"{self._needed} bytes compressed")
        if len(self._buffer) < self._needed:
            return None
        packed = Reader(bytes(self._buffer[: self._needed]), 1)
        return decode_stream_message(Reader(decompressed(packed, INFLATED_STREAM_MAX_BYTES)))

    def _plain(self) -> StreamMessage | None:
        tail = Reader(bytes(self._buffer[self._at :]))
        start = self._at
        try:
            if self._maps is None:
                self._maps, self._extra_bytes = sizes_that_follow(tail.u8(), read_map(tail))
                self._at = start + tail.position
            while self._maps:
                read_map(tail)
                self._maps -= 1
                self._at = start + tail.position
        except TruncatedError:
            if len(self._buffer) - self._at > _MAP_MAX_BYTES:
                raise
            return None
        self._needed = self._at + self._extra_bytes
        if len(self._buffer) < self._needed:
            return None
        return decode_stream_message(Reader(bytes(self._buffer)))
