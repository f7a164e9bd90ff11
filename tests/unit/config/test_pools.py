from types import MappingProxyType

import pytest
from tests.builders import make_pool, make_selector
from tests.config_objects import (
    community_object,
    legacy_object,
    messages,
    parse,
    paths,
    pool_object,
    prefixes,
)

from ferrolb.config import parse_entry
from ferrolb.model import AddressEntry, Json, LabelSelector, Namespace, ServiceAllocation

NAMESPACES = {
    "red": {"color": "red"},
    "crimson": {"color": "red", "dark": ""},
    "blue": {"color": "blue"},
    "plain": {},
}


def allocation(**spec: Json) -> ServiceAllocation | None:
    raw = pool_object("p", "10.0.0.0/24", serviceAllocation=spec)
    config = parse(raw, namespaces=NAMESPACES)
    assert config.is_valid, config.errors
    return next(iter(config.pools.pools.values())).allocation


def namespaces(*names: str) -> frozenset[Namespace]:
    return frozenset(Namespace(name) for name in names)


def test_nothing_at_all_is_valid() -> None:
    config = parse()
    assert config.is_valid
    assert config.error_summary == ""
    assert config.pools.pools == {}
    assert not config.pools.is_frozen


def test_defaults() -> None:
    config = parse(pool_object("p", "10.0.0.0/24"))
    assert config.is_valid
    assert config.pools.pools == {"p": make_pool("p", "10.0.0.0/24")}


def test_what_is_given() -> None:
    config = parse(
        pool_object("p", "10.0.0.0/24", "1::/64", autoAssign=False, avoidBuggyIPs=True),
        pool_object(
            "q", "10.0.1.0/24", autoAssign=None, avoidBuggyIPs=None, serviceAllocation=None
        ),
    )
    assert config.is_valid
    assert config.pools.pools == {
        "p": make_pool("p", "10.0.0.0/24", "1::/64", auto_assign=False, avoid_buggy_ips=True),
        "q": make_pool("q", "10.0.1.0/24"),
    }


def test_entries_keep_order_and_text() -> None:
    config = parse(pool_object("p", "10.0.1.7/24", "10.0.0.1 - 10.0.0.2"))
    assert prefixes(config) == {"p": ["10.0.1.0/24", "10.0.0.1/32", "10.0.0.2/32"]}
    (pool,) = config.pools.pools.values()
    assert [entry.text for entry in pool.entries] == ["10.0.1.7/24", "10.0.0.1 - 10.0.0.2"]


def test_pools_are_in_name_order() -> None:
    names = ["b", "a", "a-1", "B", "10"]
    config = parse(*(pool_object(name, f"10.0.{i}.0/24") for i, name in enumerate(names)))
    assert list(config.pools.pools) == sorted(names)


@pytest.mark.parametrize("metadata", [{}, {"name": ""}, {"name": None}, {"name": 7}, None, [], "p"])
def test_no_name(metadata: Json) -> None:
    config = parse({**pool_object("", "10.0.0.0/24"), "metadata": metadata})
    assert messages(config) == ["parsing address pool : missing pool name"]
    assert config.errors[0].path == "metadata.name"
    assert config.pools.pools == {}
    assert config.pools.is_frozen


@pytest.mark.parametrize("spec", [{}, {"addresses": []}, {"addresses": None}, None])
def test_no_addresses(spec: Json) -> None:
    config = parse({**pool_object("p"), "spec": spec})
    assert messages(config) == ["parsing address pool p: pool has no prefixes defined"]
    assert paths(config) == [("p", "spec.addresses")]


@pytest.mark.parametrize(
    "text", ["1.2.3.4", " 10.0.0.0/8", "1.2.3.0/33", 'say "x"', "1.2.3.4-x", "1.2.3.10-1.2.3.1"]
)
def test_a_bad_address(text: str) -> None:
    config = parse(pool_object("p", "10.0.0.0/24", text, "10.0.1.0/24", "?"))
    entry = parse_entry(text)
    assert not isinstance(entry, AddressEntry)
    quoted = text.replace('"', '\\"')
    assert messages(config) == [
        f'parsing address pool p: invalid CIDR "{quoted}" in pool "p": {entry.message}',
        'parsing address pool p: invalid CIDR "?" in pool "p": invalid CIDR "?"',
    ]
    assert paths(config) == [("p", "spec.addresses[1]"), ("p", "spec.addresses[3]")]
    assert config.pools.pools == {}
    assert config.pools.invalid == {"p"}


