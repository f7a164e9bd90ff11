"""Neighbor Solicitations and Advertisements (RFC 4861): whole Ethernet frames, both ways.

The addresses are those of the wire, packed, as in `arp`.
"""

from ipaddress import IPv6Address
from struct import Struct
from typing import Final, NamedTuple

from ferrolb.l2.constants import (
    ALL_NODES,
    ALL_NODES_MAC,
    ETHERTYPE_IPV6,
    FLAG_OVERRIDE,
    FLAG_SOLICITED,
    HOP_LIMIT,
    NEIGHBOR_ADVERTISEMENT,
    NEIGHBOR_SOLICITATION,
    NEXT_HEADER_ICMPV6,
    OPTION_SOURCE_LINK_LAYER,
    OPTION_TARGET_LINK_LAYER,
    SOLICITED_NODE_PREFIX,
    UNSPECIFIED,
    is_unicast,
)
from ferrolb.l2.errors import FrameError
from ferrolb.l2.outcome import DropReason
from ferrolb.model import MacAddress
from ferrolb.wire import Reader, TruncatedError

_FRAME: Final = Struct("!6s6s2sB3xHBB16s16sBBHB3x16s")
"""Ethernet, IPv6 and the fixed part of both messages, up to the options."""
_TARGET_END: Final = _FRAME.size
_ICMP_START: Final = 54
_ADDRESSES_START: Final = 22
_CHECKSUM_OFFSET: Final = 56
_SOURCE_MAC_START: Final = 6
_DESTINATION_START: Final = 38
_FIXED: Final = Struct("!BBHB3x")
"""Type, code, checksum and flags of an advertisement."""
_FIXED_BYTES: Final = _TARGET_END - _ICMP_START
_OPTION_UNIT_BYTES: Final = 8
_ONE_OPTION_END: Final = _TARGET_END + _OPTION_UNIT_BYTES
_ONES: Final = 0xFFFF
_MULTICAST: Final = 0xFF
_MAKE: Final = tuple.__new__


class NdMessage(NamedTuple):
    """One Neighbor Solicitation or Advertisement in its frame, addresses packed."""

    destination_mac: bytes
    source_mac: bytes
    source: bytes
    destination: bytes
    is_solicitation: bool
    flags: int
    """Router, Solicited, Override in the three upper bits; 0 in a solicitation."""
    target: bytes
    link_layer: bytes | None
    """What the source (solicitation) or target (advertisement) link-layer address option says."""


def decode_nd(frame: bytes) -> NdMessage:
    """Read a frame whose type is IPv6.

    Raises:
        FrameError: RFC 4861 section 7.1 wants it discarded, or it is no message of the two.
    """
    if len(frame) < _TARGET_END:
        raise FrameError(DropReason.TRUNCATED)
    (
        destination_mac,
        source_mac,
        _,
        version,
        length,
        next_header,
        hop_limit,
        source,
        destination,
        kind,
        code,
        _,
        flags,
        target,
    ) = _FRAME.unpack_from(frame)
    if version >> 4 != 6 or next_header != NEXT_HEADER_ICMPV6 or source[0] == _MULTICAST:
        raise FrameError(DropReason.IPV6_HEADER)
    if hop_limit != HOP_LIMIT:
        raise FrameError(DropReason.HOP_LIMIT)
    is_solicitation = kind == NEIGHBOR_SOLICITATION
    if not is_solicitation and kind != NEIGHBOR_ADVERTISEMENT:
        raise FrameError(DropReason.MESSAGE_TYPE)
    end = _ICMP_START + length
    _check(frame, end, code, target)
    option = OPTION_SOURCE_LINK_LAYER if is_solicitation else OPTION_TARGET_LINK_LAYER
    link_layer = _link_layer_option(frame, end, option)
    if not is_unicast(source_mac):
        raise FrameError(DropReason.SENDER_MAC)
    if is_solicitation:
        flags = 0
        _check_probe(source, destination, target, link_layer)
    elif destination[0] == _MULTICAST and flags & FLAG_SOLICITED:
        raise FrameError(DropReason.SOLICITED_FLAG)
    # without the function behind the class's name, which takes twice as long
    return _MAKE(
        NdMessage,
        (
            destination_mac,
            source_mac,
            source,
            destination,
            is_solicitation,
            flags,
            target,
            link_layer,
        ),
    )


def encode_nd(message: NdMessage) -> bytes:
    """Write the frame, with its checksum."""
    option = b""
    if message.link_layer is not None:
        kind = OPTION_SOURCE_LINK_LAYER if message.is_solicitation else OPTION_TARGET_LINK_LAYER
        option = bytes((kind, 1)) + message.link_layer
    frame = bytearray(
        _FRAME.pack(
            message.destination_mac,
            message.source_mac,
            ETHERTYPE_IPV6,
            6 << 4,
            _FIXED_BYTES + len(option),
            NEXT_HEADER_ICMPV6,
            HOP_LIMIT,
            message.source,
            message.destination,
            NEIGHBOR_SOLICITATION if message.is_solicitation else NEIGHBOR_ADVERTISEMENT,
            0,
            0,
            message.flags,
            message.target,
        )
    )
    frame += option
    checksum = -_sum(frame, len(frame)) % _ONES
    frame[_CHECKSUM_OFFSET : _CHECKSUM_OFFSET + 2] = checksum.to_bytes(2, "big")
    return bytes(frame)


