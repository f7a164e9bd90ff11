"""kill -9 of the server at any moment: no acknowledged write is lost, and it starts again.

Writers change Services, with their addresses and ports, and custom resources, over HTTP, each its
own objects and one request at a time. What was answered has to be there after the next start; of a
request that was not answered, either state may be. Moments are drawn from a seed, from 5 ms to 1 s
after the load has begun, and some in the start itself, while the journal is read and written anew.
"""

import asyncio
import json
import math
import os
import random
import signal
import ssl
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx2
import pytest
from tests.fakes import forking_devserver

pytestmark = pytest.mark.anyio

WRITERS: Final = 4
OBJECTS: Final = 4
"""Of each kind, for each writer."""
EARLIEST_S: Final = 0.005
LATEST_S: Final = 1.0
IN_START: Final = 0.25
"""Share of the moments that fall into a start, which takes a tenth of a second."""
START_S: Final = 0.15
DEADLINE_S: Final = 30.0
NOTE: Final = "tests.ferrolb/number"
MERGE: Final = {"Content-Type": "application/merge-patch+json"}
SERVICES: Final = "/api/v1/namespaces/default/services"
POOLS: Final = "/apis/metallb.io/v1beta1/namespaces/metallb-system/ipaddresspools"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@dataclass(frozen=True)
class State:
    """An object as an answer showed it; `note` is the number of the write that made it so."""

    uid: str
    version: int
    note: str
    given: tuple[str, ...]
    """Cluster addresses and node ports."""


def state_of(obj: dict[str, Any]) -> State:
    metadata, spec = obj["metadata"], obj["spec"]
    ports = [str(port["nodePort"]) for port in spec.get("ports", []) if "nodePort" in port]
    return State(
        uid=metadata["uid"],
        version=int(metadata["resourceVersion"]),
        note=metadata["annotations"][NOTE],
        given=(*spec.get("clusterIPs", []), *ports),
    )


@dataclass
class Record:
    """One object: what was acknowledged last, and the write under way, if there is one."""

    path: str
    name: str
    state: State | None = None
    pending: str | None = None
    """Number of the write under way; empty for a deletion, None without one."""

    def judge(self, found: State | None) -> None:
        """Hold what a restarted server has against what may be."""
        if self.pending is None:
            assert found == self.state, f"{self.name}: acknowledged was {self.state}, not {found}"
        elif self.pending == "":
            assert found in (self.state, None), f"{self.name}: {found}, neither old nor gone"
        elif found != self.state:
            assert found is not None, f"{self.name}: gone, and nobody deleted it: {self.state}"
            assert found.note == self.pending, f"{self.name}: {found} is not what was written"
            if self.state is not None:
                assert found.version > self.state.version
                assert (found.uid, found.given) == (self.state.uid, self.state.given)
        self.state, self.pending = found, None


class Server:
    """A server that is started again and again on one directory."""

    def __init__(self, process: asyncio.subprocess.Process, data: Path, limit_bytes: int) -> None:
        self._process = process
        self._options = {"data": str(data), "journal_limit_bytes": limit_bytes}
        self.data = data
        self.pid = 0

    async def start(self) -> None:
        """Start it; it does not answer yet."""
        assert self._process.stdin is not None
        self._process.stdin.write((json.dumps(self._options) + "\n").encode())
        word, pid = await self._line()
        assert word == "started"
        self.pid = int(pid)

    async def ready(self) -> int:
        """Wait until it answers; return its port."""
        word, _, number = await self._line()
        assert word == "ready", "the server has ended at its start"
        return int(number)

    async def kill(self) -> None:
        """kill -9, at whatever point it is."""
        os.kill(self.pid, signal.SIGKILL)
        word, *rest = await self._line()
        if word == "ready":
            word, *rest = await self._line()
        assert (word, rest) == ("ended", [str(self.pid), str(-signal.SIGKILL)])

    async def _line(self) -> list[str]:
        assert self._process.stdout is not None
        async with asyncio.timeout(DEADLINE_S):
            return (await self._process.stdout.readline()).decode().split()


@asynccontextmanager
async def server_on(data: Path, limit_bytes: int) -> AsyncIterator[Server]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        forking_devserver.__name__,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    server = Server(process, data, limit_bytes)
    try:
        yield server
    finally:
        if server.pid:
            await server.kill()
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()


