"""`metadata.managedFields`: who owns which fields of an object."""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Final, TypeAlias

from ferrolb.apimachinery.document import object_at
from ferrolb.apimachinery.errors import ManagedFieldsError
from ferrolb.apimachinery.fieldset import FieldSet, decode_fields, encode_fields
from ferrolb.model import Json, JsonObject, quote

if TYPE_CHECKING:
    from datetime import datetime

MAX_UPDATE_MANAGERS: Final = 10
"""Entries of ordinary writers that an object keeps, as the API server has it. The oldest above it
are merged into one, so that clients with ever new names cannot make an object grow."""

_ANCIENT: Final = "ancient-changes"

_FIELDS_TYPE: Final = "FieldsV1"


class Operation(StrEnum):
    """How a manager came to own its fields."""

    APPLY = "Apply"
    UPDATE = "Update"


@dataclass(frozen=True, slots=True)
class ManagerId:
    """What makes two entries the same; for Apply the version is not part of it, and empty."""

    name: str
    operation: Operation
    api_version: str = ""
    subresource: str = ""

    def describe(self, api_version: str) -> str:
        """Return the manager as conflicts name it: `"kubectl" using v1`."""
        text = quote(self.name)
        if self.subresource:
            text = f"{text} with subresource {quote(self.subresource)}"
        return f"{text} using {api_version}" if self.operation is Operation.UPDATE else text


@dataclass(frozen=True, slots=True)
class Ownership:
    """The fields of one manager, in which version it wrote them, and when."""

    fields: FieldSet
    api_version: str
    time: str | None = None


Managers: TypeAlias = dict[ManagerId, Ownership]


def manager_id(
    name: str, operation: Operation, api_version: str, subresource: str = ""
) -> ManagerId:
    """Return the identity of a manager's entry; a client without a name is `unknown`."""
    version = api_version if operation is Operation.UPDATE else ""
    return ManagerId(name or "unknown", operation, version, subresource)


def time_text(now: "datetime") -> str:
    """Return `now`, which must be UTC, as managedFields has it."""
    return now.strftime("%Y-%m-%dT%H:%M:%SZ")


def decode_managers(obj: JsonObject) -> Managers:
    """Read the managedFields of an object; none gives an empty mapping.

    Raises:
        ManagedFieldsError: an entry is not well formed.
    """
    encoded = object_at(obj, "metadata").get("managedFields")
    if encoded is None:
        return {}
    if not isinstance(encoded, list):
        msg = "metadata.managedFields must be a list"
        raise ManagedFieldsError(msg)
    return dict(_decode_entry(entry, place) for place, entry in enumerate(encoded))


def _decode_entry(entry: Json, place: int) -> tuple[ManagerId, Ownership]:
    if not isinstance(entry, dict):
        msg = f"managed fields entry {place} is not an object"
        raise ManagedFieldsError(msg)
    try:
        operation = Operation(_text(entry, "operation"))
    except ValueError:
        msg = "operation must be `Apply` or `Update`"
        raise ManagedFieldsError(msg) from None
    api_version = _text(entry, "apiVersion")
    if not api_version:
        msg = "apiVersion must not be empty"
        raise ManagedFieldsError(msg)
    if entry.get("fieldsType") != _FIELDS_TYPE:
        found = quote(_text(entry, "fieldsType"))
        msg = f"invalid fieldsType {found} in managed fields entry {place}"
        raise ManagedFieldsError(msg)
    owner = ManagerId(
        _text(entry, "manager"),
        operation,
        api_version if operation is Operation.UPDATE else "",
        _text(entry, "subresource"),
    )
    fields = decode_fields(entry.get("fieldsV1") or {})
    return owner, Ownership(fields, api_version, _text(entry, "time") or None)


def _text(entry: JsonObject, name: str) -> str:
    value = entry.get(name, "")
    if not isinstance(value, str):
        msg = f"{name} of a managed fields entry must be a string"
        raise ManagedFieldsError(msg)
    return value


def encode_managers(managers: Managers) -> list[Json]:
    """Return the entries for managedFields: appliers first, then by time and name."""
    ordered = sorted(
        managers.items(),
        key=lambda item: (
            item[0].operation,
            item[1].time or "",
            item[0].name,
            item[1].api_version,
            item[0].subresource,
        ),
    )
    return [_encode_entry(owner, ownership) for owner, ownership in ordered]


def _encode_entry(owner: ManagerId, ownership: Ownership) -> JsonObject:
    entry: JsonObject = {
        "manager": owner.name,
        "operation": owner.operation.value,
        "apiVersion": ownership.api_version,
    }
    if ownership.time is not None:
        entry["time"] = ownership.time
    entry["fieldsType"] = _FIELDS_TYPE
    entry["fieldsV1"] = encode_fields(ownership.fields)
    if owner.subresource:
        entry["subresource"] = owner.subresource
    return entry


def without_fields(managers: Managers, lost: FieldSet) -> Managers:
    """Take `lost` from every manager; who has nothing left is gone."""
    kept = {
        owner: replace(ownership, fields=ownership.fields - lost)
        for owner, ownership in managers.items()
    }
    return {owner: ownership for owner, ownership in kept.items() if ownership.fields}


def cap_updaters(managers: Managers) -> Managers:
    """Merge the oldest ordinary writers of a version into one until few enough are left."""
    updaters = sorted(
        (owner for owner in managers if owner.operation is Operation.UPDATE),
        key=lambda owner: (managers[owner].time or "", owner.name, owner.subresource),
    )
    excess = len(updaters) - MAX_UPDATE_MANAGERS
    capped = dict(managers)
    first: dict[str, ManagerId] = {}
    for owner in updaters:
        if excess <= 0:
            break
        oldest = first.setdefault(owner.api_version, owner)
        if oldest is owner:
            continue
        bucket = ManagerId(_ANCIENT, Operation.UPDATE, owner.api_version)
        merged = capped.pop(owner)
        for part in {oldest, bucket} & capped.keys():
            merged = replace(merged, fields=merged.fields | capped.pop(part).fields)
        capped[bucket] = merged
        excess -= 1
    return capped
