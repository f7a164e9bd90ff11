"""Specification 14.2: families of the cluster IPs decide, the policy says what will do."""

import pytest
from tests.builders import make_pool, make_service
from tests.world import World

from ferrolb.model import IPFamilyPolicy

SINGLE = IPFamilyPolicy.SINGLE_STACK
PREFER = IPFamilyPolicy.PREFER_DUAL_STACK
REQUIRE = IPFamilyPolicy.REQUIRE_DUAL_STACK
DUAL_IPS = "10.96.0.1,fd00::1"
DUAL = make_pool("dual", "10.9.0.0/24", "1000::/64")
FOUR = make_pool("four", "10.4.0.0/24")
SIX = make_pool("six", "2000::/64")
FAILED = 'Warning AllocationFailed Failed to allocate IP for "default/svc": '


def dual_service(policy=PREFER, **more):
    return make_service(**{"cluster_ips": DUAL_IPS, "policy": policy, **more})


@pytest.mark.parametrize("cluster_ips", [DUAL_IPS, "fd00::1,10.96.0.1"])
def test_s20_require_dual_stack_gets_both_from_one_pool_v4_first(cluster_ips):
    w = World().set_pools(DUAL, FOUR, SIX).apply(dual_service(REQUIRE, cluster_ips=cluster_ips))
    assert (w.ips(), w.mark()) == (["10.9.0.0", "1000::"], "dual")
    assert w.told() == ['Normal IPAllocated Assigned IP ["10.9.0.0" "1000::"]']


@pytest.mark.parametrize("pool", [None, "dual"])
def test_s21_prefer_dual_stack_gets_both_where_there_is_room(pool):
    w = World().set_pools(make_pool("a", "10.1.0.0/24"), DUAL).apply(dual_service(pool=pool))
    assert w.ips() == ["10.9.0.0", "1000::"]


def test_s22_prefer_dual_stack_in_a_single_stack_pool_by_name_gets_one():
    w = World().set_pools(DUAL, FOUR).apply(dual_service(pool="four"))
    assert (w.ips(), w.mark()) == (["10.4.0.0"], "four")
    w.rerun()
    assert w.reasons() == ["IPAllocated"]


@pytest.mark.parametrize(
    ("cluster_ips", "given"), [("10.96.0.1", ["10.9.0.0"]), ("fd00::1", ["1000::"])]
)
@pytest.mark.parametrize("pool", [None, "dual"])
def test_s23_family_follows_the_cluster_ips_not_the_policy(cluster_ips, given, pool):
    w = (
        World()
        .set_pools(DUAL)
        .apply(make_service(cluster_ips=cluster_ips, policy=PREFER, pool=pool))
    )
    assert w.ips() == given
    w.forget_history().rerun()
    assert (w.ips(), w.writes, w.events) == (given, [], [])


def test_s24_require_dual_stack_with_one_cluster_ip_is_refused():
    w = World().set_pools(DUAL).apply(make_service(policy=REQUIRE, status="10.9.0.7"))
    assert w.ips() == []
    assert w.told() == [
        "Warning not enough clusterips Service requires dual stack but not enough clusterips "
        "[10.96.0.1]"
    ]


@pytest.mark.parametrize("form", ["ip", "ips"])
@pytest.mark.parametrize("policy", [PREFER, REQUIRE])
def test_s25_dual_stack_service_that_asks_for_one_ip_is_refused(form, policy):
    w = World().set_pools(DUAL).apply(dual_service(policy, **{form: "10.9.0.5"}))
    text = 'requested loadBalancer IP(s) ["10.9.0.5"] does not match the ipFamily of the service'
    assert (w.writes, w.told()) == ([], [FAILED + text])


def test_s26_dual_stack_service_gets_the_pair_it_asks_for():
    w = World().set_pools(DUAL, SIX).apply(dual_service(ips="10.9.0.5,1000::5"))
    assert w.ips() == ["10.9.0.5", "1000::5"]


def test_s26_a_pair_from_two_pools_is_refused():
    w = World().set_pools(DUAL, SIX).apply(dual_service(ips="10.9.0.5,2000::5"))
    assert w.told() == [FAILED + '["10.9.0.5" "2000::5"] is not allowed in config']


@pytest.mark.parametrize("cluster_ips", ["10.96.0.1", "fd00::1"])
def test_s27_single_stack_service_that_asks_for_a_pair_is_refused(cluster_ips):
    w = World().set_pools(DUAL)
    w.apply(make_service(cluster_ips=cluster_ips, ips="10.9.0.5,1000::5"))
    text = 'requested loadBalancer IP(s) ["10.9.0.5" "1000::5"] does not match the ipFamily'
    assert w.told() == [FAILED + text + " of the service"]


def test_s28_one_cluster_ip_determines_the_family():
    w = World().set_pools(DUAL).apply(make_service(cluster_ips="fd00::1", ip_families=()))
    assert w.ips() == ["1000::"]


