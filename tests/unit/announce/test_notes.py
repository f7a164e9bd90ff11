from ipaddress import ip_address

import pytest

from ferrolb.announce import announce_failed, node_assigned, not_announced, unusable
from ferrolb.model import EventNote, EventType, InterfaceRule, NodeName

ADDRESSES = (ip_address("10.0.0.1"), ip_address("2001:db8::1"))


def test_c03_node_assigned_has_no_suffix():
    assert node_assigned(NodeName("node-a")) == EventNote(
        EventType.NORMAL, "nodeAssigned", 'announcing from node "node-a"'
    )


def test_announce_failed_is_worded_as_the_reference_words_it():
    note = announce_failed(ip_address("10.0.0.1"), NodeName("node-a"))
    assert note == EventNote(
        EventType.WARNING,
        "announceFailed",
        'the interfaces specified by LB IP "10.0.0.1" doesn\'t exist in assigned node "node-a" '
        'with protocol "layer2"',
    )


def test_c25_not_announced_says_the_explanation():
    assert not_announced("why") == EventNote(EventType.WARNING, "notAnnounced", "why")


@pytest.mark.parametrize(
    ("names", "existing", "expected"),
    [
        (None, [], ()),
        ({"eth0"}, ["eth0", "eth1"], ()),
        ({"eth0", "eth9"}, ["eth0"], ()),
        ({"eth9"}, ["eth0"], ADDRESSES),
        ({"eth9"}, [], ADDRESSES),
    ],
)
def test_w11_without_any_interface_of_the_rule_nothing_is_announced(names, existing, expected):
    rule = InterfaceRule(None if names is None else frozenset(names))
    assert unusable(ADDRESSES, rule, existing) == expected
