"""Custom resource definitions: their rules, their status, and the resources they bring."""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Final

from typing_extensions import override

from ferrolb.apimachinery import (
    FieldError,
    RuleSet,
    SchemaView,
    apply_defaults,
    check_structural,
    compile_rules,
    custom_format,
    custom_resource_schema,
    validate_resource,
)
from ferrolb.devserver.lifetimes import finalizer_warnings
from ferrolb.devserver.registry import Names, Registry, ServedResource, Traits
from ferrolb.devserver.schemas import builtin_components
from ferrolb.devserver.strategies import Strategy, member_of, metadata_of
from ferrolb.model import Json, JsonObject
from ferrolb.store import ResourceId, timestamp

CLEANUP_FINALIZER: Final = "customresourcecleanup.apiextensions.k8s.io"
"""Holds a definition until the objects of its kind are gone."""

SCOPES: Final = ("Cluster", "Namespaced")

MAX_VERSIONS: Final = 32
"""Versions of one definition; each has a schema that is compiled and kept."""

_AS_OTHERS: Final = "no conflicts found"
_SCHEMA_PATH: Final = "spec.versions[{}].schema.openAPIV3Schema"


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
        return finalizer_warnings(metadata_of(obj), metadata_of(old or {}))

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
    def prepare_create(self, obj: JsonObject) -> JsonObject:
        return self._complete(obj, {})

    @override
    def prepare_update(self, obj: JsonObject, old: JsonObject) -> JsonObject:
        return self._complete(obj, member_of(old, "status"))

    def _complete(self, obj: JsonObject, status: JsonObject) -> JsonObject:
        metadata = metadata_of(obj)
        if metadata.get("deletionTimestamp") is None:
            finalizers = metadata.get("finalizers")
            kept = finalizers if isinstance(finalizers, list) else []
            if CLEANUP_FINALIZER not in kept:
                kept = [*kept, CLEANUP_FINALIZER]
            metadata = {**metadata, "finalizers": kept}
        spec = _defaulted_spec(member_of(obj, "spec"))
        new: JsonObject = {**obj, "metadata": metadata, "spec": spec}
        return {**new, "status": self._status(new, status)}

    def _status(self, obj: JsonObject, before: JsonObject) -> JsonObject:
        spec = member_of(obj, "spec")
        names = member_of(spec, "names")
        problem = self._name_conflict(obj)
        is_accepted = not problem
        stored = [text for text in _list(before, "storedVersions") if isinstance(text, str)]
        current = _storage_version(spec)
        if current and current not in stored:
            stored.append(current)
        accepted = "NoConflicts" if is_accepted else "NamesConflict"
        conditions: list[Json] = [
            self._condition(before, "NamesAccepted", accepted, problem or _AS_OTHERS),
            self._condition(
                before,
                "Established",
                "InitialNamesAccepted" if is_accepted else "NotAccepted",
                "the initial names have been accepted"
                if is_accepted
                else "not all names are accepted",
            ),
        ]
        return {
            "acceptedNames": names if is_accepted else member_of(before, "acceptedNames"),
            "conditions": conditions,
            "storedVersions": [*stored],
        }

    def _condition(self, before: JsonObject, kind: str, reason: str, message: str) -> JsonObject:
        is_true = reason in ("NoConflicts", "InitialNamesAccepted")
        condition: JsonObject = {
            "type": kind,
            "status": "True" if is_true else "False",
            "lastTransitionTime": timestamp(self._now()),
            "reason": reason,
            "message": message,
        }
        for old in _list(before, "conditions"):
            if isinstance(old, dict) and old.get("type") == kind:
                same = old.get("status") == condition["status"]
                condition["lastTransitionTime"] = (
                    old.get("lastTransitionTime") if same else condition["lastTransitionTime"]
                )
        return condition

    def _name_conflict(self, obj: JsonObject) -> str:
        """Return why the names cannot be had, empty when they can."""
        spec = member_of(obj, "spec")
        names = member_of(spec, "names")
        storage = storage_of(obj)
        for other in self._registry.resources():
            if other.group != storage.group or other.storage == storage:
                continue
            taken = {other.plural, other.names.singular, *other.names.short}
            wanted = [names.get("plural"), names.get("singular"), *_list(names, "shortNames")]
            for name in wanted:
                if name in taken:
                    return f'"{name}" is already in use'
            if names.get("kind") in (other.kind, other.names.of_list):
                return f'"{names.get("kind")}" is already in use'
        return ""

    @override
    def validate_rest(self, obj: JsonObject, old: JsonObject | None) -> list[FieldError]:
        spec = member_of(obj, "spec")
        return [
            *_validate_names(obj, spec),
            *_validate_unchanged(spec, member_of(old, "spec") if old else None),
            *_validate_versions(spec),
        ]


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
        for condition in _list(member_of(definition, "status"), "conditions")
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
    return [
        _served_version(definition, version, called, group)
        for _, version in _versions(spec)
        if version.get("served") is True
    ]


