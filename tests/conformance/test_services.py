"""Specification 14.1: one Service converges. Also REQ-1…27 as far as one Service shows them."""

from typing import Any

import pytest
from tests.builders import make_key, make_pool, make_service
from tests.world import World

from ferrolb.model import IPFamilyPolicy, ServiceKey

REQUIRE = IPFamilyPolicy.REQUIRE_DUAL_STACK
FAILED = 'Warning AllocationFailed Failed to allocate IP for "default/svc": '
V6_CLUSTER = "fd00::1"


def world(*pools) -> World:
    return World().set_pools(*(pools or (make_pool("pool", "10.0.0.0/24", "1000::/64"),)))


def legacy(**marks: str) -> dict[str, str]:
    return {f"metallb.universe.tf/{name.replace('_', '-')}": v for name, v in marks.items()}


def test_s01_deleted_service_without_allocation_is_nothing():
    engine = world().engine
    engine.pools_touched()
    assert engine.forget(ServiceKey("default", "never-seen")) == frozenset()
    assert engine.pools_touched() == frozenset()


@pytest.mark.parametrize("cluster_ips", ["10.96.0.1", ""])
def test_s02_other_type_without_status_is_untouched(cluster_ips):
    w = world().apply(make_service(load_balancer=False, cluster_ips=cluster_ips))
    assert (w.writes, w.told()) == ([], [])


def test_s02_former_load_balancer_is_emptied():
    w = world().apply(make_service())
    assert w.ips() == ["10.0.0.0"]
    w.forget_history().apply(make_service(load_balancer=False))
    assert (w.ips(), w.mark(), w.told()) == ([], None, [])
    assert w.usage("pool").assigned == 0


def test_s02_leftover_status_of_another_type_is_emptied_after_a_restart():
    w = World()
    w.put(make_service(load_balancer=False, status="10.0.0.9", from_pool="pool"))
    w.set_pools(make_pool())
    assert (w.ips(), w.mark()) == ([], None)


def test_s03_first_free_address_of_an_auto_assign_pool():
    w = world(make_pool("a", "10.1.0.0/24", auto_assign=False), make_pool("b", "10.2.0.0/24"))
    w.apply(make_service())
    assert (w.ips(), w.mark()) == (["10.2.0.0"], "b")
    assert w.told() == ['Normal IPAllocated Assigned IP ["10.2.0.0"]']


def test_s03_pools_without_auto_assign_are_never_used():
    w = world(make_pool("a", "10.1.0.0/24", auto_assign=False)).apply(make_service())
    assert w.ips() == []
    assert w.told() == [FAILED + "no available IPs; a: not for automatic assignment"]


@pytest.mark.parametrize("local", [False, True])
@pytest.mark.parametrize("auto_assign", [False, True])
@pytest.mark.parametrize("form", ["spec", "annotation", "legacy annotation"])
def test_s04_requested_ip_is_assigned(form, auto_assign, local):
    forms: dict[str, dict[str, Any]] = {
        "spec": {"ip": "10.0.0.77"},
        "annotation": {"ips": " 10.0.0.77 "},
        "legacy annotation": {"annotations": legacy(loadBalancerIPs="10.0.0.77")},
    }
    w = world(make_pool(auto_assign=auto_assign)).apply(make_service(local=local, **forms[form]))
    assert (w.ips(), w.mark()) == (["10.0.0.77"], "pool")


def test_s05_both_forms_at_once_are_refused():
    w = world().apply(make_service(ip="10.0.0.1", ips="10.0.0.1"))
    text = "service can not have both metallb.io/loadBalancerIPs and svc.Spec.LoadBalancerIP"
    assert (w.writes, w.told()) == ([], [FAILED + text])


@pytest.mark.parametrize(
    ("request_", "text"),
    [
        ({"ip": "please"}, 'invalid spec.loadBalancerIP "please"'),
        ({"ip": " 10.0.0.1"}, 'invalid spec.loadBalancerIP " 10.0.0.1"'),
        ({"ips": "10.0.0.1,x"}, 'invalid metallb.io/loadBalancerIPs: "10.0.0.1,x"'),
        ({"ips": "10.0.0.1,"}, 'invalid metallb.io/loadBalancerIPs: "10.0.0.1,"'),
        (
            {"annotations": legacy(loadBalancerIPs="010.0.0.1")},
            'invalid metallb.io/loadBalancerIPs: "010.0.0.1"',
        ),
    ],
)
def test_s06_unparsable_request_is_refused(request_, text):
    w = world().apply(make_service(**request_))
    assert (w.writes, w.told()) == ([], [FAILED + text])


