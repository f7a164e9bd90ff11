"""ServiceL2Status against an API server: its schema, its watch, its status subresource."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
from prometheus_client import CollectorRegistry
from tests.api_server import ApiServer, running_api_server

from ferrolb.kube import (
    PODS,
    SERVICE_L2_STATUSES,
    AlreadyExistsError,
    Cache,
    InvalidError,
    L2StatusContent,
    L2StatusObject,
    L2StatusWriter,
    PodOwner,
    Reflector,
    ReflectorOptions,
    connect,
    decode_l2_status,
    parse_object,
)
from ferrolb.model import InterfaceRule, NodeName, ServiceKey
from ferrolb.speaker.l2_status import L2StatusReconciler
from ferrolb.speaker.l2_status_plan import wanted_status
from ferrolb.telemetry import ClientMetrics

pytestmark = pytest.mark.anyio

WEB = ServiceKey("default", "web")
ALL = InterfaceRule()


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    with running_api_server(tmp_path_factory.mktemp("l2-status")) as server:
        yield server


@pytest.fixture
def namespace(api: ApiServer) -> str:
    return api.new_namespace()


class Node:
    """What a speaker has for its statuses."""

    def __init__(self, client, namespace, name, pod):
        self.name = NodeName(name)
        self.announced: dict[ServiceKey, InterfaceRule] = {}
        self.cache: Cache[L2StatusObject] = Cache()
        self.registry = CollectorRegistry()
        self.writer = L2StatusWriter(
            client, namespace=namespace, metrics=ClientMetrics(self.registry)
        )
        self.reconciler = L2StatusReconciler(
            node=self.name,
            statuses=self.cache,
            writer=self.writer,
            announced=self.announced.get,
        )
        self.pod = pod
        self.reconciler.owner = pod
        self.reflector = Reflector(
            client,
            SERVICE_L2_STATUSES,
            self.cache,
            decode=decode_l2_status,
            options=ReflectorOptions(namespace=namespace),
        )
        self.bell = asyncio.Event()
        self.interfaces_seen: set[tuple[str, ...]] = set()
        self.cache.subscribe(self._on_change)

    def _on_change(self, change):
        if change.new is not None:
            self.interfaces_seen.add(change.new.status.interfaces)
        self.bell.set()

    def set(self, key, rule):
        if rule is None:
            self.announced.pop(key, None)
        else:
            self.announced[key] = rule
        self.reconciler.touch(key)

    async def until(self, *expected):
        """Wait until the cluster holds exactly these (node, service, interfaces)."""
        await self.seen(lambda: sorted(self.found()) == sorted(expected))

    async def seen(self, is_reached):
        """Wait until a condition on the cache holds."""
        async with asyncio.timeout(15):
            while not is_reached():
                self.bell.clear()
                await self.bell.wait()

    def found(self):
        return [
            (obj.status.node, obj.status.serviceName, obj.status.interfaces)
            for obj in self.cache.values()
        ]

    @property
    def writes(self):
        labels = {"resource": "servicel2statuses", "outcome": "ok"}
        return self.registry.get_sample_value("ferrolb_api_writes_total", labels) or 0


async def own_pod(client, namespace, node) -> PodOwner:
    """Return the pod of a node's speaker: what belongs to one that is not there is collected."""
    containers = [{"name": "speaker", "image": "speaker"}]
    body = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": f"speaker-{node}"},
        "spec": {"nodeName": node, "containers": containers},
    }
    try:
        made = parse_object(await client.create(PODS.path(namespace), body))
    except AlreadyExistsError:
        made = parse_object(await client.get(PODS.path(namespace, f"speaker-{node}")))
    metadata = made["metadata"]
    assert isinstance(metadata, dict)
    return PodOwner(str(metadata["name"]), str(metadata["uid"]))


