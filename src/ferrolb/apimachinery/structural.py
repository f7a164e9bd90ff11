"""Checks of a custom resource definition's schema: is it structural, and are its defaults valid."""

from collections.abc import Iterator
from enum import Enum
from typing import Final

from ferrolb.apimachinery.field_error import FieldError
from ferrolb.apimachinery.pattern import pattern_error
from ferrolb.apimachinery.schema import apply_defaults, prune
from ferrolb.apimachinery.schema_view import SchemaView
from ferrolb.apimachinery.validation import json_type, validate_part
from ferrolb.model import Json, JsonArray, JsonObject

MAX_SCHEMA_DEPTH: Final = 60
"""Levels of nesting in a definition; each costs frames of the interpreter's stack, and the deepest
definitions in use have fewer than 30."""

_TYPES: Final = ("array", "boolean", "integer", "number", "object", "string")
_JUNCTORS: Final = ("allOf", "anyOf", "oneOf")

_UNSUPPORTED: Final[dict[str, str]] = {
    "$ref": "$ref is not supported",
    "definitions": "definitions is not supported",
    "dependencies": "dependencies is not supported",
    "id": "id is not supported",
    "patternProperties": "patternProperties is not supported",
    "additionalItems": "additionalItems is not supported",
}

_NESTED_FORBIDDEN: Final[dict[str, str]] = {
    "type": "must be empty to be structural",
    "additionalProperties": "must be undefined to be structural",
    "default": "must be undefined to be structural",
    "title": "must be empty to be structural",
    "description": "must be empty to be structural",
    "nullable": "must be false to be structural",
    "x-kubernetes-preserve-unknown-fields": "must be false to be structural",
    "x-kubernetes-embedded-resource": "must be false to be structural",
    "x-kubernetes-int-or-string": "must be false to be structural",
    "x-kubernetes-list-map-keys": "must be empty to be structural",
    "x-kubernetes-list-type": "must be undefined to be structural",
    "x-kubernetes-map-type": "must be undefined to be structural",
}

_INT_OR_STRING: Final[JsonArray] = [{"type": "integer"}, {"type": "string"}]


class _Level(Enum):
    ROOT = "must not be empty at the root"
    ITEM = "must not be empty for specified array items"
    FIELD = "must not be empty for specified object fields"


def check_structural(schema: JsonObject, path: str = "openAPIV3Schema") -> list[FieldError]:
    """Return why `schema`, which stands at `path` of a definition, cannot be served; sorted."""
    errors = list(_check_node(schema, _Level.ROOT, path, MAX_SCHEMA_DEPTH))
    return sorted(errors, key=str)


def _check_node(schema: Json, level: _Level, path: str, depth: int) -> Iterator[FieldError]:
    if not isinstance(schema, dict):
        yield FieldError.invalid(path, schema, "must be a schema object")
        return
    if depth == 0:
        yield FieldError.forbidden(
            path, f"must not be nested deeper than {MAX_SCHEMA_DEPTH} levels"
        )
        return
    yield from _check_type(schema, level, path)
    yield from _check_keywords(schema, path)
    yield from _check_lists(schema, path)
    yield from _check_identity(schema, level, path)
    yield from _check_default(schema, path)
    yield from _check_values(schema, path, depth)
    if schema.get("items") is not None:
        yield from _check_node(schema["items"], _Level.ITEM, f"{path}.items", depth - 1)
    for name, child in _properties(schema).items():
        yield from _check_node(child, _Level.FIELD, f"{path}.properties[{name}]", depth - 1)
    yield from _check_additional(schema, level, path, depth)


def _check_type(schema: JsonObject, level: _Level, path: str) -> Iterator[FieldError]:
    kind = schema.get("type", "")
    embedded = schema.get("x-kubernetes-embedded-resource") is True
    is_free = (
        schema.get("x-kubernetes-int-or-string") is True
        or schema.get("x-kubernetes-preserve-unknown-fields") is True
    )
    if embedded and kind != "object":
        detail = "must be object if x-kubernetes-embedded-resource is true"
        yield _must_be(f"{path}.type", kind, detail)
    elif not kind and not is_free and "$ref" not in schema:
        yield FieldError.required(f"{path}.type", level.value)
    elif kind and level is _Level.ROOT and kind != "object":
        yield FieldError.invalid(f"{path}.type", kind, "must be object at the root")
    if kind and kind not in _TYPES:
        yield FieldError.unsupported(f"{path}.type", kind, _TYPES)
    if kind == "array" and schema.get("items") is None:
        yield FieldError.required(f"{path}.items", "must be specified")


