"""The user's view where everything but us is real: kube-apiserver, controller manager, kube-proxy.

Collected only when `FERROLB_TEST_API=real` says that their binaries are there.
"""

import importlib.resources
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path

import pytest
from tests.cluster import advertisement, pool, service, wait_until
from tests.lab_cluster import FAILOVER_S, LabCluster, real_options

from ferrolb.lab import ApiKind, Judge, Lab, ProxyKind

NODES = frozenset({"n1", "n2", "n3"})
MANIFESTS = importlib.resources.files("ferrolb.demo").joinpath("manifests")
SERVICE_LABEL = "kubernetes.io/service-name"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabCluster]:
    """Three nodes with the chapter's pools and pods, and an advertisement of everything."""
    folder = tmp_path_factory.mktemp("lab")
    with Lab.up(real_options(name="real", root=folder)) as lab:
        up = LabCluster(folder=folder, kubeconfig=lab.kubeconfig, lab=lab)
        up.wait_members()
        up.apply(chapter("00-pools"), chapter("05-pods"), advertisement())
        up.apply(pool("dual", "192.168.100.128/28", "fd00:100::/112"))
        up.kubectl("wait", "pods", "--all", "--for=condition=Ready", "--timeout=20s")
        yield up


@pytest.fixture(scope="module")
def judge(cluster) -> Iterator[Judge]:
    """Told who may announce what; at the end nothing on the wire may break L1 to L3 or K1."""
    judge = Judge(cluster.lab)
    yield judge
    assert judge.verdict() == []


def chapter(name):
    """Return a manifest of the requirement's chapter."""
    return MANIFESTS.joinpath(f"{name}.yaml").read_text(encoding="utf-8")


def expect(judge, nodes, *ips):
    """From now on these nodes, and no others, may announce these addresses."""
    for ip in ips:
        judge.expect(ip_address(ip), nodes)


def serving(name, app, ip, **spec):
    """Return a Service that asks for an address, of pods that listen on 8080."""
    return service(
        name,
        annotations={"metallb.io/loadBalancerIPs": ip},
        ports=({"port": 80, "targetPort": 8080},),
        selector={"app": app},
        **spec,
    )


def withdraw(cluster, judge, ips, *words):
    """Delete what is announced under these addresses; from now on nobody may announce them.

    kubectl is not to wait: the judge would take the silence meanwhile for an outage.
    """
    cluster.kubectl("delete", *words, "--wait=false")
    expect(judge, (), *ips)


def slices(cluster, name):
    """Return a Service's EndpointSlices."""
    return cluster.get("endpointslices", "-l", f"{SERVICE_LABEL}={name}")["items"]


def ready(cluster, name):
    """Return the addresses of a Service's ready endpoints."""
    return {
        address
        for one in slices(cluster, name)
        for endpoint in one["endpoints"] or []
        if endpoint["conditions"]["ready"]
        for address in endpoint["addresses"]
    }


def test_servers_proxies_and_programs_are_the_real_ones(cluster):
    states = {one.name: one.state for one in cluster.lab.status().programs}
    expected = {"envtest", *(f"kube-proxy-{node}" for node in NODES)}
    assert expected <= states.keys()
    assert "devserver" not in states
    assert set(states.values()) == {"running"}
    for node in NODES:
        tables = cluster.lab.exec(node, ["nft", "list", "tables"]).stdout
        assert "table ip kube-proxy\n" in tables
        assert "ferrolb-proxy" not in tables
    nodes = cluster.get("nodes")["items"]
    assert {node["metadata"]["name"] for node in nodes} == NODES
    for node in nodes:
        conditions = {one["type"]: one["status"] for one in node["status"]["conditions"]}
        assert conditions["Ready"] == "True"
        assert not node["spec"].get("taints")


