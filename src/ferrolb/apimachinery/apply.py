"""Server-side apply, and the ownership of fields that every other write brings with it."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from ferrolb.apimachinery.applied import check_applied
from ferrolb.apimachinery.document import copy_object, equal_json, object_at, text_at
from ferrolb.apimachinery.errors import (
    ApplyConflictError,
    Conflict,
    MalformedPatchError,
    ManagedFieldsError,
    PatchError,
)
from ferrolb.apimachinery.fieldset import FieldSet, Path, path_text
from ferrolb.apimachinery.last_applied import (
    allowed_by_last_applied,
    refresh_last_applied,
)
from ferrolb.apimachinery.managed import (
    ManagerId,
    Managers,
    Operation,
    Ownership,
    cap_updaters,
    decode_managers,
    encode_managers,
    manager_id,
    time_text,
    without_fields,
)
from ferrolb.apimachinery.schema import with_zeros
from ferrolb.apimachinery.structure import (
    compare,
    field_set,
    merge,
    object_schema,
    remove,
    with_named_parents,
)

if TYPE_CHECKING:
    from datetime import datetime

    from ferrolb.apimachinery.schema_view import SchemaView
    from ferrolb.model import Json, JsonObject

_BEFORE_FIRST_APPLY: Final = "before-first-apply"
"""Owns what an object had when nobody's writes had been tracked."""

_MIGRATING_MANAGER: Final = "kubectl"
"""The name under which kubectl applies; it takes over what its client-side apply has written."""

_UNOWNED: Final[frozenset[Path]] = frozenset(
    {
        ("f:apiVersion",),
        ("f:kind",),
        ("f:metadata",),
        *(
            ("f:metadata", f"f:{name}")
            for name in (
                "name",
                "namespace",
                "creationTimestamp",
                "deletionTimestamp",
                "deletionGracePeriodSeconds",
                "selfLink",
                "uid",
                "clusterName",
                "generation",
                "managedFields",
                "resourceVersion",
            )
        ),
    }
)
"""Fields that identify an object or are the server's: nobody owns them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Writer:
    """Who writes, in which version of the kind, through which subresource, and when."""

    manager: str
    api_version: str
    now: "datetime"
    subresource: str = ""

    def entry(self, operation: Operation) -> ManagerId:
        """Return the identity of the writer's entry."""
        return manager_id(self.manager, operation, self.api_version, self.subresource)


def apply(
    live: "JsonObject | None",
    applied: "JsonObject",
    writer: Writer,
    *,
    schema: "SchemaView",
    force: bool,
) -> "JsonObject":
    """Return `live` with what `applied` says, and managedFields that tell who owns what.

    `live` is None where the object does not exist yet. Fields that the manager applied before, does
    not apply now, and nobody else owns are removed. What the endpoint ignores (`status`, or all
    but the status) must have been taken out of `applied`.

    Raises:
        ApplyConflictError: fields of other managers would change, and `force` is false.
        MalformedPatchError: the request can be applied to nothing.
        PatchError: the schema has no such field, or list entries cannot be told apart.
        ManagedFieldsError: the managedFields of `live` cannot be read.
    """
    request = _checked_request(applied, writer, schema)
    current = _without_managers(copy_object(live)) if live is not None else {}
    managers = decode_managers(live) if live is not None else {}
    typed = object_schema(schema)
    if not managers and live is not None:
        managers = _first_owner(current, writer, typed)
    step = _Apply(current, request, writer, typed)
    try:
        merged, managers = step.run(managers, force=force)
    except ApplyConflictError as error:
        if writer.manager != _MIGRATING_MANAGER:
            raise
        step.check_migration(error)
        merged, managers = step.run(managers, force=True)
    if writer.manager == _MIGRATING_MANAGER:
        refresh_last_applied(merged, request)
    return _with_managers(merged, managers)


def track_update(
    old: "JsonObject | None", new: "JsonObject", writer: Writer, *, schema: "SchemaView"
) -> "JsonObject":
    """Return `new` with the managedFields that an ordinary write from `old` leads to.

    `old` is None on creation. The writer owns what it changed, others lose it; a write that changes
    nothing leaves managedFields as they were. An empty list in `new` removes all ownership, and an
    object without any is not tracked again until it is applied.
    """
    managers = _managers_of_update(old, new, is_subresource=bool(writer.subresource))
    result = _without_managers(copy_object(new))
    if not managers and old is not None:
        return result
    before = _without_managers(copy_object(old)) if old is not None else _empty(new, writer)
    typed = object_schema(schema)
    return _with_managers(result, _track(before, result, writer, managers, typed))


def _track(
    before: "JsonObject",
    after: "JsonObject",
    writer: Writer,
    managers: Managers,
    schema: "SchemaView",
) -> Managers:
    difference = compare(before, after, schema)
    changed = frozenset(difference.added | difference.modified)
    kept = without_fields(managers, changed | difference.removed)
    owned = changed - _UNOWNED
    if owned:
        owner = writer.entry(Operation.UPDATE)
        if owner in kept:
            owned |= kept[owner].fields
        kept[owner] = Ownership(owned, writer.api_version, time_text(writer.now))
    return cap_updaters(kept)


def _managers_of_update(
    old: "JsonObject | None", new: "JsonObject", *, is_subresource: bool
) -> Managers:
    """Return the ownership to start from: what the client sent, else what the object had."""
    if not is_subresource:
        given = object_at(new, "metadata").get("managedFields")
        if given in ([], [{}]):
            return {}
        managers = _decode_or_none(new)
        if managers:
            return managers
    return _decode_or_none(old) if old is not None else {}


