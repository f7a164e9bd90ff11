"""The annotation of client-side apply, which `kubectl apply --server-side` takes over from."""

import json
from typing import TYPE_CHECKING, Final

from ferrolb.apimachinery.applied import check_applied
from ferrolb.apimachinery.document import object_at, text_at
from ferrolb.apimachinery.errors import PatchError
from ferrolb.apimachinery.fieldset import NO_FIELDS, FieldSet
from ferrolb.apimachinery.structure import compare, field_set

if TYPE_CHECKING:
    from ferrolb.apimachinery.schema_view import SchemaView
    from ferrolb.model import Json, JsonObject

LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"


def allowed_by_last_applied(
    current: "JsonObject", api_version: str, schema: "SchemaView"
) -> FieldSet:
    """Return the fields that client-side apply has set and that are still as it set them.

    kubectl may take those from their owner without force: it is itself who wrote them.
    """
    try:
        last: Json = json.loads(text_at(current, "metadata", "annotations", LAST_APPLIED))
    except (ValueError, RecursionError):
        return NO_FIELDS
    if not isinstance(last, dict) or last.get("apiVersion") != api_version:
        return NO_FIELDS
    try:
        check_applied(last, schema)
    except PatchError:
        return NO_FIELDS
    difference = compare(last, current, schema)
    return field_set(last, schema) - difference.modified - difference.added - difference.removed


def refresh_last_applied(obj: "JsonObject", request: "JsonObject") -> None:
    """Write `request` to the annotation of `obj`, where it has one, for older clients."""
    annotations = object_at(obj, "metadata", "annotations")
    if not annotations.get(LAST_APPLIED):
        return
    metadata = object_at(request, "metadata")
    kept = {
        name: value
        for name, value in object_at(metadata, "annotations").items()
        if name != LAST_APPLIED
    }
    written = {**request, "metadata": {**metadata, "annotations": kept}}
    annotations[LAST_APPLIED] = json.dumps(written, separators=(",", ":"), sort_keys=True) + "\n"
