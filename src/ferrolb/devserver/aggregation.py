"""Gives ClusterRoles that are gathered from others the rules of those."""

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING

from ferrolb.devserver.builtin import CLUSTER_ROLES
from ferrolb.devserver.strategies import member_of, metadata_of
from ferrolb.model import Json, JsonObject, LabelSelector, Operator, Requirement
from ferrolb.store import ObjectKey

if TYPE_CHECKING:
    from ferrolb.devserver.cluster import Cluster
    from ferrolb.store import Change


class Aggregator:
    """Writes the rules of gathered roles; woken by changes of ClusterRoles."""

    def __init__(self, cluster: "Cluster") -> None:
        self._cluster = cluster
        self._wake = asyncio.Event()
        self._wake.set()

    def saw(self, change: "Change") -> None:
        """Look at a change: a role may have come, gone, or got other rules or labels."""
        if change.key.resource == CLUSTER_ROLES:
            self._wake.set()

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            await self.gather()

    async def gather(self) -> None:
        """Write what does not have the rules that it should have.

        One role at a time: others may be written meanwhile, and gathered roles be gathered again.
        """
        while (change := self._gather_one()) is not None:
            await self._cluster.committed(change)
            # roles that gather each other may take many rounds; requests are answered between
            await asyncio.sleep(0)

    def _gather_one(self) -> "Change | None":
        roles = self._cluster.store.list(CLUSTER_ROLES).items
        for role in roles:
            rules = gathered_rules(role, roles)
            if rules is not None and rules != _list(role.get("rules")):
                key = ObjectKey(CLUSTER_ROLES, "", str(metadata_of(role)["name"]))
                return self._cluster.store.update(key, {**role, "rules": rules}).change
        return None


def gathered_rules(role: JsonObject, roles: Iterable[JsonObject]) -> list[Json] | None:
    """Return the rules that a role gathers from others by their labels; None: it gathers none.

    Each rule once, in the order of selectors, then of names.
    """
    selectors = member_of(role, "aggregationRule").get("clusterRoleSelectors")
    if not isinstance(selectors, list):
        return None
    own = metadata_of(role).get("name")
    others = [other for other in roles if metadata_of(other).get("name") != own]
    others.sort(key=lambda other: str(metadata_of(other).get("name")))
    rules: list[Json] = []
    for selector in selectors:
        if not isinstance(selector, dict):
            continue
        parsed = _parse(selector)
        for other in others:
            if parsed.matches(_labels_of(other)):
                rules.extend(rule for rule in _list(other.get("rules")) if rule not in rules)
    return rules


def _parse(selector: JsonObject) -> LabelSelector:
    requirements = [
        Requirement(key, Operator.IN, (str(value),))
        for key, value in member_of(selector, "matchLabels").items()
    ]
    for term in _list(selector.get("matchExpressions")):
        if isinstance(term, dict) and term.get("operator") in list(Operator):
            values = tuple(str(value) for value in _list(term.get("values")))
            operator = Operator(str(term["operator"]))
            requirements.append(Requirement(str(term.get("key")), operator, values))
    return LabelSelector(tuple(requirements))


def _labels_of(obj: JsonObject) -> dict[str, str]:
    return {key: str(value) for key, value in member_of(metadata_of(obj), "labels").items()}


def _list(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []
