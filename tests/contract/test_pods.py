"""Pods without anybody who runs them: defaults, status, and graceful deletion."""

import json
from typing import Any

import pytest
from tests.api_server import ApiServer
from tests.fakes.devserver import Kubectl

CONTAINERS = [{"name": "main", "image": "example/app"}]


class Pods:
    """The Pods of one namespace."""

    def __init__(self, api: ApiServer, namespace: str) -> None:
        self.http = api.http
        self.namespace = namespace
        self.path = f"/api/v1/namespaces/{namespace}/pods"

    def create(self, name: str, **spec: Any) -> Any:
        body = {"metadata": {"name": name}, "spec": {"containers": CONTAINERS, **spec}}
        return self.http.post(self.path, json=body)

    def merge(self, path: str, body: Any) -> Any:
        headers = {"Content-Type": "application/merge-patch+json"}
        return self.http.patch(f"{self.path}/{path}", content=json.dumps(body), headers=headers)


@pytest.fixture
def pods(api: ApiServer, namespace: str) -> Pods:
    return Pods(api, namespace)


def test_a_pod_starts_pending_with_defaults(pods: Pods) -> None:
    pod = pods.create("a").json()
    assert (pod["status"]["phase"], pod["status"]["qosClass"]) == ("Pending", "BestEffort")
    wanted = {"restartPolicy": "Always", "dnsPolicy": "ClusterFirst"}
    assert wanted.items() <= pod["spec"].items()
    assert pod["spec"]["terminationGracePeriodSeconds"] == 30
    assert pod["spec"]["schedulerName"] == "default-scheduler"


def test_a_pod_needs_containers(pods: Pods) -> None:
    answer = pods.create("a", containers=[])
    (cause,) = answer.json()["details"]["causes"]
    assert (cause["field"], cause["message"]) == ("spec.containers", "Required value")


def test_a_pods_status_is_written_apart(pods: Pods) -> None:
    pods.create("a")
    assert pods.merge("a", {"status": {"phase": "Running"}}).json()["status"]["phase"] == "Pending"
    status = {"phase": "Running", "podIP": "10.0.0.5", "podIPs": [{"ip": "10.0.0.5"}]}
    found = pods.merge("a/status", {"status": status}).json()["status"]
    assert status.items() <= found.items()


def test_a_pod_without_node_goes_at_once(pods: Pods) -> None:
    pods.create("a")
    assert pods.http.delete(f"{pods.path}/a").status_code == 200
    assert pods.http.get(f"{pods.path}/a").status_code == 404


@pytest.mark.only_on("real", "Pods are deleted at once, whatever their grace period")
def test_a_pod_of_a_node_stays_until_its_node_lets_it_go(pods: Pods) -> None:
    pods.create("a", nodeName="node-1")
    metadata = pods.http.delete(f"{pods.path}/a").json()["metadata"]
    assert metadata["deletionTimestamp"]
    assert metadata["deletionGracePeriodSeconds"] == 30
    assert pods.http.get(f"{pods.path}/a").status_code == 200
    pods.http.delete(f"{pods.path}/a", params={"gracePeriodSeconds": "0"})
    assert pods.http.get(f"{pods.path}/a").status_code == 404


@pytest.mark.only_on("real", "Pods are deleted at once, whatever their grace period")
def test_a_pods_own_grace_period_counts(pods: Pods) -> None:
    pods.create("a", nodeName="node-1", terminationGracePeriodSeconds=7)
    metadata = pods.http.delete(f"{pods.path}/a").json()["metadata"]
    assert metadata["deletionGracePeriodSeconds"] == 7
    pods.http.delete(f"{pods.path}/a", params={"gracePeriodSeconds": "0"})


def test_kubectl_forces_a_deletion(pods: Pods, kubectl: Kubectl) -> None:
    pods.create("a", nodeName="node-1")
    kubectl("-n", pods.namespace, "delete", "pod", "a", "--force")
    assert pods.http.get(f"{pods.path}/a").status_code == 404


@pytest.mark.only_on("real", "checked against their schema and a few rules")
def test_a_pods_spec_is_immutable(pods: Pods) -> None:
    pods.create("a")
    answer = pods.merge("a", {"spec": {"hostNetwork": True}})
    (cause,) = answer.json()["details"]["causes"]
    assert cause["field"] == "spec"
    assert cause["message"].startswith("Forbidden: pod updates may not change fields other than")