def _decode_or_none(obj: "JsonObject") -> Managers:
    try:
        return decode_managers(obj)
    except ManagedFieldsError:
        # A client that garbles the list must not be able to make its writes fail for ever.
        return {}


def _first_owner(current: "JsonObject", writer: Writer, schema: "SchemaView") -> Managers:
    before = Writer(
        manager=_BEFORE_FIRST_APPLY,
        api_version=writer.api_version,
        now=writer.now,
    )
    return _track(_empty(current, writer), current, before, {}, schema)


def _empty(obj: "JsonObject", writer: Writer) -> "JsonObject":
    """Return what the object was before there was any.

    The structs of built-in kinds are there from the start, and so are added by nobody.
    """
    group, slash, _ = writer.api_version.rpartition("/")
    is_builtin = not slash or "." not in group or group.endswith(".k8s.io")
    names = ("metadata", "spec", "status") if is_builtin else ("metadata",)
    return {name: {} for name in names if isinstance(obj.get(name), dict)}


def _checked_request(applied: "JsonObject", writer: Writer, schema: "SchemaView") -> "JsonObject":
    version = applied.get("apiVersion")
    if version != writer.api_version:
        msg = (
            "Incorrect version specified in apply patch. "
            f"Specified patch version: {version}, expected: {writer.api_version}"
        )
        raise MalformedPatchError(msg)
    if object_at(applied, "metadata").get("managedFields") is not None:
        msg = "metadata.managedFields must be nil"
        raise MalformedPatchError(msg)
    typed = object_schema(schema)
    request = _without_nulls(copy_object(with_zeros(applied, typed)))
    try:
        check_applied(request, typed)
    except PatchError as error:
        kind, name = text_at(request, "kind"), text_at(request, "metadata", "name")
        namespace = text_at(request, "metadata", "namespace")
        group_version = version if "/" in version else f"/{version}"
        msg = (
            f"failed to create typed patch object ({namespace}/{name}; {group_version}, "
            f"Kind={kind}): {error}"
        )
        raise PatchError(msg) from error
    return request


def _without_nulls(value: "JsonObject") -> "JsonObject":
    """Leave out members that are null: `creationTimestamp: null` is in most printed manifests."""
    return {name: _strip(item) for name, item in value.items() if item is not None}


def _strip(value: "Json") -> "Json":
    if isinstance(value, dict):
        return _without_nulls(value)
    return [_strip(item) for item in value] if isinstance(value, list) else value


@dataclass(frozen=True, slots=True)
class _Apply:
    """One apply request against the object as it is."""

    current: "JsonObject"
    request: "JsonObject"
    writer: Writer
    schema: "SchemaView"

    def run(self, managers: Managers, *, force: bool) -> "tuple[JsonObject, Managers]":
        owner = self.writer.entry(Operation.APPLY)
        last = managers.get(owner)
        owned = field_set(self.request, self.schema) - _UNOWNED
        managers = {
            **managers,
            owner: Ownership(owned, self.writer.api_version, last.time if last else None),
        }
        merged = merge(self.current, self.request, self.schema)
        if last is not None:
            # Merged once more, for an empty map that the request has may have been emptied away.
            merged = merge(self._prune(merged, managers, last.fields), self.request, self.schema)
        managers = self._settle(merged, managers, owner, force=force)
        if owner in managers and not equal_json(self.current, merged):
            managers[owner] = replace(managers[owner], time=time_text(self.writer.now))
        return copy_object(merged), managers

    def _prune(self, merged: "JsonObject", managers: Managers, last: FieldSet) -> "JsonObject":
        """Remove what the manager applied last time, not now, and nobody else owns."""
        schema = self.schema
        last = with_named_parents(last, schema)
        present = with_named_parents(field_set(merged, schema), schema)
        # With the fields that nobody owns: what the request names must stay, metadata above all.
        kept = field_set(self.request, schema)
        owned = with_named_parents(
            kept.union(*(ownership.fields for ownership in managers.values())), schema
        )
        pruned = remove(merged, last, schema)
        left = with_named_parents(field_set(pruned, schema), schema)
        pruned = remove(merged, present - (left | owned), schema)
        left = with_named_parents(field_set(pruned, schema), schema)
        # Taking a parent away takes its children too: only those that were applied may go.
        return remove(merged, (present - left) & last, schema)

    def _settle(
        self, merged: "JsonObject", managers: Managers, owner: ManagerId, *, force: bool
    ) -> Managers:
        difference = compare(self.current, merged, self.schema)
        changed = frozenset(difference.added | difference.modified)
        others = {other: held for other, held in managers.items() if other != owner}
        conflicts = [
            (other.describe(held.api_version), path)
            for other, held in others.items()
            for path in held.fields & changed
        ]
        if conflicts and not force:
            raise ApplyConflictError(
                tuple(
                    sorted(Conflict(manager, path_text(path), path) for manager, path in conflicts)
                )
            )
        settled = without_fields(others, changed | difference.removed)
        if managers[owner].fields:
            settled[owner] = managers[owner]
        return settled

    def check_migration(self, error: ApplyConflictError) -> None:
        """Raise the conflicts that client-side apply does not account for, if any."""
        allowed = allowed_by_last_applied(self.current, self.writer.api_version, self.schema)
        left = tuple(item for item in error.conflicts if item.path not in allowed)
        if left:
            raise ApplyConflictError(left) from error


def _without_managers(obj: "JsonObject") -> "JsonObject":
    metadata = obj.get("metadata")
    if isinstance(metadata, dict):
        metadata.pop("managedFields", None)
    return obj


def _with_managers(obj: "JsonObject", managers: Managers) -> "JsonObject":
    metadata = obj.get("metadata")
    if isinstance(metadata, dict) and managers:
        metadata["managedFields"] = encode_managers(managers)
    return obj
