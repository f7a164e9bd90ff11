"""What an API server says of addresses in a Service."""

from ipaddress import ip_address, ip_network
from typing import Final

from ferrolb.model import BadAddress, parse_address

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


def ip_problem(item: str) -> str | None:
    """Return why the text is no IP address, or None."""
    return _NO_ADDRESS if isinstance(parse_address(item), BadAddress) else None


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
    address = parse_address(item)
    if isinstance(address, BadAddress):
        return [_NO_ADDRESS]
    found = [f"may not be unspecified ({item})"] if address.is_unspecified else []
    return found + [
        text for networks, text in _SPECIAL if any(address in network for network in networks)
    ]
