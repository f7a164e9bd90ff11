"""The controller as a process on an API server: what it writes, and what it never does."""

import signal
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest
from tests.cluster import Cluster, free_port, pool, running_cluster, service, wait_until

LEGACY = "metallb.universe.tf/address-pool"
SHARE = "metallb.io/allow-shared-ip"


@pytest.fixture
def cluster(tmp_path) -> Iterator[Cluster]:
    with running_cluster(tmp_path) as up:
        yield up


def state(cluster):
    items = cluster.get("configurationstates", "-n", "metallb-system")["items"]
    found = [item for item in items if item["metadata"]["name"] == "controller"]
    # the object and its status are two writes, and neither need have been made yet
    return found[0].get("status", {}) if found else {}


def conditions(cluster):
    return {one["type"]: one for one in state(cluster).get("conditions", [])}


def test_s50_s111_nothing_is_said_or_cleared_before_the_configuration_is_known(cluster):
    held = service("held")
    cluster.apply(held)
    status = '{"status":{"loadBalancer":{"ingress":[{"ip":"192.0.2.7"}]}}}'
    patch = ("patch", "service", "held", "--subresource=status", "--type=merge", "-p", status)
    cluster.kubectl(*patch)
    cluster.apply(pool("p", "192.0.2.0/24"))
    cluster.start_controller()
    cluster.quiet_writes()
    assert cluster.address("held") == "192.0.2.7"
    assert cluster.events("held") == []


def test_c33_s51_without_any_pool_a_service_is_told_so(cluster):
    cluster.apply(service("early"))
    cluster.start_controller()
    cluster.wait_event(
        "early",
        "AllocationFailed",
        'Failed to allocate IP for "default/early": no address pools are configured',
    )
    cluster.apply(pool("p", "192.0.2.0/24"))
    cluster.wait_address("early", "192.0.2.0")


def test_s110_a_conflicting_write_is_tried_again_on_the_new_state(cluster):
    """Somebody else writes the object all the time; the address still gets there, once."""
    cluster.apply(pool("p", "192.0.2.0/24"))
    cluster.start_controller()
    cluster.apply(service("busy"))
    for number in range(10):
        cluster.kubectl("label", "service", "busy", f"n={number}", "--overwrite")
    cluster.wait_address("busy", "192.0.2.0")
    assert cluster.get("service", "busy")["metadata"]["labels"] == {"n": "9"}


def test_s112_s113_c17_a_bad_pool_is_reported_and_the_others_apply(cluster):
    cluster.start_controller()
    wait_until("the state is valid", lambda: state(cluster).get("result") == "Valid")
    cluster.apply(pool("pool1"), pool("pool2", "192.0.2.0/24"), service("web"))
    cluster.wait_address("web", "192.0.2.0")
    wait_until("the state is invalid", lambda: state(cluster)["result"] == "Invalid")
    text = "configuration error: parsing address pool pool1: pool has no prefixes defined"
    assert state(cluster)["errorSummary"] == text
    found = conditions(cluster)["poolReconcilerValid"]
    assert (found["status"], found["reason"], found["message"]) == (
        "False",
        "ConfigurationError",
        text,
    )
    paths = conditions(cluster)["ferrolb.io/fieldsValid"]["message"]
    assert paths.startswith("IPAddressPool metallb-system/pool1 spec.addresses: ")
    cluster.apply(pool("pool1", "192.0.2.128/25"))
    wait_until("two pools overlap", lambda: "overlaps" in state(cluster)["errorSummary"])
    cluster.apply(pool("pool1", "198.51.100.0/24"))
    wait_until("the state is valid again", lambda: state(cluster)["result"] == "Valid")
    assert state(cluster)["errorSummary"] == ""
    assert conditions(cluster)["poolReconcilerValid"]["reason"] == "Reconciled"