def test_wrong_shapes_are_all_reported() -> None:
    raw = pool_object(
        "p",
        "10.0.0.0/24",
        7,
        None,
        autoAssign="yes",
        avoidBuggyIPs=1,
        serviceAllocation={
            "priority": True,
            "namespaces": [{}],
            "namespaceSelectors": "x",
            "serviceSelectors": [None],
        },
    )
    config = parse(raw)
    assert paths(config) == [
        ("p", "spec.autoAssign"),
        ("p", "spec.avoidBuggyIPs"),
        ("p", "spec.addresses[1]"),
        ("p", "spec.addresses[2]"),
        ("p", "spec.serviceAllocation.namespaces[0]"),
        ("p", "spec.serviceAllocation.priority"),
        ("p", "spec.serviceAllocation.namespaceSelectors"),
    ]
    assert messages(config)[0] == (
        "parsing address pool p: spec.autoAssign: must be a boolean, is a string"
    )


@pytest.mark.parametrize("raw", [None, 7, "pool", [], {}, {"spec": 1}, {"metadata": {"name": []}}])
def test_an_object_of_any_shape_disturbs_nobody(raw: Json) -> None:
    config = parse(raw, pool_object("p", "10.0.0.0/24"))
    assert prefixes(config) == {"p": ["10.0.0.0/24"]}
    assert messages(config)[0] == "parsing address pool : missing pool name"


def test_service_allocation_of_wrong_shape() -> None:
    config = parse(pool_object("p", "10.0.0.0/24", serviceAllocation=[]))
    assert paths(config) == [("p", "spec.serviceAllocation")]


@pytest.mark.parametrize("priority", [1.0, "1", 2**63, -(2**64), {}])
def test_priority_is_a_number_of_64_bits(priority: Json) -> None:
    config = parse(pool_object("p", "10.0.0.0/24", serviceAllocation={"priority": priority}))
    assert paths(config) == [("p", "spec.serviceAllocation.priority")]


def test_a_number_too_long_to_print_is_refused() -> None:
    config = parse(pool_object("p", "10.0.0.0/24", serviceAllocation={"priority": 10**5000}))
    assert paths(config) == [("p", "spec.serviceAllocation.priority")]


def test_a_pool_without_service_allocation_is_not_pinned() -> None:
    (pool,) = parse(pool_object("p", "10.0.0.0/24")).pools.pools.values()
    assert pool.allocation is None


@pytest.mark.parametrize(
    ("given", "priority"), [(None, 0), (0, 0), (-5, 0), (1, 1), (2**63 - 1, 2**63 - 1)]
)
def test_priority_alone_pins_to_every_service(given: Json, priority: int) -> None:
    assert allocation(priority=given) == ServiceAllocation(
        priority=priority, namespaces=None, service_selectors=(LabelSelector(),)
    )


def test_empty_lists_are_as_absent() -> None:
    assert allocation(
        namespaces=[], namespaceSelectors=[], serviceSelectors=[]
    ) == ServiceAllocation(priority=0, namespaces=None, service_selectors=(LabelSelector(),))


def test_namespaces_need_not_exist() -> None:
    assert allocation(namespaces=["unknown", "blue"], priority=3) == ServiceAllocation(
        priority=3, namespaces=namespaces("blue", "unknown"), service_selectors=()
    )


def test_namespaces_by_name_and_by_labels() -> None:
    assert allocation(
        namespaces=["plain"],
        namespaceSelectors=[{"matchLabels": {"color": "red"}}, {"matchLabels": {"color": "none"}}],
    ) == ServiceAllocation(
        priority=0, namespaces=namespaces("plain", "red", "crimson"), service_selectors=()
    )


def test_selectors_that_match_no_namespace_leave_none() -> None:
    result = allocation(
        namespaceSelectors=[{"matchLabels": {"color": "none"}}],
        serviceSelectors=[{"matchLabels": {"app": "x"}}],
    )
    assert result is not None
    assert result.namespaces == frozenset()
    assert result.service_selectors == (make_selector(app="x"),)


def test_an_empty_namespace_selector_matches_all() -> None:
    result = allocation(namespaceSelectors=[{}])
    assert result is not None
    assert result.namespaces == namespaces(*NAMESPACES)


def test_service_selectors_alone_restrict_no_namespace() -> None:
    assert allocation(serviceSelectors=[{"matchLabels": {"app": "x"}}, {}]) == ServiceAllocation(
        priority=0, namespaces=None, service_selectors=(make_selector(app="x"), LabelSelector())
    )


def test_a_namespace_twice() -> None:
    config = parse(
        pool_object("p", "10.0.0.0/24", serviceAllocation={"namespaces": ["a", "b", "a"]})
    )
    assert messages(config) == ["parsing address pool p: duplicate definition in namespaces field"]
    assert paths(config) == [("p", "spec.serviceAllocation.namespaces[2]")]


