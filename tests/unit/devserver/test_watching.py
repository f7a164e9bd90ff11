"""Cursors of watchers: what they see, when they are woken, how they fall behind."""

import asyncio
import json
from contextlib import aclosing
from datetime import UTC, datetime

import pytest

from ferrolb.devserver.watching import (
    BOOKMARK_INTERVAL_S,
    KEPT_ENCODINGS,
    MAX_BATCH,
    Hub,
    WatchRequest,
    stream,
)
from ferrolb.store import Change, ChangeType, NotFoundError, ObjectKey, ResourceId, Store

MAPS = ResourceId("", "configmaps")
NOW = datetime(2026, 1, 1, tzinfo=UTC)


class World:
    """A store with a hub, and watchers that count what is encoded for them."""

    def __init__(self, **limits):
        self.store = Store(**limits)
        self.hub = Hub(store=self.store, published=self.store.resource_version)
        self.encodings = 0

    def write(self, name, *, publish=True, **data):
        key = ObjectKey(MAPS, "default", name)
        try:
            self.store.update(key, {"data": data})
        except NotFoundError:
            self.store.create(key, {"data": data}, uid="u", now=NOW)
        if publish:
            self.hub.publish(self.store.resource_version)
        return self.store.resource_version

    def encode(self, change: Change, *, is_first: bool) -> bytes:
        self.encodings += 1
        return change.encoded

    def bookmark(self, version, *, ends_initial):
        return {"version": version, "ends": ends_initial}

    def request(self, **changes):
        values = {
            "resource": MAPS,
            "namespace": None,
            "matches": None,
            "since": self.hub.published,
            "initial": (),
            "marks_initial_end": False,
            "bookmarks": False,
            "timeout_s": 0.0,
            "encoding": "json",
            "encode": self.encode,
            "is_first_different": False,
            "bookmark": self.bookmark,
        }
        return WatchRequest(**{**values, **changes})

    def read(self, **changes):
        """Run a watch that times out at once, and return its events: a batch at most."""
        return asyncio.run(self._read(10**9, **changes))

    def read_all(self, count, **changes):
        """Run a watch until it has sent that many events, and return them."""
        return asyncio.run(self._read(count, timeout_s=60.0, **changes))

    async def _read(self, count, **changes):
        lines: list[bytes] = []
        async with aclosing(stream(self.hub, self.request(**changes))) as chunks:
            async for chunk in chunks:
                lines += chunk.splitlines()
                if len(lines) >= count:
                    break
        return [json.loads(line) for line in lines]


def names(events):
    return [(event["type"], event["object"]["metadata"]["name"]) for event in events]


def test_only_published_changes_are_shown():
    world = World()
    world.write("a")
    world.write("b", publish=False)
    assert names(world.read(since=1)) == [("ADDED", "a")]
    world.hub.publish(world.store.resource_version)
    assert names(world.read(since=1)) == [("ADDED", "a"), ("ADDED", "b")]


def test_one_encoding_serves_all_watchers_of_a_representation():
    world = World()
    world.write("a")
    first = world.read(since=1)
    assert world.read(since=1) == first
    assert world.encodings == 1
    world.read(since=1, encoding="table")
    assert world.encodings == 2


def test_first_event_is_encoded_apart_where_it_differs():
    world = World()
    world.write("a")
    world.write("b")
    world.read(since=1, is_first_different=True)
    world.read(since=1, is_first_different=True)
    assert world.encodings == 3  # `a` for each of the two, `b` once


def test_kept_encodings_are_bounded():
    world = World()
    count = KEPT_ENCODINGS + 10
    for number in range(count):
        world.write("a", n=number)
    world.read_all(count, since=1)
    world.read(since=world.store.resource_version - 5)
    assert world.encodings == count
    world.read_all(count, since=1)
    assert world.encodings > count


def test_watcher_whose_next_change_is_forgotten_gets_410():
    world = World(history_limit=8)
    for number in range(20):
        world.write("a", n=number)
    (event,) = world.read(since=2)
    assert event["type"] == "ERROR"
    assert (event["object"]["code"], event["object"]["reason"]) == (410, "Expired")
    assert len(world.read(since=world.store.resource_version - 8)) == 8


def test_initial_objects_come_first_in_batches_and_end_with_a_bookmark():
    world = World()
    initial = [
        Change(
            type=ChangeType.ADDED,
            key=ObjectKey(MAPS, "", ""),
            resource_version=0,
            encoded=b'{"metadata":{"name":"n%d"}}' % number,
            encoded_previous=None,
        )
        for number in range(MAX_BATCH + 1)
    ]
    events = world.read(initial=initial, marks_initial_end=True, since=1)
    assert names(events[:-1]) == [("ADDED", f"n{number}") for number in range(MAX_BATCH + 1)]
    assert events[-1] == {"type": "BOOKMARK", "object": {"version": 1, "ends": True}}


def test_watcher_far_behind_gets_batch_after_batch():
    world = World()
    for number in range(MAX_BATCH + 3):
        world.write("a", n=number)
    assert len(world.read(since=1)) == MAX_BATCH
    assert len(world.read_all(MAX_BATCH + 3, since=1)) == MAX_BATCH + 3


def test_last_bookmark_tells_how_far_the_watch_has_come():
    world = World()
    version = world.write("a")
    events = world.read(since=1, bookmarks=True)
    assert events[-1] == {"type": "BOOKMARK", "object": {"version": version, "ends": False}}


def test_bookmark_covers_changes_of_other_resources():
    world = World()
    other = ObjectKey(ResourceId("", "secrets"), "default", "s")
    world.store.create(other, {}, uid="u", now=NOW)
    world.hub.publish(world.store.resource_version)
    (event,) = world.read(since=1, bookmarks=True)
    assert event["object"]["version"] == world.store.resource_version


@pytest.mark.parametrize("end", ["change", "close"])
def test_sleeping_watcher_is_woken(end):
    world = World()

    async def run():
        events = stream(world.hub, world.request(timeout_s=BOOKMARK_INTERVAL_S))
        waiting = asyncio.ensure_future(anext(events, None))
        for _ in range(3):
            await asyncio.sleep(0)
        assert world.hub.open_watches == 1
        if end == "change":
            world.write("a")
        else:
            world.hub.close()
        chunk = await asyncio.wait_for(waiting, 5)
        await events.aclose()
        return chunk

    chunk = asyncio.run(run())
    assert (chunk is None) is (end == "close")
    assert world.hub.open_watches == 0


def test_change_of_another_resource_wakes_nobody():
    world = World()
    with world.hub.subscribed(MAPS) as event:
        other = ObjectKey(ResourceId("", "secrets"), "default", "s")
        world.store.create(other, {}, uid="u", now=NOW)
        world.hub.publish(world.store.resource_version)
        assert not event.is_set()
        world.write("a")
        assert event.is_set()
