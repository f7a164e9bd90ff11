from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from structlog.testing import capture_logs
from tests.fakes.api_server import Answer, event, running, status

from ferrolb.kube import (
    SERVICES,
    Access,
    ApiClient,
    Cache,
    ClientSettings,
    Reflector,
    ReflectorOptions,
    decode_raw,
    decode_service,
)
from ferrolb.reconcile import Backoff, ReflectorTiming

pytestmark = pytest.mark.anyio

TIMING = ReflectorTiming(
    backoff=Backoff(base_s=0.001, cap_s=0.01),
    healthy_after_s=0.05,
    absent_retry_s=0.01,
    absent_grace_s=0.03,
)
OPTIONS = ReflectorOptions(timing=TIMING)


class Observer:
    def __init__(self):
        self.relists = 0
        self.bad = 0

    def relisted(self, resource):
        self.relists += 1

    def undecodable(self, resource):
        self.bad += 1


@asynccontextmanager
async def reflecting(api, options=OPTIONS, decode=decode_raw, observer=None):
    """Run a reflector against the fake; yield its cache and the changes told so far."""
    cache: Cache[Any] = Cache()
    changes = []

    def note(change):
        changes.append(change)
        api.bell.set()

    cache.subscribe(note)
    settings = ClientSettings(request_timeout_s=2.0)
    async with ApiClient(Access(server=api.url), settings) as client:
        reflector: Reflector[Any] = Reflector(
            client, SERVICES, cache, decode=decode, options=options, observer=observer
        )
        async with running(reflector.run()):
            yield cache, changes


def names(cache):
    return sorted(key.name for key in cache)


async def test_list_then_watch_gives_what_the_server_has(api):
    api.put("a")
    api.put("b")
    async with reflecting(api) as (cache, changes):
        await api.until(lambda: len(cache) == 2 and api.open)
        assert cache.synced.is_set()
        api.put("c")
        api.put("a", spec={"x": 1})
        api.delete("b")
        await api.until(lambda: len(changes) == 5)
        assert names(cache) == ["a", "c"]
        assert cache.get(("default", "a")).content["spec"] == {"x": 1}
    told = [(c.key.name, c.old is not None, c.new is not None) for c in changes]
    assert told[2:] == [("c", False, True), ("a", True, True), ("b", True, False)]


async def test_watch_asks_for_bookmarks_and_a_spread_end(api):
    async with reflecting(api):
        await api.until(lambda: api.open)
    query = api.of_kind("watch")[0].query
    assert query["allowWatchBookmarks"] == "true"
    assert query["resourceVersion"] == "100"
    assert 300 <= int(query["timeoutSeconds"]) <= 600


async def test_list_is_read_in_pages_of_one_state(api):
    for name in "abcde":
        api.put(name)
    api.after_pages.extend([lambda: api.put("f"), lambda: api.delete("a")])
    async with reflecting(api, replace(OPTIONS, page_size=2)) as (cache, _):
        await api.until(lambda: names(cache) == ["b", "c", "d", "e", "f"])
    assert [r.query.get("limit") for r in api.of_kind("list")] == ["2", "2", "2"]
    assert api.of_kind("watch")[0].query["resourceVersion"] == "105"


async def test_nothing_is_synced_before_the_last_page(api):
    for name in "abc":
        api.put(name)
    seen = []
    async with reflecting(api, replace(OPTIONS, page_size=2)) as (cache, _):
        api.after_pages.extend([lambda: seen.append(cache.synced.is_set())] * 2)
        await api.until(lambda: len(cache) == 3)
    assert seen == [False, False]


async def test_page_token_that_expired_makes_one_whole_list(api):
    for name in "abc":
        api.put(name)
    api.after_pages.append(api.compact)
    async with reflecting(api, replace(OPTIONS, page_size=2)) as (cache, _):
        await api.until(lambda: len(cache) == 3 and api.open)
    assert [r.query.get("limit") for r in api.of_kind("list")] == ["2", "2", None]


async def test_server_down_at_start_is_waited_for(api):
    await api.stop()
    async with reflecting(api) as (cache, _):
        api.put("a")
        await api.start()
        await api.until(lambda: len(cache) == 1)


