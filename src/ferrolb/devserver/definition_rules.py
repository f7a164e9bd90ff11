"""What is wrong with a definition of custom resources, in an API server's words."""

import re
from collections.abc import Iterator
from typing import Final

from ferrolb.apimachinery import (
    FieldError,
    SchemaView,
    check_structural,
    compile_rules,
    custom_resource_schema,
)
from ferrolb.devserver.names import name_problems_label_1035, name_problems_subdomain
from ferrolb.devserver.schemas import builtin_components
from ferrolb.devserver.strategies import member_of, metadata_of
from ferrolb.model import Json, JsonObject

SCOPES: Final = ("Cluster", "Namespaced")

MAX_VERSIONS: Final = 32
"""Versions of one definition; each has a schema that is compiled and kept."""

MAX_WARNING: Final = 256
"""Characters of a deprecation's text, as the API has it."""

_APPROVAL: Final = "api-approved.kubernetes.io"
_APPROVAL_TEXT: Final = (
    f'protected groups must have approval annotation "{_APPROVAL}"{{}}, see '
    "https://github.com/kubernetes/enhancements/pull/1111"
)
_PROTECTED: Final = (".k8s.io", ".kubernetes.io")
"""Ends of groups that are Kubernetes' own."""

_COLUMN_TYPES: Final = ("boolean", "date", "integer", "number", "string")
_COLUMN_FORMATS: Final = (
    "byte",
    "date",
    "date-time",
    "double",
    "float",
    "int32",
    "int64",
    "password",
)
_ONE_STORED: Final = "must have exactly one version marked as storage version"
_UNIQUE: Final = "must contain unique version names"
_NO_STORED: Final = "must have at least one stored version"
_MIXED_CASE: Final = "may have mixed case, but should otherwise match: "
_SELECTABLE: Final = (
    "must point to a field of type string, boolean or integer. Enum string fields and strings with "
    "formats are allowed."
)
_SIMPLE_PATH: Final = re.compile(r"(\.[A-Za-z_][A-Za-z0-9_-]*)+")


def versions_of(spec: JsonObject) -> Iterator[tuple[int, JsonObject]]:
    """Give the versions of a definition, with their places in the list."""
    for index, version in enumerate(list_of(spec, "versions")):
        if isinstance(version, dict):
            yield index, version


def list_of(obj: JsonObject, name: str) -> list[Json]:
    """Return a list inside an object, empty where there is none."""
    value = obj.get(name)
    return value if isinstance(value, list) else []


def schema_of(version: JsonObject) -> JsonObject | None:
    """Return the schema of a version, None without one."""
    schema = member_of(version, "schema").get("openAPIV3Schema")
    return schema if isinstance(schema, dict) else None


def validate_definition(obj: JsonObject, old: JsonObject | None) -> list[FieldError]:
    """Return what is wrong with a definition, which before was `old`."""
    spec = member_of(obj, "spec")
    return [
        *(_validate_name(obj, spec) if old is None else ()),
        *_validate_group(obj, spec),
        *_validate_scope(spec),
        *_validate_versions(spec),
        *_validate_names(member_of(spec, "names")),
        *_validate_conversion(member_of(spec, "conversion")),
        *(_validate_unchanged(spec, old) if old is not None else ()),
        *_validate_stored(spec, member_of(obj, "status")),
    ]


def _validate_name(obj: JsonObject, spec: JsonObject) -> Iterator[FieldError]:
    name = metadata_of(obj).get("name")
    plural = member_of(spec, "names").get("plural") or ""
    if name != f"{plural}.{spec.get('group') or ''}":
        yield FieldError.invalid("metadata.name", name, 'must be spec.names.plural+"."+spec.group')


def _validate_group(obj: JsonObject, spec: JsonObject) -> Iterator[FieldError]:
    group = str(spec.get("group") or "")
    problems = name_problems_subdomain(group)
    if not group:
        yield FieldError.required("spec.group")
    elif problems:
        yield from (FieldError.invalid("spec.group", group, why) for why in problems)
    elif "." not in group:
        yield FieldError.invalid("spec.group", group, "should be a domain with at least one dot")
    if spec.get("preserveUnknownFields") is True:
        detail = (
            "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in "
            "spec.versions[*].schema instead"
        )
        yield FieldError.invalid("spec.preserveUnknownFields", value=True, detail=detail)
    if group.endswith(_PROTECTED):
        yield from _validate_approval(obj)