def test_req25_chapter_is_applied_reached_described_and_deleted(cluster, judge):
    named, shared = "192.168.100.5", "172.31.249.7"
    expect(judge, NODES, named, shared)
    cluster.apply(chapter("20-named-pool"), chapter("40-shared-address"))
    assert cluster.wait_address("named-pool") == named
    assert cluster.wait_address("service-http") == cluster.wait_address("service-https") == shared
    owner = cluster.wait_owner(named)
    cluster.wait_owner(shared)
    assert cluster.curl(named)["pod"] in ("service-a", "service-b")
    assert cluster.curl(shared)["pod"] in ("web-a", "web-b")
    assert cluster.curl(shared, port=443)["pod"] in ("web-a", "web-b")
    cluster.wait_event("named-pool", "nodeAssigned")
    assert re.search(
        rf'Normal +nodeAssigned +\S+ +metallb-speaker +announcing from node "{owner}"',
        cluster.kubectl("describe", "service", "named-pool"),
    )
    withdraw(
        cluster,
        judge,
        (
            named,
            shared,
        ),
        "service",
        "named-pool",
        "service-http",
        "service-https",
    )
    cluster.wait_silent(named)
    cluster.wait_silent(shared)
    wait_until("its slices are collected", lambda: not slices(cluster, "named-pool"))


def test_dual_stack_service_is_reached_by_both_families_and_hides_the_client(cluster, judge):
    ipv4, ipv6 = "192.168.100.128", "fd00:100::6"
    expect(judge, NODES, ipv4, ipv6)
    cluster.apply(
        serving("dual", "service_name", f"{ipv4},{ipv6}", ipFamilyPolicy="RequireDualStack")
    )
    owner = cluster.wait_owner(ipv4)
    assert cluster.wait_owner(ipv6) == owner
    by_name = {node.name: node for node in cluster.lab.status().nodes}
    for ip, client in ((ipv4, by_name[owner].ipv4), (ipv6, by_name[owner].ipv6)):
        answers = [cluster.curl(ip) for _ in range(16)]
        assert {one["pod"] for one in answers} == {"service-a", "service-b"}
        assert {one["client"] for one in answers} == {client}
    made_by = {
        one["metadata"]["labels"]["endpointslice.kubernetes.io/managed-by"]
        for one in slices(cluster, "dual")
    }
    assert made_by == {"endpointslice-controller.k8s.io"}
    assert {one["addressType"] for one in slices(cluster, "dual")} == {"IPv4", "IPv6"}
    withdraw(
        cluster,
        judge,
        (
            ipv4,
            ipv6,
        ),
        "service",
        "dual",
    )
    cluster.wait_silent(ipv4)
    cluster.wait_silent(ipv6)


@pytest.mark.parametrize("ip", ["192.168.100.7", "fd00:100::7"])
def test_policy_local_is_served_only_where_a_pod_is_and_keeps_the_client(cluster, judge, ip):
    family = "6" if ":" in ip else "4"
    name, status = f"local-{family}", cluster.lab.status()
    cluster.lab.add_pod(f"{name}-2", "n2", labels={"app": name})
    expect(judge, {"n2"}, ip)
    policy = {"externalTrafficPolicy": "Local", "ipFamilies": [f"IPv{family}"]}
    cluster.apply(serving(name, name, ip, **policy))
    assert cluster.wait_owner(ip, among={"n2"}) == "n2"
    answer = cluster.curl(ip)
    assert answer["pod"] == f"{name}-2"
    assert answer["client"] == {"4": status.client_ipv4, "6": status.client_ipv6}[family]
    # a second pod, and the first one goes: the address moves with it
    expect(judge, {"n2", "n3"}, ip)
    cluster.lab.add_pod(f"{name}-3", "n3", labels={"app": name})
    cluster.lab.delete_pod(f"{name}-2")
    assert cluster.wait_owner(ip, among={"n2", "n3"})
    wait_until("n3 alone answers", lambda: cluster.nodes_answering(ip) == {"n3"})
    expect(judge, {"n3"}, ip)
    assert cluster.curl(ip)["pod"] == f"{name}-3"
    withdraw(cluster, judge, (ip,), "pod", f"{name}-3")
    cluster.wait_silent(ip)