def test_s07_ip_outside_requested_pool_is_refused():
    w = world(make_pool("a", "10.1.0.0/24"), make_pool("b", "10.2.0.0/24"))
    w.apply(make_service(pool="a", ip="10.2.0.5"))
    text = 'requested loadBalancer IP(s) ["10.2.0.5"] is not compatible with requested '
    assert (w.writes, w.told()) == ([], [FAILED + text + "address pool a"])
    w.apply(make_service("other", ip="10.2.0.5"))
    assert w.ips("other") == ["10.2.0.5"]


def test_s08_two_ips_of_one_family_are_refused():
    w = world().apply(make_service(ips="10.0.0.1,10.0.0.2"))
    text = 'IPFamilyForAddresses: same address family ["10.0.0.1" "10.0.0.2"]'
    assert (w.writes, w.told()) == ([], [FAILED + text])


def test_s08_three_ips_are_refused():
    w = world().apply(make_service(ips="10.0.0.1,10.0.0.2,1000::1"))
    text = 'IPFamilyForAddresses: invalid ips length 3 ["10.0.0.1" "10.0.0.2" "1000::1"]'
    assert w.told() == [FAILED + text]


def test_s09_new_request_outside_all_pools_costs_the_address():
    w = world().apply(make_service()).forget_history().apply(make_service(ip="4.3.2.1"))
    assert (w.ips(), w.mark()) == ([], None)
    assert w.told() == [FAILED + '"4.3.2.1" is not allowed in config']


@pytest.mark.parametrize("prefix", ["metallb.io/", "metallb.universe.tf/"])
def test_s10_pool_annotation_and_its_change(prefix):
    w = world(make_pool("a", "10.1.0.0/24"), make_pool("b", "10.2.0.0/24", auto_assign=False))
    w.apply(make_service(annotations={prefix + "address-pool": "b"}))
    assert (w.ips(), w.mark()) == (["10.2.0.0"], "b")
    w.apply(make_service(annotations={prefix + "address-pool": "a"}))
    assert (w.ips(), w.mark()) == (["10.1.0.0"], "a")
    assert w.told() == [
        'Normal IPAllocated Assigned IP ["10.2.0.0"]',
        'Normal IPAllocated Assigned IP ["10.1.0.0"]',
    ]


def test_s11_unknown_pool_falls_back_to_automatic_assignment():
    w = world().apply(make_service(pool="nowhere"))
    assert (w.ips(), w.mark()) == (["10.0.0.0"], "pool")
    assert w.reasons() == ["IPAllocated"]
    w.forget_history().rerun()
    assert (w.writes, w.events) == ([], [])


def test_s11_unknown_pool_does_not_hinder_a_requested_ip():
    w = world().apply(make_service(pool="nowhere", ip="10.0.0.9"))
    assert w.ips() == ["10.0.0.9"]


def test_s11_service_moves_when_the_pool_it_names_comes_into_being():
    a, b = make_pool("a", "10.1.0.0/24"), make_pool("b", "10.2.0.0/24")
    w = world(a).apply(make_service(pool="b"))
    assert w.mark() == "a"
    w.forget_history().set_pools(a, b)
    assert (w.ips(), w.mark()) == (["10.2.0.0"], "b")
    w.set_pools(a)
    assert (w.ips(), w.mark()) == (["10.1.0.0"], "a")


def test_s12_foreign_address_in_the_status_is_replaced():
    w = world()
    w.apply(make_service(status="1.2.3.4"))
    assert w.ips() == ["10.0.0.0"]
    assert w.told() == [
        'Normal ClearAssignment current IP for "default/svc" not allowed by config, '
        'will attempt for new IP assignment: "1.2.3.4" is not allowed in config',
        'Normal IPAllocated Assigned IP ["10.0.0.0"]',
    ]


def test_s13_hostname_and_foreign_address_give_way_to_one_proper_entry():
    w = world().apply(make_service(hostnames=["lb.example"], status="1.2.3.4"))
    assert w.ips() == ["10.0.0.0"]
    w.apply(
        make_service(
            "dual",
            cluster_ips="10.96.0.2,fd00::2",
            policy=REQUIRE,
            hostnames=["lb.example"],
            status="1000::5",
        )
    )
    assert w.ips("dual") == ["10.0.0.1", "1000::"]


