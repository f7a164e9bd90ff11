"""Strategic merge patch: a merge patch that knows which lists merge, and by which key.

The schema says so for each list: `x-kubernetes-patch-strategy` and `x-kubernetes-patch-merge-key`.
The patch may carry directives: `$patch`, `$retainKeys`, `$setElementOrder/<list>` and
`$deleteFromPrimitiveList/<list>`.
"""

from collections import deque
from typing import TYPE_CHECKING, Final, TypeAlias

from ferrolb.apimachinery.document import copy_object
from ferrolb.apimachinery.errors import MalformedPatchError, PatchError
from ferrolb.apimachinery.field_error import go_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ferrolb.apimachinery.schema_view import SchemaView
    from ferrolb.model import Json, JsonArray, JsonObject

_PATCH: Final = "$patch"
_RETAIN: Final = "$retainKeys"
_ORDER: Final = "$setElementOrder/"
_DELETE: Final = "$deleteFromPrimitiveList/"
_DIRECTIVES: Final = (_PATCH, _RETAIN, _ORDER, _DELETE)

_Token: TypeAlias = tuple[bool, str | int | float | None]
"""What identifies a list entry; the flag keeps `true` and 1 apart."""


def strategic_patch(
    target: "JsonObject", patch: "Json", schema: "SchemaView | None"
) -> "JsonObject":
    """Apply a strategic merge patch; where `schema` is silent maps merge and lists replace.

    Raises:
        MalformedPatchError: `patch` or one of its directives has the wrong shape.
        PatchError: the patch does not apply to `target`.
    """
    if not isinstance(patch, dict):
        msg = "a strategic merge patch is an object"
        raise MalformedPatchError(msg)
    return _merge_map(copy_object(target), copy_object(patch), schema)


def _merge_map(
    original: "JsonObject", patch: "JsonObject", schema: "SchemaView | None"
) -> "JsonObject":
    if _PATCH in patch:
        return _directed(patch)
    _retain_keys(original, patch)
    for name in _fields_of(patch):
        field_schema = schema.member(name) if schema is not None else None
        if _ORDER + name in patch:
            _merge_ordered_list(original, name, patch, field_schema)
        elif name in patch:
            _merge_field(original, name, patch[name], field_schema)
        if _DELETE + name in patch:
            _delete_primitives(original, name, patch[_DELETE + name])
    return original


def _directed(patch: "JsonObject") -> "JsonObject":
    match patch[_PATCH]:
        case "replace":
            return _plain_map({name: value for name, value in patch.items() if name != _PATCH})
        case "delete":
            return {}
        case other:
            msg = f"unknown patch type: {go_text(other)} in map: {go_text(patch)}"
            raise PatchError(msg)


def _fields_of(patch: "JsonObject") -> "Iterable[str]":
    """Return the fields that the patch speaks of, by value or by directive, each once."""
    names: dict[str, None] = {}
    for name in patch:
        if name.startswith((_ORDER, _DELETE)):
            names[name.split("/", 1)[1]] = None
        elif name != _RETAIN:
            names[name] = None
    return names


def _retain_keys(original: "JsonObject", patch: "JsonObject") -> None:
    if _RETAIN not in patch:
        return
    keys = patch[_RETAIN]
    if not isinstance(keys, list):
        msg = "invalid patch format of retainKeys"
        raise MalformedPatchError(msg)
    kept = {key for key in keys if isinstance(key, str)}
    given = {name for name, value in patch.items() if value is not None and name != _RETAIN}
    if any(name not in kept and not name.startswith((_ORDER, _DELETE)) for name in given):
        msg = "invalid patch format of retainKeys"
        raise MalformedPatchError(msg)
    for name in original.keys() - kept:
        del original[name]


def _merge_field(
    original: "JsonObject", name: str, value: "Json", schema: "SchemaView | None"
) -> None:
    current = original.get(name)
    if value is None:
        original.pop(name, None)
    elif isinstance(current, dict) and isinstance(value, dict) and not _is_replaced(schema):
        original[name] = _merge_map(current, value, schema)
    elif isinstance(current, list) and isinstance(value, list):
        original[name] = _merge_list(current, value, schema)
    elif _is_directed(value):
        # A directive for a map that is not there has nothing to work on.
        original.pop(name, None)
    else:
        original[name] = _plain(value)


def _is_replaced(schema: "SchemaView | None") -> bool:
    return schema is not None and "replace" in schema.patch_strategies


def _merge_ordered_list(
    original: "JsonObject", name: str, patch: "JsonObject", schema: "SchemaView | None"
) -> None:
    order, current, value = patch[_ORDER + name], original.get(name), patch.get(name)
    if not isinstance(order, list):
        msg = "invalid patch format of setElementOrder list"
        raise MalformedPatchError(msg)
    if not isinstance(current, list | None) or not isinstance(value, list | None):
        msg = f"expected a list for {name!r}, which has an element order"
        raise PatchError(msg)
    merge_key = _merge_key_of(schema)
    if value is not None:
        _check_order(value, order, merge_key)
    elif name in patch:
        original.pop(name, None)
        return
    if current is None and value is None:
        return
    if current is None:
        merged = _plain_list(value or [])
    else:
        merged = current if value is None else _merge_list(current, value, schema)
    original[name] = _in_order(merged, order, current or [], merge_key)


