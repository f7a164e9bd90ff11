"""OpenAPI v3 documents: what kubectl reads for explain, apply, validation and dry runs."""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ferrolb.devserver.representations import ENCODER
from ferrolb.devserver.schemas import META_PREFIX, builtin_components
from ferrolb.model import Json, JsonArray, JsonObject

if TYPE_CHECKING:
    from ferrolb.devserver.registry import Registry, ServedResource

_PREFIX: Final = "#/components/schemas/"
_NAME_PARTS: Final = re.compile(r"[^A-Za-z0-9]+")

_PATCH_TYPES: Final = (
    "application/apply-patch+yaml",
    "application/json-patch+json",
    "application/merge-patch+json",
)
_STRATEGIC_PATCH: Final = "application/strategic-merge-patch+json"
"""Offered for built-in kinds alone: it needs merge keys, which definitions do not have."""

_WRITE_PARAMETERS: Final = ("dryRun", "fieldManager", "fieldValidation")
_LIST_PARAMETERS: Final = (
    "allowWatchBookmarks",
    "continue",
    "fieldSelector",
    "labelSelector",
    "limit",
    "resourceVersion",
    "resourceVersionMatch",
    "sendInitialEvents",
    "timeoutSeconds",
    "watch",
)
_DELETE_PARAMETERS: Final = (
    "dryRun",
    "gracePeriodSeconds",
    "orphanDependents",
    "propagationPolicy",
)

