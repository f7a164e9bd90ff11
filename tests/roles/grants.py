"""Roles as sets of single rights, to be held against the requests that were made."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from ferrolb.rbac import Right

_OURS: Final = Path(__file__).parent.parent.parent / "deploy" / "rbac"


def our_manifests() -> list[dict[str, Any]]:
    """Return what `deploy/rbac` holds."""
    texts = [path.read_text() for path in sorted(_OURS.glob("*.yaml"))]
    return [one for text in texts for one in yaml.safe_load_all(text)]


@dataclass(frozen=True, order=True)
class Grant:
    """One verb of one rule."""

    namespace: str
    """Empty: of a ClusterRole, so everywhere."""
    group: str
    resource: str
    verb: str
    names: tuple[str, ...] = ()

    def covers(self, right: Right) -> bool:
        """Tell whether it allows a request."""
        return (
            (self.group, self.resource, self.verb) == (right.group, right.resource, right.verb)
            and self.namespace in ("", right.namespace)
            and (not self.names or right.name in self.names)
        )


def grants_of(manifests: Iterable[dict[str, Any]], account: str) -> list[Grant]:
    """Return what the roles bound to a service account allow."""
    objects = list(manifests)
    found: list[Grant] = []
    for binding in objects:
        names = [subject["name"] for subject in binding.get("subjects", ())]
        if account in names:
            reference = binding["roleRef"]
            [role] = [
                one
                for one in objects
                if (one["kind"], one["metadata"]["name"]) == (reference["kind"], reference["name"])
            ]
            found += _grants(role)
    return found


def _grants(role: dict[str, Any]) -> Iterable[Grant]:
    namespace = role["metadata"].get("namespace", "")
    for rule in role["rules"]:
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                for verb in rule["verbs"]:
                    names = tuple(rule.get("resourceNames", ()))
                    yield Grant(namespace, group, resource, verb, names)


def unused(grants: Iterable[Grant], made: Iterable[Right]) -> list[Grant]:
    """Return what is granted and was not asked for: the verbs too many."""
    rights = list(made)
    return sorted(grant for grant in grants if not any(grant.covers(one) for one in rights))


def uncovered(grants: Iterable[Grant], made: Iterable[Right]) -> list[Right]:
    """Return what was asked for and is not granted: the verbs too few."""
    allowed = list(grants)
    return sorted(one for one in made if not any(grant.covers(one) for grant in allowed))
