"""Copying, comparing and reading JSON values."""

from typing import TYPE_CHECKING, Final

from ferrolb.apimachinery.errors import PatchError

if TYPE_CHECKING:
    from ferrolb.model import Json, JsonArray, JsonObject

MAX_DEPTH: Final = 200
"""Levels of nesting a document may have. Kinds of the API use fewer than 40; each level costs
stack frames in every function that walks a document, of which the interpreter has 1,000."""


def copy_json(value: "Json", *, depth: int = MAX_DEPTH) -> "Json":
    """Return a copy that shares nothing with `value`.

    Raises:
        PatchError: `value` is nested deeper than `depth`.
    """
    if isinstance(value, dict):
        return copy_object(value, depth=depth)
    if isinstance(value, list):
        return copy_array(value, depth=depth)
    return value


def copy_object(value: "JsonObject", *, depth: int = MAX_DEPTH) -> "JsonObject":
    """Return a copy that shares nothing with `value`; raises as `copy_json`."""
    _check_depth(depth)
    return {
        key: copy_json(item, depth=depth - 1) if isinstance(item, dict | list) else item
        for key, item in value.items()
    }


def copy_array(value: "JsonArray", *, depth: int = MAX_DEPTH) -> "JsonArray":
    """Return a copy that shares nothing with `value`; raises as `copy_json`."""
    _check_depth(depth)
    return [copy_json(item, depth=depth - 1) for item in value]


def equal_json(left: "Json", right: "Json") -> bool:
    """Compare as JSON: numbers by value, and `true` is not 1 (in Python it is)."""
    if isinstance(left, dict):
        return (
            isinstance(right, dict)
            and left.keys() == right.keys()
            and all(equal_json(item, right[key]) for key, item in left.items())
        )
    if isinstance(left, list):
        return (
            isinstance(right, list)
            and len(left) == len(right)
            and all(map(equal_json, left, right))
        )
    return isinstance(left, bool) == isinstance(right, bool) and left == right


def object_at(value: "Json", *path: str) -> "JsonObject":
    """Return the object that `path` leads to, or an empty one where there is none."""
    for name in path:
        if not isinstance(value, dict):
            return {}
        value = value.get(name)
    return value if isinstance(value, dict) else {}


def array_at(value: "Json", *path: str) -> "JsonArray":
    """Return the array that `path` leads to, or an empty one where there is none."""
    found = object_at(value, *path[:-1]).get(path[-1])
    return found if isinstance(found, list) else []


def text_at(value: "Json", *path: str) -> str:
    """Return the string that `path` leads to, or "" where there is none."""
    found = object_at(value, *path[:-1]).get(path[-1])
    return found if isinstance(found, str) else ""


def int_at(value: "Json", *path: str) -> int:
    """Return the whole number that `path` leads to, or 0 where there is none."""
    found = object_at(value, *path[:-1]).get(path[-1])
    return found if isinstance(found, int) and not isinstance(found, bool) else 0


def objects_at(value: "Json", *path: str) -> "list[JsonObject]":
    """Return the objects in the array that `path` leads to; other elements are left out."""
    return [item for item in array_at(value, *path) if isinstance(item, dict)]


def _check_depth(depth: int) -> None:
    if depth <= 0:
        msg = f"the document is nested deeper than {MAX_DEPTH} levels"
        raise PatchError(msg)
