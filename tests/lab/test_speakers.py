"""Speakers in a lab: what a client on the segment sees, and what kubectl says about it."""

import json
import re
import time
from collections.abc import Iterator
from ipaddress import ip_address
from typing import Any

import pytest
from tests.cluster import advertisement, pool, service, wait_until
from tests.lab_cluster import FAILOVER_S, LabCluster, lab_options

from ferrolb.lab import Judge, Lab

V4 = "192.168.100.0/25"
V6 = "fd00:100::/112"
UNCOVERED = "203.0.113.0/28"
NODES = frozenset({"n1", "n2", "n3"})
DUAL: dict[str, Any] = {"ipFamilyPolicy": "RequireDualStack"}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabCluster]:
    """Three nodes; pods of `web` on n1 and n2; every pool but one is announced."""
    folder = tmp_path_factory.mktemp("lab")
    with Lab.up(lab_options(name="speakers", root=folder)) as lab:
        up = LabCluster(folder=folder, kubeconfig=lab.kubeconfig, lab=lab)
        up.wait_members()
        up.apply(
            pool("main", V4, V6),
            pool("uncovered", UNCOVERED, autoAssign=False),
            advertisement("main", ipAddressPools=["main"]),
        )
        lab.add_pod("web-1", "n1", labels={"app": "web"})
        lab.add_pod("web-2", "n2", labels={"app": "web"})
        yield up


@pytest.fixture(scope="module")
def judge(cluster) -> Iterator[Judge]:
    """Told who may announce what; at the end nothing on the wire may break L1 to L3."""
    judge = Judge(cluster.lab)
    yield judge
    assert judge.verdict() == []


def expect(judge, nodes, *ips):
    """From now on these nodes, and no others, may announce these addresses."""
    for ip in ips:
        judge.expect(ip_address(ip), nodes)


def asking(*ips):
    return {"metallb.io/loadBalancerIPs": ",".join(ips)}


def web(name, *ips, **spec):
    ports = ({"port": 80, "targetPort": 8080},)
    fields = {"selector": {"app": "web"}, "annotations": asking(*ips), **spec}
    return service(name, ports=ports, **fields)


def owner_in_event(cluster, name):
    message = cluster.wait_event(name, "nodeAssigned")["message"]
    found = re.fullmatch(r'announcing from node "(n\d)"', message)
    assert found, message
    return found[1]


def test_req25_r28_r29_applied_service_is_reachable_and_described_until_it_is_deleted(
    cluster, judge
):
    ports = (
        {"name": "web", "port": 80, "targetPort": 8080},
        {"name": "echo", "port": 80, "targetPort": 8080, "protocol": "UDP"},
    )
    ipv4, ipv6 = "192.168.100.1", "fd00:100::1"
    expect(judge, NODES, ipv4, ipv6)
    cluster.apply(
        service(
            "view",
            annotations=asking(ipv4, ipv6),
            selector={"app": "web"},
            ports=ports,
            **DUAL,
        )
    )
    node = owner_in_event(cluster, "view")
    assert {cluster.wait_owner(ipv4), cluster.wait_owner(ipv6)} == {node}
    assert cluster.curl(ipv4)["pod"] in ("web-1", "web-2")
    assert cluster.curl(ipv6)["pod"] in ("web-1", "web-2")
    assert cluster.ask_by_udp(ipv4)["pod"] in ("web-1", "web-2")
    assert cluster.ask_by_udp(ipv6)["pod"] in ("web-1", "web-2")
    assert cluster.wait_status("view", node) == {
        "node": node,
        "serviceName": "view",
        "serviceNamespace": "default",
    }
    assert re.search(
        rf'Normal +nodeAssigned +\S+ +metallb-speaker +announcing from node "{node}"',
        cluster.kubectl("describe", "service", "view"),
    )
    expect(judge, (), ipv4, ipv6)
    cluster.kubectl("delete", "service", "view")
    cluster.wait_silent(ipv4)
    cluster.wait_silent(ipv6)
    wait_until("its status object is gone", lambda: not cluster.statuses("view"))


def test_policy_local_is_answered_only_by_nodes_with_a_pod_and_keeps_the_client(cluster, judge):
    cluster.lab.add_pod("local-3", "n3", labels={"app": "local"})
    ip = "192.168.100.2"
    expect(judge, {"n3"}, ip)
    cluster.apply(web("local", ip, selector={"app": "local"}, externalTrafficPolicy="Local"))
    assert cluster.wait_owner(ip, among={"n3"}) == "n3"
    answer = cluster.curl(ip)
    assert answer["pod"] == "local-3"
    assert answer["client"].startswith(cluster.lab.status().client_ipv4)
    expect(judge, (), ip)
    cluster.lab.delete_pod("local-3")
    cluster.wait_silent(ip)