async def test_server_that_comes_back_is_watched_again_without_a_list(api):
    api.put("a")
    async with reflecting(api) as (cache, _):
        await api.until(lambda: api.open)
        await api.stop()
        api.put("b")
        api.delete("a")
        await api.start()
        await api.until(lambda: names(cache) == ["b"])
    assert len(api.of_kind("list")) == 1


async def test_clean_end_is_resumed_from_the_last_bookmark(api):
    async with reflecting(api):
        await api.until(lambda: api.open)
        api.version = 500
        api.bookmark()
        api.end_watches()
        await api.until(lambda: len(api.of_kind("watch")) == 2)
    assert api.of_kind("watch")[1].query["resourceVersion"] == "501"
    assert len(api.of_kind("list")) == 1


async def test_cut_in_the_middle_of_a_line_is_resumed_without_loss(api):
    async with reflecting(api) as (cache, _):
        await api.until(lambda: api.open)
        api.put("a")
        await api.until(lambda: len(cache) == 1)
        api.send(event("ADDED", {"metadata": {"name": "b"}})[:-9])
        api.cut_watches()
        api.put("b")
        await api.until(lambda: names(cache) == ["a", "b"])
    assert api.of_kind("watch")[1].query["resourceVersion"] == "101"


async def test_stream_that_ends_inside_a_line_is_resumed_without_loss(api):
    async with reflecting(api) as (cache, _):
        await api.until(lambda: api.open)
        api.send(event("ADDED", {"metadata": {"name": "b"}})[:-9])
        api.end_watches()
        api.put("b")
        await api.until(lambda: names(cache) == ["b"])


async def test_gone_as_status_lists_again_and_tells_what_was_deleted_meanwhile(api):
    api.put("a")
    api.put("b")
    observer = Observer()
    async with reflecting(api, observer=observer) as (cache, changes):
        await api.until(lambda: api.open)
        api.open.clear()
        api.delete("a")
        api.put("c")
        api.compact()
        for writer in list(api._tasks):
            writer.cancel()
        await api.until(lambda: names(cache) == ["b", "c"])
        assert observer.relists == 1
    assert [(c.key.name, c.new is None) for c in changes[2:]] == [("c", False), ("a", True)]


async def test_gone_as_event_lists_again(api):
    api.put("a")
    async with reflecting(api) as (cache, _):
        await api.until(lambda: api.open)
        watchers, api.open = set(api.open), set()
        api.delete("a")
        api.open = watchers
        api.send(event("ERROR", {"code": 410, "reason": "Expired", "message": "too old"}))
        await api.until(lambda: len(cache) == 0)
    assert len(api.of_kind("list")) == 2


async def test_other_error_event_is_resumed_first_and_lists_the_second_time(api):
    api.put("a")
    async with reflecting(api):
        for expected in (1, 2):
            await api.until(lambda expected=expected: len(api.of_kind("watch")) == expected)
            await api.until(lambda: api.open)
            api.send(event("ERROR", {"code": 500, "message": "etcd"}))
            api.end_watches()
        await api.until(lambda: len(api.of_kind("list")) == 2)


@pytest.mark.parametrize("junk", [b"{}\n", b"no json\n", b'{"type":"ODD","object":{}}\n'])
async def test_junk_on_the_stream_ends_in_a_new_list(api, junk):
    async with reflecting(api):
        for expected in (1, 2):
            await api.until(lambda expected=expected: len(api.of_kind("watch")) == expected)
            await api.until(lambda: api.open)
            api.send(junk)
            api.open.clear()
        await api.until(lambda: len(api.of_kind("list")) == 2)


async def test_silent_watch_is_resumed_then_listed_again(api):
    api.put("a")
    async with reflecting(api, replace(OPTIONS, silence_s=0.03)):
        await api.until(lambda: len(api.of_kind("list")) == 2)
    kinds = [request.kind for request in api.requests]
    assert kinds[:4] == ["list", "watch", "watch", "list"]


