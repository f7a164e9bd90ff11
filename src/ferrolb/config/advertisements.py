"""L2Advertisements: read by themselves, then resolved with pools and nodes (layer2.md section 5).

Reading and finding the pools is done once a change of the objects, resolving once a change of the
nodes as well; the latter looks at no object.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from ferrolb.config.advertisement_drafts import AdvertisementDraft, read_l2_advertisement
from ferrolb.config.errors import ConfigError, errors_of
from ferrolb.config.reading import label_map, object_name
from ferrolb.model import Json, L2Advertisement, Node, NodeName, ObjectRef, PoolName

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ferrolb.model import LabelSelector

L2_ADVERTISEMENT_KIND: Final = "L2Advertisement"

_LAYER2: Final = "layer2"
_PROTOCOLS: Final = frozenset({_LAYER2, "bgp"})

_Drafts = tuple[AdvertisementDraft, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AdvertisementObjects:
    """The objects as the API has them, of any shape and in any order; they are not modified."""

    l2_advertisements: Sequence[Json] = ()
    pools: Sequence[Json] = ()
    """IPAddressPools, also invalid ones: of each only name and labels matter."""
    legacy_pools: Sequence[Json] = ()
    """AddressPools; one of the protocol `layer2` is announced everywhere, by all."""
    nodes: Mapping[NodeName, Node] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptedAdvertisements:
    """The versions in force: `AdvertisementConfig.accepted` of the last parse; empty at start."""

    l2: Mapping[ObjectRef, AdvertisementDraft] = field(default_factory=lambda: MappingProxyType({}))
    legacy_protocols: Mapping[PoolName, str] = field(default_factory=lambda: MappingProxyType({}))
    """The last legal `spec.protocol` of each AddressPool."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdvertisementConfig:
    """What is in force, and what is wrong."""

    by_pool: Mapping[PoolName, tuple[L2Advertisement, ...]]
    """For each pool object, valid or not, and each pool that an advertisement names.

    Pools of the same advertisements share one tuple.
    """
    defaults: tuple[L2Advertisement, ...]
    """Those that select every pool: what holds for a pool without an object (C-17)."""
    errors: tuple[ConfigError, ...]
    """By name of the object, in each in the order of the specification."""
    accepted: AcceptedAdvertisements
    """To be handed to the next parse."""
    drafts_by_pool: Mapping[PoolName, _Drafts] = field(repr=False)
    default_drafts: _Drafts = field(repr=False)

    @property
    def is_valid(self) -> bool:
        """True when nothing is wrong."""
        return not self.errors

    def for_nodes(self, nodes: Mapping[NodeName, Node]) -> "AdvertisementConfig":
        """Return the same configuration with these nodes."""
        resolver = _Resolver(nodes)
        return replace(
            self,
            by_pool=MappingProxyType(
                {pool: resolver.resolve(drafts) for pool, drafts in self.drafts_by_pool.items()}
            ),
            defaults=resolver.resolve(self.default_drafts),
        )


def parse_advertisements(
    objects: AdvertisementObjects, *, accepted: AcceptedAdvertisements
) -> AdvertisementConfig:
    """Parse all objects; an invalid one counts as it was last accepted, the others apply.

    A name of a pool, node or interface that does not exist is no error. Never raises, whatever the
    objects look like. The order of the objects does not matter.
    """
    l2: dict[ObjectRef, AdvertisementDraft] = {}
    errors: list[ConfigError] = []
    for raw in sorted(objects.l2_advertisements, key=_sort_key):
        ref = ObjectRef(L2_ADVERTISEMENT_KIND, *object_name(raw))
        draft, issues = read_l2_advertisement(raw)
        errors += errors_of(ref, issues)
        if not issues:
            l2[ref] = draft
        elif ref in accepted.l2:
            l2[ref] = accepted.l2[ref]
    protocols = _legacy_protocols(objects.legacy_pools, accepted.legacy_protocols)
    drafts = tuple(l2.values())
    config = AdvertisementConfig(
        by_pool=MappingProxyType({}),
        defaults=(),
        errors=tuple(errors),
        accepted=AcceptedAdvertisements(
            l2=MappingProxyType(l2), legacy_protocols=MappingProxyType(protocols)
        ),
        drafts_by_pool=MappingProxyType(_drafts_by_pool(drafts, objects.pools, protocols)),
        default_drafts=tuple(draft for draft in drafts if draft.selects_every_pool),
    )
    return config.for_nodes(objects.nodes)


def _sort_key(raw: Json) -> tuple[str, str]:
    namespace, name = object_name(raw)
    return name, namespace


