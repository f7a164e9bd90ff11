"""What the wire shows while things break: judged by the lab's witness, never by our own status."""

import json
import os
import re
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address
from pathlib import Path

import pytest
from tests.cluster import advertisement, pool, service, wait_until
from tests.lab_cluster import FAILOVER_S, LabCluster

from ferrolb.lab import Lab, LabOptions, Witness, doubles, silences

OUTAGE_S = 600.0 if os.environ.get("FERROLB_TEST_PROFILE") == "long" else 60.0
FLOOD_S = 3.0
HEALED_S = 65.0
"""Dead members are asked every 60 s whether they live."""

NODES = frozenset({"n1", "n2", "n3"})


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabCluster]:
    folder = tmp_path_factory.mktemp("lab")
    with Lab.up(LabOptions(name="faults", root=folder)) as lab:
        up = LabCluster(folder=folder, kubeconfig=lab.kubeconfig, lab=lab)
        up.apply(pool("main", "192.168.100.0/25", "fd00:100::/112"), advertisement("main"))
        lab.add_pod("web-1", "n1", labels={"app": "web"})
        yield up


@pytest.fixture
def owned(cluster, request):
    """A dual-stack Service of the test's own: both addresses, and who announces them."""
    name = "s-" + re.sub(r"[^a-z0-9]+", "-", request.node.name)[-40:].strip("-")
    cluster.apply(
        service(
            name,
            ports=({"port": 80, "targetPort": 8080},),
            selector={"app": "web"},
            ipFamilyPolicy="RequireDualStack",
        )
    )
    addresses = [ip_address(text) for text in cluster.wait_address(name).split(",")]
    owner = cluster.wait_owner(str(addresses[0]))
    yield name, addresses, owner
    cluster.kubectl("delete", "service", name)


def watch(cluster, addresses):
    witness = Witness(cluster.lab.folder)
    witness.probe(addresses)
    began = time.monotonic()
    wait_until("every address is asked for", lambda: len(witness.timeline(began)) >= len(addresses))
    return witness


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


def test_w06_restart_of_a_speaker_that_does_not_own_the_address_claims_nothing(cluster, owned):
    _, addresses, owner = owned
    other = sorted(NODES - {owner})[0]
    witness = watch(cluster, addresses)
    began = time.monotonic()
    for _ in range(3):
        cluster.lab.fault("kill", other)
        cluster.lab.heal("kill", other)
        wait_until("it is ready", lambda: is_ready(cluster, other))
    for ip in addresses:
        assert {one.node for one in witness.claims(began, ip) if one.kind.is_claim} == {owner}
        assert list(doubles(witness.timeline(began)[ip])) == []


def is_ready(cluster, node):
    url = "http://127.0.0.1:17472/readyz"
    return cluster.lab.exec(node, ["curl", "-s", url]).stdout == "ok"


def test_c12_owner_that_is_stopped_hands_over_without_a_gap(cluster, owned):
    _, addresses, owner = owned
    witness = watch(cluster, addresses)
    began = time.monotonic()
    cluster.lab.fault("stop", owner)
    for ip in addresses:
        others_answer(witness, ip, owner)
    spans = witness.timeline(began)
    for ip in addresses:
        assert [b - a for a, b in silences(spans[ip]) if b - a > 0.05] == []
    cluster.lab.heal("stop", owner)
    for ip in addresses:
        owner_answers_alone(witness, ip, owner)


def test_claim_of_a_stranger_is_counted_and_does_not_silence_the_owner(cluster, owned):
    _, [ipv4, _], owner = owned
    cluster.lab.fault(f"duplicate-address:{ipv4}", "rogue")
    try:
        cluster.lab.exec("rogue", ["arping", "-c3", "-w3", "-U", "-I", "eth0", str(ipv4)])
        series = f'ferrolb_layer2_claims_total{{ip="{ipv4}"}}'
        wait_until("the claim is counted", lambda: series in cluster.metrics(owner))
        assert owner in cluster.nodes_answering(str(ipv4))
        wait_until(
            "the log names the address",
            lambda: "another host claims" in cluster.lab.log(f"speaker-{owner}"),
        )
    finally:
        cluster.lab.heal(f"duplicate-address:{ipv4}", "rogue")


