"""Specification 14.3: `serviceAllocation` pins pools to namespaces and labels, with priorities."""

import pytest
from tests.builders import make_pool, make_selector, make_service
from tests.world import World

FAILED = 'Warning AllocationFailed Failed to allocate IP for "{}": '


APP_X = make_selector(app="x")


def give(w: World, count: int, **service) -> list[str]:
    """Create Services and return the pool of each."""
    made = []
    for _ in range(count):
        name = service.get("namespace", "default") + f"/s{len(w.services)}"
        rest = {key: value for key, value in service.items() if key != "namespace"}
        w.apply(make_service(name, **rest))
        made.append(w.mark(name) or "")
    return made


def test_s40_pools_of_the_namespace_by_priority_then_unpinned():
    w = World().set_pools(
        make_pool("a-unpinned", "10.0.0.0/31"),
        make_pool("b-last", "10.1.0.0/31", namespaces=["team"]),
        make_pool("c-11", "10.2.0.0/31", namespaces=["team"], priority=11),
        make_pool("d-10", "10.3.0.0/31", namespaces=["team"], priority=10),
    )
    order = ["d-10"] * 2 + ["c-11"] * 2 + ["b-last"] * 2 + ["a-unpinned"] * 2 + [""]
    assert give(w, 9, namespace="team") == order


def test_s40_other_namespaces_use_unpinned_pools_only():
    w = World().set_pools(
        make_pool("a-pinned", "10.1.0.0/31", namespaces=["team"], priority=1),
        make_pool("unpinned", "10.0.0.0/31"),
    )
    assert give(w, 3) == ["unpinned", "unpinned", ""]


def test_s41_pinned_without_priority_is_preferred_to_unpinned():
    w = World().set_pools(
        make_pool("a", "10.0.0.0/31"), make_pool("b", "10.1.0.0/31", namespaces=["team"])
    )
    assert give(w, 1, namespace="team") == ["b"]


def test_s42_pools_pinned_by_label_by_priority():
    w = World().set_pools(
        make_pool("a", "10.0.0.0/31", selectors=[APP_X], priority=20),
        make_pool("b", "10.1.0.0/31", selectors=[APP_X], priority=10),
    )
    assert give(w, 3, labels={"app": "x"}) == ["b", "b", "a"]
    assert give(w, 1, labels={"app": "y"}) == [""]


def test_s42_the_labels_of_the_service_count_not_its_selector():
    w = World().set_pools(make_pool("a", selectors=[APP_X]))
    assert give(w, 1, selector={"app": "x"}) == [""]


def test_s42_namespace_and_label_must_both_match():
    w = World().set_pools(
        make_pool(
            "both",
            "10.0.0.0/24",
            namespaces=["team"],
            selectors=[APP_X],
            priority=1,
        ),
        make_pool("by-label", "10.1.0.0/24", selectors=[APP_X], priority=2),
    )
    assert give(w, 1, namespace="team", labels={"app": "x"}) == ["both"]
    assert give(w, 1, labels={"app": "x"}) == ["by-label"]
    assert give(w, 1, namespace="team") == [""]


def test_s42_any_of_several_selectors_will_do():
    selectors = [make_selector(app="x"), make_selector(app="y")]
    w = World().set_pools(make_pool("a", selectors=selectors))
    assert give(w, 1, labels={"app": "y"}) == ["a"]


def test_s43_priority_only_pools_rank_for_every_service():
    w = World().set_pools(
        make_pool("a", "10.0.0.0/31"),
        make_pool("b", "10.1.0.0/31", priority=2),
        make_pool("c", "10.2.0.0/31", priority=1),
    )
    assert give(w, 5) == ["c", "c", "b", "b", "a"]


def test_q15_equal_priorities_by_name_and_zero_last():
    w = World().set_pools(
        make_pool("a", "10.0.0.0/32", priority=0),
        make_pool("c", "10.1.0.0/32", priority=5),
        make_pool("b", "10.2.0.0/32", priority=5),
    )
    assert give(w, 3) == ["b", "c", "a"]


@pytest.mark.parametrize("wish", [{"ip": "10.1.0.5"}, {"pool": "pinned"}])
@pytest.mark.parametrize(
    ("name", "labels"), [("other/svc", {"app": "x"}), ("team/svc", {"app": "y"}), ("o/svc", {})]
)
def test_s44_explicit_wish_for_a_pool_pinned_elsewhere_is_refused(name, labels, wish):
    pinned = make_pool("pinned", "10.1.0.0/24", namespaces=["team"], selectors=[APP_X])
    w = (
        World()
        .set_pools(make_pool("free"), pinned)
        .apply(make_service(name, labels=labels, **wish))
    )
    assert w.ips(name) == []
    assert w.told(name) == [FAILED.format(name) + "pool pinned not compatible for ip assignment"]
    w.apply(make_service("team/fits", labels={"app": "x"}, **wish))
    assert w.mark("team/fits") == "pinned"


def test_s45_namespace_that_stops_matching_costs_the_address():
    free = make_pool("free", "10.0.0.0/24")
    w = World().set_pools(make_pool("pinned", "10.1.0.0/24", namespaces=["team"]), free)
    w.apply(make_service("team/svc"), make_service("kept"))
    assert w.ips("team/svc") == ["10.1.0.0"]
    w.forget_history().set_pools(make_pool("pinned", "10.1.0.0/24", namespaces=[]), free)
    assert w.ips("team/svc") == ["10.0.0.1"]
    assert w.told("team/svc") == [
        'Normal ClearAssignment current IP for "team/svc" not allowed by config, will attempt for '
        "new IP assignment: pool pinned not compatible for ip assignment",
        'Normal IPAllocated Assigned IP ["10.0.0.1"]',
    ]
    assert w.ips("kept") == ["10.0.0.0"]


def test_s45_label_change_on_the_service_costs_the_address():
    w = World().set_pools(
        make_pool("pinned", "10.1.0.0/24", selectors=[APP_X]),
        make_pool("free", "10.0.0.0/24"),
    )
    w.apply(make_service(labels={"app": "x"}))
    assert w.mark() == "pinned"
    w.apply(make_service(labels={"app": "y"}))
    assert (w.ips(), w.mark()) == (["10.0.0.0"], "free")


@pytest.mark.parametrize("wish", [{"ip": "10.1.0.5"}, {"pool": "pinned"}, {}])
def test_s46_selectors_that_match_no_namespace_pin_the_pool_to_nobody(wish):
    pinned = make_pool("pinned", "10.1.0.0/24", namespaces=[], selectors=[APP_X])
    w = World().set_pools(pinned).apply(make_service(labels={"app": "x"}, **wish))
    assert w.ips() == []


def test_s47_better_pools_and_priorities_never_move_a_service():
    w = World().set_pools(make_pool("a", "10.0.0.0/24", namespaces=["team"], priority=5))
    w.apply(make_service("team/svc")).forget_history()
    w.set_pools(
        make_pool("a", "10.0.0.0/24", namespaces=["team"], priority=50),
        make_pool("b", "10.1.0.0/24", namespaces=["team"], priority=1),
    )
    w.set_pools(make_pool("a", "10.0.0.0/24", auto_assign=False), make_pool("b", "10.1.0.0/24"))
    assert (w.ips("team/svc"), w.writes, w.events) == (["10.0.0.0"], [], [])
