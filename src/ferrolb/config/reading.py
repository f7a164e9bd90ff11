"""Narrows JSON of any shape to what a field should hold, and notes what it is not."""

from typing import Final, assert_never

from ferrolb.config.errors import Issue
from ferrolb.model import Json, JsonArray, JsonObject

_INT_LIMIT: Final = 2**63
"""Integers of the API are signed 64-bit numbers."""


class Reader:
    """Reads the fields of one object; null and absent are the same, as in the Kubernetes API."""

    def __init__(self) -> None:
        self.issues: list[Issue] = []

    def report(self, path: str, message: str, *, transient: bool = False) -> None:
        """Note that something is wrong at `path`."""
        self.issues.append(Issue(path, message, transient))

    def mapping(self, value: Json, path: str) -> JsonObject:
        """Return an object; of anything else note an issue and return an empty one."""
        if isinstance(value, dict):
            return value
        if value is not None:
            self.mismatch(path, "an object", value)
        return {}

    def items(self, value: Json, path: str) -> JsonArray:
        """Return a list; of anything else note an issue and return an empty one."""
        if isinstance(value, list):
            return value
        if value is not None:
            self.mismatch(path, "a list", value)
        return []

    def text(self, value: Json, path: str) -> str:
        """Return a string; of anything else note an issue and return an empty one."""
        if isinstance(value, str):
            return value
        if value is not None:
            self.mismatch(path, "a string", value)
        return ""

    def boolean(self, value: Json, path: str, *, default: bool) -> bool:
        """Return a boolean; of anything else note an issue and return `default`."""
        if isinstance(value, bool):
            return value
        if value is not None:
            self.mismatch(path, "a boolean", value)
        return default

    def integer(self, value: Json, path: str, *, default: int) -> int:
        """Return a 64-bit integer; of anything else note an issue and return `default`."""
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int):
            self.mismatch(path, "a 64-bit integer", value)
            return default
        if not -_INT_LIMIT <= value < _INT_LIMIT:
            self.mismatch(path, "a 64-bit integer", value)
            return default
        return value

    def texts(self, value: Json, path: str) -> list[tuple[str, str]]:
        """Return (path, text) of every string of a list; of other items note an issue."""
        found: list[tuple[str, str]] = []
        for index, item in enumerate(self.items(value, path)):
            where = f"{path}[{index}]"
            if isinstance(item, str):
                found.append((where, item))
            else:
                self.mismatch(where, "a string", item)
        return found

    def mismatch(self, path: str, wanted: str, value: Json) -> None:
        """Note that `value`, at `path`, is not what is `wanted` there ("a list", ...)."""
        self.report(path, f"{path or 'object'}: must be {wanted}, is {_shape(value)}")


def object_name(raw: Json) -> tuple[str, str]:
    """Return namespace and name of an API object, "" for what is not a string."""
    metadata = raw.get("metadata") if isinstance(raw, dict) else None
    if not isinstance(metadata, dict):
        return "", ""
    namespace, name = metadata.get("namespace"), metadata.get("name")
    return (
        namespace if isinstance(namespace, str) else "",
        name if isinstance(name, str) else "",
    )


def label_map(raw: Json) -> dict[str, str]:
    """Return `metadata.labels` of an API object, without what is not a string."""
    metadata = raw.get("metadata") if isinstance(raw, dict) else None
    labels = metadata.get("labels") if isinstance(metadata, dict) else None
    if not isinstance(labels, dict):
        return {}
    return {key: value for key, value in labels.items() if isinstance(value, str)}


def unreadable_object(namespace: str, name: str) -> JsonObject:
    """Return what stands for an object that exists and cannot be decoded: nothing in it is valid.

    Without a spec it would be a legal L2Advertisement, one of everything by everybody.
    """
    return {"metadata": {"namespace": namespace, "name": name}, "spec": "unreadable"}


def creation_time(raw: Json) -> str:
    """Return `metadata.creationTimestamp` as written, "" where there is none."""
    metadata = raw.get("metadata") if isinstance(raw, dict) else None
    created = metadata.get("creationTimestamp") if isinstance(metadata, dict) else None
    return created if isinstance(created, str) else ""


def _shape(value: Json) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "a string"
        case list():
            return "a list"
        case dict():
            return "an object"
        case _:
            assert_never(value)
