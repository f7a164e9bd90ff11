"""Load on an API server, each kind as a process of its own, so that its CPU time is its own.

Run as `python -m bench.load KIND KUBECONFIG NUMBERS...`; the last line printed is a JSON object.

- `create SERVICES CONNECTIONS`: create Services, as many at once as there are connections.
- `list LIMIT RUNS`: list all Services page by page, `RUNS` times.
- `follow WATCHES`: watch config maps until each watch has shown the one called `end`.
- `change OBJECTS RATE SECONDS CONNECTIONS`: patch config maps at a steady rate, then make `end`.

A patch carries the moment at which it was sent, by the clock that all processes of a machine share;
a watch notes when it shows it.
"""

import array
import asyncio
import itertools
import json
import re
import sys
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Final
from urllib.parse import quote

import msgspec
from typing_extensions import override

from bench.figures import percentile
from bench.objects import NAMESPACE, service_name, service_object
from bench.wire import Address, Chunks, Connection, WireError

SERVICES: Final = f"/api/v1/namespaces/{NAMESPACE}/services"
MAPS: Final = f"/api/v1/namespaces/{NAMESPACE}/configmaps"
LISTENING: Final = "all watches are open"
"""Printed by `follow`."""
END: Final = "end"
DEADLINE_S: Final = 60.0
"""For watches, from their start until they have caught up with what was changed."""

_MERGE: Final = "application/merge-patch+json"
_SENT: Final = re.compile(rb'"sent":"(\d+)"')
_ENDED: Final = b'"name":"end"'
_ERROR: Final = b'{"type":"ERROR"'
_VERSION: Final = b'"resourceVersion":"'
_NS: Final = 1e9

Figures = dict[str, float]


class _ListMeta(msgspec.Struct):
    resourceVersion: str = ""  # noqa: N815 - as the API spells it
    continue_: str = msgspec.field(default="", name="continue")


class _Page(msgspec.Struct):
    metadata: _ListMeta
    items: list[msgspec.Raw] = []


_PAGE: Final = msgspec.json.Decoder(_Page)


async def create(address: Address, services: int, connections: int) -> Figures:
    """Create Services on so many connections at once."""
    numbers = iter(range(services))
    taken_s = array.array("d")
    asked = [
        address.request("POST", SERVICES, msgspec.json.encode(service_object(service_name(n))))
        for n in range(services)
    ]

    async def work(connection: Connection) -> None:
        for number in numbers:
            began = time.monotonic()
            await _ask(connection, asked[number])
            taken_s.append(time.monotonic() - began)

    wall_s = await _at_once(address, connections, work)
    return {"all_s": wall_s, "created_per_s": services / wall_s, **_spread_ms(taken_s, 1000.0)}


async def list_pages(address: Address, limit: int, runs: int) -> Figures:
    """List all Services page by page."""
    connection = await Connection.open(address)
    taken_s = array.array("d")
    walls, found = [], 0
    for _ in range(runs):
        began, token, found = time.monotonic(), "", 0
        while True:
            path = f"{SERVICES}?limit={limit}" + (f"&continue={quote(token)}" if token else "")
            sent = time.monotonic()
            page = _PAGE.decode(await _ask(connection, address.request("GET", path)))
            taken_s.append(time.monotonic() - sent)
            found += len(page.items)
            token = page.metadata.continue_
            if not token:
                break
        walls.append(time.monotonic() - began)
    connection.close()
    return {"found": found, "all_s": percentile(walls, 0.5), **_spread_ms(taken_s, 1000.0)}


async def follow(address: Address, watches: int) -> Figures:
    """Watch all config maps of the namespace, so many times at once.

    A server may end a watch that cannot keep up; it is opened again from where it was.
    """
    connection = await Connection.open(address)
    page = _PAGE.decode(await _ask(connection, address.request("GET", f"{MAPS}?limit=1")))
    connection.close()
    lags_ns = array.array("q")
    followers = [_Follower(address, page.metadata.resourceVersion, lags_ns) for _ in range(watches)]
    tasks = [asyncio.create_task(follower.run()) for follower in followers]
    for follower in followers:
        await follower.is_open.wait()
    sys.stdout.write(f"{LISTENING}\n")
    sys.stdout.flush()
    done, late = await asyncio.wait(tasks, timeout=DEADLINE_S)
    for task in late:
        task.cancel()
    return {
        "events": len(lags_ns),
        "whole": sum(not task.exception() for task in done),
        "resumed": sum(follower.resumed for follower in followers),
        **_spread_ms(lags_ns, 1e-6),
    }


