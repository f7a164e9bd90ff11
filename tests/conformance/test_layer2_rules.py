"""The rules that MetalLB's own tests pin down: layer2.md section 14, what of it is decided here."""

import json
from dataclasses import replace
from ipaddress import ip_address

import pytest
from tests.announcing import (
    A_WINS,
    B_WINS,
    A,
    B,
    C,
    ad,
    answers,
    ends,
    leader,
    make_node,
    match,
    prefer,
    rules_of,
)
from tests.announcing import make_view as view
from tests.builders import make_pool, make_service

from ferrolb.announce import (
    Announce,
    NodeRule,
    Withhold,
    WithholdReason,
    decide,
    node_matters,
)
from ferrolb.kube import decode_endpoint_slice, endpoints_from
from ferrolb.model import Endpoints, InterfaceRule, Node, PoolName

NOT_OWNER, NO_AD = "notOwner", "noMatchingAdvertisement"
LOCAL_A = make_service(status=A_WINS, local=True)
LOCAL_B = make_service(status=B_WINS, local=True)
CLUSTER_B = make_service(status=B_WINS)


# Election and endpoints


@pytest.mark.parametrize("service", [LOCAL_A, LOCAL_B])
def test_r01_local_all_endpoints_on_one_node(service):
    assert answers(view(ad()), service, ends(A)) == {A: "announces", B: NOT_OWNER}
    assert answers(view(ad()), service, ends(B)) == {A: NOT_OWNER, B: "announces"}
    assert leader(view(ad()), service, ends(A, B)) == (A if service is LOCAL_A else B)


@pytest.mark.parametrize("service", [LOCAL_A, CLUSTER_B])
def test_r02_no_usable_endpoint_at_all(service):
    assert answers(view(ad()), service, Endpoints()) == {A: NOT_OWNER, B: NOT_OWNER}


READY, UNREADY = {"ready": True}, {"ready": False}


def slices(*per_slice):
    """Make endpoints of slices, each of pairs (node, conditions)."""
    return endpoints_from(
        decode_endpoint_slice(
            json.dumps(
                {
                    "metadata": {"name": f"web-{number}", "namespace": "default"},
                    "endpoints": [{"nodeName": n, "conditions": c} for n, c in pairs],
                }
            ).encode()
        )
        for number, pairs in enumerate(per_slice)
    )


def order(service, endpoints):
    return decide(service, endpoints, view(ad()), node=A).verdict.order


def test_r01_how_many_endpoints_a_node_has_is_no_matter():
    one_each = slices([(A, READY), (B, READY)])
    two_on_a = slices([(A, READY), (A, READY), (B, READY)])
    assert order(LOCAL_B, one_each) == order(LOCAL_B, two_on_a) == (B, A)


def test_r03_only_nodes_with_a_usable_endpoint_are_candidates():
    assert order(LOCAL_B, slices([(A, READY), (B, UNREADY)])) == (A,)
    assert order(LOCAL_B, slices([(A, READY), (B, UNREADY), (B, READY)])) == (B, A)


@pytest.mark.parametrize(
    "conditions", [{"ready": False, "serving": True}, {"ready": True, "serving": False}]
)
def test_r04_serving_or_ready_keeps_a_node(conditions):
    assert order(LOCAL_B, slices([(A, READY), (B, conditions)])) == (B, A)
    assert order(LOCAL_B, slices([(A, READY), (B, {"ready": False, "serving": False})])) == (A,)


def test_r05_slices_are_merged():
    assert order(LOCAL_B, slices([(A, READY)], [(B, READY)])) == (B, A)
    assert order(LOCAL_B, slices([(A, READY)], [(B, UNREADY)])) == (A,)


def test_r06_cluster_the_place_of_the_endpoints_is_no_matter():
    assert leader(view(ad()), CLUSTER_B, ends(A)) == B
    assert leader(view(ad()), CLUSTER_B, ends(anywhere=True)) == B
    leaders = [
        leader(view(ad()), make_service(status=f"10.20.30.{number}"), ends(A))
        for number in range(1, 256)
    ]
    assert set(leaders) == {A, B}


def test_r07_cluster_two_services_on_one_address_elect_one_node():
    one, two = make_service("one", status=B_WINS), make_service("two", status=B_WINS)
    assert leader(view(ad()), one, ends(A)) == leader(view(ad()), two, ends(B)) == B


