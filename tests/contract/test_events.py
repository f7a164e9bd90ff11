"""Events: one storage in two spellings, about objects of their own namespace."""

import json
from typing import Any

import pytest
from tests.api_server import ApiServer
from tests.fakes.devserver import Kubectl

MERGE = {"Content-Type": "application/merge-patch+json"}


class Events:
    """The Events of one namespace."""

    def __init__(self, api: ApiServer, namespace: str) -> None:
        self.http = api.http
        self.namespace = namespace
        self.core = f"/api/v1/namespaces/{namespace}/events"
        self.new = f"/apis/events.k8s.io/v1/namespaces/{namespace}/events"

    def create(self, name: str, **more: Any) -> Any:
        about = {"kind": "Service", "name": "web", "namespace": self.namespace, "apiVersion": "v1"}
        body = {
            "metadata": {"name": name},
            "involvedObject": about,
            "reason": "IPAllocated",
            "message": "Assigned IP",
            "type": "Normal",
            "count": 1,
            "source": {"component": "test"},
            "firstTimestamp": "2026-11-24T01:00:00Z",
            "lastTimestamp": "2026-11-24T01:00:00Z",
            **more,
        }
        return self.http.post(self.core, json=body)


@pytest.fixture
def events(api: ApiServer, namespace: str) -> Events:
    return Events(api, namespace)


def test_a_core_event_is_read_in_the_new_spelling(events: Events) -> None:
    assert events.create("a").status_code == 201
    found = events.http.get(f"{events.new}/a").json()
    assert (found["note"], found["regarding"]["name"]) == ("Assigned IP", "web")
    assert (found["deprecatedCount"], found["deprecatedSource"]) == (1, {"component": "test"})


def test_a_new_event_is_read_in_the_core_spelling(events: Events) -> None:
    body = {
        "metadata": {"name": "a"},
        "regarding": {"kind": "Service", "name": "web", "namespace": events.namespace},
        "reason": "IPAllocated",
        "action": "Assign",
        "note": "Assigned IP",
        "type": "Normal",
        "eventTime": "2026-11-24T01:00:00.123456Z",
        "reportingController": "example.com/controller",
        "reportingInstance": "one",
    }
    answer = events.http.post(events.new, json=body)
    assert answer.status_code == 201, answer.text
    found = events.http.get(f"{events.core}/a").json()
    assert (found["message"], found["involvedObject"]["name"]) == ("Assigned IP", "web")
    assert found["reportingComponent"] == "example.com/controller"
    assert found["eventTime"] == "2026-11-24T01:00:00.123456Z"


def test_an_event_is_in_the_namespace_of_its_object(events: Events) -> None:
    about = {"kind": "Service", "name": "web", "namespace": "elsewhere"}
    (cause,) = events.create("a", involvedObject=about).json()["details"]["causes"]
    assert cause["field"] == "involvedObject.namespace"
    assert cause["message"] == 'Invalid value: "elsewhere": does not match event.namespace'


def test_an_event_about_a_cluster_wide_object_is_in_the_default_namespace(events: Events) -> None:
    about = {"kind": "Node", "name": "node-1"}
    (cause,) = events.create("a", involvedObject=about).json()["details"]["causes"]
    assert cause["message"] == 'Invalid value: "": does not match event.namespace'


def test_an_events_count_and_time_are_patched(events: Events) -> None:
    events.create("a")
    patch = {"count": 2, "lastTimestamp": "2026-11-24T01:05:00Z"}
    answer = events.http.patch(f"{events.core}/a", content=json.dumps(patch), headers=MERGE)
    assert patch.items() <= answer.json().items()


def test_a_series_is_kept(events: Events) -> None:
    series = {"count": 3, "lastObservedTime": "2026-11-24T01:05:00.000001Z"}
    events.create("a")
    patch = json.dumps({"series": series})
    answer = events.http.patch(f"{events.core}/a", content=patch, headers=MERGE)
    assert answer.json()["series"] == series


def test_a_missing_event_is_made_by_an_update(events: Events) -> None:
    event = events.create("a").json()
    metadata = {"name": "b", "namespace": events.namespace}
    answer = events.http.put(f"{events.core}/b", json={**event, "metadata": metadata})
    assert answer.status_code == 201


def test_events_are_selected_by_their_object(events: Events) -> None:
    events.create("a")
    about = {"kind": "Service", "name": "other", "namespace": events.namespace}
    events.create("b", involvedObject=about)
    answer = events.http.get(events.core, params={"fieldSelector": "involvedObject.name=other"})
    assert [item["metadata"]["name"] for item in answer.json()["items"]] == ["b"]


def test_kubectl_events_of_one_object(events: Events, kubectl: Kubectl) -> None:
    events.create("a")
    printed = kubectl("-n", events.namespace, "events", "--for", "service/web")
    assert "IPAllocated" in printed
    assert "Assigned IP" in printed


def test_kubectl_describes_a_service_with_its_events(events: Events, kubectl: Kubectl) -> None:
    kubectl("-n", events.namespace, "create", "service", "clusterip", "web", "--tcp=80")
    uid = kubectl.json("-n", events.namespace, "get", "service", "web")["metadata"]["uid"]
    about = {"kind": "Service", "name": "web", "namespace": events.namespace, "uid": uid}
    events.create("a", involvedObject=about)
    printed = kubectl("-n", events.namespace, "describe", "service", "web")
    assert "IPAllocated" in printed
    assert "Assigned IP" in printed
