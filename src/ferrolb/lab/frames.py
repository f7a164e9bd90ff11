"""Frames as an onlooker reads and asks them: ARP and neighbour discovery by offset, nothing shared.

The room `l2` makes the frames that are judged here, so none of its code is used.
"""

import struct
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING, Final

from ferrolb.model import IPAddress, MacAddress

if TYPE_CHECKING:
    from collections.abc import Iterator

BROADCAST: Final = MacAddress(b"\xff" * 6)

_ARP: Final = 0x0806
_IPV6: Final = 0x86DD
_ICMPV6: Final = 58
_NS: Final = 135
_NA: Final = 136
_SOLICITED: Final = 0x40
_SOURCE_OPTION: Final = 1
_TARGET_OPTION: Final = 2
_MINIMUM_FRAME: Final = 60

_ArpBody: Final = struct.Struct("!HHBBH6s4s6s4s")
_ARP_HEADER: Final = (1, 0x0800, 6, 4)
"""Ethernet, IPv4, and the lengths of their addresses (RFC 826)."""


class Kind(StrEnum):
    """What a frame says about an address."""

    REPLY = "reply"
    """Answers a question."""
    GRATUITOUS_REQUEST = "gratuitous-request"
    GRATUITOUS_REPLY = "gratuitous-reply"
    NA_SOLICITED = "na-solicited"
    NA_UNSOLICITED = "na-unsolicited"
    REQUEST = "request"
    """Asks for the address, which claims nothing."""
    REQUEST_FROM = "request-from"
    """Asks for another address in the name of this one; neighbours believe that as well."""

    @property
    def is_claim(self) -> bool:
        """Whether neighbours may take the sender for the owner of the address."""
        return self is not Kind.REQUEST

    @property
    def is_answer(self) -> bool:
        """Whether it answers a question."""
        return self in (Kind.REPLY, Kind.NA_SOLICITED)


@dataclass(frozen=True, slots=True)
class Statement:
    """What one frame says about one address."""

    kind: Kind
    ip: IPAddress
    mac: MacAddress
    """The hardware address that the frame names, which need not be where it came from."""
    asker: IPAddress | None = None
    """Of an answer: whom it answers."""


def read_frame(frame: bytes) -> tuple[Statement, ...]:
    """Return what an Ethernet frame says; nothing if it is neither ARP, NS nor NA, or is broken."""
    if len(frame) < 14:
        return ()
    ethertype = int.from_bytes(frame[12:14], "big")
    if ethertype == _ARP and len(frame) >= 14 + _ArpBody.size:
        return tuple(_read_arp(frame))
    if ethertype == _IPV6 and len(frame) >= 78:
        return tuple(_read_nd(frame))
    return ()


def arp_question(ip: IPv4Address, *, mac: MacAddress, sender: IPv4Address) -> bytes:
    """Return the broadcast ARP request of `sender` for `ip`."""
    body = _ArpBody.pack(*_ARP_HEADER, 1, mac, sender.packed, bytes(6), ip.packed)
    return (BROADCAST + mac + _ARP.to_bytes(2, "big") + body).ljust(_MINIMUM_FRAME, b"\0")


def nd_question(ip: IPv6Address, *, mac: MacAddress, sender: IPv6Address) -> bytes:
    """Return the multicast neighbour solicitation of `sender` for `ip` (RFC 4861 section 4.3)."""
    group = bytes.fromhex("ff0200000000000000000001ff") + ip.packed[13:]
    option = bytes((_SOURCE_OPTION, 1)) + mac
    message = bytes((_NS, 0, 0, 0, 0, 0, 0, 0)) + ip.packed + option
    checksum = icmpv6_checksum(sender.packed, group, message)
    message = message[:2] + checksum.to_bytes(2, "big") + message[4:]
    header = struct.pack("!IHBB16s16s", 6 << 28, len(message), _ICMPV6, 255, sender.packed, group)
    ethernet = b"\x33\x33" + group[12:] + mac + _IPV6.to_bytes(2, "big")
    return ethernet + header + message


def question(
    ip: IPAddress, *, mac: MacAddress, sender4: IPv4Address, sender6: IPv6Address
) -> bytes:
    """Return the question for an address of either family."""
    if isinstance(ip, IPv4Address):
        return arp_question(ip, mac=mac, sender=sender4)
    return nd_question(ip, mac=mac, sender=sender6)


def icmpv6_checksum(source: bytes, destination: bytes, message: bytes) -> int:
    """Return the checksum over pseudo-header and message, whose own field is 0 (RFC 4443, 2.3)."""
    data = source + destination + struct.pack("!II", len(message), _ICMPV6) + message
    data += b"\0" * (len(data) % 2)
    total = int.from_bytes(data, "big") % 0xFFFF or (0xFFFF if any(data) else 0)
    return ~total & 0xFFFF


def _read_arp(frame: bytes) -> "Iterator[Statement]":
    *header, operation, mac, sender, _, target = _ArpBody.unpack_from(frame, 14)
    if tuple(header) != _ARP_HEADER or operation not in (1, 2):
        return
    source, asked = IPv4Address(sender), IPv4Address(target)
    hardware = MacAddress(mac)
    if operation == 2:
        kind = Kind.GRATUITOUS_REPLY if source == asked else Kind.REPLY
        yield Statement(kind, source, hardware, asked)
    elif source == asked:
        yield Statement(Kind.GRATUITOUS_REQUEST, source, hardware)
    else:
        yield Statement(Kind.REQUEST, asked, hardware)
        if int(source):
            yield Statement(Kind.REQUEST_FROM, source, hardware)


def _read_nd(frame: bytes) -> "Iterator[Statement]":
    message = frame[54 : 54 + int.from_bytes(frame[18:20], "big")]
    if frame[20] != _ICMPV6 or frame[21] != 255 or message[0] not in (_NS, _NA):
        return
    if len(message) < 24 or message[1] != 0:
        return
    if icmpv6_checksum(frame[22:38], frame[38:54], message[:2] + b"\0\0" + message[4:]) != (
        int.from_bytes(message[2:4], "big")
    ):
        return
    target, source = IPv6Address(message[8:24]), IPv6Address(frame[22:38])
    if message[0] == _NA:
        mac = _link_layer_option(message[24:], _TARGET_OPTION) or MacAddress(frame[6:12])
        is_solicited = message[4] & _SOLICITED
        kind = Kind.NA_SOLICITED if is_solicited else Kind.NA_UNSOLICITED
        yield Statement(kind, target, mac, IPv6Address(frame[38:54]) if is_solicited else None)
        return
    mac = _link_layer_option(message[24:], _SOURCE_OPTION) or MacAddress(frame[6:12])
    yield Statement(Kind.REQUEST, target, mac)
    if int(source):
        yield Statement(Kind.REQUEST_FROM, source, mac)


def _link_layer_option(options: bytes, wanted: int) -> MacAddress | None:
    while len(options) >= 8 and options[1]:
        if options[0] == wanted and options[1] == 1:
            return MacAddress(options[2:8])
        options = options[options[1] * 8 :]
    return None
