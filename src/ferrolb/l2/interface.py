"""Interfaces, as far as frames depend on them."""

from dataclasses import dataclass
from ipaddress import IPv6Address

from ferrolb.model import MacAddress


@dataclass(frozen=True, slots=True, kw_only=True)
class Interface:
    """One interface through which frames can be sent at this moment: it is up and has a carrier."""

    index: int
    name: str
    mac: MacAddress
    link_local: IPv6Address | None
    """A usable one, neither tentative nor failed; None: no Neighbor Discovery here."""
    has_arp: bool
    """ARP is wanted here."""
    has_ndp: bool
    """Neighbor Discovery is wanted here."""
