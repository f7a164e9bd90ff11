"""Layers around messages: compound, checksum, compression; and the frame of a connection."""

import zlib
from collections.abc import Sequence
from typing import Final

from ferrolb.gossip.constants import (
    INFLATED_DATAGRAM_MAX_BYTES,
    MESSAGES_PER_DATAGRAM_MAX,
    NESTING_MAX,
    DropReason,
    MessageType,
)
from ferrolb.gossip.errors import MalformedError
from ferrolb.gossip.keyring import OVERHEAD_BYTES, Keyring
from ferrolb.gossip.lzw import deflate, inflate
from ferrolb.gossip.messages import Message, decode_message
from ferrolb.gossip.msgpack import pack_map, pack_raw, pack_unsigned, read_map
from ferrolb.wire import Reader, WireError

COMPOUND_HEAD_BYTES: Final = 2
COMPOUND_PART_BYTES: Final = 2
"""What a compound adds: type and count; a length for each part."""

COMPOUND_PARTS_MAX: Final = 255

FRAME_HEAD_BYTES: Final = 5
"""Of an encrypted connection: type and length, which are authenticated too."""

_CRC_BYTES: Final = 4
_LZW: Final = 0


def reason_of(error: WireError) -> DropReason:
    """Return what a failure to read is counted as."""
    return error.reason if isinstance(error, MalformedError) else DropReason.MALFORMED


def compound(messages: Sequence[bytes]) -> bytes:
    """Join at least one and at most 255 encoded messages."""
    lengths = [len(message).to_bytes(2, "big") for message in messages]
    return b"".join([bytes([MessageType.COMPOUND, len(messages)]), *lengths, *messages])


def with_checksum(content: bytes) -> bytes:
    """Put the CRC of the content in front of it."""
    return bytes([MessageType.HAS_CRC]) + zlib.crc32(content).to_bytes(_CRC_BYTES, "big") + content


def compressed(content: bytes) -> bytes:
    """Return the content compressed, which may be longer than it is."""
    fields = pack_raw(b"Algo") + pack_unsigned(_LZW) + pack_raw(b"Buf") + pack_raw(deflate(content))
    return bytes([MessageType.COMPRESS]) + pack_map(2) + fields


def decompressed(reader: Reader, limit: int) -> bytes:
    """Read what follows the type byte of a compressed content.

    Raises:
        WireError: it is none, or grows beyond the limit.
    """
    fields = read_map(reader)
    if fields.get(b"Algo", _LZW) != _LZW:
        raise MalformedError(DropReason.MALFORMED, "unknown compression")
    buffer = fields.get(b"Buf")
    if not isinstance(buffer, bytes):
        raise MalformedError(DropReason.MALFORMED, "nothing compressed")
    return inflate(buffer, limit)


def frame(content: bytes, *, compress: bool, keyring: Keyring | None) -> bytes:
    """Return the bytes of a connection that carry one message."""
    if compress:
        content = compressed(content)
    if keyring is None:
        return content
    length = len(content) + OVERHEAD_BYTES
    head = bytes([MessageType.ENCRYPT]) + length.to_bytes(4, "big")
    return head + keyring.seal(content, head)


class OpenedDatagram:
    """The messages of a datagram, decrypted before, and what could not be read of it."""

    def __init__(self, content: bytes) -> None:
        self.messages: list[Message] = []
        self.drops: list[DropReason] = []
        self._inflated_room = INFLATED_DATAGRAM_MAX_BYTES
        self._parts_room = MESSAGES_PER_DATAGRAM_MAX
        self._take(content, 0)

    def _take(self, content: bytes, depth: int) -> None:
        try:
            self._open(content, depth)
        except WireError as error:
            self.drops.append(reason_of(error))

    def _open(self, content: bytes, depth: int) -> None:
        if not content:
            raise MalformedError(DropReason.EMPTY, "nothing")
        if depth > NESTING_MAX:
            raise MalformedError(DropReason.TOO_DEEP, "layers within layers")
        layer = Reader(content, 1)
        match content[0]:
            case MessageType.HAS_CRC:
                self._open_checked(layer, depth)
            case MessageType.COMPRESS:
                inner = decompressed(layer, self._inflated_room)
                self._inflated_room -= len(inner)
                self._open(inner, depth + 1)
            case MessageType.COMPOUND:
                self._open_compound(layer, depth)
            case MessageType.HAS_LABEL:
                raise MalformedError(DropReason.LABEL, "a label")
            case _:
                self.messages.append(decode_message(Reader(content)))

    def _open_checked(self, layer: Reader, depth: int) -> None:
        expected = layer.u32()
        content = layer.rest()
        if zlib.crc32(content) != expected:
            raise MalformedError(DropReason.BAD_CHECKSUM, "checksum differs")
        self._open(content, depth + 1)

    def _open_compound(self, layer: Reader, depth: int) -> None:
        lengths = [layer.u16() for _ in range(layer.u8())]
        self._parts_room -= len(lengths)
        if self._parts_room < 0:
            raise MalformedError(DropReason.TOO_LARGE, "too many messages")
        for length in lengths:
            self._take(layer.take(length), depth + 1)
