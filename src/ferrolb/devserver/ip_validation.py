"""What an API server says of addresses in a Service."""

import re
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Final

from ferrolb.model import BadAddress, IPAddress, parse_address

_SPECIAL: Final = tuple(
    (tuple(ip_network(network) for network in networks), text)
    for networks, text in (
        (("127.0.0.0/8", "::1/128"), "may not be in the loopback range (127.0.0.0/8, ::1/128)"),
        (
            ("169.254.0.0/16", "fe80::/10"),
            "may not be in the link-local range (169.254.0.0/16, fe80::/10)",
        ),
        (
            ("224.0.0.0/24", "ff02::/16"),
            "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)",
        ),
    )
)


_NO_ADDRESS: Final = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"


def parse_leniently(item: str) -> IPAddress | BadAddress:
    """Return an address as old fields may spell it: with zeros in front of a number."""
    return parse_address(_without_zeros(item))


def ip_problem(item: str) -> str | None:
    """Return why the text is no IP address, or None; zeros in front of a number are tolerated."""
    return _NO_ADDRESS if isinstance(parse_leniently(item), BadAddress) else None


def ip_warning(item: str) -> str | None:
    """Return what is odd about the spelling of an address, or None."""
    address = parse_leniently(item)
    if isinstance(address, BadAddress) or str(address) == item:
        return None
    if isinstance(address, IPv6Address):
        return f'IPv6 address "{item}" should be in RFC 5952 canonical format ("{address}")'
    return (
        f'non-standard IP address "{item}" will be considered invalid in a future Kubernetes '
        f'release: use "{address}"'
    )


def cidr_warning(item: str) -> str | None:
    """Return why it is not clear which prefix is meant, or None."""
    if cidr_problem(item):
        return None
    address, network = ip_address(item.partition("/")[0]), ip_network(item, strict=False)
    if address == network.network_address:
        return None
    host = ip_network(address)
    return f'CIDR value "{item}" is ambiguous in this context (should be "{network}" or "{host}"?)'


def _without_zeros(item: str) -> str:
    return re.sub(r"(?<![0-9a-fA-F:])0+(?=[0-9])", "", item) if "." in item else item


def cidr_problem(item: str) -> str | None:
    """Return why the text is no prefix, or None; host bits are tolerated."""
    address, slash, length = item.partition("/")
    try:
        bits = ip_address(address).max_prefixlen
        is_valid = bool(slash) and length.isdecimal() and length.isascii() and int(length) <= bits
    except ValueError:
        is_valid = False
    return None if is_valid else "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"


def external_ip_problems(item: str) -> list[str]:
    """Return why the text cannot be an address at which the outside reaches a Service."""
    address = parse_leniently(item)
    if isinstance(address, BadAddress):
        return [_NO_ADDRESS]
    found = [f"may not be unspecified ({item})"] if address.is_unspecified else []
    return found + [
        text for networks, text in _SPECIAL if any(address in network for network in networks)
    ]
