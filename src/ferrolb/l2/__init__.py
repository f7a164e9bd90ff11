"""ARP and Neighbor Discovery: codecs, what a frame is answered with, when gratuitous frames go.

Pure: frames, interfaces and `now` come in; frames, group memberships and reasons go out. Who owns
an address is decided elsewhere (`announce`); sockets are the shell's (`net`).
"""

from ferrolb.l2.announcer import CLAIM_INTERVAL_S, Announcer
from ferrolb.l2.arp import ArpPacket, decode_arp, encode_arp, gratuitous_arp
from ferrolb.l2.errors import FrameError
from ferrolb.l2.gratuitous import ROUND_INTERVAL_S, ROUNDS, ROUNDS_PER_TICK, TICK_S
from ferrolb.l2.interface import Interface
from ferrolb.l2.ndp import NdMessage, decode_nd, encode_nd, solicited_node_group
from ferrolb.l2.outcome import Claimed, Drop, DropReason, Gratuitous, Group, Outcome, Reply

__all__ = [
    "CLAIM_INTERVAL_S",
    "ROUNDS",
    "ROUNDS_PER_TICK",
    "ROUND_INTERVAL_S",
    "TICK_S",
    "Announcer",
    "ArpPacket",
    "Claimed",
    "Drop",
    "DropReason",
    "FrameError",
    "Gratuitous",
    "Group",
    "Interface",
    "NdMessage",
    "Outcome",
    "Reply",
    "decode_arp",
    "decode_nd",
    "encode_arp",
    "encode_nd",
    "gratuitous_arp",
    "solicited_node_group",
]