def test_r08_without_gossip_the_nodes_are_the_speakers():
    alone = replace(view(ad()), members=None)
    assert leader(alone, CLUSTER_B) == B
    assert leader(alone, LOCAL_B, ends(A)) == A
    unready = replace(alone, nodes={**alone.nodes, B: replace(alone.nodes[B], is_ready=False)})
    assert leader(unready, CLUSTER_B) == B


# Advertisements


def test_r09_an_advertisement_for_one_node_beats_the_hash():
    assert answers(view(ad(on=A)), CLUSTER_B) == {A: "announces", B: NO_AD}


def test_r10_two_advertisements_one_a_node():
    split = view(ad("a", on=A), ad("b", on=B))
    assert decide(CLUSTER_B, ends(A, B), split, node=A).verdict.order == (B, A)
    assert leader(split, LOCAL_B, ends(A)) == A


def test_r11_local_endpoints_where_the_advertisement_is_not():
    assert answers(view(ad(on=B)), LOCAL_B, ends(A)) == {A: NO_AD, B: NOT_OWNER}


def test_r12_the_exclude_label():
    b_out = (make_node(A), make_node(B, excluded=True))
    assert leader(view(ad(), nodes=b_out), CLUSTER_B) == A
    assert leader(view(ad(), nodes=b_out, ignores=True), CLUSTER_B) == B
    all_out = (make_node(A, excluded=True), make_node(B, excluded=True))
    assert answers(view(ad(), nodes=all_out), CLUSTER_B) == {A: NOT_OWNER, B: NOT_OWNER}


@pytest.mark.parametrize(
    ("selectors", "labels", "is_announced"),
    [
        ([], {}, True),
        ([], {"app": "x"}, True),
        ([match(app="x")], {"app": "x"}, True),
        ([match(app="x")], {"app": "y"}, False),
        ([match(app="x")], {}, False),
        ([match(app="y"), match(app="x")], {"app": "x"}, True),
        ([match()], {}, True),
    ],
)
def test_r13_service_selectors(selectors, labels, is_announced):
    service = make_service(status=B_WINS, labels=labels)
    told = answers(view(ad(serviceSelectors=selectors)), service)
    assert told == ({A: NOT_OWNER, B: "announces"} if is_announced else {A: NO_AD, B: NO_AD})


def test_r14_an_advertisement_each_for_service_and_node():
    both = view(
        ad("x", on=A, serviceSelectors=[match(app="foo")]),
        ad("y", on=B, serviceSelectors=[match(app="bar")]),
    )
    for label, owner, other in (("foo", A, B), ("bar", B, A)):
        for address in (A_WINS, B_WINS):
            service = make_service(status=address, labels={"app": label})
            assert answers(both, service) == {owner: "announces", other: NO_AD}


def test_r15_a_node_that_is_not_there_and_another_service():
    nobody = view(
        ad("x", on=C, serviceSelectors=[match(app="foo")]),
        ad("y", serviceSelectors=[match(app="bar")]),
    )
    service = make_service(status=B_WINS, labels={"app": "foo"})
    assert answers(nobody, service) == {A: NO_AD, B: NO_AD}


@pytest.mark.parametrize("prefix", ["metallb.io/", "metallb.universe.tf/"])
@pytest.mark.parametrize("value", ["key", ""])
def test_r16_a_shared_address_and_service_selectors(prefix, value):
    shared = make_service(
        status=B_WINS, labels={"app": "x"}, annotations={f"{prefix}allow-shared-ip": value}
    )
    plain = make_service(status=B_WINS, labels={"app": "x"})
    choosy = ad("choosy", serviceSelectors=[match(app="x")])
    other = ad("other", serviceSelectors=[match(app="y")])
    refused = {A: "sharedIPWithServiceSelector", B: "sharedIPWithServiceSelector"}
    assert answers(view(choosy, ad("all")), shared) == refused
    assert leader(view(ad("all")), shared) == B
    assert leader(view(choosy), plain) == B
    assert leader(view(ad("all"), other), shared) == B


def test_r17_interfaces_are_those_of_the_own_advertisements():
    per_node = view(ad("a", on=A, interfaces=["eth0"]), ad("b", on=B, interfaces=["eth1"]))
    for address, node, name in ((A_WINS, A, "eth0"), (B_WINS, B, "eth1")):
        decision = decide(make_service(status=address), ends(A, B), per_node, node=node)
        assert isinstance(decision, Announce)
        assert decision.interfaces == InterfaceRule(frozenset({name}))


