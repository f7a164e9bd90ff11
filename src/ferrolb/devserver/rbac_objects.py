"""Roles and bindings: what an API server fills in and refuses."""

from typing import Final

from typing_extensions import override

from ferrolb.apimachinery import RBAC_GROUP, FieldError
from ferrolb.devserver.names import (
    NameRule,
    name_problems_path_segment,
    name_problems_subdomain,
)
from ferrolb.devserver.selector_validation import validate_selector
from ferrolb.devserver.strategies import Strategy, member_of
from ferrolb.model import Json, JsonObject

_SUBJECT_KINDS: Final = ("ServiceAccount", "User", "Group")
_GROUPED_KINDS: Final = ("User", "Group")
"""Kinds of subjects that are of the group of roles; ServiceAccounts are of the core group."""


class RoleStrategy(Strategy):
    """Roles and ClusterRoles: each rule is about resources, or in ClusterRoles about paths."""

    def __init__(self, *, is_namespaced: bool) -> None:
        super().__init__(name_rule=NameRule.PATH_SEGMENT)
        self._is_namespaced = is_namespaced

    @override
    def prepare_create(self, obj: JsonObject) -> JsonObject:
        return _with_rules(obj)

    @override
    def prepare_update(self, obj: JsonObject, old: JsonObject) -> JsonObject:
        return _with_rules(obj)

    @override
    def validate_rest(self, obj: JsonObject, old: JsonObject | None) -> list[FieldError]:
        errors: list[FieldError] = []
        for index, rule in enumerate(_objects(obj.get("rules"))):
            errors += self._validate_rule(rule, f"rules[{index}]")
        aggregation = obj.get("aggregationRule")
        if not self._is_namespaced and isinstance(aggregation, dict):
            errors += _validate_aggregation(aggregation)
        return errors

    def _validate_rule(self, rule: JsonObject, path: str) -> list[FieldError]:
        errors: list[FieldError] = []
        if not rule.get("verbs"):
            text = "verbs must contain at least one value"
            errors.append(FieldError.required(f"{path}.verbs", text))
        if rule.get("nonResourceURLs"):
            return errors + self._validate_paths(rule, f"{path}.nonResourceURLs")
        if not rule.get("apiGroups"):
            text = "resource rules must supply at least one api group"
            errors.append(FieldError.required(f"{path}.apiGroups", text))
        if not rule.get("resources"):
            text = "resource rules must supply at least one resource"
            errors.append(FieldError.required(f"{path}.resources", text))
        return errors

    def _validate_paths(self, rule: JsonObject, path: str) -> list[FieldError]:
        urls = rule.get("nonResourceURLs")
        errors: list[FieldError] = []
        if self._is_namespaced:
            text = "namespaced rules cannot apply to non-resource URLs"
            errors.append(FieldError.invalid(path, urls, text))
        if any(rule.get(name) for name in ("apiGroups", "resources", "resourceNames")):
            text = "rules cannot apply to both regular resources and non-resource URLs"
            errors.append(FieldError.invalid(path, urls, text))
        return errors


class BindingStrategy(Strategy):
    """Bindings: a role, for good, and whom it is given to."""

    def __init__(self, *, is_namespaced: bool) -> None:
        super().__init__(name_rule=NameRule.PATH_SEGMENT)
        self._is_namespaced = is_namespaced
        self._role_kinds = ("Role", "ClusterRole") if is_namespaced else ("ClusterRole",)

    @override
    def default(self, obj: JsonObject) -> JsonObject:
        role = member_of(obj, "roleRef")
        result = {**obj, "roleRef": {**role, "apiGroup": role.get("apiGroup") or RBAC_GROUP}}
        subjects = obj.get("subjects")
        if isinstance(subjects, list):
            result["subjects"] = [_with_group(subject) for subject in subjects]
        return result

    @override
    def validate_rest(self, obj: JsonObject, old: JsonObject | None) -> list[FieldError]:
        role = member_of(obj, "roleRef")
        errors = self._validate_role(role)
        for index, subject in enumerate(_objects(obj.get("subjects"))):
            errors += self._validate_subject(subject, f"subjects[{index}]")
        if old is not None and _reference(role) != _reference(member_of(old, "roleRef")):
            errors.append(FieldError.invalid("roleRef", _reference(role), "cannot change roleRef"))
        return errors

    def _validate_role(self, role: JsonObject) -> list[FieldError]:
        errors: list[FieldError] = []
        if role.get("apiGroup") != RBAC_GROUP:
            group = role.get("apiGroup") or ""
            errors.append(FieldError.unsupported("roleRef.apiGroup", group, [RBAC_GROUP]))
        if role.get("kind") not in self._role_kinds:
            kind = role.get("kind") or ""
            errors.append(FieldError.unsupported("roleRef.kind", kind, self._role_kinds))
        name = str(role.get("name") or "")
        if not name:
            return [*errors, FieldError.required("roleRef.name")]
        problems = name_problems_path_segment(name)
        return errors + [FieldError.invalid("roleRef.name", name, why) for why in problems]

    def _validate_subject(self, subject: JsonObject, path: str) -> list[FieldError]:
        kind, name = str(subject.get("kind") or ""), str(subject.get("name") or "")
        group = str(subject.get("apiGroup") or "")
        errors = [] if name else [FieldError.required(f"{path}.name")]
        if kind not in _SUBJECT_KINDS:
            return [*errors, FieldError.unsupported(f"{path}.kind", kind, _SUBJECT_KINDS)]
        if kind == "ServiceAccount" and name:
            problems = name_problems_subdomain(name)
            errors += [FieldError.invalid(f"{path}.name", name, why) for why in problems]
        wanted = RBAC_GROUP if kind in _GROUPED_KINDS else ""
        if group != wanted:
            errors.append(FieldError.unsupported(f"{path}.apiGroup", group, [wanted]))
        is_nowhere = not self._is_namespaced and not subject.get("namespace")
        if kind == "ServiceAccount" and is_nowhere:
            errors.append(FieldError.required(f"{path}.namespace"))
        return errors


def _with_rules(obj: JsonObject) -> JsonObject:
    """Return a role that says so where it has no rules, as clients are used to."""
    return {**obj, "rules": obj.get("rules") or None}


def _validate_aggregation(aggregation: JsonObject) -> list[FieldError]:
    path = "aggregationRule.clusterRoleSelectors"
    selectors = _objects(aggregation.get("clusterRoleSelectors"))
    if not selectors:
        text = "at least one clusterRoleSelector required if aggregationRule is non-nil"
        return [FieldError.required(path, text)]
    errors: list[FieldError] = []
    for index, selector in enumerate(selectors):
        found = validate_selector(selector, f"{path}[{index}]")
        errors += found
        if found:
            errors.append(FieldError.invalid(f"{path}[{index}]", None, "invalid label selector."))
    return errors


def _with_group(subject: Json) -> Json:
    if not isinstance(subject, dict) or subject.get("apiGroup"):
        return subject
    return {**subject, "apiGroup": RBAC_GROUP} if subject.get("kind") in _GROUPED_KINDS else subject


def _reference(role: JsonObject) -> JsonObject:
    """Return a reference as refusals show it, under the names that it has inside the API."""
    return {
        "APIGroup": role.get("apiGroup") or "",
        "Kind": role.get("kind") or "",
        "Name": role.get("name") or "",
    }


def _objects(value: Json) -> list[JsonObject]:
    if not isinstance(value, list):
        return []
    return [each for each in value if isinstance(each, dict)]
