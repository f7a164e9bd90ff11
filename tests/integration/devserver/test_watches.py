"""Watches, event by event, as a client library sees them."""

import json
from contextlib import contextmanager

import pytest

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"


class Cluster:
    """Config maps of one namespace."""

    def __init__(self, devserver, namespace):
        self.http = devserver.http
        self.path = f"/api/v1/namespaces/{namespace}/configmaps"

    def create(self, name, **labels):
        body = {"kind": "ConfigMap", "metadata": {"name": name, "labels": labels}}
        return self.http.post(self.path, json=body).json()["metadata"]["resourceVersion"]

    def patch(self, name, patch):
        headers = {"Content-Type": "application/merge-patch+json"}
        answer = self.http.patch(f"{self.path}/{name}", json=patch, headers=headers)
        return answer.json()["metadata"]["resourceVersion"]

    def delete(self, name):
        return self.http.delete(f"{self.path}/{name}")

    def version(self):
        return self.http.get(self.path).json()["metadata"]["resourceVersion"]

    @contextmanager
    def watch(self, accept="application/json", **query):
        """Give an iterator of the events of a watch."""
        parameters = {"watch": "1", "timeoutSeconds": "20", **query}
        with self.http.stream(
            "GET", self.path, params=parameters, headers={"Accept": accept}
        ) as answer:
            assert answer.status_code == 200, answer.read()
            yield (json.loads(line) for line in answer.iter_lines())


@pytest.fixture
def maps(devserver, namespace):
    return Cluster(devserver, namespace)


def seen(event):
    return event["type"], event["object"]["metadata"].get("name")


def test_changes_arrive_in_order_with_their_versions(maps):
    with maps.watch(resourceVersion=maps.version()) as events:
        versions = [maps.create("a"), maps.patch("a", {"data": {"k": "v"}})]
        maps.delete("a")
        got = [next(events) for _ in range(3)]
    assert [seen(event) for event in got] == [
        ("ADDED", "a"),
        ("MODIFIED", "a"),
        ("DELETED", "a"),
    ]
    found = [event["object"]["metadata"]["resourceVersion"] for event in got]
    assert found[:2] == versions
    assert int(found[2]) > int(found[1])
    assert got[2]["object"]["data"] == {"k": "v"}


def test_watch_resumes_where_another_ended(maps):
    first = maps.create("a")
    maps.create("b")
    with maps.watch(resourceVersion=first) as events:
        assert seen(next(events)) == ("ADDED", "b")


def test_watch_without_version_starts_with_what_is_there(maps):
    maps.create("a")
    with maps.watch() as events:
        assert seen(next(events)) == ("ADDED", "a")
        maps.create("b")
        assert seen(next(events)) == ("ADDED", "b")


def test_streamed_list_ends_with_an_annotated_bookmark(maps):
    maps.create("a")
    query = {
        "sendInitialEvents": "true",
        "resourceVersionMatch": "NotOlderThan",
        "allowWatchBookmarks": "true",
    }
    with maps.watch(**query) as events:
        assert seen(next(events)) == ("ADDED", "a")
        bookmark = next(events)
    assert bookmark["type"] == "BOOKMARK"
    metadata = bookmark["object"]["metadata"]
    assert metadata["annotations"] == {"k8s.io/initial-events-end": "true"}
    assert bookmark["object"]["kind"] == "ConfigMap"
    with maps.watch(resourceVersion=metadata["resourceVersion"]) as events:
        maps.create("b")
        assert seen(next(events)) == ("ADDED", "b")


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"sendInitialEvents": "true", "allowWatchBookmarks": "true"}, "resourceVersionMatch"),
        ({"resourceVersionMatch": "NotOlderThan"}, "resourceVersionMatch"),
    ],
)
def test_streamed_list_needs_its_companions(maps, query, field):
    answer = maps.http.get(maps.path, params={"watch": "1", **query})
    assert answer.status_code == 422
    assert answer.json()["details"]["causes"][0]["field"] == field


def test_bookmark_is_sent_when_a_watch_times_out(maps):
    version = maps.create("a")
    query = {"allowWatchBookmarks": "true", "timeoutSeconds": "1", "resourceVersion": version}
    with maps.watch(**query) as events:
        (last,) = list(events)
    assert last["type"] == "BOOKMARK"
    assert int(last["object"]["metadata"]["resourceVersion"]) >= int(version)


def test_selector_turns_changes_into_arrivals_and_departures(maps):
    with maps.watch(resourceVersion=maps.version(), labelSelector="in=yes") as events:
        maps.create("a")
        maps.patch("a", {"metadata": {"labels": {"in": "yes"}}})
        maps.patch("a", {"data": {"k": "v"}})
        version = maps.patch("a", {"metadata": {"labels": {"in": "no"}}})
        maps.delete("a")
        maps.create("b", **{"in": "yes"})
        got = [next(events) for _ in range(4)]
    assert [seen(event) for event in got] == [
        ("ADDED", "a"),
        ("MODIFIED", "a"),
        ("DELETED", "a"),
        ("ADDED", "b"),
    ]
    gone = got[2]["object"]["metadata"]
    assert (gone["labels"], gone["resourceVersion"]) == ({"in": "yes"}, version)


def test_field_selector_shows_one_object_only(maps):
    with maps.watch(resourceVersion=maps.version(), fieldSelector="metadata.name=b") as events:
        maps.create("a")
        maps.create("b")
        assert seen(next(events)) == ("ADDED", "b")


def test_table_rows_with_columns_in_the_first_event_alone(maps):
    maps.create("a")
    with maps.watch(accept=TABLE) as events:
        first = next(events)["object"]
        maps.create("b")
        second = next(events)["object"]
    assert [column["name"] for column in first["columnDefinitions"]] == ["Name", "Data", "Age"]
    assert first["rows"][0]["object"]["kind"] == "PartialObjectMetadata"
    assert not second["columnDefinitions"]
    assert second["rows"][0]["cells"][0] == "b"


def test_partial_metadata(maps):
    maps.create("a")
    accept = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"
    with maps.watch(accept=accept) as events:
        obj = next(events)["object"]
    assert (obj["kind"], obj["apiVersion"]) == ("PartialObjectMetadata", "meta.k8s.io/v1")
    assert set(obj) == {"kind", "apiVersion", "metadata"}


def test_unknown_version_ends_the_watch_with_410(maps):
    """A version that this server never had, as after a restart in memory: list anew."""
    with maps.watch(resourceVersion="99999999") as events:
        (event,) = list(events)
    assert event["type"] == "ERROR"
    assert (event["object"]["code"], event["object"]["reason"]) == (410, "Expired")


def test_open_watches_are_counted(devserver, maps):
    def open_watches():
        for line in devserver.http.get("/metrics").text.splitlines():
            if line.startswith("apiserver_longrunning_requests") and '"configmaps"' in line:
                return float(line.rpartition(" ")[2])
        return 0.0

    before = open_watches()
    with maps.watch() as events:
        maps.create("a")
        next(events)
        assert open_watches() == before + 1
