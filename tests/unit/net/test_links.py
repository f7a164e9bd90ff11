"""What a sequence of messages amounts to, and which interfaces frames go through."""

import re
from dataclasses import replace
from ipaddress import IPv6Address, ip_address

import pytest

from ferrolb.l2 import Interface
from ferrolb.model import MacAddress
from ferrolb.net import Link, interface_names, interfaces_for
from ferrolb.net.links import LinkTable
from ferrolb.net.netlink import AddressMessage, LinkMessage

MAC = MacAddress(b"\2\0\0\0\0\2")
UP = 0x1 | 0x2 | 0x40 | 0x10000
FE80 = IPv6Address("fe80::2")
ETH0 = LinkMessage(index=3, name="eth0", mac=MAC, flags=UP)
LINK = Link(
    index=3, name="eth0", mac=MAC, is_up=True, has_carrier=True, is_broadcast=True, link_local=FE80
)


def table(*messages):
    made = LinkTable()
    for message in messages:
        made.apply(message)
    return made


def address(text, flags=0x80, **more):
    return AddressMessage(index=3, address=ip_address(text), flags=flags, **more)


def test_link_with_addresses():
    links = table(ETH0, address("10.9.0.2"), address("fd00:9::2"), address("fe80::2")).links()
    expected = replace(LINK, addresses=tuple(map(ip_address, ("10.9.0.2", "fd00:9::2", "fe80::2"))))
    assert links == {3: expected}


@pytest.mark.parametrize(
    ("flags", "is_usable"),
    [(0x80, True), (0x0, True), (0x40, False), (0xC0, False), (0x48, False), (0x8, False)],
)
def test_w07_a_tentative_or_duplicate_link_local_is_not_used(flags, is_usable):
    link = table(ETH0, address("fe80::2", flags)).links()[3]
    assert link.link_local == (FE80 if is_usable else None)


def test_the_first_usable_link_local_counts_and_the_next_when_it_goes():
    links = table(ETH0, address("fe80::1", 0x40), address("fe80::2"), address("fe80::3"))
    assert links.links()[3].link_local == FE80
    links.apply(address("fe80::2", is_gone=True))
    assert links.links()[3].link_local == ip_address("fe80::3")


def test_an_index_taken_again_is_another_interface_without_the_old_addresses():
    links = table(ETH0, address("fe80::2"))
    before = links.links()[3]
    links.apply(replace(ETH0, is_gone=True))
    assert links.links() == {}
    links.apply(ETH0)
    after = links.links()[3]
    assert after.link_local is None
    assert after.incarnation != before.incarnation


def test_a_new_reading_starts_empty_and_keeps_count_of_what_went_before():
    links = table(ETH0, replace(ETH0, is_gone=True))
    again = links.successor()
    assert again.links() == {}
    again.apply(ETH0)
    assert again.links()[3].incarnation == 1


def test_messages_in_any_doubtful_order_are_taken():
    links = table(address("fe80::2", is_gone=True), replace(ETH0, is_gone=True), address("fe80::2"))
    assert links.links() == {}
    links.apply(ETH0)
    assert links.links()[3].link_local == FE80


def test_interface_of_a_usable_link():
    assert interfaces_for({3: LINK}, None) == {
        3: Interface(index=3, name="eth0", mac=MAC, link_local=FE80, has_arp=True, has_ndp=True)
    }


@pytest.mark.parametrize(
    "change",
    [
        {"is_up": False},
        {"has_carrier": False},
        {"has_master": True},
        {"is_noarp": True},
        {"is_ethernet": False},
        {"is_broadcast": False, "link_local": None},
    ],
    ids="-".join,
)
def test_links_without_responders(change):
    link = replace(LINK, **change)
    assert interfaces_for({3: link}, None) == {}
    assert interface_names({3: link}, None) == {"eth0"}  # it exists all the same


@pytest.mark.parametrize(
    ("change", "arp", "ndp"),
    [({}, True, True), ({"link_local": None}, True, False), ({"is_broadcast": False}, False, True)],
)
def test_families_of_an_interface(change, arp, ndp):
    interface = interfaces_for({3: replace(LINK, **change)}, None)[3]
    assert (interface.has_arp, interface.has_ndp) == (arp, ndp)


def test_no_ipv4_address_is_needed_for_arp():
    assert table(ETH0).links()[3].addresses == ()
    assert interfaces_for(table(ETH0).links(), None)[3].has_arp


@pytest.mark.parametrize(
    ("pattern", "is_excluded"),
    [("^eth", True), ("th", True), ("^th", False), ("^docker.*|h0$", True), ("^lo$", False)],
)
def test_exclusions_are_searched_for_anywhere_in_the_name(pattern, is_excluded):
    links = {3: LINK}
    excluded = re.compile(pattern)
    assert (interfaces_for(links, excluded) == {}) is is_excluded
    assert (interface_names(links, excluded) == frozenset()) is is_excluded
