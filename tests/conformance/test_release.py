"""Specification 14.5, decisions C-4, C-13, C-19, C-24: releasing, waking, adopting, restarting."""

import pytest
from tests.builders import make_key, make_pool, make_pools, make_service
from tests.world import World

from ferrolb.converge import Engine
from ferrolb.model import IPFamilyPolicy

ONE = make_pool("one", "10.0.0.1/32")
BIG = make_pool("big", "10.9.0.0/24")


def local(name: str, app: str, port: int, *, is_local: bool = True, **more):
    return make_service(
        name,
        sharing="k",
        ip="10.0.0.1",
        ports=[port],
        local=is_local,
        selector={"app": app},
        **more,
    )


@pytest.mark.parametrize("how", ["delete", "ClusterIP", "class"])
def test_s70_released_address_goes_to_who_waits_for_it(how):
    w = World().set_pools(ONE).apply(make_service("first"), make_service("second"))
    assert w.ips("second") == []
    assert w.reasons("second") == ["AllocationFailed"]
    assert w.writes == [make_key("first")]
    w.forget_history()
    if how == "delete":
        w.delete("first")
    elif how == "ClusterIP":
        w.apply(make_service("first", load_balancer=False))
    else:
        w.apply(make_service("first", lb_class="other"))
    assert w.ips("second") == ["10.0.0.1"]


def test_s70_deletion_wakes_only_who_waits_for_what_it_freed():
    w = World().set_pools(
        ONE,
        make_pool("two", "10.0.2.1/32", auto_assign=False),
        make_pool("wide", auto_assign=False),
    )
    w.apply(
        make_service("in-one"),
        make_service("in-two", pool="two"),
        make_service("wants-one", pool="one"),
        make_service("wants-two", pool="two"),
        make_service("wants-ip", ip="10.0.2.1"),
        make_service("wants-any"),
        make_service("refused", ip="4.3.2.1"),
        make_service("content", pool="wide"),
    ).forget_history()
    w.delete("in-two")
    assert w.passes == [make_key("wants-ip"), make_key("wants-two")]
    w.forget_history().delete("in-one")
    assert w.passes == [make_key("wants-any"), make_key("wants-one")]


def test_s71_services_keep_their_addresses_over_a_restart():
    w = World().set_pools(make_pool("few", "10.0.0.0/30"))
    w.apply(*(make_service(f"s{n}") for n in range(4)))
    w.apply(*(make_service(f"a{n}") for n in range(4)))  # sorts before the assigned ones
    before = {name: service.ingress for name, service in w.services.items()}
    w.forget_history().restart()
    assert {name: service.ingress for name, service in w.services.items()} == before
    assert w.writes == []


def test_s71_restart_of_a_thousand_writes_nothing():
    w = World().set_pools(make_pool("p", "10.0.0.0/16", "1000::/64"))
    w.apply(*(make_service(f"s{n}") for n in range(1000))).forget_history().restart()
    assert (w.writes, w.events, len(w.passes)) == ([], [], 1000)


def test_s72_sharing_follows_policy_and_selector():
    w = World().set_pools(ONE)
    w.apply(local("first", "x", 80, is_local=False), local("second", "x", 443, is_local=False))
    both = ["10.0.0.1"]
    assert (w.ips("first"), w.ips("second")) == (both, both)
    w.apply(local("second", "x", 443))
    assert (w.ips("first"), w.ips("second")) == (both, [])
    w.apply(local("first", "x", 80))
    assert (w.ips("first"), w.ips("second")) == (both, both)
    w.apply(local("first", "y", 80))
    assert (w.ips("first"), w.ips("second")) == ([], both)
    w.apply(local("second", "y", 443))
    assert (w.ips("first"), w.ips("second")) == (both, both)


def test_s72_sharing_in_an_exhausted_pool_without_asking_for_the_address():
    w = World().set_pools(ONE)
    w.apply(make_service("first", ports=[80]), make_service("second", sharing="k", ports=[443]))
    assert w.ips("second") == []
    w.apply(make_service("other", sharing="x")).forget_history()
    w.apply(make_service("first", sharing="k", ports=[80]))
    assert w.ips("second") == ["10.0.0.1"]
    assert make_key("other") not in w.passes


def test_s72_a_port_given_up_makes_room():
    w = World().set_pools(ONE)
    w.apply(make_service("first", sharing="k", ports=[80, 443]))
    w.apply(make_service("second", sharing="k", ports=[443]))
    assert w.ips("second") == []
    w.apply(make_service("first", sharing="k", ports=[80]))
    assert w.ips("second") == ["10.0.0.1"]


# two phases of adoption (C-4) and its ties (C-19)


def test_c4_legal_assignments_are_adopted_before_anything_is_given():
    w = World()
    w.put(make_service("a-illegal", status="1.2.3.4"))
    w.put(make_service("b-pending"))
    w.put(make_service("z-legal", status="10.0.0.1", from_pool="one"))
    w.set_pools(ONE)
    assert (w.ips("a-illegal"), w.ips("b-pending"), w.ips("z-legal")) == ([], [], ["10.0.0.1"])


