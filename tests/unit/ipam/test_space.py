import ipaddress

import pytest
from tests.builders import make_pool, make_pools, make_ports

from ferrolb.ipam import Allocator, Assigned, Claim, Terms
from ferrolb.ipam.space import AddressSpace
from ferrolb.model import Family, ServiceKey, is_buggy

NOBODY = Terms()


def space(*ranges: str, avoid_buggy: bool = False) -> AddressSpace:
    return AddressSpace(make_pool("p", *ranges).prefixes, avoid_buggy=avoid_buggy)


@pytest.mark.parametrize("avoid_buggy", [False, True])
@pytest.mark.parametrize(
    "ranges",
    [
        ["10.0.0.0/22"],
        ["10.0.9.0/32", "10.0.0.250-10.0.2.5", "10.0.8.255/32", "10.0.3.7/32"],
        ["2001:db8::fe-2001:db8::102"],
    ],
)
def test_positions_follow_the_order_of_the_list(ranges, avoid_buggy):
    tested = space(*ranges, avoid_buggy=avoid_buggy)
    every = [ip for prefix in make_pool("p", *ranges).prefixes for ip in prefix]
    usable = [ip for ip in every if not (avoid_buggy and is_buggy(ip))]
    assert [tested.position_of(ip) for ip in usable] == list(range(len(usable)))
    assert all(tested.position_of(ip) is None for ip in set(every) - set(usable))
    assert tested.capacity == len(usable)
    found = []
    for position in range(len(usable)):
        found.append(tested.find(NOBODY))
        tested.take(position)
    assert found == usable
    assert tested.find(NOBODY) is None


@pytest.mark.parametrize("ip", ["9.255.255.255", "10.0.1.0", "10.0.0.3", "11.0.0.0"])
def test_addresses_outside_have_no_position(ip):
    tested = space("10.0.0.0/31", "10.0.2.0/24")
    assert tested.position_of(ipaddress.ip_address(ip)) is None


def test_a_space_without_usable_addresses_finds_nothing():
    tested = space("10.0.0.0/32", avoid_buggy=True)
    assert (tested.capacity, tested.find(NOBODY)) == (0, None)


def test_shared_positions_are_found_by_terms_and_free_ports():
    tested = space("10.0.0.0/30")
    group, ports = ("k", ""), frozenset(make_ports(80))
    for position in (0, 1):
        tested.take(position)
        tested.offer(position, group, ports)
    assert str(tested.find(Terms(sharing="k", ports=make_ports(443)))) == "10.0.0.0"
    assert str(tested.find(Terms(sharing="k", ports=make_ports(80)))) == "10.0.0.2"
    assert str(tested.find(Terms(sharing="k", backend="x"))) == "10.0.0.2"
    tested.withdraw(0, group, ports)
    assert str(tested.find(Terms(sharing="k", ports=make_ports(443)))) == "10.0.0.1"
    tested.withdraw(1, group, ports)
    assert str(tested.find(Terms(sharing="k", ports=make_ports(443)))) == "10.0.0.2"


@pytest.mark.parametrize(
    ("family", "ranges"),
    [(Family.IPV4, ["10.0.0.0/8"]), (Family.IPV6, ["2001:db8::/64"]), (Family.IPV6, ["::/0"])],
)
def test_search_in_a_huge_pool_keeps_one_run(family, ranges):
    allocator = Allocator()
    allocator.set_pools(make_pools(make_pool("p", *ranges, avoid_buggy_ips=True)))
    for number in range(600):
        key = ServiceKey("default", str(number))
        assert isinstance(allocator.allocate(Claim(key=key, family=family)), Assigned)
    (state,) = allocator._table.states.values()
    (space_,) = state.spaces.values()
    assert len(space_._taken) == 1  # also across .255 and .0, so that no search skips them
