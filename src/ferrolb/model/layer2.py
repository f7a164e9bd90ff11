"""Values of announcing: nodes, endpoints, advertisements, the interfaces that they allow."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, NewType

from ferrolb.model.names import NodeName
from ferrolb.model.selector import LabelSelector

EXCLUDE_LABEL: Final = "node.kubernetes.io/exclude-from-external-load-balancers"
"""A node that bears this label, with any value, announces nothing (API reference, well-known
labels)."""

MacAddress = NewType("MacAddress", bytes)
"""Six bytes, in the order of the wire."""


@dataclass(frozen=True, slots=True)
class InterfaceRule:
    """Through which interfaces of a node an address may be announced."""

    names: frozenset[str] | None = None
    """None: all of them."""

    def admits(self, name: str) -> bool:
        """Tell whether the interface of that name may be used."""
        return self.names is None or name in self.names


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One Node, as far as announcing depends on it."""

    name: NodeName
    labels: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    is_network_unavailable: bool = False
    """Condition `NetworkUnavailable` is `True`; absent, `False` and `Unknown` are not."""
    is_ready: bool = True
    """Condition `Ready` is not `False` or `Unknown`; used only where there is no gossip."""

    @property
    def is_excluded(self) -> bool:
        """Whether the node bears the label that keeps it out of external load balancing."""
        return EXCLUDE_LABEL in self.labels


@dataclass(frozen=True, slots=True)
class Endpoints:
    """The usable endpoints of one Service, all slices and families together.

    Usable is an endpoint that is ready, says nothing about it, or is serving (a pod that drains).
    """

    has_usable: bool = False
    nodes: frozenset[NodeName] = frozenset()
    """Nodes with at least one usable endpoint; endpoints without a node count only above."""


@dataclass(frozen=True, slots=True, kw_only=True)
class L2Advertisement:
    """One L2Advertisement, resolved against the nodes that exist."""

    name: str
    """`metadata.name`; of several that were merged, the first by name."""
    nodes: frozenset[NodeName]
    """Empty: nobody may announce."""
    interfaces: frozenset[str] = frozenset()
    """Empty: all interfaces."""
    service_selectors: tuple[LabelSelector, ...] = ()
    """Any one must match the Service's labels; empty: every Service."""
    preferred: Mapping[NodeName, int] = field(default_factory=lambda: MappingProxyType({}))
    """Sum of the weights of a node, for nodes in `nodes`; 0 is absent."""
