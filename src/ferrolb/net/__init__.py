"""Sockets: packet sockets with filters, group memberships, rtnetlink, gossip transport, the driver.

Everything that touches the network besides HTTP is here. What the bytes mean is not: the machines
of `l2` and `gossip` decide that.
"""

from ferrolb.net.cipher import aes_gcm
from ferrolb.net.errors import (
    InterfaceGoneError,
    MissingCapabilityError,
    NetError,
    NetlinkError,
    PacketSocketError,
)
from ferrolb.net.frames import FrameDriver, FrameHealth, FrameObserver, SocketFailure
from ferrolb.net.gossip import GossipBindError, GossipDriver
from ferrolb.net.groups import GroupMemberships, GroupReport
from ferrolb.net.links import Link, interface_names, interfaces_for
from ferrolb.net.monitor import LinkMonitor
from ferrolb.net.packet import (
    FrameKind,
    PacketSocket,
    PacketStatistics,
    SendResult,
    require_packet_sockets,
)
from ferrolb.net.rejoin import REJOIN_S, Rejoin

__all__ = [
    "REJOIN_S",
    "FrameDriver",
    "FrameHealth",
    "FrameKind",
    "FrameObserver",
    "GossipBindError",
    "GossipDriver",
    "GroupMemberships",
    "GroupReport",
    "InterfaceGoneError",
    "Link",
    "LinkMonitor",
    "MissingCapabilityError",
    "NetError",
    "NetlinkError",
    "PacketSocket",
    "PacketSocketError",
    "PacketStatistics",
    "Rejoin",
    "SendResult",
    "SocketFailure",
    "aes_gcm",
    "interface_names",
    "interfaces_for",
    "require_packet_sockets",
]
