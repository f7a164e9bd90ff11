"""Who may do what, by the roles and bindings that there are.

Bindings are found by the users and groups that they name, so that a decision costs what concerns
its user, however many bindings there are.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from ferrolb.apimachinery.rbac import (
    SERVICE_ACCOUNT_PREFIX,
    PathRequest,
    ResourceRequest,
    Rule,
    User,
    is_allowed,
    is_subject,
    parse_rules,
)
from ferrolb.model import Json, JsonObject, quote

RBAC_GROUP: Final = "rbac.authorization.k8s.io"

_ROLE_KINDS: Final = ("ClusterRole", "Role")
_BINDING_KINDS: Final = ("ClusterRoleBinding", "RoleBinding")

_SubjectKey: TypeAlias = tuple[str, str, str]
"""Namespace of the binding, `User` or `Group`, name; ServiceAccounts under their user name."""

_Place: TypeAlias = tuple[str, str, str]
"""Kind, namespace and name of an object."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Whether a request is allowed, and by what; if not, which bindings lead nowhere."""

    is_allowed: bool
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldRules:
    """The rules of a user as their roles have them, and the bindings whose role is not there."""

    rules: tuple[JsonObject, ...]
    errors: tuple[str, ...] = ()

    @property
    def parsed(self) -> tuple[Rule, ...]:
        """The rules as values."""
        return parse_rules(list(self.rules))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Role:
    rules: tuple[Rule, ...]
    written: tuple[JsonObject, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Binding:
    kind: str
    namespace: str
    name: str
    role_kind: str
    role_name: str
    subjects: tuple[JsonObject, ...]

    def subject_of(self, user: User) -> JsonObject | None:
        for subject in self.subjects:
            if is_subject(subject, user, binding_namespace=self.namespace):
                return subject
        return None

    def described(self, subject: JsonObject) -> str:
        """Return the binding as reasons name it."""
        name = f"{self.name}/{self.namespace}" if self.namespace else self.name
        role = f"{self.role_kind} {quote(self.role_name)}"
        return f"{self.kind} {quote(name)} of {role} to {self._described(subject)}"

    def _described(self, subject: JsonObject) -> str:
        kind, name = _text(subject, "kind"), _text(subject, "name")
        if kind == "ServiceAccount":
            name = f"{name}/{_text(subject, 'namespace') or self.namespace}"
        return f"{kind} {quote(name)}"


@dataclass(slots=True)
class Grants:
    """Roles and bindings of a cluster; grants nothing as long as it is empty."""

    _roles: dict[_Place, _Role] = field(default_factory=dict)
    _bindings: dict[_Place, _Binding] = field(default_factory=dict)
    _by_subject: dict[_SubjectKey, dict[str, _Binding]] = field(default_factory=dict)
    """Every binding stands under each of its subjects, once, and under nothing else."""

    def put(self, obj: JsonObject) -> None:
        """Take a role or binding in, in place of one of the same name."""
        place = _place_of(obj)
        if place[0] in _ROLE_KINDS:
            written = _objects(obj.get("rules"))
            self._roles[place] = _Role(rules=parse_rules(list(written)), written=written)
        elif place[0] in _BINDING_KINDS:
            self._drop_binding(place)
            binding = _parse_binding(obj, place)
            self._bindings[place] = binding
            for key in _subject_keys(binding):
                self._by_subject.setdefault(key, {})[binding.name] = binding

    def remove(self, obj: JsonObject) -> None:
        """Forget a role or binding; one that is not there is none to forget."""
        place = _place_of(obj)
        self._roles.pop(place, None)
        self._drop_binding(place)

    def decide(self, user: User, request: ResourceRequest | PathRequest) -> Decision:
        """Tell whether one of a user's roles allows a request."""
        namespace = request.namespace if isinstance(request, ResourceRequest) else ""
        errors: list[str] = []
        for binding, subject in self._bindings_of(user, namespace):
            role = self._role_of(binding)
            if role is None:
                errors.append(_no_role(binding))
            elif is_allowed(role.rules, request):
                reason = f"RBAC: allowed by {binding.described(subject)}"
                return Decision(is_allowed=True, reason=reason)
        reason = f"RBAC: {join_reasons(errors)}" if errors else ""
        return Decision(is_allowed=False, reason=reason)

    def held(self, user: User, namespace: str) -> HeldRules:
        """Return the rules of all roles that a user has in a namespace; in `""`: everywhere."""
        rules: list[JsonObject] = []
        errors: list[str] = []
        for binding, _ in self._bindings_of(user, namespace):
            role = self._role_of(binding)
            if role is None:
                errors.append(_no_role(binding))
            else:
                rules.extend(role.written)
        return HeldRules(rules=tuple(rules), errors=tuple(errors))

    def _bindings_of(self, user: User, namespace: str) -> Iterator[tuple[_Binding, JsonObject]]:
        for place in ("", namespace) if namespace else ("",):
            found: dict[str, _Binding] = {}
            found.update(self._by_subject.get((place, "User", user.name), {}))
            for group in user.groups:
                found.update(self._by_subject.get((place, "Group", group), {}))
            for name in sorted(found):
                subject = found[name].subject_of(user)
                if subject is not None:
                    yield found[name], subject

    def _role_of(self, binding: _Binding) -> _Role | None:
        namespace = binding.namespace if binding.role_kind == "Role" else ""
        return self._roles.get((binding.role_kind, namespace, binding.role_name))

    def _drop_binding(self, place: _Place) -> None:
        binding = self._bindings.pop(place, None)
        if binding is None:
            return
        for key in _subject_keys(binding):
            named = self._by_subject[key]
            del named[binding.name]
            if not named:
                del self._by_subject[key]


def join_reasons(errors: list[str] | tuple[str, ...]) -> str:
    """Return several errors as one text, each of them once."""
    unique = list(dict.fromkeys(errors))
    return unique[0] if len(unique) == 1 else f"[{', '.join(unique)}]"


def _no_role(binding: _Binding) -> str:
    if binding.role_kind not in _ROLE_KINDS:
        return f"unsupported role reference kind: {quote(binding.role_kind)}"
    return f"{binding.role_kind.lower()}.{RBAC_GROUP} {quote(binding.role_name)} not found"


def _parse_binding(obj: JsonObject, place: _Place) -> _Binding:
    kind, namespace, name = place
    reference = obj.get("roleRef")
    role = reference if isinstance(reference, dict) else {}
    return _Binding(
        kind=kind,
        namespace=namespace,
        name=name,
        role_kind=_text(role, "kind"),
        role_name=_text(role, "name"),
        subjects=_objects(obj.get("subjects")),
    )


def _subject_keys(binding: _Binding) -> frozenset[_SubjectKey]:
    keys: set[_SubjectKey] = set()
    for subject in binding.subjects:
        kind, name = _text(subject, "kind"), _text(subject, "name")
        if kind == "ServiceAccount":
            namespace = _text(subject, "namespace") or binding.namespace
            kind, name = "User", f"{SERVICE_ACCOUNT_PREFIX}{namespace}:{name}"
        keys.add((binding.namespace, kind, name))
    return frozenset(keys)


def _place_of(obj: JsonObject) -> _Place:
    found = obj.get("metadata")
    metadata = found if isinstance(found, dict) else {}
    kind = _text(obj, "kind")
    namespace = "" if kind.startswith("Cluster") else _text(metadata, "namespace")
    return kind, namespace, _text(metadata, "name")


def _objects(value: Json) -> tuple[JsonObject, ...]:
    if not isinstance(value, list):
        return ()
    return tuple(each for each in value if isinstance(each, dict))


def _text(obj: JsonObject, name: str) -> str:
    value = obj.get(name)
    return value if isinstance(value, str) else ""
