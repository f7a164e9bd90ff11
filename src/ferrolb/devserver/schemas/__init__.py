"""Schemas of the built-in kinds, made from Kubernetes' own OpenAPI v3 documents.

`builtin.json` is generated (`make schemas`); nothing else belongs here. Schemas of custom
resources come from their definitions.
"""

import functools
import json
from collections.abc import Mapping
from importlib import resources
from types import MappingProxyType

from ferrolb.apimachinery import SchemaView
from ferrolb.model import JsonObject

__all__ = ["META_PREFIX", "builtin_components", "component_name", "schema_for"]

META_PREFIX = "io.k8s.apimachinery.pkg.apis.meta.v1."
"""What the names of the types start with that all groups share, `Status` for instance."""


@functools.cache
def builtin_components() -> Mapping[str, JsonObject]:
    """Return all types by their names in an OpenAPI document's `components.schemas`."""
    data = resources.files(__package__).joinpath("builtin.json").read_bytes()
    return MappingProxyType(json.loads(data))


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
    names: dict[tuple[str, str, str], str] = {}
    for name, schema in builtin_components().items():
        identities = schema.get("x-kubernetes-group-version-kind")
        for identity in identities if isinstance(identities, list) else []:
            match identity:
                case {"group": str(group), "version": str(version), "kind": str(kind)}:
                    names[group, version, kind] = name
                case _:
                    continue
    return names