@dataclass
class Story:
    """All that happens to one directory."""

    chance: random.Random
    records: list[list[Record]] = field(default_factory=list)
    numbers: int = 0
    highest: int = 0
    """The highest resourceVersion that any answer or watch has shown."""
    shown: dict[str, tuple[str, int]] = field(default_factory=dict)
    """What a watch has shown last of each Service."""
    acknowledged: Counter[str] = field(default_factory=Counter)
    in_flight: int = 0

    def __post_init__(self) -> None:
        for writer in range(WRITERS):
            self.records.append(
                [Record(SERVICES, f"service-{writer}-{n}") for n in range(OBJECTS)]
                + [Record(POOLS, f"pool-{writer}-{n}") for n in range(OBJECTS)]
            )

    def everything(self) -> list[Record]:
        return [record for records in self.records for record in records]

    def saw(self, version: int) -> None:
        self.highest = max(self.highest, version)

    async def write(self, client: httpx2.AsyncClient, records: list[Record]) -> None:
        """Write until the server is gone."""
        while True:
            record = self.chance.choice(records)
            self.numbers += 1
            try:
                await self._write_one(client, record, str(self.numbers))
            except httpx2.HTTPError:
                self.in_flight += 1
                return

    async def _write_one(self, client: httpx2.AsyncClient, record: Record, number: str) -> None:
        path = f"{record.path}/{record.name}"
        record.pending = number
        if record.state is None:
            kind = "create"
            body = new_object(record, number, self.chance)
            answer = await client.post(record.path, json=body)
        else:
            kind = self.chance.choice(["update", "patch", "patch", "delete"])
            change = {"metadata": {"annotations": {NOTE: number}}}
            if kind == "delete":
                record.pending = ""
                answer = await client.delete(path)
            elif kind == "update":
                read = (await client.get(path)).json()
                read["metadata"]["annotations"] = {NOTE: number}
                answer = await client.put(path, json=read)
            else:
                answer = await client.patch(path, json=change, headers=MERGE)
        assert answer.is_success, f"{kind}: {answer.text}"
        record.state = None if kind == "delete" else state_of(answer.json())
        record.pending = None
        if record.state is not None:
            self.saw(record.state.version)
        self.acknowledged[kind] += 1

    async def follow(self, client: httpx2.AsyncClient, version: int) -> None:
        """Watch until the server is gone: what is shown must not be taken back either."""
        query = {"watch": "1", "resourceVersion": str(version)}
        try:
            async with client.stream("GET", SERVICES, params=query) as answer:
                async for line in answer.aiter_lines():
                    event = json.loads(line)
                    metadata = event["object"]["metadata"]
                    shown = int(metadata["resourceVersion"])
                    assert shown > version, "the watch began too early"
                    self.saw(shown)
                    self.shown[metadata["name"]] = (event["type"], shown)
        except (httpx2.HTTPError, json.JSONDecodeError):
            return

    async def judge(self, client: httpx2.AsyncClient) -> int:
        """Hold a restarted server to all that was said; return its resourceVersion."""
        found: dict[str, State] = {}
        versions = []
        for path in (SERVICES, POOLS):
            listed = (await client.get(path)).json()
            versions.append(int(listed["metadata"]["resourceVersion"]))
            for obj in listed["items"]:
                if obj["metadata"]["name"] != "kubernetes":
                    found[obj["metadata"]["name"]] = state_of(obj)
        assert min(versions) > self.highest, "resourceVersions go backwards"
        given = Counter(one for state in found.values() for one in state.given)
        assert [one for one, times in given.items() if times > 1] == [], "given twice"
        for name, (kind, version) in self.shown.items():
            if kind != "DELETED" and name in found:
                assert found[name].version >= version, f"{name}: shown, then taken back"
        for record in self.everything():
            record.judge(found.pop(record.name, None))
        assert found == {}
        await self._judge_resumption(client)
        self.shown.clear()
        self.saw(max(versions))
        return max(versions)

    async def _judge_resumption(self, client: httpx2.AsyncClient) -> None:
        """A watch from before the end goes on, or is told to list: it never skips anything."""
        if not self.highest:
            return
        version = self.chance.randint(1, self.highest)
        query = {"watch": "1", "resourceVersion": str(version), "timeoutSeconds": "1"}
        async with client.stream("GET", SERVICES, params=query) as answer:
            line = await anext(answer.aiter_lines())
        event = json.loads(line)
        assert (event["type"], event["object"].get("code")) == ("ERROR", 410)


def new_object(record: Record, number: str, chance: random.Random) -> dict[str, Any]:
    metadata = {"name": record.name, "annotations": {NOTE: number}}
    if record.path == POOLS:
        spec: dict[str, Any] = {"addresses": [f"192.0.2.{chance.randrange(256)}/32"]}
        api_version, kind = "metallb.io/v1beta1", "IPAddressPool"
    else:
        ports = [{"name": f"p{n}", "port": 80 + n} for n in range(chance.randint(1, 3))]
        policy = chance.choice(["SingleStack", "PreferDualStack"])
        spec = {"type": "LoadBalancer", "ports": ports, "ipFamilyPolicy": policy}
        api_version, kind = "v1", "Service"
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": spec}


@asynccontextmanager
async def client_of(server: Server, port: int) -> AsyncIterator[httpx2.AsyncClient]:
    token = (server.data / "token").read_text().strip()
    async with httpx2.AsyncClient(
        base_url=f"https://127.0.0.1:{port}",
        headers={"Authorization": f"Bearer {token}"},
        verify=ssl.create_default_context(cafile=server.data / "ca.crt"),
        timeout=DEADLINE_S,
        trust_env=False,
    ) as client:
        yield client


async def load_and_kill(story: Story, server: Server, after_s: float) -> None:
    """Judge what a started server has, write to it, and kill it."""
    async with client_of(server, await server.ready()) as client:
        version = await story.judge(client)
        tasks = [asyncio.create_task(story.write(client, records)) for records in story.records]
        tasks.append(asyncio.create_task(story.follow(client, version)))
        await asyncio.sleep(after_s)
        await server.kill()
        for task in tasks:
            await task


@pytest.mark.parametrize(
    ("seed", "limit_bytes"),
    [(1, 20_000), (2, 20_000), (3, 200_000), (4, 32 * 1024 * 1024)],
)
async def test_no_acknowledged_write_is_lost_by_kill_9_at_25_moments(tmp_path, seed, limit_bytes):
    chance = random.Random(seed)
    story = Story(chance)
    loads = starts = 0
    async with server_on(tmp_path / "data", limit_bytes) as server:
        while loads + starts < 25:
            await server.start()
            if loads and chance.random() < IN_START:
                await asyncio.sleep(chance.uniform(0, START_S))
                await server.kill()
                starts += 1
                continue
            spread = math.log(LATEST_S / EARLIEST_S)
            await load_and_kill(story, server, EARLIEST_S * math.exp(spread * chance.random()))
            loads += 1
        await server.start()
        async with client_of(server, await server.ready()) as client:
            await story.judge(client)
    assert starts > 0
    assert story.in_flight >= loads
    assert min(story.acknowledged[kind] for kind in ("create", "update", "patch", "delete")) > 10
