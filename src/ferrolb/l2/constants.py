"""Numbers of Ethernet, ARP, IPv6 and Neighbor Discovery."""

from typing import Final

from ferrolb.model import MacAddress

ETHERTYPE_ARP: Final = b"\x08\x06"
ETHERTYPE_IPV6: Final = b"\x86\xdd"

BROADCAST: Final = MacAddress(b"\xff" * 6)
NO_MAC: Final = MacAddress(bytes(6))

MIN_FRAME_BYTES: Final = 60
"""Shortest Ethernet frame without its check sequence (IEEE 802.3); what is shorter gets padded."""

ARP_HEADER: Final = b"\x00\x01\x08\x00\x06\x04"
"""Ethernet, IPv4, addresses of 6 and 4 bytes (RFC 826; IANA: hardware type 1)."""
ARP_REQUEST: Final = 1
ARP_REPLY: Final = 2

NEXT_HEADER_ICMPV6: Final = 58
HOP_LIMIT: Final = 255
"""RFC 4861 section 7.1: nothing that has crossed a router can have it."""

NEIGHBOR_SOLICITATION: Final = 135
NEIGHBOR_ADVERTISEMENT: Final = 136
"""RFC 4861 sections 4.3 and 4.4."""

FLAG_SOLICITED: Final = 0x40
FLAG_OVERRIDE: Final = 0x20

OPTION_SOURCE_LINK_LAYER: Final = 1
OPTION_TARGET_LINK_LAYER: Final = 2
"""RFC 4861 section 4.6.1."""

UNSPECIFIED: Final = bytes(16)
ALL_NODES: Final = bytes.fromhex("ff020000000000000000000000000001")
ALL_NODES_MAC: Final = MacAddress(bytes.fromhex("333300000001"))
SOLICITED_NODE_PREFIX: Final = bytes.fromhex("ff0200000000000000000001ff")
"""ff02::1:ff00:0/104 (RFC 4291 section 2.7.1); the last 24 bits are those of the address."""


def is_unicast(mac: bytes) -> bool:
    """Tell whether a host can have it as its own."""
    return not mac[0] & 1 and mac != NO_MAC