def test_r18_interfaces_are_united():
    def rule(*interfaces):
        ads = [ad(f"ad{n}", interfaces=list(names)) for n, names in enumerate(interfaces)]
        decision = decide(CLUSTER_B, ends(A), view(*ads), node=B)
        assert isinstance(decision, Announce)
        return decision.interfaces.names

    assert rule(["eth0"], ["eth1", "eth2"]) == {"eth0", "eth1", "eth2"}
    assert rule(["eth0"], []) is None
    assert rule([]) is None


# Preferences


def test_r19_the_highest_sum_wins_and_ties_fall_to_the_hash():
    def first(*ads):
        return leader(view(*ads), CLUSTER_B)

    def preferring(name, *weights):
        return ad(name, preferredNodeSelectors=prefer(*weights))

    assert first(preferring("x", (1, match(node=A)))) == A
    assert first(preferring("x", (7, match(node=A)), (7, match(node=B)))) == B
    sixty = (60, match(node=B))
    assert first(preferring("x", (60, match(node=A)), (50, match(node=A)), sixty)) == A
    # of several advertisements, also of two that say the same
    fifty = preferring("y", (50, match(node=A)))
    assert first(preferring("x", (60, match(node=A)), (100, match(node=B))), fifty) == A
    assert first(fifty, preferring("z", (50, match(node=A))), preferring("x", sixty)) == A


def test_r20_preferences_make_nobody_eligible():
    wish = prefer((100, match(node=A)))
    only_b = ad(nodeSelectors=[match(node=B)], preferredNodeSelectors=wish)
    assert answers(view(only_b), make_service(status=A_WINS)) == {A: NO_AD, B: "announces"}
    assert leader(view(ad(preferredNodeSelectors=wish)), LOCAL_A, ends(B)) == B


def test_r21_preferences_of_an_advertisement_of_other_services():
    wish = prefer((100, match(node=A)))
    other = ad("x", serviceSelectors=[match(app="y")], preferredNodeSelectors=wish)
    assert leader(view(other, ad("all")), CLUSTER_B) == B
    assert leader(view(other, ad("all")), make_service(status=B_WINS, labels={"app": "y"})) == A


def test_r22_preferences_that_change():
    for_all = ad(preferredNodeSelectors=prefer((9, {})))
    assert leader(view(for_all), CLUSTER_B) == B
    wish = ad(preferredNodeSelectors=prefer((9, match(disk="ssd"))))
    fast_a = make_node(A, disk="ssd")
    assert leader(view(wish, nodes=(fast_a, make_node(B))), CLUSTER_B) == A
    excluded = make_node(A, disk="ssd", excluded=True)
    assert leader(view(wish, nodes=(excluded, make_node(B))), CLUSTER_B) == B
    assert leader(view(wish, nodes=(fast_a, make_node(B))), CLUSTER_B) == A
    assert leader(view(wish), CLUSTER_B) == B


# Lifecycle


@pytest.mark.parametrize("mark", ["out", "excluded"])
def test_r23_the_leader_leaves_and_returns(mark):
    def first(**marks):
        return leader(view(ad(), nodes=(make_node(A), make_node(B, **marks))), CLUSTER_B)

    assert [first(), first(**{mark: True}), first()] == [B, A, B]


def test_r24_layer2_is_lost_and_won_by_itself():
    """The layer-2 half: what routers are told of makes no difference."""
    with_bgp = replace(view(ad()), routed_pools=frozenset({PoolName("pool")}))
    assert leader(with_bgp, CLUSTER_B) == B
    without_ad = replace(view(), routed_pools=frozenset({PoolName("pool")}))
    assert answers(without_ad, CLUSTER_B) == {A: NO_AD, B: NO_AD}


def test_r25_a_node_that_gets_the_label_later():
    needy = ad(nodeSelectors=[match(rack="1")])
    assert answers(view(needy), CLUSTER_B) == {A: NO_AD, B: NO_AD}
    labelled = (make_node(A, rack="1"), make_node(B))
    assert answers(view(needy, nodes=labelled), CLUSTER_B) == {A: "announces", B: NO_AD}


NODE = Node(name=A, labels={"a": "b"})


@pytest.mark.parametrize(
    ("old", "new", "matters"),
    [
        (NODE, NODE, False),
        (NODE, replace(NODE, labels={"a": "b"}), False),
        (NODE, replace(NODE, is_ready=False), False),
        (NODE, replace(NODE, is_network_unavailable=True), True),
        (replace(NODE, is_network_unavailable=True), NODE, True),
        (NODE, replace(NODE, labels={"a": "c"}), True),
        (NODE, replace(NODE, labels={}), True),
        (None, NODE, True),
        (NODE, None, True),
        (None, None, False),
    ],
)
def test_r32_which_changes_of_a_node_matter(old, new, matters):
    assert node_matters(old, new) is matters


