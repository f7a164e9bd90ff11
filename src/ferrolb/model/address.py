"""IP addresses: parsing as the Kubernetes API reads them, families, ranges."""

import ipaddress
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import TYPE_CHECKING, TypeAlias

from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Iterable

IPAddress: TypeAlias = IPv4Address | IPv6Address
IPNetwork: TypeAlias = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class BadAddress:
    """Text that stands where an address should and is none; prints as it was written."""

    text: str

    @override
    def __str__(self) -> str:
        return self.text


RequestedAddress: TypeAlias = IPAddress | BadAddress


class Family(StrEnum):
    """IP family of one address or of a set; the values are the words that messages use."""

    IPV4 = "ipv4"
    IPV6 = "ipv6"
    DUAL = "dual"
    UNKNOWN = "unknown"


def parse_address(text: str) -> RequestedAddress:
    """Parse one address as Go's `net.ParseIP`: no zone or leading zeros, ::ffff:a.b.c.d is IPv4."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return BadAddress(text)
    if isinstance(address, IPv4Address):
        return address
    if address.scope_id is not None:
        return BadAddress(text)
    return address.ipv4_mapped or address


def family_of(addresses: "Iterable[RequestedAddress]") -> Family:
    """Return the family: of one address its own, of one of each `DUAL`, else `UNKNOWN`."""
    versions = [None if isinstance(a, BadAddress) else a.version for a in addresses]
    if versions == [4]:
        return Family.IPV4
    if versions == [6]:
        return Family.IPV6
    if versions in ([4, 6], [6, 4]):
        return Family.DUAL
    return Family.UNKNOWN


def is_buggy(address: IPAddress) -> bool:
    """Tell whether `avoidBuggyIPs` skips it: an IPv4 address that ends in .0 or .255."""
    return address.version == 4 and int(address) & 0xFF in (0, 255)


def summarize_range(first: IPAddress, last: IPAddress) -> tuple[IPNetwork, ...]:
    """Return the minimal ascending list of prefixes that covers `first` to `last`, both included.

    Raises:
        ValueError: the families differ, or `first` is after `last`.
    """
    if isinstance(first, IPv4Address) and isinstance(last, IPv4Address):
        return tuple(ipaddress.summarize_address_range(first, last))
    if isinstance(first, IPv6Address) and isinstance(last, IPv6Address):
        return tuple(ipaddress.summarize_address_range(first, last))
    raise ValueError("the two ends are of different families")
