"""The requests that events cause, against real HTTP, and what happens when they fail."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from tests.fakes.object_api import ObjectApi, Refusal, Seen, serve_objects

from ferrolb.kube import ApiClient
from ferrolb.kube.recorder import EventRecorder, RecorderSettings
from ferrolb.model import EventNote, EventType
from ferrolb.reconcile import EventLimits, EventSubject
from ferrolb.telemetry import ClientMetrics

pytestmark = pytest.mark.anyio

EVENTS = "/api/v1/namespaces/shop/events"
SETTINGS = RecorderSettings(
    component="metallb-controller", instance="node-1", senders=1, retry_delays_s=(0.0, 0.0)
)
SERVICE = EventSubject(
    api_version="v1", kind="Service", namespace="shop", name="web", uid="u-1", resource_version="7"
)
FAILED = EventNote(EventType.WARNING, "AllocationFailed", "no luck")
NAME = "web.8dcaee9c8236eeb5"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Bench:
    """A recorder on a fake API with a clock that the test moves."""

    def __init__(self, api: ObjectApi, client: ApiClient, settings: RecorderSettings) -> None:
        self.api = api
        self.now = 1000.0
        self.registry = CollectorRegistry()
        self.recorder = EventRecorder(
            client,
            settings,
            metrics=ClientMetrics(self.registry),
            clock=lambda: self.now,
            wall=lambda: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self.now),
        )

    @property
    def event(self) -> dict[str, Any]:
        return self.api.objects[f"{EVENTS}/{NAME}"]

    def dropped(self, cause: str) -> float | None:
        return self.registry.get_sample_value("ferrolb_events_dropped_total", {"cause": cause})

    async def until(self, condition: Callable[[], bool]) -> None:
        for _ in range(100_000):
            if condition():
                return
            await asyncio.sleep(0)
        pytest.fail("it did not happen")

    async def idle(self) -> None:
        machine = self.recorder._machine
        await self.until(lambda: not machine.pending and not machine._in_flight)

    async def record(self, note: EventNote = FAILED, about: EventSubject = SERVICE) -> None:
        self.recorder.record(about, note)
        await self.idle()


@asynccontextmanager
async def running(settings: RecorderSettings = SETTINGS) -> AsyncIterator[Bench]:
    async with serve_objects() as (api, client):
        bench = Bench(api, client, settings)
        task = asyncio.create_task(bench.recorder.run())
        try:
            yield bench
        finally:
            await stop(task)


async def stop(task: asyncio.Task[None]) -> None:
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def refuse(
    method: str, refusal: Refusal, *, times: int = 1_000_000
) -> Callable[[Seen], Refusal | None]:
    left = [times]

    def decide(seen: Seen) -> Refusal | None:
        if seen.method != method or left[0] == 0:
            return None
        left[0] -= 1
        return refusal

    return decide


async def test_the_first_event_is_one_create_with_everything() -> None:
    async with running() as bench:
        await bench.record()
        assert bench.api.requests() == [("POST", EVENTS)]
        assert bench.api.seen[0].body == {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"namespace": "shop", "name": NAME},
            "involvedObject": {
                "apiVersion": "v1",
                "kind": "Service",
                "namespace": "shop",
                "name": "web",
                "uid": "u-1",
                "resourceVersion": "7",
            },
            "type": "Warning",
            "reason": "AllocationFailed",
            "message": "no luck",
            "source": {"component": "metallb-controller"},
            "reportingComponent": "metallb-controller",
            "reportingInstance": "node-1",
            "firstTimestamp": "2026-01-01T00:16:40Z",
            "lastTimestamp": "2026-01-01T00:16:40Z",
            "count": 1,
        }


async def test_a_repeat_is_one_merge_patch_of_count_and_last_time() -> None:
    async with running() as bench:
        await bench.record()
        bench.now += 60
        await bench.record()
        patch = bench.api.seen[1]
        assert (patch.method, patch.path) == ("PATCH", f"{EVENTS}/{NAME}")
        assert patch.content_type == "application/merge-patch+json"
        assert patch.body == {"lastTimestamp": "2026-01-01T00:17:40Z", "count": 2}
        assert len(bench.api.seen) == 2


async def test_after_a_restart_the_count_of_the_event_found_goes_on() -> None:
    async with running() as bench:
        bench.api.put(f"{EVENTS}/{NAME}", {"count": 6, "firstTimestamp": "then"})
        await bench.record()
        assert [(seen.method, seen.body) for seen in bench.api.seen[1:]] == [
            ("PATCH", {"lastTimestamp": "2026-01-01T00:16:40Z"}),
            ("PATCH", {"count": 7}),
        ]
        assert bench.event["firstTimestamp"] == "then"
        await bench.record()
        assert bench.event["count"] == 8
        assert bench.api.requests("POST") == [("POST", EVENTS)]
        assert bench.api.requests("GET") == []


async def test_repeats_that_wait_together_are_added_to_the_event_found() -> None:
    async with running() as bench:
        bench.api.put(f"{EVENTS}/{NAME}", {"count": 6})
        for _ in range(3):
            bench.recorder.record(SERVICE, FAILED)
        await bench.idle()
        assert bench.event["count"] == 9
        await bench.record()
        assert bench.event["count"] == 10


async def test_an_event_found_without_a_count_counts_as_one() -> None:
    async with running() as bench:
        bench.api.put(f"{EVENTS}/{NAME}", {})
        await bench.record()
        assert bench.event["count"] == 2


async def test_an_expired_event_is_created_again_with_its_count() -> None:
    async with running() as bench:
        await bench.record()
        bench.api.objects.clear()
        await bench.record()
        assert bench.event["count"] == 2
        assert bench.event["firstTimestamp"] == "2026-01-01T00:16:40Z"
        assert [method for method, _ in bench.api.requests()] == ["POST", "PATCH", "POST"]


async def test_folded_events_change_the_message_of_one_event() -> None:
    async with running() as bench:
        for number in range(11):
            await bench.record(EventNote(EventType.WARNING, "AllocationFailed", f"r{number}"))
        assert len(bench.api.objects) == 10
        patch = bench.api.seen[-1]
        assert patch.method == "PATCH"
        assert patch.body["message"] == "(combined from similar events): r10"
        assert patch.body["count"] == 2


async def test_a_cluster_scoped_object_has_its_events_in_default() -> None:
    async with running() as bench:
        node = EventSubject(api_version="v1", kind="Node", namespace="", name="n1", uid="u-9")
        await bench.record(about=node)
        assert bench.api.seen[0].path == "/api/v1/namespaces/default/events"
        assert bench.api.seen[0].body["involvedObject"] == {
            "apiVersion": "v1",
            "kind": "Node",
            "name": "n1",
            "uid": "u-9",
        }


@pytest.mark.parametrize(
    "refusal",
    [
        Refusal(500, "InternalError"),
        Refusal(503, "ServiceUnavailable"),
        Refusal(429, "TooManyRequests", retry_after=1),
        Refusal(409, "Conflict"),
        Refusal(401, "Unauthorized"),
    ],
    ids=lambda refusal: str(refusal.code),
)
async def test_a_passing_failure_is_tried_again(refusal: Refusal) -> None:
    async with running() as bench:
        bench.api.refuse = refuse("POST", refusal, times=2)
        await bench.record()
        assert bench.api.requests() == [("POST", EVENTS)] * 3
        assert bench.event["count"] == 1


async def test_a_lasting_failure_is_given_up_and_the_count_kept() -> None:
    async with running() as bench:
        bench.api.refuse = refuse("POST", Refusal(500), times=3)
        await bench.record()
        assert bench.dropped("unavailable") == 1
        assert bench.api.objects == {}
        await bench.record()
        assert bench.event["count"] == 2


@pytest.mark.parametrize(
    ("refusal", "cause"),
    [
        (Refusal(404, "NotFound", 'namespaces "shop" not found'), "namespace_gone"),
        (
            Refusal(403, "Forbidden", "unable to create, namespace shop is being terminated"),
            "namespace_gone",
        ),
        (Refusal(403, "Forbidden", "user may not create events"), "refused"),
        (Refusal(422, "Invalid"), "refused"),
        (Refusal(400, "BadRequest"), "refused"),
    ],
    ids=["no namespace", "terminating", "roles", "invalid", "bad request"],
)
async def test_what_can_never_succeed_is_dropped_at_once(refusal: Refusal, cause: str) -> None:
    async with running() as bench:
        bench.api.refuse = refuse("POST", refusal)
        await bench.record()
        assert bench.api.requests() == [("POST", EVENTS)]
        assert bench.dropped(cause) == 1


async def test_one_event_that_fails_does_not_stop_the_next() -> None:
    async with running() as bench:
        bench.api.refuse = refuse("POST", Refusal(422, "Invalid"), times=1)
        await bench.record(EventNote(EventType.WARNING, "AllocationFailed", "first"))
        await bench.record()
        assert bench.event["count"] == 1


async def test_a_chatty_object_is_throttled_and_counted() -> None:
    async with running() as bench:
        for _ in range(27):
            await bench.record()
        assert bench.dropped("throttled") == 2
        assert bench.event["count"] == 25


async def test_more_events_than_fit_are_counted_not_kept() -> None:
    async with running(replace(SETTINGS, limits=EventLimits(pending=3))) as bench:
        bench.api.gate.clear()
        for number in range(5):
            about = replace(SERVICE, uid=f"u-{number}")
            bench.recorder.record(about, FAILED)
        assert bench.dropped("overflow") == 2
        bench.api.gate.set()
        await bench.idle()
        assert len(bench.api.objects) == 3


async def test_record_returns_while_the_api_is_silent() -> None:
    async with running() as bench:
        bench.api.gate.clear()
        bench.recorder.record(SERVICE, FAILED)
        await bench.api.wait_for(1)
        bench.recorder.record(SERVICE, FAILED)
        bench.recorder.record(SERVICE, FAILED)
        assert bench.recorder._machine.pending == 0
        bench.api.gate.set()
        await bench.until(lambda: bool(bench.api.objects) and bench.event["count"] == 3)
        assert [method for method, _ in bench.api.requests()] == ["POST", "PATCH"]


async def test_a_lasting_condition_is_said_again_before_it_expires() -> None:
    async with running() as bench:
        await bench.record()
        bench.recorder.hold("k", SERVICE, FAILED)
        bench.now += 50 * 60
        bench.recorder.hold("k", SERVICE, FAILED)
        await bench.until(lambda: bench.event["count"] == 2)
        assert bench.event["lastTimestamp"] == "2026-01-01T01:06:40Z"


async def test_an_ended_condition_is_not_said_again() -> None:
    async with running() as bench:
        bench.recorder.hold("k", SERVICE, FAILED)
        bench.recorder.release("k")
        bench.now += 50 * 60
        bench.recorder.hold("other", replace(SERVICE, uid="u-2"), FAILED)
        await bench.record()
        assert bench.api.requests() == [("POST", EVENTS)]


async def test_too_many_conditions_are_counted() -> None:
    async with running(replace(SETTINGS, limits=EventLimits(held=1))) as bench:
        bench.recorder.hold("a", SERVICE, FAILED)
        bench.recorder.hold("b", SERVICE, FAILED)
        assert bench.dropped("overflow") == 1


async def test_a_stop_sends_what_waits() -> None:
    async with serve_objects() as (api, client):
        bench = Bench(api, client, SETTINGS)
        task = asyncio.create_task(bench.recorder.run())
        api.gate.clear()
        for number in range(4):
            bench.recorder.record(replace(SERVICE, uid=f"u-{number}"), FAILED)
        await api.wait_for(1)
        api.gate.set()
        await stop(task)
        assert len(api.objects) == 4
        assert bench.dropped("shutdown") is None


async def test_a_stop_does_not_wait_for_a_silent_api() -> None:
    async with serve_objects() as (api, client):
        bench = Bench(api, client, replace(SETTINGS, flush_s=0.05))
        task = asyncio.create_task(bench.recorder.run())
        api.gate.clear()
        for number in range(3):
            bench.recorder.record(replace(SERVICE, uid=f"u-{number}"), FAILED)
        await api.wait_for(1)
        await stop(task)
        assert bench.dropped("shutdown") == 3


async def test_several_senders_write_each_event_once() -> None:
    async with running(replace(SETTINGS, senders=4)) as bench:
        for number in range(200):
            bench.recorder.record(replace(SERVICE, uid=f"u-{number}"), FAILED)
        await bench.idle()
        assert bench.api.requests() == [("POST", EVENTS)] * 200
        assert len(bench.api.objects) == 200
