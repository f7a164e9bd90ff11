"""Label and field selectors of a request as one predicate."""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from ferrolb.apimachinery import (
    SelectorError,
    field_labels,
    parse_field_selector,
    parse_label_selector,
)
from ferrolb.devserver.statuses import bad_request
from ferrolb.model import JsonObject

if TYPE_CHECKING:
    from ferrolb.apimachinery import FieldSelector
    from ferrolb.devserver.calls import Call
    from ferrolb.model import LabelSelector

Predicate = Callable[[JsonObject], bool]


def predicate_of(call: "Call") -> Predicate | None:
    """Return what objects must satisfy, as stored; None: all are wanted.

    Raises:
        ApiError: 400, a selector cannot be read, or names a field that is not supported.
    """
    labels_text = call.query.get("labelSelector", "")
    fields_text = call.query.get("fieldSelector", "")
    if not labels_text and not fields_text:
        return None
    resource = call.resource
    known = field_labels(resource.group, resource.kind, resource.selectable_fields)
    if resource.traits.is_custom:
        known = replace(known, is_metadata_only=False)
    try:
        labels = parse_label_selector(labels_text)
        fields = parse_field_selector(fields_text, known)
    except SelectorError as error:
        raise bad_request(str(error)) from error
    return _Predicate(labels, fields)


class _Predicate:
    def __init__(self, labels: "LabelSelector", fields: "FieldSelector") -> None:
        self._labels = labels
        self._fields = fields

    def __call__(self, obj: JsonObject) -> bool:
        return self._fields.matches(obj) and self._labels.matches(labels_of(obj))


def labels_of(obj: JsonObject) -> dict[str, str]:
    """Return the labels of an object that are strings."""
    metadata = obj.get("metadata")
    labels = metadata.get("labels") if isinstance(metadata, dict) else None
    if not isinstance(labels, dict):
        return {}
    return {key: value for key, value in labels.items() if isinstance(value, str)}