def test_c25_address_without_any_advertisement_gets_its_not_announced(cluster, judge):
    cluster.apply(web("uncovered", annotations={"metallb.io/address-pool": "uncovered"}))
    ip = cluster.wait_address("uncovered")
    event = cluster.wait_event("uncovered", "notAnnounced")
    assert event["type"] == "Warning"
    assert event["source"]["component"] == "metallb-controller"
    assert '"uncovered"' in event["message"]
    assert not cluster.nodes_answering(ip)
    expect(judge, NODES, ip)
    cluster.apply(advertisement("late", ipAddressPools=["uncovered"]))
    cluster.wait_owner(ip)
    expect(judge, (), ip)
    cluster.kubectl("delete", "l2advertisement", "late", "-n", "metallb-system")
    cluster.wait_silent(ip)


def test_r25_node_that_gets_the_label_later_announces(cluster, judge):
    selector = [{"matchLabels": {"rack": "one"}}]
    cluster.apply(
        pool("labelled", "192.168.100.128/32", autoAssign=False),
        advertisement("labelled", ipAddressPools=["labelled"], nodeSelectors=selector),
        web("labelled", annotations={"metallb.io/address-pool": "labelled"}),
    )
    ip = cluster.wait_address("labelled")
    assert not cluster.nodes_answering(ip)
    expect(judge, {"n2"}, ip)
    cluster.kubectl("label", "node", "n2", "rack=one")
    assert cluster.wait_owner(ip, among={"n2"}) == "n2"
    expect(judge, (), ip)
    cluster.kubectl("label", "node", "n2", "rack-")
    cluster.wait_silent(ip)


def test_r27_w11_unknown_interface_is_announced_by_nobody_and_said_so(cluster, judge):
    cluster.apply(
        pool("wired", "192.168.100.129/32", autoAssign=False),
        advertisement("wired", ipAddressPools=["wired"], interfaces=["eth9"]),
        web("wired", annotations={"metallb.io/address-pool": "wired"}),
    )
    ip = cluster.wait_address("wired")
    message = cluster.wait_event("wired", "announceFailed")["message"]
    assert re.fullmatch(
        rf'the interfaces specified by LB IP "{re.escape(ip)}" doesn\'t exist in assigned node '
        r'"n\d" with protocol "layer2"',
        message,
    )
    assert not cluster.nodes_answering(ip)
    assert cluster.statuses("wired") == []
    assert not [e for e in cluster.events("wired") if e["reason"] == "nodeAssigned"]
    states = cluster.get("configurationstates", "-n", "metallb-system")["items"]
    speakers = [s for s in states if s["metadata"]["name"].startswith("speaker-")]
    assert {s["status"]["result"] for s in speakers} == {"Valid"}
    assert len(speakers) == 3
    expect(judge, NODES, ip)
    cluster.apply(advertisement("wired", ipAddressPools=["wired"], interfaces=["eth0", "eth9"]))
    node = cluster.wait_owner(ip)
    status = cluster.wait_status("wired", node)
    assert status["interfaces"] == [{"name": "eth0"}, {"name": "eth9"}]


def test_r27_w08_w09_answers_follow_the_selected_interface(cluster, judge):
    """A second cable to the same switch, plugged in while the speaker runs."""
    cluster.apply(
        pool("moved", "192.168.100.130/32", autoAssign=False),
        advertisement(
            "moved",
            ipAddressPools=["moved"],
            interfaces=["eth7"],
            nodeSelectors=[{"matchLabels": {"kubernetes.io/hostname": "n1"}}],
        ),
    )
    cluster.kubectl("label", "node", "n1", "kubernetes.io/hostname=n1", "--overwrite")
    cluster.apply(web("moved", annotations={"metallb.io/address-pool": "moved"}))
    ip = cluster.wait_address("moved")
    cluster.wait_event("moved", "announceFailed")
    mac = "02:fe:00:00:07:01"
    for host, words in (
        ("sw", "link add p-extra type veth peer name eth7"),
        ("sw", "link set eth7 netns n1"),
        ("sw", "link set p-extra master br0 up"),
        ("n1", f"link set eth7 address {mac}"),
        ("n1", "link set eth7 up"),
    ):
        done = cluster.lab.exec(host, ["ip", *words.split()])
        assert done.returncode == 0, done.stderr
    wait_until(
        "the new interface answers, and no other",
        lambda: cluster.nodes_answering(ip) == {mac},
        deadline_s=FAILOVER_S,
    )
    cluster.lab.exec("n1", ["ip", "link", "set", "eth7", "address", "02:fe:00:00:07:02"])
    wait_until(
        "a changed MAC is what it answers with",
        lambda: cluster.nodes_answering(ip) == {"02:fe:00:00:07:02"},
        deadline_s=FAILOVER_S,
    )
    cluster.lab.exec("n1", ["ip", "link", "delete", "eth7"])
    cluster.wait_silent(ip)


