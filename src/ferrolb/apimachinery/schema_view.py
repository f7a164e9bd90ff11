"""A schema node with its references followed: what patching, pruning and validation ask of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from ferrolb.model import Json, JsonObject

MAX_REFERENCE_HOPS: Final = 16
"""References followed at one node before it counts as having no schema; real ones take two."""

_REFERENCE_PREFIX: Final = "#/components/schemas/"


class ListType(StrEnum):
    """How a list merges, and which of its entries are the same (x-kubernetes-list-type)."""

    ATOMIC = "atomic"
    SET = "set"
    MAP = "map"


class MapType(StrEnum):
    """Whether a map merges key by key or as one value (x-kubernetes-map-type)."""

    GRANULAR = "granular"
    ATOMIC = "atomic"


@dataclass(frozen=True, slots=True, eq=False)
class SchemaView:
    """One node of an OpenAPI v3 schema, with `$ref` and a sole `allOf` reference followed.

    `raw` is the node after following, keywords beside a reference laid over its target.
    `component` is the target's name, and `is_builtin` tells that the node belongs to one: custom
    resources' own schemas have no references, so those nodes are the API's own types, ObjectMeta
    for instance. Views are made once a node and kept, so that walking the same schema again costs
    a dictionary look-up.
    """

    raw: JsonObject
    components: Mapping[str, JsonObject] = field(repr=False)
    component: str = ""
    is_builtin: bool = False
    _children: "dict[str, SchemaView]" = field(default_factory=dict, repr=False)

    @classmethod
    def of(
        cls, schema: JsonObject, components: Mapping[str, JsonObject] | None = None
    ) -> "SchemaView":
        """Return the view of `schema`, whose references name `components`."""
        known = {} if components is None else components
        raw, component = _follow(schema, known)
        return cls(raw, known, component, bool(component))

    @property
    def type(self) -> str:
        """The JSON type, empty where the schema does not say."""
        return _text(self.raw.get("type"))

    @property
    def list_type(self) -> ListType:
        """How the list merges; atomic unless said otherwise."""
        return _LIST_TYPES.get(_text(self.raw.get("x-kubernetes-list-type")), ListType.ATOMIC)

    @property
    def list_map_keys(self) -> tuple[str, ...]:
        """The fields that together identify an entry of a list of type map."""
        keys = self.raw.get("x-kubernetes-list-map-keys")
        return tuple(key for key in keys if isinstance(key, str)) if isinstance(keys, list) else ()

    @property
    def map_type(self) -> MapType:
        """How the map or struct merges; granular unless said otherwise."""
        is_atomic = self.raw.get("x-kubernetes-map-type") == MapType.ATOMIC
        return MapType.ATOMIC if is_atomic else MapType.GRANULAR

    @property
    def patch_merge_key(self) -> str | None:
        """The field by which strategic merge patches match entries of this list."""
        return _text(self.raw.get("x-kubernetes-patch-merge-key")) or None

    @property
    def patch_strategies(self) -> frozenset[str]:
        """What strategic merge patches do here: `merge`, `replace`, `retainKeys`."""
        text = _text(self.raw.get("x-kubernetes-patch-strategy"))
        return frozenset(part for part in text.split(",") if part)

    @property
    def preserve_unknown(self) -> bool:
        """Whether fields that the schema does not name are kept here."""
        return self.raw.get("x-kubernetes-preserve-unknown-fields") is True

    @property
    def int_or_string(self) -> bool:
        """Whether the value is an integer or a string."""
        return (
            self.raw.get("x-kubernetes-int-or-string") is True
            or self.raw.get("format") == "int-or-string"
        )

    @property
    def embedded_resource(self) -> bool:
        """Whether the value is a whole object, with apiVersion, kind and metadata."""
        return self.raw.get("x-kubernetes-embedded-resource") is True

    @property
    def nullable(self) -> bool:
        """Whether null is a value here."""
        return self.raw.get("nullable") is True

    @property
    def is_open(self) -> bool:
        """Whether the API's own type takes any content: raw extensions, managed field sets."""
        return (
            self.is_builtin
            and self.type in {"", "object"}
            and not (self.raw.get("properties") or self.raw.get("additionalProperties"))
        )

    def property(self, name: str) -> "SchemaView | None":
        """Return the schema of the declared property `name`."""
        return self._child_in("properties", name)

    def property_names(self) -> tuple[str, ...]:
        """Return the declared properties, in the schema's order."""
        properties = self.raw.get("properties")
        return tuple(properties) if isinstance(properties, dict) else ()

    def items(self) -> "SchemaView | None":
        """Return the schema of a list's entries."""
        return self._child("items", self.raw.get("items"))

    def additional(self) -> "SchemaView | None":
        """Return the schema of a map's values; None too where any value is allowed."""
        return self._child("additional", self.raw.get("additionalProperties"))

    def member(self, name: str) -> "SchemaView | None":
        """Return the schema of key `name`: the declared property, or else that of map values."""
        return self.property(name) or self.additional()

    def branches(self, keyword: str) -> tuple["SchemaView", ...]:
        """Return the schemas listed under `allOf`, `anyOf` or `oneOf`."""
        listed = self.raw.get(keyword)
        count = len(listed) if isinstance(listed, list) else 0
        children = (self._branch(keyword, index) for index in range(count))
        return tuple(child for child in children if child is not None)

    def negated(self) -> "SchemaView | None":
        """Return the schema that a value must not match (`not`)."""
        return self._child("not", self.raw.get("not"))

    def _branch(self, keyword: str, index: int) -> "SchemaView | None":
        listed = self.raw[keyword]
        return self._child(f"{keyword}[{index}]", listed[index] if isinstance(listed, list) else 0)

    def _child_in(self, keyword: str, name: str) -> "SchemaView | None":
        children = self.raw.get(keyword)
        return self._child(f".{name}", children.get(name)) if isinstance(children, dict) else None

    def _child(self, key: str, schema: Json) -> "SchemaView | None":
        known = self._children.get(key)
        if known is not None:
            return known
        if not isinstance(schema, dict):
            return None
        raw, component = _follow(schema, self.components)
        made = SchemaView(raw, self.components, component, self.is_builtin or bool(component))
        # Only keys that the schema has get here, so what clients send cannot make it grow.
        self._children[key] = made
        return made


_LIST_TYPES: Final[dict[str, ListType]] = {kind.value: kind for kind in ListType}


def _text(value: Json) -> str:
    return value if isinstance(value, str) else ""


def _follow(schema: JsonObject, components: Mapping[str, JsonObject]) -> tuple[JsonObject, str]:
    """Return the schema after all references, and the name of the last one."""
    component = ""
    for _ in range(MAX_REFERENCE_HOPS):
        name = _reference(schema)
        if name is None:
            return schema, component
        component = name
        target = components.get(name, {})
        beside = {key: value for key, value in schema.items() if key not in {"$ref", "allOf"}}
        schema = {**target, **beside}
    return {}, component


def _reference(schema: JsonObject) -> str | None:
    match schema:
        case {"$ref": str(reference)} | {"allOf": [{"$ref": str(reference)}]}:
            return reference.removeprefix(_REFERENCE_PREFIX)
        case _:
            return None
