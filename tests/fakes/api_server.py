"""A small API server over real HTTP with faults on demand: one collection, whatever the path.

It keeps objects and a history, serves lists in pages, watches from a version, and writes. Faults
are scripted: `answer_next` for statuses, `stop` and `start` for a server that is down, and the
methods of `watches` for what happens to open streams.
"""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

Json = dict[str, Any]


@dataclass
class Seen:
    """A request as it arrived."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def kind(self) -> str:
        if self.method != "GET":
            return "write"
        return "watch" if self.query.get("watch") else "list"


@dataclass
class Answer:
    """What to answer instead of the truth."""

    status: int = 200
    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=dict)
    delay_s: float = 0.0
    pace_s: float = 0.0
    """Between single bytes of the body; 0 sends it at once."""


def status(code: int, reason: str = "", message: str = "", **more) -> Answer:
    content = {"kind": "Status", "code": code, "reason": reason, "message": message, **more}
    return Answer(status=code, body=json.dumps(content).encode())


class FakeApi:
    """Use `async with FakeApi() as api`."""

    def __init__(self) -> None:
        self.version = 100
        self.objects: dict[tuple[str, str], Json] = {}
        self.history: list[tuple[int, str, Json]] = []
        self.oldest = 0
        self.requests: list[Seen] = []
        self.tokens: set[str] | None = None
        self.after_pages: deque[Callable[[], object]] = deque()
        self.end_watch_at_once = False
        self.bell = asyncio.Event()
        self.open: set[asyncio.StreamWriter] = set()
        self._answers: dict[str, deque[Answer]] = {}
        self._pages: dict[str, tuple[int, list[Json]]] = {}
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0

    async def __aenter__(self) -> "FakeApi":
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        if self._server is not None:
            await self._server.wait_closed()

    # the cluster's state

    def put(self, name: str, namespace: str = "default", **fields) -> Json:
        self.version += 1
        key = (namespace, name)
        kind = "MODIFIED" if key in self.objects else "ADDED"
        metadata = {"name": name, "namespace": namespace, "resourceVersion": str(self.version)}
        obj = {**fields, "metadata": {**metadata, **fields.get("metadata", {})}}
        self.objects[key] = obj
        self._record(kind, obj)
        return obj

    def delete(self, name: str, namespace: str = "default") -> None:
        self.version += 1
        obj = self.objects.pop((namespace, name))
        obj = {**obj, "metadata": {**obj["metadata"], "resourceVersion": str(self.version)}}
        self._record("DELETED", obj)

    def compact(self) -> None:
        """Forget the history and the pages of running lists."""
        self.oldest = self.version
        self._pages.clear()

    def bookmark(self) -> None:
        self.version += 1
        self._record("BOOKMARK", {"metadata": {"resourceVersion": str(self.version)}})

    def _record(self, kind: str, obj: Json) -> None:
        self.history.append((self.version, kind, obj))
        for writer in self.open:
            _chunk(writer, _line(kind, obj))

    # faults

    def answer_next(self, kind: str, *answers: Answer) -> None:
        """Answer the next requests of a kind (list, watch, write) so, then by the truth again."""
        self._answers.setdefault(kind, deque()).extend(answers)

    def send(self, data: bytes) -> None:
        """Send bytes on each open watch."""
        for writer in self.open:
            _chunk(writer, data)

    def end_watches(self) -> None:
        """End each open watch in order."""
        for writer in self.open:
            writer.write(b"0\r\n\r\n")
        self.open.clear()

    def cut_watches(self) -> None:
        """Cut the connection of each open watch."""
        for writer in self.open:
            writer.transport.abort()
        self.open.clear()

    def of_kind(self, kind: str) -> list[Seen]:
        return [request for request in self.requests if request.kind == kind]

    async def until(self, is_reached: Callable[[], object], timeout_s: float = 5.0) -> None:
        """Wait until a condition holds; it is looked at on each request and each ring of `bell`."""
        async with asyncio.timeout(timeout_s):
            while not is_reached():
                self.bell.clear()
                await self.bell.wait()

    # HTTP

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            while True:
                await self._answer(await _read(reader), writer)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self.open.discard(writer)
            self.bell.set()
            self._tasks.discard(task)
            writer.transport.abort()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def _answer(self, request: Seen, writer: asyncio.StreamWriter) -> None:
        self.requests.append(request)
        self.bell.set()
        answers = self._answers.get(request.kind)
        if self.tokens is not None and _token(request) not in self.tokens:
            _respond(writer, status(401, "Unauthorized", "Unauthorized"))
        elif answers:
            answer = answers.popleft()
            await asyncio.sleep(answer.delay_s)
            await _respond_slowly(writer, answer)
        elif request.kind == "watch":
            self._watch(request, writer)
        elif request.kind == "list":
            _respond(writer, self._list(request))
            if self.after_pages:
                self.after_pages.popleft()()
        else:
            _respond(writer, Answer(body=request.body))
        self.bell.set()

    def _list(self, request: Seen) -> Answer:
        token = request.query.get("continue", "")
        if token and token not in self._pages:
            return status(410, "Expired", "the token is too old")
        items = list(self.objects.values())
        version, rest = self._pages.pop(token) if token else (self.version, items)
        limit = int(request.query.get("limit", 0)) or len(rest)
        metadata: Json = {"resourceVersion": str(version)}
        if len(rest) > limit:
            metadata["continue"] = f"token-{len(self.requests)}"
            self._pages[metadata["continue"]] = (version, rest[limit:])
        page = {"kind": "List", "metadata": metadata, "items": rest[:limit]}
        return Answer(body=json.dumps(page).encode())

    def _watch(self, request: Seen, writer: asyncio.StreamWriter) -> None:
        since = int(request.query["resourceVersion"])
        if since < self.oldest:
            _respond(writer, status(410, "Expired", "too old resource version"))
            return
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        for version, kind, obj in self.history:
            if version > since:
                _chunk(writer, _line(kind, obj))
        self.open.add(writer)
        if self.end_watch_at_once:
            self.end_watches()


@asynccontextmanager
async def running(coroutine) -> AsyncIterator[asyncio.Task[None]]:
    """Run something as a task for the time of a block; what it raises is raised there."""
    task = asyncio.create_task(coroutine)
    try:
        yield task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def event(kind: str, obj: Json) -> bytes:
    return _line(kind, obj)


def _line(kind: str, obj: Json) -> bytes:
    return json.dumps({"type": kind, "object": obj}, ensure_ascii=False).encode() + b"\n"


def _chunk(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(b"%x\r\n%s\r\n" % (len(data), data))


def _respond(writer: asyncio.StreamWriter, answer: Answer) -> None:
    headers = {"content-length": str(len(answer.body)), **answer.headers}
    head = [f"HTTP/1.1 {answer.status} -"]
    head += [f"{name}: {value}" for name, value in headers.items()]
    writer.write("\r\n".join([*head, "", ""]).encode() + answer.body)


async def _respond_slowly(writer: asyncio.StreamWriter, answer: Answer) -> None:
    if not answer.pace_s:
        _respond(writer, answer)
        return
    _respond(writer, Answer(headers={"content-length": str(len(answer.body))}, body=b""))
    for byte in answer.body:
        writer.write(bytes([byte]))
        await asyncio.sleep(answer.pace_s)


async def _read(reader: asyncio.StreamReader) -> Seen:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    method, target, _ = head[0].split(" ")
    lines = (line.partition(": ") for line in head[1:] if line)
    headers = {name.lower(): value for name, _, value in lines}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    url = urlsplit(target)
    return Seen(method, url.path, dict(parse_qsl(url.query)), headers, body)


def _token(request: Seen) -> str:
    return request.headers.get("authorization", "").removeprefix("Bearer ")
