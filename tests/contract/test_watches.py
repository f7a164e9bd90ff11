"""Watches, event by event: order, resumption, bookmarks, streamed lists, selectors, ends."""

import json

import pytest
from tests.contract.reading import (
    TABLE,
    Things,
    assert_status,
    config_maps,
    definition,
    gadget,
    seen,
    serve_definition,
)

INITIAL_END = {"k8s.io/initial-events-end": "true"}
STREAMED = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan"}


@pytest.fixture
def maps(api, namespace):
    return config_maps(api, namespace)


def test_changes_arrive_in_order_with_their_versions(maps):
    with maps.watch(resourceVersion=maps.version) as events:
        versions = [maps.create("a"), maps.patch("a", {"data": {"k": "v"}}), maps.create("b")]
        got = [next(events) for _ in range(3)]
    assert [seen(event) for event in got] == [("ADDED", "a"), ("MODIFIED", "a"), ("ADDED", "b")]
    assert [event["object"]["metadata"]["resourceVersion"] for event in got] == versions


def test_objects_of_events_are_whole(maps):
    with maps.watch(resourceVersion=maps.version) as events:
        maps.create("a", data={"k": "v"})
        event = next(events)
    assert event.keys() == {"type", "object"}
    assert event["object"] == maps.api.http.get(f"{maps.path}/a").json()


def test_deleted_carries_the_last_state_with_the_version_of_the_deletion(maps):
    created = maps.create("a", data={"k": "v"})
    with maps.watch(resourceVersion=created) as events:
        maps.delete("a")
        event = next(events)
    assert seen(event) == ("DELETED", "a")
    assert event["object"]["data"] == {"k": "v"}
    assert event["object"]["metadata"]["resourceVersion"] not in ("", created)
    with maps.watch(resourceVersion=event["object"]["metadata"]["resourceVersion"]) as events:
        maps.create("b")
        assert seen(next(events)) == ("ADDED", "b")


def test_watch_resumes_after_any_version_it_has_shown(maps):
    first = maps.create("a")
    second = maps.create("b")
    maps.create("c")
    for version, follower in ((first, "b"), (second, "c")):
        with maps.watch(resourceVersion=version) as events:
            assert seen(next(events)) == ("ADDED", follower)


def test_watch_from_a_list_misses_nothing(maps):
    maps.create("a")
    version = maps.version
    maps.create("b")
    maps.delete("a")
    with maps.watch(resourceVersion=version) as events:
        assert [seen(next(events)) for _ in range(2)] == [("ADDED", "b"), ("DELETED", "a")]


@pytest.mark.parametrize("query", [{}, {"resourceVersion": "0"}], ids=["none", "zero"])
def test_watch_without_a_version_begins_with_what_is_there(maps, query):
    maps.create("a")
    maps.patch("a", {"data": {"k": "v"}})
    with maps.watch(**query) as events:
        first = next(events)
        assert seen(first) == ("ADDED", "a")
        assert first["object"]["data"] == {"k": "v"}
        maps.create("b")
        assert seen(next(events)) == ("ADDED", "b")


def test_change_that_ends_a_match_is_seen_as_deleted_with_the_last_match(maps):
    created = maps.create("a", {"k": "v"})
    with maps.watch(resourceVersion=created, labelSelector="k=v") as events:
        changed = maps.patch("a", {"metadata": {"labels": {"k": "w"}}})
        event = next(events)
    assert seen(event) == ("DELETED", "a")
    assert event["object"]["metadata"]["labels"] == {"k": "v"}
    assert event["object"]["metadata"]["resourceVersion"] == changed


def test_change_that_begins_a_match_is_seen_as_added(maps):
    created = maps.create("a", {"k": "v"})
    with maps.watch(resourceVersion=created, labelSelector="k=w") as events:
        maps.patch("a", {"metadata": {"labels": {"k": "w"}}})
        assert seen(next(events)) == ("ADDED", "a")
        maps.patch("a", {"data": {"x": "y"}})
        assert seen(next(events)) == ("MODIFIED", "a")


def test_changes_of_what_does_not_match_are_not_shown(maps):
    with maps.watch(resourceVersion=maps.version, labelSelector="k=v") as events:
        maps.create("other")
        maps.patch("other", {"data": {"x": "y"}})
        maps.delete("other")
        maps.create("wanted", {"k": "v"})
        assert seen(next(events)) == ("ADDED", "wanted")


def test_watch_of_one_object_by_its_name(maps):
    version = maps.version
    with maps.watch(resourceVersion=version, fieldSelector="metadata.name=b") as events:
        for name in ("a", "b", "c"):
            maps.create(name)
        maps.delete("b")
        assert [seen(next(events)) for _ in range(2)] == [("ADDED", "b"), ("DELETED", "b")]