async def change(
    address: Address, objects: int, rate: int, seconds: int, connections: int
) -> Figures:
    """Patch config maps at a steady rate; a connection has objects of its own."""
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {}, "data": {"sent": "0"}}
    numbers = iter(range(objects))

    async def make(connection: Connection) -> None:
        for number in numbers:
            content = msgspec.json.encode({**body, "metadata": {"name": f"map-{number}"}})
            await _ask(connection, address.request("POST", MAPS, content))

    await _at_once(address, connections, make)
    sent = itertools.count()
    began = changes = 0.0

    async def patch(connection: Connection) -> None:
        nonlocal began, changes
        # from the first patch on: connections are opened before, one after the other
        began = began or time.monotonic()
        for number in sent:
            now = time.monotonic()
            if number >= rate * seconds or now > began + seconds:
                return
            await asyncio.sleep(max(0.0, began + number / rate - now))
            content = b'{"data":{"sent":"%d"}}' % time.monotonic_ns()
            path = f"{MAPS}/map-{number % objects}"
            await _ask(connection, address.request("PATCH", path, content, _MERGE))
            changes += 1

    wall_s = await _at_once(address, connections, patch)

    async def finish(connection: Connection) -> None:
        content = msgspec.json.encode({**body, "metadata": {"name": END}, "data": {}})
        await _ask(connection, address.request("POST", MAPS, content))

    await _at_once(address, 1, finish)
    return {"changes": changes, "rate": changes / wall_s}


class _Follower:
    """One watch, opened as often as it takes to see the end."""

    def __init__(self, address: Address, version: str, lags_ns: "array.array[int]") -> None:
        self.is_open = asyncio.Event()
        self.resumed = 0
        self._address = address
        self._version = version.encode()
        self._lags_ns = lags_ns

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        address = self._address
        while True:
            path = f"{MAPS}?watch=1&resourceVersion={self._version.decode()}"
            request = address.request("GET", path)
            transport, watch = await loop.create_connection(
                partial(_Watch, request, self._lags_ns),
                address.host,
                address.port,
                ssl=address.tls,
            )
            await watch.opened
            self.is_open.set()
            has_seen_end = await watch.ended
            transport.close()
            if has_seen_end:
                return
            self.resumed += 1
            self._version = watch.version or self._version


class _Watch(asyncio.Protocol):
    """One watch on one connection, read without taking its events apart."""

    def __init__(self, request: bytes, lags_ns: "array.array[int]") -> None:
        loop = asyncio.get_running_loop()
        self.opened: asyncio.Future[None] = loop.create_future()
        self.ended: asyncio.Future[bool] = loop.create_future()
        self.version = b""
        self._request = request
        self._lags_ns = lags_ns
        self._chunks = Chunks()
        self._rest = b""

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.Transport):
            transport.write(self._request)

    @override
    def data_received(self, data: bytes) -> None:
        now = time.monotonic_ns()
        content = self._rest + self._chunks.feed(data)
        if self._chunks.has_begun and not self.opened.done():
            self.opened.set_result(None)
        lines, _, self._rest = content.rpartition(b"\n")
        if not self.ended.done():
            self._take(lines, now)

    def _take(self, lines: bytes, now: int) -> None:
        for sent in _SENT.findall(lines):
            if sent != b"0":
                self._lags_ns.append(now - int(sent))
        place = lines.rfind(_VERSION)
        if place >= 0:
            start = place + len(_VERSION)
            self.version = lines[start : lines.index(b'"', start)]
        if _ENDED in lines:
            self.ended.set_result(True)
        elif self._chunks.has_ended or _ERROR in lines:
            self.ended.set_result(False)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        if not self.opened.done():
            self.opened.set_exception(WireError("the server closed the connection"))
        if not self.ended.done():
            self.ended.set_result(False)


async def _ask(connection: Connection, request: bytes) -> bytes:
    status, body = await connection.ask(request)
    if status >= 300:
        raise WireError(f"answered by {status}: {body[:300]!r}")
    return body


async def _at_once(
    address: Address, connections: int, work: Callable[[Connection], Awaitable[None]]
) -> float:
    """Work on so many connections, opened before; return the seconds it took."""
    opened = [await Connection.open(address) for _ in range(connections)]
    began = time.monotonic()
    async with asyncio.TaskGroup() as group:
        for connection in opened:
            group.create_task(_whole(work, connection))
    wall_s = time.monotonic() - began
    for connection in opened:
        connection.close()
    return wall_s


async def _whole(work: Callable[[Connection], Awaitable[None]], connection: Connection) -> None:
    await work(connection)


def _spread_ms(values: "array.array[float] | array.array[int]", to_ms: float) -> Figures:
    ordered = sorted(values)
    if not ordered:
        return {}
    return {
        "p50_ms": percentile(ordered, 0.5) * to_ms,
        "p99_ms": percentile(ordered, 0.99) * to_ms,
        "max_ms": ordered[-1] * to_ms,
    }


KINDS: Final[dict[str, Callable[..., Awaitable[Figures]]]] = {
    "create": create,
    "list": list_pages,
    "follow": follow,
    "change": change,
}


async def _main(kind: str, kubeconfig: Path, numbers: list[int]) -> None:
    address, before_s = Address.of(kubeconfig), time.process_time()
    figures = await KINDS[kind](address, *numbers)
    sys.stdout.write(json.dumps({**figures, "load_cpu_s": time.process_time() - before_s}) + "\n")


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], Path(sys.argv[2]), [int(text) for text in sys.argv[3:]]))
