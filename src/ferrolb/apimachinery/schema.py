"""Pruning and defaulting by a schema, and the words for fields that it does not have."""

from typing import TYPE_CHECKING, Final

from ferrolb.apimachinery.document import copy_json
from ferrolb.apimachinery.schema_walk import join_path

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ferrolb.apimachinery.schema_view import SchemaView
    from ferrolb.model import Json, JsonArray, JsonObject

OBJECT_META: Final = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"

_MEANT_EMPTY: Final = frozenset({"managedFields"})
"""Lists that say something by being empty: that all ownership is to be forgotten."""

_IDENTITY_FIELDS: Final = frozenset({"apiVersion", "kind", "metadata"})


def custom_resource_schema(schema: "JsonObject") -> "JsonObject":
    """Return a definition's schema with what every object has: apiVersion, kind, metadata.

    `metadata` becomes a reference to the API's own ObjectMeta, which the components of a view of
    the result must contain. What the definition says of metadata itself (a pattern for the name)
    gives way to it.
    """
    properties = schema.get("properties")
    return {
        **schema,
        "type": "object",
        "properties": {
            **(properties if isinstance(properties, dict) else {}),
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"$ref": f"#/components/schemas/{OBJECT_META}"},
        },
    }


def prune(obj: "JsonObject", schema: "SchemaView") -> "tuple[JsonObject, list[str]]":
    """Return `obj` without the fields that `schema` does not have, and their paths, sorted.

    `obj` stays as it is; the result may share parts with it.
    """
    unknown: list[str] = []
    pruned = _prune_object(obj, schema, "", unknown)
    return pruned, sorted(unknown)


def strict_errors(unknown: "Sequence[str]", duplicates: "Sequence[str]" = ()) -> list[str]:
    """Return one text a field that strict field validation refuses; warnings use them alone."""
    return [f'duplicate field "{path}"' for path in duplicates] + [
        f'unknown field "{path}"' for path in unknown
    ]


def strict_error_text(errors: "Sequence[str]") -> str:
    """Return the message of the 400 that strict field validation answers."""
    return f"strict decoding error: {', '.join(errors)}"


def apply_defaults(obj: "JsonObject", schema: "SchemaView") -> "JsonObject":
    """Return `obj` with the defaults of a custom resource's schema filled in.

    A null where the schema allows none is replaced by the default, or left out. The API's own
    types are left alone: their defaults are the business of the server's code.
    """
    return _default_object(obj, schema)


def _prune(value: "Json", schema: "SchemaView | None", path: str, unknown: list[str]) -> "Json":
    if isinstance(value, dict):
        if schema is None:
            unknown.extend(join_path(path, key) for key in value)
            return {}
        return _prune_object(value, schema, path, unknown)
    if isinstance(value, list):
        if schema is not None and schema.is_open:
            return value
        items = schema.items() if schema is not None else None
        if items is None and schema is not None and schema.preserve_unknown:
            return value
        return [
            _prune(item, items, f"{path}[{index}]", unknown) for index, item in enumerate(value)
        ]
    return value


def _prune_object(
    value: "JsonObject", schema: "SchemaView", path: str, unknown: list[str]
) -> "JsonObject":
    if schema.is_open:
        return value
    pruned: JsonObject = {}
    for key, item in value.items():
        if schema.is_builtin and _is_nothing(key, item, schema):
            continue
        if schema.embedded_resource and key in _IDENTITY_FIELDS:
            pruned[key] = item
        elif (known := schema.member(key)) is not None:
            value_kept = _prune(item, known, join_path(path, key), unknown)
            pruned[key] = _zero(known) if value_kept is None else value_kept
        elif schema.preserve_unknown:
            pruned[key] = item
        elif schema.raw.get("additionalProperties"):
            # A bare `true` allows any key, but says nothing of fields below.
            pruned[key] = _prune(item, None, join_path(path, key), unknown)
        else:
            unknown.append(join_path(path, key))
    return pruned


def _is_nothing(name: str, value: "Json", schema: "SchemaView") -> bool:
    """Tell whether a field of the API's own types is as good as absent.

    Those types do not tell null from a field that is not there, nor an empty list or map, unless
    they ask for it.
    """
    known = schema.property(name)
    if known is not None and value is None:
        return True
    required = schema.raw.get("required")
    if known is None or name in _MEANT_EMPTY or (isinstance(required, list) and name in required):
        return False
    return (value == [] and known.type == "array") or (
        value == {} and bool(known.raw.get("additionalProperties"))
    )


def _zero(schema: "SchemaView") -> "Json":
    """Return what a null in a map comes to: a text of the API's own types is empty."""
    return "" if schema.is_builtin and schema.type == "string" else None


def with_zeros(value: "JsonObject", schema: "SchemaView") -> "JsonObject":
    """Return an object whose nulls in maps of texts are what the API's own types read: empty."""
    result: JsonObject = {}
    for key, item in value.items():
        known = schema.member(key)
        if item is None and known is not None and schema.property(key) is None:
            result[key] = _zero(known)
        elif isinstance(item, dict) and known is not None:
            result[key] = with_zeros(item, known)
        else:
            result[key] = item
    return result


def _default(value: "Json", schema: "SchemaView | None") -> "Json":
    if schema is None or schema.is_builtin:
        return value
    if isinstance(value, dict):
        return _default_object(value, schema)
    if isinstance(value, list):
        return _default_array(value, schema.items())
    return value


def _default_object(value: "JsonObject", schema: "SchemaView") -> "JsonObject":
    result: JsonObject = {}
    for key, item in value.items():
        known = schema.member(key)
        if item is None and known is not None and not known.nullable and not known.is_builtin:
            fallback = _default_of(known)
            if fallback is not None:
                result[key] = _default(fallback, known)
        else:
            result[key] = _default(item, known)
    for name in schema.property_names():
        known = schema.property(name)
        if name not in value and known is not None and not known.is_builtin:
            fallback = _default_of(known)
            if fallback is not None:
                result[name] = _default(fallback, known)
    return result


def _default_array(value: "JsonArray", items: "SchemaView | None") -> "JsonArray":
    if items is None:
        return value
    return [
        _default(_default_of(items) if item is None and not items.nullable else item, items)
        for item in value
    ]


def _default_of(schema: "SchemaView") -> "Json":
    return copy_json(schema.raw.get("default"))