def test_s107_every_error_is_listed_in_order(cluster):
    cluster.start_controller()
    cluster.apply(pool("a", "1.2.3.4"), pool("b", "192.0.2.9-192.0.2.1"))

    def both():
        return state(cluster).get("errorSummary", "").count("\n") == 1

    wait_until("both errors are listed", both)
    first, second = state(cluster)["errorSummary"].splitlines()
    assert first.startswith("configuration error: parsing address pool a: invalid CIDR")
    assert second.startswith("parsing address pool b: invalid CIDR")
    cluster.kubectl("delete", "ipaddresspool", "a", "-n", "metallb-system")
    wait_until("the first is gone", lambda: not both())
    assert state(cluster)["errorSummary"].startswith(
        "configuration error: parsing address pool b: invalid CIDR"
    )


def test_s60_c17_a_typing_error_takes_no_address_away(cluster):
    cluster.apply(pool("p", "192.0.2.0/24"), service("web"))
    cluster.start_controller()
    cluster.wait_address("web", "192.0.2.0")
    cluster.apply(pool("p", "192.0.2.0/240"))
    wait_until("the error is reported", lambda: state(cluster).get("result") == "Invalid")
    cluster.apply(service("next"))
    cluster.wait_address("next", "192.0.2.1")
    assert cluster.address("web") == "192.0.2.0"


def test_c17_an_address_is_frozen_over_a_restart_while_its_pool_is_invalid(cluster):
    cluster.apply(pool("p", "192.0.2.0/24"), pool("q", "198.51.100.0/24", autoAssign=False))
    cluster.apply(service("web"))
    first = cluster.start_controller()
    cluster.wait_address("web", "192.0.2.0")
    assert first.stop() == 0
    cluster.apply(pool("p", "192.0.2.0/240"))
    cluster.start_controller()
    cluster.wait_event("web", "AddressFrozen")
    assert cluster.address("web") == "192.0.2.0"
    cluster.apply(pool("p", "192.0.2.0/24"))
    wait_until("the state is valid again", lambda: state(cluster)["result"] == "Valid")
    cluster.quiet_writes()
    assert cluster.address("web") == "192.0.2.0"


def test_s113_s114_the_state_object_comes_back_when_deleted_and_only_then(cluster):
    cluster.start_controller()
    wait_until("the state is valid", lambda: state(cluster).get("result") == "Valid")
    before = cluster.quiet_writes()
    cluster.kubectl("label", "configurationstates", "controller", "-n", "metallb-system", "a=b")
    after = cluster.quiet_writes()
    assert after["configurationstates/status"] == before["configurationstates/status"]
    cluster.kubectl("delete", "configurationstates", "controller", "-n", "metallb-system")

    def is_back():
        items = cluster.get("configurationstates", "-n", "metallb-system")["items"]
        return items and items[0].get("status", {}).get("result") == "Valid"

    wait_until("the object is back", is_back)
    labels = cluster.get("configurationstates", "controller", "-n", "metallb-system")
    assert labels["metadata"]["labels"] == {"metallb.io/component-type": "controller"}


def test_a_users_edit_of_a_pools_status_is_reverted(cluster):
    cluster.apply(pool("p", "192.0.2.0/28"))
    cluster.start_controller()
    expected = {"assignedIPv4": 0, "assignedIPv6": 0, "availableIPv4": 16, "availableIPv6": 0}

    def status():
        return cluster.get("ipaddresspools", "p", "-n", "metallb-system").get("status")

    wait_until("the status is written", lambda: status() == expected)
    patch = '{"status":{"assignedIPv4":99}}'
    where = ("ipaddresspools", "p", "-n", "metallb-system", "--subresource=status")
    cluster.kubectl("patch", *where, "--type=merge", "-p", patch)
    wait_until("the edit is reverted", lambda: status() == expected)