def _validate_approval(obj: JsonObject) -> Iterator[FieldError]:
    path = f"metadata.annotations[{_APPROVAL}]"
    given = str(member_of(metadata_of(obj), "annotations").get(_APPROVAL) or "")
    if not given:
        yield FieldError.required(path, _APPROVAL_TEXT.format(""))
    elif not given.startswith(("https://", "http://", "unapproved")):
        how = ' with either a URL or a reason starting with "unapproved"'
        yield FieldError.invalid(path, given, _APPROVAL_TEXT.format(how))


def _validate_scope(spec: JsonObject) -> Iterator[FieldError]:
    scope = spec.get("scope")
    if not scope:
        yield FieldError.required("spec.scope")
    elif scope not in SCOPES:
        yield FieldError.unsupported("spec.scope", scope, SCOPES)


def _validate_names(names: JsonObject) -> Iterator[FieldError]:
    for member in ("plural", "singular", "kind", "listKind"):
        path, value = f"spec.names.{member}", str(names.get(member) or "")
        if not value:
            yield FieldError.required(path)
        elif member in ("plural", "singular"):
            yield from _label_errors(path, value)
        else:
            for why in name_problems_label_1035(value.lower()):
                yield FieldError.invalid(path, value, _MIXED_CASE + why)
    for member in ("shortNames", "categories"):
        for index, name in enumerate(list_of(names, member)):
            yield from _label_errors(f"spec.names.{member}[{index}]", str(name))
    if names.get("kind") and names.get("kind") == names.get("listKind"):
        detail = "kind and listKind may not be the same"
        yield FieldError.invalid("spec.names.listKind", names.get("listKind"), detail)


def _label_errors(path: str, value: str) -> Iterator[FieldError]:
    return (FieldError.invalid(path, value, why) for why in name_problems_label_1035(value))


def _validate_conversion(conversion: JsonObject) -> Iterator[FieldError]:
    strategy, webhook = conversion.get("strategy"), conversion.get("webhook")
    if strategy == "Webhook":
        detail = "this server calls no webhooks"
        yield FieldError.forbidden("spec.conversion.strategy", detail)
    elif strategy not in ("None", None):
        known = ["None", "Webhook"]
        yield FieldError.unsupported("spec.conversion.strategy", strategy, known)
    elif webhook is not None:
        detail = "should not be set when strategy is not set to Webhook"
        for member in ("webhookClientConfig", "conversionReviewVersions"):
            yield FieldError.forbidden(f"spec.conversion.{member}", detail)


def _validate_unchanged(spec: JsonObject, old: JsonObject) -> Iterator[FieldError]:
    before = member_of(old, "spec")
    names, old_names = member_of(spec, "names"), member_of(before, "names")
    for path, new_value, old_value in (
        ("spec.scope", spec.get("scope"), before.get("scope")),
        ("spec.names.kind", names.get("kind"), old_names.get("kind")),
        ("spec.group", spec.get("group"), before.get("group")),
        ("spec.names.plural", names.get("plural"), old_names.get("plural")),
    ):
        if new_value != old_value:
            yield FieldError.invalid(path, new_value, "field is immutable")


def _validate_stored(spec: JsonObject, status: JsonObject) -> Iterator[FieldError]:
    stored = list_of(status, "storedVersions")
    names = [version.get("name") for _, version in versions_of(spec)]
    if not stored:
        yield FieldError.invalid("status.storedVersions", None, _NO_STORED)
    for index, name in enumerate(stored):
        if name not in names:
            detail = (
                f"missing from spec.versions; {name} was previously a storage version, and must "
                "remain in spec.versions until a storage migration ensures no data remains "
                f"persisted in {name} and removes {name} from status.storedVersions"
            )
            yield FieldError.invalid(f"status.storedVersions[{index}]", name, detail)


def _validate_versions(spec: JsonObject) -> Iterator[FieldError]:
    versions = list(versions_of(spec))
    names = [version.get("name") for _, version in versions]
    if len(versions) > MAX_VERSIONS:
        yield FieldError.too_many("spec.versions", len(versions), MAX_VERSIONS)
        return
    if sum(1 for _, version in versions if version.get("storage") is True) != 1:
        yield FieldError.invalid("spec.versions", [*names], _ONE_STORED)
    if len(set(map(str, names))) != len(names):
        yield FieldError.invalid("spec.versions", [*names], _UNIQUE)
    for index, version in versions:
        path = f"spec.versions[{index}]"
        yield from _label_errors(f"{path}.name", str(version.get("name") or ""))
        yield from _validate_deprecation(version, path)
        # what a sole version has is told as the whole definition's
        here = "spec" if len(versions) == 1 else path
        yield from _validate_schema(version, path, here)
        yield from _validate_scale(member_of(version, "subresources"), f"{here}.subresources")
        yield from _validate_columns(version, f"{here}.additionalPrinterColumns")
        yield from _validate_selectable(version, f"{here}.selectableFields")