@pytest.mark.parametrize(
    ("a", "b", "winner"),
    [
        ({"age": 1}, {"age": 2}, "b"),
        ({"age": 2}, {"age": 1}, "a"),
        ({"uid": "2"}, {"uid": "1"}, "b"),
        ({"uid": "1"}, {"uid": "2"}, "a"),
    ],
)
def test_c19_of_two_holders_at_start_the_older_keeps_the_address(a, b, winner):
    w = World()
    for name, more in (("a", a), ("b", b)):
        w.put(make_service(name, status="10.0.0.1", from_pool="one", **more))
    w.set_pools(ONE)
    loser = "b" if winner == "a" else "a"
    assert (w.ips(winner), w.ips(loser)) == (["10.0.0.1"], [])
    assert w.reasons(loser) == ["ClearAssignment", "AllocationFailed"]
    assert w.engine.duplicates_resolved == 1


def test_c19_at_run_time_the_adopted_holder_keeps_the_address():
    w = World().set_pools(BIG).apply(make_service("a-holder"), make_service("z-other", age=99))
    w.forget_history().foreign_write("z-other", "10.9.0.0")
    assert (w.ips("a-holder"), w.ips("z-other")) == (["10.9.0.0"], ["10.9.0.1"])
    assert w.told("z-other") == [
        'Normal ClearAssignment current IP for "default/z-other" not allowed by config, will '
        'attempt for new IP assignment: can\'t change sharing key for "default/z-other", '
        "address also in use by default/a-holder",
        'Normal IPAllocated Assigned IP ["10.9.0.1"]',
    ]
    assert w.engine.duplicates_resolved == 1


def test_c19_a_duplicate_is_counted_once_however_often_its_write_is_lost():
    w = World().set_pools(BIG).apply(make_service("a"), make_service("b"))
    key = make_key("b")
    w.services[key] = make_service("b", status="10.9.0.0")
    for _ in range(3):
        w.step(key, is_lost=True)
    w.run()
    assert w.engine.duplicates_resolved == 1
    w.foreign_write("b", "10.9.0.0")
    assert w.engine.duplicates_resolved == 2


def test_losing_an_address_by_ones_own_change_is_no_duplicate():
    w = World().set_pools(ONE)
    w.apply(local("a", "x", 80), local("b", "x", 443), local("b", "y", 443))
    assert w.ips("b") == []
    assert w.engine.duplicates_resolved == 0


def test_foreign_write_of_a_free_address_is_adopted():
    w = World().set_pools(BIG).apply(make_service()).foreign_write("svc", "10.9.0.77")
    assert (w.ips(), w.mark()) == (["10.9.0.77"], "big")


def test_c13_adoption_asks_what_the_service_wants_now():
    w = World()
    w.put(make_service("moves", status="10.9.0.5", from_pool="big", ip="10.9.0.6"))
    w.put(make_service("moves-pool", status="10.9.0.7", from_pool="big", pool="one"))
    w.put(make_service("takes", ip="10.9.0.5"))
    w.set_pools(ONE, BIG)
    assert w.ips("moves") == ["10.9.0.6"]
    assert w.ips("moves-pool") == ["10.0.0.1"]
    assert w.ips("takes") == ["10.9.0.5"]


# lost writes, late caches


def test_a2_a_lost_write_is_offered_again():
    w = World().set_pools(BIG).apply(make_service("first"))
    w.put(make_service())
    assert str(w.step(make_key("svc"), is_lost=True).addresses[0]) == "10.9.0.1"
    w.delete("first")
    assert w.ips() == ["10.9.0.1"]
    assert w.reasons() == ["IPAllocated"]


def test_a2_an_address_not_yet_seen_is_not_given_up_for_an_old_one():
    a = make_pool("a", "10.1.0.0/24")
    w = World().set_pools(a, BIG).apply(make_service("first", pool="big"), make_service(pool="a"))
    stale = w.services[make_key("svc")]
    w.apply(make_service(pool="big"))
    assert w.ips() == ["10.9.0.1"]
    w.delete("first")
    moved = make_service(pool="big", status="10.1.0.0", from_pool="a")
    assert stale.ingress == moved.ingress
    outcome = w.engine.converge(moved)
    assert [str(ip) for ip in outcome.addresses] == ["10.9.0.1"]


def test_a2_offered_address_must_still_be_legal():
    w = World().set_pools(BIG)
    w.put(make_service())
    w.step(make_key("svc"), is_lost=True)
    w.apply(make_service(ip="10.9.0.50"))
    assert w.ips() == ["10.9.0.50"]
    assert w.reasons() == ["IPAllocated"]