def test_watch_of_one_object_by_its_path_is_a_get(maps):
    maps.create("a")
    answer = maps.api.http.get(f"{maps.path}/a", params={"watch": "1"})
    assert answer.json()["kind"] == "ConfigMap"


def test_watch_across_namespaces(api):
    first, second = api.new_namespace(), api.new_namespace()
    everywhere = Things(api, "/api/v1/configmaps")
    with everywhere.watch(
        resourceVersion=everywhere.version, labelSelector=f"suite={first}"
    ) as events:
        for namespace in (first, second):
            config_maps(api, namespace).create("a", {"suite": first})
        got = [next(events)["object"]["metadata"]["namespace"] for _ in range(2)]
    assert got == [first, second]


def test_watch_of_a_namespace_shows_no_other(api, namespace):
    maps, others = config_maps(api, namespace), config_maps(api, api.new_namespace())
    with maps.watch(resourceVersion=maps.version) as events:
        others.create("other")
        maps.create("own")
        assert seen(next(events)) == ("ADDED", "own")


def test_watch_of_a_custom_resource(api, namespace):
    pools = Things(api, f"/apis/metallb.io/v1beta1/namespaces/{namespace}/ipaddresspools")
    with pools.watch(resourceVersion=pools.version) as events:
        pools.made(
            {
                "apiVersion": "metallb.io/v1beta1",
                "kind": "IPAddressPool",
                "metadata": {"name": "p"},
                "spec": {"addresses": ["192.0.2.0/28"]},
            }
        )
        pools.patch("p", {"metadata": {"labels": {"a": "b"}}})
        pools.delete("p")
        got = [next(events) for _ in range(3)]
    assert [event["type"] for event in got] == ["ADDED", "MODIFIED", "DELETED"]
    assert {event["object"]["apiVersion"] for event in got} == {"metallb.io/v1beta1"}


def test_streamed_list_ends_with_an_annotated_bookmark(maps):
    created = maps.create("a")
    with maps.watch(allowWatchBookmarks="true", **STREAMED) as events:
        assert seen(next(events)) == ("ADDED", "a")
        bookmark = next(events)
        maps.create("b")
        later = next(event for event in events if event["type"] != "BOOKMARK")
    assert bookmark["type"] == "BOOKMARK"
    shown = bookmark["object"]
    assert (shown["apiVersion"], shown["kind"]) == ("v1", "ConfigMap")
    assert shown["metadata"]["annotations"] == INITIAL_END
    assert int(shown["metadata"]["resourceVersion"]) >= int(created)
    assert seen(later) == ("ADDED", "b")


def test_streamed_list_of_nothing_is_the_bookmark_alone(maps):
    with maps.watch(allowWatchBookmarks="true", labelSelector="no=match", **STREAMED) as events:
        assert next(events)["object"]["metadata"]["annotations"] == INITIAL_END


def test_watch_resumes_from_the_bookmark_of_a_streamed_list(maps):
    maps.create("a")
    with maps.watch(allowWatchBookmarks="true", **STREAMED) as events:
        bookmark = next(event for event in events if event["type"] == "BOOKMARK")
    version = bookmark["object"]["metadata"]["resourceVersion"]
    maps.create("b")
    with maps.watch(resourceVersion=version) as events:
        assert seen(next(events)) == ("ADDED", "b")


def test_streamed_list_without_bookmarks_has_no_marked_end(maps):
    maps.create("a")
    with maps.watch(**STREAMED) as events:
        assert seen(next(events)) == ("ADDED", "a")
        maps.create("b")
        assert seen(next(events)) == ("ADDED", "b")


def test_watch_that_wants_no_initial_events_begins_with_the_next_change(maps):
    maps.create("a")
    query = {"sendInitialEvents": "false", "resourceVersionMatch": "NotOlderThan"}
    with maps.watch(allowWatchBookmarks="true", **query) as events:
        maps.create("b")
        first = next(event for event in events if event["type"] != "BOOKMARK")
    assert seen(first) == ("ADDED", "b")


