"""The requirement's chapter, by real kubectl against the real programs.

Each test uses Services of its own; the pools are there for all of them.
"""

import os
import re
import shutil
import subprocess
import sys
from typing import Any

import pytest
from tests.cluster import Cluster, pool, service, wait_until

DOC_EXAMPLE = pool(
    "doc-example", "192.168.100.6-192.168.100.60", "192.168.100.5/32", "172.31.249.0/28"
)
ON_REQUEST = pool("on-request", "203.0.113.0/28", autoAssign=False)
DRAINED = pool("drained", "203.0.113.128/32", autoAssign=False)


@pytest.fixture(scope="module", autouse=True)
def pools(cluster: Cluster):
    cluster.apply(DOC_EXAMPLE, ON_REQUEST, DRAINED)


def asking(pool_name):
    return {"metallb.universe.tf/address-pool": pool_name}


def test_req01_only_services_of_type_loadbalancer_are_acted_on(cluster):
    plain = service("plain")
    plain["spec"] = {"selector": {"app": "plain"}, "ports": [{"port": 80}]}
    cluster.apply(plain, service("balanced"))
    cluster.wait_address("balanced")
    assert cluster.address("plain") == ""
    assert cluster.events("plain") == []


def test_req02_req03_s04_requested_address_is_given(cluster):
    cluster.apply(service("wants-20", loadBalancerIP="192.168.100.20"))
    cluster.wait_address("wants-20", "192.168.100.20")


def test_req03_s04_requested_address_of_a_pool_without_automatic_assignment_is_given(cluster):
    cluster.apply(service("wants-203", loadBalancerIP="203.0.113.9"))
    cluster.wait_address("wants-203", "203.0.113.9")


def test_req04_req06_req07_req08_req27_d01_address_outside_all_pools_is_refused(cluster):
    cluster.apply(service("invalid-request", loadBalancerIP="4.3.2.1"))
    event = cluster.wait_event("invalid-request", "AllocationFailed")
    assert event["message"] == (
        'Failed to allocate IP for "default/invalid-request": "4.3.2.1" is not allowed in config'
    )
    described = cluster.kubectl("describe", "service", "invalid-request")
    assert re.search(r"^  Type +Reason +Age +From +Message$", described, re.MULTILINE)
    assert re.search(
        r"^  Warning +AllocationFailed +\S+ +metallb-controller +Failed to allocate IP for "
        r'"default/invalid-request": "4\.3\.2\.1" is not allowed in config$',
        described,
        re.MULTILINE,
    )
    [header, line] = cluster.kubectl("get", "service", "invalid-request").splitlines()
    assert line.split()[header.split().index("EXTERNAL-IP")] == "<pending>"
    assert cluster.get("service", "invalid-request")["status"] == {"loadBalancer": {}}


def test_req05_address_and_pool_may_be_asked_for_together(cluster):
    wish = service("both", annotations=asking("doc-example"), loadBalancerIP="192.168.100.21")
    cluster.apply(wish)
    cluster.wait_address("both", "192.168.100.21")


def test_d07_c15_address_that_contradicts_an_existing_pool_is_refused(cluster):
    wish = service(
        "contradiction", annotations=asking("on-request"), loadBalancerIP="192.168.100.22"
    )
    cluster.apply(wish)
    event = cluster.wait_event("contradiction", "AllocationFailed")
    assert event["message"].endswith(
        'requested loadBalancer IP(s) ["192.168.100.22"] is not compatible with '
        "requested address pool on-request"
    )
    assert cluster.address("contradiction") == ""


def test_req09_address_comes_from_the_named_pool(cluster):
    cluster.apply(service("by-pool", annotations=asking("on-request")))
    assert cluster.wait_address("by-pool").startswith("203.0.113.")


def test_req09_the_stable_annotation_name_works_and_wins(cluster):
    names = {"metallb.io/address-pool": "on-request", **asking("doc-example")}
    cluster.apply(service("by-stable-name", annotations=names))
    assert cluster.wait_address("by-stable-name").startswith("203.0.113.")


