"""Specification 14.6 on the allocator itself, and the counters of 4.14."""

import ipaddress

import pytest
from tests.builders import make_key, make_pool, make_pools, make_ports, make_service
from tests.world import World

from ferrolb.ipam import Allocator, Assigned, Claim, PoolUsage, Refused, Terms
from ferrolb.model import Family, IPFamilyPolicy, PoolName

SATURATED = 2**63 - 1
PREFER = IPFamilyPolicy.PREFER_DUAL_STACK
REQUIRE = IPFamilyPolicy.REQUIRE_DUAL_STACK


def claim(name="a", *, sharing="", backend="", ports=(80,), family=Family.IPV4, policy=None):
    return Claim(
        key=make_key(name),
        family=family,
        policy=policy or IPFamilyPolicy.SINGLE_STACK,
        terms=Terms(ports=make_ports(*ports), sharing=sharing, backend=backend),
    )


def ips(*texts: str):
    return [ipaddress.ip_address(text) for text in texts]


def allocator(*pools) -> Allocator:
    made = Allocator()
    made.set_pools(make_pools(*(pools or (make_pool("p", "10.0.0.0/24", "1000::/64"),))))
    return made


def usage(a: Allocator) -> PoolUsage:
    return a.usage()[PoolName("p")]


def given(result: Assigned | Refused) -> list[str]:
    assert isinstance(result, Assigned), result
    return [str(ip) for ip in result.ips]


def text(result: Assigned | Refused) -> str:
    assert isinstance(result, Refused), result
    return result.text


def test_s80_assigning_again_is_idempotent():
    a = allocator()
    assert given(a.assign(claim(), ips("10.0.0.5"))) == ["10.0.0.5"]
    a.touched()
    assert given(a.assign(claim(), ips("10.0.0.5"))) == ["10.0.0.5"]
    assert usage(a).assigned == 1
    assert a.touched() == frozenset()


def test_s80_used_address_is_refused_to_others():
    a = allocator()
    a.assign(claim("a"), ips("10.0.0.5"))
    refused = a.assign(claim("b", ports=[443]), ips("10.0.0.5"))
    assert text(refused) == (
        'can\'t change sharing key for "default/b", address also in use by default/a'
    )


def test_s80_moving_frees_the_old_address():
    a = allocator()
    a.assign(claim("a"), ips("10.0.0.5"))
    a.assign(claim("a"), ips("10.0.0.6"))
    assert given(a.assign(claim("b"), ips("10.0.0.5"))) == ["10.0.0.5"]


def test_s80_refused_move_keeps_the_old_address():
    a = allocator()
    a.assign(claim("a"), ips("10.0.0.5"))
    text(a.assign(claim("a"), ips("9.9.9.9")))
    assert a.allocations[make_key("a")].ips == tuple(ips("10.0.0.5"))


@pytest.mark.parametrize(
    ("ip", "avoid", "is_given"),
    [
        ("10.0.0.0", True, False),
        ("10.0.0.255", True, False),
        ("10.0.0.1", True, True),
        ("10.0.0.254", True, True),
        ("1000::", True, True),
        ("1000::ff", True, True),
        ("10.0.0.0", False, True),
        ("10.0.0.255", False, True),
    ],
)
def test_s81_avoid_buggy_ips(ip, avoid, is_given):
    a = allocator(make_pool("p", "10.0.0.0/24", "1000::/64", avoid_buggy_ips=avoid))
    result = a.assign(claim(), ips(ip))
    if is_given:
        assert given(result) == [ip]
    else:
        assert text(result) == f'"{ip}" is not allowed in config'


def test_s82_sole_user_changes_key_and_ports_in_place():
    a = allocator()
    for terms in ({"sharing": "x"}, {"sharing": "y", "ports": [81]}, {"backend": "b"}, {}):
        assert given(a.assign(claim("a", **terms), ips("10.0.0.5"))) == ["10.0.0.5"]


def test_s82_second_user_is_bound_by_the_first():
    a = allocator()
    at = ips("10.0.0.5")
    a.assign(claim("a", sharing="k", backend="b", ports=[80]), at)
    in_use = 'can\'t change sharing key for "default/b", address also in use by default/a'
    same_port = claim("b", sharing="k", backend="b", ports=[80])
    assert text(a.assign(same_port, at)) == 'port TCP/80 is already in use on "10.0.0.5"'
    assert text(a.assign(claim("b", sharing="x", backend="b", ports=[443]), at)) == in_use
    assert text(a.assign(claim("b", sharing="k", backend="x", ports=[443]), at)) == in_use
    assert text(a.assign(claim("b", backend="b", ports=[443]), at)) == in_use
    assert given(a.assign(claim("b", sharing="k", backend="b", ports=[443]), at)) == ["10.0.0.5"]
    assert given(a.assign(claim("b", sharing="k", backend="b", ports=[444]), at)) == ["10.0.0.5"]
    assert text(a.assign(claim("b", sharing="x", backend="b", ports=[444]), at)) == in_use
    assert text(a.assign(claim("b", sharing="k", backend="x", ports=[444]), at)) == in_use
    assert given(a.assign(claim("c", sharing="k", backend="b", ports=[443]), at)) == ["10.0.0.5"]