async def test_watch_refused_by_status_lists_again(api):
    api.answer_next("watch", status(403, "Forbidden"))
    async with reflecting(api):
        await api.until(lambda: api.open)
    assert [request.kind for request in api.requests] == ["list", "watch", "list", "watch"]


@pytest.mark.parametrize("code", [401, 403, 404, 429, 500, 503])
async def test_list_refused_is_tried_again(api, code):
    api.put("a")
    api.answer_next("list", status(code), status(code))
    async with reflecting(api) as (cache, _):
        await api.until(lambda: len(cache) == 1)
    assert len(api.of_kind("list")) == 3


@pytest.mark.parametrize("body", [b"junk", b"[]", b'{"items": {}}'])
async def test_list_that_is_none_is_tried_again(api, body):
    api.put("a")
    api.answer_next("list", Answer(body=body))
    async with reflecting(api) as (cache, _):
        await api.until(lambda: len(cache) == 1)


async def test_null_items_are_an_empty_list(api):
    api.answer_next("list", Answer(body=b'{"metadata":{"resourceVersion":"100"},"items":null}'))
    async with reflecting(api) as (cache, _):
        await api.until(lambda: api.open)
        assert cache.synced.is_set()


async def test_null_fields_blind_nobody(api):
    # servers send `endpoints: null` for slices without endpoints
    api.put("a", endpoints=None, spec=None, status=None)
    api.put("b")
    async with reflecting(api, decode=decode_service) as (cache, _):
        await api.until(lambda: len(cache) == 2)
    assert cache.unreadable == {}


async def test_one_undecodable_object_is_skipped_and_named(api):
    api.put("a")
    api.put("bad", spec={"ports": 7})
    api.put("c")
    observer = Observer()
    async with reflecting(api, decode=decode_service, observer=observer) as (cache, changes):
        await api.until(lambda: len(changes) == 3 and api.open)
        assert names(cache) == ["a", "c"]
        assert "$.spec.ports" in cache.unreadable["default", "bad"]
        assert observer.bad == 1
        api.put("bad", spec={"ports": []})
        await api.until(lambda: names(cache) == ["a", "bad", "c"])
        assert cache.unreadable == {}


async def test_object_that_becomes_undecodable_keeps_its_last_good_state(api):
    api.put("a", spec={"clusterIP": "10.0.0.1"})
    async with reflecting(api, decode=decode_service) as (cache, changes):
        await api.until(lambda: api.open)
        api.put("a", spec=[])
        await api.until(lambda: cache.unreadable)
        assert cache.get(("default", "a")).spec.clusterIP == "10.0.0.1"
        # neither a list nor the resumed watch may take it for deleted
        api.compact()
        api.send(event("ERROR", {"code": 410}))
        await api.until(lambda: len(api.of_kind("list")) == 2 and api.open)
        assert names(cache) == ["a"]
        api.delete("a")
        await api.until(lambda: len(cache) == 0)
        assert cache.unreadable == {}
    assert changes[-1].new is None


async def test_object_without_a_name_is_skipped(api):
    api.put("a")
    api.objects["x", "y"] = {"metadata": {}}
    api.objects["x", "z"] = {"metadata": 7}
    observer = Observer()
    async with reflecting(api, observer=observer) as (cache, _):
        await api.until(lambda: api.open)
        assert names(cache) == ["a"]
        api.send(event("DELETED", {"metadata": {}}))
        api.put("b")
        await api.until(lambda: names(cache) == ["a", "b"])
    assert observer.bad == 2


async def test_field_selector_that_is_refused_is_dropped_for_good(api):
    api.put("a")
    api.answer_next("list", status(400, "BadRequest", "field label not supported"))
    options = replace(OPTIONS, field_selector="spec.type=LoadBalancer", label_selector="x=y")
    async with reflecting(api, options) as (cache, _):
        await api.until(lambda: len(cache) == 1 and api.open)
    assert [r.query.get("fieldSelector") for r in api.requests] == [
        "spec.type=LoadBalancer",
        None,
        None,
    ]
    assert {r.query.get("labelSelector") for r in api.requests} == {"x=y"}


