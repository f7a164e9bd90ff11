"""Messages of rtnetlink about links and addresses: a pure codec (RFC 3549, rtnetlink(7)).

Integers are in the byte order of the machine. What is not known is passed over; what does not fit
its own lengths raises `NetlinkError`, upon which the reader starts over.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum, unique
from ipaddress import IPv4Address, IPv6Address
from socket import AF_INET, AF_INET6
from typing import Final

from ferrolb.model import IPAddress, MacAddress
from ferrolb.net.errors import NetlinkError

RTMGRP_LINK: Final = 0x1
RTMGRP_IPV4_IFADDR: Final = 0x10
RTMGRP_IPV6_IFADDR: Final = 0x100

NLM_F_REQUEST: Final = 0x1
NLM_F_DUMP_INTR: Final = 0x10
NLM_F_DUMP: Final = 0x300

IFF_UP: Final = 0x1
IFF_BROADCAST: Final = 0x2
IFF_LOOPBACK: Final = 0x8
IFF_RUNNING: Final = 0x40
IFF_NOARP: Final = 0x80

IFA_F_DADFAILED: Final = 0x8
IFA_F_TENTATIVE: Final = 0x40

ARPHRD_ETHER: Final = 1

MAX_NAME_BYTES: Final = 15
"""IFNAMSIZ without its closing zero."""


NO_MAC: Final = MacAddress(b"")


@unique
class MessageType(IntEnum):
    """Message types that matter here."""

    NOOP = 1
    ERROR = 2
    DONE = 3
    OVERRUN = 4
    NEW_LINK = 16
    DEL_LINK = 17
    GET_LINK = 18
    NEW_ADDRESS = 20
    DEL_ADDRESS = 21
    GET_ADDRESS = 22


_IFLA_ADDRESS: Final = 1
_IFLA_IFNAME: Final = 3
_IFLA_MASTER: Final = 10
_IFA_ADDRESS: Final = 1
_IFA_LOCAL: Final = 2
_IFA_FLAGS: Final = 8
_ATTRIBUTE_TYPE_MASK: Final = 0x3FFF  # the two high bits are flags

_HEADER: Final = struct.Struct("=IHHII")  # nlmsghdr: length, type, flags, sequence, port
_LINK: Final = struct.Struct("=BxHiII")  # ifinfomsg: family, device type, index, flags, change
_ADDRESS: Final = struct.Struct("=BBBBI")  # ifaddrmsg: family, prefix, flags, scope, index
_ATTRIBUTE: Final = struct.Struct("=HH")  # rtattr: length, type


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkMessage:
    """A link is there, or gone."""

    index: int
    flags: int = 0
    device_type: int = ARPHRD_ETHER
    name: str = ""
    mac: MacAddress = NO_MAC
    master: int = 0
    """Index of the bridge, bond, team or VRF it belongs to; 0: none."""
    is_gone: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressMessage:
    """An address is there, or gone."""

    index: int
    address: IPAddress
    flags: int = 0
    is_gone: bool = False


@dataclass(frozen=True, slots=True)
class DumpDone:
    """The answer to a request is complete; `error` is 0 or an errno."""

    sequence: int
    error: int = 0


@dataclass(frozen=True, slots=True)
class Lost:
    """Messages were lost, or a dump saw a state in change: read everything anew."""


Message = LinkMessage | AddressMessage | DumpDone | Lost


def encode_dump_request(kind: MessageType, *, sequence: int) -> bytes:
    """Ask for all links or all addresses."""
    body = _LINK.pack(0, 0, 0, 0, 0) if kind is MessageType.GET_LINK else _ADDRESS.pack(*(0,) * 5)
    size = _HEADER.size + len(body)
    return _HEADER.pack(size, kind, NLM_F_REQUEST | NLM_F_DUMP, sequence, 0) + body


def decode_messages(data: bytes) -> list[Message]:
    """Decode one datagram of the kernel; work and result are bounded by its length.

    Raises:
        NetlinkError: a length is wrong.
    """
    messages: list[Message] = []
    at = 0
    while at < len(data):
        if len(data) - at < _HEADER.size:
            raise NetlinkError("header cut off")
        size, kind, flags, sequence, _ = _HEADER.unpack_from(data, at)
        if not _HEADER.size <= size <= len(data) - at:
            raise NetlinkError(f"message length {size} at {at} of {len(data)}")
        if flags & NLM_F_DUMP_INTR:
            messages.append(Lost())
        message = _decode(kind, sequence, data[at + _HEADER.size : at + size])
        if message is not None:
            messages.append(message)
        at += _aligned(size)
    return messages


def _decode(kind: int, sequence: int, body: bytes) -> Message | None:
    match kind:
        case MessageType.NEW_LINK | MessageType.DEL_LINK:
            return _decode_link(body, is_gone=kind == MessageType.DEL_LINK)
        case MessageType.NEW_ADDRESS | MessageType.DEL_ADDRESS:
            return _decode_address(body, is_gone=kind == MessageType.DEL_ADDRESS)
        case MessageType.DONE | MessageType.ERROR:
            return DumpDone(sequence, _decode_error(body))
        case MessageType.OVERRUN:
            return Lost()
        case _:
            return None


def _decode_error(body: bytes) -> int:
    """Both messages begin with a negative errno; in DONE older kernels leave it out."""
    if len(body) < 4:
        return 0
    (number,) = struct.unpack_from("=i", body)
    return abs(int(number))


def _decode_link(body: bytes, *, is_gone: bool) -> LinkMessage | None:
    if len(body) < _LINK.size:
        raise NetlinkError(f"link message of {len(body)} bytes")
    family, device_type, index, flags, _ = _LINK.unpack_from(body)
    if family != 0:
        return None  # a bridge tells about its ports in link messages of its own family
    name, mac, master = "", b"", 0
    for kind, value in _attributes(body, _LINK.size):
        if kind == _IFLA_IFNAME:
            name = value.split(b"\0", 1)[0][:MAX_NAME_BYTES].decode("utf-8", "surrogateescape")
        elif kind == _IFLA_ADDRESS:
            mac = value
        elif kind == _IFLA_MASTER and len(value) == 4:
            (master,) = struct.unpack("=I", value)
    return LinkMessage(
        index=index,
        flags=flags,
        device_type=device_type,
        name=name,
        mac=MacAddress(mac),
        master=master,
        is_gone=is_gone,
    )


def _decode_address(body: bytes, *, is_gone: bool) -> AddressMessage | None:
    if len(body) < _ADDRESS.size:
        raise NetlinkError(f"address message of {len(body)} bytes")
    family, _, flags, _, index = _ADDRESS.unpack_from(body)
    address: IPAddress | None = None
    local: IPAddress | None = None
    for kind, value in _attributes(body, _ADDRESS.size):
        if kind == _IFA_LOCAL:
            local = _decode_ip(family, value)
        elif kind == _IFA_ADDRESS:
            address = _decode_ip(family, value)
        elif kind == _IFA_FLAGS and len(value) == 4:
            (flags,) = struct.unpack("=I", value)
    # On point-to-point links ADDRESS is the other end's.
    own = local or address
    if own is None:
        return None
    return AddressMessage(index=index, address=own, flags=flags, is_gone=is_gone)


def _decode_ip(family: int, value: bytes) -> IPAddress | None:
    if family == AF_INET and len(value) == 4:
        return IPv4Address(value)
    if family == AF_INET6 and len(value) == 16:
        return IPv6Address(value)
    return None


def _attributes(body: bytes, start: int) -> Iterator[tuple[int, bytes]]:
    at = start
    while at + _ATTRIBUTE.size <= len(body):
        size, kind = _ATTRIBUTE.unpack_from(body, at)
        if not _ATTRIBUTE.size <= size <= len(body) - at:
            raise NetlinkError(f"attribute length {size} at {at} of {len(body)}")
        yield kind & _ATTRIBUTE_TYPE_MASK, body[at + _ATTRIBUTE.size : at + size]
        at += _aligned(size)


def _aligned(size: int) -> int:
    return (size + 3) & ~3