def test_endpoints_follow_pods_as_they_come_are_unready_and_go(cluster, judge):
    ip = "192.168.100.8"
    expect(judge, NODES, ip)
    pods = {"scaled-1": "n1"}
    cluster.lab.add_pod("scaled-1", "n1", labels={"app": "scaled"})
    cluster.apply(serving("scaled", "scaled", ip))
    cluster.wait_owner(ip)
    assert cluster.curl(ip)["pod"] == "scaled-1"
    for number, node in ((2, "n2"), (3, "n3"), (4, "n3")):
        pods[f"scaled-{number}"] = node
        cluster.lab.add_pod(f"scaled-{number}", node, labels={"app": "scaled"})
    wait_until("four endpoints", lambda: len(ready(cluster, "scaled")) == 4)
    wait_until(
        "every pod is reached",
        lambda: {cluster.curl(ip)["pod"] for _ in range(16)} == pods.keys(),
    )
    unready = {"status": {"conditions": [{"type": "Ready", "status": "False"}]}}
    words = ("pod", "scaled-2", "--subresource=status", "--type=strategic")
    cluster.kubectl("patch", *words, "-p", json.dumps(unready))
    wait_until("three are ready", lambda: len(ready(cluster, "scaled")) == 3)
    for name in ("scaled-1", "scaled-3"):
        cluster.kubectl("delete", "pod", name)
    wait_until("one is ready", lambda: len(ready(cluster, "scaled")) == 1)
    wait_until(
        "one is reached", lambda: {cluster.curl(ip)["pod"] for _ in range(8)} == {"scaled-4"}
    )
    withdraw(cluster, judge, (ip,), "service", "scaled")
    cluster.wait_silent(ip)


def test_kubectl_shows_pods_and_slices_as_on_any_cluster(cluster, judge):
    expect(judge, NODES, "192.168.100.11")
    cluster.lab.add_pod("shown-1", "n1", labels={"app": "shown"})
    cluster.apply(serving("shown", "shown", "192.168.100.11"))
    ip = cluster.get("pod", "shown-1")["status"]["podIP"]
    wide = cluster.kubectl("get", "pod", "shown-1", "-o", "wide", "--no-headers")
    assert re.fullmatch(rf"shown-1 +1/1 +Running +0 +\S+ +{ip} +n1 +<none> +<none>\n", wide)
    wait_until("it is an endpoint", lambda: ready(cluster, "shown") == {ip})
    listed = cluster.kubectl("get", "endpointslices", "-l", f"{SERVICE_LABEL}=shown")
    assert re.search(rf"^shown-\w+ +IPv4 +8080 +{ip} +\S+$", listed, re.MULTILINE)
    assert ip in cluster.kubectl("describe", "service", "shown")


def test_deleted_pod_goes_long_before_its_grace_period_and_may_come_back(cluster):
    cluster.lab.add_pod("brief", "n1", labels={"app": "brief"})
    first = cluster.get("pod", "brief")
    assert first["spec"]["terminationGracePeriodSeconds"] == 30
    began = time.monotonic()
    cluster.kubectl("delete", "pod", "brief")
    assert time.monotonic() - began < 10
    cluster.lab.add_pod("brief", "n1", labels={"app": "brief"})
    cluster.kubectl("delete", "pod", "brief", "--force", "--grace-period=0", "--wait=false")
    pod = cluster.lab.add_pod("brief", "n2", labels={"app": "brief"})
    second = cluster.get("pod", "brief")
    assert second["metadata"]["uid"] != first["metadata"]["uid"]
    assert second["status"]["podIP"] == pod.ips[0]
    done = cluster.lab.exec("client", ["curl", "-sS", "-m5", f"http://{pod.ips[0]}:8080/"])
    assert json.loads(done.stdout)["pod"] == "brief"


