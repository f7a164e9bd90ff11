from types import MappingProxyType

import pytest
from tests.announcing import ad, make_node, match, prefer
from tests.config_objects import legacy_object, pool_object

from ferrolb.config import (
    AcceptedAdvertisements,
    AdvertisementConfig,
    AdvertisementObjects,
    parse_advertisements,
    pools_with_bgp,
    unreadable_object,
)
from ferrolb.model import Json, L2Advertisement, NodeName, ObjectRef, PoolName

A, B = NodeName("a"), NodeName("b")
NODES = {A: make_node(A, rack="1"), B: make_node(B, rack="2")}
BAD_OPERATOR: Json = {"matchExpressions": [{"key": "k", "operator": "Is", "values": ["v"]}]}
BAD_TEXT = '"Is" is not a valid label selector operator'
DUMP = "{map[] [{k Is [v]}]}"


def pool(name: str = "p", **labels: str) -> Json:
    raw = pool_object(name, "10.0.0.0/24")
    assert isinstance(raw["metadata"], dict)
    raw["metadata"]["labels"] = dict(labels)
    return raw


def parse(*ads: Json, pools=None, legacy=(), after=None, nodes=NODES) -> AdvertisementConfig:
    return parse_advertisements(
        AdvertisementObjects(
            l2_advertisements=ads,
            pools=[pool()] if pools is None else pools,
            legacy_pools=legacy,
            nodes=nodes,
        ),
        accepted=AcceptedAdvertisements() if after is None else after.accepted,
    )


def names(config: AdvertisementConfig, name: str = "p") -> list[str]:
    return [one.name for one in config.by_pool[PoolName(name)]]


def one(*ads: Json) -> L2Advertisement:
    config = parse(*ads)
    assert config.is_valid, config.errors
    [found] = config.by_pool[PoolName("p")]
    return found


def test_nothing_at_all_is_valid():
    config = parse(pools=[])
    assert config.is_valid
    assert config.by_pool == {}
    assert config.defaults == ()


def test_defaults():
    assert one(ad("x")) == L2Advertisement(name="x", nodes=frozenset({A, B}))
    assert one({"metadata": {"name": "x"}}) == one(ad("x"))


def test_what_is_given():
    found = one(
        ad(
            "x",
            ipAddressPools=["p", "unknown"],
            nodeSelectors=[match(rack="1"), match(rack="9")],
            interfaces=["eth1", "eth0", "eth1"],
            serviceSelectors=[match(b="2"), match(a="1")],
            preferredNodeSelectors=prefer((3, match(rack="1")), (4, {}), (9, match(rack="2"))),
        )
    )
    assert found.nodes == {A}
    assert found.interfaces == {"eth0", "eth1"}
    assert [str(selector) for selector in found.service_selectors] == ["a in (1)", "b in (2)"]
    assert found.preferred == {A: 7}


def test_a_preference_without_selector_is_for_every_node_and_weight_0_for_none():
    assert one(ad(preferredNodeSelectors=[{"weight": 5}])).preferred == {A: 5, B: 5}
    assert one(ad(preferredNodeSelectors=[{"preference": {}}])).preferred == {}


def test_selectors_that_match_nothing_leave_nobody():
    assert one(ad(nodeSelectors=[match(rack="9")])).nodes == frozenset()


def test_which_pools_are_selected():
    pools = [pool("p", color="red"), pool("q", color="blue"), pool("r")]
    config = parse(
        ad("1-all"),
        ad("2-name", ipAddressPools=["q"], interfaces=["i2"]),
        ad("3-label", ipAddressPoolSelectors=[match(color="red")], interfaces=["i3"]),
        ad(
            "4-both",
            ipAddressPools=["p"],
            ipAddressPoolSelectors=[match(color="red"), match(color="blue")],
            interfaces=["i4"],
        ),
        ad("5-gone", ipAddressPools=["gone"], interfaces=["i5"]),
        pools=pools,
    )
    assert config.is_valid
    assert names(config, "p") == ["1-all", "3-label", "4-both"]
    assert names(config, "q") == ["1-all", "2-name", "4-both"]
    assert names(config, "r") == ["1-all"]
    assert names(config, "gone") == ["1-all", "5-gone"]
    assert [found.name for found in config.defaults] == ["1-all"]


