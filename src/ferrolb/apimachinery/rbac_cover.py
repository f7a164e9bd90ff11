"""What rules grant beyond those that somebody holds, as refusals to hand on such rights name it."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product

from ferrolb.apimachinery.rbac import Rule, missing_rules
from ferrolb.model import Json, JsonObject, quote


@dataclass(frozen=True, slots=True, kw_only=True)
class _Thing:
    """What a single verb is granted on."""

    group: str | None = None
    resource: str | None = None
    name: str | None = None
    path: str | None = None

    def rule(self, verb: str) -> Rule:
        return Rule(
            verbs=frozenset({verb}),
            groups=_set(self.group),
            resources=_set(self.resource),
            names=_set(self.name),
            paths=_set(self.path),
        )

    def described(self, verbs: Sequence[str]) -> str:
        members = {
            "APIGroups": _listed(self.group),
            "Resources": _listed(self.resource),
            "NonResourceURLs": _listed(self.path),
            "ResourceNames": _listed(self.name),
            "Verbs": verbs,
        }
        shown = (
            f"{name}:{quoted_list(values)}" for name, values in members.items() if len(values) > 0
        )
        return f"{{{', '.join(shown)}}}"


def uncovered(held: Sequence[Rule], wanted: Iterable[JsonObject]) -> list[str]:
    """Return what the wanted rules grant and no held one does, in the order of the texts.

    Verbs on one resource, or on one object of it, share a text; each on a path has its own.
    """
    by_thing: dict[_Thing, list[str]] = {}
    texts: set[str] = set()
    for rule in wanted:
        for thing, verb in _parts(rule):
            if not missing_rules(held, [thing.rule(verb)]):
                continue
            if thing.path is None:
                by_thing.setdefault(thing, []).append(verb)
            else:
                texts.add(thing.described([verb]))
    texts.update(thing.described(verbs) for thing, verbs in by_thing.items())
    return sorted(texts)


def quoted_list(values: Iterable[str]) -> str:
    """Return strings as refusals list them: quoted, without commas."""
    return f"[{' '.join(map(quote, values))}]"


def _parts(rule: JsonObject) -> Iterator[tuple[_Thing, str]]:
    verbs = _strings(rule.get("verbs"))
    groups, resources = _strings(rule.get("apiGroups")), _strings(rule.get("resources"))
    names: Sequence[str | None] = _strings(rule.get("resourceNames")) or [None]
    for group, resource, verb, name in product(groups, resources, verbs, names):
        yield _Thing(group=group, resource=resource, name=name), verb
    for path, verb in product(_strings(rule.get("nonResourceURLs")), verbs):
        yield _Thing(path=path), verb


def _strings(value: Json) -> list[str]:
    if not isinstance(value, list):
        return []
    return [each for each in value if isinstance(each, str)]


def _listed(value: str | None) -> list[str]:
    return [] if value is None else [value]


def _set(value: str | None) -> frozenset[str]:
    return frozenset(_listed(value))
