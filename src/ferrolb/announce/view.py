"""Everything but the Service and its endpoints that a decision rests on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from ferrolb.announce.pool_index import PoolIndex
from ferrolb.announce.verdict import NodeRule, NodeVerdict
from ferrolb.model import (
    InterfaceRule,
    IPAddress,
    L2Advertisement,
    Node,
    NodeName,
    PoolName,
    PoolSet,
    Service,
)

MAX_STANDINGS: Final = 1024
"""Sets of advertisements of which the candidates are remembered. Usual is one a pool; service
selectors make more of them, up to one a Service. One entry costs a few hundred bytes a node."""

_NO_POOLS: Final = PoolSet()


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What some advertisements together mean for every node, before endpoints are looked at."""

    candidates: tuple[NodeName, ...]
    """Who may announce, by name."""
    excluded: tuple[NodeVerdict, ...]
    """All others, by name."""
    listed: frozenset[NodeName]
    """Nodes that at least one of the advertisements lists, whatever excludes them."""
    scores: Mapping[NodeName, int]
    """Sum of the preferences; a node that is not in it has 0."""
    has_selectors: bool
    """Whether one of the advertisements selects Services."""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """Pools, advertisements, nodes and members at one moment; what follows from them is kept.

    `dataclasses.replace` makes the next one cheaply: the index of the pools goes along with them.
    """

    pools: PoolSet = _NO_POOLS
    advertisements: Mapping[PoolName, tuple[L2Advertisement, ...]] = field(
        default_factory=lambda: MappingProxyType({})
    )
    default_advertisements: tuple[L2Advertisement, ...] = ()
    """Those that apply to a pool of which no object exists any more (C-17)."""
    routed_pools: frozenset[PoolName] = frozenset()
    """Pools that routers are told of: of these nobody can say that no node announces them."""
    nodes: Mapping[NodeName, Node] = field(default_factory=lambda: MappingProxyType({}))
    members: frozenset[NodeName] | None = None
    """The speakers that the gossip knows. None: no gossip, all nodes count as speakers."""
    ignores_exclude_label: bool = False
    lb_class: str = ""
    index: PoolIndex = field(default=PoolIndex(_NO_POOLS), repr=False, compare=False)
    """Made anew where it is not that of `pools`."""
    everybody: tuple[NodeName, ...] = field(init=False, repr=False, compare=False)
    """Every node and every member, by name."""
    _standings: dict[tuple[int, ...], Standing] = field(
        init=False, repr=False, compare=False, default_factory=dict
    )

    def __post_init__(self) -> None:
        if self.index.pools is not self.pools:
            object.__setattr__(self, "index", PoolIndex(self.pools))
        object.__setattr__(self, "everybody", tuple(sorted({*self.nodes, *(self.members or ())})))

    def handles(self, service: Service) -> bool:
        """Tell whether a Service of this loadBalancerClass is ours (layer2.md section 3.4)."""
        return (service.load_balancer_class or "") == self.lb_class

    def pool_of(self, service: Service, addresses: Sequence[IPAddress]) -> PoolName | None:
        """Return the pool that holds the addresses of the Service.

        While some pool object is invalid, an address that no valid pool holds is kept, and counts
        to the pool that the Service is marked with (C-17).
        """
        pool = self.index.pool_of(addresses)
        if pool is not None or not self.pools.is_frozen:
            return pool
        marked = service.allocated_from
        return PoolName(marked) if marked else None

    def advertisements_of_pool(self, pool: PoolName) -> tuple[L2Advertisement, ...]:
        """Return all advertisements of a pool, also of one that is there no more (C-17)."""
        return self.advertisements.get(pool, self.default_advertisements)

    def advertisements_of(
        self, pool: PoolName, labels: Mapping[str, str]
    ) -> tuple[L2Advertisement, ...]:
        """Return the advertisements of a pool that select a Service with these labels."""
        return tuple(
            one
            for one in self.advertisements_of_pool(pool)
            if not one.service_selectors
            or any(selector.matches(labels) for selector in one.service_selectors)
        )

    def standing(self, advertisements: tuple[L2Advertisement, ...]) -> Standing:
        """Return what these advertisements, all of this view, mean for every node."""
        # the view holds them, so no other object can come to have one of their identities
        key = tuple(map(id, advertisements))
        found = self._standings.get(key)
        if found is None:
            if len(self._standings) >= MAX_STANDINGS:
                self._standings.clear()
            found = self._standings[key] = self._stand(advertisements)
        return found

    def covered_pools(self) -> frozenset[PoolName]:
        """Return the pools whose every Service may be announced, whatever it looks like.

        Where endpoints are missing, nobody announces all the same.
        """
        found = set(self.routed_pools)
        for pool, advertisements in self.advertisements.items():
            standing = self.standing(advertisements)
            if standing.candidates and not standing.has_selectors:
                found.add(pool)
        return frozenset(found)

    def excluding_rule(self, node: NodeName) -> NodeRule | None:
        """Return what keeps a node from announcing anything, None where nothing does."""
        found = self.nodes.get(node)
        if found is not None and found.is_excluded and not self.ignores_exclude_label:
            return NodeRule.EXCLUDED_BY_LABEL
        if found is not None and found.is_network_unavailable:
            return NodeRule.NETWORK_UNAVAILABLE
        if self.members is not None and node not in self.members:
            return NodeRule.NOT_A_MEMBER
        return None

    def _stand(self, advertisements: tuple[L2Advertisement, ...]) -> Standing:
        listed = frozenset[NodeName]().union(*(one.nodes for one in advertisements))
        candidates: list[NodeName] = []
        excluded: list[NodeVerdict] = []
        for node in self.everybody:
            rule = self.excluding_rule(node) if node in listed else NodeRule.NOT_SELECTED
            if rule is None:
                candidates.append(node)
            else:
                excluded.append(NodeVerdict(node, rule))
        scores: dict[NodeName, int] = {}
        for one in advertisements:
            for node, weight in one.preferred.items():
                scores[node] = scores.get(node, 0) + weight
        return Standing(
            candidates=tuple(candidates),
            excluded=tuple(excluded),
            listed=listed,
            scores=MappingProxyType(scores),
            has_selectors=any(one.service_selectors for one in advertisements),
        )


def interfaces_of(advertisements: Sequence[L2Advertisement], node: NodeName) -> InterfaceRule:
    """Return through which interfaces a node announces: the union of what lists the node (7.1)."""
    names: set[str] = set()
    for one in advertisements:
        if node not in one.nodes:
            continue
        if not one.interfaces:
            return InterfaceRule()
        names |= one.interfaces
    return InterfaceRule(frozenset(names))