async def test_bad_request_without_a_field_selector_is_a_failure(api):
    api.put("a")
    api.answer_next("list", status(400, "BadRequest"))
    async with reflecting(api) as (cache, _):
        await api.until(lambda: len(cache) == 1)


@pytest.mark.parametrize("code", [403, 404])
async def test_optional_resource_that_is_absent_is_empty_and_found_later(api, code):
    api.put("a")
    api.answer_next("list", status(code), status(code))
    async with reflecting(api, replace(OPTIONS, optional=True)) as (cache, _):
        await cache.synced.wait()
        assert len(cache) == 0
        await api.until(lambda: len(cache) == 1)
    assert len(api.of_kind("list")) == 3


async def test_optional_resource_that_vanishes_is_empty_after_its_grace_time(api):
    api.put("a")
    async with reflecting(api, replace(OPTIONS, optional=True)) as (cache, changes):
        await api.until(lambda: api.open)
        api.answer_next("watch", *[status(404)] * 100)
        api.answer_next("list", *[status(404)] * 100)
        api.end_watches()
        await api.until(lambda: len(cache) == 0)
    assert changes[-1].new is None
    assert len(api.of_kind("list")) > 2


async def test_namespace_is_part_of_the_path(api):
    async with reflecting(api, replace(OPTIONS, namespace="metallb-system")):
        await api.until(lambda: api.open)
    assert {r.path for r in api.requests} == {"/api/v1/namespaces/metallb-system/services"}


async def test_server_that_went_back_in_time_is_believed(api):
    api.put("a", spec={"old": True})
    async with reflecting(api) as (cache, _):
        await api.until(lambda: api.open)
        api.objects.clear()
        api.history.clear()
        api.version = 7
        api.put("a", spec={"old": False})
        api.send(event("ERROR", {"code": 410}))
        await api.until(lambda: not cache.get(("default", "a")).content["spec"]["old"])
        api.put("a", spec={"old": False, "more": 1})
        await api.until(lambda: "more" in cache.get(("default", "a")).content["spec"])


async def test_separators_inside_strings_do_not_split_a_line(api):
    async with reflecting(api) as (cache, _):
        await api.until(lambda: api.open)
        api.put("a", note="x\u2028y\x85z")
        await api.until(lambda: len(cache) == 1)
        assert cache.get(("default", "a")).content["note"] == "x\u2028y\x85z"


async def test_line_in_many_pieces_is_one_event(api):
    async with reflecting(api) as (cache, _):
        await api.until(lambda: api.open)
        line = event("ADDED", {"metadata": {"name": "a", "resourceVersion": "105"}})
        for start in range(0, len(line), 3):
            api.send(line[start : start + 3])
        await api.until(lambda: len(cache) == 1)


async def test_outage_is_told_once_and_so_is_its_end(api):
    with capture_logs() as logs:
        async with reflecting(api) as (cache, _):
            await api.until(lambda: api.open)
            api.answer_next("watch", *[status(503, message="etcd is down")] * 5)
            api.answer_next("list", *[status(503, message="etcd is down")] * 5)
            api.end_watches()
            api.put("a")
            await api.until(lambda: len(cache) == 1 and api.open)
            api.put("b")
            await api.until(lambda: len(cache) == 2)
    told = [(line["log_level"], line["event"], line.get("error")) for line in logs]
    assert told.count(("warning", "cannot follow", "etcd is down")) == 1
    assert told.count(("info", "following again", None)) == 1


REFUSED = 'services is forbidden: User "u" cannot watch resource "services" in API group ""'


async def test_c25_optional_resource_that_may_not_be_watched_is_listed_from_time_to_time(api):
    api.put("a")
    api.answer_next("watch", *[status(403, "Forbidden", REFUSED)] * 2)
    with capture_logs() as logs:
        async with reflecting(api, replace(OPTIONS, optional=True)) as (cache, _):
            await api.until(lambda: len(api.of_kind("list")) == 2)
            api.put("b")
            await api.until(lambda: len(cache) == 2)
            assert not cache.is_absent
    told = [log["event"] for log in logs if log["log_level"] != "debug"]
    assert told.count("watch not allowed, listed from time to time") == 1
    assert "cannot follow" not in told
