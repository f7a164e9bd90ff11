"""The rules of `metadata`: what the server sets, what no caller may change, what ends an object."""

from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING, Final

from ferrolb.store.codec import encode
from ferrolb.store.errors import ConflictError, Precondition
from ferrolb.store.key import ResourceId

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from ferrolb.model import JsonObject
    from ferrolb.store.key import ObjectKey

NAMESPACES: Final = ResourceId("", "namespaces")

_DELETION_FIELDS: Final = ("deletionTimestamp", "deletionGracePeriodSeconds")
_IMMUTABLE_FIELDS: Final = ("uid", "creationTimestamp", "generation", *_DELETION_FIELDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Preconditions:
    """What must hold of the stored object for a write to take place; None asks for nothing."""

    uid: str | None = None
    resource_version: str | None = None

    def check(self, key: "ObjectKey", obj: "JsonObject") -> None:
        """Raise `ConflictError` unless they hold of `obj`."""
        metadata = metadata_of(obj)
        for precondition, expected, field in (
            (Precondition.UID, self.uid, "uid"),
            (Precondition.RESOURCE_VERSION, self.resource_version, "resourceVersion"),
        ):
            actual = str(metadata.get(field, ""))
            if expected is not None and expected != actual:
                raise ConflictError(key, precondition, expected=expected, actual=actual)


NO_PRECONDITIONS: Final = Preconditions()


def timestamp(now: "datetime") -> str:
    """Write a point in time as the API does: UTC, whole seconds."""
    return now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def metadata_of(obj: "JsonObject") -> "JsonObject":
    """Return a copy of `metadata`, one level deep; empty when there is none."""
    metadata = obj.get("metadata")
    return dict(metadata) if isinstance(metadata, dict) else {}


def with_resource_version(obj: "JsonObject", resource_version: int) -> "JsonObject":
    """Return the object with another `metadata.resourceVersion`."""
    return {**obj, "metadata": {**metadata_of(obj), "resourceVersion": str(resource_version)}}


def has_finalizers(key: "ObjectKey", obj: "JsonObject") -> bool:
    """Tell whether something must still happen before the object goes.

    A Namespace is held by `spec.finalizers` as well.
    """
    if metadata_of(obj).get("finalizers"):
        return True
    spec = obj.get("spec")
    return key.resource == NAMESPACES and isinstance(spec, dict) and bool(spec.get("finalizers"))


def with_finalizers(obj: "JsonObject", choose: "Callable[[list[str]], list[str]]") -> "JsonObject":
    """Return the object with the finalizers that are chosen from its own, itself if all stay."""
    metadata = metadata_of(obj)
    found = metadata.get("finalizers")
    given = [one for one in found if isinstance(one, str)] if isinstance(found, list) else []
    chosen = choose(given)
    if chosen == given:
        return obj
    metadata["finalizers"] = [*chosen]
    return {**obj, "metadata": metadata}


def is_terminating(obj: "JsonObject") -> bool:
    """Tell whether the object has been deleted and waits for its finalizers."""
    return metadata_of(obj).get("deletionTimestamp") is not None


def created(
    key: "ObjectKey", obj: "JsonObject", *, uid: str, now: "datetime", has_generation: bool
) -> "JsonObject":
    """Return a new object with the metadata that the server sets."""
    metadata = metadata_of(obj)
    for field in (*_DELETION_FIELDS, "generation", "resourceVersion", "selfLink"):
        metadata.pop(field, None)
    metadata |= {"uid": uid, "creationTimestamp": timestamp(now)}
    if has_generation:
        metadata["generation"] = 1
    return {**obj, "metadata": _named(key, metadata)}


def updated(
    key: "ObjectKey", stored: "JsonObject", obj: "JsonObject", *, generation_changed: bool | None
) -> "JsonObject":
    """Return `obj` with the metadata it cannot change, and the generation it comes to.

    When it differs from `stored` in nothing but the time of managed fields, those stay too.
    """
    old = metadata_of(stored)
    metadata = metadata_of(obj)
    metadata.pop("selfLink", None)
    for field in (*_IMMUTABLE_FIELDS, "resourceVersion"):
        metadata.pop(field, None)
        if field in old:
            metadata[field] = old[field]
    candidate: JsonObject = {**obj, "metadata": _named(key, metadata)}
    if generation_changed is None:
        generation_changed = encode(_desired(stored)) != encode(_desired(obj))
    generation = old.get("generation")
    if generation_changed and isinstance(generation, int):
        metadata["generation"] = generation + 1
    untimed = _untimed(candidate)
    if untimed is not None and untimed == _untimed(stored):
        metadata["managedFields"] = old["managedFields"]
    return candidate


def terminating(key: "ObjectKey", stored: "JsonObject", *, now: "datetime") -> "JsonObject":
    """Return the object as marked for deletion; the phase of a Namespace says so as well."""
    metadata = metadata_of(stored)
    metadata |= {"deletionTimestamp": timestamp(now), "deletionGracePeriodSeconds": 0}
    generation = metadata.get("generation")
    if isinstance(generation, int):
        metadata["generation"] = generation + 1
    obj: JsonObject = {**stored, "metadata": metadata}
    if key.resource == NAMESPACES:
        status = stored.get("status")
        obj["status"] = {**(status if isinstance(status, dict) else {}), "phase": "Terminating"}
    return obj


def _named(key: "ObjectKey", metadata: "JsonObject") -> "JsonObject":
    metadata["name"] = key.name
    metadata.pop("namespace", None)
    if key.namespace:
        metadata["namespace"] = key.namespace
    return metadata


def _desired(obj: "JsonObject") -> "JsonObject":
    return {field: obj[field] for field in obj if field not in ("metadata", "status")}


def _untimed(obj: "JsonObject") -> bytes | None:
    """Encode the object without the times in its managed fields; None when it has none."""
    metadata = metadata_of(obj)
    entries = metadata.get("managedFields")
    if not isinstance(entries, list):
        return None
    metadata["managedFields"] = [
        {field: entry[field] for field in entry if field != "time"}
        if isinstance(entry, dict)
        else entry
        for entry in entries
    ]
    return encode({**obj, "metadata": metadata})