def _served_version(
    definition: JsonObject, version: JsonObject, names: Names, group: str
) -> ServedResource:
    spec = member_of(definition, "spec")
    has_status = isinstance(member_of(version, "subresources").get("status"), dict)
    schema = _schema_of(version)
    view = None
    rules = RuleSet()
    if schema is not None:
        view = SchemaView.of(custom_resource_schema(schema), builtin_components())
        rules = compile_rules(view)
    name = str(version.get("name") or "")
    columns = [one for one in _list(version, "additionalPrinterColumns") if isinstance(one, dict)]
    selectable = [one for one in _list(version, "selectableFields") if isinstance(one, dict)]
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


def _list(obj: JsonObject, name: str) -> list[Json]:
    value = obj.get(name)
    return value if isinstance(value, list) else []


def _texts(obj: JsonObject, name: str) -> tuple[str, ...]:
    return tuple(text for text in _list(obj, name) if isinstance(text, str))


def _versions(spec: JsonObject) -> Iterator[tuple[int, JsonObject]]:
    for index, version in enumerate(_list(spec, "versions")):
        if isinstance(version, dict):
            yield index, version


def _storage_version(spec: JsonObject) -> str:
    for _, version in _versions(spec):
        if version.get("storage") is True:
            return str(version.get("name") or "")
    return ""


def _schema_of(version: JsonObject) -> JsonObject | None:
    schema = member_of(version, "schema").get("openAPIV3Schema")
    return schema if isinstance(schema, dict) else None


def _defaulted_spec(spec: JsonObject) -> JsonObject:
    names = member_of(spec, "names")
    kind = str(names.get("kind") or "")
    filled: JsonObject = {
        **names,
        "singular": names.get("singular") or kind.lower(),
        "listKind": names.get("listKind") or f"{kind}List",
    }
    return {**spec, "conversion": spec.get("conversion") or {"strategy": "None"}, "names": filled}


def _validate_names(obj: JsonObject, spec: JsonObject) -> Iterator[FieldError]:
    names = member_of(spec, "names")
    group, plural = spec.get("group"), names.get("plural")
    for path, value in (
        ("spec.group", group),
        ("spec.names.plural", plural),
        ("spec.names.kind", names.get("kind")),
    ):
        if not value:
            yield FieldError.required(path)
    expected = f"{plural}.{group}"
    name = metadata_of(obj).get("name")
    if name != expected:
        yield FieldError.invalid("metadata.name", name, 'must be spec.names.plural+"."+spec.group')
    if spec.get("scope") not in SCOPES:
        yield FieldError.unsupported("spec.scope", spec.get("scope"), SCOPES)
    if isinstance(group, str) and "." not in group:
        yield FieldError.invalid("spec.group", group, "should be a domain with at least one dot")
    if member_of(spec, "conversion").get("strategy") not in ("None", None):
        yield FieldError.unsupported(
            "spec.conversion.strategy", member_of(spec, "conversion").get("strategy"), ["None"]
        )


def _validate_unchanged(spec: JsonObject, old: JsonObject | None) -> Iterator[FieldError]:
    if old is None:
        return
    for path, new_value, old_value in (
        ("spec.group", spec.get("group"), old.get("group")),
        ("spec.scope", spec.get("scope"), old.get("scope")),
        (
            "spec.names.plural",
            member_of(spec, "names").get("plural"),
            member_of(old, "names").get("plural"),
        ),
    ):
        if new_value != old_value:
            yield FieldError.invalid(path, new_value, "field is immutable")


def _validate_versions(spec: JsonObject) -> Iterator[FieldError]:
    versions = list(_versions(spec))
    names = [version.get("name") for _, version in versions]
    if not versions:
        yield FieldError.required("spec.versions", "must have at least one version")
    if len(versions) > MAX_VERSIONS:
        yield FieldError.too_many("spec.versions", len(versions), MAX_VERSIONS)
        return
    if sum(1 for _, version in versions if version.get("storage") is True) != 1:
        text = "must have exactly one version marked as storage version"
        yield FieldError.invalid("spec.versions", [*names], text)
    for index, version in versions:
        if names.index(version.get("name")) != index:
            text = "must contain unique version names"
            yield FieldError.invalid("spec.versions", [*names], text)
        yield from _validate_schema(version, _SCHEMA_PATH.format(index))


def _validate_schema(version: JsonObject, path: str) -> Iterator[FieldError]:
    schema = _schema_of(version)
    if schema is None:
        yield FieldError.required(path, "schemas are required")
        return
    problems = check_structural(schema, path)
    yield from problems
    if not problems:
        view = SchemaView.of(custom_resource_schema(schema), builtin_components())
        yield from compile_rules(view, path).errors