def test_s29_pool_extended_to_dual_stack_gives_a_second_address():
    w = World().set_pools(FOUR).apply(dual_service())
    assert w.ips() == ["10.4.0.0"]
    w.forget_history().set_pools(make_pool("four", "10.4.0.0/24", "2000::/64"))
    assert (w.ips(), w.mark()) == (["10.4.0.0", "2000::"], "four")
    assert w.told() == ['Normal IPAllocated Assigned additional IP "2000::"']


def test_s29_dual_pool_that_becomes_single_stack_costs_both_addresses():
    w = World().set_pools(DUAL).apply(make_service("first"), dual_service())
    assert w.ips() == ["10.9.0.1", "1000::"]
    w.delete("first").forget_history().set_pools(make_pool("dual", "10.9.0.0/24"))
    assert w.ips() == ["10.9.0.0"]
    assert w.reasons() == ["ClearAssignment", "IPAllocated"]


def test_s29_a_separate_dual_pool_changes_nothing():
    w = World().set_pools(FOUR).apply(dual_service()).forget_history().set_pools(FOUR, DUAL)
    assert (w.ips(), w.writes, w.events) == (["10.4.0.0"], [], [])


def test_s30_require_dual_stack_never_gets_one():
    w = World().set_pools(FOUR, SIX).apply(dual_service(REQUIRE))
    assert w.told() == [
        FAILED + "no available IPs; four: has no IPv6 addresses; six: has no IPv4 addresses"
    ]
    w.set_pools(FOUR, SIX, DUAL)
    assert w.ips() == ["10.9.0.0", "1000::"]


def test_s30_require_dual_stack_in_a_single_stack_pool_by_name_is_refused():
    w = World().set_pools(DUAL, FOUR).apply(dual_service(REQUIRE, pool="four"))
    assert w.told() == [FAILED + "no available IPs in pool four for dual IPFamily"]


@pytest.mark.parametrize(
    ("ip_families", "given"),
    [((), "10.4.0.0"), (("IPv4", "IPv6"), "10.4.0.0"), (("IPv6", "IPv4"), "2000::")],
)
def test_s31_without_a_dual_pool_the_first_family_is_preferred(ip_families, given):
    w = World().set_pools(FOUR, SIX).apply(dual_service(ip_families=ip_families))
    assert w.ips() == [given]


def test_s31_the_other_family_will_do():
    w = World().set_pools(SIX).apply(dual_service())
    assert (w.ips(), w.mark()) == (["2000::"], "six")


def test_q4_pool_by_name_without_the_family_is_refused():
    w = World().set_pools(FOUR).apply(make_service(cluster_ips="fd00::1", pool="four"))
    assert w.told() == [FAILED + "no available IPs in pool four for ipv6 IPFamily"]


def test_second_address_comes_when_there_is_room_for_it():
    small = make_pool("small", "10.4.0.0/24", "2000::/128")
    w = World().set_pools(small)
    w.apply(make_service("six", cluster_ips="fd00::9"), dual_service()).rerun()
    assert w.ips() == ["10.4.0.0"]
    assert w.told()[1:] == [
        "Normal AdditionalAssignFailed cannot assign additional IP in PreferDualStack: "
        "no available IPs in pool small for ipv6 IPFamily"
    ]
    assert w.engine.current_events(w.last().key) == ()
    w.delete("six")
    assert w.ips() == ["10.4.0.0", "2000::"]


def test_dual_stack_given_up_keeps_the_address_of_the_family_that_stays():
    w = World().set_pools(DUAL).apply(make_service("first"), dual_service())
    assert w.ips() == ["10.9.0.1", "1000::"]
    w.delete("first").apply(make_service(policy=SINGLE))
    assert w.ips() == ["10.9.0.1"]


def test_single_address_of_a_service_that_now_must_have_two_is_replaced():
    w = World().set_pools(DUAL).apply(make_service())
    assert w.ips() == ["10.9.0.0"]
    assert w.apply(dual_service(REQUIRE)).ips() == ["10.9.0.0", "1000::"]


def test_q6_requested_single_address_is_not_given_a_second_one():
    w = World().set_pools(DUAL).apply(make_service(ip="10.9.0.5"))
    w.forget_history().apply(dual_service(ip="10.9.0.5")).rerun()
    assert (w.ips(), w.writes, w.events) == (["10.9.0.5"], [], [])


def test_s29_a_service_given_one_address_of_a_full_family_is_woken_for_the_second():
    """No second look at it is needed: it waits from the pass on that gave it the first."""
    pool = make_pool("p", "10.1.0.0/32", "1000::/64")
    w = World().set_pools(pool).apply(make_service("holder"))
    w.apply(dual_service())
    assert w.ips() == ["1000::"]
    w.delete("holder")
    assert w.ips() == ["10.1.0.0", "1000::"]
