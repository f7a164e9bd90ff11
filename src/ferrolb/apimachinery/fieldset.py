"""Sets of field paths, and their FieldsV1 form in managedFields.

A path is a tuple of elements as FieldsV1 writes them: `f:<name>` a field, `k:<keys>` an entry of a
list of maps, `v:<value>` an entry of a set. So a path can be compared and hashed as it is.
"""

import json
from typing import TYPE_CHECKING, Final, TypeAlias

from ferrolb.apimachinery.document import MAX_DEPTH
from ferrolb.apimachinery.errors import ManagedFieldsError
from ferrolb.model import quote

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ferrolb.model import Json, JsonObject

Path: TypeAlias = tuple[str, ...]
FieldSet: TypeAlias = frozenset[Path]

NO_FIELDS: Final[FieldSet] = frozenset()

_SELF: Final = "."


def field_element(name: str) -> str:
    """Return the element of field `name`."""
    return f"f:{name}"


def key_element(keys: "JsonObject") -> str:
    """Return the element of the list entry that `keys` identify."""
    return f"k:{_compact(keys)}"


def value_element(value: "Json") -> str:
    """Return the element of `value` in a set."""
    return f"v:{_compact(value)}"


def _compact(value: "Json") -> str:
    return json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=False)


def encode_fields(fields: FieldSet) -> "JsonObject":
    """Return the FieldsV1 object: nested by element, `.` where a parent is itself a member."""
    root: JsonObject = {}
    for path in sorted(fields):
        node = root
        for element in path:
            child = node.setdefault(element, {})
            node = child if isinstance(child, dict) else {}
        node[_SELF] = {}
    _drop_plain_self(root)
    return root


def _drop_plain_self(node: "JsonObject") -> None:
    for element, child in node.items():
        if element == _SELF or not isinstance(child, dict):
            continue
        if child.keys() == {_SELF}:
            node[element] = {}
        else:
            _drop_plain_self(child)


def decode_fields(encoded: "Json") -> FieldSet:
    """Read a FieldsV1 object.

    Raises:
        ManagedFieldsError: it is not one.
    """
    return frozenset(_decode(encoded, ()))


def _decode(encoded: "Json", path: Path) -> "Iterable[Path]":
    if not isinstance(encoded, dict) or len(path) > MAX_DEPTH:
        msg = f"cannot read the managed fields at {path_text(path)[:200]!r}"
        raise ManagedFieldsError(msg)
    for text, child in encoded.items():
        if text == _SELF:
            yield path
        elif child == {}:
            yield (*path, _canonical(text))
        else:
            yield from _decode(child, (*path, _canonical(text)))


def _canonical(text: str) -> str:
    """Return an element the way this module writes it, whoever wrote it."""
    kind, colon, rest = text.partition(":")
    if not colon or kind not in ("f", "k", "v", "i"):
        msg = f"unknown path element {text[:200]!r} in managed fields"
        raise ManagedFieldsError(msg)
    if kind in ("f", "i"):
        return text
    try:
        value: Json = json.loads(rest)
    except (ValueError, RecursionError) as error:
        msg = f"bad path element {text[:200]!r} in managed fields"
        raise ManagedFieldsError(msg) from error
    if kind == "k" and not isinstance(value, dict):
        msg = f"bad path element {text[:200]!r} in managed fields"
        raise ManagedFieldsError(msg)
    return f"{kind}:{_compact(value)}"


def path_text(path: Path) -> str:
    """Return `.spec.ports[port=80,protocol="TCP"].nodePort`, as messages name fields."""
    return "".join(_element_text(element) for element in path)


def _element_text(element: str) -> str:
    kind, _, rest = element.partition(":")
    match kind:
        case "f":
            return f".{rest}"
        case "k":
            keys = json.loads(rest)
            return f"[{','.join(f'{name}={_scalar(keys[name])}' for name in keys)}]"
        case "v":
            return f"[={_scalar(json.loads(rest))}]"
        case _:
            return f"[{rest}]"


def _scalar(value: "Json") -> str:
    return quote(value) if isinstance(value, str) else _compact(value)
