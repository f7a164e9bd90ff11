"""How many writes the controller needs: counts, not times."""

import math
import time
from collections import Counter
from collections.abc import Iterator

import pytest
from tests.cluster import (
    Cluster,
    advertisement,
    node,
    pool,
    running_cluster,
    service,
    wait_until,
)

COUNT = 1000
STATUS = "services/status"
POOL_STATUS = "ipaddresspools/status"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory) -> Iterator[Cluster]:
    """One server for the whole story; each test goes on where the one before ended."""
    with running_cluster(tmp_path_factory.mktemp("counts")) as up:
        yield up


def since(cluster: Cluster, before: Counter[str]) -> Counter[str]:
    after = cluster.quiet_writes()
    after.subtract(before)
    return Counter({name: count for name, count in after.items() if count})


@pytest.fixture(scope="module")
def assigned(cluster: Cluster) -> Counter[str]:
    """A thousand Services with addresses; the writes that took, and `seconds`, rounded up."""
    # of an address that nobody may announce there would be an event more, 10 s later
    cluster.apply(pool("p", "10.1.0.0/16"), node(), advertisement())
    cluster.bulk([service(f"s{number:04}") for number in range(COUNT)])
    before = cluster.writes()
    began = time.monotonic()
    cluster.start_controller()
    wait_until("all have addresses", lambda: cluster.assigned() == COUNT)
    writes = since(cluster, before)
    writes["seconds"] = math.ceil(time.monotonic() - began)
    return writes


def addresses(cluster: Cluster) -> dict[str, str]:
    return {
        one["metadata"]["name"]: one["status"]["loadBalancer"]["ingress"][0]["ip"]
        for one in cluster.services()
        if one["status"]["loadBalancer"]
    }


def test_a_thousand_services_from_nothing_are_a_thousand_status_writes(cluster, assigned):
    assert assigned[STATUS] == COUNT
    assert assigned["services"] == 0
    assert assigned["events"] == COUNT
    assert len(set(addresses(cluster).values())) == COUNT


def test_a_burst_writes_a_pools_status_at_most_once_a_second(assigned):
    assert 1 <= assigned[POOL_STATUS] <= assigned["seconds"] + 1


def test_s71_a_restart_writes_neither_services_nor_pools(cluster, assigned):
    before = cluster.quiet_writes()
    held = addresses(cluster)
    assert cluster.controllers[-1].stop() == 0
    cluster.start_controller()
    assert since(cluster, before) == Counter()
    assert addresses(cluster) == held


def test_c24_deleting_one_writes_to_no_other_service(cluster, assigned):
    before = cluster.quiet_writes()
    cluster.kubectl("delete", "service", "s0500")
    written = since(cluster, before)
    assert written.pop("services") == 1  # the deletion itself
    assert written == Counter({POOL_STATUS: 1})


def test_creating_one_with_policy_local_writes_to_no_other_service(cluster, assigned):
    before = cluster.quiet_writes()
    cluster.apply(service("local", externalTrafficPolicy="Local"))
    cluster.wait_address("local")
    assert since(cluster, before) == Counter(
        {"services": 1, STATUS: 1, POOL_STATUS: 1, "events": 1}
    )


def test_s54_adding_a_pool_writes_to_no_service(cluster, assigned):
    before = cluster.quiet_writes()
    cluster.apply(pool("another", "10.2.0.0/24"))
    assert since(cluster, before) == Counter({"ipaddresspools": 1, POOL_STATUS: 1})


def test_relabelling_a_service_writes_nothing(cluster, assigned):
    before = cluster.quiet_writes()
    cluster.kubectl("label", "service", "s0001", "a=b")
    assert since(cluster, before) == Counter({"services": 1})


def test_freeing_one_of_an_exhausted_pool_writes_to_one_that_waits(cluster, assigned):
    """MetalLB needs 1,001 status writes and 999 events for this (measured elsewhere)."""
    cluster.apply(pool("small", "10.3.0.0/28", autoAssign=False))
    wish = {"metallb.io/address-pool": "small"}
    cluster.bulk([service(f"w{number:02}", annotations=wish) for number in range(40)])

    def settled():
        events = cluster.get("events", "--field-selector=reason=AllocationFailed")["items"]
        return len(events) == 24

    wait_until("those without an address are told", settled)
    holder = next(name for name, ip in addresses(cluster).items() if ip.startswith("10.3."))
    before = cluster.quiet_writes()
    cluster.kubectl("delete", "service", holder)
    written = since(cluster, before)
    assert written.pop("services") == 1  # the deletion itself
    assert written == Counter({STATUS: 1, "events": 1})