@pytest.mark.parametrize(
    ("query", "whys"),
    [
        pytest.param(
            {"sendInitialEvents": "true"},
            ["Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"],
            id="initial_events_without_match",
        ),
        pytest.param(
            {"resourceVersionMatch": "NotOlderThan", "resourceVersion": "1"},
            [
                "Forbidden: resourceVersionMatch is forbidden for watch unless sendInitialEvents "
                "is provided"
            ],
            id="match_without_initial_events",
        ),
        pytest.param(
            {"sendInitialEvents": "true", "resourceVersionMatch": "Exact"},
            [
                "Forbidden: sendInitialEvents requires setting resourceVersionMatch to "
                "NotOlderThan",
                'Unsupported value: "Exact": supported values: "NotOlderThan"',
            ],
            id="exact_match",
        ),
    ],
)
def test_watch_options_that_do_not_fit_are_invalid(maps, query, whys):
    status = assert_status(maps.get(watch="1", **query), 422, "Invalid")
    causes = status["details"]["causes"]
    assert [cause["message"] for cause in causes] == whys
    assert {cause["field"] for cause in causes} == {"resourceVersionMatch"}


def test_watch_from_what_is_no_version_is_refused_without_a_reason(maps):
    answer = maps.get(watch="1", resourceVersion="new")
    assert answer.status_code == 500
    assert answer.json() == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": 'resourceVersion: Invalid value: "new": strconv.ParseUint: parsing "new": '
        "invalid syntax",
        "code": 500,
    }


def test_watch_ends_after_its_timeout(maps):
    with maps.watch(resourceVersion=maps.version, timeoutSeconds="1") as events:
        assert list(events) == []


@pytest.mark.parametrize("word", ["1", "true", "yes"])
def test_any_word_but_false_asks_for_a_watch(maps, word):
    maps.create("a")
    with maps.watch(watch=word) as events:
        assert seen(next(events)) == ("ADDED", "a")


@pytest.mark.parametrize("word", ["0", "false"])
def test_watch_that_is_false_is_a_list(maps, word):
    assert maps.listed(watch=word)["kind"] == "ConfigMapList"


def test_watch_is_a_stream_of_lines_of_json(maps):
    maps.create("a")
    with maps.api.http.stream("GET", maps.path, params={"watch": "1"}) as answer:
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["transfer-encoding"] == "chunked"
        line = next(answer.iter_lines())
    assert json.loads(line)["type"] == "ADDED"


def test_watch_as_tables_names_the_columns_once(maps):
    with maps.watch(TABLE, resourceVersion=maps.version) as events:
        maps.create("a")
        maps.create("b")
        first, second = (next(events)["object"] for _ in range(2))
    assert [column["name"] for column in first["columnDefinitions"]] == ["Name", "Data", "Age"]
    assert second["columnDefinitions"] is None
    assert [table["rows"][0]["cells"][0] for table in (first, second)] == ["a", "b"]


@pytest.mark.only_on("dev", "changes kept for a resource")
def test_watch_from_a_forgotten_version_ends_with_an_error(maps):
    version = maps.create("a")
    for number in range(36):
        maps.patch("a", {"data": {"large": str(number % 10) * (1024 * 1024 - 100)}})
    with maps.watch(resourceVersion=version) as events:
        (event,) = list(events)
    assert event["type"] == "ERROR"
    assert (event["object"]["code"], event["object"]["reason"]) == (410, "Expired")
    assert event["object"]["message"].startswith(f"too old resource version: {version} (")


@pytest.mark.only_on("real", "a watch from before a definition was made is not too old")
def test_watch_from_before_a_resource_was_served_is_too_old(api, namespace):
    group = f"{namespace}.old.example.com"
    serve_definition(api, definition(group))
    gadgets = Things(api, f"/apis/{group}/v1/namespaces/{namespace}/gadgets")
    gadgets.made(gadget(group, "a"))
    with gadgets.watch(resourceVersion="1") as events:
        (event,) = list(events)
    assert event["type"] == "ERROR"
    status = event["object"]
    assert (status["kind"], status["status"], status["metadata"]) == ("Status", "Failure", {})
    assert (status["code"], status["reason"]) == (410, "Expired")
    assert status["message"].startswith("too old resource version: 1 (")


def test_kubectl_watches_with_the_kind_of_each_event(maps, kubectl):
    namespace = maps.path.split("/")[-2]
    process = kubectl.start(
        "get", "cm", "-n", namespace, "-w", "--output-watch-events", "-l", "own=yes"
    )
    try:
        maps.create("first", {"own": "yes"})
        lines = [process.stdout.readline().split() for _ in range(2)]
        maps.patch("first", {"data": {"a": "b"}})
        maps.delete("first")
        lines += [process.stdout.readline().split() for _ in range(2)]
    finally:
        process.kill()
        process.communicate()
    assert lines[0] == ["EVENT", "NAME", "DATA", "AGE"]
    assert [line[:3] for line in lines[1:]] == [
        ["ADDED", "first", "0"],
        ["MODIFIED", "first", "1"],
        ["DELETED", "first", "1"],
    ]