@asynccontextmanager
async def speakers(kubeconfig, namespace, *names) -> AsyncIterator[list[Node]]:
    """Follow the namespace as several nodes; start a reconciler with `start`."""
    async with connect(kubeconfig) as client:
        nodes = [
            Node(client, namespace, name, await own_pod(client, namespace, name)) for name in names
        ]
        tasks = [asyncio.create_task(node.reflector.run()) for node in nodes]
        try:
            for node in nodes:
                await node.cache.synced.wait()
            yield nodes
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def started(*nodes: Node) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(node.reconciler.run()) for node in nodes]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_r29_exactly_one_object_a_service_at_its_owner(api, namespace):
    async with (
        speakers(api.kubeconfig, namespace, "node-a", "node-b") as (a, b),
        started(a, b),
    ):
        a.set(WEB, InterfaceRule(frozenset(("eth1", "eth0"))))
        await a.until(("node-a", "web", ("eth0", "eth1")))
        (obj,) = a.cache.values()
        assert obj.metadata.name.startswith("l2-")
        assert obj.labels is not None
        assert (obj.labels.node, obj.labels.key) == ("node-a", WEB)
        assert obj.owners == (a.pod.uid,)
        a.set(WEB, ALL)
        await a.until(("node-a", "web", ()))
        a.set(WEB, None)
        await a.until()
    assert (a.writes, b.writes) == (4, 0)


async def test_c36_the_owner_changes_by_one_delete_one_create_one_status(api, namespace):
    async with (
        speakers(api.kubeconfig, namespace, "node-a", "node-b") as (a, b),
        started(a, b),
    ):
        a.set(WEB, ALL)
        await b.until(("node-a", "web", ()))
        b.set(WEB, ALL)
        a.set(WEB, None)
        await a.until(("node-b", "web", ()))
    # a: create, status, delete; b: create, status. Counted at the end, when every answer is there
    assert (a.writes, b.writes) == (3, 2)


async def test_r26_a_dead_owner_s_object_is_replaced(api, namespace):
    async with speakers(api.kubeconfig, namespace, "node-a", "node-b") as (a, b):
        async with started(a):
            a.set(WEB, ALL)
            await b.until(("node-a", "web", ()))
        b.set(WEB, ALL)
        async with started(b):
            await b.until(("node-b", "web", ()))
    assert b.writes == 3


async def test_the_server_refuses_another_node_in_a_status(api, namespace):
    async with speakers(api.kubeconfig, namespace, "node-a") as (a,):
        wanted = wanted_status(WEB, ALL, node=a.name)
        obj = await a.writer.create(wanted.labels, None)
        assert obj is not None
        assert obj.status == L2StatusContent()
        obj = await a.writer.patch_status(obj, wanted.status)
        assert obj is not None
        with pytest.raises(InvalidError, match="Value is immutable"):
            await a.writer.patch_status(obj, L2StatusContent("node-b", "web", "default"))


async def test_what_kubectl_deletes_comes_back_and_what_it_edits_is_put_right(api, namespace):
    async with speakers(api.kubeconfig, namespace, "node-a") as (a,), started(a):
        a.set(WEB, ALL)
        await a.until(("node-a", "web", ()))
        where = ("-n", namespace, "servicel2status")
        (first,) = a.cache
        await asyncio.to_thread(lambda: api.kubectl("delete", *where, first.name))
        await a.seen(lambda: first not in a.cache)
        await a.until(("node-a", "web", ()))
        (second,) = a.cache
        change = '{"status":{"interfaces":[{"name":"eth9"}]}}'
        patch = ("--subresource=status", "--type=merge", f"--patch={change}")
        await asyncio.to_thread(lambda: api.kubectl("patch", *where, second.name, *patch))
        await a.seen(lambda: ("eth9",) in a.interfaces_seen)
        await a.until(("node-a", "web", ()))
        assert list(a.cache) == [second]


async def test_leftovers_go_at_start_and_others_stay(api, namespace):
    async with speakers(api.kubeconfig, namespace, "node-a", "node-b") as (a, b):
        mail = ServiceKey("default", "mail")
        async with started(a, b):
            a.set(WEB, ALL)
            b.set(mail, ALL)
            await a.until(("node-a", "web", ()), ("node-b", "mail", ()))
        async with speakers(api.kubeconfig, namespace, "node-a") as (again,):
            async with started(again):
                await again.until(("node-b", "mail", ()))
            assert again.writes == 1