def solicited_node_group(ip: bytes) -> bytes:
    """Return the multicast group at which solicitations for the address arrive."""
    return SOLICITED_NODE_PREFIX + ip[13:]


class NdAnswers:
    """The advertisements of one interface, made from parts that are always the same."""

    __slots__ = ("_head", "_option", "_sum", "link_local")

    def __init__(self, mac: MacAddress, link_local: IPv6Address) -> None:
        """Answer with the interface's own MAC, from its link-local address."""
        self.link_local = link_local.packed
        frame = encode_nd(
            NdMessage(
                destination_mac=ALL_NODES_MAC,
                source_mac=mac,
                source=self.link_local,
                destination=UNSPECIFIED,
                is_solicitation=False,
                flags=0,
                target=UNSPECIFIED,
                link_layer=mac,
            )
        )
        self._head = frame[_SOURCE_MAC_START:_DESTINATION_START]
        self._option = frame[_TARGET_END:]
        # of all that is always the same: what is complementary to its checksum
        self._sum = -int.from_bytes(frame[_CHECKSUM_OFFSET : _CHECKSUM_OFFSET + 2], "big")

    def to(self, solicitation: NdMessage) -> bytes:
        """Return the advertisement that answers (RFC 4861 section 7.2.4)."""
        if solicitation.source == UNSPECIFIED:
            # the one who probes has no address yet: everybody must hear it
            return self.unsolicited(solicitation.target)
        return self._advertise(
            solicitation.link_layer or solicitation.source_mac,
            solicitation.source,
            FLAG_SOLICITED | FLAG_OVERRIDE,
            solicitation.target,
        )

    def unsolicited(self, target: bytes) -> bytes:
        """Return the advertisement that tells all nodes (RFC 4861 section 7.2.6)."""
        return self._advertise(ALL_NODES_MAC, ALL_NODES, FLAG_OVERRIDE, target)

    def _advertise(
        self, destination_mac: bytes, destination: bytes, flags: int, target: bytes
    ) -> bytes:
        """Return the frame that `encode_nd` would make."""
        words = int.from_bytes(destination + target, "big") + (flags << 8) + self._sum
        return b"".join(
            (
                destination_mac,
                self._head,
                destination,
                _FIXED.pack(NEIGHBOR_ADVERTISEMENT, 0, -words % _ONES, flags),
                target,
                self._option,
            )
        )


def _check(frame: bytes, end: int, code: int, target: bytes) -> None:
    if end < _TARGET_END or end > len(frame):
        raise FrameError(DropReason.TRUNCATED)
    if code != 0:
        raise FrameError(DropReason.ICMP_CODE)
    if _sum(frame, end) % _ONES:
        raise FrameError(DropReason.CHECKSUM)
    if target[0] == _MULTICAST:
        raise FrameError(DropReason.TARGET)


def _sum(frame: bytes | bytearray, end: int) -> int:
    """Return what, modulo 65535, is the sum of the pseudo-header and the message in 16-bit words.

    As 65536 is 1 modulo 65535, the whole of it can be read as one number; the two addresses lie
    in front of the message, where the pseudo-header has them (RFC 8200 section 8.1).
    """
    number = int.from_bytes(frame[_ADDRESSES_START:end], "big")
    length = end - _ICMP_START
    if length & 1:
        number <<= 8
    return number + length + NEXT_HEADER_ICMPV6


def _link_layer_option(frame: bytes, end: int, wanted: int) -> bytes | None:
    """Return the first such option, having walked over all of them."""
    if end == _ONE_OPTION_END and frame[_TARGET_END] == wanted and frame[_TARGET_END + 1] == 1:
        found: bytes | None = frame[_TARGET_END + 2 : end]  # what hosts send
    else:
        found = _walk(frame, end, wanted)
    if found is not None and (len(found) != 6 or not is_unicast(found)):
        raise FrameError(DropReason.OPTION)
    return found


def _walk(frame: bytes, end: int, wanted: int) -> bytes | None:
    found: bytes | None = None
    reader = Reader(frame, _TARGET_END, end)
    try:
        while reader.remaining:
            kind, units = reader.u8(), reader.u8()
            if units == 0:
                raise FrameError(DropReason.OPTION)
            value = reader.take(units * _OPTION_UNIT_BYTES - 2)
            if kind == wanted and found is None:
                found = value
    except TruncatedError as error:
        raise FrameError(DropReason.OPTION) from error
    return found


def _check_probe(
    source: bytes, destination: bytes, target: bytes, link_layer: bytes | None
) -> None:
    """Check what a solicitation must be that comes from no address (RFC 4861 section 7.1.1)."""
    if source == UNSPECIFIED and (
        link_layer is not None or destination != solicited_node_group(target)
    ):
        raise FrameError(DropReason.DUPLICATE_ADDRESS_PROBE)