def _legacy_protocols(
    raws: Sequence[Json], accepted: Mapping[PoolName, str]
) -> dict[PoolName, str]:
    found: dict[PoolName, str] = {}
    for raw in raws:
        name = PoolName(object_name(raw)[1])
        spec = raw.get("spec") if isinstance(raw, dict) else None
        protocol = spec.get("protocol") if isinstance(spec, dict) else None
        if not isinstance(protocol, str) or protocol not in _PROTOCOLS:
            protocol = accepted.get(name)
        if protocol is not None:
            found[name] = protocol
    return found


def _drafts_by_pool(
    drafts: _Drafts, pools: Sequence[Json], protocols: Mapping[PoolName, str]
) -> dict[PoolName, _Drafts]:
    """Return for each pool its advertisements, in name order."""
    general: list[int] = []
    named: dict[PoolName, set[int]] = {}
    for index, draft in enumerate(drafts):
        if draft.selects_every_pool or draft.pool_selectors:
            general.append(index)
        for name in draft.pools:
            named.setdefault(name, set()).add(index)
    found: dict[PoolName, _Drafts] = {}
    # an advertisement never applies to an AddressPool, which brings its own
    for name, protocol in protocols.items():
        found[name] = (AdvertisementDraft(name=name),) if protocol == _LAYER2 else ()
    everywhere = {index for index in general if drafts[index].selects_every_pool}
    for name, indexes in named.items():
        if name not in found:
            found[name] = tuple(drafts[index] for index in sorted(indexes | everywhere))
    for raw in pools:
        name, labels = PoolName(object_name(raw)[1]), label_map(raw)
        selecting = {index for index in general if drafts[index].selects_pool(labels)}
        selecting |= named.get(name, set())
        found[name] = tuple(drafts[index] for index in sorted(selecting))
    return found


class _Resolver:
    """Resolves drafts against the nodes, each selector and each combination once."""

    def __init__(self, nodes: Mapping[NodeName, Node]) -> None:
        self._nodes = nodes
        self._everybody = frozenset(nodes)
        self._matching: dict[LabelSelector, frozenset[NodeName]] = {}
        # by identity: drafts are compared and hashed by all their fields, which takes long
        self._advertisements: dict[int, L2Advertisement] = {}
        self._merged: dict[tuple[int, ...], tuple[L2Advertisement, ...]] = {}

    def resolve(self, drafts: _Drafts) -> tuple[L2Advertisement, ...]:
        """Return what the drafts mean together, those that mean the same merged."""
        key = tuple(map(id, drafts))
        if key not in self._merged:
            self._merged[key] = _merge(self._one(draft) for draft in drafts)
        return self._merged[key]

    def _one(self, draft: AdvertisementDraft) -> L2Advertisement:
        if id(draft) not in self._advertisements:
            nodes = self._everybody
            if draft.node_selectors:
                found = (self._matches(selector) for selector in draft.node_selectors)
                nodes = frozenset[NodeName]().union(*found)
            self._advertisements[id(draft)] = L2Advertisement(
                name=draft.name,
                nodes=nodes,
                interfaces=draft.interfaces,
                service_selectors=draft.service_selectors,
                preferred=self._preferred(draft, nodes),
            )
        return self._advertisements[id(draft)]

    def _preferred(
        self, draft: AdvertisementDraft, nodes: frozenset[NodeName]
    ) -> Mapping[NodeName, int]:
        scores: dict[NodeName, int] = {}
        for weight, selector in draft.preferred:
            for node in self._matches(selector) & nodes:
                scores[node] = scores.get(node, 0) + weight
        return MappingProxyType({node: scores[node] for node in sorted(scores) if scores[node] > 0})

    def _matches(self, selector: "LabelSelector") -> frozenset[NodeName]:
        if selector not in self._matching:
            self._matching[selector] = frozenset(
                name for name, node in self._nodes.items() if selector.matches(node.labels)
            )
        return self._matching[selector]


def _merge(advertisements: "Iterable[L2Advertisement]") -> tuple[L2Advertisement, ...]:
    """Leave out what an earlier one says already; those with preferences add up, so all stay."""
    found: list[L2Advertisement] = []
    seen: set[tuple[frozenset[NodeName], frozenset[str], tuple[LabelSelector, ...]]] = set()
    for one in advertisements:
        meaning = (one.nodes, one.interfaces, one.service_selectors)
        if one.preferred:
            found.append(one)
        elif meaning not in seen:
            seen.add(meaning)
            found.append(one)
    return tuple(found)