def test_s82_other_users_are_named_in_order():
    a = allocator()
    for name, port in (("z", 1), ("m", 2)):
        a.assign(claim(name, sharing="k", ports=[port]), ips("10.0.0.5"))
    refused = a.assign(claim("b", ports=[3]), ips("10.0.0.5"))
    assert text(refused).endswith("address also in use by default/m,default/z")


def test_s83_protocol_is_part_of_the_port():
    a = allocator()
    for number, ports in enumerate((["TCP/80"], ["TCP/443"], ["UDP/53"], ["TCP/53"], ["SCTP/53"])):
        one = claim(f"s{number}", sharing="k", ports=ports)
        assert given(a.assign(one, ips("10.0.0.5"))) == ["10.0.0.5"]


def test_s84_pair_from_two_pools_is_refused():
    a = allocator(make_pool("p", "10.0.0.0/24"), make_pool("q", "1000::/64"))
    refused = a.assign(claim(family=Family.DUAL), ips("10.0.0.5", "1000::5"))
    assert text(refused) == '["10.0.0.5" "1000::5"] is not allowed in config'


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (["10.0.0.5", "10.0.0.6"], '"10.0.0.5" "10.0.0.6" has the same family'),
        (
            ["10.0.0.5", "10.0.0.6", "1000::5"],
            'more than two addresses ["10.0.0.5" "10.0.0.6" "1000::5"]',
        ),
        ([], "[] is not allowed in config"),
    ],
)
def test_s84_odd_sets_of_addresses_are_refused(asked, expected):
    assert text(allocator().assign(claim(), ips(*asked))) == expected


@pytest.mark.parametrize(
    ("family", "policy"),
    [(Family.IPV4, None), (Family.IPV6, None), (Family.DUAL, REQUIRE), (Family.DUAL, PREFER)],
)
@pytest.mark.parametrize("by_name", [False, True])
def test_s85_four_addresses_serve_four_services(family, policy, by_name):
    a = allocator(make_pool("p", "10.0.0.0/30", "1000::/126"))

    def allocate(name, **terms):
        one = claim(name, family=family, policy=policy, **terms)
        return a.allocate_from_pool(one, PoolName("p")) if by_name else a.allocate(one)

    seen = [given(allocate(f"s{n}", sharing="k", ports=[80])) for n in range(4)]
    assert len({tuple(each) for each in seen}) == 4
    assert text(allocate("fifth", ports=[443])).startswith("no available IPs")
    assert text(allocate("fifth", sharing="k", ports=[80])).startswith("no available IPs")
    assert given(allocate("sharing", sharing="k", ports=[443])) == seen[0]
    a.unassign(make_key("s2"))
    assert given(allocate("fifth", ports=[443])) == seen[2]


@pytest.mark.parametrize(("policy", "is_given"), [(None, False), (REQUIRE, False), (PREFER, True)])
def test_s86_named_pool_for_a_service_with_an_address_of_another_family(policy, is_given):
    a = allocator()
    a.assign(claim(), ips("10.0.0.5"))
    result = a.allocate_from_pool(claim(family=Family.DUAL, policy=policy), PoolName("p"))
    if is_given:
        assert given(result) == ["10.0.0.5"]
    else:
        expected = "IP for wrong family assigned alloc ipv4 service family dual"
        assert text(result) == expected


def test_s87_unknown_pool_is_refused():
    assert text(allocator().allocate_from_pool(claim(), PoolName("x"))) == 'unknown pool "x"'


def test_s88_prefixes_are_used_in_the_order_listed():
    a = allocator(make_pool("p", "10.0.9.0/31", "10.0.1.5-10.0.1.6", "10.0.5.0/32"))
    order = ["10.0.9.0", "10.0.9.1", "10.0.1.5", "10.0.1.6", "10.0.5.0"]
    assert [given(a.allocate(claim(f"s{n}")))[0] for n in range(5)] == order
    a.unassign(make_key("s3"))
    a.unassign(make_key("s1"))
    assert given(a.allocate(claim("again"))) == ["10.0.9.1"]


def test_s88_pools_of_two_addresses_without_the_buggy_ones():
    ranges = ["10.0.1.0/31", "10.0.2.254/31", "10.0.3.0/31", "10.0.4.254/31"]
    pools = [make_pool(f"p{n}", text_, avoid_buggy_ips=True) for n, text_ in enumerate(ranges)]
    a = allocator(*pools)
    expected = ["10.0.1.1", "10.0.2.254", "10.0.3.1", "10.0.4.254"]
    assert [given(a.allocate(claim(f"s{n}")))[0] for n in range(4)] == expected
    assert text(a.allocate(claim("fifth"))) == "no available IPs"