def _must_be(path: str, value: Json, detail: str) -> FieldError:
    return FieldError.invalid(path, value, detail) if value else FieldError.required(path, detail)


def _check_keywords(schema: JsonObject, path: str) -> Iterator[FieldError]:
    for keyword, detail in _UNSUPPORTED.items():
        if keyword in schema:
            yield FieldError.forbidden(f"{path}.{keyword}", detail)
    if schema.get("uniqueItems") is True:
        detail = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic"
        yield FieldError.forbidden(f"{path}.uniqueItems", detail)
    if schema.get("x-kubernetes-int-or-string") is True:
        for keyword in ("x-kubernetes-preserve-unknown-fields", "x-kubernetes-embedded-resource"):
            if schema.get(keyword) is True:
                detail = "must be false if x-kubernetes-int-or-string is true"
                yield FieldError.invalid(f"{path}.{keyword}", value=True, detail=detail)
    keyword = "x-kubernetes-preserve-unknown-fields"
    if schema.get(keyword) is False:
        detail = "must be true or undefined"
        yield FieldError.invalid(f"{path}.{keyword}", value=False, detail=detail)
    is_empty = not _properties(schema) and schema.get(keyword) is not True
    if schema.get("x-kubernetes-embedded-resource") is True and is_empty:
        detail = (
            "must not be empty if x-kubernetes-embedded-resource is true without "
            "x-kubernetes-preserve-unknown-fields"
        )
        yield FieldError.required(f"{path}.properties", detail)
    nullable = schema.get("nullable")
    if nullable is not None and not isinstance(nullable, bool):
        yield FieldError.invalid(f"{path}.nullable", nullable, "must be a boolean")


def _check_lists(schema: JsonObject, path: str) -> Iterator[FieldError]:
    kind = schema.get("x-kubernetes-list-type")
    keys = schema.get("x-kubernetes-list-map-keys")
    if kind is not None and kind not in ("atomic", "map", "set"):
        yield FieldError.unsupported(
            f"{path}.x-kubernetes-list-type", kind, ("atomic", "set", "map")
        )
    if kind is not None and schema.get("type") != "array":
        detail = "must be array if x-kubernetes-list-type is specified"
        yield _must_be(f"{path}.type", schema.get("type"), detail)
    if kind == "map" and not keys:
        detail = "must not be empty if x-kubernetes-list-type is map"
        yield FieldError.required(f"{path}.x-kubernetes-list-map-keys", detail)
    items = schema.get("items")
    if isinstance(items, dict):
        yield from _check_items(items, kind, keys if isinstance(keys, list) else [], path)
    map_type = schema.get("x-kubernetes-map-type")
    if map_type is not None and map_type not in ("atomic", "granular"):
        yield FieldError.unsupported(
            f"{path}.x-kubernetes-map-type", map_type, ("atomic", "granular")
        )


def _check_items(items: JsonObject, kind: Json, keys: JsonArray, path: str) -> Iterator[FieldError]:
    """Entries of a list must be told apart: in a set as a whole, in a map by their keys."""
    here = f"{path}.items"
    shape = {"object": "x-kubernetes-map-type", "array": "x-kubernetes-list-type"}
    keyword = shape.get(str(items.get("type")))
    if kind == "set" and keyword is not None and items.get(keyword) != "atomic":
        detail = "must be atomic as item of a list with x-kubernetes-list-type=set"
        yield FieldError.invalid(f"{here}.{keyword}", items.get(keyword), detail)
    if kind != "map":
        return
    if items.get("type") != "object":
        detail = "must be object if parent array's x-kubernetes-list-type is map"
        yield FieldError.invalid(f"{here}.type", items.get("type"), detail)
        return
    required = items.get("required")
    for key in keys:
        declared = _properties(items).get(str(key))
        if not isinstance(declared, dict):
            detail = "entries must all be names of item properties"
            yield FieldError.invalid(f"{path}.x-kubernetes-list-map-keys", keys, detail)
            return
        if "default" not in declared and not (isinstance(required, list) and key in required):
            detail = (
                "this property is in x-kubernetes-list-map-keys, so it must have a default or be a "
                "required property"
            )
            yield FieldError.required(f"{here}.properties[{key}].default", detail)


