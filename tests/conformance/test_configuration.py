"""Rules of the controller's configuration, each test named after its id (specification, 14)."""

import pytest
from tests.config_objects import (
    community_object,
    legacy_object,
    messages,
    parse,
    pool_object,
    prefixes,
)

from ferrolb.config import (
    Condition,
    ConfigurationResult,
    configuration_status,
    parse_community,
    parse_selectors,
    pool_condition,
)
from ferrolb.model import Json


@pytest.mark.parametrize(
    "broken",
    [
        pool_object("pool1"),
        pool_object("pool1", "nonsense"),
        pool_object("pool1", "10.0.0.0/24", "10.0.0.0/24"),
        pool_object("pool1", "10.0.0.0/24", serviceAllocation={"namespaces": ["a", "a"]}),
        {**pool_object("pool1"), "spec": "nonsense"},
    ],
)
def test_s60_invalid_configuration_leaves_the_previous_one_in_force(broken: Json) -> None:
    before = parse(pool_object("pool1", "10.0.0.0/24"))
    after = parse(broken, after=before)
    assert not after.is_valid
    assert after.pools.pools == before.pools.pools
    assert after.pools.is_frozen


def test_s60_the_valid_objects_beside_it_apply() -> None:
    before = parse(pool_object("pool1", "10.0.0.0/24"), pool_object("pool2", "10.0.1.0/24"))
    after = parse(pool_object("pool1"), pool_object("pool2", "10.0.2.0/24"), after=before)
    assert prefixes(after) == {"pool1": ["10.0.0.0/24"], "pool2": ["10.0.2.0/24"]}


def test_s90_no_objects() -> None:
    assert parse().is_valid


def test_s90_selectors_that_match_nothing() -> None:
    pinned: Json = {
        "namespaceSelectors": [{"matchLabels": {"no": "namespace"}}],
        "serviceSelectors": [{"matchExpressions": [{"key": "app", "operator": "Exists"}]}],
    }
    assert parse(pool_object("pool1", "10.0.0.0/24", serviceAllocation=pinned)).is_valid


def test_s90_pools_of_every_form() -> None:
    config = parse(
        pool_object("pool1", "10.20.0.0/16", "10.50.0.0/24", avoidBuggyIPs=True, autoAssign=False),
        pool_object("pool2", "30.0.0.0/8"),
        pool_object("pool3", "40.0.0.0/25", "40.0.0.150-40.0.0.200", "40.0.0.210 - 40.0.0.240"),
        pool_object("pool4", "2001:db8::/64", "1000::/127", "40.0.0.250 - 40.0.0.250"),
        legacy=[legacy_object("pool5", "50.0.0.0/8")],
        communities=[community_object("bar", no_advertise="65535:65282", big="large:1:2:3")],
    )
    assert config.is_valid
    assert len(config.pools.pools) == 5


def test_s91_pool_without_name() -> None:
    assert messages(parse(pool_object("", "10.0.0.0/24"))) == [
        "parsing address pool : missing pool name"
    ]


def test_s91_pool_without_addresses() -> None:
    assert messages(parse(pool_object("pool1"))) == [
        "parsing address pool pool1: pool has no prefixes defined"
    ]


def test_s91_duplicate_pool_name() -> None:
    config = parse(pool_object("pool1", "10.0.0.0/24"), pool_object("pool1", "10.0.1.0/24"))
    assert messages(config) == ['duplicate definition of pool "pool1"']


def test_s91_duplicate_pool_name_across_kinds() -> None:
    config = parse(
        pool_object("pool1", "10.0.0.0/24"), legacy=[legacy_object("pool1", "10.0.1.0/24")]
    )
    assert messages(config) == ['duplicate definition of pool "pool1"']


def test_s91_overlap_within_a_pool() -> None:
    assert messages(parse(pool_object("pool1", "10.0.0.0/8", "10.0.0.10-10.0.0.10"))) == [
        'CIDR "10.0.0.10/32" in pool "pool1" overlaps with already defined CIDR "10.0.0.0/8"'
    ]


def test_s91_overlap_across_pools() -> None:
    config = parse(pool_object("pool1", "10.0.0.0/8"), pool_object("pool2", "10.0.0.0/16"))
    assert messages(config) == [
        'CIDR "10.0.0.0/16" in pool "pool2" overlaps with already defined CIDR "10.0.0.0/8"'
    ]


def test_s91_duplicates_inside_list_fields() -> None:
    selector: Json = {"matchLabels": {"a": "b"}}
    pinned: Json = {
        "namespaces": ["x", "x"],
        "namespaceSelectors": [selector, selector],
        "serviceSelectors": [selector, selector],
    }
    prefix = "parsing address pool pool1: duplicate definition"
    assert messages(parse(pool_object("pool1", "10.0.0.0/24", serviceAllocation=pinned))) == [
        f"{prefix} in namespaces field",
        f'{prefix} of namespaceSelectors {{map["a":"b"] []}}',
        f'{prefix} of serviceSelectors {{map["a":"b"] []}}',
    ]