def test_s89_counters_count_distinct_addresses_and_services():
    a = allocator()
    for number in range(3):
        one = claim(f"s{number}", sharing="k", ports=[number + 1])
        a.assign(one, ips("10.0.0.5"))
    a.assign(claim("six", family=Family.IPV6), ips("1000::5"))
    counted = usage(a)
    assert (counted.assigned_ipv4, counted.assigned_ipv6, counted.assigned) == (1, 1, 2)
    assert (counted.services, counted.available_ipv4) == (4, 255)
    assert counted.available_ipv6 == SATURATED - 1


def test_s89_assign_and_unassign_touch_the_pool():
    a = allocator(make_pool("p", "10.0.0.0/24"), make_pool("q", "10.1.0.0/24"))
    assert a.touched() == {"p", "q"}
    a.assign(claim(), ips("10.0.0.5"))
    assert a.touched() == {"p"}
    a.assign(claim(), ips("10.1.0.5"))
    assert a.touched() == {"p", "q"}
    a.unassign(make_key("a"))
    assert a.touched() == {"q"}
    a.unassign(make_key("a"))
    assert a.touched() == frozenset()


def test_s89_deleted_pool_has_no_counters_left():
    a = allocator()
    a.assign(claim(), ips("10.0.0.5"))
    a.touched()
    assert a.set_pools(make_pools()) == {make_key("a")}
    assert a.usage() == {}
    assert a.touched() == {"p"}
    a.set_pools(make_pools(make_pool("p", "10.0.0.0/24")))
    assert usage(a).assigned == 0


@pytest.mark.parametrize(
    ("ranges", "avoid", "total", "ipv4", "ipv6"),
    [
        (["2.3.3.0/24"], False, 256, 256, 0),
        (["2.3.3.0/24", "2.3.4.128/25"], False, 384, 384, 0),
        (["2.3.3.0/24", "2.3.4.128/25"], True, 381, 381, 0),
        (["2.3.3.0/24", "2.3.4.128/25", "1000::/64"], True, SATURATED, 381, SATURATED),
        (["1000::/64", "2.3.3.0/24"], False, SATURATED, 256, SATURATED),
        (["1000::/66"], False, SATURATED, 0, SATURATED),
        (["1000::/67"], False, 2**61, 0, 2**61),
        (
            ["1000::/67", "1000:1::/67", "1000:2::/67", "1000:3::/67"],
            False,
            2**63 - 1,
            0,
            2**63 - 1,
        ),
        (["1.2.3.0/31", "1000::/127"], True, 3, 1, 2),
        (["1.2.3.0/32", "1.2.3.255/32", "1.2.3.4/32"], True, 1, 1, 0),
        (["1.0.0.0/16"], True, 254 * 256, 254 * 256, 0),
        (["1.2.3.0/32"], True, 0, 0, 0),
    ],
)
def test_q5_capacity(ranges, avoid, total, ipv4, ipv6):
    counted = usage(allocator(make_pool("p", *ranges, avoid_buggy_ips=avoid)))
    assert (counted.capacity, counted.capacity_ipv4, counted.capacity_ipv6) == (total, ipv4, ipv6)


def test_q19_services_without_ports_keep_the_sharing_key():
    w = World().set_pools(make_pool("p", "10.0.0.1/32"))
    for name in ("a", "b"):
        w.apply(make_service(name, sharing="k", ports=[]))
    w.delete("a")
    assert w.ips("b") == ["10.0.0.1"]
    w.apply(make_service("c", sharing="other", ports=[]), make_service("d", sharing="k", ports=[]))
    assert (w.ips("c"), w.ips("d")) == ([], ["10.0.0.1"])


def test_shared_address_comes_before_the_first_free_one_only_if_it_is_first():
    a = allocator(make_pool("p", "10.0.0.0/30"))
    a.assign(claim("a", sharing="k"), ips("10.0.0.2"))
    assert given(a.allocate(claim("b", sharing="k", ports=[443]))) == ["10.0.0.0"]
    a.assign(claim("x"), ips("10.0.0.1"))
    a.assign(claim("c", sharing="other"), ips("10.0.0.3"))
    assert given(a.allocate(claim("d", sharing="k", ports=[81]))) == ["10.0.0.0"]
    assert given(a.allocate(claim("e", sharing="k", ports=[443]))) == ["10.0.0.2"]
    assert given(a.allocate(claim("f", sharing="other", ports=[443]))) == ["10.0.0.3"]


def test_allocating_again_gives_the_same():
    a = allocator()
    assert given(a.allocate(claim())) == given(a.allocate(claim())) == ["10.0.0.0"]
    assert given(a.allocate_from_pool(claim(), PoolName("p"))) == ["10.0.0.0"]
