"""Faults of the gate, and what our client makes of them: nothing lost, nothing written twice."""

import asyncio
import contextlib
import json
import subprocess
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from tests.cluster import Process, start
from tests.fakes.devserver import DevServer, http_client, run_devserver

from ferrolb.devserver import DevServerOptions
from ferrolb.kube import (
    CONFIG_MAPS,
    SERVICES,
    ApiClient,
    Cache,
    ClientSettings,
    EventRecorder,
    QueueDriver,
    RawObject,
    RecorderSettings,
    Reflector,
    ReflectorOptions,
    Resource,
    ServiceObject,
    StatusWriter,
    connect,
    decode_raw,
    decode_service,
)
from ferrolb.model import EventNote, EventType, PoolName
from ferrolb.reconcile import Backoff, EventSubject, ReflectorTiming
from ferrolb.telemetry import ClientMetrics

pytestmark = pytest.mark.anyio

FAST = ReflectorTiming(backoff=Backoff(base_s=0.02, cap_s=0.05))
DEADLINE_S = 20.0
REFUSE_429 = {"type": "Refuse", "code": 429, "retryAfterSeconds": 1}
CUTS = [{"type": "Cut", "where": where} for where in ("BeforeWork", "AfterWork", "InBody")]
REFUSALS = [{"type": "Refuse", "code": code} for code in (409, 500, 503)]
MERGE = {"Content-Type": "application/merge-patch+json"}


def name_of(action: dict[str, Any]) -> str:
    return "-".join(str(value) for value in action.values())


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def gated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevServer]:
    folder = tmp_path_factory.mktemp("gated")
    with run_devserver(folder, DevServerOptions(has_faults=True)) as server:
        yield server


class Faults:
    """The rules of one server, for requests of our client in one namespace."""

    def __init__(self, server: DevServer, namespace: str) -> None:
        self.http = server.http
        self.namespace = namespace

    def add(self, action: dict[str, Any], *, times: int | None = 1, **match: Any) -> str:
        """Let our client's next requests that match meet a fault; return the rule's id."""
        return self.rule(
            {
                "action": action,
                "match": {"namespace": self.namespace, "userAgentPrefix": "ferrolb/", **match},
                **({} if times is None else {"times": times}),
            }
        )

    def rule(self, rule: dict[str, Any]) -> str:
        answer = self.http.post("/ferrolb/faults", json=rule)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def acted(self, rule: str) -> int:
        return int(self.http.get(f"/ferrolb/faults/{rule}").json()["acted"])


@pytest.fixture
def faults(gated: DevServer) -> Iterator[Faults]:
    yield Faults(gated, gated.new_namespace())
    assert gated.http.delete("/ferrolb/faults").status_code == 200


async def until(condition: Any, what: str) -> None:
    end = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < end, what
        await asyncio.sleep(0.01)


class Observer:
    def __init__(self) -> None:
        self.relists = 0

    def relisted(self, resource: Resource) -> None:
        self.relists += 1

    def undecodable(self, resource: Resource) -> None:
        raise AssertionError(resource)


class Maps:
    """Config maps as the server has them, and as a reflector has them."""

    def __init__(self, server: DevServer, namespace: str) -> None:
        self.http = server.http
        self.path = f"/api/v1/namespaces/{namespace}/configmaps"
        self.cache: Cache[RawObject] = Cache()
        self.observer = Observer()

    def put(self, name: str, value: str) -> None:
        made = self.http.post(self.path, json={"metadata": {"name": name}, "data": {"k": value}})
        if made.status_code == 409:
            patch = {"data": {"k": value}}
            made = self.http.patch(f"{self.path}/{name}", json=patch, headers=MERGE)
        assert made.is_success, made.text

    def change(self) -> None:
        """Do one of everything: the reflector has to come to know it, one way or another."""
        self.put("changed", "2")
        self.put("new", "1")
        assert self.http.delete(f"{self.path}/gone").is_success

    def stored(self) -> dict[str, str]:
        items = self.http.get(self.path).json()["items"]
        return {one["metadata"]["name"]: one["metadata"]["resourceVersion"] for one in items}

    def cached(self) -> dict[str, str]:
        return {one.metadata.name: one.metadata.resourceVersion for one in self.cache.values()}


