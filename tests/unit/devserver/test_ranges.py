"""Cluster IP and node port ranges."""

import random
from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from ferrolb.devserver.ranges import AddressRange, PortRange, ServiceRanges, claims_of


@pytest.mark.parametrize(
    ("network", "first", "last"),
    [
        ("10.0.0.0/29", "10.0.0.1", "10.0.0.6"),
        ("10.96.0.0/16", "10.96.0.1", "10.96.255.254"),
        ("fd00::/125", "fd00::1", "fd00::7"),
        ("fd00::/64", "fd00::1", "fd00::ffff"),
    ],
)
def test_range_leaves_network_and_broadcast_out(network, first, last):
    addresses = AddressRange(ip_network(network))
    for edge, step in ((first, -1), (last, 1)):
        assert addresses.problem(ip_address(edge)) is None
        beyond = ip_address(edge) + step
        text = "the provided network does not match the current range"
        assert addresses.problem(beyond) == text


def test_every_address_is_given_once():
    addresses = AddressRange(ip_network("10.0.0.0/27"))
    given = []
    while (picked := addresses.pick()) is not None:
        addresses.add(picked)
        given.append(picked)
    assert sorted(given) == list(ip_network("10.0.0.0/27").hosts())
    assert given[0] == ip_address("10.0.0.17"), "the first 16 are left to explicit requests"


@pytest.mark.parametrize("network", ["10.0.0.0/32", "10.0.0.0/31"])
def test_network_without_hosts_gives_nothing(network):
    assert AddressRange(ip_network(network)).pick() is None


def test_picking_takes_nothing():
    addresses = AddressRange(ip_network("fd00::/112"))
    picked = addresses.pick()
    assert picked is not None
    assert addresses.problem(picked) is None
    addresses.add(picked)
    assert addresses.problem(picked) == "provided IP is already allocated"
    addresses.discard(picked)
    assert addresses.problem(picked) is None


def test_freed_address_is_not_the_next_one():
    addresses = AddressRange(ip_network("10.96.0.0/16"))
    first = addresses.pick()
    assert first is not None
    assert addresses.pick() == first + 1


def test_choice_is_the_callers():
    generator = random.Random(7)
    addresses = AddressRange(ip_network("10.96.0.0/16"), choose=generator.randrange)
    picked = [addresses.pick() for _ in range(50)]
    assert len(set(picked)) > 45
    assert (
        picked[0]
        == AddressRange(ip_network("10.96.0.0/16"), choose=random.Random(7).randrange).pick()
    )


def test_address_of_another_family_is_none_of_ours():
    addresses = AddressRange(ip_network("10.0.0.0/24"))
    addresses.add(ip_address("fd00::1"))
    addresses.discard(ip_address("fd00::1"))
    assert addresses.problem(ip_address("10.0.0.1")) is None


@pytest.mark.parametrize("port", [29999, 32768, 80])
def test_port_outside_the_range(port):
    assert PortRange().problem(port) == (
        "provided port is not in the valid range. The range of valid ports is 30000-32767"
    )


def test_ports_are_given_around_those_taken_and_excluded():
    ports = PortRange(range(30000, 30004))
    ports.add(30000)
    ports.add(80)
    assert ports.problem(30000) == "provided port is already allocated"
    assert ports.pick(frozenset({30001})) == 30002
    assert ports.pick(frozenset({30001, 30002, 30003})) is None
    ports.discard(30000)
    ports.discard(80)
    assert ports.pick(frozenset({30001, 30002, 30003})) == 30000


def test_explicit_band_of_node_ports_comes_last():
    assert PortRange().pick(frozenset()) == 30086


SERVICE: Any = {
    "spec": {
        "clusterIPs": ["10.96.0.9", "fd00:10:96::9"],
        "externalTrafficPolicy": "Local",
        "healthCheckNodePort": 30009,
        "type": "LoadBalancer",
        "ports": [{"port": 80, "nodePort": 30080}, {"port": 81}],
    }
}


def test_claims_of_a_service():
    claims = claims_of(SERVICE)
    assert claims.addresses == {ip_address("10.96.0.9"), ip_address("fd00:10:96::9")}
    assert claims.ports == {30009, 30080}
    assert not claims_of({"spec": {"clusterIPs": ["None", "garbage"]}}).addresses
    assert not claims_of({}).ports
    assert not claims_of(None).addresses


def test_changes_take_and_free():
    ranges = ServiceRanges()
    ranges.replace(None, SERVICE)
    smaller: Any = {
        "spec": {"type": "NodePort", "clusterIPs": ["10.96.0.9"], "ports": [{"nodePort": 30081}]}
    }
    ranges.replace(SERVICE, smaller)
    assert taken(ranges) == {"10.96.0.9": True, "fd00:10:96::9": False, 30080: False, 30081: True}
    ranges.replace(smaller, None)
    assert not any(taken(ranges).values())


def taken(ranges):
    ipv4, ipv6 = ranges.addresses.values()
    return {
        "10.96.0.9": ipv4.problem(ip_address("10.96.0.9")) is not None,
        "fd00:10:96::9": ipv6.problem(ip_address("fd00:10:96::9")) is not None,
        30080: ranges.ports.problem(30080) is not None,
        30081: ranges.ports.problem(30081) is not None,
    }
