"""Links and their addresses as rtnetlink tells of them: no polling, nothing read from `/sys`.

`/sys/class/net` shows the network namespace of its mount, which need not be the process's own.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv6Address
from types import MappingProxyType
from typing import Final

from ferrolb.l2 import Interface
from ferrolb.model import IPAddress, MacAddress
from ferrolb.net.netlink import (
    ARPHRD_ETHER,
    IFA_F_DADFAILED,
    IFA_F_TENTATIVE,
    IFF_BROADCAST,
    IFF_LOOPBACK,
    IFF_NOARP,
    IFF_RUNNING,
    IFF_UP,
    NO_MAC,
    AddressMessage,
    LinkMessage,
)

_UNUSABLE: Final = IFA_F_TENTATIVE | IFA_F_DADFAILED


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One network interface of this node."""

    index: int
    name: str
    mac: MacAddress = NO_MAC
    """Empty or of another length where the interface is no Ethernet."""
    is_up: bool = False
    """The administrator has it up."""
    has_carrier: bool = False
    """It can carry frames: up, and its operational state is up or not known (IFF_RUNNING)."""
    is_ethernet: bool = True
    is_noarp: bool = False
    is_broadcast: bool = False
    is_loopback: bool = False
    has_master: bool = False
    """It belongs to a bridge, bond, team or VRF, which gets the frames in its place."""
    link_local: IPv6Address | None = None
    """The first of fe80::/10 that is neither tentative nor a duplicate."""
    addresses: tuple[IPAddress, ...] = ()
    """All usable ones, in the order in which they appeared."""
    incarnation: int = 0
    """Differs when an index was given up and taken again: sockets of the older one are dead."""


class LinkTable:
    """What a sequence of messages amounts to. Pure; the order of the messages is what counts."""

    def __init__(self, incarnations: Mapping[int, int] = MappingProxyType({})) -> None:
        self._links: dict[int, LinkMessage] = {}
        self._addresses: dict[int, dict[IPAddress, int]] = {}
        self._incarnations = dict(incarnations)

    def apply(self, message: LinkMessage | AddressMessage) -> None:
        """Take one message in."""
        if isinstance(message, AddressMessage):
            self._apply_address(message)
        elif message.is_gone:
            self._forget(message.index)
        else:
            self._links[message.index] = message

    def successor(self) -> "LinkTable":
        """Return an empty table for a new reading of everything."""
        return LinkTable(self._incarnations)

    def links(self) -> Mapping[int, Link]:
        """Return the links by index."""
        return {index: self._link(message) for index, message in sorted(self._links.items())}

    def _apply_address(self, message: AddressMessage) -> None:
        held = self._addresses.setdefault(message.index, {})
        if message.is_gone:
            held.pop(message.address, None)
        else:
            held[message.address] = message.flags

    def _forget(self, index: int) -> None:
        if self._links.pop(index, None) is not None:
            self._incarnations[index] = self._incarnations.get(index, 0) + 1
        self._addresses.pop(index, None)

    def _link(self, message: LinkMessage) -> Link:
        usable = tuple(
            address
            for address, flags in self._addresses.get(message.index, {}).items()
            if not flags & _UNUSABLE
        )
        return Link(
            index=message.index,
            name=message.name,
            mac=message.mac,
            is_up=bool(message.flags & IFF_UP),
            has_carrier=bool(message.flags & IFF_RUNNING),
            is_ethernet=message.device_type == ARPHRD_ETHER and len(message.mac) == 6,
            is_noarp=bool(message.flags & IFF_NOARP),
            is_broadcast=bool(message.flags & IFF_BROADCAST),
            is_loopback=bool(message.flags & IFF_LOOPBACK),
            has_master=message.master != 0,
            link_local=_link_local(usable),
            addresses=usable,
            incarnation=self._incarnations.get(message.index, 0),
        )


def _link_local(addresses: Iterable[IPAddress]) -> IPv6Address | None:
    for address in addresses:
        if isinstance(address, IPv6Address) and address.is_link_local:
            return address
    return None


def interface_names(links: Mapping[int, Link], excluded: re.Pattern[str] | None) -> frozenset[str]:
    """Return the names of the interfaces that exist, down ones too, without the excluded ones.

    An advertisement that names another one cannot be followed here.
    """
    return frozenset(link.name for link in links.values() if not _is_excluded(link, excluded))


def interfaces_for(
    links: Mapping[int, Link], excluded: re.Pattern[str] | None
) -> Mapping[int, Interface]:
    r"""Return the interfaces that frames can be sent through at this moment, by index.

    `excluded` is searched for anywhere in a name, as RE2 does it in MetalLB. The dialects differ in
    what nobody writes into a list of interfaces: look-around and back references exist here only,
    `\pN`, `\C` and `\z` there only.
    """
    return {
        index: Interface(
            index=index,
            name=link.name,
            mac=link.mac,
            link_local=link.link_local,
            has_arp=link.is_broadcast,
            has_ndp=link.link_local is not None,
        )
        for index, link in links.items()
        if _is_usable(link) and not _is_excluded(link, excluded)
    }


def _is_usable(link: Link) -> bool:
    return (
        link.is_up
        and link.has_carrier
        and link.is_ethernet
        and not link.has_master
        and not link.is_noarp
        and (link.is_broadcast or link.link_local is not None)
    )


def _is_excluded(link: Link, excluded: re.Pattern[str] | None) -> bool:
    return excluded is not None and excluded.search(link.name) is not None
