"""Parsing of pools, whatever the objects look like and whatever was accepted before."""

import copy
from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network
from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st
from tests.config_objects import NAMESPACE, parse

from ferrolb.config import (
    AcceptedPools,
    PoolConfig,
    PoolObjects,
    field_condition,
    parse_community,
    parse_entry,
    parse_pools,
    parse_selectors,
    pool_condition,
    read_conditions,
)
from ferrolb.model import AddressEntry, Json, Namespace

scalars: st.SearchStrategy[Json] = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8)
)
json_values: st.SearchStrategy[Json] = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=8,
)


def fields(**known: st.SearchStrategy[Json]) -> st.SearchStrategy[Json]:
    """Objects with these fields, each right, wrong or absent."""
    return st.fixed_dictionaries(
        {},
        optional={name: st.one_of(good, good, json_values) for name, good in known.items()},
    )


# few bits, so that pools often overlap
ipv4 = st.builds(
    lambda bits, length: str(IPv4Network((0x0A000000 + bits, length), strict=False)),
    st.integers(0, 255),
    st.integers(24, 32),
)
ipv6 = st.builds(
    lambda bits, length: str(IPv6Network(((1 << 112) + bits, length), strict=False)),
    st.integers(0, 255),
    st.integers(120, 128),
)
ranges = st.builds(
    lambda first, size: f"10.0.0.{first}-10.0.0.{first + size}",
    st.integers(0, 255),
    st.integers(-2, 9),
)
addresses: st.SearchStrategy[Json] = st.lists(
    st.one_of(ipv4, ipv4, ipv6, ranges, st.text(max_size=12)), max_size=3
).map(list)
labels: st.SearchStrategy[Json] = st.dictionaries(
    st.sampled_from(["a", "b", "-"]), st.sampled_from(["1", "2"]), max_size=2
).map(dict)
expression = fields(
    key=st.sampled_from(["a", "b"]),
    operator=st.sampled_from(["In", "NotIn", "Exists", "DoesNotExist"]),
    values=st.lists(st.sampled_from(["1", "2"]), max_size=2),
)
selectors = st.lists(
    fields(matchLabels=labels, matchExpressions=st.lists(expression, max_size=2)), max_size=2
)
allocation = fields(
    priority=st.integers(-2, 3),
    namespaces=st.lists(st.sampled_from(["one", "two"]), max_size=2),
    namespaceSelectors=selectors,
    serviceSelectors=selectors,
)
advertisement = fields(
    aggregationLength=st.integers(0, 33),
    aggregationLengthV6=st.integers(0, 129),
    communities=st.lists(st.sampled_from(["1:1", "alias", "nobody"]), max_size=2),
)
few_addresses: st.SearchStrategy[Json] = st.lists(
    st.sampled_from([f"10.0.0.{16 * block}/28" for block in range(8)] + ["10.0.0.0/26"]),
    min_size=1,
    max_size=2,
    unique=True,
).map(list)
sane_spec: st.SearchStrategy[Json] = st.fixed_dictionaries(
    {"addresses": few_addresses, "autoAssign": st.booleans(), "protocol": st.just("layer2")}
).map(dict)
pool_spec = fields(addresses=addresses, autoAssign=st.booleans(), serviceAllocation=allocation)
legacy_spec = fields(
    addresses=addresses,
    protocol=st.sampled_from(["bgp", "layer2"]),
    bgpAdvertisements=st.lists(advertisement, max_size=2),
)
community_spec = fields(
    communities=st.lists(
        fields(name=st.sampled_from(["alias", "other"]), value=st.sampled_from(["1:1", "x"])),
        max_size=2,
    )
)
NAMES = ["a", "b", "c", "d", "e"]


def objects_of(spec: st.SearchStrategy[Json]) -> st.SearchStrategy[list[Json]]:
    """Objects of different names, as the API guarantees, of any age."""
    entry = st.tuples(spec, st.integers(0, 3))
    return st.dictionaries(st.sampled_from(NAMES), entry, max_size=5).map(_with_metadata)


def _with_metadata(named: Mapping[str, tuple[Json, int]]) -> list[Json]:
    return [
        {
            "metadata": {
                "name": name,
                "namespace": NAMESPACE,
                "creationTimestamp": f"2026-01-01T00:00:0{age}Z",
            },
            "spec": spec,
        }
        for name, (spec, age) in named.items()
    ]


configurations = st.builds(
    PoolObjects,
    pools=objects_of(st.one_of(sane_spec, sane_spec, sane_spec, pool_spec)),
    legacy_pools=objects_of(st.one_of(sane_spec, legacy_spec)),
    communities=objects_of(community_spec),
    namespaces=st.dictionaries(
        st.sampled_from([Namespace("one"), Namespace("two"), Namespace("three")]),
        st.dictionaries(st.sampled_from(["a", "b"]), st.sampled_from(["1", "2"]), max_size=2),
        max_size=3,
    ),
)
# what the cluster went through, one configuration after the other
histories = st.lists(configurations, min_size=1, max_size=4)