def test_req10_d02_a_pool_that_does_not_exist_falls_back_to_automatic_assignment(cluster):
    cluster.apply(service("by-missing-pool", annotations=asking("no-such-pool")))
    assert cluster.wait_address("by-missing-pool").startswith("192.168.100.")
    assert [event["reason"] for event in cluster.events("by-missing-pool")] == ["IPAllocated"]


def test_req11_req12_any_address_comes_from_a_pool_with_automatic_assignment(cluster):
    cluster.apply(service("any"))
    assert cluster.wait_address("any").startswith("192.168.100.")


def test_req13_services_do_not_share_by_default(cluster):
    cluster.apply(service("alone", loadBalancerIP="192.168.100.30"))
    cluster.wait_address("alone", "192.168.100.30")
    cluster.apply(service("second", ports=({"port": 81},), loadBalancerIP="192.168.100.30"))
    event = cluster.wait_event("second", "AllocationFailed")
    assert "address also in use by default/alone" in event["message"]
    assert cluster.address("second") == ""


CHAPTER_PAIR = """
apiVersion: v1
kind: Service
metadata:
  name: service-http
  annotations:
    metallb.universe.tf/address-pool: doc-example
    metallb.universe.tf/allow-shared-ip: "web-server-svc"
spec:
  ports:
    - name: http
      port: 80
      protocol: TCP
      targetPort: 8080
  selector:
    app: web-server
  type: LoadBalancer
  loadBalancerIP: 172.31.249.7
---
apiVersion: v1
kind: Service
metadata:
  name: service-https
  annotations:
    metallb.universe.tf/address-pool: doc-example
    metallb.universe.tf/allow-shared-ip: "web-server-svc"
spec:
  ports:
    - name: https
      port: 443
      protocol: TCP
      targetPort: 8080
  selector:
    app: web-server
  type: LoadBalancer
  loadBalancerIP: 172.31.249.7
"""


def test_req14_req15_req16_req18_req19_req22_the_chapters_pair_shares_its_address(cluster):
    printed = cluster.apply(CHAPTER_PAIR)
    assert printed == "service/service-http created\nservice/service-https created\n"
    cluster.wait_address("service-http", "172.31.249.7")
    cluster.wait_address("service-https", "172.31.249.7")


def test_req16_the_same_port_cannot_be_shared(cluster):
    key = {"metallb.universe.tf/allow-shared-ip": "ports"}
    address = "172.31.249.3"
    cluster.apply(service("port-a", annotations=key, loadBalancerIP=address))
    cluster.wait_address("port-a", address)
    cluster.apply(service("port-b", annotations=key, loadBalancerIP=address))
    event = cluster.wait_event("port-b", "AllocationFailed")
    assert event["message"].endswith(f'port TCP/80 is already in use on "{address}"')


def test_req17_policy_local_needs_the_same_selector(cluster):
    key = {"metallb.universe.tf/allow-shared-ip": "local"}
    local: dict[str, Any] = {"externalTrafficPolicy": "Local", "loadBalancerIP": "172.31.249.4"}
    same: dict[str, Any] = {"selector": {"app": "web"}}
    cluster.apply(service("local-a", annotations=key, **local, **same))
    cluster.wait_address("local-a", "172.31.249.4")
    other = service("local-b", annotations=key, ports=({"port": 81},), **local)
    cluster.apply(other)
    event = cluster.wait_event("local-b", "AllocationFailed")
    assert "can't change sharing key" in event["message"]
    cluster.apply(service("local-b", annotations=key, ports=({"port": 81},), **local, **same))
    cluster.wait_address("local-b", "172.31.249.4")


def test_req17_policy_cluster_needs_no_common_selector(cluster):
    key = {"metallb.universe.tf/allow-shared-ip": "cluster"}
    cluster.apply(service("cluster-a", annotations=key, loadBalancerIP="172.31.249.5"))
    cluster.apply(
        service("cluster-b", annotations=key, ports=({"port": 81},), loadBalancerIP="172.31.249.5")
    )
    cluster.wait_address("cluster-a", "172.31.249.5")
    cluster.wait_address("cluster-b", "172.31.249.5")


