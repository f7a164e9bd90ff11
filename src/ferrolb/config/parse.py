"""The configuration as a whole: every object that the controller needs, in one value."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from ferrolb.config.communities import (
    Community,
    CommunityDraft,
    CommunityLedger,
    read_community,
)
from ferrolb.config.errors import ConfigError, errors_of
from ferrolb.config.pools import (
    PoolDraft,
    PoolLedger,
    read_address_pool,
    read_ip_address_pool,
    resolve_pool,
)
from ferrolb.config.reading import creation_time, object_name
from ferrolb.config.settle import Candidate, DraftT, Settled, settle
from ferrolb.model import Json, LabelSelector, Namespace, ObjectRef, Pool, PoolName, PoolSet

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ferrolb.config.errors import Issue

POOL_KIND: Final = "IPAddressPool"
LEGACY_POOL_KIND: Final = "AddressPool"
COMMUNITY_KIND: Final = "Community"


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolObjects:
    """The objects as the API has them, of any shape and in any order; they are not modified."""

    pools: Sequence[Json] = ()
    """IPAddressPools."""
    legacy_pools: Sequence[Json] = ()
    """AddressPools, of either version."""
    communities: Sequence[Json] = ()
    namespaces: Mapping[Namespace, Mapping[str, str]] = field(
        default_factory=lambda: MappingProxyType({})
    )
    """Labels of every namespace."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptedPools:
    """The versions in force: `PoolConfig.accepted` of the last parse; empty at start."""

    pools: Mapping[ObjectRef, PoolDraft] = field(default_factory=lambda: MappingProxyType({}))
    communities: Mapping[ObjectRef, CommunityDraft] = field(
        default_factory=lambda: MappingProxyType({})
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolConfig:
    """What is in force, and what is wrong."""

    pools: PoolSet
    communities: Mapping[str, Community]
    """By alias, in name order."""
    errors: tuple[ConfigError, ...]
    """In the order of the specification's section 3: communities, IPAddressPools, AddressPools."""
    accepted: AcceptedPools
    """To be handed to the next parse."""

    @property
    def is_valid(self) -> bool:
        """True when nothing is wrong."""
        return not self.errors

    @property
    def error_summary(self) -> str:
        """All messages, one a line, the first as MetalLB words it; empty when valid."""
        return "\n".join(error.message for error in self.errors)


def parse_pools(objects: PoolObjects, *, accepted: AcceptedPools) -> PoolConfig:
    """Parse all objects; an invalid one counts as it was last accepted, the others apply.

    Never raises, whatever the objects look like. The order of the objects does not matter.
    """
    community_candidates = [
        _candidate(COMMUNITY_KIND, raw, read_community(raw))
        for raw in sorted(objects.communities, key=_sort_key)
    ]
    communities = settle(community_candidates, accepted.communities, CommunityLedger)
    drafts = communities.in_force.values()
    aliases = dict(sorted(alias for draft in drafts for alias in draft.aliases))
    candidates = _pool_candidates(objects, aliases)
    pools = settle(candidates, accepted.pools, PoolLedger)
    return PoolConfig(
        pools=PoolSet(
            pools=MappingProxyType(_resolved(pools.in_force.values(), objects.namespaces)),
            invalid=_invalid(candidates, pools),
        ),
        communities=MappingProxyType(aliases),
        errors=_errors(community_candidates, communities) + _errors(candidates, pools),
        accepted=AcceptedPools(
            pools=MappingProxyType(dict(pools.in_force)),
            communities=MappingProxyType(dict(communities.in_force)),
        ),
    )


def _pool_candidates(
    objects: PoolObjects, aliases: Mapping[str, Community]
) -> list[Candidate[PoolDraft]]:
    return [
        *(
            _candidate(POOL_KIND, raw, read_ip_address_pool(raw))
            for raw in sorted(objects.pools, key=_sort_key)
        ),
        *(
            _candidate(LEGACY_POOL_KIND, raw, read_address_pool(raw, aliases))
            for raw in sorted(objects.legacy_pools, key=_sort_key)
        ),
    ]


def _sort_key(raw: Json) -> tuple[str, str]:
    namespace, name = object_name(raw)
    return name, namespace


def _candidate(kind: str, raw: Json, read: "tuple[DraftT, list[Issue]]") -> Candidate[DraftT]:
    namespace, name = object_name(raw)
    return Candidate(
        ref=ObjectRef(kind, namespace, name),
        draft=read[0],
        issues=read[1],
        created=creation_time(raw),
    )


def _invalid(
    candidates: Sequence[Candidate[PoolDraft]], settled: Settled[PoolDraft]
) -> frozenset[PoolName]:
    pairs = zip(candidates, settled.issues, strict=True)
    return frozenset(one.draft.name for one, issues in pairs if issues)


def _errors(
    candidates: Sequence[Candidate[DraftT]], settled: Settled[DraftT]
) -> tuple[ConfigError, ...]:
    pairs = zip(candidates, settled.issues, strict=True)
    return tuple(error for one, issues in pairs for error in errors_of(one.ref, issues))


def _resolved(
    drafts: "Iterable[PoolDraft]", namespaces: Mapping[Namespace, Mapping[str, str]]
) -> dict[PoolName, Pool]:
    known: dict[LabelSelector, frozenset[Namespace]] = {}

    def matching(selector: LabelSelector) -> frozenset[Namespace]:
        if selector not in known:
            known[selector] = frozenset(
                name for name, labels in namespaces.items() if selector.matches(labels)
            )
        return known[selector]

    pools = (resolve_pool(draft, matching) for draft in drafts)
    return {pool.name: pool for pool in sorted(pools, key=lambda pool: pool.name)}
