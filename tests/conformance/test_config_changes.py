"""Specification 14.4 and decision C-17: pools come, go, change, and may be invalid."""

import copy

import pytest
from tests.builders import make_key, make_pool, make_pools, make_service
from tests.world import World

from ferrolb.converge import Engine
from ferrolb.model import IPFamilyPolicy

A = make_pool("a", "10.1.0.0/24")
B = make_pool("b", "10.2.0.0/24")
FAILED = 'Warning AllocationFailed Failed to allocate IP for "default/svc": '
CLEARED = (
    'Normal ClearAssignment current IP for "default/svc" not allowed by config, '
    "will attempt for new IP assignment: "
)


def test_s50_before_the_first_configuration_nothing_happens():
    engine = Engine()
    service = make_service(status="1.2.3.4")
    engine.adopt([service])
    outcome = engine.converge(service)
    assert (outcome.is_changed, outcome.events, outcome.wake) == (False, (), frozenset())
    assert engine.set_pools(make_pools(A)) == {service.key}


def test_s50_before_adoption_nothing_is_given():
    engine = Engine()
    engine.set_pools(make_pools(A))
    outcome = engine.converge(make_service())
    assert (outcome.is_changed, outcome.events) == (False, ())
    assert engine.usage()[A.name].assigned == 0


def test_s51_empty_configuration_clears_and_says_why():
    w = World()
    w.put(make_service(status="10.1.0.5", from_pool="a"))
    w.put(make_service("none", hostnames=["x"]))
    w.set_pools()
    assert (w.ips(), w.ips("none"), w.mark()) == ([], [], None)
    text = "no address pools are configured"
    assert w.told() == [CLEARED + text, FAILED + text]
    assert w.reasons("none") == ["AllocationFailed"]
    w.forget_history().rerun()
    assert (w.writes, w.events) == ([], [])


def test_s51_without_cluster_ip_nobody_is_told_of_missing_pools():
    w = World().set_pools().apply(make_service(cluster_ips=""))
    assert w.told() == []


def test_s52_deleting_the_only_pool_clears_and_wakes_nobody_else():
    w = World().set_pools(make_pool("a", "10.1.0.0/32"))
    w.apply(make_service(), make_service("pending")).forget_history()
    w.set_pools()
    assert w.ips() == []
    assert w.passes == [make_key("pending"), make_key("svc")]


def test_s53_deleting_the_pool_in_use_moves_to_another():
    w = World().set_pools(A, B).apply(make_service())
    assert w.mark() == "a"
    w.forget_history().set_pools(B)
    assert (w.ips(), w.mark()) == (["10.2.0.0"], "b")
    assert w.told()[0] == CLEARED + '"10.1.0.0" is not allowed in config'


def test_s54_adding_a_pool_changes_nothing_and_looks_at_nobody():
    w = World().set_pools(B)
    w.apply(*(make_service(f"s{n}") for n in range(100))).forget_history()
    w.set_pools(A, B)
    assert (w.passes, w.writes) == ([], [])


def test_s54_adding_a_pool_helps_the_pending():
    w = World().set_pools(make_pool("b", "10.2.0.0/32")).apply(make_service("a"), make_service())
    assert w.ips() == []
    w.forget_history().set_pools(A, make_pool("b", "10.2.0.0/32"))
    assert w.ips() == ["10.1.0.0"]
    assert w.passes == [make_key("svc")]


@pytest.mark.parametrize(
    ("ranges", "is_kept"),
    [
        (["10.1.0.0/24", "1000::/64"], True),
        (["10.1.0.0/16", "1000::/48"], True),
        (["10.1.0.5-10.1.0.5", "1000::5/128"], True),
        (["10.1.0.6-10.1.0.9", "1000::/64"], False),
        (["10.1.0.0/24", "1000::6/127"], False),
    ],
)
def test_s55_address_is_kept_while_the_pool_contains_it(ranges, is_kept):
    policy = IPFamilyPolicy.REQUIRE_DUAL_STACK
    w = World().set_pools(make_pool("a", "10.1.0.0/24", "1000::/64"))
    w.apply(
        make_service("x", cluster_ips="10.96.0.2,fd00::2", policy=policy),
        make_service(
            cluster_ips="10.96.0.1,fd00::1", policy=policy, status="10.1.0.5,1000::5", from_pool="a"
        ),
    )
    w.forget_history().set_pools(make_pool("a", *ranges))
    if is_kept:
        assert (w.ips(), w.told()) == (["10.1.0.5", "1000::5"], [])
    else:
        assert w.told()[0].startswith(CLEARED)
        assert w.ips() != ["10.1.0.5", "1000::5"]
        assert len(w.ips()) == 2


def test_s56_renamed_pool_keeps_the_address():
    w = World().set_pools(A).apply(make_service()).forget_history()
    w.set_pools(make_pool("renamed", "10.1.0.0/24"))
    assert (w.ips(), w.mark(), w.told()) == (["10.1.0.0"], "renamed", [])
    assert w.usage("renamed").services == 1


def test_s56_split_pool_keeps_the_address():
    w = World().set_pools(A).apply(make_service(ip="10.1.0.200")).forget_history()
    w.set_pools(make_pool("a", "10.1.0.0/25"), make_pool("z", "10.1.0.128/25"))
    assert (w.ips(), w.mark(), w.told()) == (["10.1.0.200"], "z", [])


@pytest.mark.parametrize("ip", ["10.1.0.0", "10.1.0.255"])
def test_s57_turning_on_avoid_buggy_ips_replaces_the_address(ip):
    w = World().set_pools(A)
    w.apply(make_service(status=ip, from_pool="a")).forget_history()
    w.set_pools(make_pool("a", "10.1.0.0/24", avoid_buggy_ips=True))
    assert w.ips() == ["10.1.0.1"]
    assert w.told()[0] == CLEARED + f'"{ip}" is not allowed in config'


