"""The reporter on caches that a test fills, on a clock that jumps."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, cast

from tests.announcing import ad, match
from tests.builders import make_pool, make_pools
from tests.cluster import node, pool
from tests.config_objects import NAMESPACE
from tests.fakes.virtual_time import run_virtual

from ferrolb.controller.coverage import CoverageReporter
from ferrolb.controller.silence import TOLD_AT_ONCE
from ferrolb.controller.watches import Watches
from ferrolb.kube import ObjectKey, decode_node, decode_raw, decode_service
from ferrolb.model import EventNote, PoolSet
from ferrolb.reconcile import EventSubject

WHY = 'no advertisement selects the address pool "p"'


class Recorder:
    """Remembers what it is told, and when."""

    def __init__(self) -> None:
        self.said: list[tuple[float, str, str]] = []
        self.held: dict[Any, str] = {}

    def record(self, subject: EventSubject, note: EventNote) -> None:
        assert note.reason == "notAnnounced"
        at = asyncio.get_running_loop().time()
        self.said.append((at, subject.name, note.message.partition(": ")[2]))

    def hold(self, key: Any, subject: EventSubject, note: EventNote) -> None:
        self.held[key[0].name] = note.message.partition(": ")[2]

    def release(self, key: Any) -> None:
        self.held.pop(key[0].name, None)


class Bench:
    """Caches, the reporter on them, and a recorder."""

    def __init__(self) -> None:
        self.watches = Watches()
        self.recorder = Recorder()
        self.turn = asyncio.Event()
        self.turn.set()
        self.version = 0
        self.reporter = CoverageReporter(
            watches=self.watches,
            recorder=cast("Any", self.recorder),
            lb_class="",
            turn=self.turn,
        )
        self.reporter.subscribe()
        self.start = asyncio.get_running_loop().time()

    def _bytes(self, raw: Any) -> bytes:
        self.version += 1
        raw["metadata"]["resourceVersion"] = str(self.version)
        return json.dumps(raw).encode()

    def service(self, name: str, ip: str = "10.0.0.1", uid: str = "u", **metadata: Any) -> None:
        ingress = [{"ip": ip}] if ip else []
        raw = {
            "metadata": {"namespace": "default", "name": name, "uid": uid, **metadata},
            "spec": {"type": "LoadBalancer"},
            "status": {"loadBalancer": {"ingress": ingress}},
        }
        self.watches.services.put(decode_service(self._bytes(raw)))

    def drop(self, name: str) -> None:
        self.watches.services.remove(ObjectKey("default", name), "")

    def node(self, name: str = "node-a", *, beat: str = "", **labels: str) -> None:
        condition = {"type": "Ready", "status": "True", "lastHeartbeatTime": beat}
        raw = {**node(name, **labels), "status": {"conditions": [condition]}}
        self.watches.nodes.put(decode_node(self._bytes(raw)))

    def ad(self, name: str = "ad", **spec: Any) -> None:
        self.watches.l2_advertisements.put(decode_raw(self._bytes(ad(name, **spec))))

    def drop_ad(self, name: str = "ad") -> None:
        self.watches.l2_advertisements.remove(ObjectKey(NAMESPACE, name), "")

    def pool(self, *, labels: dict[str, str] | None = None) -> None:
        raw = pool("p", "10.0.0.0/16")
        raw["metadata"]["labels"] = labels or {}
        self.watches.pools.put(decode_raw(self._bytes(raw)))
        self.reporter.set_pools(make_pools(make_pool("p", "10.0.0.0/16")))

    def synced(self) -> None:
        for cache in self.watches.for_coverage():
            cache.synced.set()

    @property
    def said(self) -> list[tuple[str, str]]:
        return [(name, why) for _, name, why in self.recorder.said]


def run(story: Callable[[Bench], Awaitable[None]]) -> None:
    """Play a story against a running reporter with a pool, a node and complete lists."""

    async def main() -> None:
        bench = Bench()
        bench.pool()
        bench.node()
        bench.synced()
        task = asyncio.create_task(bench.reporter.run())
        try:
            await story(bench)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    run_virtual(main())


def test_c25_one_event_ten_seconds_after_the_address():
    async def story(bench: Bench) -> None:
        bench.service("pending", ip="")
        bench.service("hole")
        await asyncio.sleep(600)
        [(at, name, why)] = bench.recorder.said
        assert (name, why) == ("hole", WHY)
        assert 10.0 <= at - bench.start <= 13.0
        assert bench.recorder.held == {"hole": WHY}

    run(story)


def test_c25_nothing_of_what_somebody_may_announce():
    async def story(bench: Bench) -> None:
        bench.ad()
        bench.service("unmarked")
        bench.service("marked", annotations={"metallb.io/ip-allocated-from-pool": "p"})
        await asyncio.sleep(600)
        assert bench.said == []

    run(story)


def test_c25_it_is_not_refreshed_once_somebody_may_announce():
    async def story(bench: Bench) -> None:
        bench.service("hole")
        await asyncio.sleep(20)
        assert bench.recorder.held
        bench.ad()
        await asyncio.sleep(5)
        assert bench.recorder.held == {}
        bench.drop_ad()
        await asyncio.sleep(9)
        assert len(bench.said) == 1
        await asyncio.sleep(9)
        assert len(bench.said) == 2

    run(story)


def test_c25_an_advertisement_in_time_keeps_it_silent():
    async def story(bench: Bench) -> None:
        bench.service("late")
        await asyncio.sleep(8)
        bench.ad()
        await asyncio.sleep(60)
        assert bench.said == []

    run(story)


def test_c25_nodes_and_labels_of_pools_are_judged():
    async def story(bench: Bench) -> None:
        bench.ad("x", nodeSelectors=[match(rack="1")], ipAddressPoolSelectors=[match(a="b")])
        bench.pool(labels={"a": "b"})
        bench.service("web")
        await asyncio.sleep(30)
        why = 'no node matches the node selectors of advertisement "x"'
        assert bench.said == [("web", why)]
        bench.node(rack="1")
        await asyncio.sleep(5)
        assert bench.recorder.held == {}
        bench.pool()
        await asyncio.sleep(30)
        assert bench.said[1:] == [("web", WHY)]

    run(story)


def test_heartbeats_and_status_writes_set_nothing_off():
    async def story(bench: Bench) -> None:
        bench.service("web")
        await asyncio.sleep(30)
        bench.node(beat="2026-01-01T00:00:00Z")
        bench.pool()
        assert not bench.reporter._has_work.is_set()
        bench.node(rack="2")
        assert bench.reporter._has_work.is_set()

    run(story)


def test_c25_a_pool_that_routers_are_told_of_is_left_alone():
    async def story(bench: Bench) -> None:
        raw = ad("bgp", ipAddressPools=["p"])
        bench.watches.bgp_advertisements.put(decode_raw(bench._bytes(raw)))
        bench.service("unmarked")
        bench.service("marked", annotations={"metallb.io/ip-allocated-from-pool": "p"})
        await asyncio.sleep(60)
        assert bench.said == []

    run(story)


def test_c25_without_the_right_to_read_nothing_is_said():
    for index in range(3):

        async def story(bench: Bench, index: int = index) -> None:
            bench.service("told")
            await asyncio.sleep(20)
            assert len(bench.said) == 1
            bench.watches.for_coverage()[index].is_absent = True
            bench.node("node-b")
            bench.service("hole")
            await asyncio.sleep(60)
            bench.service("later")
            await asyncio.sleep(60)
            assert len(bench.said) == 1
            assert bench.recorder.held == {}

        run(story)


def test_a_service_that_goes_or_comes_again_is_another_one():
    async def story(bench: Bench) -> None:
        bench.service("web", uid="1")
        bench.service("gone", uid="2")
        await asyncio.sleep(20)
        bench.drop("gone")
        bench.drop("web")
        assert bench.recorder.held == {}
        bench.service("web", uid="3")
        await asyncio.sleep(9)
        assert len(bench.said) == 2
        await asyncio.sleep(9)
        assert bench.said[2:] == [("web", WHY)]
        # the watch may have missed the deletion
        bench.service("web", uid="4")
        await asyncio.sleep(20)
        assert bench.said[3:] == [("web", WHY)]
        bench.service("web", uid="4", ip="")
        await asyncio.sleep(5)
        assert bench.recorder.held == {}

    run(story)


def test_thousands_are_told_at_a_bounded_rate():
    count = 10 * TOLD_AT_ONCE

    async def story(bench: Bench) -> None:
        for number in range(count):
            bench.service(f"s{number:04}")
        await asyncio.sleep(12.5)
        assert len(bench.said) <= 3 * TOLD_AT_ONCE
        await asyncio.sleep(20)
        assert len(bench.said) == count

    run(story)


def test_passes_over_services_come_first_within_reason():
    async def story(bench: Bench) -> None:
        bench.turn.clear()
        bench.service("hole")
        await asyncio.sleep(60)
        [(at, _, _)] = bench.recorder.said
        assert 15.0 <= at - bench.start <= 25.0

    run(story)


def test_nothing_is_said_before_all_lists_are_complete():
    async def main() -> None:
        bench = Bench()
        bench.pool()
        bench.service("hole")
        task = asyncio.create_task(bench.reporter.run())
        await asyncio.sleep(60)
        assert bench.said == []
        bench.synced()
        await asyncio.sleep(60)
        assert bench.said == [("hole", WHY)]
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    run_virtual(main())


def test_the_same_pools_again_are_no_news():
    async def story(bench: Bench) -> None:
        await asyncio.sleep(5)
        bench.reporter.set_pools(make_pools(make_pool("p", "10.0.0.0/16")))
        assert not bench.reporter._has_work.is_set()
        bench.reporter.set_pools(PoolSet())
        assert bench.reporter._has_work.is_set()

    run(story)