def test_s13_hostname_beside_a_legal_address_is_removed():
    w = world().apply(make_service(hostnames=["lb.example"], status="10.0.0.5"))
    assert w.ips() == ["10.0.0.5"]


def test_s14_without_cluster_ip_nothing_is_assigned_or_said():
    w = world().apply(make_service(cluster_ips=""))
    assert (w.writes, w.told()) == ([], [])


def test_s14_losing_the_cluster_ip_costs_the_address_silently():
    w = world().apply(make_service()).forget_history().apply(make_service(cluster_ips=""))
    assert (w.ips(), w.told()) == ([], [])


@pytest.mark.parametrize("form", ["ip", "ips"])
@pytest.mark.parametrize(
    ("cluster_ips", "asked"), [("10.96.0.1", "1000::5"), (V6_CLUSTER, "10.0.0.5")]
)
def test_s15_request_of_the_other_family_is_refused(cluster_ips, asked, form):
    w = world().apply(make_service(cluster_ips=cluster_ips, **{form: asked}))
    text = f'requested loadBalancer IP(s) ["{asked}"] does not match the ipFamily of the service'
    assert (w.writes, w.told()) == ([], [FAILED + text])


@pytest.mark.parametrize(
    ("cluster_ips", "status", "given"),
    [("10.96.0.1", "1000::5", "10.0.0.0"), (V6_CLUSTER, "10.0.0.5", "1000::")],
)
def test_s16_status_of_the_wrong_family_is_replaced_without_warning(cluster_ips, status, given):
    w = world().apply(make_service(cluster_ips=cluster_ips, status=status))
    assert w.ips() == [given]
    assert w.reasons() == ["IPAllocated"]


def test_s17_three_addresses_in_the_status_are_replaced_by_one():
    w = world().apply(make_service(status="10.0.0.7,10.0.0.8,1000::1"))
    assert w.ips() == ["10.0.0.0"]
    listed = '["10.0.0.7" "10.0.0.8" "1000::1"]'
    assert w.told() == [
        'Normal IPAllocated Assigned IP ["10.0.0.0"]',
        f"Warning nolbIPsIPFamily Failed to retrieve LBIPs IPFamily for {listed}: "
        f"IPFamilyForAddresses: invalid ips length 3 {listed}",
    ]


def test_s17_garbage_in_the_status_is_replaced():
    w = world().apply(make_service(status=["garbage"]))
    assert w.ips() == ["10.0.0.0"]
    assert 'IPFamilyForAddresses: Invalid address ["garbage"]' in w.told()[-1]


@pytest.mark.parametrize("bad", [{"ip": "x"}, {"ips": "x"}, {"ip": "10.0.0.3", "ips": "10.0.0.3"}])
def test_s18_c16_invalid_request_keeps_the_address(bad):
    w = world().apply(make_service()).forget_history().apply(make_service(**bad))
    assert (w.ips(), w.mark()) == (["10.0.0.0"], "pool")
    assert w.reasons() == ["LoadBalancerFailed"]
    assert w.told()[0].startswith("Warning LoadBalancerFailed invalid requested loadbalancer IPs: ")
    w.forget_history().rerun()
    assert (w.writes, w.events) == ([], [])


def test_s18_invalid_request_beside_an_illegal_address():
    w = world().apply(make_service(status="1.2.3.4", ip="x")).rerun()
    assert w.ips() == []
    assert w.reasons() == ["ClearAssignment", "LoadBalancerFailed", "AllocationFailed"]


# the requirement's chapter


def test_req02_req03_specific_ip_with_pool_annotation():
    w = world(make_pool("doc-example", "192.168.100.0/24"))
    marks = {"metallb.universe.tf/address-pool": "doc-example"}
    w.apply(make_service(ip="192.168.100.5", annotations=marks, ports=[8080]))
    assert w.ips() == ["192.168.100.5"]


def test_req04_req06_req07_refusal_is_pending_with_the_exact_sentence():
    w = world().apply(make_service("invalid-request", ip="4.3.2.1"))
    assert w.ips("invalid-request") == []
    assert w.told("invalid-request") == [
        "Warning AllocationFailed Failed to allocate IP for "
        '"default/invalid-request": "4.3.2.1" is not allowed in config'
    ]


