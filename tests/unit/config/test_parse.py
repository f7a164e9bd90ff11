"""Several objects together: conflicts, and what was accepted before (decision C-17)."""

from tests.config_objects import (
    legacy_object,
    messages,
    parse,
    paths,
    pool_object,
    prefixes,
)

from ferrolb.config import AcceptedPools, PoolConfig, PoolObjects, parse_pools
from ferrolb.model import Json, Namespace, ObjectRef, PoolName


def overlap(cidr: str, pool: str, other: str) -> str:
    return f'CIDR "{cidr}" in pool "{pool}" overlaps with already defined CIDR "{other}"'


def assert_settled(config: PoolConfig, *objects: Json) -> None:
    """Parsing the same again changes nothing."""
    again = parse(*objects, after=config)
    assert again == config


def test_errors_name_their_object() -> None:
    config = parse(pool_object("p"), legacy=[legacy_object("q")])
    assert [error.object for error in config.errors] == [
        ObjectRef("IPAddressPool", "metallb-system", "p"),
        ObjectRef("AddressPool", "metallb-system", "q"),
    ]
    assert config.error_summary == (
        "parsing address pool p: pool has no prefixes defined\n"
        "parsing address pool q: pool has no prefixes defined"
    )


def test_an_invalid_pool_leaves_the_others() -> None:
    config = parse(pool_object("a", "x"), pool_object("b", "10.0.0.0/24"))
    assert prefixes(config) == {"b": ["10.0.0.0/24"]}
    assert config.pools.invalid == {"a"}
    assert config.pools.is_frozen
    assert config.pools.exists(PoolName("a"))


def test_an_invalid_pool_keeps_its_last_good_version() -> None:
    first = parse(pool_object("a", "10.0.0.0/24"))
    second = parse(pool_object("a", "10.0.0.0/24x"), pool_object("b", "10.0.1.0/24"), after=first)
    assert prefixes(second) == {"a": ["10.0.0.0/24"], "b": ["10.0.1.0/24"]}
    assert second.pools.invalid == {"a"}
    assert len(second.errors) == 1
    third = parse(pool_object("a", "10.0.2.0/24"), after=second)
    assert third.is_valid
    assert prefixes(third) == {"a": ["10.0.2.0/24"]}


def test_a_deleted_pool_is_gone_though_accepted() -> None:
    first = parse(pool_object("a", "10.0.0.0/24"))
    second = parse(pool_object("b", "10.0.0.0/24"), after=first)
    assert second.is_valid
    assert prefixes(second) == {"b": ["10.0.0.0/24"]}
    assert [ref.name for ref in second.accepted.pools] == ["b"]


def test_the_last_good_version_follows_the_namespaces() -> None:
    pinned: Json = {"namespaceSelectors": [{"matchLabels": {"x": "y"}}]}
    good = pool_object("a", "10.0.0.0/24", serviceAllocation=pinned)
    bad = pool_object("a", "10.0.0.0/24x", serviceAllocation=pinned)
    first = parse(good, namespaces={"one": {"x": "y"}})
    second = parse(bad, namespaces={"one": {}, "two": {"x": "y"}}, after=first)
    (pool,) = second.pools.pools.values()
    assert pool.allocation is not None
    assert pool.allocation.namespaces == frozenset({Namespace("two")})


def test_overlap_within_a_pool() -> None:
    config = parse(
        pool_object("p", "10.0.0.0/24", "10.0.1.0/24", "10.0.0.9/32", "10.0.1.1-10.0.1.6")
    )
    assert messages(config) == [
        overlap("10.0.0.9/32", "p", "10.0.0.0/24"),
        overlap("10.0.1.1/32", "p", "10.0.1.0/24"),
    ]
    assert paths(config) == [("p", "spec.addresses[2]"), ("p", "spec.addresses[3]")]
    assert prefixes(config) == {}


def test_the_same_prefix_twice() -> None:
    config = parse(pool_object("p", "10.0.0.0/24", "10.0.0.0-10.0.0.255"))
    assert messages(config) == [overlap("10.0.0.0/24", "p", "10.0.0.0/24")]


def test_overlap_across_pools_names_the_first_of_them() -> None:
    config = parse(
        pool_object("c", "1::/64", "10.0.0.0/8"),
        pool_object("b", "10.0.0.0/24"),
        pool_object("a", "10.0.2.0/24", "10.0.1.0/24"),
    )
    assert messages(config) == [overlap("10.0.0.0/8", "c", "10.0.2.0/24")]
    assert paths(config) == [("c", "spec.addresses[1]")]
    assert prefixes(config) == {"a": ["10.0.2.0/24", "10.0.1.0/24"], "b": ["10.0.0.0/24"]}


