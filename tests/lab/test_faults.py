"""What the wire shows while things break: judged by the lab's witness, never by our own status."""

import os
import re
import time
from collections.abc import Iterator
from ipaddress import ip_address

import pytest
from tests.cluster import advertisement, pool, service, wait_until
from tests.lab_cluster import FAILOVER_S, LabCluster

from ferrolb.lab import Judge, Lab, LabOptions, doubles, silences

OUTAGE_S = 600.0 if os.environ.get("FERROLB_TEST_PROFILE") == "long" else 60.0
HEALED_S = 65.0
"""Dead members are asked every 60 s whether they live."""

NODES = frozenset({"n1", "n2", "n3"})


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabCluster]:
    folder = tmp_path_factory.mktemp("lab")
    with Lab.up(LabOptions(name="faults", root=folder)) as lab:
        up = LabCluster(folder=folder, kubeconfig=lab.kubeconfig, lab=lab)
        up.wait_members()
        up.apply(pool("main", "192.168.100.0/25", "fd00:100::/112"), advertisement("main"))
        lab.add_pod("web-1", "n1", labels={"app": "web"})
        yield up


@pytest.fixture(scope="module")
def judge(cluster) -> Iterator[Judge]:
    """Told of every address and fault; at the end nothing on the wire may break L1 to L3 or K1."""
    judge = Judge(cluster.lab)
    yield judge
    assert judge.verdict() == []


@pytest.fixture(scope="module")
def numbers() -> Iterator[int]:
    return iter(range(1, 100))


@pytest.fixture
def owned(cluster, judge, numbers, request):
    """A dual-stack Service of the test's own: both addresses, and who announces them."""
    name = "s-" + re.sub(r"[^a-z0-9]+", "-", request.node.name)[-40:].strip("-")
    number = next(numbers)
    addresses = [ip_address(f"192.168.100.{number}"), ip_address(f"fd00:100::{number:x}")]
    for ip in addresses:
        judge.expect(ip)
    cluster.apply(
        service(
            name,
            annotations={"metallb.io/loadBalancerIPs": ",".join(map(str, addresses))},
            ports=({"port": 80, "targetPort": 8080},),
            selector={"app": "web"},
            ipFamilyPolicy="RequireDualStack",
        )
    )
    owner = cluster.wait_owner(str(addresses[0]))
    yield name, addresses, owner
    for ip in addresses:
        judge.expect(ip, ())
    cluster.kubectl("delete", "service", name, "--ignore-not-found")


def others_answer(witness, ip, owner, *, deadline_s=FAILOVER_S):
    """Wait until a node that is not the owner answers."""
    wait_until(
        f"another node than {owner} answers for {ip}",
        lambda: answering(witness, ip) - {owner},
        deadline_s=deadline_s,
    )


def owner_answers_alone(witness, ip, owner, *, deadline_s=FAILOVER_S):
    """Wait until the owner answers, and nobody else."""
    wait_until(
        f"{owner} alone answers for {ip}",
        lambda: answering(witness, ip) == {owner},
        deadline_s=deadline_s,
    )


def gossip_members(cluster, node):
    """Return how many members a speaker sees."""
    found = re.search(r"^ferrolb_gossip_members (\S+)$", cluster.metrics(node), re.MULTILINE)
    assert found
    return float(found[1])


def answering(witness, ip, *, seconds=0.3):
    """Return who answered lately."""
    spans = witness.timeline(time.monotonic() - seconds).get(ip, ())
    return {node for span in spans for node in span.nodes}


def test_w06_restart_of_a_speaker_that_does_not_own_the_address_claims_nothing(
    cluster, judge, owned
):
    _, addresses, owner = owned
    other = sorted(NODES - {owner})[0]
    witness = judge.witness
    began = time.monotonic()
    for _ in range(3):
        judge.fault("kill", other)
        judge.heal("kill", other)
        wait_until("it is ready", lambda: is_ready(cluster, other))
    for ip in addresses:
        assert {one.node for one in witness.claims(began, ip) if one.kind.is_claim} == {owner}
        assert list(doubles(witness.timeline(began)[ip])) == []


def is_ready(cluster, node):
    url = "http://127.0.0.1:17472/readyz"
    return cluster.lab.exec(node, ["curl", "-s", url]).stdout == "ok"


def test_c12_owner_that_is_stopped_hands_over_without_a_gap(cluster, judge, owned):
    _, addresses, owner = owned
    witness = judge.witness
    began = time.monotonic()
    judge.fault("stop", owner)
    for ip in addresses:
        others_answer(witness, ip, owner)
    spans = witness.timeline(began)
    for ip in addresses:
        assert [b - a for a, b in silences(spans[ip]) if b - a > 0.05] == []
    judge.heal("stop", owner)
    for ip in addresses:
        owner_answers_alone(witness, ip, owner)


def test_k1_api_outage_changes_nothing_on_the_wire(cluster, judge, owned):
    name, addresses, owner = owned
    witness = judge.witness
    judge.fault("api-stop", "all")
    began = time.monotonic()
    try:
        time.sleep(OUTAGE_S)
        spans = witness.timeline(began)
    finally:
        judge.heal("api-stop", "all")
    for ip in addresses:
        assert {node for span in spans[ip] for node in span.nodes} == {owner}
        assert [b - a for a, b in silences(spans[ip]) if b - a > 0.2] == []
        assert sum(span.questions for span in spans[ip]) > OUTAGE_S / 0.02
    assert is_ready(cluster, owner)
    cluster.kubectl("delete", "service", name)
    # how soon depends on when the watches try again
    for ip in addresses:
        cluster.wait_silent(str(ip))
        judge.expect(ip, ())


def test_l1_l2_frozen_owner_is_replaced_and_gets_its_address_back(cluster, judge, owned):
    _, addresses, owner = owned
    witness = judge.witness
    judge.fault("freeze", owner)
    judge.fault("port-down", owner)
    began = time.monotonic()
    try:
        for ip in addresses:
            others_answer(witness, ip, owner, deadline_s=FAILOVER_S - (time.monotonic() - began))
    finally:
        judge.heal("port-down", owner)
        judge.heal("freeze", owner)
    for ip in addresses:
        owner_answers_alone(witness, ip, owner, deadline_s=HEALED_S)


def test_l1_gossip_partition_is_over_within_the_bound_after_it_has_healed(cluster, judge, owned):
    _, addresses, owner = owned
    witness = judge.witness
    others = sorted(NODES - {owner})
    judge.fault("gossip-partition", owner)
    try:
        wait_until("the owner is alone", lambda: gossip_members(cluster, owner) == 1)
        wait_until(
            "it is dead to the others",
            lambda: [gossip_members(cluster, node) for node in others] == [2, 2],
        )
        for ip in addresses:
            others_answer(witness, ip, owner)
            assert owner in answering(witness, ip)
    finally:
        healed = judge.heal("gossip-partition", owner).at
    for ip in addresses:
        left_s = HEALED_S - (time.monotonic() - healed)
        owner_answers_alone(witness, ip, owner, deadline_s=left_s)
    began = time.monotonic()
    assert cluster.curl(str(addresses[0]))["pod"] == "web-1"
    spans = witness.timeline(began)
    assert [double for ip in addresses for double in doubles(spans[ip])] == []
