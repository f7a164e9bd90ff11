"""What an API server says of input that does not decode into its own types."""

import base64
import binascii
import datetime
import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Final

from ferrolb.apimachinery.schema_view import SchemaView
from ferrolb.apimachinery.validation import json_type
from ferrolb.model import Json, JsonObject, quote

_INTEGER_BITS: Final = {"int32": 32, "int64": 64}

_GO_VALUES: Final = {"boolean": "bool", "integer": "number"}
"""JSON types that Go's decoder names differently."""

_QUANTITY: Final = re.compile(r"[+-]?[0-9.]+(?:[eE][-+]?\d+|[numkMGTPE]|[KMGTPE]i)?", re.ASCII)
_QUANTITY_TEXT: Final = (
    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
)


class _Object(dict[str, Json]):
    """An object with the names that were in its text more than once."""

    repeated: tuple[str, ...] = ()


def find_duplicate_fields(body: bytes) -> list[str]:
    """Return the paths of fields that a JSON text has more than once; none if it is not JSON."""
    try:
        document: Json = json.loads(body, object_pairs_hook=_pairs)
    except (ValueError, RecursionError):
        return []
    return sorted(set(_repeated(document, "")))


def _pairs(pairs: list[tuple[str, Json]]) -> JsonObject:
    result = _Object(pairs)
    if len(result) != len(pairs):
        counts = Counter(name for name, _ in pairs)
        result.repeated = tuple(name for name, count in counts.items() if count > 1)
    return result


def _repeated(value: Json, path: str) -> Iterator[str]:
    if isinstance(value, dict):
        prefix = f"{path}." if path else ""
        yield from (prefix + name for name in getattr(value, "repeated", ()))
        for name, item in value.items():
            yield from _repeated(item, prefix + name)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _repeated(item, f"{path}[{index}]")


def decode_error(obj: JsonObject, schema: SchemaView) -> str | None:
    """Return the first reason why `obj` does not decode, None if it does.

    Checks the API's own types: all of a built-in object, and the metadata of a custom resource.
    """
    return next(_check(obj, schema, _Place("", "")), None)


def cannot_handle(kind: str, version: str, reason: str) -> str:
    """Return the message of the 400 for a body that is refused for `reason`."""
    return f"{kind} in version {quote(version)} cannot be handled as a {kind}: {reason}"


class _Place:
    """Where the decoder is: the innermost struct, and the names that lead there."""

    __slots__ = ("path", "struct")

    def __init__(self, struct: str, path: str) -> None:
        self.struct = struct
        self.path = path

    def below(self, name: str, schema: SchemaView, member: SchemaView) -> "_Place":
        """Return the place of a struct's field; map keys and indexes leave no trace in it.

        The API's own types inside a custom resource are decoded on their own.
        """
        if schema.property(name) is None:
            return self
        if member.is_builtin and not schema.is_builtin:
            return _Place("", "")
        struct = schema.component.rpartition(".")[2] or self.struct
        return _Place(struct, f"{self.path}.{name}" if self.path else name)


def _check(value: Json, schema: SchemaView, place: _Place) -> Iterator[str]:
    if value is None:
        return
    if schema.is_builtin:
        problem = _problem(value, schema, place)
        if problem is not None:
            yield problem
            return
    if isinstance(value, dict):
        for name, item in value.items():
            member = schema.member(name)
            if member is not None:
                yield from _check(item, member, place.below(name, schema, member))
    elif isinstance(value, list):
        items = schema.items()
        if items is not None:
            for item in value:
                yield from _check(item, items, place)


def _problem(value: Json, schema: SchemaView, place: _Place) -> str | None:
    """Return what is wrong with this value itself, whatever is in it."""
    actual = json_type(value)
    if not schema.type:
        return _union_problem(value, schema)
    if actual != schema.type and (actual, schema.type) != ("integer", "number"):
        return _mismatch(value, schema, place)
    if isinstance(value, str):
        return _text_problem(value, schema.raw.get("format"))
    if isinstance(value, int) and not _fits(value, schema.raw.get("format")):
        return _mismatch(value, schema, place)
    return None


def _text_problem(value: str, format_name: Json) -> str | None:
    if format_name == "byte" and not _is_base64(value):
        return f"illegal base64 data at input byte {_first_bad_byte(value)}"
    if format_name == "date-time" and not _is_time(value):
        return (
            f'parsing time {quote(value)} as "2006-01-02T15:04:05Z07:00": '
            f'cannot parse {quote(value)} as "2006"'
        )
    return None


def _union_problem(value: Json, schema: SchemaView) -> str | None:
    """Types that read themselves: a number or a string, a quantity."""
    if schema.int_or_string and (isinstance(value, bool) or not isinstance(value, int | str)):
        return f"json: cannot unmarshal {_go_value(value, schema)} into Go value of type int32"
    if schema.component.endswith(".Quantity"):
        text = value if isinstance(value, str) else json.dumps(value)
        return None if _QUANTITY.fullmatch(text) else _QUANTITY_TEXT
    return None


def _mismatch(value: Json, schema: SchemaView, place: _Place) -> str:
    where = f"Go struct field {place.struct}.{place.path}" if place.path else "Go value"
    shown = _go_value(value, schema)
    return f"json: cannot unmarshal {shown} into {where} of type {_go_type(schema)}"


def _go_value(value: Json, schema: SchemaView) -> str:
    name = json_type(value)
    if name in {"integer", "number"} and schema.type not in {"string", "boolean"}:
        return f"number {value}"
    return _GO_VALUES.get(name, name)


def _is_base64(value: str) -> bool:
    try:
        base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return False
    return True


def _go_type(schema: SchemaView) -> str:
    items, additional = schema.items(), schema.additional()
    format_name = schema.raw.get("format")
    match schema.type:
        case "object" if schema.component:
            return ".".join(schema.component.split(".")[-2:])
        case "object":
            return f"map[string]{_go_type(additional) if additional else 'interface {}'}"
        case "array":
            return f"[]{_go_type(items) if items else 'interface {}'}"
        case "integer":
            return format_name if isinstance(format_name, str) else "int64"
        case "number":
            return "float64"
        case "boolean":
            return "bool"
        case _:
            return "[]uint8" if format_name == "byte" else "string"


def _fits(value: int, format_name: Json) -> bool:
    bits = _INTEGER_BITS.get(format_name, 64) if isinstance(format_name, str) else 64
    return -(1 << bits - 1) <= value < 1 << bits - 1


def _is_time(value: str) -> bool:
    try:
        return datetime.datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False


def _first_bad_byte(value: str) -> int:
    match = re.match(r"[A-Za-z0-9+/\r\n]*", value)
    return len(match[0]) if match else 0
