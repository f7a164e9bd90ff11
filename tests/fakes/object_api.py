"""A small API server on loopback: real HTTP, objects by path, every request kept for the test.

It knows creates, reads, merge patches, server-side apply of a status, and replacing; conflicts by
resourceVersion; and refusals that a test scripts. It judges no schema and keeps no watch.
"""

import asyncio
import copy
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, urlsplit

from ferrolb.kube import Access, ApiClient

STATUS_SUFFIX = "/status"
APPLY = "application/apply-patch+yaml"


@dataclass(frozen=True)
class Seen:
    """One request as it arrived."""

    method: str
    path: str
    query: dict[str, list[str]]
    content_type: str
    body: Any


@dataclass(frozen=True)
class Refusal:
    """An answer other than success; `retry_after` in seconds."""

    code: int
    reason: str = ""
    message: str = "refused"
    retry_after: int = 0


@dataclass
class ObjectApi:
    """The objects, what was asked, and what shall be refused."""

    objects: dict[str, dict[str, Any]] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)
    refuse: Callable[[Seen], Refusal | None] = lambda seen: None
    """Looked at before anything is done."""
    before: Callable[[Seen], None] = lambda seen: None
    """Called before each request is served, to change objects under the client's feet."""
    may_patch: bool = False
    """What a SelfSubjectAccessReview is told."""
    port: int = 0
    version: int = 100
    arrived: asyncio.Condition = field(default_factory=asyncio.Condition)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    """Requests are answered while it is set."""

    def __post_init__(self) -> None:
        self.gate.set()

    def put(self, path: str, content: dict[str, Any]) -> dict[str, Any]:
        """Store an object as somebody else's write."""
        self.version += 1
        content = copy.deepcopy(content)
        content.setdefault("metadata", {})["resourceVersion"] = str(self.version)
        self.objects[path] = content
        return content

    def requests(self, *methods: str) -> list[tuple[str, str]]:
        """Return method and path of what was asked, of these methods or all."""
        return [(s.method, s.path) for s in self.seen if not methods or s.method in methods]

    async def wait_for(self, number: int) -> None:
        """Wait until so many requests have arrived."""
        async with asyncio.timeout(5), self.arrived:
            await self.arrived.wait_for(lambda: len(self.seen) >= number)

    def answer(self, seen: Seen) -> tuple[int, Any]:
        """Serve one request."""
        self.before(seen)
        refusal = self.refuse(seen)
        if refusal is not None:
            return refusal.code, status(refusal)
        if seen.method == "POST":
            return self._create(seen)
        is_status = seen.path.endswith(STATUS_SUFFIX)
        path = seen.path.removesuffix(STATUS_SUFFIX)
        if path not in self.objects:
            return 404, status(Refusal(404, "NotFound", "not found"))
        if seen.method == "GET":
            return 200, self.objects[path]
        return self._change(path, seen, is_status=is_status)

    def _create(self, seen: Seen) -> tuple[int, Any]:
        if seen.path.endswith("accessreviews"):
            return 201, {**seen.body, "status": {"allowed": self.may_patch}}
        path = f"{seen.path}/{seen.body['metadata']['name']}"
        if path in self.objects:
            return 409, status(Refusal(409, "AlreadyExists", "already exists"))
        return 201, self.put(path, seen.body)

    def _change(self, path: str, seen: Seen, *, is_status: bool) -> tuple[int, Any]:
        old = self.objects[path]
        expected = seen.body.get("metadata", {}).get("resourceVersion")
        if expected not in (None, old["metadata"]["resourceVersion"]):
            return 409, status(Refusal(409, "Conflict", "the object has been modified"))
        if seen.method == "PUT":
            new = seen.body
        elif seen.content_type == APPLY:
            new = apply_conditions(old, seen.body)
        else:
            new = merge(old, seen.body)
        if is_status:
            new = {**new, **({"spec": old["spec"]} if "spec" in old else {})}
        if new == old:
            return 200, old
        return 200, self.put(path, new)


def status(refusal: Refusal) -> dict[str, Any]:
    """Return the API's Status object."""
    content: dict[str, Any] = {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "code": refusal.code,
        "reason": refusal.reason,
        "message": refusal.message,
    }
    if refusal.retry_after:
        content["details"] = {"retryAfterSeconds": refusal.retry_after}
    return content


def merge(old: Any, change: Any) -> Any:
    """Apply a JSON merge patch (RFC 7386)."""
    if not isinstance(change, dict):
        return change
    new = dict(old) if isinstance(old, dict) else {}
    for name, value in change.items():
        if value is None:
            new.pop(name, None)
        else:
            new[name] = merge(new.get(name), value)
    return new


def apply_conditions(old: dict[str, Any], applied: dict[str, Any]) -> dict[str, Any]:
    """Server-side apply where `status.conditions` is a list-map by type."""
    conditions = {c["type"]: c for c in old.get("status", {}).get("conditions", [])}
    for condition in applied["status"]["conditions"]:
        conditions[condition["type"]] = condition
    applied_status = {**old.get("status", {}), "conditions": list(conditions.values())}
    return {**old, "status": applied_status}


@asynccontextmanager
async def serve_objects() -> AsyncIterator[tuple[ObjectApi, ApiClient]]:
    """Run the server, and a client of it, for the time of a block."""
    api = ObjectApi()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while (seen := await read_request(reader)) is not None:
                async with api.arrived:
                    api.seen.append(seen)
                    api.arrived.notify_all()
                await api.gate.wait()
                writer.write(encode_answer(*api.answer(seen)))
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    api.port = server.sockets[0].getsockname()[1]
    try:
        async with ApiClient(Access(server=f"http://127.0.0.1:{api.port}")) as client:
            yield api, client
    finally:
        api.gate.set()
        server.close()


async def read_request(reader: asyncio.StreamReader) -> Seen | None:
    """Read one request, None at the end of the connection."""
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    except asyncio.IncompleteReadError:
        return None
    method, target, _ = head[0].split(" ")
    headers = {
        k.lower(): v.strip() for k, _, v in (line.partition(":") for line in head[1:] if line)
    }
    data = await reader.readexactly(int(headers.get("content-length", "0")))
    url = urlsplit(target)
    return Seen(
        method=method,
        path=url.path,
        query=parse_qs(url.query),
        content_type=headers.get("content-type", ""),
        body=json.loads(data) if data else None,
    )


def encode_answer(code: int, content: Any) -> bytes:
    """Return the bytes of one answer."""
    body = json.dumps(content).encode()
    head = f"HTTP/1.1 {code} {HTTPStatus(code).phrase}\r\ncontent-type: application/json\r\n"
    return f"{head}content-length: {len(body)}\r\n\r\n".encode() + body
