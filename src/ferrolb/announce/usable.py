"""Which interfaces an address lacks, and which changes of a node matter."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

    from ferrolb.model import InterfaceRule, IPAddress, Node


def unusable(
    addresses: "tuple[IPAddress, ...]", rule: "InterfaceRule", existing: "Collection[str]"
) -> "tuple[IPAddress, ...]":
    """Return the addresses that no interface is there for: all of them, or none.

    They count as not announced: no responder, no `nodeAssigned`, no metric, no status.
    """
    if rule.names is None or not rule.names.isdisjoint(existing):
        return ()
    return addresses


def node_matters(old: "Node | None", new: "Node | None") -> bool:
    """Tell whether a change of a Node can change a decision; None stands for a node not there.

    Nodes are updated every few seconds; heartbeats, taints, cordons and readiness are no matter.
    """
    if old is None or new is None:
        return old is not new
    return old.is_network_unavailable != new.is_network_unavailable or old.labels != new.labels