@asynccontextmanager
async def reflected(gated: DevServer, faults: Faults, **options: Any) -> AsyncIterator[Maps]:
    """Reflect the config maps of a namespace."""
    maps = Maps(gated, faults.namespace)
    for name in ("kept", "changed", "gone"):
        maps.put(name, "1")
    chosen = ReflectorOptions(namespace=faults.namespace, timing=FAST, **options)
    async with connect(gated.kubeconfig, ClientSettings(request_timeout_s=3.0)) as client:
        reflector = Reflector(
            client,
            CONFIG_MAPS,
            maps.cache,
            decode=decode_raw,
            options=chosen,
            observer=maps.observer,
        )
        task = asyncio.create_task(reflector.run())
        try:
            yield maps
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


async def judge(maps: Maps) -> None:
    """Change everything, and wait for the cache to be what the server has."""
    maps.change()
    stored = maps.stored()
    await until(lambda: maps.cached() == stored, f"{maps.cached()} is not {stored}")


@pytest.mark.parametrize(
    ("action", "relists"),
    [
        ({"type": "WatchEnd"}, 0),
        ({"type": "WatchError"}, 1),
        ({"type": "WatchError", "code": 500}, 0),
        ({"type": "Cut", "where": "InBody"}, 0),
        ({"type": "WatchStall", "seconds": 30}, 0),
    ],
    ids=str,
)
async def test_a_running_watch_that_meets_a_fault_loses_nothing(gated, faults, action, relists):
    silence_s = 0.5 if action["type"] == "WatchStall" else 60.0
    async with reflected(gated, faults, silence_s=silence_s) as maps:
        await until(lambda: len(maps.cache) == 3, "the first list")
        await watching(gated, faults)
        rule = faults.add(action)
        assert faults.acted(rule) == 1, "the watch was open when the rule came"
        await judge(maps)
        assert (maps.observer.relists > 0) == (relists > 0)


async def watching(gated: DevServer, faults: Faults) -> None:
    """Wait for a watch to be open, by a rule that meets nothing but it: a stall of no length."""

    def is_open() -> bool:
        rule = faults.add({"type": "WatchStall", "seconds": 0.001}, resource="configmaps")
        try:
            return faults.acted(rule) == 1
        finally:
            gated.http.delete(f"/ferrolb/faults/{rule}")

    await until(is_open, "no watch")


@pytest.mark.parametrize(
    "action",
    [*CUTS, *REFUSALS, {"type": "Refuse", "code": 410}, {"type": "Delay", "seconds": 0.3}],
    ids=name_of,
)
async def test_a_watch_that_is_opened_again_and_meets_a_fault_loses_nothing(gated, faults, action):
    async with reflected(gated, faults) as maps:
        await until(lambda: len(maps.cache) == 3, "the first list")
        await watching(gated, faults)
        times = 1 if action["type"] == "Delay" else 2
        rule = faults.add(action, times=times, verbs=["watch"])
        if action != CUTS[2]:
            # that one has met the open watch already
            faults.add({"type": "WatchEnd"})
        await judge(maps)
        await until(lambda: faults.acted(rule) == times, "the fault was not met")
        await judge_again(maps)


async def judge_again(maps: Maps) -> None:
    maps.put("last", "1")
    stored = maps.stored()
    await until(lambda: maps.cached() == stored, f"{maps.cached()} is not {stored}")


async def test_a_watch_waits_as_long_as_429_says(gated, faults):
    async with reflected(gated, faults) as maps:
        await until(lambda: len(maps.cache) == 3, "the first list")
        await watching(gated, faults)
        rule = faults.add(REFUSE_429, verbs=["watch"])
        faults.add({"type": "WatchEnd"})
        await until(lambda: faults.acted(rule) == 1, "no 429")
        began = time.monotonic()
        await judge(maps)
        assert time.monotonic() - began > 0.8