def test_a_pod_without_a_node_is_bound_to_one(cluster):
    cluster.kubectl("run", "loose", "--image=any", "--port=9000")
    cluster.kubectl("wait", "pod/loose", "--for=condition=Ready", "--timeout=20s")
    found = cluster.get("pod", "loose")
    assert found["spec"]["nodeName"] in NODES
    url = f"http://{found['status']['podIP']}:9000/"
    done = cluster.lab.exec("client", ["curl", "-sS", "-m5", url])
    assert json.loads(done.stdout)["node"] == found["spec"]["nodeName"]


def test_l2_failover_by_kill_is_within_the_bound_and_traffic_goes_on(cluster, judge):
    ipv4, ipv6 = "192.168.100.129", "fd00:100::9"
    expect(judge, NODES, ipv4, ipv6)
    cluster.lab.add_pod("failing-1", "n1", labels={"app": "failing"})
    dual = {"ipFamilyPolicy": "RequireDualStack"}
    cluster.apply(serving("failing", "failing", f"{ipv4},{ipv6}", **dual))
    owner = cluster.wait_owner(ipv4)
    pod = "failing-1"
    if owner == "n1":  # a pod on the node that dies would be lost with it
        pod = "failing-2"
        cluster.lab.add_pod(pod, "n2", labels={"app": "failing"})
        cluster.lab.delete_pod("failing-1")
    wait_until("the pod is reached", lambda: cluster.curl(ipv4)["pod"] == pod)
    wait_until("by IPv6 too", lambda: cluster.curl(ipv6)["pod"] == pod)
    judge.fault("kill", owner)
    judge.fault("port-down", owner)
    try:
        wait_until(
            "another node answers both families",
            lambda: cluster.nodes_answering(ipv4) and cluster.nodes_answering(ipv6),
            deadline_s=FAILOVER_S,
        )
        assert cluster.curl(ipv4)["pod"] == cluster.curl(ipv6)["pod"] == pod
    finally:
        judge.heal("port-down", owner)
        judge.heal("kill", owner)
    wait_until("the owner has it back", lambda: cluster.nodes_answering(ipv4) == {owner})
    assert cluster.curl(ipv4)["pod"] == pod


def test_k1_api_outage_leaves_announcements_and_traffic_alone(cluster, judge):
    """The verdict at the end judges the wire; the pods are asked here."""
    ip = "192.168.100.10"
    expect(judge, NODES, ip)
    cluster.lab.add_pod("kept-1", "n1", labels={"app": "kept"})
    cluster.apply(serving("kept", "kept", ip))
    owner = cluster.wait_owner(ip)
    cluster.curl(ip)
    judge.fault("api-stop", "all")
    try:
        end = time.monotonic() + 10
        while time.monotonic() < end:
            assert cluster.nodes_answering(ip) == {owner}
            assert cluster.curl(ip)["pod"] == "kept-1"
    finally:
        judge.heal("api-stop", "all")


def test_killed_api_server_comes_back_and_meanwhile_nothing_was_withdrawn(cluster, judge):
    ip = "192.168.100.12"
    expect(judge, NODES, ip)
    cluster.lab.add_pod("outlived-1", "n1", labels={"app": "outlived"})
    cluster.apply(serving("outlived", "outlived", ip))
    owner = cluster.wait_owner(ip)
    cluster.curl(ip)
    cluster.lab.fault("kill", "envtest")
    assert cluster.nodes_answering(ip) == {owner}
    assert cluster.curl(ip)["pod"] == "outlived-1"
    cluster.lab.heal("kill", "envtest")
    argv = ["curl", "-sk", "-m", "2", "https://127.0.0.1:6443/readyz"]
    wait_until("the API answers", lambda: cluster.lab.exec("n1", argv).stdout == "ok")
    assert cluster.address("outlived") == ip
    assert cluster.nodes_answering(ip) == {owner}
    withdraw(cluster, judge, (ip,), "service", "outlived")
    cluster.wait_silent(ip)