def test_req20_s83_tcp_and_udp_share_an_address_on_one_port(cluster):
    key = {"metallb.universe.tf/allow-shared-ip": "dns"}
    for name, protocol in (("dns-tcp", "TCP"), ("dns-udp", "UDP")):
        ports = ({"port": 53, "protocol": protocol},)
        cluster.apply(service(name, annotations=key, ports=ports, loadBalancerIP="172.31.249.8"))
    cluster.wait_address("dns-tcp", "172.31.249.8")
    cluster.wait_address("dns-udp", "172.31.249.8")


SAMPLE = """
apiVersion: v1
kind: Service
metadata:
  name: sample
  annotations:
    metallb.universe.tf/address-pool: doc-example
spec:
  selector:
    app: service_name
  ports:
    - port: 80
      targetPort: 8080
      protocol: TCP
  type: LoadBalancer
  loadBalancerIP: 192.168.100.5
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: sample-1
  labels:
    kubernetes.io/service-name: sample
addressType: IPv4
endpoints:
  - addresses: [10.244.0.50]
    conditions: {ready: true}
ports:
  - name: ""
    port: 8080
    protocol: TCP
"""


def test_req23_req24_c23_d04_d05_d06_c14_describe_shows_the_chapters_fields(cluster):
    cluster.apply(SAMPLE)
    cluster.wait_address("sample", "192.168.100.5")
    cluster.wait_event("sample", "IPAllocated", 'Assigned IP ["192.168.100.5"]')
    fields: dict[str, str] = {}
    last = ""
    for line in cluster.kubectl("describe", "service", "sample").splitlines():
        name, colon, value = line.partition(":")
        if colon and not line.startswith(" "):
            fields[name], last = value.strip(), name
        else:
            fields[last] += "\n" + line.strip()
    assert fields["Name"] == "sample"
    assert fields["Namespace"] == "default"
    assert fields["Labels"] == "<none>"
    # kubectl apply keeps its own annotation out of the description
    assert set(fields["Annotations"].splitlines()) == {
        "metallb.io/ip-allocated-from-pool: doc-example",
        "metallb.universe.tf/address-pool: doc-example",
    }
    assert fields["Selector"] == "app=service_name"
    assert fields["Type"] == "LoadBalancer"
    assert fields["IP Family Policy"] == "SingleStack"
    assert fields["IP Families"] == "IPv4"
    assert fields["IP"] == fields["IPs"]
    assert fields["IP"].startswith("10.96.")
    assert fields["LoadBalancer Ingress"] == "192.168.100.5 (VIP)"
    assert fields["Port"].split() == ["<unset>", "80/TCP"]
    assert fields["TargetPort"] == "8080/TCP"
    assert re.fullmatch(r"<unset> +3\d{4}/TCP", fields["NodePort"])
    assert fields["Endpoints"] == "10.244.0.50:8080"
    assert fields["Session Affinity"] == "None"
    assert fields["External Traffic Policy"] == "Cluster"
    # D-4: the documented prefix is not called deprecated; D-6: the assignment is told
    reasons = [event["reason"] for event in cluster.events("sample")]
    assert reasons == ["IPAllocated"]


def test_req26_c20_repeats_are_counted_not_listed_again(cluster):
    for _ in range(2):
        cluster.apply(service("comes-and-goes", loadBalancerIP="4.3.2.1"))
        cluster.wait_event("comes-and-goes", "AllocationFailed")
        cluster.apply(service("comes-and-goes", loadBalancerIP="192.168.100.40"))
        cluster.wait_address("comes-and-goes", "192.168.100.40")
    failures = [
        event for event in cluster.events("comes-and-goes") if event["reason"] == "AllocationFailed"
    ]
    assert [event["count"] for event in failures] == [2]
    assert failures[0]["lastTimestamp"] >= failures[0]["firstTimestamp"]
    described = cluster.kubectl("describe", "service", "comes-and-goes")
    assert re.search(r"AllocationFailed +\S+ \(x2 over \S+\) +metallb-controller", described)