@pytest.mark.parametrize(
    "action", [*CUTS, *REFUSALS, {"type": "Refuse", "code": 410}, REFUSE_429], ids=name_of
)
async def test_a_list_that_meets_a_fault_is_complete_in_the_end(gated, faults, action):
    # of the first four pages the second and the fourth meet it
    rule = faults.rule(
        {
            "action": action,
            "match": {"namespace": faults.namespace, "verbs": ["list"]} | OURS,
            "probability": 0.5,
            "seed": SEED_OF_SECOND_PAGE,
            "times": 2,
        }
    )
    async with reflected(gated, faults, page_size=1) as maps:
        await until(maps.cache.synced.is_set, "the first list")
        assert maps.cached() == maps.stored()
        assert faults.acted(rule) > 0
        await judge(maps)


OURS = {"userAgentPrefix": "ferrolb/"}
SEED_OF_SECOND_PAGE = 10


class Writing:
    """A small controller: each Service gets one address, by one status write."""

    def __init__(self, server: DevServer, namespace: str, client: ApiClient) -> None:
        self.http = server.http
        self.namespace = namespace
        self.path = f"/api/v1/namespaces/{namespace}/services"
        self.cache: Cache[ServiceObject] = Cache()
        self.passes = 0
        self._writer = StatusWriter(client, metrics=ClientMetrics(CollectorRegistry()))

    def create(self, name: str) -> str:
        """Create a Service and return the version from which on its changes count."""
        body = {
            "metadata": {"name": name},
            "spec": {
                "type": "LoadBalancer",
                "allocateLoadBalancerNodePorts": False,
                "ports": [{"port": 80}],
            },
        }
        answer = self.http.post(self.path, json=body)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["metadata"]["resourceVersion"])

    async def handle(self, key: tuple[str, str]) -> None:
        service = self.cache.get(key)
        if service is None or service.ingress:
            return
        self.passes += 1
        written = await self._writer.write_service(
            service, [ip_address("192.0.2.7")], PoolName("pool")
        )
        self.cache.put_written(written)

    def changes_since(self, version: str) -> list[dict[str, Any]]:
        """Return all states that the Services of the namespace went through."""
        query = {"watch": "1", "timeoutSeconds": "1", "resourceVersion": version}
        with self.http.stream("GET", self.path, params=query) as answer:
            return [json.loads(line)["object"] for line in answer.iter_lines()]


@asynccontextmanager
async def writing(gated: DevServer, faults: Faults) -> AsyncIterator[Writing]:
    async with connect(gated.kubeconfig, ClientSettings(request_timeout_s=0.6)) as client:
        controller = Writing(gated, faults.namespace, client)
        queue: QueueDriver[tuple[str, str]] = QueueDriver("services", controller.handle)
        controller.cache.subscribe(lambda change: queue.add(change.key))
        options = ReflectorOptions(namespace=faults.namespace, timing=FAST)
        reflector = Reflector(
            client, SERVICES, controller.cache, decode=decode_service, options=options
        )
        tasks = [asyncio.create_task(reflector.run()), asyncio.create_task(queue.run())]
        try:
            yield controller
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)


@pytest.mark.parametrize(
    "action", [*CUTS, *REFUSALS, REFUSE_429, {"type": "Delay", "seconds": 1.0}], ids=name_of
)
async def test_a_status_is_written_once_whatever_the_write_meets(gated, faults, action):
    async with writing(gated, faults) as controller:
        rule = faults.add(action, verbs=["patch"], subresource="status")
        version = controller.create("web")
        began = time.monotonic()
        await until(
            lambda: any(one.ingress for one in controller.cache.values()), "no address is known"
        )
        if action == REFUSE_429:
            assert time.monotonic() - began > 0.8
        # a write that nobody waits for any more may still be done
        await asyncio.sleep(1.2 if action["type"] == "Delay" else 0.2)
        assert faults.acted(rule) == 1
        [state] = controller.changes_since(version)
        assert state["status"]["loadBalancer"]["ingress"][0]["ip"] == "192.0.2.7"
        assert controller.passes <= 4


