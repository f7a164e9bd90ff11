"""What a node announces, and why every other node does not.

Pure: a Service, its endpoints, the nodes, the advertisements and the members come in; one decision
with its verdict comes out. Frames are `l2`'s matter, routes that of a later stage.
"""

from ferrolb.announce.coverage import explain_unannounced
from ferrolb.announce.decision import Announce, Withhold, WithholdReason, decide, is_moved
from ferrolb.announce.notes import announce_failed, node_assigned, not_announced
from ferrolb.announce.usable import node_matters, unusable
from ferrolb.announce.verdict import NodeRule, NodeVerdict, NodeVerdicts
from ferrolb.announce.view import Standing, View

__all__ = [
    "Announce",
    "NodeRule",
    "NodeVerdict",
    "NodeVerdicts",
    "Standing",
    "View",
    "Withhold",
    "WithholdReason",
    "announce_failed",
    "decide",
    "explain_unannounced",
    "is_moved",
    "node_assigned",
    "node_matters",
    "not_announced",
    "unusable",
]