@pytest.mark.parametrize(
    ("of_service", "ours", "is_handled"),
    [
        (None, "", True),
        (None, "foo", False),
        ("foo", "", False),
        ("foo", "bar", False),
        ("foo", "foo", True),
    ],
)
def test_r34_the_load_balancer_class(of_service, ours, is_handled):
    service = make_service(status=B_WINS, lb_class=of_service)
    told = leader(view(ad(), lb_class=ours), service)
    assert told == (B if is_handled else None)
    if not is_handled:
        refused = Withhold(reason=WithholdReason.CLASS_NOT_HANDLED)
        assert decide(service, ends(A), view(ad(), lb_class=ours), node=B) == refused


# Section 15


def test_w14_what_is_no_longer_handled_is_withdrawn():
    """A Service that is no load balancer any more loses its class, too."""
    was = make_service(status=B_WINS, lb_class="foo")
    ours = view(ad(), lb_class="foo")
    assert leader(ours, was) == B
    for now, reason in (
        (replace(was, is_load_balancer=False, load_balancer_class=None), "notLoadBalancer"),
        (replace(was, load_balancer_class="bar"), "classNotHandled"),
        (replace(was, load_balancer_class=None), "classNotHandled"),
    ):
        assert answers(ours, now) == {A: reason, B: reason}


# Section 4: the steps in order


@pytest.mark.parametrize(
    ("service", "reason"),
    [
        (None, "serviceDeleted"),
        (make_service(status=B_WINS, load_balancer=False), "notLoadBalancer"),
        (make_service(), "noIPAllocated"),
        (make_service(hostnames=["a.example"]), "invalidIP"),
        (make_service(status=B_WINS, hostnames=["a.example"]), "invalidIP"),
        (make_service(status="10.20.30.1,10.20.30.300"), "invalidIP"),
        (make_service(status="10.99.0.1"), "ipNotAllowed"),
        (make_service(status="10.20.30.1,10.20.40.1"), "ipNotAllowed"),
        (make_service(status="9.0.0.1"), "ipNotAllowed"),
    ],
)
def test_steps_before_the_election(service, reason):
    two_pools = (make_pool("pool", "10.20.30.0/24"), make_pool("other", "10.20.40.0/24"))
    decision = decide(service, ends(A, B), view(ad(), pools=two_pools), node=B)
    assert decision == Withhold(reason=WithholdReason(reason))


def test_the_first_address_decides_for_all():
    both = make_service(status=f"{A_WINS},2001:db8::1")
    decision = decide(both, ends(A, B), view(ad()), node=A)
    assert isinstance(decision, Announce)
    assert decision.addresses == (ip_address(A_WINS), ip_address("2001:db8::1"))
    assert decision.pool == "pool"


def test_who_is_no_member_is_no_candidate():
    known = view(ad(), members=[A])
    assert answers(known, CLUSTER_B) == {A: "announces", B: NOT_OWNER}
    assert rules_of(known, CLUSTER_B, ends(A)) == {B: NodeRule.NOT_A_MEMBER}
    # a member without a Node object is in no advertisement
    assert answers(view(ad(), members=[A, B, C]), CLUSTER_B)[C] == NO_AD


def test_c17_a_frozen_address_is_announced_under_the_pool_it_is_marked_with():
    frozen = view(ad(ipAddressPoolSelectors=[match(pool="pool")]), pools=(), invalid=("pool",))
    marked = make_service(status=B_WINS, from_pool="pool")
    assert leader(frozen, marked) == B
    assert answers(frozen, CLUSTER_B) == {A: "ipNotAllowed", B: "ipNotAllowed"}
    # nothing is invalid, so nothing is frozen
    assert answers(view(ad(), pools=()), marked) == {A: "ipNotAllowed", B: "ipNotAllowed"}


def test_c17_a_frozen_address_of_a_pool_that_is_gone():
    def renamed(one):
        return view(one, pools=(), invalid=("new-name",))

    marked = make_service(status=B_WINS, from_pool="old-name")
    assert leader(renamed(ad()), marked) == B
    assert leader(renamed(ad(ipAddressPools=["old-name"])), marked) == B
    assert answers(renamed(ad(ipAddressPools=["x"])), marked) == {A: NO_AD, B: NO_AD}