@pytest.mark.parametrize("field", ["namespaceSelectors", "serviceSelectors"])
def test_a_selector_twice(field: str) -> None:
    selector: Json = {"matchLabels": {"a": "b"}}
    config = parse(
        pool_object("p", "10.0.0.0/24", serviceAllocation={field: [selector, {}, selector]})
    )
    assert messages(config) == [
        f'parsing address pool p: duplicate definition of {field} {{map["a":"b"] []}}'
    ]
    assert paths(config) == [("p", f"spec.serviceAllocation.{field}[2]")]


def test_invalid_selectors_come_after_duplicates() -> None:
    expressions: Json = [{"key": "k", "operator": "Foo"}]
    twice: Json = {"matchExpressions": [{"key": "k", "operator": "In", "values": ["a", "a"]}]}
    config = parse(
        pool_object(
            "p",
            "10.0.0.0/24",
            serviceAllocation={
                "namespaceSelectors": [{"matchExpressions": expressions}],
                "serviceSelectors": [
                    {"matchLabels": {"x": "y"}, "matchExpressions": expressions},
                    twice,
                ],
            },
        )
    )
    assert messages(config) == [
        "parsing address pool p: duplicate definition of match expression value in label selector"
        ' "a"',
        'parsing address pool p: "Foo" is not a valid label selector operator\n'
        "invalid namespace label selector {map[] [{k Foo []}]} in ip pool p",
        'parsing address pool p: "Foo" is not a valid label selector operator\n'
        "invalid service label selector {map[x:y] [{k Foo []}]} in ip pool p",
    ]


def test_errors_of_an_object_are_bounded() -> None:
    config = parse(pool_object("p", *("x" * 2000 for _ in range(2_000))))
    assert len(config.errors) == 51
    assert max(len(message) for message in messages(config)) == 1024
    assert messages(config)[-1] == "IPAddressPool metallb-system/p: 1950 more errors"


def test_prefixes_of_a_pool_are_bounded() -> None:
    ranges = [f"{block:x}::1-{block:x}:ffff:ffff:ffff:ffff:ffff:ffff:fffe" for block in range(300)]
    config = parse(pool_object("p", *ranges))
    assert messages(config) == ["parsing address pool p: pool has more than 65536 prefixes"]
    at = 65_536 // (2 * 111)
    assert paths(config) == [("p", f"spec.addresses[{at}]")]
    assert parse(pool_object("p", *ranges[:at])).is_valid


def test_the_input_may_be_read_only() -> None:
    config = parse(pool_object("p", "10.0.0.0/24"), namespaces=MappingProxyType(NAMESPACES))
    assert config.is_valid


# The legacy kind


def test_a_legacy_pool() -> None:
    config = parse(
        legacy=[
            legacy_object("l2", "10.0.0.0/24"),
            legacy_object("bgp", "10.0.1.0/24", protocol="bgp", autoAssign=False),
        ]
    )
    assert config.is_valid
    assert config.pools.pools == {
        "bgp": make_pool("bgp", "10.0.1.0/24", auto_assign=False, legacy=True),
        "l2": make_pool("l2", "10.0.0.0/24", legacy=True),
    }


def test_a_legacy_pool_has_no_pinning_and_no_buggy_addresses() -> None:
    config = parse(
        legacy=[
            legacy_object(
                "l2", "10.0.0.0/24", avoidBuggyIPs=True, serviceAllocation={"priority": 1}
            )
        ]
    )
    assert config.pools.pools == {"l2": make_pool("l2", "10.0.0.0/24", legacy=True)}


@pytest.mark.parametrize(
    ("protocol", "message"),
    [
        ("", "address pool is missing the protocol field"),
        (None, "address pool is missing the protocol field"),
        ("ospf", 'unknown protocol "ospf"'),
        ("BGP", 'unknown protocol "BGP"'),
    ],
)
def test_protocol(protocol: Json, message: str) -> None:
    config = parse(legacy=[legacy_object("p", "10.0.0.0/24", protocol=protocol)])
    assert messages(config) == [f"parsing address pool p: {message}"]
    assert paths(config) == [("p", "spec.protocol")]


def test_legacy_pools_are_checked_as_others() -> None:
    config = parse(
        legacy=[legacy_object("p", "x"), legacy_object("q"), legacy_object("", "1::/64")]
    )
    assert messages(config) == [
        "parsing address pool : missing pool name",
        'parsing address pool p: invalid CIDR "x" in pool "p": invalid CIDR "x"',
        "parsing address pool q: pool has no prefixes defined",
    ]
    assert {error.object.kind for error in config.errors} == {"AddressPool"}


def test_layer2_has_no_bgp_advertisements() -> None:
    config = parse(legacy=[legacy_object("p", "10.0.0.0/24", bgpAdvertisements=[{}])])
    assert messages(config) == [
        "parsing address pool p: cannot have bgp-advertisements configuration element in a "
        "layer2 address pool"
    ]
    assert parse(legacy=[legacy_object("p", "10.0.0.0/24", bgpAdvertisements=[])]).is_valid