def test_req09_req10_pool_by_name_or_else_automatically():
    w = world(make_pool("auto"), make_pool("doc-example", "192.168.100.0/24", auto_assign=False))
    w.apply(make_service("named", annotations=legacy(address_pool="doc-example")))
    w.apply(make_service("unknown", annotations=legacy(address_pool="no-such")))
    assert (w.ips("named"), w.ips("unknown")) == (["192.168.100.0"], ["10.0.0.0"])


def test_req11_req12_any_ip_needs_no_annotation():
    assert world().apply(make_service()).ips() == ["10.0.0.0"]


def test_req13_services_do_not_share_by_default():
    w = world().apply(make_service("a", ip="10.0.0.1", ports=[80]))
    w.apply(make_service("b", ip="10.0.0.1", ports=[443]))
    assert w.ips("b") == []
    assert w.told("b") == [
        'Warning AllocationFailed Failed to allocate IP for "default/b": '
        'can\'t change sharing key for "default/b", address also in use by default/a'
    ]


def test_req14_to_req19_pair_shares_the_address():
    w = world(make_pool("doc-example", "172.31.249.0/24"))
    marks = legacy(address_pool="doc-example", allow_shared_ip="web-server-svc")
    for name, port in (("service-http", 80), ("service-https", 443)):
        w.apply(make_service(name, ip="172.31.249.7", annotations=marks, ports=[port]))
    assert w.ips("service-http") == w.ips("service-https") == ["172.31.249.7"]
    assert w.usage("doc-example").assigned == 1
    assert w.usage("doc-example").services == 2


def test_req16_sharing_needs_different_ports():
    w = world().apply(make_service("a", ip="10.0.0.1", sharing="k", ports=[80]))
    w.apply(make_service("b", ip="10.0.0.1", sharing="k", ports=[443, 80]))
    assert w.told("b")[0].endswith(': port TCP/80 is already in use on "10.0.0.1"')


@pytest.mark.parametrize(
    ("local", "selectors", "shares"),
    [
        (True, ({"app": "x"}, {"app": "x"}), True),
        (True, ({"app": "x"}, {"app": "y"}), False),
        (False, ({"app": "x"}, {"app": "y"}), True),
        (True, ({}, {}), True),
    ],
)
def test_req17_local_policy_needs_equal_selectors(local, selectors, shares):
    w = world()
    for name, port, selector in (("a", 80, selectors[0]), ("b", 443, selectors[1])):
        w.apply(
            make_service(
                name, ip="10.0.0.1", sharing="k", ports=[port], local=local, selector=selector
            )
        )
    assert w.ips("b") == (["10.0.0.1"] if shares else [])


@pytest.mark.parametrize(("key", "shares"), [("one", True), ("other", False)])
def test_req15_sharing_needs_one_key_not_one_namespace(key, shares):
    w = world().apply(make_service("ns1/a", ip="10.0.0.1", sharing="one", ports=[80]))
    w.apply(make_service("ns2/b", ip="10.0.0.1", sharing=key, ports=[443]))
    assert w.ips("ns2/b") == (["10.0.0.1"] if shares else [])


def test_req18_colocation_without_an_address_asked_for():
    w = world().apply(
        make_service("a", sharing="k", ports=[80]), make_service("b", sharing="k", ports=[443])
    )
    assert w.ips("a") == ["10.0.0.0"]
    assert w.ips("b") == ["10.0.0.0"]


def test_req20_tcp_and_udp_share_one_port_number():
    w = world()
    for name, port in (("dns-tcp", "TCP/53"), ("dns-udp", "UDP/53")):
        w.apply(
            make_service(name, ip="10.0.0.53", sharing="dns", ports=[port], selector={"app": "d"})
        )
    assert w.ips("dns-tcp") == w.ips("dns-udp") == ["10.0.0.53"]


def test_req27_reason_of_a_refusal_stands_until_it_is_mended():
    w = world().apply(make_service(ip="4.3.2.1"))
    key = make_key("svc")
    assert [event.reason for event in w.engine.current_events(key)] == ["AllocationFailed"]
    w.apply(make_service(ip="10.0.0.1"))
    assert w.engine.current_events(key) == ()


# behaviour around the scenario rules


