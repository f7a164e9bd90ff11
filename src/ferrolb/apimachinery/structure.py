"""Walks objects by their schema: which fields they have, how two differ, what merging makes.

Where the schema is silent maps are granular and lists are one value, as for a custom resource that
keeps unknown fields.
"""

from collections import deque
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache
from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec

from ferrolb.apimachinery.document import equal_json
from ferrolb.apimachinery.fieldset import (
    FieldSet,
    Path,
    field_element,
    key_element,
    value_element,
)
from ferrolb.apimachinery.schema_view import ListType, MapType, SchemaView

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ferrolb.model import Json, JsonArray, JsonObject


class _Absent(Enum):
    """Nothing at all, which null is not."""

    ABSENT = "absent"


class _Kind(Enum):
    LEAF = "leaf"
    MAP = "map"
    LIST = "list"


_ABSENT: Final = _Absent.ABSENT
_ENCODE: Final = msgspec.json.Encoder().encode
_Value: TypeAlias = "Json | _Absent"

_METADATA: "Final[JsonObject]" = {
    "type": "object",
    "properties": {
        "annotations": {"type": "object", "additionalProperties": {"type": "string"}},
        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
        "finalizers": {
            "type": "array",
            "items": {"type": "string"},
            "x-kubernetes-list-type": "set",
        },
        "ownerReferences": {
            "type": "array",
            "items": {"type": "object", "x-kubernetes-map-type": "atomic"},
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["uid"],
        },
        **{
            name: {"type": "string"}
            for name in (
                "creationTimestamp",
                "deletionTimestamp",
                "generateName",
                "name",
                "namespace",
                "resourceVersion",
                "selfLink",
                "uid",
            )
        },
        "deletionGracePeriodSeconds": {"type": "integer"},
        "generation": {"type": "integer"},
        "managedFields": {"type": "array"},
    },
}
"""The metadata of an object whose own schema says no more than that it has some."""


@lru_cache(maxsize=1024)
def object_schema(schema: SchemaView) -> SchemaView:
    """Return `schema` with the fields that every object has, where a custom one omits them."""
    metadata = schema.property("metadata")
    if metadata is not None and metadata.property_names():
        return schema
    declared = schema.raw.get("properties")
    properties: JsonObject = {
        "apiVersion": {"type": "string"},
        "kind": {"type": "string"},
        **(declared if isinstance(declared, dict) else {}),
        "metadata": _METADATA,
    }
    return SchemaView.of({**schema.raw, "properties": properties}, schema.components)


def field_set(value: "JsonObject", schema: SchemaView | None) -> FieldSet:
    """Return the fields that `value` sets, as an apply request owns them."""
    return frozenset(path for path in _fields(value, schema, ()) if path)


def _fields(value: "Json", schema: SchemaView | None, path: Path) -> "Iterator[Path]":
    if isinstance(value, dict) and not _is_atomic_map(schema):
        for name, item in value.items():
            inner = (*path, field_element(name))
            is_declared = schema is not None and schema.property(name) is not None
            if item is None or item == {} or not is_declared:
                yield inner
            yield from _fields(item, _member(schema, name), inner)
        return
    entries = _entries(value, schema)
    if entries is None:
        yield path
        return
    for element, item in entries.items():
        yield (*path, element)
        yield from _fields(item, _items(schema), (*path, element))


@dataclass(frozen=True, slots=True)
class Comparison:
    """How two objects differ, by field."""

    added: set[Path] = field(default_factory=set)
    modified: set[Path] = field(default_factory=set)
    removed: set[Path] = field(default_factory=set)


def compare(old: "JsonObject", new: "JsonObject", schema: SchemaView | None) -> Comparison:
    """Return the fields added, modified and removed from `old` to `new`."""
    comparison = Comparison()
    _compare(old, new, schema, (), comparison)
    return comparison


def _compare(
    old: _Value, new: _Value, schema: SchemaView | None, path: Path, found: Comparison
) -> None:
    if old is not _ABSENT and new is not _ABSENT and _ENCODE(old) == _ENCODE(new):
        # A quick way out; what differs in its bytes only is found equal below.
        return
    kind = _kind(old, new, schema)
    if kind is _Kind.MAP:
        for name in _names(old, new):
            inner = (*path, field_element(name))
            _compare(_get(old, name), _get(new, name), _member(schema, name), inner, found)
    elif kind is _Kind.LIST:
        left, right = _entries(old, schema) or {}, _entries(new, schema) or {}
        for element in dict.fromkeys((*left, *right)):
            _compare(
                left.get(element, _ABSENT),
                right.get(element, _ABSENT),
                _items(schema),
                (*path, element),
                found,
            )
    if not path:
        return
    if old is _ABSENT:
        found.added.add(path)
    elif new is _ABSENT:
        found.removed.add(path)
    elif kind is _Kind.LEAF and not equal_json(old, new):
        found.modified.add(path)


def merge(live: "JsonObject", applied: "JsonObject", schema: SchemaView | None) -> "JsonObject":
    """Return `live` with the fields of `applied` set; parts of both are shared, not copied."""
    merged = _merge(live, applied, schema)
    return merged if isinstance(merged, dict) else {}