_TYPES: Final[dict[str, str]] = {
    "allowWatchBookmarks": "boolean",
    "force": "boolean",
    "gracePeriodSeconds": "integer",
    "limit": "integer",
    "orphanDependents": "boolean",
    "sendInitialEvents": "boolean",
    "timeoutSeconds": "integer",
    "watch": "boolean",
}
"""Types of query parameters; the others are strings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Operation:
    """How a verb appears in a document."""

    action: str
    parameters: tuple[str, ...]
    body: str = ""
    """What the body is: "object", "options", "patch", or nothing."""
    answer: str = "object"
    """What comes back: "object", "list" or "status"."""


_OPERATIONS: Final[dict[str, tuple[str, _Operation]]] = {
    "list": ("get", _Operation(action="list", parameters=_LIST_PARAMETERS, answer="list")),
    "create": ("post", _Operation(action="post", parameters=_WRITE_PARAMETERS, body="object")),
    "deletecollection": (
        "delete",
        _Operation(
            action="deletecollection",
            parameters=(*_LIST_PARAMETERS[1:6], *_DELETE_PARAMETERS),
            body="options",
            answer="status",
        ),
    ),
    "get": ("get", _Operation(action="get", parameters=())),
    "update": ("put", _Operation(action="put", parameters=_WRITE_PARAMETERS, body="object")),
    "patch": (
        "patch",
        _Operation(action="patch", parameters=(*_WRITE_PARAMETERS, "force"), body="patch"),
    ),
    "delete": (
        "delete",
        _Operation(action="delete", parameters=_DELETE_PARAMETERS, body="options", answer="status"),
    ),
}
"""Verb -> method and operation."""

_COLLECTION_VERBS: Final = ("list", "create", "deletecollection")
_ITEM_VERBS: Final = ("get", "update", "patch", "delete")


@dataclass(frozen=True, slots=True)
class _Made:
    resources: "tuple[ServedResource, ...]"
    content: bytes
    digest: str


class OpenApi:
    """Makes the documents of a registry, and keeps each until its resources change."""

    def __init__(self, registry: "Registry") -> None:
        self._registry = registry
        self._made: dict[str, _Made] = {}

    def index(self) -> JsonObject:
        """Return what `/openapi/v3` answers: where the documents are, with their digests."""
        paths: JsonObject = {}
        for path, resources in self._group_versions():
            digest = self._make(path, resources).digest
            paths[path] = {"serverRelativeURL": f"/openapi/v3/{path}?hash={digest}"}
        return {"paths": paths}

    def document(self, path: str) -> bytes | None:
        """Return the document at `path` (`api/v1`, `apis/GROUP/VERSION`), None if none is there."""
        for known, resources in self._group_versions():
            if known == path:
                return self._make(path, resources).content
        return None

    def _group_versions(self) -> "Iterator[tuple[str, tuple[ServedResource, ...]]]":
        for group, versions in self._registry.groups().items():
            for version in versions:
                path = f"apis/{group}/{version}" if group else f"api/{version}"
                yield path, tuple(self._registry.of_version(group, version))

    def _make(self, path: str, resources: "tuple[ServedResource, ...]") -> _Made:
        known = self._made.get(path)
        if known is not None and _are_same(known.resources, resources):
            return known
        content = ENCODER.encode(openapi_document(path, resources))
        made = _Made(resources, content, digest_of(content))
        self._made[path] = made
        return made


def digest_of(content: bytes) -> str:
    """Return what tells a document from another in its URL."""
    return hashlib.sha256(content).hexdigest().upper()


def _are_same(first: "tuple[ServedResource, ...]", second: "tuple[ServedResource, ...]") -> bool:
    return len(first) == len(second) and all(map(_is_same, first, second))


def _is_same(first: "ServedResource", second: "ServedResource") -> bool:
    return first is second


def openapi_document(path: str, resources: "tuple[ServedResource, ...]") -> JsonObject:
    """Return the document of one group version, whose URL path starts with `path`."""
    paths: JsonObject = {}
    schemas: JsonObject = {}
    for resource in resources:
        paths.update(_paths(f"/{path}", resource))
        schemas.update(_schemas(resource))
    builtin = builtin_components()
    missing = {*_references(schemas), f"{META_PREFIX}Status", f"{META_PREFIX}DeleteOptions"}
    missing.add(f"{META_PREFIX}Patch")
    while missing:
        name = missing.pop()
        # A default value may look like a reference to nothing.
        if name not in schemas and name in builtin:
            schemas[name] = builtin[name]
            missing.update(_references(builtin[name]))
    return {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": "unversioned"},
        "paths": paths,
        "components": {"schemas": dict(sorted(schemas.items()))},
    }


def _paths(prefix: str, resource: "ServedResource") -> Iterator[tuple[str, JsonObject]]:
    """Give the paths of a resource with their operations."""
    scoped = f"{prefix}/namespaces/{{namespace}}" if resource.is_namespaced else prefix
    collection = f"{scoped}/{resource.plural}"
    places: list[tuple[str, tuple[str, ...], tuple[str, ...]]] = [
        (collection, _COLLECTION_VERBS, resource.verbs),
        (f"{collection}/{{name}}", _ITEM_VERBS, resource.verbs),
    ]
    if resource.is_namespaced:
        places.append((f"{prefix}/{resource.plural}", ("list",), resource.verbs))
    for name, verbs in resource.subresources.items():
        places.append((f"{collection}/{{name}}/{name}", _ITEM_VERBS, verbs))
    for place, verbs, served in places:
        item: JsonObject = {}
        for verb in verbs:
            if verb in served:
                method, operation = _OPERATIONS[verb]
                item[method] = _operation(operation, resource, place)
        if item:
            item["parameters"] = _path_parameters(place)
            yield place, item


def _operation(operation: _Operation, resource: "ServedResource", place: str) -> JsonObject:
    answers = {
        "object": _schema_name(resource),
        "list": f"{_schema_name(resource)}List",
        "status": f"{META_PREFIX}Status",
    }
    made: JsonObject = {
        "operationId": _operation_id(operation.action, resource, place),
        "tags": [_NAME_PARTS.sub("_", resource.api_version)],
        "responses": {"200": {"description": "OK", "content": _content(answers[operation.answer])}},
        "x-kubernetes-action": operation.action,
        "x-kubernetes-group-version-kind": _identity(resource),
    }
    if operation.parameters:
        made["parameters"] = [_query_parameter(name) for name in operation.parameters]
    if operation.body == "object":
        made["requestBody"] = {"required": True, "content": _content(answers["object"])}
    elif operation.body == "options":
        made["requestBody"] = {"content": _content(f"{META_PREFIX}DeleteOptions")}
    elif operation.body == "patch":
        types = _PATCH_TYPES if resource.traits.is_custom else (*_PATCH_TYPES, _STRATEGIC_PATCH)
        content = _content(f"{META_PREFIX}Patch", types)
        made["requestBody"] = {"required": True, "content": content}
    return made


def _operation_id(action: str, resource: "ServedResource", place: str) -> str:
    group = resource.group or "core"
    words = [action, *_NAME_PARTS.split(group), resource.version]
    words += ["namespaced"] if "{namespace}" in place else []
    words.append(resource.kind)
    words += ["status"] if place.endswith("/status") else []
    return action + "".join(word[:1].upper() + word[1:] for word in words[1:])


def _content(name: str, types: tuple[str, ...] = ("application/json",)) -> JsonObject:
    return {media: {"schema": {"$ref": _PREFIX + name}} for media in types}


def _query_parameter(name: str) -> JsonObject:
    schema: JsonObject = {"type": _TYPES.get(name, "string"), "uniqueItems": True}
    return {"name": name, "in": "query", "schema": schema}


def _path_parameters(place: str) -> JsonArray:
    names = [name for name in ("name", "namespace") if f"{{{name}}}" in place]
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "string", "uniqueItems": True},
        }
        for name in names
    ]


def _schemas(resource: "ServedResource") -> JsonObject:
    """Return the types of a resource: of its objects, unless built in, and of their lists."""
    name = _schema_name(resource)
    schemas: JsonObject = {}
    if resource.schema is None or not resource.schema.component:
        raw: JsonObject = (
            {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
            if resource.schema is None
            else resource.schema.raw
        )
        schemas[name] = {**raw, "x-kubernetes-group-version-kind": [_identity(resource)]}
    if "list" in resource.verbs:
        schemas[f"{name}List"] = {
            "type": "object",
            "required": ["items"],
            "properties": {
                "apiVersion": {"type": "string"},
                "items": {"type": "array", "items": {"$ref": _PREFIX + name}},
                "kind": {"type": "string"},
                "metadata": {"$ref": f"{_PREFIX}{META_PREFIX}ListMeta"},
            },
            "x-kubernetes-group-version-kind": [
                {**_identity(resource), "kind": resource.names.of_list}
            ],
        }
    return schemas


def _schema_name(resource: "ServedResource") -> str:
    """Return the name of a type: that of the built-in one, or made of group, version and kind."""
    if resource.schema is not None and resource.schema.component:
        return resource.schema.component
    parts = [*reversed(resource.group.split(".")), resource.version, resource.kind]
    return ".".join(parts)


def _identity(resource: "ServedResource") -> JsonObject:
    return {"group": resource.group, "version": resource.version, "kind": resource.kind}


def _references(schema: Json) -> Iterator[str]:
    if isinstance(schema, list):
        for item in schema:
            yield from _references(item)
    elif isinstance(schema, dict):
        for key, value in schema.items():
            if key == "$ref" and isinstance(value, str):
                yield value.removeprefix(_PREFIX)
            else:
                yield from _references(value)
