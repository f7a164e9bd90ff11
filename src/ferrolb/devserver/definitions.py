"""Custom resource definitions: their rules, their status, and the resources they bring."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Final

from typing_extensions import override

from ferrolb.apimachinery import (
    FieldError,
    RuleSet,
    SchemaView,
    apply_defaults,
    compile_rules,
    custom_format,
    custom_resource_schema,
    prune,
    tolerated_rules,
    validate_resource,
    validate_status,
)
from ferrolb.devserver.definition_names import accepted_names, settle_names, status_of
from ferrolb.devserver.definition_rules import (
    list_of,
    schema_of,
    validate_definition,
    versions_of,
)
from ferrolb.devserver.lifetimes import finalizer_warnings
from ferrolb.devserver.registry import Names, Registry, ServedResource, Traits
from ferrolb.devserver.schemas import builtin_components
from ferrolb.devserver.strategies import Prepared, Strategy, member_of, metadata_of
from ferrolb.model import JsonObject
from ferrolb.store import ResourceId

CLEANUP_FINALIZER: Final = "customresourcecleanup.apiextensions.k8s.io"
"""Holds a definition until the objects of its kind are gone."""


class CustomStrategy(Strategy):
    """Objects of a definition: checked against its schema and its rules."""

    is_core = False

    def __init__(self, schema: SchemaView | None, rules: RuleSet, *, has_status: bool) -> None:
        super().__init__(has_status=has_status)
        self._schema = schema
        self._rules = rules

    @override
    def default(self, obj: JsonObject) -> JsonObject:
        return obj if self._schema is None else apply_defaults(obj, self._schema)

    @override
    def prepare_status(self, obj: JsonObject, old: JsonObject) -> JsonObject:
        metadata = metadata_of(old)
        managed = metadata_of(obj).get("managedFields")
        if managed is not None:
            metadata = {**metadata, "managedFields": managed}
        return {**super().prepare_status(obj, old), "metadata": metadata}

    @override
    def warnings(self, obj: JsonObject, old: JsonObject | None) -> tuple[str, ...]:
        told = finalizer_warnings(metadata_of(obj), metadata_of(old or {}))
        if self._schema is None or old is None:
            return told
        broken = tolerated_rules(obj, self._schema, self._rules, old)
        return (*told, *map(str, broken))

    @override
    def on_status(self, obj: JsonObject, old: JsonObject) -> Prepared:
        new = self.prepare_status(obj, old)
        errors = self.validate_identity(new, old)
        if self._schema is not None:
            errors += validate_status(new, self._schema, self._rules, old)
        return Prepared(new, tuple(errors))

    @override
    def validate_rest(self, obj: JsonObject, old: JsonObject | None) -> list[FieldError]:
        if self._schema is None:
            return []
        return validate_resource(obj, self._schema, self._rules, old)


class DefinitionStrategy(Strategy):
    """Definitions: names and schemas are checked, and the status is written at once."""

    is_core = False

    def __init__(self, registry: Registry, now: Callable[[], datetime]) -> None:
        super().__init__(has_status=True)
        self._registry = registry
        self._now = now

    @override
    def default(self, obj: JsonObject) -> JsonObject:
        spec = member_of(obj, "spec")
        names = member_of(spec, "names")
        kind = str(names.get("kind") or "")
        filled: JsonObject = {**names}
        if kind:
            filled["singular"] = names.get("singular") or kind.lower()
            filled["listKind"] = names.get("listKind") or f"{kind}List"
        conversion = spec.get("conversion") or {"strategy": "None"}
        return {**obj, "spec": {**spec, "conversion": conversion, "names": filled}}

    @override
    def prepare_create(self, obj: JsonObject) -> JsonObject:
        return self._complete(obj, {})

    @override
    def prepare_update(self, obj: JsonObject, old: JsonObject) -> JsonObject:
        return self._complete(obj, member_of(old, "status"))

    def _complete(self, obj: JsonObject, status: JsonObject) -> JsonObject:
        spec = member_of(obj, "spec")
        names = member_of(spec, "names")
        naming = settle_names(names, accepted_names(status), self._registry, storage_of(obj))
        now = self._now()
        return {**obj, "status": status_of(naming, status, _storage_version(spec), now=now)}

    @override
    def on_status(self, obj: JsonObject, old: JsonObject) -> Prepared:
        new = self.prepare_status(obj, old)
        return Prepared(new, tuple(self.validate_identity(new, old)))

    @override
    def validate_rest(self, obj: JsonObject, old: JsonObject | None) -> list[FieldError]:
        return validate_definition(obj, old)


def storage_of(definition: JsonObject) -> ResourceId:
    """Return what objects of a definition are stored under."""
    spec = member_of(definition, "spec")
    plural = member_of(spec, "names").get("plural")
    return ResourceId(str(spec.get("group") or ""), str(plural or ""))


def is_established(definition: JsonObject) -> bool:
    """Tell whether the resources of a definition are to be served."""
    return any(
        isinstance(condition, dict)
        and condition.get("type") == "Established"
        and condition.get("status") == "True"
        for condition in list_of(member_of(definition, "status"), "conditions")
    )


def served_resources(definition: JsonObject) -> list[ServedResource]:
    """Return the resources of a definition, one a served version."""
    spec = member_of(definition, "spec")
    names = member_of(spec, "names")
    group = str(spec.get("group") or "")
    kind = str(names.get("kind") or "")
    called = Names(
        kind=kind,
        plural=str(names.get("plural") or ""),
        singular=str(names.get("singular") or kind.lower()),
        short=_texts(names, "shortNames"),
        categories=_texts(names, "categories"),
        list_kind=str(names.get("listKind") or ""),
    )
    stored = [version for _, version in versions_of(spec) if version.get("storage") is True]
    served = [
        (version, _served_version(definition, version, called, group))
        for _, version in versions_of(spec)
        if version.get("served") is True
    ]
    return [
        resource if version in stored else _as_stored(resource, stored)
        for version, resource in served
    ]


def _as_stored(resource: ServedResource, stored: list[JsonObject]) -> ServedResource:
    """Return a resource whose version is another than objects are stored in.

    What is written gets the defaults of the stored version too, and what is read has no fields but
    those of the version read.
    """
    schema = schema_of(stored[0]) if stored else None
    shown = resource.schema
    if schema is None or shown is None:
        return resource
    view = SchemaView.of(custom_resource_schema(schema), builtin_components())
    return replace(
        resource,
        to_storage=lambda obj: apply_defaults(obj, view),
        from_storage=lambda obj: prune(obj, shown)[0],
    )


def _served_version(
    definition: JsonObject, version: JsonObject, names: Names, group: str
) -> ServedResource:
    spec = member_of(definition, "spec")
    has_status = isinstance(member_of(version, "subresources").get("status"), dict)
    schema = schema_of(version)
    view = None
    rules = RuleSet()
    if schema is not None:
        view = SchemaView.of(custom_resource_schema(schema), builtin_components())
        rules = compile_rules(view)
    name = str(version.get("name") or "")
    columns = [one for one in list_of(version, "additionalPrinterColumns") if isinstance(one, dict)]
    selectable = [one for one in list_of(version, "selectableFields") if isinstance(one, dict)]
    return ServedResource(
        group=group,
        version=name,
        names=names,
        is_namespaced=spec.get("scope") == "Namespaced",
        storage=storage_of(definition),
        storage_api_version=f"{group}/{_storage_version(spec)}",
        table=custom_format(columns),
        strategy=CustomStrategy(view, rules, has_status=has_status),
        schema=view,
        traits=Traits(
            has_status=has_status,
            is_custom=True,
            needs_version_on_update=True,
        ),
        selectable_fields=tuple(str(one.get("jsonPath")) for one in selectable),
        deprecation=_deprecation(version, f"{group}/{name} {names.kind}"),
    )


def _deprecation(version: JsonObject, name: str) -> str:
    if version.get("deprecated") is not True:
        return ""
    text = version.get("deprecationWarning")
    return text if isinstance(text, str) and text else f"{name} is deprecated"


def _texts(obj: JsonObject, name: str) -> tuple[str, ...]:
    return tuple(text for text in list_of(obj, name) if isinstance(text, str))


def _storage_version(spec: JsonObject) -> str:
    for _, version in versions_of(spec):
        if version.get("storage") is True:
            return str(version.get("name") or "")
    return ""