@pytest.mark.parametrize(
    ("first", "second", "are_merged"),
    [
        ({}, {}, True),
        ({"interfaces": ["a", "b"]}, {"interfaces": ["b", "a"]}, True),
        ({"interfaces": ["a"]}, {"interfaces": ["b"]}, False),
        ({"interfaces": ["a"]}, {}, False),
        ({"nodeSelectors": [match(rack="1")]}, {"nodeSelectors": [match(node="a")]}, True),
        ({"nodeSelectors": [match(rack="1")]}, {}, False),
        ({"nodeSelectors": [{}]}, {}, True),
        ({"serviceSelectors": [match(a="b")]}, {"serviceSelectors": [match(a="b")]}, True),
        (
            {"serviceSelectors": [match(a="b"), match(c="d")]},
            {"serviceSelectors": [match(c="d"), match(a="b")]},
            True,
        ),
        ({"serviceSelectors": [match(a="b")]}, {}, False),
        ({"serviceSelectors": [{}]}, {}, False),
        ({"preferredNodeSelectors": prefer((1, {}))}, {}, False),
        (
            {"preferredNodeSelectors": prefer((1, {}))},
            {"preferredNodeSelectors": prefer((1, {}))},
            False,
        ),
        # nobody is preferred, so there is nothing to add up
        ({"preferredNodeSelectors": prefer((1, match(rack="9")))}, {}, True),
    ],
)
def test_what_says_the_same_is_merged_unless_it_prefers(first, second, are_merged):
    config = parse(ad("y", **second), ad("x", **first))
    assert names(config) == (["x"] if are_merged else ["x", "y"])
    reverse = parse(ad("y", **first), ad("x", **second))
    assert names(reverse) == names(config)


def test_pools_of_the_same_advertisements_share_them():
    config = parse(ad("x"), pools=[pool(f"p{n}") for n in range(3)])
    assert len({id(found) for found in config.by_pool.values()}) == 1


@pytest.mark.parametrize(
    ("spec", "path", "message"),
    [
        (
            {"ipAddressPools": ["p", "q", "p"]},
            "spec.ipAddressPools[2]",
            'duplicate definition of ipAddressPools "p"',
        ),
        (
            {"nodeSelectors": [match(a="b"), match(a="b")]},
            "spec.nodeSelectors[1]",
            'duplicate definition of nodeSelectors {map["a":"b"] []}',
        ),
        (
            {"serviceSelectors": [match(a="b"), match(a="b")]},
            "spec.serviceSelectors[1]",
            'duplicate definition of serviceSelectors {map["a":"b"] []}',
        ),
        (
            {"ipAddressPoolSelectors": [match(a="b"), match(a="b")]},
            "spec.ipAddressPoolSelectors[1]",
            'duplicate definition of ipAddressPoolSelectors {map["a":"b"] []}',
        ),
        (
            {"nodeSelectors": [BAD_OPERATOR]},
            "spec.nodeSelectors[0].matchExpressions[0].operator",
            f"{BAD_TEXT}\ninvalid label selector {DUMP}\nfailed to parse node selector for x",
        ),
        (
            {"serviceSelectors": [BAD_OPERATOR]},
            "spec.serviceSelectors[0].matchExpressions[0].operator",
            f"invalid service selector {DUMP}: {BAD_TEXT}\nfailed to parse service selector for x",
        ),
        (
            {"ipAddressPoolSelectors": [BAD_OPERATOR]},
            "spec.ipAddressPoolSelectors[0].matchExpressions[0].operator",
            f"{BAD_TEXT}\ninvalid label selector {DUMP}",
        ),
        (
            {"preferredNodeSelectors": [{"weight": 1, "preference": BAD_OPERATOR}]},
            "spec.preferredNodeSelectors[0].preference.matchExpressions[0].operator",
            f"{BAD_TEXT}\ninvalid preferred node selector {DUMP}\n"
            "failed to parse preferred node selectors for x",
        ),
        (
            {"preferredNodeSelectors": [{"weight": "1"}]},
            "spec.preferredNodeSelectors[0].weight",
            "spec.preferredNodeSelectors[0].weight: must be a 64-bit integer, is a string",
        ),
        (
            {"interfaces": "eth0"},
            "spec.interfaces",
            "spec.interfaces: must be a list, is a string",
        ),
    ],
)
def test_errors_name_object_path_and_cause(spec, path, message):
    config = parse(ad("x", **spec), ad("fine"))
    [error] = config.errors
    assert error.object == ObjectRef("L2Advertisement", "metallb-system", "x")
    assert (error.path, error.message) == (path, message)
    assert names(config) == ["fine"]


def test_the_same_preference_twice_is_no_error():
    found = one(ad(preferredNodeSelectors=prefer((1, match(rack="1")), (2, match(rack="1")))))
    assert found.preferred == {A: 3}


