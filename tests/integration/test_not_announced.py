"""An address that nobody may announce, as its user sees it: real kubectl, real programs."""

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

pytestmark = pytest.mark.slow

DELAY_S = 10.0
REASON = "notAnnounced"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory) -> Iterator[Cluster]:
    with running_cluster(tmp_path_factory.mktemp("coverage")) as up:
        up.apply(pool("p", "192.0.2.0/28"), node("node-a", rack="1"))
        up.start_controller()
        yield up


def told(cluster: Cluster, name: str) -> list[str]:
    return [event["message"] for event in cluster.events(name) if event["reason"] == REASON]


def test_c25_kubectl_shows_it_ten_seconds_after_the_address(cluster):
    before = time.monotonic()
    cluster.apply(service("hole"))
    cluster.wait_address("hole", "192.0.2.0")
    event = cluster.wait_event("hole", REASON)
    assert time.monotonic() - before >= DELAY_S
    text = 'no node may announce ["192.0.2.0"]: no advertisement selects the address pool "p"'
    assert event["message"] == text
    assert event["source"]["component"] == "metallb-controller"
    assert event["type"] == "Warning"
    listed = cluster.kubectl("get", "events", "--field-selector", f"reason={REASON}")
    assert text in listed
    assert text in cluster.kubectl("describe", "service", "hole")


def test_c25_another_reason_is_told_at_once_and_what_is_covered_is_not(cluster):
    cluster.apply(advertisement("needy", nodeSelectors=[{"matchLabels": {"rack": "2"}}]))
    why = 'no node matches the node selectors of advertisement "needy"'
    wait_until("the reason has changed", lambda: why in told(cluster, "hole")[-1])
    cluster.kubectl("label", "node", "node-a", "rack=2", "--overwrite")
    cluster.apply(service("fine"))
    cluster.wait_address("fine")
    before = cluster.quiet_writes(quiet_s=DELAY_S + 4)
    assert told(cluster, "fine") == []
    # a restart has nothing to say either
    assert cluster.controllers[-1].stop() == 0
    cluster.start_controller()
    after = cluster.quiet_writes(quiet_s=DELAY_S + 4)
    assert after - before == Counter()
