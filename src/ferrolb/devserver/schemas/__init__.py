"""Schemas and protobuf field numbers of the built-in kinds, made from Kubernetes' own sources.

The JSON files are generated (`make schemas`); nothing but them and their reading belongs here.
Schemas of custom resources come from their definitions.
"""

import functools
import json
from collections.abc import Mapping
from importlib import resources
from types import MappingProxyType
from typing import Any

from ferrolb.apimachinery import SchemaView, decode_protobuf
from ferrolb.model import JsonObject

__all__ = [
    "META_PREFIX",
    "builtin_components",
    "component_name",
    "decode_builtin_protobuf",
    "schema_for",
]

META_PREFIX = "io.k8s.apimachinery.pkg.apis.meta.v1."
"""What the names of the types start with that all groups share, `Status` for instance."""


def builtin_components() -> Mapping[str, JsonObject]:
    """Return all types by their names in an OpenAPI document's `components.schemas`."""
    return MappingProxyType(_document())


def component_name(group: str, version: str, kind: str) -> str | None:
    """Return the name of a built-in kind's type, None if there is none."""
    return _names().get((group, version, kind))


def schema_for(group: str, version: str, kind: str) -> SchemaView:
    """Return the schema of a built-in kind.

    Raises:
        LookupError: no such kind is built in.
    """
    name = component_name(group, version, kind)
    if name is None:
        raise LookupError(f"no built-in kind {kind!r} in {group!r} {version!r}")
    return _view(name)


def decode_builtin_protobuf(body: bytes) -> JsonObject:
    """Return the object in a protobuf body.

    Raises:
        UnsupportedProtobufError: its kind is read as JSON or YAML only.
        ProtobufError: it cannot be read.
    """
    tables = _protobuf_tables()
    return decode_protobuf(body, tables, tables["kinds"])


@functools.cache
def _view(name: str) -> SchemaView:
    return SchemaView.of({"$ref": f"#/components/schemas/{name}"}, builtin_components())


@functools.cache
def _names() -> Mapping[tuple[str, str, str], str]:
    return {
        (identity["group"], identity["version"], identity["kind"]): name
        for name, schema in _document().items()
        for identity in schema.get("x-kubernetes-group-version-kind", ())
    }


@functools.cache
def _document() -> dict[str, Any]:
    return _load("builtin.json")


@functools.cache
def _protobuf_tables() -> dict[str, Any]:
    return _load("protobuf.json")


def _load(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(resources.files(__package__).joinpath(name).read_bytes())
    return content