async def test_a_change_of_somebody_else_under_a_write_is_not_lost(gated, faults):
    async with writing(gated, faults) as controller:
        rule = faults.add({"type": "Delay", "seconds": 0.4}, verbs=["patch"], subresource="status")
        version = controller.create("web")
        await until(lambda: faults.acted(rule) == 1, "no write")
        change = {"metadata": {"labels": {"whose": "theirs"}}}
        path = f"{controller.path}/web"
        assert gated.http.patch(path, json=change, headers=MERGE).is_success
        await until(
            lambda: any(one.ingress for one in controller.cache.values()), "no address is known"
        )
        states = controller.changes_since(version)
        assert [bool(state["status"]["loadBalancer"]) for state in states] == [False, True]
        assert states[1]["metadata"]["labels"] == {"whose": "theirs"}


@pytest.mark.parametrize(
    ("verb", "action"),
    [(verb, action) for verb in ("create", "patch") for action in [*CUTS, *REFUSALS]],
    ids=str,
)
async def test_an_event_is_counted_once_whatever_its_writes_meet(gated, faults, verb, action):
    subject = EventSubject(
        api_version="v1", kind="Service", namespace=faults.namespace, name="web", uid="u"
    )
    note = EventNote(EventType.NORMAL, "Told", "it happened")
    settings = RecorderSettings(component="test", retry_delays_s=(0.01, 0.01, 0.01))
    path = f"/api/v1/namespaces/{faults.namespace}/events"

    async def counted(expected: int) -> None:
        def counts() -> list[int]:
            return [one["count"] for one in gated.http.get(path).json()["items"]]

        await until(lambda: counts() == [expected], f"the event is not counted {expected} times")

    async def met(rule: str) -> None:
        await until(lambda: faults.acted(rule) > 0, "the fault was not met")

    async with connect(gated.kubeconfig) as client:
        for program in (1, 2):
            rule = faults.add(action, times=2, verbs=[verb], resource="events")
            metrics = ClientMetrics(CollectorRegistry())
            recorder = EventRecorder(client, settings, metrics=metrics)
            task = asyncio.create_task(recorder.run())
            for said in (1, 2):
                recorder.record(subject, note)
                await counted((program - 1) * 2 + said)
            await met(rule)
            task.cancel()
            await asyncio.wait([task])
            await counted(program * 2)
            gated.http.delete(f"/ferrolb/faults/{rule}")


STORM: list[dict[str, Any]] = [
    {"action": {"type": "Cut", "where": "AfterWork"}, "probability": 0.15, "seed": 1},
    {"action": {"type": "Cut", "where": "BeforeWork"}, "probability": 0.1, "seed": 2},
    {"action": {"type": "Refuse", "code": 409}, "probability": 0.1, "seed": 3},
    {"action": {"type": "Refuse", "code": 500}, "probability": 0.1, "seed": 4},
    {"action": {"type": "Delay", "seconds": 0.05}, "probability": 0.3, "seed": 5},
]


async def test_the_controller_in_a_storm_of_faults_gives_each_service_one_address_once(
    gated, faults, tmp_path
):
    pool = {
        "apiVersion": "metallb.io/v1beta1",
        "kind": "IPAddressPool",
        "metadata": {"name": faults.namespace},
        "spec": {"addresses": ["192.0.2.0/24"]},
    }
    pools = "/apis/metallb.io/v1beta1/namespaces/metallb-system/ipaddresspools"
    assert gated.http.post(pools, json=pool).status_code == 201
    controller = Writing(gated, faults.namespace, connect(gated.kubeconfig))
    writes = {"verbs": ["create", "update", "patch"], **OURS}
    for rule in STORM:
        faults.rule({**rule, "match": writes, "seconds": 60})
    with running_controller(gated, tmp_path):
        version = controller.create("web-0")
        for number in range(1, 30):
            controller.create(f"web-{number}")
            if number % 10 == 5:
                faults.rule({"action": {"type": "WatchError"}, "match": OURS, "times": 2})
                faults.rule({"action": CUTS[2], "match": {"verbs": ["watch"], **OURS}, "times": 2})
        await until(lambda: len(addresses(controller)) == 30, "not every Service has an address")
        # what repeats a write shall have the time for it
        await until(lambda: sum(events_of(faults).values()) >= 30, "not every event was written")
        await asyncio.sleep(0.5)
    assert len(set(addresses(controller))) == 30
    states = controller.changes_since(version)
    written = Counter(
        state["metadata"]["name"] for state in states if state["status"]["loadBalancer"]
    )
    assert set(written.values()) == {1}
    assert events_of(faults) == {f"web-{number}": 1 for number in range(30)}