def test_c17_a_bad_object_counts_as_it_was_last_accepted():
    good = parse(ad("x", interfaces=["eth0"]))
    bad = parse(ad("x", interfaces=["eth1"], nodeSelectors=[BAD_OPERATOR]), after=good)
    assert len(bad.errors) == 1
    assert bad.by_pool == good.by_pool
    still = parse(unreadable_object("metallb-system", "x"), after=bad)
    assert [error.path for error in still.errors] == ["spec"]
    assert still.by_pool == good.by_pool
    gone = parse(after=still)
    assert gone.by_pool == {"p": ()}
    assert parse(ad("x", nodeSelectors=[BAD_OPERATOR]), after=gone).by_pool == {"p": ()}


def test_unknown_nodes_pools_and_interfaces_are_no_errors():
    config = parse(
        ad("x", ipAddressPools=["gone"], nodeSelectors=[match(no="node")], interfaces=["no0"])
    )
    assert config.is_valid


def test_address_pools_bring_their_own_and_no_other():
    legacy = [legacy_object("l2"), legacy_object("router", protocol="bgp")]
    config = parse(ad("x"), ad("y", ipAddressPools=["l2", "router"]), legacy=legacy)
    assert config.by_pool[PoolName("l2")] == (L2Advertisement(name="l2", nodes=frozenset({A, B})),)
    assert config.by_pool[PoolName("router")] == ()


def test_c17_an_address_pool_of_no_legal_protocol_counts_as_before():
    good = parse(legacy=[legacy_object("l2")])
    for bad in (
        legacy_object("l2", protocol="arp"),
        legacy_object("l2", protocol=["bgp"]),
        unreadable_object("metallb-system", "l2"),
        {"metadata": {"name": "l2"}},
    ):
        assert names(parse(legacy=[bad], after=good), "l2") == ["l2"]
        assert "l2" not in parse(legacy=[bad]).by_pool


def test_of_two_pools_of_one_name_the_ip_address_pool_is_announced():
    config = parse(ad("x"), legacy=[legacy_object("p")])
    assert names(config) == ["x"]


def test_other_nodes_need_no_other_parse():
    selective = ad("x", nodeSelectors=[match(rack="1")])
    config = parse(selective)
    nodes = {B: make_node(B, rack="1")}
    assert config.for_nodes(nodes) == parse(selective, nodes=nodes)
    assert config.for_nodes(nodes).by_pool[PoolName("p")][0].nodes == {B}


@pytest.mark.parametrize("raw", [None, 1, "x", [], {}, {"metadata": 1}, {"spec": []}])
def test_objects_of_any_shape_are_survived(raw):
    parse(raw, pools=[raw], legacy=[raw])
    pools_with_bgp([raw], pools=[raw], legacy_pools=[raw])


def test_labels_that_are_no_text_are_no_labels():
    raw: Json = {"metadata": {"name": "p", "labels": {"a": 1, "b": "c"}}}
    config = parse(
        ad("x", ipAddressPoolSelectors=[match(b="c")]),
        ad("y", ipAddressPoolSelectors=[match(a="1")]),
        pools=[raw],
    )
    assert names(config) == ["x"]


BGP_POOLS = [pool("p", color="red"), pool("q")]


@pytest.mark.parametrize(
    ("ads", "expected"),
    [
        ([], set()),
        ([ad("x")], {"p", "q"}),
        ([ad("x", ipAddressPools=["q", "gone"])], {"q"}),
        ([ad("x", ipAddressPoolSelectors=[match(color="red")])], {"p"}),
        (
            [ad("x", ipAddressPools=["q"]), ad("y", ipAddressPoolSelectors=[match(color="red")])],
            {"p", "q"},
        ),
        ([ad("x", ipAddressPoolSelectors=[match(color="blue")])], set()),
        # in doubt all
        ([ad("x", ipAddressPools=["q"], ipAddressPoolSelectors=[BAD_OPERATOR])], {"p", "q"}),
        ([ad("x", ipAddressPools="q")], {"p", "q"}),
        ([unreadable_object("metallb-system", "x")], {"p", "q"}),
    ],
)
def test_pools_that_routers_may_be_told_of(ads, expected):
    assert pools_with_bgp(ads, pools=BGP_POOLS, legacy_pools=[legacy_object("l2")]) == expected


def test_address_pools_that_routers_are_told_of():
    legacy = [legacy_object("l2"), legacy_object("router", protocol="bgp")]
    assert pools_with_bgp([], pools=BGP_POOLS, legacy_pools=legacy) == {"router"}


def test_what_is_accepted_cannot_be_changed_from_outside():
    assert isinstance(parse(ad("x")).accepted.l2, MappingProxyType)
