"""ARP for IPv4 over Ethernet (RFC 826): whole frames, both ways.

The addresses are those of the wire, packed: no frame is worth an `ipaddress` object before it is
known to be about an address of ours.
"""

from struct import Struct
from typing import Final, NamedTuple, TypeAlias

from ferrolb.l2.constants import (
    ARP_HEADER,
    ARP_REPLY,
    ARP_REQUEST,
    BROADCAST,
    ETHERTYPE_ARP,
    MIN_FRAME_BYTES,
    NO_MAC,
)
from ferrolb.l2.errors import FrameError
from ferrolb.l2.outcome import DropReason
from ferrolb.model import MacAddress

_FRAME: Final = Struct("!6s6s8sH6s4s6s4s")
_HEAD: Final = ETHERTYPE_ARP + ARP_HEADER
_PADDING: Final = bytes(MIN_FRAME_BYTES - _FRAME.size)


class ArpPacket(NamedTuple):
    """One ARP packet in its frame, addresses packed."""

    destination: bytes
    source: bytes
    operation: int
    sender_mac: bytes
    sender_ip: bytes
    target_mac: bytes
    target_ip: bytes


ArpFields: TypeAlias = tuple[bytes, bytes, int, bytes, bytes, bytes, bytes]
"""What an `ArpPacket` holds, in its order, without the half microsecond that its names cost."""


def decode_arp(frame: bytes) -> ArpPacket:
    """Read a frame whose type is ARP.

    Raises:
        FrameError: it is malformed, or neither request nor reply of a host.
    """
    return ArpPacket(*read_arp(frame))


def read_arp(frame: bytes) -> ArpFields:
    """Read as `decode_arp` does, on the path of a reply.

    Raises:
        FrameError: as there.
    """
    if len(frame) < _FRAME.size:
        raise FrameError(DropReason.TRUNCATED)
    destination, source, head, operation, sender_mac, sender_ip, target_mac, target_ip = (
        _FRAME.unpack_from(frame)
    )
    if head != _HEAD or operation not in (ARP_REQUEST, ARP_REPLY):
        raise FrameError(DropReason.ARP_HEADER)
    if sender_mac[0] & 1 or sender_mac == NO_MAC:
        raise FrameError(DropReason.SENDER_MAC)
    return destination, source, operation, sender_mac, sender_ip, target_mac, target_ip


def encode_arp(packet: ArpPacket) -> bytes:
    """Write the frame, padded to the shortest that Ethernet allows."""
    destination, source, operation, sender_mac, sender_ip, target_mac, target_ip = packet
    return (
        _FRAME.pack(
            destination, source, _HEAD, operation, sender_mac, sender_ip, target_mac, target_ip
        )
        + _PADDING
    )


def gratuitous_arp(mac: MacAddress, ip: bytes) -> tuple[bytes, bytes]:
    """Return the two forms in which an address is announced: as a request and as a reply.

    Every Linux honours the request at once. The reply bears the sender's MAC as its target too:
    only so does Linux take it for gratuitous, whatever the age of the entry it replaces. The
    request leaves the target open, as RFC 5227 section 2.3 has it.
    """
    return (
        encode_arp(ArpPacket(BROADCAST, mac, ARP_REQUEST, mac, ip, NO_MAC, ip)),
        encode_arp(ArpPacket(BROADCAST, mac, ARP_REPLY, mac, ip, mac, ip)),
    )


class ArpAnswers:
    """The replies of one interface, made from a part that is always the same."""

    __slots__ = ("_fixed",)

    def __init__(self, mac: MacAddress) -> None:
        """Answer with the interface's own MAC."""
        self._fixed = mac + _HEAD + ARP_REPLY.to_bytes(2, "big") + mac

    def to(self, asker: bytes, asker_ip: bytes, target_ip: bytes) -> bytes:
        """Return the frame that `encode_arp` would make of the reply to the one who asked."""
        # one join: this is done for each question
        return b"".join((asker, self._fixed, target_ip, asker, asker_ip, _PADDING))