def test_flood_leaves_the_speaker_answering_and_its_memory_bounded(cluster, owned):
    _, [ipv4, ipv6], owner = owned
    node = next(one for one in cluster.lab.status().nodes if one.name == owner)
    before = resident_mb(cluster, owner)
    # it sees every frame, and would have to keep up with the flood
    Witness(cluster.lab.folder).pause()
    script = str(Path(__file__).parent.with_name("lab_flood.py"))
    argv = [sys.executable, script, node.ipv4, str(ipv4), str(FLOOD_S)]
    with ThreadPoolExecutor(1) as pool_of_one:
        flood = pool_of_one.submit(cluster.lab.exec, "client", argv)
        while not flood.done():
            assert cluster.nodes_answering(str(ipv6), within_s=1.0) == {owner}
        done = flood.result()
    Witness(cluster.lab.folder).resume()
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["arp"] / FLOOD_S > 1_000
    assert cluster.nodes_answering(str(ipv4)) == {owner}
    assert resident_mb(cluster, owner) - before < 20
    metrics = cluster.metrics(owner)
    assert 'ferrolb_gossip_dropped_total{reason="undecryptable"}' in metrics
    assert "ferrolb_gossip_members 3.0" in metrics
    assert '"level": "error"' not in cluster.lab.log(f"speaker-{owner}")


def resident_mb(cluster, node):
    """Return how much memory a speaker holds."""
    pattern = r"^process_resident_memory_bytes (\S+)$"
    found = re.search(pattern, cluster.metrics(node), re.MULTILINE)
    assert found
    return float(found[1]) / 1e6


def test_k1_api_outage_changes_nothing_on_the_wire(cluster, owned):
    name, addresses, owner = owned
    witness = watch(cluster, addresses)
    cluster.lab.fault("api-stop", "all")
    began = time.monotonic()
    try:
        time.sleep(OUTAGE_S)
        spans = witness.timeline(began)
    finally:
        cluster.lab.heal("api-stop", "all")
    for ip in addresses:
        assert {node for span in spans[ip] for node in span.nodes} == {owner}
        assert [b - a for a, b in silences(spans[ip]) if b - a > 0.2] == []
        assert sum(span.questions for span in spans[ip]) > OUTAGE_S / 0.02
    assert is_ready(cluster, owner)
    cluster.kubectl("delete", "service", name)
    cluster.wait_silent(str(addresses[0]))
    cluster.apply(service(name, selector={"app": "web"}))


def test_l1_l2_frozen_owner_is_replaced_and_gets_its_address_back(cluster, owned):
    _, addresses, owner = owned
    witness = watch(cluster, addresses)
    cluster.lab.fault("freeze", owner)
    cluster.lab.fault("port-down", owner)
    began = time.monotonic()
    try:
        for ip in addresses:
            others_answer(witness, ip, owner, deadline_s=FAILOVER_S - (time.monotonic() - began))
    finally:
        cluster.lab.heal("port-down", owner)
        cluster.lab.heal("freeze", owner)
    for ip in addresses:
        owner_answers_alone(witness, ip, owner, deadline_s=HEALED_S)


def test_l1_gossip_partition_is_over_within_the_bound_after_it_has_healed(cluster, owned):
    _, addresses, owner = owned
    witness = watch(cluster, addresses)
    others = sorted(NODES - {owner})
    cluster.lab.fault("gossip-partition", owner)
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
        healed = cluster.lab.heal("gossip-partition", owner).at
    for ip in addresses:
        left_s = HEALED_S - (time.monotonic() - healed)
        owner_answers_alone(witness, ip, owner, deadline_s=left_s)
    began = time.monotonic()
    assert cluster.curl(str(addresses[0]))["pod"] == "web-1"
    spans = witness.timeline(began)
    assert [double for ip in addresses for double in doubles(spans[ip])] == []
