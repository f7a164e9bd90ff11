"""Kubernetes' protobuf bodies, read by tables of field numbers.

Wire format: https://protobuf.dev/programming-guides/encoding. A body is four magic bytes and a
`runtime.Unknown`, which names the kind and holds the object's own message.
"""

import base64
import datetime
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from ferrolb.apimachinery.errors import ApiMachineryError
from ferrolb.model import Json, JsonArray, JsonObject

MAGIC: Final = b"k8s\x00"

MAX_MESSAGE_DEPTH: Final = 40
"""Messages inside one another; a Deployment nests 12 deep. Each costs stack frames."""

FieldTable: TypeAlias = Mapping[str, Sequence[Json]]
"""Field number -> its JSON name (empty: its fields belong to the object around it), its type, and
whether a zero value is a value (and not just what Go writes for a field that is not set)."""

Tables: TypeAlias = Mapping[str, FieldTable]
"""Message -> its fields."""

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_Value: TypeAlias = int | bytes
_ZERO_TIME: Final = -62135596800
"""Seconds of year 1, which is how Go writes a time that is not set."""


class ProtobufError(ApiMachineryError):
    """The body is no object in protobuf: answer 400."""


class UnsupportedProtobufError(ProtobufError):
    """The body is of a kind that is read as JSON or YAML only: answer 415."""


def decode_protobuf(body: bytes, tables: Tables, kinds: Mapping[str, str]) -> JsonObject:
    """Return the object in `body`, as JSON would have it.

    `kinds` says which message the object of an "apiVersion kind" is.

    Raises:
        UnsupportedProtobufError: `kinds` does not have its kind.
        ProtobufError: it cannot be read.
    """
    if not body.startswith(MAGIC):
        raise ProtobufError("the body does not start as a Kubernetes protobuf body does")
    envelope = dict(_fields(body[len(MAGIC) :]))
    identity = dict(_fields(_as_bytes(envelope.get(1, b""))))
    api_version, kind = (_text(identity.get(number, b"")) for number in (1, 2))
    message = kinds.get(f"{api_version} {kind}")
    if message is None:
        raise UnsupportedProtobufError(
            f"the development server reads {api_version} {kind} as JSON or YAML only: "
            "add --dry-run=client -o yaml to the command, and pipe it into kubectl apply -f -"
        )
    if envelope.get(3):
        raise ProtobufError("the body has a content encoding of its own")
    reader = _Reader(tables)
    content = reader.message(_as_bytes(envelope.get(2, b"")), message, MAX_MESSAGE_DEPTH)
    return {"apiVersion": api_version, "kind": kind, **content}


@dataclass(frozen=True, slots=True)
class _Reader:
    tables: Tables

    def message(self, data: bytes, name: str, depth: int) -> JsonObject:
        """Return the message `name`; fields that the table does not have are passed over."""
        if depth == 0:
            raise ProtobufError(f"messages are nested deeper than {MAX_MESSAGE_DEPTH} levels")
        table = self.tables[name]
        found: JsonObject = {}
        lists: dict[str, JsonArray] = {}
        maps: dict[str, JsonObject] = {}
        for number, raw in _fields(data):
            entry = table.get(str(number))
            if entry is None:
                continue
            json_name, code = str(entry[0]), str(entry[1])
            if code.startswith("[]"):
                lists.setdefault(json_name, []).append(self._value(raw, code[2:], depth))
            elif code.startswith("map:"):
                key, value = self._entry(_as_bytes(raw), code[4:], depth)
                maps.setdefault(json_name, {})[key] = value
            elif not json_name:
                found.update(self.message(_as_bytes(raw), code[1:], depth - 1))
            else:
                value = self._value(raw, code, depth)
                is_set = value is not None and (entry[2] is True or value not in _ZERO_VALUES)
                found[json_name] = value if is_set else None
        present = {key: value for key, value in found.items() if value is not None}
        return {**present, **lists, **maps}

    def _entry(self, data: bytes, code: str, depth: int) -> tuple[str, Json]:
        entry = dict(_fields(data))
        empty: _Value = 0 if code in ("int", "bool") else b""
        return _text(entry.get(1, b"")), self._value(entry.get(2, empty), code, depth)

    def _value(self, raw: _Value, code: str, depth: int) -> Json:
        if code.startswith("@"):
            return self.message(_as_bytes(raw), code[1:], depth - 1)
        return _DECODERS[code](raw)