def test_annotation_under_the_stable_name_wins_even_when_empty():
    w = world(make_pool("a", "10.1.0.0/24"), make_pool("b", "10.2.0.0/24"))
    marks = {"metallb.io/address-pool": "", "metallb.universe.tf/address-pool": "b"}
    assert w.apply(make_service(annotations=marks)).ips() == ["10.1.0.0"]


def test_cluster_ips_of_no_family_keep_what_the_status_says():
    w = world().apply(make_service(cluster_ips=["x"], status="10.0.0.5", from_pool="pool"))
    assert (w.ips(), w.writes) == (["10.0.0.5"], [])
    assert w.told() == [
        'Warning noclusterIPsIPFamily Failed to retrieve ClusterIPs IPFamily for ["x"] x: '
        'IPFamilyForAddresses: Invalid address ["x"]'
    ]
    w.apply(make_service("other", ip="10.0.0.5"))
    assert w.ips("other") == []


def test_cluster_ips_of_no_family_get_nothing():
    w = world().apply(make_service(cluster_ips=["x"]))
    assert w.told() == [FAILED + 'IPFamilyForAddresses: Invalid address ["x"]']


def test_no_op_pass_says_nothing_new_and_names_what_stands():
    w = world().apply(make_service(ip="4.3.2.1")).forget_history().rerun()
    assert (w.writes, w.events) == ([], [])
    assert w.last().is_repeat
    assert w.last().events == w.engine.current_events(make_key("svc"))


def test_c18_failed_automatic_search_names_every_pool():
    w = world(
        make_pool("full", "10.0.0.0/32"),
        make_pool("manual", "10.1.0.0/24", auto_assign=False),
        make_pool("pinned", "10.2.0.0/24", namespaces=["team"]),
        make_pool("six", "1000::/64"),
    ).apply(make_service("first"), make_service())
    assert w.told() == [
        FAILED + "no available IPs; full: no free IPv4 address; six: has no IPv4 addresses; "
        "manual: not for automatic assignment; pinned: pinned to other Services"
    ]


def test_c18_message_is_cut_at_a_kilobyte():
    pools = [make_pool(f"pool-{n:03}", f"10.0.{n}.0/24", auto_assign=False) for n in range(99)]
    w = world(*pools).apply(make_service())
    message = w.last().events[0].message
    assert len(message.encode()) == 1024
    assert len(w.last().verdict.pools) == 99


def test_c18_hostile_request_does_not_grow_the_message():
    w = world().apply(make_service(ips="é" * 100_000))
    assert len(w.last().events[0].message.encode()) in (1023, 1024)


def test_c33_without_any_pool_a_service_is_told():
    w = World().set_pools().apply(make_service())
    assert w.told() == [FAILED + "no address pools are configured"]


@pytest.mark.parametrize(
    ("lb_class", "of_service", "is_handled"),
    [("", None, True), ("", "x", False), ("x", None, False), ("x", "x", True), ("x", "y", False)],
)
def test_load_balancer_class_filter(lb_class, of_service, is_handled):
    w = World(lb_class=lb_class).set_pools(make_pool())
    w.apply(make_service(lb_class=of_service, status="1.2.3.4"))
    assert w.ips() == (["10.0.0.0"] if is_handled else ["1.2.3.4"])
    assert bool(w.writes) is is_handled


def test_q8_service_that_loses_its_class_with_its_type_is_released():
    w = World(lb_class="x").set_pools(make_pool("pool", "10.0.0.0/32"))
    w.apply(make_service(lb_class="x"), make_service("waiting", lb_class="x"))
    w.apply(make_service(load_balancer=False))
    assert (w.ips(), w.mark()) == ([], None)
    assert w.ips("waiting") == ["10.0.0.0"]


def test_q8_status_of_another_class_controller_is_left_alone():
    w = World(lb_class="x").set_pools(make_pool()).apply(make_service(lb_class="x"))
    w.services[make_key("svc")] = make_service(lb_class="y", status="1.2.3.4")
    w.forget_history().rerun()
    assert (w.ips(), w.writes) == (["1.2.3.4"], [])
    assert w.usage("pool").assigned == 0


def test_q17_request_for_v6_then_v4_is_written_v4_first():
    w = world().apply(
        make_service(cluster_ips="10.96.0.1,fd00::1", policy=REQUIRE, ips="1000::7,10.0.0.7")
    )
    assert w.ips() == ["10.0.0.7", "1000::7"]
