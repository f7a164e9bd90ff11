"""Numbers of memberlist's protocol, and every limit on what strangers can make grow."""

from enum import IntEnum, StrEnum
from typing import Final


class MessageType(IntEnum):
    """First byte of a message or of a layer around messages."""

    PING = 0
    INDIRECT_PING = 1
    ACK = 2
    SUSPECT = 3
    ALIVE = 4
    DEAD = 5
    PUSH_PULL = 6
    COMPOUND = 7
    USER = 8
    COMPRESS = 9
    ENCRYPT = 10
    NACK = 11
    HAS_CRC = 12
    ERROR = 13
    HAS_LABEL = 244


class DropReason(StrEnum):
    """Why something that came in had no effect; the values are metric labels."""

    EMPTY = "empty"
    UNKNOWN_TYPE = "unknown_type"
    MALFORMED = "malformed"
    """Not what the message of that type looks like, or cut short."""
    BAD_CHECKSUM = "bad_checksum"
    LABEL = "label"
    """For another cluster: labels are not used here."""
    PLAINTEXT = "plaintext"
    """Not encrypted, though this cluster is."""
    UNDECRYPTABLE = "undecryptable"
    """Encrypted with a key that is not ours, changed on the way, or encrypted where no key is."""
    TOO_LARGE = "too_large"
    """More bytes, messages or entries than the limits below allow."""
    TOO_DEEP = "too_deep"
    """More layers around a message than a member ever makes."""
    BAD_ADDRESS = "bad_address"
    """An address nobody can be reached by."""
    BAD_VERSION = "bad_version"
    """Protocol versions that are missing, contradict themselves, or exclude this member."""
    WRONG_NODE = "wrong_node"
    """A ping for another member."""
    UNKNOWN_NODE = "unknown_node"
    """Suspicion or death of somebody who is not known."""
    ADDRESS_CONFLICT = "address_conflict"
    """A second member with a name that is taken."""
    MEMBERS_FULL = "members_full"
    RELAYS_FULL = "relays_full"
    """More requests for indirect pings than are relayed."""
    STREAMS_FULL = "streams_full"
    """Connections refused, or cut because all of them together had sent too much."""
    STREAM_TIMEOUT = "stream_timeout"
    STREAM_CLOSED = "stream_closed"
    """Closed by the peer in the middle of a message."""
    REMOTE_ERROR = "remote_error"
    """The peer answered that it could not read the request."""
    UNEXPECTED = "unexpected"
    """An answer that nobody waits for any more."""


PROTOCOL_VERSION_MIN: Final = 1
PROTOCOL_VERSION_MAX: Final = 5
PROTOCOL_VERSION: Final = 2
"""What a MetalLB speaker says of itself, so that either accepts the other."""

VERSION_TCP_PING: Final = 3
VERSION_NACK: Final = 4
VERSION_CRC: Final = 5
"""Highest version a member must understand to be sent a TCP ping, asked for nacks, sent a CRC."""

INCARNATION_MAX: Final = 2**32 - 1
SEQUENCE_MODULUS: Final = 2**32

DATAGRAM_MAX_BYTES: Final = 65_535
"""What UDP carries at most; members accept all of it, though they send `udp_buffer_size`."""

INFLATED_DATAGRAM_MAX_BYTES: Final = 65_536
"""What all compressed parts of one datagram may grow to together. A member packs a datagram before
compressing it, so the honest maximum is what fits a datagram; LZW can reach 1:700."""

INFLATED_STREAM_MAX_BYTES: Final = 2_097_152
"""What the content of one connection may grow to: `MEMBERS_MAX` entries with the longest names
take 1.9 MB without metadata, which MetalLB's speakers do not have."""

PLAIN_STREAM_MAX_BYTES: Final = 2_097_152
"""What a connection may send where there is no key: as above, when it is not compressed."""

FRAME_MAX_BYTES: Final = 20_971_520
"""The longest encrypted frame on a connection, memberlist's own limit."""

STREAM_BUFFERS_MAX_BYTES: Final = 33_554_432
"""What all connections together may have sent without a complete message: one frame of the longest
kind and plenty of ordinary ones. Beyond it the longest is cut, which is never an ordinary one."""

INCOMING_STREAMS_MAX: Final = 128
"""Connections served at a time, as memberlist; each lives for `tcp_timeout_s` at most."""

JOIN_CONCURRENCY: Final = 32
"""Peers asked at a time. A dead one holds its place for `tcp_timeout_s`; 32 of them together are
less likely than a cluster that is down."""

NESTING_MAX: Final = 4
"""Layers around a message in a datagram. Members make three: checksum, compression, compound."""

MESSAGES_PER_DATAGRAM_MAX: Final = 2_048
"""Messages in one datagram, all compounds together: one that means something takes 30 bytes."""

MEMBERS_MAX: Final = 5_000
"""Members known, dead ones included: the size Kubernetes itself is built for. About 5 MB."""

NAME_MAX_BYTES: Final = 253
"""The longest name of a Kubernetes node."""

META_MAX_BYTES: Final = 512
"""memberlist's own limit on metadata."""

MAP_ITEMS_MAX: Final = 32
"""Fields of one message: the largest has eight; the rest is room for later versions."""

VALUE_DEPTH_MAX: Final = 4
"""Depth of a value in a field that is not known, and is skipped."""

USER_MESSAGE_MAX_BYTES: Final = 65_536
"""One user message on a connection; in a datagram it has to fit that."""

RELAYS_MAX: Final = 256
"""Indirect pings under way for others. With all members asking three helpers for one dead peer a
second, a member has three of them on average."""

RELAYS_PER_S: Final = 100
"""Indirect pings a second, so that a stranger cannot make a member ping others at his pace."""

COMPRESS_MIN_BYTES: Final = 128
"""Shorter datagrams are sent as they are: they do not get smaller, and a ping must be quick."""
