"""One line of `spec.addresses`: a prefix, or a range with both ends included."""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Network
from typing import Final

from ferrolb.model import (
    AddressEntry,
    BadAddress,
    IPAddress,
    IPNetwork,
    parse_address,
    quote,
    summarize_range,
)

_MAPPED_BASE: Final = 0xFFFF << 32
"""::ffff:0:0, where the IPv4 addresses lie among the IPv6 ones."""

_MAPPED_BITS: Final = 96


@dataclass(frozen=True, slots=True)
class BadEntry:
    """Text that means no addresses, and why."""

    message: str


def parse_entry(text: str) -> AddressEntry | BadEntry:
    """Parse `10.0.0.0/24` (host bits are dropped) or `10.0.0.1 - 10.0.0.9`."""
    if "-" in text:
        return _parse_range(text)
    prefix = _parse_prefix(text)
    if prefix is None:
        return BadEntry(f"invalid CIDR {quote(text)}")
    return AddressEntry(text=text, prefixes=(prefix,))


def _parse_range(text: str) -> AddressEntry | BadEntry:
    left, _, right = text.partition("-")
    problem = f"invalid IP range {quote(text)}: "
    start, end = parse_address(left.strip()), parse_address(right.strip())
    if isinstance(start, BadAddress):
        return BadEntry(f"{problem}invalid start IP {quote(left)}")
    if isinstance(end, BadAddress):
        return BadEntry(f"{problem}invalid end IP {quote(right)}")
    if _as_ipv6(start) > _as_ipv6(end):
        return BadEntry(f"{problem}start IP {quote(start)} is after the end IP {quote(end)}")
    if start.version != end.version:
        return BadEntry(
            f"{problem}start IP {quote(start)} and end IP {quote(end)} are of different families"
        )
    return AddressEntry(text=text, prefixes=summarize_range(start, end))


def _parse_prefix(text: str) -> IPNetwork | None:
    address_text, _, length_text = text.partition("/")
    address = parse_address(address_text)
    if isinstance(address, BadAddress) or not (length_text.isascii() and length_text.isdigit()):
        return None
    digits = length_text.lstrip("0") or "0"
    # int() refuses endless digits by raising, and no length has more than three
    length = int(digits) if len(digits) <= 3 else 129
    is_ipv6_text = ":" in address_text
    if length > (128 if is_ipv6_text else 32):
        return None
    if not isinstance(address, IPv4Address):
        return IPv6Network((int(address), length), strict=False)
    if not is_ipv6_text:
        return IPv4Network((int(address), length), strict=False)
    if length >= _MAPPED_BITS:
        return IPv4Network((int(address), length - _MAPPED_BITS), strict=False)
    return IPv6Network((_as_ipv6(address), length), strict=False)


def _as_ipv6(address: IPAddress) -> int:
    return int(address) + (_MAPPED_BASE if address.version == 4 else 0)