@pytest.mark.parametrize(
    "expression",
    [
        {"operator": "In", "values": ["v"]},
        {"key": "k", "values": ["v"]},
        {"key": "k", "operator": "Surrounds", "values": ["v"]},
    ],
)
def test_s91_node_selector_without_key_or_operator(expression: Json) -> None:
    raw: Json = [{"matchExpressions": [expression]}]
    assert not parse_selectors(raw, path="spec.nodeSelectors", field="nodeSelectors").is_valid


def test_s91_match_expressions_equal_after_sorting() -> None:
    raw: Json = [
        {
            "matchExpressions": [
                {"key": "k", "operator": "In", "values": ["a", "b"]},
                {"key": "k", "operator": "In", "values": ["b", "a"]},
            ]
        }
    ]
    parsed = parse_selectors(raw, path="spec.nodeSelectors", field="nodeSelectors")
    assert [issue.message for issue in parsed.duplicates] == [
        'duplicate definition of match expressions {"k" "In" ["a" "b"]}'
    ]


def test_s91_duplicate_community_alias_in_one_object() -> None:
    aliases: Json = [{"name": "a", "value": "1:1"}, {"name": "a", "value": "2:2"}]
    raw: Json = {**community_object("one"), "spec": {"communities": aliases}}
    assert messages(parse(communities=[raw])) == ['duplicate definition of community "a"']


def test_s91_duplicate_community_alias_in_two_objects() -> None:
    config = parse(communities=[community_object("one", a="1:1"), community_object("two", a="2:2")])
    assert messages(config) == ['duplicate definition of community "a"']


@pytest.mark.parametrize(
    ("value", "start"),
    [
        ("1234", "invalid community format: 1234"),
        ("99999999:1", 'invalid community value: invalid section "99999999"'),
        ("1:99999999", 'invalid community value: invalid section "99999999"'),
        ("lar:1:2:3", "invalid community value: invalid marker for large community"),
    ],
)
def test_s91_bad_community(value: str, start: str) -> None:
    (message,) = messages(parse(communities=[community_object("one", alias=value)]))
    assert message.startswith(f'parsing community "alias": {start}')


@pytest.mark.parametrize("raw", [None, []])
def test_s92_an_empty_selector_list_is_no_restriction(raw: Json) -> None:
    parsed = parse_selectors(raw, path="spec.nodeSelectors", field="nodeSelectors")
    assert parsed.is_valid
    assert parsed.selectors == ()


@pytest.mark.parametrize("value", ["11111:11aaaa", "larg:1:1:1"])
def test_s95_malformed_literals_are_no_aliases(value: str) -> None:
    assert not getattr(parse_community(value), "may_be_alias", True)


def test_s107_all_errors_are_reported_the_first_as_the_reference_would() -> None:
    broken = [pool_object("b", "?"), pool_object("a")]
    communities = [community_object("c", alias="1234")]
    config = parse(*broken, communities=communities)
    assert pool_condition(config.errors).message == (
        'configuration error: parsing community "alias": invalid community format: 1234\n'
        "parsing address pool a: pool has no prefixes defined\n"
        'parsing address pool b: invalid CIDR "?" in pool "b": invalid CIDR "?"'
    )


def test_s107_removing_a_cause_reveals_the_next() -> None:
    first = parse(pool_object("a"), pool_object("b", "?"))
    second = parse(pool_object("a", "10.0.0.0/24"), pool_object("b", "?"), after=first)
    third = parse(pool_object("a", "10.0.0.0/24"), pool_object("b", "10.0.1.0/24"), after=second)
    assert [pool_condition(config.errors).message.split("\n")[0] for config in (first, second)] == [
        "configuration error: parsing address pool a: pool has no prefixes defined",
        'configuration error: parsing address pool b: invalid CIDR "?" in pool "b": '
        'invalid CIDR "?"',
    ]
    assert pool_condition(third.errors).is_true


def test_s112_pool_without_addresses_in_the_condition() -> None:
    assert pool_condition(parse(pool_object("pool1")).errors) == Condition(
        type="poolReconcilerValid",
        is_true=False,
        reason="ConfigurationError",
        message="configuration error: parsing address pool pool1: pool has no prefixes defined",
    )


def test_s113_unknown_without_conditions() -> None:
    status = configuration_status([])
    assert (status.result, status.error_summary) == (ConfigurationResult.UNKNOWN, "")


def test_s113_valid_with_all_true() -> None:
    status = configuration_status([pool_condition(parse().errors)])
    assert (status.result, status.error_summary) == (ConfigurationResult.VALID, "")


def test_s113_invalid_with_summary() -> None:
    other = Condition(type="configReconcilerValid", is_true=True, reason="Reconciled")
    status = configuration_status([other, pool_condition(parse(pool_object("pool1")).errors)])
    assert status.result == ConfigurationResult.INVALID
    assert status.error_summary == (
        "configuration error: parsing address pool pool1: pool has no prefixes defined"
    )