def test_c18_a_failed_search_names_every_pool_behind_metallbs_sentence(cluster):
    cluster.apply(service("takes-the-last", annotations=asking("drained")))
    cluster.wait_address("takes-the-last", "203.0.113.128")
    v6 = service("six", ipFamilies=["IPv6"], ipFamilyPolicy="SingleStack")
    cluster.apply(v6)
    event = cluster.wait_event("six", "AllocationFailed")
    head, *pools = event["message"].split("; ")
    assert head == 'Failed to allocate IP for "default/six": no available IPs'
    assert [one.split(":")[0] for one in pools] == ["doc-example", "drained", "on-request"]


@pytest.mark.parametrize("version", ["v1beta1", "v1alpha1"])
def test_d08_the_older_addresspool_gives_addresses_too(cluster, version):
    number = {"v1beta1": 1, "v1alpha1": 2}[version]
    cluster.apply(
        {
            "apiVersion": f"metallb.io/{version}",
            "kind": "AddressPool",
            "metadata": {"name": f"legacy-{version}", "namespace": "metallb-system"},
            "spec": {
                "protocol": "layer2",
                "addresses": [f"198.51.100.{number}/32"],
                "autoAssign": False,
            },
        },
        service(f"on-{version}", annotations=asking(f"legacy-{version}")),
    )
    cluster.wait_address(f"on-{version}", f"198.51.100.{number}")


def test_dual_stack_service_gets_one_address_of_each_family(cluster):
    cluster.apply(pool("dual", "198.51.100.16/28", "2001:db8::/64", autoAssign=False))
    wish = service("dual", annotations=asking("dual"), ipFamilyPolicy="RequireDualStack")
    cluster.apply(wish)
    assert cluster.wait_address("dual") == "198.51.100.16,2001:db8::"


def test_a_deleted_service_makes_room_for_the_one_that_waits(cluster):
    cluster.apply(pool("single", "198.51.100.40/32", autoAssign=False))
    cluster.apply(service("holder", annotations=asking("single")))
    cluster.wait_address("holder", "198.51.100.40")
    cluster.apply(service("waiter", annotations=asking("single")))
    cluster.wait_event("waiter", "AllocationFailed")
    cluster.kubectl("delete", "service", "holder")
    cluster.wait_address("waiter", "198.51.100.40")


CHAPTER = (
    '"4.3.2.1" is not allowed in config',
    "service/service-http created",
    "LoadBalancer Ingress:     192.168.100.5 (VIP)",
    "Every Service got what it must",
)


def demo(**environment):
    done = subprocess.run(
        [sys.executable, "-m", "ferrolb", "demo"],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert [text for text in CHAPTER if text not in done.stdout] == []
    assert "\x1b[" not in done.stdout
    return done.stdout


def test_the_demo_shows_the_chapter_traffic_and_a_failover():
    shown = demo()
    described = r'Normal +nodeAssigned +\S+ +metallb-speaker +announcing from node "n\d"'
    assert re.search(described, shown)
    for address, pods in (("192.168.100.5", "service"), ("172.31.249.7", "web")):
        answered = rf'curl http://{re.escape(address)}/ .*\n{{"pod": "{pods}-[ab]"'
        assert re.search(answered, shown)
    gap = re.search(r"nobody did for (\d+\.\d+) s", shown)
    assert gap
    assert 0 < float(gap[1]) < 10


def test_the_demo_without_the_tools_of_a_lab_says_so_and_shows_the_chapter(tmp_path):
    for tool in ("kubectl", "python3"):
        (tmp_path / tool).symlink_to(shutil.which(tool) or "")
    shown = demo(PATH=str(tmp_path))
    assert "cannot run the network lab" in shown
    assert "apt-get install" in shown
    assert "Endpoints:                10.244.0.50:8080" in shown
    assert "curl" not in shown


def test_pool_status_and_metrics_agree_with_what_was_given(cluster):
    def counters():
        return cluster.get("ipaddresspools", "drained", "-n", "metallb-system").get("status")

    cluster.apply(service("takes-the-last", annotations=asking("drained")))
    expected = {"assignedIPv4": 1, "assignedIPv6": 0, "availableIPv4": 0, "availableIPv6": 0}
    wait_until("the pool's status is right", lambda: counters() == expected)
