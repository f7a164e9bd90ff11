"""Membership of the speakers: the protocol of hashicorp/memberlist, without I/O.

Pure: datagrams, stream bytes and `now` come in; datagrams, stream writes and membership events go
out. Sockets are the shell's (`net`), and so is the cipher, which is handed in.
"""

from ferrolb.gossip.constants import INCOMING_STREAMS_MAX, DropReason
from ferrolb.gossip.errors import GossipError, KeyringError, SettingsError
from ferrolb.gossip.keyring import Aead, Keyring, derive_key
from ferrolb.gossip.membership import Membership
from ferrolb.gossip.settings import LAN, WAN, GossipSettings, parse_settings
from ferrolb.gossip.values import (
    Datagram,
    Event,
    JoinFailed,
    JoinFailure,
    JoinSucceeded,
    LeaveDone,
    Member,
    MemberJoined,
    MemberLeft,
    MemberState,
    MemberUpdated,
    Random,
    SocketAddress,
    StreamId,
    StreamRequest,
    StreamWrite,
    UserMessage,
)

__all__ = [
    "INCOMING_STREAMS_MAX",
    "LAN",
    "WAN",
    "Aead",
    "Datagram",
    "DropReason",
    "Event",
    "GossipError",
    "GossipSettings",
    "JoinFailed",
    "JoinFailure",
    "JoinSucceeded",
    "Keyring",
    "KeyringError",
    "LeaveDone",
    "Member",
    "MemberJoined",
    "MemberLeft",
    "MemberState",
    "MemberUpdated",
    "Membership",
    "Random",
    "SettingsError",
    "SocketAddress",
    "StreamId",
    "StreamRequest",
    "StreamWrite",
    "UserMessage",
    "derive_key",
    "parse_settings",
]
