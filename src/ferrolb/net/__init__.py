"""Sockets: packet sockets with filters, group memberships, rtnetlink, gossip transport, the driver.

Everything that touches the network besides HTTP is here. What the bytes mean is not: the machines
of `l2` and `gossip` decide that.
"""

from ferrolb.net.cipher import aes_gcm
from ferrolb.net.gossip import GossipBindError, GossipDriver
from ferrolb.net.rejoin import REJOIN_S, Rejoin

__all__ = [
    "REJOIN_S",
    "GossipBindError",
    "GossipDriver",
    "Rejoin",
    "aes_gcm",
]
