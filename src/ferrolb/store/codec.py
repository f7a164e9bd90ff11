"""The one encoding of stored objects: equal objects give equal bytes."""

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from ferrolb.model import JsonObject

_ENCODER = msgspec.json.Encoder(order="deterministic")
_DECODER = msgspec.json.Decoder()


def encode(obj: "JsonObject") -> bytes:
    """Encode with sorted keys, so that comparing bytes compares objects (and 1 is not true)."""
    return _ENCODER.encode(obj)


def decode(encoded: bytes) -> "JsonObject":
    """Decode what `encode` made; the caller owns the result."""
    obj: JsonObject = _DECODER.decode(encoded)
    return obj