def test_ipv6_never_overlaps_with_ipv4() -> None:
    assert parse(pool_object("a", "0.0.0.0/0"), pool_object("b", "::/0")).is_valid


def test_a_mapped_prefix_overlaps_as_ipv4() -> None:
    config = parse(pool_object("a", "1.2.3.0/24"), pool_object("b", "::ffff:1.2.3.4/128"))
    assert messages(config) == [overlap("1.2.3.4/32", "b", "1.2.3.0/24")]


def test_of_two_at_start_the_older_wins() -> None:
    config = parse(pool_object("a", "10.0.0.0/24", age=1), pool_object("b", "10.0.0.0/28", age=2))
    assert prefixes(config) == {"b": ["10.0.0.0/28"]}
    assert messages(config) == [overlap("10.0.0.0/24", "a", "10.0.0.0/28")]
    assert config.pools.invalid == {"a"}


def test_of_two_of_one_age_the_first_by_name_wins() -> None:
    config = parse(pool_object("b", "10.0.0.0/24"), pool_object("a", "10.0.0.0/24"))
    assert list(prefixes(config)) == ["a"]


def test_an_object_without_age_is_the_youngest() -> None:
    young: Json = {**pool_object("a", "10.0.0.0/24"), "metadata": {"name": "a"}}
    assert list(prefixes(parse(young, pool_object("b", "10.0.0.0/24")))) == ["b"]


def test_the_accepted_one_wins_over_the_older() -> None:
    first = parse(pool_object("b", "10.0.0.0/24"))
    older = pool_object("a", "10.0.0.0/28", age=50)
    second = parse(older, pool_object("b", "10.0.0.0/24"), after=first)
    assert prefixes(second) == {"b": ["10.0.0.0/24"]}
    assert messages(second) == [overlap("10.0.0.0/28", "a", "10.0.0.0/24")]


def test_a_change_that_conflicts_leaves_both_as_they_were() -> None:
    first = parse(pool_object("a", "10.0.0.0/24"), pool_object("b", "10.0.1.0/24"))
    objects = (pool_object("a", "10.0.0.0/23", age=50), pool_object("b", "10.0.1.0/24"))
    second = parse(*objects, after=first)
    assert prefixes(second) == prefixes(first)
    assert messages(second) == [overlap("10.0.0.0/23", "a", "10.0.1.0/24")]
    assert second.pools.invalid == {"a"}
    assert_settled(second, *objects)


def test_pools_can_trade_addresses_at_once() -> None:
    first = parse(pool_object("a", "10.0.0.0/24"), pool_object("b", "10.0.1.0/24"))
    second = parse(pool_object("a", "10.0.1.0/24"), pool_object("b", "10.0.0.0/24"), after=first)
    assert second.is_valid
    assert prefixes(second) == {"a": ["10.0.1.0/24"], "b": ["10.0.0.0/24"]}


def test_who_falls_back_takes_its_addresses_back() -> None:
    first = parse(
        pool_object("a", "10.0.0.0/24"),
        pool_object("b", "10.0.1.0/24"),
        pool_object("c", "10.0.2.0/24"),
    )
    objects = (
        pool_object("a", "10.0.1.0/24"),  # where b was
        pool_object("b", "10.0.2.0/24"),  # where c still is
        pool_object("c", "10.0.2.0/24"),
        pool_object("d", "10.0.0.0/24"),  # where a was
    )
    second = parse(*objects, after=first)
    assert prefixes(second) == prefixes(first)
    assert messages(second) == [
        overlap("10.0.1.0/24", "a", "10.0.1.0/24"),
        overlap("10.0.2.0/24", "b", "10.0.2.0/24"),
        overlap("10.0.0.0/24", "d", "10.0.0.0/24"),
    ]
    assert_settled(second, *objects)


def test_a_new_object_may_use_what_a_change_that_failed_wanted() -> None:
    first = parse(pool_object("a", "10.0.0.0/24"), pool_object("b", "10.0.1.0/24"))
    second = parse(
        pool_object("a", "10.0.2.0/24", "10.0.1.0/24"),
        pool_object("b", "10.0.1.0/24"),
        pool_object("new", "10.0.2.0/24"),
        after=first,
    )
    assert prefixes(second) == {**prefixes(first), "new": ["10.0.2.0/24"]}
    assert paths(second) == [("a", "spec.addresses[1]")]