def _merge(live: _Value, applied: _Value, schema: SchemaView | None) -> "Json":
    kind = _kind(live, applied, schema)
    if kind is _Kind.MAP:
        return {
            name: _merge(_get(live, name), _get(applied, name), _member(schema, name))
            for name in _names(live, applied)
        }
    if kind is _Kind.LIST:
        left, right = _entries(live, schema) or {}, _entries(applied, schema) or {}
        return [
            _merge(left.get(element, _ABSENT), right.get(element, _ABSENT), _items(schema))
            for element in _merged_order(list(left), list(right))
        ]
    if applied is not _ABSENT:
        return applied
    return live if live is not _ABSENT else None


def _merged_order(live: list[str], applied: list[str]) -> "Iterator[str]":
    """Applied entries keep their order; entries of `live` alone stay where they were."""
    places, present = {element: place for place, element in enumerate(applied)}, set(live)
    shared = deque(element for element in applied if element in present)
    done = 0
    for element in live:
        if element not in places:
            yield element
        elif shared and element == shared[0]:
            shared.popleft()
            end = places[element] + 1
            yield from applied[done:end]
            done = end
    yield from applied[done:]


def remove(value: "JsonObject", fields: FieldSet, schema: SchemaView | None) -> "JsonObject":
    """Return `value` without `fields`; maps and lists that lose all they had go too."""
    tree: _Tree = {}
    for path in fields:
        node = tree
        for element in path[:-1]:
            node = node.setdefault(element, _Node()).children
        node.setdefault(path[-1], _Node()).is_member = True
    kept = _remove(value, tree, schema)
    return kept if isinstance(kept, dict) else {}


@dataclass(slots=True)
class _Node:
    is_member: bool = False
    children: "_Tree" = field(default_factory=dict)


_Tree: TypeAlias = dict[str, _Node]


def _remove(value: "Json", tree: _Tree, schema: SchemaView | None) -> _Value:
    if isinstance(value, dict) and not _is_atomic_map(schema):
        members = {
            name: _remove_child(item, tree.get(field_element(name)), _member(schema, name))
            for name, item in value.items()
        }
        kept = {name: item for name, item in members.items() if item is not _ABSENT}
        return kept if kept or not value else _ABSENT
    entries = _entries(value, schema)
    if not entries:
        return value
    items = [
        _remove_child(item, tree.get(element), _items(schema)) for element, item in entries.items()
    ]
    left: JsonArray = [item for item in items if item is not _ABSENT]
    return left or _ABSENT


def _remove_child(value: "Json", node: _Node | None, schema: SchemaView | None) -> _Value:
    if node is None:
        return value
    return _ABSENT if node.is_member else _remove(value, node.children, schema)


def with_named_parents(fields: FieldSet, schema: SchemaView | None) -> FieldSet:
    """Return `fields` and the declared fields on the way to them, which no set lists itself."""
    parents = {
        path[: end + 1]
        for path in fields
        for end, is_declared in enumerate(_declared(path[:-1], schema))
        if is_declared
    }
    return fields | parents


def _declared(path: Path, schema: SchemaView | None) -> "Iterator[bool]":
    for element in path:
        kind, _, name = element.partition(":")
        if schema is None or kind != "f":
            yield False
            schema = _items(schema) if kind != "f" else None
        else:
            yield schema.property(name) is not None
            schema = schema.member(name)


def _kind(left: _Value, right: _Value, schema: SchemaView | None) -> _Kind:
    given = [value for value in (left, right) if value is not _ABSENT and value is not None]
    if not any(given):
        # Empty on both sides: then the difference between empty and absent is what counts.
        return _Kind.LEAF
    if all(isinstance(value, dict) for value in given):
        return _Kind.LEAF if _is_atomic_map(schema) else _Kind.MAP
    if all(_entries(value, schema) is not None for value in given):
        return _Kind.LIST
    return _Kind.LEAF


def _is_atomic_map(schema: SchemaView | None) -> bool:
    return schema is not None and schema.map_type is MapType.ATOMIC


def _entries(value: _Value, schema: SchemaView | None) -> "dict[str, Json] | None":
    """Return the entries of a granular list by element, None for what merges as one value."""
    if not isinstance(value, list) or schema is None or schema.list_type is ListType.ATOMIC:
        return None
    entries: dict[str, Json] = {}
    for item in value:
        element = element_of(item, schema)
        if element is None:
            return None
        entries[element] = item
    return entries if len(entries) == len(value) else None


def element_of(item: "Json", schema: SchemaView) -> str | None:
    """Return what tells a list entry from others, None where it has nothing that does."""
    if schema.list_type is ListType.SET:
        return None if item is None or isinstance(item, dict | list) else value_element(item)
    if not isinstance(item, dict):
        return None
    keys: JsonObject = {}
    for name in schema.list_map_keys:
        value = item.get(name, _default(schema, name))
        if value is not None:
            keys[name] = value
    return key_element(keys) if keys else None


def _default(schema: SchemaView, name: str) -> "Json":
    key_schema = _member(_items(schema), name)
    return key_schema.raw.get("default") if key_schema is not None else None


def _member(schema: SchemaView | None, name: str) -> SchemaView | None:
    return schema.member(name) if schema is not None else None


def _items(schema: SchemaView | None) -> SchemaView | None:
    return schema.items() if schema is not None else None


def _names(left: _Value, right: _Value) -> "Iterable[str]":
    names: dict[str, None] = {}
    for value in (left, right):
        if isinstance(value, dict):
            names.update(dict.fromkeys(value))
    return names


def _get(value: _Value, name: str) -> _Value:
    return value.get(name, _ABSENT) if isinstance(value, dict) else _ABSENT
