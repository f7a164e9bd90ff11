"""Schemas of the built-in kinds, made from Kubernetes' own OpenAPI v3 documents.

`builtin.json` is generated (`make schemas`); nothing else belongs here. Schemas of custom
resources come from their definitions.
"""

import functools
import json
from collections.abc import Mapping
from importlib import resources
from types import MappingProxyType
from typing import Any

from ferrolb.apimachinery import SchemaView
from ferrolb.model import JsonObject

__all__ = ["META_PREFIX", "builtin_components", "component_name", "schema_for"]

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
    document: dict[str, Any] = json.loads(
        resources.files(__package__).joinpath("builtin.json").read_bytes()
    )
    return document
