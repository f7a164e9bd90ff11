"""JSON merge patch (RFC 7396) and JSON patch (RFC 6902)."""

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, assert_never

from ferrolb.apimachinery.document import MAX_DEPTH, copy_json, equal_json
from ferrolb.apimachinery.errors import MalformedPatchError, PatchError, TooManyOperationsError

if TYPE_CHECKING:
    from ferrolb.model import Json, JsonArray, JsonObject

MAX_OPERATIONS: Final = 10_000
"""Operations in one JSON patch, as the Kubernetes API server has it; each costs a walk."""

MAX_COPIED_VALUES: Final = 1_000_000
"""Values that the `copy` operations of one patch may add up to; without a limit twenty operations
that copy a list into itself fill the memory."""


def merge_patch(target: "Json", patch: "Json") -> "Json":
    """Apply a merge patch: null removes a member, objects merge, all else replaces.

    Raises:
        PatchError: a document is nested too deeply.
    """
    return _merge(copy_json(target), copy_json(patch))


def _merge(target: "Json", patch: "Json") -> "Json":
    if not isinstance(patch, dict):
        return patch
    merged = target if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = _merge(merged.get(name), value)
    return merged


class _Kind(StrEnum):
    ADD = "add"
    REMOVE = "remove"
    REPLACE = "replace"
    MOVE = "move"
    COPY = "copy"
    TEST = "test"


_KINDS: Final = {kind.value: kind for kind in _Kind}


@dataclass(frozen=True, slots=True)
class _Operation:
    kind: _Kind
    path: tuple[str, ...]
    source: tuple[str, ...] = ()
    value: "Json" = None


def json_patch(target: "Json", operations: "Json") -> "Json":
    """Apply the operations of a JSON patch in order; one that fails fails all.

    As API servers do it a member that is not there is null to `test`, `replace` and `copy`.

    Raises:
        MalformedPatchError: `operations` is no list of objects.
        TooManyOperationsError: it is too long.
        PatchError: an operation is none, or does not apply to `target`.
    """
    return _Patcher(copy_json(target)).apply(_parse(operations))


def _parse(operations: "Json") -> list[_Operation]:
    if not isinstance(operations, list):
        msg = "a JSON patch is a list of operations"
        raise MalformedPatchError(msg)
    if len(operations) > MAX_OPERATIONS:
        msg = (
            f"The allowed maximum operations in a JSON patch is {MAX_OPERATIONS}, "
            f"got {len(operations)}"
        )
        raise TooManyOperationsError(msg)
    return [_parse_operation(operation) for operation in operations]


def _parse_operation(operation: "Json") -> _Operation:
    if not isinstance(operation, dict):
        msg = "an operation of a JSON patch is an object"
        raise MalformedPatchError(msg)
    name = operation.get("op")
    kind = _KINDS.get(name) if isinstance(name, str) else None
    if kind is None:
        msg = f"unknown operation {name!r} in a JSON patch"
        raise PatchError(msg)
    path = _parse_pointer(operation, "path", kind)
    if kind in (_Kind.MOVE, _Kind.COPY):
        return _Operation(kind, path, source=_parse_pointer(operation, "from", kind))
    # The value may be left out, and then is null, as API servers read it.
    return _Operation(kind, path, value=copy_json(operation.get("value")))


def _parse_pointer(operation: "JsonObject", member: str, kind: _Kind) -> tuple[str, ...]:
    pointer = operation.get(member)
    if not isinstance(pointer, str):
        msg = f"{kind} operation without a {member}"
        raise PatchError(msg)
    if not pointer:
        return ()
    first, *tokens = pointer.split("/")
    if first or len(tokens) > MAX_DEPTH:
        msg = f"{kind} operation with a bad {member}: {pointer[:200]!r} is not a JSON pointer"
        raise PatchError(msg)
    return tuple(_unescape(token) for token in tokens)


def _unescape(token: str) -> str:
    # RFC 6901 section 4: this order, or "~01" would become "/".
    return token.replace("~1", "/").replace("~0", "~")