def test_c14_c27_the_annotation_goes_with_the_address_and_foreign_fields_stay(cluster):
    cluster.apply(pool("p", "192.0.2.0/28"))
    cluster.start_controller()
    cluster.apply(service("web", annotations={"example.org/note": "mine"}))
    cluster.wait_address("web", "192.0.2.0")
    annotations = cluster.get("service", "web")["metadata"]["annotations"]
    assert annotations["metallb.io/ip-allocated-from-pool"] == "p"
    assert annotations["example.org/note"] == "mine"
    assert not [name for name in annotations if name.startswith("ferrolb")]
    cluster.kubectl("patch", "service", "web", "-p", '{"spec":{"type":"ClusterIP"}}')

    def is_clean():
        found = cluster.get("service", "web")
        marks = found["metadata"]["annotations"]
        return "metallb.io/ip-allocated-from-pool" not in marks and found["status"] == {
            "loadBalancer": {}
        }

    wait_until("address and annotation are gone", is_clean)
    assert cluster.get("service", "web")["metadata"]["annotations"]["example.org/note"] == "mine"


def test_hostile_objects_do_not_stop_the_others(cluster):
    cluster.apply(pool("p", "192.0.2.0/24"), pool("huge", "::/0", autoAssign=False))
    cluster.apply(
        service("nonsense", annotations={"metallb.io/loadBalancerIPs": "x" * 100_000}),
        service("odd", annotations={"metallb.io/address-pool": "\u2028 \u0000-".replace("\0", "")}),
        service("many", annotations={"metallb.io/loadBalancerIPs": "1.1.1.1," * 10_000}),
    )
    cluster.kubectl(
        "patch", "service", "odd", "--subresource=status", "--type=merge", "-p",
        '{"status":{"loadBalancer":{"ingress":[{"hostname":"a.example"},{"ip":"203.0.113.77"}]}}}',
    )  # fmt: skip
    cluster.start_controller()
    cluster.apply(service("fine"))
    cluster.wait_address("fine")
    cluster.wait_address("odd")
    for name in ("nonsense", "many"):
        event = cluster.wait_event(name, "AllocationFailed")
        assert len(event["message"].encode()) <= 1024
    wanted = service("six", annotations={LEGACY: "huge"}, ipFamilies=["IPv6"])
    cluster.apply(wanted)
    cluster.wait_address("six", "::")


def test_c34_the_default_namespace_is_metallb_system(cluster):
    process = cluster.start_controller(env={"METALLB_NAMESPACE": ""})
    assert '"namespace": "metallb-system"' in process.text()


def test_c29_c30_go_flags_retired_flags_and_log_keys(cluster):
    process = cluster.start_controller("-log-level=debug", "-enable-pprof", "--webhook-http2=false")
    first = process.text().splitlines()[0]
    assert first.startswith('{"ts": ')
    assert '"flag": "--enable-pprof", "msg": "flag has no effect"' in process.text()
    assert "webhook-http2" not in process.text()


def test_memberlist_secret_is_created_once_with_its_owner(cluster):
    cluster.apply(
        """
        apiVersion: apps/v1
        kind: Deployment
        metadata: {name: controller, namespace: metallb-system}
        spec:
          selector: {matchLabels: {a: b}}
          template:
            metadata: {labels: {a: b}}
            spec: {containers: [{name: c, image: i}]}
        """
    )
    environment = {"METALLB_ML_SECRET_NAME": "memberlist", "METALLB_DEPLOYMENT": "controller"}
    cluster.start_controller(env=environment).stop()
    secret = cluster.get("secret", "memberlist", "-n", "metallb-system")
    assert len(secret["data"]["secretkey"]) == 32
    [owner] = secret["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"]) == ("Deployment", "controller")
    assert secret["data"]["secretkey"] not in cluster.controllers[0].text()
    cluster.start_controller(env=environment)
    again = cluster.get("secret", "memberlist", "-n", "metallb-system")
    assert again["data"] == secret["data"]


