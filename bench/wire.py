"""A client as cheap as Python allows, so that what it measures is the server.

HTTP/1.1 over TLS, one request at a time on a connection, bodies as bytes: no redirects, no
compression, no pool. Everything else in the project uses `ferrolb.kube`.
"""

import asyncio
import base64
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self
from urllib.parse import urlsplit

import yaml
from typing_extensions import override

_HEAD_END: Final = b"\r\n\r\n"


class WireError(Exception):
    """The server closed the connection, or answered what is no HTTP."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where the server is, and who asks."""

    host: str
    port: int
    token: str
    tls: ssl.SSLContext

    @classmethod
    def of(cls, kubeconfig: Path) -> Self:
        """Read it from a kubeconfig that one of the servers has written."""
        config = yaml.safe_load(kubeconfig.read_text())
        cluster = config["clusters"][0]["cluster"]
        url = urlsplit(cluster["server"])
        authority = base64.b64decode(cluster["certificate-authority-data"]).decode("ascii")
        return cls(
            host=url.hostname or "",
            port=url.port or 443,
            token=config["users"][0]["user"]["token"],
            tls=ssl.create_default_context(cadata=authority),
        )

    def request(self, method: str, path: str, body: bytes = b"", content_type: str = "") -> bytes:
        """Return a request as it goes over the wire."""
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: {self.host}:{self.port}\r\n"
            f"Authorization: Bearer {self.token}\r\nAccept: application/json\r\n"
            f"User-Agent: ferrolb-bench\r\nContent-Length: {len(body)}\r\n"
        )
        if body:
            head += f"Content-Type: {content_type or 'application/json'}\r\n"
        return head.encode() + b"\r\n" + body


class Connection(asyncio.Protocol):
    """One connection; `ask` sends a request and returns status and body."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None
        self._buffer = bytearray()

    @classmethod
    async def open(cls, address: Address) -> Self:
        """Connect."""
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(
            cls, address.host, address.port, ssl=address.tls
        )
        return connection

    async def ask(self, request: bytes) -> tuple[int, bytes]:
        """Send a request and wait for its answer."""
        if self._transport is None:
            raise WireError("the connection is closed")
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._answer

    def close(self) -> None:
        """Close the connection."""
        if self._transport is not None:
            self._transport.close()

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.Transport):
            self._transport = transport

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(WireError("the server closed the connection"))

    @override
    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if self._answer is None or self._answer.done():
            return
        found = answer_in(self._buffer)
        if found is not None:
            self._buffer.clear()
            self._answer.set_result(found)


def answer_in(buffer: bytes | bytearray) -> tuple[int, bytes] | None:
    """Return status and body of an answer that is complete, None before."""
    end = buffer.find(_HEAD_END)
    if end < 0:
        return None
    status_line, *lines = bytes(buffer[:end]).split(b"\r\n")
    headers = dict(line.lower().split(b": ", 1) for line in lines)
    status = int(status_line.split(b" ", 2)[1])
    start = end + len(_HEAD_END)
    if headers.get(b"transfer-encoding") != b"chunked":
        length = int(headers.get(b"content-length", b"0"))
        is_whole = len(buffer) >= start + length
        return (status, bytes(buffer[start : start + length])) if is_whole else None
    if not buffer.endswith(b"0\r\n\r\n"):
        return None
    chunks = Chunks()
    body = chunks.feed(bytes(buffer))
    return (status, body) if chunks.has_ended else None


class Chunks:
    """The body of one chunked answer, taken out of the stream as it comes."""

    def __init__(self) -> None:
        self.has_begun = False
        """The head of the answer is through."""
        self.has_ended = False
        self._buffer = b""

    def feed(self, data: bytes) -> bytes:
        """Take some of the stream; return what of the body it completes."""
        buffer = self._buffer + data
        start = 0
        if not self.has_begun:
            end = buffer.find(_HEAD_END)
            if end < 0:
                self._buffer = buffer
                return b""
            self.has_begun, start = True, end + len(_HEAD_END)
        parts: list[bytes] = []
        while (end := buffer.find(b"\r\n", start)) >= 0:
            size = int(buffer[start:end], 16)
            if len(buffer) < end + 2 + size + 2:
                break
            self.has_ended = not size
            parts.append(buffer[end + 2 : end + 2 + size])
            start = end + 2 + size + 2
        self._buffer = buffer[start:]
        return b"".join(parts)