class _Patcher:
    """Holds the document that the operations change; it is the patcher's own copy."""

    def __init__(self, document: "Json") -> None:
        self._document = document
        self._copied = 0

    def apply(self, operations: list[_Operation]) -> "Json":
        for operation in operations:
            self._apply(operation)
        return copy_json(self._document)

    def _apply(self, operation: _Operation) -> None:
        match operation.kind:
            case _Kind.ADD:
                self._add(operation, operation.value)
            case _Kind.REMOVE:
                self._remove(operation.path, operation.kind)
            case _Kind.REPLACE:
                self._replace(operation)
            case _Kind.MOVE:
                self._move(operation)
            case _Kind.COPY:
                self._add(operation, self._copy(operation))
            case _Kind.TEST:
                self._test(operation)
            case _:
                assert_never(operation.kind)

    def _add(self, operation: _Operation, value: "Json") -> None:
        if not operation.path:
            self._document = value
            return
        parent = self._parent(operation.path, operation.kind)
        last = operation.path[-1]
        if isinstance(parent, dict):
            parent[last] = value
        elif last == "-":
            # The place after the last element, RFC 6902 section 4.1.
            parent.append(value)
        else:
            parent.insert(_index(operation, last, len(parent) + 1), value)

    def _remove(self, path: tuple[str, ...], kind: _Kind) -> "Json":
        removed = self._get(path, kind)
        if not path:
            self._document = None
            return removed
        parent = self._parent(path, kind)
        if isinstance(parent, dict):
            del parent[path[-1]]
        else:
            del parent[int(path[-1])]
        return removed

    def _replace(self, operation: _Operation) -> None:
        self._find(operation.path, operation.kind)
        if not operation.path:
            self._document = operation.value
            return
        parent = self._parent(operation.path, operation.kind)
        if isinstance(parent, dict):
            parent[operation.path[-1]] = operation.value
        else:
            parent[int(operation.path[-1])] = operation.value

    def _move(self, operation: _Operation) -> None:
        source = operation.source
        if operation.path[: len(source)] == source and operation.path != source:
            msg = f"move operation does not apply: {_pointer(source)} cannot move into itself"
            raise PatchError(msg)
        if operation.path == source:
            self._get(source, operation.kind)
            return
        self._add(operation, self._remove(source, operation.kind))

    def _copy(self, operation: _Operation) -> "Json":
        value = copy_json(self._find(operation.source, operation.kind))
        self._copied += _count(value)
        if self._copied > MAX_COPIED_VALUES:
            msg = f"copy operations add up to more than {MAX_COPIED_VALUES} values"
            raise PatchError(msg)
        return value

    def _test(self, operation: _Operation) -> None:
        if not equal_json(self._find(operation.path, operation.kind), operation.value):
            msg = f"testing value {_pointer(operation.path)} failed: test failed"
            raise PatchError(msg)

    def _find(self, path: tuple[str, ...], kind: _Kind) -> "Json":
        """Return a value; null where an object lacks the last member of the path."""
        if path:
            parent = self._get(path[:-1], kind)
            if isinstance(parent, dict):
                return parent.get(path[-1])
        return self._get(path, kind)

    def _get(self, path: tuple[str, ...], kind: _Kind) -> "Json":
        value = self._document
        for position, token in enumerate(path):
            if isinstance(value, dict) and token in value:
                value = value[token]
            elif isinstance(value, list):
                value = value[_index(_Operation(kind, path), token, len(value))]
            else:
                msg = (
                    f"{kind} operation does not apply: doc is missing path: "
                    f"{_pointer(path[: position + 1])}"
                )
                raise PatchError(msg)
        return value

    def _parent(self, path: tuple[str, ...], kind: _Kind) -> "JsonObject | JsonArray":
        parent = self._get(path[:-1], kind)
        if not isinstance(parent, dict | list):
            msg = f"{kind} operation does not apply: doc is missing path: {_pointer(path)}"
            raise PatchError(msg)
        return parent


def _index(operation: _Operation, part: str, bound: int) -> int:
    # RFC 6901 section 4: digits only, no leading zero. Ten digits are past any list.
    is_number = part.isascii() and part.isdecimal() and len(part) <= 10
    if not is_number or (part[0] == "0" and part != "0") or int(part) >= bound:
        msg = (
            f"{operation.kind} operation does not apply: no element {part[:20]!r} "
            f"at {_pointer(operation.path)}"
        )
        raise PatchError(msg)
    return int(part)


def _pointer(path: tuple[str, ...]) -> str:
    parts = (part.replace("~", "~0").replace("/", "~1") for part in path)
    return "".join(f"/{part}" for part in parts) or '""'


def _count(value: "Json") -> int:
    if isinstance(value, dict):
        return 1 + sum(_count(item) for item in value.values())
    if isinstance(value, list):
        return 1 + sum(_count(item) for item in value)
    return 1
