"""What rules of roles allow: requests against rules, rules against rules, bindings against users.

Rules only ever grant: a request is allowed where one rule has all that it asks for.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Final

from ferrolb.model import Json, JsonObject

ALL: Final = "*"

SERVICE_ACCOUNT_PREFIX: Final = "system:serviceaccount:"
"""Followed by namespace and name in the user name of a ServiceAccount."""


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """Who asks."""

    name: str
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: tuple[tuple[str, tuple[str, ...]], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceRequest:
    """A request on a resource; empty strings for what it does not name."""

    verb: str
    group: str = ""
    resource: str
    subresource: str = ""
    namespace: str = ""
    name: str = ""

    @property
    def combined(self) -> str:
        """The resource as rules write it, with its subresource."""
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource


@dataclass(frozen=True, slots=True, kw_only=True)
class PathRequest:
    """A request on a path that is no resource."""

    verb: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A rule of a role: what may be done with what."""

    verbs: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    resources: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()
    """Empty: whatever the name is, also where a request names none."""
    paths: frozenset[str] = frozenset()

    def allows(self, request: ResourceRequest | PathRequest) -> bool:
        """Tell whether the rule alone allows a request."""
        if not _has(self.verbs, request.verb):
            return False
        if isinstance(request, PathRequest):
            return any(_path_covers(path, request.path) for path in self.paths)
        return (
            _has(self.groups, request.group)
            and _has_resource(self.resources, request.combined)
            and (not self.names or request.name in self.names)
        )

    def covers(self, other: "Rule") -> bool:
        """Tell whether the rule alone allows all that another allows."""
        if ALL not in self.verbs and not other.verbs <= self.verbs:
            return False
        if other.paths:
            return all(any(_path_covers(own, path) for own in self.paths) for path in other.paths)
        return (
            (ALL in self.groups or other.groups <= self.groups)
            and all(_has_resource(self.resources, each) for each in other.resources)
            and (not self.names or (bool(other.names) and other.names <= self.names))
        )


def parse_rules(rules: Json) -> tuple[Rule, ...]:
    """Return the rules of a role; what is not spelled as the API has it grants nothing."""
    if not isinstance(rules, list):
        return ()
    return tuple(_parse_rule(rule) for rule in rules if isinstance(rule, dict))


def is_allowed(rules: Iterable[Rule], request: ResourceRequest | PathRequest) -> bool:
    """Tell whether one of the rules allows a request."""
    return any(rule.allows(request) for rule in rules)


def missing_rules(held: Sequence[Rule], wanted: Iterable[Rule]) -> list[Rule]:
    """Return what rules grant beyond those held, one verb and one thing each, each once."""
    missing: dict[Rule, None] = {}
    for rule in wanted:
        for part in _parts(rule):
            if not any(own.covers(part) for own in held):
                missing[part] = None
    return list(missing)


def is_subject(subject: JsonObject, user: User, *, binding_namespace: str) -> bool:
    """Tell whether a subject of a binding is a user, or a group that the user is in."""
    name = subject.get("name")
    match subject.get("kind"):
        case "User":
            return name == user.name
        case "Group":
            return name in user.groups
        case "ServiceAccount":
            namespace = subject.get("namespace") or binding_namespace
            return bool(namespace) and user.name == f"{SERVICE_ACCOUNT_PREFIX}{namespace}:{name}"
        case _:
            return False


def _parse_rule(rule: JsonObject) -> Rule:
    return Rule(
        verbs=_strings(rule.get("verbs")),
        groups=_strings(rule.get("apiGroups")),
        resources=_strings(rule.get("resources")),
        names=_strings(rule.get("resourceNames")),
        paths=_strings(rule.get("nonResourceURLs")),
    )


def _strings(value: Json) -> frozenset[str]:
    if not isinstance(value, list):
        return frozenset()
    return frozenset(each for each in value if isinstance(each, str))


def _parts(rule: Rule) -> Iterator[Rule]:
    """Break a rule down, since what one rule grants several others may grant together."""
    for verb, path in product(sorted(rule.verbs), sorted(rule.paths)):
        yield Rule(verbs=frozenset({verb}), paths=frozenset({path}))
    names = [frozenset({name}) for name in sorted(rule.names)] or [frozenset[str]()]
    things = product(sorted(rule.verbs), sorted(rule.groups), sorted(rule.resources), names)
    for verb, group, resource, name in things:
        yield Rule(
            verbs=frozenset({verb}),
            groups=frozenset({group}),
            resources=frozenset({resource}),
            names=name,
        )


def _has(allowed: frozenset[str], asked: str) -> bool:
    return ALL in allowed or asked in allowed


def _has_resource(allowed: frozenset[str], combined: str) -> bool:
    if _has(allowed, combined):
        return True
    _, slash, subresource = combined.partition("/")
    return bool(slash) and f"{ALL}/{subresource}" in allowed


def _path_covers(allowed: str, path: str) -> bool:
    return allowed == path or (allowed.endswith(ALL) and path.startswith(allowed.rstrip(ALL)))