def test_a_change_of_another_field_yields_to_no_newcomer() -> None:
    first = parse(pool_object("a", "10.0.0.0/24"))
    second = parse(
        pool_object("a", "10.0.0.0/24", autoAssign=False),
        pool_object("b", "10.0.0.0/24", age=99),
        after=first,
    )
    assert paths(second) == [("b", "spec.addresses[0]")]
    (pool,) = second.pools.pools.values()
    assert not pool.auto_assign


def test_a_change_that_claims_nothing_new_yields_to_nobody() -> None:
    first = parse(
        pool_object("a", "10.0.0.0/24", "10.0.2.0/24"), pool_object("b", "10.0.1.0/24", age=9)
    )
    second = parse(
        pool_object("a", "10.0.0.0/25", autoAssign=False),
        pool_object("b", "10.0.1.0/24", "10.0.0.1/32", age=9),
        after=first,
    )
    assert paths(second) == [("b", "spec.addresses[1]")]
    assert prefixes(second) == {"a": ["10.0.0.0/25"], "b": ["10.0.1.0/24"]}


def test_a_long_chain_of_moves_that_fails_keeps_what_was() -> None:
    count = 60
    first = parse(*(pool_object(f"p{i:02}", f"10.0.{i}.0/24") for i in range(count)))
    # each moves to where the next one was, and the last one stays
    moved = [pool_object(f"p{i:02}", f"10.0.{min(i + 1, count - 1)}.0/24") for i in range(count)]
    second = parse(*moved, after=first)
    assert prefixes(second) == prefixes(first)
    assert len(second.errors) == count - 1
    assert messages(second)[-1] == overlap("10.0.59.0/24", "p58", "10.0.59.0/24")
    assert messages(second)[0] == (
        "too many conflicting changes at once, the version in force is kept"
    )
    assert_settled(second, *moved)


def test_one_name_of_two_kinds() -> None:
    config = parse(
        pool_object("p", "10.0.0.0/24"), legacy=[legacy_object("p", "10.0.1.0/24", age=50)]
    )
    assert messages(config) == [
        'duplicate definition of pool "p"',
    ]
    assert config.errors[0].object.kind == "IPAddressPool"
    assert config.errors[0].path == "metadata.name"
    assert config.pools.pools[PoolName("p")].legacy
    assert config.pools.invalid == {"p"}


def test_a_legacy_pool_comes_second_where_age_does_not_tell() -> None:
    config = parse(
        pool_object("q", "10.0.0.0/24"),
        legacy=[legacy_object("p", "10.0.0.9/32"), legacy_object("q", "10.0.1.0/24")],
    )
    assert messages(config) == [
        overlap("10.0.0.9/32", "p", "10.0.0.0/24"),
        'duplicate definition of pool "q"',
    ]


def test_an_object_listed_twice() -> None:
    config = parse(pool_object("p", "10.0.0.0/24"), pool_object("p", "10.0.1.0/24"))
    assert messages(config) == ['duplicate definition of pool "p"']
    assert prefixes(config) == {"p": ["10.0.0.0/24"]}
    again = parse(pool_object("p", "10.0.0.0/24"), pool_object("p", "10.0.0.0/24"), after=config)
    assert prefixes(again) == {"p": ["10.0.0.0/24"]}


def test_what_is_wrong_in_itself_is_checked_against_the_others_too() -> None:
    config = parse(pool_object("a", "10.0.0.0/24"), pool_object("b", "?", "10.0.0.9/32"))
    assert messages(config) == [
        'parsing address pool b: invalid CIDR "?" in pool "b": invalid CIDR "?"',
        overlap("10.0.0.9/32", "b", "10.0.0.0/24"),
    ]
    assert paths(config) == [("b", "spec.addresses[0]"), ("b", "spec.addresses[1]")]


def test_accepted_versions_that_conflict_are_not_all_used() -> None:
    a, b = pool_object("a", "10.0.0.0/24"), pool_object("b", "10.0.0.0/24")
    accepted = AcceptedPools(pools={**parse(a).accepted.pools, **parse(b).accepted.pools})
    config = parse_pools(PoolObjects(pools=[a, b]), accepted=accepted)
    assert prefixes(config) == {"a": ["10.0.0.0/24"]}
    assert paths(config) == [("b", "spec.addresses[0]")]


def test_a_wider_prefix_claims_something_new() -> None:
    first = parse(pool_object("a", "10.0.0.0/24", age=9), pool_object("b", "10.0.1.0/24"))
    second = parse(
        pool_object("a", "10.0.0.0/23", age=9),
        pool_object("b", "10.0.1.0/24", autoAssign=False),
        after=first,
    )
    assert paths(second) == [("a", "spec.addresses[0]")]
    assert [pool.auto_assign for pool in second.pools.pools.values()] == [True, False]