@pytest.mark.parametrize(
    ("api", "kube_proxy"),
    [(ApiKind.DEV, ProxyKind.REAL), (ApiKind.REAL, ProxyKind.OWN)],
    ids=["dev-with-kube-proxy", "real-with-own-proxy"],
)
def test_either_api_server_goes_with_either_proxy(tmp_path, api, kube_proxy):
    ip = "192.168.100.1"
    options = real_options(name="mixed", nodes=2, root=tmp_path, api=api, kube_proxy=kube_proxy)
    with Lab.up(options) as lab:
        up = LabCluster(folder=tmp_path, kubeconfig=lab.kubeconfig, lab=lab)
        up.apply(pool("main", f"{ip}/32"), advertisement(), serving("web", "web", ip))
        lab.add_pod("web-1", "n1", labels={"app": "web"})
        up.wait_owner(ip)
        assert up.curl(ip)["pod"] == "web-1"
        makers = [
            one["metadata"]["labels"]["endpointslice.kubernetes.io/managed-by"]
            for one in slices(up, "web")
        ]
        maker = {ApiKind.DEV: "ferrolb-lab", ApiKind.REAL: "endpointslice-controller.k8s.io"}
        assert makers == [maker[api]]
        lab.delete_pod("web-1")
        wait_until("no endpoint is left", lambda: not ready(up, "web"))


def test_killing_the_supervisor_ends_every_program_and_namespace(tmp_path):
    lab = Lab.up(real_options(name="gone", nodes=1, root=tmp_path))
    inside = processes_beside(lab.supervisor_pid)
    names = {Path(f"/proc/{pid}/comm").read_text(encoding="ascii").strip() for pid in inside}
    # the kernel keeps fifteen letters of a name
    assert {"etcd", "kube-apiserver", "kube-controller", "kube-proxy"} <= names
    os.kill(lab.supervisor_pid, signal.SIGKILL)
    wait_until("nothing is left", lambda: not any(Path(f"/proc/{pid}").exists() for pid in inside))
    wait_until("nobody answers", lambda: not lab.is_up())
    lab.down()


def processes_beside(pid):
    """Return every process in the process namespace of one."""
    wanted = Path(f"/proc/{pid}/ns/pid").readlink()
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            try:
                namespace = (folder / "ns" / "pid").readlink()
            except OSError:
                continue
            if namespace == wanted:
                found.append(int(folder.name))
    return found


WITHOUT_RIGHTS = ("setpriv", "--bounding-set=-all,+setfcap", "--inh-caps=-all", "--no-new-privs")


@pytest.mark.skipif(os.getuid() != 0, reason="every lab is rootless here")
def test_without_rights_the_real_programs_run_in_a_user_namespace(tmp_path):
    ip = "192.168.100.1"
    options = real_options(name="rootless", nodes=1, root=tmp_path)
    source = (
        "import sys; from ferrolb.lab import Lab, LabOptions\n"
        "with Lab.up(LabOptions.decode(sys.argv[1].encode())) as lab:\n"
        "    print(lab.status().is_rootless, lab.kubeconfig, flush=True)\n"
        "    sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [*WITHOUT_RIGHTS, "--", sys.executable, "-c", source, options.encode().decode()],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as launcher:
        assert launcher.stdout is not None
        assert launcher.stdout.readline().startswith("True ")
        lab = Lab.attach("rootless", root=tmp_path)
        up = LabCluster(folder=tmp_path, kubeconfig=lab.kubeconfig, lab=lab)
        up.apply(pool("main", f"{ip}/32"), advertisement(), serving("web", "web", ip))
        lab.add_pod("web-1", "n1", labels={"app": "web"})
        up.wait_owner(ip)
        assert up.curl(ip)["pod"] == "web-1"
        launcher.communicate("")
    assert launcher.returncode == 0