_ZERO_VALUES: Final[tuple[Json, ...]] = ("", 0, False)


def _fields(data: bytes) -> Iterator[tuple[int, _Value]]:
    """Give field numbers with their values: numbers, or bytes that are still to be read."""
    position = 0
    while position < len(data):
        tag, position = _varint(data, position)
        number, kind = tag >> 3, tag & 7
        if kind == _VARINT:
            value, position = _varint(data, position)
            yield number, value
            continue
        if kind == _BYTES:
            length, position = _varint(data, position)
        elif kind in (_FIXED32, _FIXED64):
            length = 4 if kind == _FIXED32 else 8
        else:
            raise ProtobufError(f"wire type {kind} is not in use")
        if length > len(data) - position:
            raise ProtobufError(f"field {number} ends after the end of the message")
        yield number, data[position : position + length]
        position += length


def _varint(data: bytes, position: int) -> tuple[int, int]:
    value = 0
    for index, byte in enumerate(data[position : position + 10]):
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return value & 0xFFFFFFFFFFFFFFFF, position + index + 1
    raise ProtobufError("a number has no end")


def _as_bytes(raw: _Value) -> bytes:
    if isinstance(raw, int):
        raise ProtobufError("a number stands where a message or a text is to be")
    return raw


def _text(raw: _Value) -> str:
    try:
        return _as_bytes(raw).decode()
    except UnicodeDecodeError as error:
        raise ProtobufError("a text is not UTF-8") from error


def _bool(raw: _Value) -> bool:
    return _int(raw) != 0


def _int(raw: _Value) -> int:
    if not isinstance(raw, int):
        raise ProtobufError("bytes stand where a number is to be")
    return raw - (1 << 64) if raw >> 63 else raw


def _base64(raw: _Value) -> str:
    return base64.b64encode(_as_bytes(raw)).decode()


def _int_or_string(raw: _Value) -> Json:
    fields = dict(_fields(_as_bytes(raw)))
    return _text(fields.get(3, b"")) if fields.get(1) else _int(fields.get(2, 0))


def _quantity(raw: _Value) -> str:
    return _text(dict(_fields(_as_bytes(raw))).get(1, b""))


def _list(raw: _Value) -> Json:
    return [_text(item) for number, item in _fields(_as_bytes(raw)) if number == 1]


def _json(raw: _Value) -> Json:
    content = _as_bytes(dict(_fields(_as_bytes(raw))).get(1, b"null"))
    try:
        value: Json = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ProtobufError("embedded JSON cannot be read") from error
    return value


def _time(raw: _Value) -> str | None:
    moment = _moment(raw)
    return None if moment is None else _rfc3339(moment, "seconds")


def _micro_time(raw: _Value) -> str | None:
    moment = _moment(raw)
    return None if moment is None else _rfc3339(moment, "microseconds")


def _rfc3339(moment: datetime.datetime, precision: str) -> str:
    return moment.replace(tzinfo=None).isoformat(timespec=precision) + "Z"


def _moment(raw: _Value) -> datetime.datetime | None:
    fields = dict(_fields(_as_bytes(raw)))
    seconds = _int(fields.get(1, _ZERO_TIME & 0xFFFFFFFFFFFFFFFF))
    if seconds == _ZERO_TIME:
        return None
    try:
        start = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
        return start + datetime.timedelta(
            seconds=seconds, microseconds=_int(fields.get(2, 0)) // 1000
        )
    except OverflowError as error:
        raise ProtobufError("a time is out of range") from error


_DECODERS: Final[dict[str, Callable[[_Value], Json]]] = {
    "string": _text,
    "bytes": _base64,
    "bool": _bool,
    "int": _int,
    "int-or-string": _int_or_string,
    "quantity": _quantity,
    "json": _json,
    "list": _list,
    "time": _time,
    "micro-time": _micro_time,
}