def _check_order(patch: "JsonArray", order: "JsonArray", merge_key: str | None) -> None:
    """Refuse a patch whose entries are not, in the same order, among those of `order`."""
    given = [entry for entry in patch if not (isinstance(entry, dict) and _PATCH in entry)]
    if not order or not given:
        return
    wanted = iter([_token_of(entry, merge_key) for entry in order])
    if not all(_token_of(entry, merge_key) in wanted for entry in given):
        msg = "the order in the patch list doesn't match the $setElementOrder list"
        raise PatchError(msg)


def _merge_list(
    current: "JsonArray", patch: "JsonArray", schema: "SchemaView | None"
) -> "JsonArray":
    if schema is None or "merge" not in schema.patch_strategies:
        return _plain_list(patch)
    maps = [entry for entry in (*current, *patch) if isinstance(entry, dict)]
    if maps and len(maps) != len(current) + len(patch):
        msg = "list element types are not identical"
        raise PatchError(msg)
    if not maps:
        merged = {_token(entry): entry for entry in (*current, *patch)}
        return _in_order(list(merged.values()), patch, current, None)
    merge_key = _merge_key_of(schema)
    if merge_key is None:
        msg = "cannot merge lists without merge key"
        raise PatchError(msg)
    return _merge_entries(maps[: len(current)], maps[len(current) :], merge_key, schema.items())


def _merge_entries(
    current: "list[JsonObject]",
    patch: "list[JsonObject]",
    merge_key: str,
    schema: "SchemaView | None",
) -> "JsonArray":
    plain = [entry for entry in patch if _PATCH not in entry]
    directives = [entry for entry in patch if _PATCH in entry]
    for entry in directives:
        _check_entry_directive(entry[_PATCH])
    if any(entry[_PATCH] == "replace" for entry in directives):
        return [_plain_map(entry) for entry in plain]
    removed = {_token_of(entry, merge_key) for entry in directives}
    kept = [entry for entry in current if _token_of(entry, merge_key) not in removed]
    merged = list(kept)
    places: dict[_Token, int] = {}
    for place, entry in enumerate(kept):
        places.setdefault(_token_of(entry, merge_key), place)
    for entry in plain:
        place = places.setdefault(_token_of(entry, merge_key), len(merged))
        if place == len(merged):
            merged.append(_plain_map(entry))
        else:
            merged[place] = _merge_map(merged[place], entry, schema)
    return _in_order([*merged], [*plain], [*kept], merge_key)


def _check_entry_directive(directive: "Json") -> None:
    if directive == "merge":
        msg = "merging lists cannot yet be specified in the patch"
        raise PatchError(msg)
    if directive not in ("delete", "replace"):
        msg = f"unknown patch type: {go_text(directive)}"
        raise PatchError(msg)


def _in_order(
    merged: "JsonArray", order: "JsonArray", server_order: "JsonArray", merge_key: str | None
) -> "JsonArray":
    """Put the entries of `order` in that order, and all others where the server had them."""
    wanted, served = _places(order, merge_key), _places(server_order, merge_key)
    tokens = [(_token_of(entry, merge_key), entry) for entry in merged]
    patched = sorted((pair for pair in tokens if pair[0] in wanted), key=lambda p: wanted[p[0]])
    others = deque(
        sorted(
            (pair for pair in tokens if pair[0] not in wanted),
            key=lambda pair: served.get(pair[0], len(served)),
        )
    )
    ordered: JsonArray = []
    for token, entry in patched:
        place = served.get(token, -1)
        while others and served.get(others[0][0], place) < place:
            ordered.append(others.popleft()[1])
        ordered.append(entry)
    return ordered + [entry for _, entry in others]


def _places(entries: "JsonArray", merge_key: str | None) -> "dict[_Token, int]":
    places: dict[_Token, int] = {}
    for place, entry in enumerate(entries):
        places.setdefault(_token_of(entry, merge_key), place)
    return places


def _delete_primitives(original: "JsonObject", name: str, doomed: "Json") -> None:
    if not isinstance(doomed, list):
        msg = "invalid patch format of primitive list"
        raise MalformedPatchError(msg)
    tokens = {_token(value) for value in doomed}
    current = original.get(name)
    if isinstance(current, list):
        original[name] = [
            value
            for value in current
            if isinstance(value, dict | list) or _token(value) not in tokens
        ]


def _merge_key_of(schema: "SchemaView | None") -> str | None:
    return schema.patch_merge_key if schema is not None else None


def _token_of(entry: "Json", merge_key: str | None) -> _Token:
    if merge_key is None or not isinstance(entry, dict):
        return _token(entry)
    if merge_key not in entry:
        msg = f"map: {go_text(entry)[:200]} does not contain declared merge key: {merge_key}"
        raise PatchError(msg)
    return _token(entry[merge_key])


def _token(value: "Json") -> _Token:
    if isinstance(value, list):
        msg = "lists of lists are not supported"
        raise PatchError(msg)
    if isinstance(value, dict):
        msg = "a list is matched by a value that is a map"
        raise PatchError(msg)
    return isinstance(value, bool), value


def _plain(value: "Json") -> "Json":
    """Return what a patch value adds where nothing was: without nulls and directives."""
    if isinstance(value, dict):
        return _plain_map(value)
    return _plain_list(value) if isinstance(value, list) else value


def _plain_map(value: "JsonObject") -> "JsonObject":
    return {
        name: _plain(item)
        for name, item in value.items()
        if item is not None and not name.startswith(_DIRECTIVES) and not _is_directed(item)
    }


def _plain_list(value: "JsonArray") -> "JsonArray":
    return [_plain(item) for item in value if not _is_directed(item)]


def _is_directed(value: "Json") -> bool:
    return isinstance(value, dict) and _PATCH in value
