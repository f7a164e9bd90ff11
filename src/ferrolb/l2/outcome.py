"""What comes of a frame, and what is to be sent without being asked."""

from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv6Address
from typing import NamedTuple, TypeAlias

from ferrolb.model import IPAddress, MacAddress


class DropReason(StrEnum):
    """Why a frame that came in was not answered; the values are labels of a metric."""

    UNKNOWN_INTERFACE = "unknownInterface"
    """It came in through an interface that is not, or no longer, in use."""
    NO_RESPONDER = "noResponder"
    """The interface is not meant to answer this protocol."""
    ETHERTYPE = "etherType"
    """Neither ARP nor IPv6."""
    TRUNCATED = "truncated"
    """It ends before a field that must be there."""
    ARP_HEADER = "arpHeader"
    """Not ARP for IPv4 over Ethernet, or neither request nor reply."""
    IPV6_HEADER = "ipv6Header"
    """Not IPv6 with ICMPv6 as its direct payload, or from or to an impossible address."""
    HOP_LIMIT = "hopLimit"
    """Below 255: it has come through a router."""
    MESSAGE_TYPE = "messageType"
    """ICMPv6, but no Neighbor Solicitation or Advertisement."""
    ICMP_CODE = "icmpCode"
    """Not 0."""
    CHECKSUM = "checksum"
    """Wrong."""
    TARGET = "target"
    """A multicast address, of which nobody is the owner."""
    OPTION = "option"
    """An option of length 0, one that does not fit, or a link-layer address that is none."""
    SENDER_MAC = "senderMac"
    """The sender's link-layer address is a group's, or zero."""
    DUPLICATE_ADDRESS_PROBE = "duplicateAddressProbe"
    """A solicitation from `::` with a source address option, or not to the target's group."""
    SOLICITED_FLAG = "solicitedFlag"
    """An advertisement to a group that claims to have been solicited."""
    NO_SOURCE_LINK_LAYER = "noSourceLinkLayer"
    """A multicast solicitation that does not say where to answer."""
    OWN_FRAME = "ownFrame"
    """Sent by this node itself."""
    ETHERNET_DESTINATION = "ethernetDestination"
    """Meant for another host."""
    NOT_ANNOUNCED = "notAnnounced"
    """The address is not held here."""
    NOT_MATCHING_INTERFACE = "notMatchingInterface"
    """The address is held, but no rule admits this interface."""
    NOT_A_QUESTION = "notAQuestion"
    """A reply or an advertisement that claims nothing of ours."""
    REPEATED_CLAIM = "repeatedClaim"
    """A claim, but one for that address has just been reported."""


class Reply(NamedTuple):
    """Send the frame through the interface that the question came from.

    A tuple: one is made for each question, and a frozen dataclass takes twice as long.
    """

    ip: IPAddress
    """The address that was asked for."""
    frame: bytes


@dataclass(frozen=True, slots=True)
class Drop:
    """Do nothing, but count."""

    reason: DropReason


@dataclass(frozen=True, slots=True)
class Claimed:
    """Another host says that an address of ours is its own."""

    ip: IPAddress
    mac: MacAddress
    reply: Reply | None = None
    """The frame was a question as well: send this as any other reply."""


Outcome: TypeAlias = Reply | Drop | Claimed

Group: TypeAlias = tuple[int, IPv6Address]
"""Interface index and multicast group."""


@dataclass(frozen=True, slots=True)
class Gratuitous:
    """Send the frame through the interface of that index."""

    index: int
    ip: IPAddress
    frame: bytes
