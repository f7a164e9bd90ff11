"""What strangers on the segment can do to a speaker: claim its address, flood it."""

import json
import re
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.cluster import advertisement, pool, service, wait_until
from tests.lab_cluster import LabCluster

from ferrolb.lab import Lab, LabOptions, Witness

FLOOD_S = 3.0
IPV4 = "192.168.100.1"
IPV6 = "fd00:100::1"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabCluster]:
    folder = tmp_path_factory.mktemp("lab")
    with Lab.up(LabOptions(name="strangers", root=folder)) as lab:
        up = LabCluster(folder=folder, kubeconfig=lab.kubeconfig, lab=lab)
        up.wait_members()
        up.apply(pool("main", f"{IPV4}/32", f"{IPV6}/128"), advertisement("main"))
        lab.add_pod("web-1", "n1", labels={"app": "web"})
        up.apply(
            service("web", selector={"app": "web"}, ipFamilyPolicy="RequireDualStack"),
        )
        yield up


@pytest.fixture
def owner(cluster) -> str:
    return str(cluster.wait_owner(IPV4))


def test_claim_of_a_stranger_is_counted_and_does_not_silence_the_owner(cluster, owner):
    cluster.lab.fault(f"duplicate-address:{IPV4}", "rogue")
    try:
        cluster.lab.exec("rogue", ["arping", "-c3", "-w3", "-U", "-I", "eth0", IPV4])
        series = f'ferrolb_layer2_claims_total{{ip="{IPV4}"}}'
        wait_until("the claim is counted", lambda: series in cluster.metrics(owner))
        assert owner in cluster.nodes_answering(IPV4)
        wait_until(
            "the log names the address",
            lambda: "another host claims" in cluster.lab.log(f"speaker-{owner}"),
        )
    finally:
        cluster.lab.heal(f"duplicate-address:{IPV4}", "rogue")


def test_flood_leaves_the_speaker_answering_and_its_memory_bounded(cluster, owner):
    node = next(one for one in cluster.lab.status().nodes if one.name == owner)
    before = resident_mb(cluster, owner)
    # it sees every frame, and would have to keep up with the flood
    Witness(cluster.lab.folder).pause()
    script = str(Path(__file__).parent.with_name("lab_flood.py"))
    argv = [sys.executable, script, node.ipv4, IPV4, str(FLOOD_S)]
    with ThreadPoolExecutor(1) as pool_of_one:
        flood = pool_of_one.submit(cluster.lab.exec, "client", argv)
        while not flood.done():
            assert cluster.nodes_answering(IPV6, within_s=1.0) == {owner}
        done = flood.result()
    Witness(cluster.lab.folder).resume()
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["arp"] / FLOOD_S > 1_000
    assert cluster.nodes_answering(IPV4) == {owner}
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