@contextlib.contextmanager
def running_controller(gated: DevServer, folder: Path) -> Iterator[Process]:
    program = start(
        "controller",
        f"--kubeconfig={gated.kubeconfig}",
        "--port=0",
        "--health-probe-port=0",
        log=folder / "controller.log",
    )
    try:
        yield program
        assert program.stop() == 0, program.text()
    finally:
        with contextlib.suppress(subprocess.SubprocessError):
            program.popen.kill()
            program.popen.wait(DEADLINE_S)


def addresses(controller: Writing) -> list[str]:
    services = controller.http.get(controller.path).json()["items"]
    statuses = [one["status"]["loadBalancer"].get("ingress", []) for one in services]
    return [entry["ip"] for ingress in statuses for entry in ingress]


def events_of(faults: Faults) -> dict[str, int]:
    """Return how often each Service was told that it has an address."""
    events = faults.http.get(f"/api/v1/namespaces/{faults.namespace}/events").json()["items"]
    told = Counter[str]()
    for event in events:
        if event["reason"] == "IPAllocated":
            told[event["involvedObject"]["name"]] += event["count"]
    return told


def test_rules_are_set_shown_and_deleted_by_kubectl(gated, faults, tmp_path):
    kubectl = gated.kubectl
    rule = {
        "match": {"verbs": ["create"], "resource": "configmaps", "namespace": faults.namespace},
        "action": {"type": "Refuse", "code": 500},
        "times": 1,
    }
    path = tmp_path / "rule.json"
    path.write_text(json.dumps(rule))
    made = json.loads(kubectl("create", "--raw", "/ferrolb/faults", "-f", str(path)))
    assert made["rule"] | rule == made["rule"]
    command = ("create", "-n", faults.namespace, "configmap", "met")
    assert "Internal error occurred" in kubectl.fails(*command)
    kubectl(*command)
    [shown] = json.loads(kubectl("get", "--raw", "/ferrolb/faults"))["rules"]
    assert shown == made | {"matched": 1, "acted": 1, "hasEnded": True}
    kubectl("delete", "--raw", f"/ferrolb/faults/{made['id']}")
    assert json.loads(kubectl("get", "--raw", "/ferrolb/faults")) == {"rules": []}
    assert "not found" in kubectl.fails("get", "--raw", f"/ferrolb/faults/{made['id']}")


def test_a_field_that_no_rule_has_is_refused_by_its_path(gated, faults):
    rule = {"action": {"type": "WatchEnd"}, "match": {"verb": ["watch"]}}
    answer = gated.http.post("/ferrolb/faults", json=rule)
    assert answer.status_code == 422
    [cause] = answer.json()["details"]["causes"]
    assert cause == {
        "field": "match.verb",
        "message": "Forbidden: unknown field",
        "reason": "FieldValueForbidden",
    }
    assert gated.http.post("/ferrolb/faults", content=b"{").status_code == 400
    assert gated.http.put("/ferrolb/faults", json={}).status_code == 405


def test_only_so_many_rules_are_kept(gated, faults):
    rule = {"action": {"type": "WatchEnd"}, "match": {"name": "nobody"}}
    codes = [gated.http.post("/ferrolb/faults", json=rule).status_code for _ in range(65)]
    assert codes == [201] * 64 + [429]


def test_nobody_but_an_administrator_sets_faults(gated):
    with http_client(replace(gated.endpoint, token="x" * 32)) as stranger:
        assert stranger.get("/ferrolb/faults").status_code == 401
        rule = {"action": {"type": "WatchEnd"}}
        assert stranger.post("/ferrolb/faults", json=rule).status_code == 401
        assert stranger.delete("/ferrolb/faults").status_code == 401


def test_a_server_without_the_option_has_no_faults(devserver):
    assert devserver.http.get("/ferrolb/faults").status_code == 404
    rule = {"action": {"type": "WatchEnd"}}
    assert devserver.http.post("/ferrolb/faults", json=rule).status_code == 404
