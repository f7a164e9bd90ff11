"""Rules for `metadata`, the same for every kind."""

from collections.abc import Mapping
from typing import Final

from ferrolb.apimachinery import FieldError
from ferrolb.devserver.lifetimes import validate_finalizers, validate_owners
from ferrolb.devserver.names import NameRule, label_value_problems, qualified_name_problems
from ferrolb.model import Json, JsonObject

MAX_ANNOTATIONS_BYTES: Final = 256 * 1024
"""Keys and values of all annotations together: the API's own limit, which `apply` relies on."""

IMMUTABLE: Final = ("uid", "deletionTimestamp", "deletionGracePeriodSeconds")
"""What no client sets on an object that is there; other fields of the server's are put back."""


def validate_metadata(
    metadata: JsonObject,
    *,
    rule: NameRule,
    old: JsonObject | None = None,
    is_core: bool = False,
) -> list[FieldError]:
    """Check the parts of metadata that a client may set; `old` is what they were.

    `is_core`: of a kind that came with no definition; those are checked a little more.
    """
    return [
        *(_validate_name(metadata, rule) if old is None or is_core else ()),
        *(() if old is None else _validate_kept(metadata, old)),
        *_validate_labels(metadata.get("labels")),
        *_validate_annotations(metadata.get("annotations")),
        *validate_owners(metadata.get("ownerReferences")),
        *validate_finalizers(metadata, old, are_qualified=is_core),
    ]


def _validate_name(metadata: JsonObject, rule: NameRule) -> list[FieldError]:
    prefix, name = metadata.get("generateName"), metadata.get("name")
    errors = []
    if isinstance(prefix, str) and prefix:
        path = "metadata.generateName"
        errors += [FieldError.invalid(path, prefix, why) for why in rule.prefix_problems(prefix)]
    path = "metadata.name"
    if not isinstance(name, str) or not name:
        return [*errors, FieldError.required(path, "name or generateName is required")]
    return [*errors, *(FieldError.invalid(path, name, why) for why in rule.problems(name))]


def _validate_kept(metadata: JsonObject, old: JsonObject) -> list[FieldError]:
    return [
        FieldError.invalid(f"metadata.{field}", metadata[field], "field is immutable")
        for field in IMMUTABLE
        if metadata.get(field) not in (None, "", old.get(field))
        and not (field != "uid" and old.get("deletionTimestamp"))
    ]


def _strings(value: Json, path: str) -> tuple[Mapping[str, str], list[FieldError]]:
    """Return the string members of a map, and an error for each other one."""
    if value is None:
        return {}, []
    if not isinstance(value, dict):
        return {}, [FieldError.invalid(path, value, "must be a map of strings")]
    strings = {key: text for key, text in value.items() if isinstance(text, str)}
    wrong = [
        FieldError.invalid(f"{path}.{key}", text, "must be a string")
        for key, text in value.items()
        if not isinstance(text, str)
    ]
    return strings, wrong


def _validate_labels(labels: Json) -> list[FieldError]:
    path = "metadata.labels"
    strings, errors = _strings(labels, path)
    for key, value in strings.items():
        errors += [FieldError.invalid(path, key, text) for text in qualified_name_problems(key)]
        errors += [FieldError.invalid(path, value, text) for text in label_value_problems(value)]
    return errors


def _validate_annotations(annotations: Json) -> list[FieldError]:
    path = "metadata.annotations"
    strings, errors = _strings(annotations, path)
    size = 0
    for key, value in strings.items():
        problems = qualified_name_problems(key.lower())
        errors += [FieldError.invalid(path, key, text) for text in problems]
        size += len(key.encode()) + len(value.encode())
    if size > MAX_ANNOTATIONS_BYTES:
        errors.append(FieldError.too_long(path, MAX_ANNOTATIONS_BYTES))
    return errors
