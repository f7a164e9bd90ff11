"""Why each node announces a Service or does not: one value for events, the CLI and the web page."""

from dataclasses import dataclass
from enum import StrEnum

from ferrolb.model import NodeName


class NodeRule(StrEnum):
    """What keeps a node out of the election; of several the first in this order is named."""

    NOT_SELECTED = "notSelected"
    """No advertisement of the Service lists the node."""
    EXCLUDED_BY_LABEL = "excludedByLabel"
    """It bears the label that keeps it out of external load balancing."""
    NETWORK_UNAVAILABLE = "networkUnavailable"
    """Its condition `NetworkUnavailable` is `True`."""
    NOT_A_MEMBER = "notAMember"
    """No speaker of that name is in the gossip."""
    NO_ENDPOINT = "noEndpoint"
    """Policy Local, and none of its endpoints is usable; or nobody has a usable one."""


@dataclass(frozen=True, slots=True)
class NodeVerdict:
    """One node that is out of the election, and the rule that put it there."""

    node: NodeName
    rule: NodeRule


@dataclass(frozen=True, slots=True)
class NodeVerdicts:
    """Every node: its rank, or what excluded it. Both empty where no election was held."""

    order: tuple[NodeName, ...] = ()
    """The candidates; the first of them announces."""
    excluded: tuple[NodeVerdict, ...] = ()
    """The others, by name."""

    @property
    def leader(self) -> NodeName | None:
        """The node that announces."""
        return self.order[0] if self.order else None