def _check_identity(schema: JsonObject, level: _Level, path: str) -> Iterator[FieldError]:
    """What every object has may be restricted at the root and in embedded objects only a little."""
    if level is not _Level.ROOT and schema.get("x-kubernetes-embedded-resource") is not True:
        return
    properties = _properties(schema)
    for name, kind in (("apiVersion", "string"), ("kind", "string"), ("metadata", "object")):
        declared = properties.get(name)
        if isinstance(declared, dict) and declared.get("type") != kind:
            yield FieldError.invalid(
                f"{path}.properties[{name}].type", declared.get("type", ""), f"must be {kind}"
            )
    metadata = properties.get("metadata")
    if level is _Level.ROOT and isinstance(metadata, dict):
        known = set(metadata) - {"type", "properties", "description", "default"}
        if known or set(_properties(metadata)) - {"name", "generateName"}:
            yield FieldError.forbidden(
                f"{path}.properties[metadata]",
                "must not specify anything other than name and generateName, "
                "but metadata is implicitly specified",
            )


def _check_default(schema: JsonObject, path: str) -> Iterator[FieldError]:
    default = schema.get("default")
    if default is None:
        return
    wrapped = SchemaView.of({"type": "object", "properties": {"default": schema}})
    document, unknown = prune({"default": default}, wrapped)
    here = f"{path}.default"
    if unknown:
        yield FieldError.invalid(here, default, "must not have unknown fields")
    filled = apply_defaults(document, wrapped).get("default")
    yield from validate_part(filled, SchemaView.of(schema), field=here)


def _check_values(schema: JsonObject, path: str, depth: int) -> Iterator[FieldError]:
    """Keywords that only restrict values: patterns, junctors, and what may not stand in those."""
    pattern = schema.get("pattern")
    reason = pattern_error(pattern) if isinstance(pattern, str) else None
    if reason is not None:
        detail = f"must be a valid regular expression, but isn't: {reason}"
        yield FieldError.invalid(f"{path}.pattern", pattern, detail)
    takes_both = schema.get("x-kubernetes-int-or-string") is True
    for keyword in _JUNCTORS:
        listed = schema.get(keyword)
        if takes_both and keyword == "anyOf" and listed == _INT_OR_STRING:
            continue  # how int-or-string is spelled, besides its own keyword
        for index, child in enumerate(listed if isinstance(listed, list) else []):
            if takes_both and isinstance(child, dict) and child.get("anyOf") == _INT_OR_STRING:
                continue
            yield from _check_nested(child, f"{path}.{keyword}[{index}]", depth - 1)
    if schema.get("not") is not None:
        yield from _check_nested(schema["not"], f"{path}.not", depth - 1)


def _check_nested(schema: Json, path: str, depth: int) -> Iterator[FieldError]:
    if not isinstance(schema, dict) or depth == 0:
        yield FieldError.invalid(path, json_type(schema), "must be a schema object, not too deep")
        return
    for keyword, detail in _NESTED_FORBIDDEN.items():
        if schema.get(keyword):
            yield FieldError.forbidden(f"{path}.{keyword}", detail)
    yield from _check_values(schema, path, depth)
    for name, child in _properties(schema).items():
        if name == "metadata":
            detail = "must not be specified in a nested context"
            yield FieldError.forbidden(f"{path}.properties[metadata]", detail)
        yield from _check_nested(child, f"{path}.properties[{name}]", depth - 1)
    if schema.get("items") is not None:
        yield from _check_nested(schema["items"], f"{path}.items", depth - 1)


def _check_additional(
    schema: JsonObject, level: _Level, path: str, depth: int
) -> Iterator[FieldError]:
    additional = schema.get("additionalProperties")
    if additional is None:
        return
    here = f"{path}.additionalProperties"
    if level is _Level.ROOT:
        yield FieldError.forbidden(here, "must not be used at the root")
    if _properties(schema):
        yield FieldError.forbidden(here, "additionalProperties and properties are mutual exclusive")
    if isinstance(additional, dict):
        yield from _check_node(additional, _Level.FIELD, here, depth - 1)


def _properties(schema: JsonObject) -> JsonObject:
    properties = schema.get("properties")
    return properties if isinstance(properties, dict) else {}