def _validate_deprecation(version: JsonObject, path: str) -> Iterator[FieldError]:
    text, here = version.get("deprecationWarning"), f"{path}.deprecationWarning"
    if not isinstance(text, str):
        return
    odd = next((index for index, mark in enumerate(text) if not mark.isprintable()), None)
    if version.get("deprecated") is not True:
        yield FieldError.invalid(here, text, "can only be set for deprecated versions")
    elif not text:
        yield FieldError.invalid(here, text, "must not be an empty string")
    elif len(text) > MAX_WARNING:
        detail = f"must be <= {MAX_WARNING} characters in length"
        yield FieldError.invalid(here, text, detail)
    elif odd is not None:
        detail = (
            "must only contain printable UTF-8 characters; non-printable character found at index "
            f"{odd}"
        )
        yield FieldError.invalid(here, text, detail)


def _validate_schema(version: JsonObject, path: str, here: str) -> Iterator[FieldError]:
    schema = schema_of(version)
    if schema is None:
        yield FieldError.required(f"{path}.schema.openAPIV3Schema")
        return
    place = f"{here}.{'validation' if here == 'spec' else 'schema'}.openAPIV3Schema"
    problems = check_structural(schema, place)
    yield from problems
    if not problems:
        view = SchemaView.of(custom_resource_schema(schema), builtin_components())
        yield from compile_rules(view, place).errors


def _validate_scale(subresources: JsonObject, path: str) -> Iterator[FieldError]:
    scale = subresources.get("scale")
    if not isinstance(scale, dict):
        return
    for member, root in (
        ("specReplicasPath", ".spec"),
        ("statusReplicasPath", ".status"),
        ("labelSelectorPath", ""),
    ):
        value, here = str(scale.get(member) or ""), f"{path}.scale.{member}"
        if not value and root:
            yield FieldError.required(here)
        elif value and not value.startswith("."):
            detail = "must be a simple json path starting with ."
            yield FieldError.invalid(here, value, detail)
        elif value and root and not value.startswith(f"{root}."):
            yield FieldError.invalid(here, value, f"should be a json path under {root}")


def _validate_columns(version: JsonObject, path: str) -> Iterator[FieldError]:
    types = f"must be one of {','.join(_COLUMN_TYPES)}"
    for index, column in enumerate(list_of(version, "additionalPrinterColumns")):
        members = column if isinstance(column, dict) else {}
        here = f"{path}[{index}]"
        kind, form = members.get("type"), members.get("format")
        place = str(members.get("jsonPath") or "")
        if not members.get("name"):
            yield FieldError.required(f"{here}.name")
        if not kind:
            yield FieldError.required(f"{here}.type", types)
        elif kind not in _COLUMN_TYPES:
            yield FieldError.invalid(f"{here}.type", kind, types)
        if form and form not in _COLUMN_FORMATS:
            detail = f"must be one of {','.join(_COLUMN_FORMATS)}"
            yield FieldError.invalid(f"{here}.format", form, detail)
        if not place:
            yield FieldError.required(f"{here}.JSONPath")
        elif not place.startswith("."):
            detail = "must be a simple json path starting with ."
            yield FieldError.invalid(f"{here}.JSONPath", place, detail)


def _validate_selectable(version: JsonObject, path: str) -> Iterator[FieldError]:
    seen: set[str] = set()
    for index, selectable in enumerate(list_of(version, "selectableFields")):
        value = selectable.get("jsonPath") if isinstance(selectable, dict) else None
        place, here = str(value or ""), f"{path}[{index}].jsonPath"
        if not place:
            yield FieldError.required(here)
        elif place in seen:
            yield FieldError.duplicate(here, place)
        else:
            yield from _validate_field(schema_of(version) or {}, place, here)
        seen.add(place)


def _validate_field(schema: JsonObject, place: str, path: str) -> Iterator[FieldError]:
    node: JsonObject = schema
    if not place.startswith("."):
        detail = f"is an invalid path: expected [ or . but got: {place}"
        yield FieldError.invalid(path, place, detail)
        return
    steps = place[1:].split(".") if _SIMPLE_PATH.fullmatch(place) else []
    for step in steps:
        node = member_of(member_of(node, "properties"), step)
    if not node or not steps or steps[0] == "metadata":
        detail = "is an invalid path: does not refer to a valid field"
        yield FieldError.invalid(path, place, detail)
    elif node.get("type") not in ("string", "boolean", "integer"):
        yield FieldError.invalid(path, place, _SELECTABLE)