def test_own_pod_owns_the_state_if_there_is_one(cluster):
    cluster.apply(
        """
        apiVersion: v1
        kind: Pod
        metadata: {name: controller-abc, namespace: metallb-system}
        spec: {containers: [{name: c, image: i}]}
        """
    )
    uid = cluster.get("pod", "controller-abc", "-n", "metallb-system")["metadata"]["uid"]
    cluster.start_controller("--pod-name=controller-abc")
    where = ("configurationstates", "controller", "-n", "metallb-system")

    def owners():
        items = cluster.get("configurationstates", "-n", "metallb-system")["items"]
        return items and items[0]["metadata"].get("ownerReferences")

    [owner] = wait_until("the state has an owner", owners)
    assert owner == {"apiVersion": "v1", "kind": "Pod", "name": "controller-abc", "uid": uid}
    cluster.kubectl("delete", *where)
    cluster.controllers[0].stop()
    cluster.start_controller("--pod-name=gone")
    wait_until("the state is there", lambda: state(cluster).get("result") == "Valid")


def test_c26_c28_metrics_and_probes_tell_the_truth(cluster):
    metrics, probes = free_port(), free_port()
    cluster.apply(pool("p", "192.0.2.0/28"), service("a"), service("b", loadBalancerIP="4.3.2.1"))
    cluster.start_controller(
        f"--port={metrics}", f"--health-probe-port={probes}", "--health-probe-host=127.0.0.1"
    )
    cluster.wait_address("a")
    cluster.wait_event("b", "AllocationFailed")

    def read(port, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.read().decode()

    assert read(probes, "/healthz") == read(probes, "/readyz") == "ok"
    text = read(metrics, "/metrics")
    for line in (
        'metallb_allocator_addresses_total{pool="p"} 16.0',
        'metallb_allocator_ipv4_addresses_in_use_total{pool="p"} 1.0',
        'metallb_allocator_services_allocated_total{pool="p"} 1.0',
        "metallb_k8s_client_config_loaded_bool 1.0",
        "metallb_k8s_client_config_stale_bool 0.0",
        "ferrolb_leader_election_enabled 0.0",
        "ferrolb_services_pending 1.0",
    ):
        assert line in text.splitlines()
    # an API that is gone changes nothing about readiness
    cluster.kill_server()
    wait_until(
        "the controller has noticed",
        lambda: '"msg": "cannot follow"' in cluster.controllers[0].text(),
    )
    assert read(probes, "/healthz") == read(probes, "/readyz") == "ok"


def test_a_taken_port_ends_it_with_a_clear_error(cluster, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(AssertionError, match=f"cannot listen on 127.0.0.1:{port}"):
            cluster.start_controller(f"--port={port}")
    assert cluster.controllers[0].popen.wait(10) == 1


def test_lb_class_leaves_other_services_alone(cluster):
    cluster.apply(
        pool("p", "192.0.2.0/28"),
        service("ours", loadBalancerClass="example.org/ferro"),
        service("theirs", loadBalancerClass="example.org/other"),
        service("nobodys"),
    )
    cluster.start_controller("--lb-class=example.org/ferro")
    cluster.wait_address("ours")
    cluster.quiet_writes()
    assert cluster.address("theirs") == cluster.address("nobodys") == ""
    assert cluster.events("theirs") == cluster.events("nobodys") == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly(cluster, number):
    process = cluster.start_controller()
    assert process.stop(number) == 0
    assert '"level": "error"' not in process.text()


def test_an_api_outage_is_survived_and_made_up_for(tmp_path):
    data = tmp_path / "data"
    with running_cluster(
        tmp_path, "--data", str(data), "--listen", f"127.0.0.1:{free_port()}"
    ) as up:
        up.apply(pool("p", "192.0.2.0/28"), service("before"))
        up.start_controller()
        up.wait_address("before", "192.0.2.0")
        url = up.get("service", "before")["metadata"]["uid"]
        up.kill_server()
        up.restart_server()
        up.apply(service("after"))
        up.wait_address("after", "192.0.2.1")
        assert up.address("before") == "192.0.2.0"
        assert up.get("service", "before")["metadata"]["uid"] == url
