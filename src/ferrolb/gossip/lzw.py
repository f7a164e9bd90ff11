"""LZW as memberlist compresses: least significant bit first, 8-bit literals, codes of 9-12 bits."""

from typing import Final

from ferrolb.gossip.constants import DropReason
from ferrolb.gossip.errors import MalformedError

_CLEAR: Final = 256
_END: Final = 257
_WIDTH_MIN: Final = 9
_WIDTH_MAX: Final = 12
_CODE_MAX: Final = (1 << _WIDTH_MAX) - 1
_LITERALS: Final = [bytes([value]) for value in range(_CLEAR)] + [b"", b""]
_FLUSH_BITS: Final = 32


class _BitWriter:
    """Codes of any width, packed from the least significant bit on."""

    __slots__ = ("_bits", "_count", "_out")

    def __init__(self) -> None:
        self._out = bytearray()
        self._bits = 0
        self._count = 0

    def put(self, code: int, width: int) -> None:
        """Append one code."""
        self._bits |= code << self._count
        self._count += width
        if self._count >= _FLUSH_BITS:
            self._out += (self._bits & 0xFFFF_FFFF).to_bytes(4, "little")
            self._bits >>= _FLUSH_BITS
            self._count -= _FLUSH_BITS

    def finish(self) -> bytes:
        """Return all bytes, the last one padded with zero bits."""
        return bytes(self._out) + self._bits.to_bytes((self._count + 7) // 8, "little")


def deflate(data: bytes) -> bytes:
    """Compress, bit for bit as memberlist does."""
    writer = _BitWriter()
    put = writer.put
    put(_CLEAR, _WIDTH_MIN)
    width = _WIDTH_MIN
    if data:
        table: dict[int, int] = {}
        highest, code = _END, data[0]
        for byte in data[1:]:
            key = code << 8 | byte
            longer = table.get(key)
            if longer is not None:
                code = longer
                continue
            put(code, width)
            code = byte
            highest += 1
            if highest == _CODE_MAX:
                put(_CLEAR, _WIDTH_MAX)
                table.clear()
                width, highest = _WIDTH_MIN, _END
                continue
            if highest == 1 << width:
                width += 1
            table[key] = highest
        put(code, width)
        width = _width_at_the_end(highest + 1, width, put_clear=writer)
    put(_END, width)
    return writer.finish()


def _width_at_the_end(highest: int, width: int, *, put_clear: _BitWriter) -> int:
    """Return the width of the end code, after the bookkeeping that the last data code causes."""
    if highest == _CODE_MAX:
        put_clear.put(_CLEAR, _WIDTH_MAX)
        return _WIDTH_MIN
    return width + 1 if highest == 1 << width else width


def inflate(data: bytes, limit: int) -> bytes:
    """Decompress to at most `limit` bytes.

    Raises:
        MalformedError: it grows beyond the limit, has a code that means nothing, or no end.
    """
    out: list[bytes] = []
    room = limit
    table = _LITERALS.copy()
    last = b""
    width, overflow = _WIDTH_MIN, 1 << _WIDTH_MIN
    bits = count = 0
    for byte in data:
        bits |= byte << count
        count += 8
        if count < width:
            continue
        code = bits & (overflow - 1)
        bits >>= width
        count -= width
        if code == _CLEAR:
            table = _LITERALS.copy()
            last, width, overflow = b"", _WIDTH_MIN, 1 << _WIDTH_MIN
            continue
        if code == _END:
            return b"".join(out)
        entry = _entry(table, code, last)
        room -= len(entry)
        if room < 0:
            raise MalformedError(DropReason.TOO_LARGE, f"inflates to more than {limit} bytes")
        out.append(entry)
        if last and len(table) <= _CODE_MAX:
            table.append(last + entry[:1])
        last = entry
        if len(table) >= overflow and width < _WIDTH_MAX:
            width += 1
            overflow <<= 1
    raise MalformedError(DropReason.MALFORMED, "compressed data without an end")


def _entry(table: list[bytes], code: int, last: bytes) -> bytes:
    if code < len(table):
        return table[code]
    if code == len(table) and last:
        return last + last[:1]
    raise MalformedError(DropReason.MALFORMED, f"code {code} means nothing yet")