def bgp_messages(*advertisements: Json, addresses: tuple[str, ...] = ("10.0.0.0/24",)) -> list[str]:
    config = parse(
        legacy=[
            legacy_object("p", *addresses, protocol="bgp", bgpAdvertisements=list(advertisements))
        ],
        communities=[community_object("c", known="1:1")],
    )
    prefix = "parsing address pool p: parsing BGP advertisements: "
    assert all(message.startswith(prefix) for message in messages(config))
    return [message.removeprefix(prefix) for message in messages(config)]


def test_good_advertisements() -> None:
    assert bgp_messages() == []
    assert bgp_messages({}, {"localPref": 4294967295}) == []
    assert bgp_messages({"aggregationLength": 24, "aggregationLengthV6": 128}) == []
    assert bgp_messages({"communities": ["known", "2:2", "large:1:2:3"]}) == []


@pytest.mark.parametrize(
    ("advertisement", "message"),
    [
        ({"aggregationLength": 33}, "invalid aggregation length 33 for IPv4"),
        ({"aggregationLengthV6": 129}, "invalid aggregation length 129 for IPv6"),
        (
            {"aggregationLength": 23},
            "invalid aggregation length 23: prefix 24 in this pool is more specific than the "
            "aggregation length for addresses 10.0.0.0/24",
        ),
        ({"communities": ["2:2", "2:2"]}, 'duplicate definition of community "2:2"'),
        (
            {"communities": ["lar:1:2:3"]},
            "invalid community value: invalid marker for large community, expected community to be "
            'of format large:<uint32>:<uint32>:<uint32> but got "lar:1:2:3" instead\n'
            'invalid community "lar:1:2:3" in BGP advertisement',
        ),
        (
            {"localPref": "1"},
            "spec.bgpAdvertisements[0].localPref: must be a 64-bit integer, is a string",
        ),
        (7, "spec.bgpAdvertisements[0]: must be an object, is a number"),
    ],
)
def test_bad_advertisements(advertisement: Json, message: str) -> None:
    assert bgp_messages(advertisement) == [message]


def test_aggregation_is_judged_by_the_widest_prefix_of_an_entry() -> None:
    addresses = ("3.3.3.2-3.3.3.254",)
    assert bgp_messages({"aggregationLength": 26}, addresses=addresses) == []
    assert bgp_messages({"aggregationLength": 24}, addresses=addresses) == [
        "invalid aggregation length 24: prefix 26 in this pool is more specific than the "
        "aggregation length for addresses 3.3.3.2-3.3.3.254"
    ]


def test_aggregation_of_ipv6_prints_the_ipv4_length() -> None:
    assert bgp_messages({"aggregationLengthV6": 63}, addresses=("1::/64",)) == [
        "invalid aggregation length 32: prefix 64 in this pool is more specific than the "
        "aggregation length for addresses 1::/64"
    ]
    assert bgp_messages({"aggregationLength": 8}, addresses=("1::/64",)) == []


def test_an_alias_that_does_not_exist_yet_is_transient() -> None:
    pool = legacy_object(
        "p", "10.0.0.0/24", protocol="bgp", bgpAdvertisements=[{"communities": ["later", "x:y"]}]
    )
    config = parse(legacy=[pool])
    assert [error.transient for error in config.errors] == [True, False]
    assert messages(config)[0] == (
        "parsing address pool p: parsing BGP advertisements: invalid community format: later\n"
        'invalid community "later" in BGP advertisement'
    )
    assert paths(config)[0] == ("p", "spec.bgpAdvertisements[0].communities[0]")


def test_pools_may_have_the_same_selector() -> None:
    pinned: Json = {"namespaceSelectors": [{"matchLabels": {"color": "red"}}]}
    config = parse(
        pool_object("p", "10.0.0.0/24", serviceAllocation=pinned),
        pool_object("q", "10.0.1.0/24", serviceAllocation=pinned),
        namespaces=NAMESPACES,
    )
    allocations = {pool.allocation for pool in config.pools.pools.values()}
    assert allocations == {
        ServiceAllocation(priority=0, namespaces=namespaces("red", "crimson"), service_selectors=())
    }


@pytest.mark.parametrize(
    ("value", "shape"),
    [
        (None, "null"),
        (True, "a boolean"),
        (1, "a number"),
        (1.5, "a number"),
        ([], "a list"),
        ({}, "an object"),
    ],
)
def test_messages_say_what_was_found(value: Json, shape: str) -> None:
    assert messages(parse(pool_object("p", "10.0.0.0/24", value))) == [
        f"parsing address pool p: spec.addresses[1]: must be a string, is {shape}"
    ]