def test_a2_second_address_of_a_lost_write_is_offered_again():
    w = World().set_pools(make_pool("p", "10.9.0.0/24"))
    policy = IPFamilyPolicy.PREFER_DUAL_STACK
    dual = make_service(cluster_ips="10.96.0.1,fd00::1", policy=policy)
    w.apply(dual, make_service("six", cluster_ips="fd00::2"))
    both = make_pool("p", "10.9.0.0/24", "1000::/64")
    w.pools = make_pools(both)
    w.engine.set_pools(w.pools)
    w.step(make_key("six"))
    w.step(make_key("svc"), is_lost=True)
    w.delete("six")
    assert w.ips() == ["10.9.0.0", "1000::1"]
    assert w.told()[-1] == 'Normal IPAllocated Assigned additional IP "1000::1"'


# an address is free once no status names it


def test_a1_address_is_closed_until_the_status_no_longer_names_it():
    w = World().set_pools(ONE, BIG).apply(make_service("first", ip="10.0.0.1"))
    w.apply(make_service("second", ip="10.0.0.1"))
    w.put(make_service("first", ip="10.9.0.1"))
    w.step(make_key("first"), is_lost=True)
    w.step(make_key("second"))
    assert w.ips("first") == ["10.0.0.1"]
    assert w.ips("second") == []
    w.run()
    assert (w.ips("first"), w.ips("second")) == (["10.9.0.1"], ["10.0.0.1"])


def test_a1_another_pass_settles_as_well():
    engine = Engine()
    engine.set_pools(make_pools(ONE))
    engine.adopt([make_service("first", status="10.0.0.1", from_pool="one")])
    engine.converge(make_service("first", status="10.0.0.1", from_pool="one"))
    assert engine.converge(make_service("second")).addresses == ()
    gone = make_service("first", load_balancer=False, status="10.0.0.1", from_pool="one")
    assert engine.converge(gone).wake == frozenset()
    assert engine.converge(make_service("second")).addresses == ()
    assert engine.converge(make_service("first", load_balancer=False)).wake == {make_key("second")}
    assert len(engine.converge(make_service("second")).addresses) == 1


def test_a1_address_that_may_stand_in_a_status_unseen_is_closed_until_a_write_proves_it_is_not():
    engine = Engine()
    engine.set_pools(make_pools(ONE))
    engine.adopt([])
    assert engine.converge(make_service("first")).is_changed  # lands, but its answer is lost
    stale = make_service("first", ip="4.3.2.1")
    outcome = engine.converge(stale)
    assert (outcome.is_changed, outcome.addresses) == (True, ())  # a write to prove it
    assert engine.converge(make_service("second")).addresses == ()
    assert engine.settle(stale) == {make_key("second")}
    assert not engine.converge(stale).is_changed
    assert len(engine.converge(make_service("second")).addresses) == 1


def test_a1_pair_parted_by_new_pools_is_closed_until_its_status_is_empty():
    w = World().set_pools(make_pool("p", "10.0.0.1/32", "1000::/128"))
    policy = IPFamilyPolicy.REQUIRE_DUAL_STACK
    w.apply(make_service("z-pair", cluster_ips="10.96.0.1,fd00::1", policy=policy))
    w.apply(make_service("six", cluster_ips="fd00::2"))
    w.pools = make_pools(make_pool("p", "10.0.0.1/32"), make_pool("q", "1000::/128"))
    w.queue |= w.engine.set_pools(w.pools)
    w.step(make_key("six"))
    assert w.ips("six") == []
    w.run()
    assert (w.ips("z-pair"), w.ips("six")) == ([], ["1000::"])


def test_a1_service_may_return_to_the_address_it_is_leaving():
    w = World().set_pools(ONE, BIG).apply(make_service(ip="10.0.0.1"))
    w.put(make_service(ip="10.9.0.1"))
    w.step(make_key("svc"), is_lost=True)
    w.apply(make_service(ip="10.0.0.1"))
    assert w.ips() == ["10.0.0.1"]
    assert w.usage("big").assigned == 0


def test_deleted_service_leaves_nothing_behind():
    w = World().set_pools(ONE).apply(make_service(ip="10.0.0.1"))
    w.put(make_service(ip="4.3.2.1"))
    w.step(make_key("svc"), is_lost=True)
    w.delete("svc").apply(make_service("next"))
    assert w.ips("next") == ["10.0.0.1"]


def test_outcome_of_a_pass_without_change_says_so():
    w = World().set_pools(BIG).apply(make_service()).forget_history().rerun()
    outcome = w.last()
    assert not outcome.is_changed
    assert (outcome.events, outcome.wake, outcome.pool) == ((), frozenset(), "big")
    assert outcome.verdict.is_assigned


def test_order_of_the_entries_in_a_status_is_left_alone():
    w = World()
    w.put(
        make_service(
            cluster_ips="10.96.0.1,fd00::1",
            policy=IPFamilyPolicy.REQUIRE_DUAL_STACK,
            status="1000::5,10.0.0.5",
            from_pool="p",
        )
    )
    w.set_pools(make_pool("p", "10.0.0.0/24", "1000::/64"))
    assert w.writes == []
