"""The part of msgpack's old specification that memberlist's messages need.

What is sent has raw strings only; what comes in may also use the newer types.
"""

from typing import Final, TypeAlias

from ferrolb.gossip.constants import MAP_ITEMS_MAX, VALUE_DEPTH_MAX, DropReason
from ferrolb.gossip.errors import MalformedError
from ferrolb.wire import Reader

Scalar: TypeAlias = int | bytes | bool | None
"""A value of a field. Floats, extensions and nested values are skipped, and stand as None."""

NIL: Final = b"\xc0"
TRUE: Final = b"\xc3"
FALSE: Final = b"\xc2"

_UNSIGNED: Final = {0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8}
_SIGNED: Final = {0xD0: 1, 0xD1: 2, 0xD2: 4, 0xD3: 8}
_RAW: Final = {0xC4: 1, 0xC5: 2, 0xC6: 4, 0xD9: 1, 0xDA: 2, 0xDB: 4}
_CONSTANTS: Final[dict[int, Scalar]] = {0xC0: None, 0xC2: False, 0xC3: True}
_SKIPPED: Final = {0xCA: 4, 0xCB: 8, 0xD4: 2, 0xD5: 3, 0xD6: 5, 0xD7: 9, 0xD8: 17}
_EXTENSIONS: Final = {0xC7: 1, 0xC8: 2, 0xC9: 4}
_ARRAYS: Final = {0xDC: 2, 0xDD: 4}
_MAPS: Final = {0xDE: 2, 0xDF: 4}


def pack_map(size: int) -> bytes:
    """Return the head of a map of fewer than 16 fields."""
    return bytes([0x80 | size])


def pack_unsigned(value: int) -> bytes:
    """Encode a field of an unsigned type, at most 32 bits."""
    if value < 0x80:
        return bytes([value])
    if value < 0x100:
        return b"\xcc" + bytes([value])
    if value < 0x1_0000:
        return b"\xcd" + value.to_bytes(2, "big")
    return b"\xce" + value.to_bytes(4, "big")


def pack_signed(value: int) -> bytes:
    """Encode a field of a signed type whose value is not negative and has at most 31 bits."""
    if value < 0x80:
        return bytes([value])
    if value < 0x8000:
        return b"\xd1" + value.to_bytes(2, "big")
    return b"\xd2" + value.to_bytes(4, "big")


def pack_raw(value: bytes) -> bytes:
    """Encode a string or bytes."""
    size = len(value)
    if size < 32:
        return bytes([0xA0 | size]) + value
    if size < 0x1_0000:
        return b"\xda" + size.to_bytes(2, "big") + value
    return b"\xdb" + size.to_bytes(4, "big") + value


def read_map(reader: Reader) -> dict[bytes, Scalar]:
    """Read a map of fields by name.

    Raises:
        WireError: cut short, no map, too many fields, or a name that is no string.
    """
    fields: dict[bytes, Scalar] = {}
    for _ in range(_map_size(reader)):
        name = _value(reader, 0)
        if not isinstance(name, bytes):
            raise MalformedError(DropReason.MALFORMED, "name of a field is no string")
        fields[name] = _value(reader, 0)
    return fields


def read_raw_size(reader: Reader, name: bytes) -> int:
    """Read up to the content of the string in the field of that name; return the content's length.

    Raises:
        WireError: the field is not the last one of the map, or no string.
    """
    for left in reversed(range(_map_size(reader))):
        if _value(reader, 0) != name:
            _value(reader, 0)
        elif left == 0:
            return _raw_size(reader)
    raise MalformedError(DropReason.MALFORMED, f"{name!r} is not the last field")


def _raw_size(reader: Reader) -> int:
    head = reader.u8()
    if 0xA0 <= head <= 0xBF:
        return head & 0x1F
    if head in _RAW:
        return reader.integer(_RAW[head])
    raise MalformedError(DropReason.MALFORMED, f"{head:#x} begins no string")


def _map_size(reader: Reader) -> int:
    head = reader.u8()
    if 0x80 <= head <= 0x8F:
        return head & 0x0F
    if head not in _MAPS:
        raise MalformedError(DropReason.MALFORMED, f"{head:#x} does not begin a map")
    size = reader.integer(_MAPS[head])
    if size > MAP_ITEMS_MAX:
        raise MalformedError(DropReason.TOO_LARGE, f"{size} fields")
    return size


def _value(reader: Reader, depth: int) -> Scalar:
    head = reader.u8()
    if head < 0x80:
        return head
    if 0xA0 <= head <= 0xBF:
        return reader.take(head & 0x1F)
    if head >= 0xE0:
        return head - 0x100
    if head in _RAW:
        return reader.take(reader.integer(_RAW[head]))
    if head in _UNSIGNED:
        return reader.integer(_UNSIGNED[head])
    if head in _SIGNED:
        return reader.integer(_SIGNED[head], signed=True)
    if head not in _CONSTANTS:
        _skip(reader, head, depth)
        return None
    return _CONSTANTS[head]


def _skip(reader: Reader, head: int, depth: int) -> None:
    if head in _SKIPPED:
        reader.skip(_SKIPPED[head])
        return
    if head in _EXTENSIONS:
        reader.skip(reader.integer(_EXTENSIONS[head]) + 1)
        return
    if depth == VALUE_DEPTH_MAX:
        raise MalformedError(DropReason.TOO_DEEP, "values within values within values")
    for _ in range(_container_size(reader, head)):
        _value(reader, depth + 1)


def _container_size(reader: Reader, head: int) -> int:
    """Return how many values follow; each takes a byte at least, so that the data bound them."""
    if head <= 0x8F:
        return 2 * (head & 0x0F)
    if head <= 0x9F:
        return head & 0x0F
    if head in _ARRAYS:
        return reader.integer(_ARRAYS[head])
    if head in _MAPS:
        return 2 * reader.integer(_MAPS[head])
    raise MalformedError(DropReason.MALFORMED, f"{head:#x} begins nothing")
