"""The order of the nodes for an address (layer2.md section 6.3)."""

import hashlib
from ipaddress import IPv6Address
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ferrolb.model import IPAddress, NodeName


def elect(
    first: "IPAddress", candidates: "Iterable[NodeName]", *, scores: "Mapping[NodeName, int]"
) -> "tuple[NodeName, ...]":
    """Return the candidates in order, the one that announces first.

    `first` is the first address of the Service's status; all its addresses follow that one. A
    higher score comes first (a node that is not listed has 0), among equals the smaller digest.
    """
    text = address_text(first)
    if not scores:
        return tuple(sorted(candidates, key=lambda node: digest(node, text)))
    return tuple(sorted(candidates, key=lambda node: (-scores.get(node, 0), digest(node, text))))


def digest(node: "NodeName", address: str) -> bytes:
    """Return what decides between nodes of one score: SHA-256 of `NODE#IP`."""
    return hashlib.sha256(f"{node}#{address}".encode()).digest()


def address_text(address: "IPAddress") -> str:
    """Return the address as RFC 5952 writes it; an IPv4-mapped one is written as plain IPv4."""
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(address)