def test_s58_without_a_new_configuration_the_last_one_goes_on():
    w = World().set_pools(A).apply(make_service()).forget_history()
    assert w.engine.set_pools(make_pools(A)) == frozenset()
    assert w.engine.pools_touched() == {"a"}
    assert w.engine.set_pools(make_pools(A)) == frozenset()
    assert w.engine.pools_touched() == frozenset()
    assert w.apply(make_service("other")).ips("other") == ["10.1.0.1"]


def test_s59_the_configuration_is_never_modified():
    pools = make_pools(A, make_pool("p", "10.3.0.0/24", namespaces=["x"], priority=3))
    before = copy.deepcopy(dict(pools.pools))
    engine = Engine()
    engine.set_pools(pools)
    engine.adopt([])
    for name in ("default/a", "x/b"):
        engine.converge(make_service(name))
    assert dict(pools.pools) == before


def test_s60_invalid_pool_with_a_last_good_version_stays_in_force():
    w = World().set_pools(A, B).apply(make_service()).forget_history()
    w.set_pools(A, B, invalid=["a"])
    assert (w.ips(), w.writes, w.events) == (["10.1.0.0"], [], [])
    assert w.apply(make_service("new")).ips("new") == ["10.1.0.1"]


# C-17: frozen


def frozen(**service) -> World:
    """A restart with a pool that cannot be read and a Service that holds an address of it."""
    w = World()
    w.put(make_service(**{"status": "10.1.0.5", "from_pool": "a", **service}))
    return w.set_pools(B, invalid=["a"])


def test_c17_address_of_an_invalid_pool_is_kept_and_said():
    w = frozen()
    assert (w.ips(), w.mark(), w.writes) == (["10.1.0.5"], "a", [])
    assert w.told() == [
        'Warning AddressFrozen Keeping ["10.1.0.5"] for "default/svc", which no valid address '
        "pool holds, until these address pools are valid: a"
    ]
    w.forget_history().rerun()
    assert (w.writes, w.events) == ([], [])


def test_c17_frozen_service_without_annotation_is_not_written():
    assert frozen(from_pool=None).writes == []


def test_c17_frozen_address_at_run_time():
    w = World().set_pools(A, B).apply(make_service()).forget_history()
    w.set_pools(B, invalid=["a"])
    assert (w.ips(), w.mark(), w.writes) == (["10.1.0.0"], "a", [])
    assert w.reasons() == ["AddressFrozen"]
    w.forget_history().set_pools(A, B)
    assert (w.ips(), w.mark(), w.writes, w.events) == (["10.1.0.0"], "a", [], [])


def test_c17_mended_pool_without_the_address_clears_it():
    w = frozen().set_pools(B)
    assert (w.ips(), w.mark()) == (["10.2.0.0"], "b")


def test_c17_frozen_address_counts_as_taken():
    w = frozen()
    w.put(make_service("late", status="10.1.0.5", from_pool="a"))
    w.run()
    assert w.ips("late") == ["10.2.0.0"]
    w.set_pools(make_pool("a", "10.1.0.5/32", auto_assign=False), B)
    w.apply(make_service("more", pool="a"))
    assert w.ips("more") == []


def test_c17_frozen_until_the_type_changes():
    assert frozen().apply(make_service(load_balancer=False)).ips() == []


def test_c17_frozen_address_shared_only_lawfully():
    w = World()
    for name, port in (("one", 80), ("two", 443), ("three", 80)):
        w.put(make_service(name, status="10.1.0.5", sharing="k", ports=[port], age=9 - port % 9))
    w.set_pools(B, invalid=["a"])
    kept = [name for name in ("one", "two", "three") if w.ips(name) == ["10.1.0.5"]]
    assert len(kept) == 2
    assert "two" in kept


def test_c17_invalid_pool_still_exists():
    w = World().set_pools(B, invalid=["a"]).apply(make_service(pool="a"))
    assert w.ips() == []
    assert w.told() == [FAILED + "the configuration of address pool a is invalid"]


def test_c17_invalid_pool_takes_nothing_from_a_service_that_names_it():
    w = World().set_pools(B).apply(make_service(pool="a")).forget_history()
    w.set_pools(B, invalid=["a"])
    assert (w.ips(), w.writes) == (["10.2.0.0"], [])
    w.set_pools(A, B)
    assert w.ips() == ["10.1.0.0"]


def test_c17_invalid_pool_contradicts_a_requested_ip():
    w = World().set_pools(B, invalid=["a"]).apply(make_service(pool="a", ip="10.2.0.9"))
    assert w.ips() == []


def test_c17_nothing_is_given_out_of_an_invalid_pool():
    w = World().set_pools(invalid=["a"]).apply(make_service(), make_service("ip", ip="10.1.0.5"))
    assert w.told() == [FAILED + "no available IPs; a: its configuration is invalid"]
    assert w.ips("ip") == []


def test_c17_buggy_address_of_a_valid_pool_is_not_frozen():
    w = World().set_pools(A).apply(make_service()).forget_history()
    w.set_pools(make_pool("a", "10.1.0.0/24", avoid_buggy_ips=True), invalid=["z"])
    assert w.ips() == ["10.1.0.1"]


def test_changed_pool_is_looked_at_by_its_own_services_only():
    w = World().set_pools(A, B)
    w.apply(make_service("one", pool="a"), make_service("two", pool="b")).forget_history()
    w.set_pools(make_pool("a", "10.1.0.0/16"), B)
    assert w.passes == [make_key("one")]
    assert w.writes == []