def parse_all(history: list[PoolObjects]) -> list[PoolConfig]:
    results: list[PoolConfig] = []
    accepted = AcceptedPools()
    for objects in history:
        results.append(parse_pools(objects, accepted=accepted))
        accepted = results[-1].accepted
    return results


def kept(objects: list[Json]) -> set[str]:
    return {str(one["metadata"]["name"]) for one in objects}  # type: ignore[index, call-overload]


@given(st.lists(json_values, max_size=4), st.lists(json_values, max_size=3), json_values)
def test_json_of_any_shape_never_raises(pools: list[Json], others: list[Json], raw: Json) -> None:
    config = parse(*pools, raw, legacy=[*others, raw], communities=[*others, raw])
    # nothing of this has a name, or it has no addresses
    assert config.pools.pools == {}
    assert len({error.object.kind for error in config.errors}) >= 2
    again = parse(*pools, raw, legacy=[*others, raw], communities=[*others, raw], after=config)
    assert again.errors == config.errors
    assert len(pool_condition(config.errors).message) <= 32_768
    assert len(field_condition(config.errors).message) <= 32_768
    read_conditions(raw)


@given(json_values)
def test_selectors_of_any_shape_never_raise(raw: Json) -> None:
    before = copy.deepcopy(raw)
    parsed = parse_selectors(raw, path="spec.x", field="x")
    assert repr(raw) == repr(before)
    for issue in (*parsed.duplicates, *(one.issue for one in parsed.invalid)):
        assert issue.path.startswith("spec.x")
        assert issue.message


@given(st.text())
def test_entries_and_communities_of_any_text_never_raise(text: str) -> None:
    parse_entry(text)
    parse_entry(f"{text}-{text}")
    parse_entry(f"1.2.3.0/{text}")
    parse_community(text)
    parse_community(f"{text}:{text}")
    parse_community(f"large:{text}:1:1")


@given(st.one_of(ipv4, ipv6, ranges))
def test_an_entry_covers_its_addresses_once(text: str) -> None:
    entry = parse_entry(text)
    if isinstance(entry, AddressEntry):
        assert list(entry.prefixes) == sorted(entry.prefixes)
        assert not any(one.overlaps(two) for one, two in combinations(entry.prefixes, 2))


@given(histories)
def test_pools_in_force_never_overlap(history: list[PoolObjects]) -> None:
    for config in parse_all(history):
        everything = [prefix for pool in config.pools.pools.values() for prefix in pool.prefixes]
        for one, two in combinations(everything, 2):
            assert one.version != two.version or not one.overlaps(two)


@given(histories)
def test_the_same_input_gives_the_same_answer_and_stays_as_it_is(
    history: list[PoolObjects],
) -> None:
    before = copy.deepcopy(history)
    first = parse_all(history)
    assert repr(history) == repr(before)
    assert parse_all(before) == first


@given(histories, st.randoms(use_true_random=False))
def test_the_order_of_objects_does_not_matter(history: list[PoolObjects], rng) -> None:
    shuffled = [
        PoolObjects(
            pools=rng.sample(one.pools, len(one.pools)),
            legacy_pools=rng.sample(one.legacy_pools, len(one.legacy_pools)),
            communities=rng.sample(one.communities, len(one.communities)),
            namespaces=dict(rng.sample(list(one.namespaces.items()), len(one.namespaces))),
        )
        for one in history
    ]
    assert parse_all(shuffled) == parse_all(history)


@given(histories)
def test_parsing_again_changes_nothing(history: list[PoolObjects]) -> None:
    last = parse_all(history)[-1]
    again = parse_pools(history[-1], accepted=last.accepted)
    assert again.pools == last.pools
    assert again.accepted == last.accepted
    assert {error.object for error in again.errors} == {error.object for error in last.errors}


@given(histories)
def test_nothing_accepted_is_lost_while_its_object_exists(history: list[PoolObjects]) -> None:
    results = parse_all(history)
    for objects, before, after in zip(history[1:], results[:-1], results[1:], strict=True):
        existing = {("IPAddressPool", name) for name in kept(list(objects.pools))} | {
            ("AddressPool", name) for name in kept(list(objects.legacy_pools))
        }
        for ref in before.accepted.pools:
            if (ref.kind, ref.name) in existing:
                assert ref in after.accepted.pools


@given(histories)
def test_what_is_not_in_force_as_written_is_reported(history: list[PoolObjects]) -> None:
    for objects, config in zip(history, parse_all(history), strict=True):
        reported = {(error.object.kind, error.object.name) for error in config.errors}
        for kind, raws in (("IPAddressPool", objects.pools), ("AddressPool", objects.legacy_pools)):
            for raw in raws:
                (name,) = kept([raw])
                if (kind, name) in reported:
                    assert name in config.pools.invalid
                else:
                    pool = next(p for n, p in config.pools.pools.items() if n == name)
                    texts = [entry.text for entry in pool.entries]
                    assert texts == raw["spec"]["addresses"]  # type: ignore[index, call-overload]
