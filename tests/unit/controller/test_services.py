"""One pass over one Service against a small API on real HTTP, which refuses on request."""

from contextlib import asynccontextmanager
from typing import Any, cast

import msgspec
import pytest
from tests.builders import make_pool, make_pools
from tests.fakes.object_api import ObjectApi, Refusal, serve_objects

from ferrolb.controller.services import ServiceReconciler
from ferrolb.controller.signals import Signals
from ferrolb.converge import Engine
from ferrolb.kube import (
    Cache,
    ConflictError,
    ServerError,
    ServiceObject,
    StatusWriter,
    decode_service,
)
from ferrolb.model import EventNote, ServiceKey
from ferrolb.reconcile import EventSubject
from ferrolb.telemetry import ClientMetrics, new_registry

pytestmark = pytest.mark.anyio
KEY = ("default", "web")
PATH = "/api/v1/namespaces/default/services/web"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Recorder:
    """Remembers what it is told."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.held: dict[Any, str] = {}

    def record(self, subject: EventSubject, note: EventNote) -> None:
        self.said.append(note.reason)

    def hold(self, key: Any, subject: EventSubject, note: EventNote) -> None:
        self.held[key] = note.reason

    def release(self, key: Any) -> None:
        del self.held[key]


class Bench:
    def __init__(self, api: ObjectApi, client: Any) -> None:
        self.api = api
        self.registry = new_registry()
        self.metrics = ClientMetrics(self.registry)
        self.services: Cache[ServiceObject] = Cache()
        self.engine = Engine()
        self.recorder = Recorder()
        self.woken: list[ServiceKey] = []
        self.reconciler = ServiceReconciler(
            services=self.services,
            engine=self.engine,
            writer=StatusWriter(client, metrics=self.metrics),
            recorder=cast("Any", self.recorder),
            metrics=self.metrics,
            signals=Signals(wake=self.woken.extend, pools_touched=lambda names: None),
        )

    def put(self, name: str = "web", *, ip: str = "", wish: str = "") -> None:
        """Let the Service be as users and the controller have left it."""
        path = PATH.replace("web", name)
        entries = [{"ip": ip}] if ip else []
        stored = self.api.put(
            path,
            {
                "metadata": {"namespace": "default", "name": name, "uid": f"u-{name}"},
                "spec": {
                    "type": "LoadBalancer",
                    "clusterIP": "10.96.0.9",
                    "loadBalancerIP": wish,
                    "ports": [{"port": 80}],
                },
                "status": {"loadBalancer": {"ingress": entries}},
            },
        )
        self.services.put(decode_service(msgspec.json.encode(stored)))

    def start(self) -> None:
        self.engine.set_pools(make_pools(make_pool("p", "192.0.2.0/30")))
        self.engine.adopt([])

    def ingress(self, name: str = "web") -> list[str]:
        status = self.api.objects[PATH.replace("web", name)]["status"]
        return [entry["ip"] for entry in status["loadBalancer"].get("ingress", [])]

    async def run(self, name: str = "web") -> None:
        await self.reconciler.reconcile(("default", name))


@asynccontextmanager
async def bench_():
    async with serve_objects() as (api, client):
        yield Bench(api, client)


async def test_an_address_is_written_once_and_told_once() -> None:
    async with bench_() as bench:
        bench.start()
        bench.put()
        await bench.run()
        await bench.run()
        assert bench.ingress() == ["192.0.2.0"]
        assert bench.recorder.said == ["IPAllocated"]
        assert len(bench.api.requests("PATCH")) == 1


async def test_nothing_is_said_before_the_write_has_landed_and_nothing_is_lost() -> None:
    async with bench_() as bench:
        bench.start()
        bench.put(ip="192.0.2.1", wish="4.3.2.1")
        bench.api.refuse = lambda seen: Refusal(500) if seen.method == "PATCH" else None
        for _ in range(2):
            with pytest.raises(ServerError):
                await bench.run()
        assert bench.recorder.said == []
        bench.api.refuse = lambda seen: None
        await bench.run()
        assert bench.ingress() == []
        assert "AllocationFailed" in bench.recorder.said
        said = list(bench.recorder.said)
        await bench.run()
        assert bench.recorder.said == said


async def test_a_failed_write_is_tried_again_with_the_same_address() -> None:
    async with bench_() as bench:
        bench.start()
        bench.put()
        bench.api.refuse = lambda seen: Refusal(409, "Conflict")
        with pytest.raises(ConflictError):
            await bench.run()
        bench.put("other")
        bench.api.refuse = lambda seen: None
        await bench.run("other")
        await bench.run()
        assert (bench.ingress(), bench.ingress("other")) == (["192.0.2.0"], ["192.0.2.1"])
        assert bench.recorder.said == ["IPAllocated", "IPAllocated"]


async def test_an_address_is_given_to_nobody_else_until_its_removal_has_landed() -> None:
    async with bench_() as bench:
        bench.start()
        bench.put(wish="192.0.2.2")
        await bench.run()
        bench.put("other", wish="192.0.2.2")
        await bench.run("other")
        assert bench.ingress("other") == []
        bench.put(ip="192.0.2.2", wish="192.0.2.3")
        bench.api.refuse = lambda seen: Refusal(500) if seen.path.startswith(PATH) else None
        with pytest.raises(ServerError):
            await bench.run()
        await bench.run("other")
        assert bench.ingress("other") == []
        bench.api.refuse = lambda seen: None
        bench.woken.clear()
        await bench.run()
        assert bench.woken == [ServiceKey("default", "other")]
        await bench.run("other")
        assert (bench.ingress(), bench.ingress("other")) == (["192.0.2.3"], ["192.0.2.2"])


async def test_a_refusal_that_lasts_is_held_until_it_ends() -> None:
    async with bench_() as bench:
        bench.start()
        bench.put(wish="4.3.2.1")
        await bench.run()
        assert list(bench.recorder.held.values()) == ["AllocationFailed"]
        assert bench.registry.get_sample_value("ferrolb_services_pending") == 1
        bench.put()
        await bench.run()
        assert bench.recorder.held == {}
        assert bench.registry.get_sample_value("ferrolb_services_pending") == 0


async def test_a_service_deleted_under_the_write_is_no_failure() -> None:
    async with bench_() as bench:
        bench.start()
        bench.put()
        del bench.api.objects[PATH]
        await bench.run()
        assert bench.registry.get_sample_value("metallb_k8s_client_update_errors_total") == 0


async def test_a_deleted_service_frees_its_address_for_the_one_that_waits() -> None:
    async with bench_() as bench:
        bench.start()
        bench.put(wish="192.0.2.2")
        bench.put("other", wish="192.0.2.2")
        await bench.run()
        await bench.run("other")
        bench.services.remove(next(key for key in bench.services if key.name == "web"), "")
        await bench.run()
        assert bench.woken == [ServiceKey("default", "other")]


async def test_c19_an_address_written_by_somebody_else_is_undone_and_counted() -> None:
    async with bench_() as bench:
        bench.start()
        bench.put()
        await bench.run()
        bench.put("other", ip="192.0.2.0")
        await bench.run("other")
        assert (bench.ingress(), bench.ingress("other")) == (["192.0.2.0"], ["192.0.2.1"])
        name = "ferrolb_duplicate_addresses_resolved_total"
        assert bench.registry.get_sample_value(name) == 1


async def test_the_echo_of_a_write_asks_for_no_pass_and_a_foreign_change_does() -> None:
    async with bench_() as bench:
        bench.start()
        bench.services.subscribe(bench.reconciler.on_change)
        bench.put()
        assert bench.woken == [ServiceKey("default", "web")]
        bench.woken.clear()
        echo = {"is_ours": True}

        def show_before_the_answer(seen: Any) -> None:
            """Let the watch show what the write will make, or somebody else's later change."""
            if seen.method == "PATCH":
                version = bench.api.version + (1 if echo["is_ours"] else 2)
                content = {"metadata": {"namespace": "default", "name": "web"}, "spec": {}}
                content["metadata"]["resourceVersion"] = str(version)
                bench.services.put(decode_service(msgspec.json.encode(content)))

        bench.api.before = show_before_the_answer
        await bench.run()
        assert bench.woken == []
        echo["is_ours"] = False
        bench.put()
        bench.woken.clear()
        await bench.run()
        assert bench.woken == [ServiceKey("default", "web")]