def test_r33_metrics_of_the_owner_and_of_the_others(cluster, judge):
    ip = "192.168.100.3"
    expect(judge, NODES, ip)
    cluster.apply(web("counted", ip))
    node = cluster.wait_owner(ip)
    series = (
        f'metallb_speaker_announced{{ip="{ip}",node="{node}",protocol="layer2",'
        'service="default/counted"} 1.0'
    )
    assert series in cluster.metrics(node)
    counts = {
        name: float(value)
        for name, value in re.findall(
            rf'^metallb_layer2_(\w+){{ip="{re.escape(ip)}"}} (\S+)$',
            cluster.metrics(node),
            re.MULTILINE,
        )
    }
    assert counts.keys() == {"requests_received", "responses_sent", "gratuitous_sent"}
    assert min(counts.values()) >= 1
    for other in {"n1", "n2", "n3"} - {node}:
        assert "default/counted" not in cluster.metrics(other)
    expect(judge, (), ip)
    cluster.kubectl("delete", "service", "counted")
    wait_until(
        "the series goes with the Service",
        lambda: "default/counted" not in cluster.metrics(node),
    )


@pytest.mark.parametrize(
    ("spoil", "mend"),
    [
        ("exclude", "node.kubernetes.io/exclude-from-external-load-balancers"),
        ("network", "NetworkUnavailable"),
    ],
)
def test_r12_r23_spoiled_leader_hands_over_and_gets_it_back(cluster, judge, spoil, mend):
    ip = {"exclude": "192.168.100.4", "network": "192.168.100.5"}[spoil]
    expect(judge, NODES, ip)
    cluster.apply(web(f"spoiled-{spoil}", ip))
    node = cluster.wait_owner(ip)

    def set_network(value):
        condition = [{"type": mend, "status": value, "reason": "Test", "message": "test"}]
        found = cluster.get("node", node)["status"].get("conditions", [])
        kept = [one for one in found if one["type"] != mend]
        patch = json.dumps({"status": {"conditions": kept + condition}})
        cluster.kubectl("patch", "node", node, "--subresource=status", "--type=merge", "-p", patch)

    expect(judge, NODES - {node}, ip)
    if spoil == "exclude":
        cluster.kubectl("label", "node", node, f"{mend}=")
    else:
        set_network("True")
    try:
        other = wait_until(
            "another node answers alone",
            lambda: (cluster.nodes_answering(ip) - {node}) or None,
        )
        wait_until("only that one", lambda: cluster.nodes_answering(ip) == other)
    finally:
        expect(judge, NODES, ip)
        if spoil == "exclude":
            cluster.kubectl("label", "node", node, f"{mend}-")
        else:
            set_network("False")
    wait_until("the leader is back", lambda: cluster.nodes_answering(ip) == {node})


def test_r26_r29_status_object_follows_the_owner(cluster, judge):
    ip = "192.168.100.6"
    expect(judge, NODES, ip)
    cluster.apply(web("followed", ip))
    node = cluster.wait_owner(ip)
    cluster.wait_status("followed", node)
    judge.fault("stop", node)
    try:
        other = cluster.wait_owner(ip, among={"n1", "n2", "n3"} - {node})
        cluster.wait_status("followed", other)
    finally:
        judge.heal("stop", node)
    wait_until("the first owner has it back", lambda: cluster.nodes_answering(ip) == {node})
    cluster.wait_status("followed", node)
    wait_until("its event is the newest", lambda: newest_owner(cluster, "followed") == node)


def newest_owner(cluster, name):
    events = [e for e in cluster.events(name) if e["reason"] == "nodeAssigned"]
    newest = max(events, key=lambda e: (e["lastTimestamp"], e["count"]))
    return newest["message"].split('"')[1]


def test_l2_crashed_owner_is_replaced_within_the_bound(cluster, judge):
    ipv4, ipv6 = "192.168.100.7", "fd00:100::7"
    expect(judge, NODES, ipv4, ipv6)
    cluster.lab.add_pod("crashed-1", "n1", labels={"app": "crashed"})
    cluster.apply(web("crashed", ipv4, ipv6, selector={"app": "crashed"}, **DUAL))
    node = cluster.wait_owner(ipv4)
    if node == "n1":  # a pod on the node that dies would be lost with it
        cluster.lab.add_pod("crashed-2", "n2", labels={"app": "crashed"})
        cluster.lab.delete_pod("crashed-1")
    judge.fault("kill", node)
    judge.fault("port-down", node)
    began = time.monotonic()
    try:
        wait_until(
            "another node answers both families",
            lambda: cluster.nodes_answering(ipv4) and cluster.nodes_answering(ipv6),
            deadline_s=FAILOVER_S,
        )
        assert time.monotonic() - began < FAILOVER_S
        assert cluster.curl(ipv4)["pod"]
    finally:
        judge.heal("port-down", node)
        judge.heal("kill", node)
    wait_until("the owner has it back", lambda: cluster.nodes_answering(ipv4) == {node})


def test_metrics_and_probes_tell_the_truth(cluster, judge):
    ready = cluster.lab.exec("n1", ["curl", "-s", "http://127.0.0.1:17472/readyz"])
    assert ready.stdout == "ok"
    wait_until(
        "every speaker is a member",
        lambda: "ferrolb_gossip_members 3.0" in cluster.metrics("n1"),
        deadline_s=65.0,
    )
    metrics = cluster.metrics("n1")
    assert "metallb_k8s_client_config_loaded_bool 1.0" in metrics
    assert "metallb_k8s_client_config_stale_bool 0.0" in metrics
