"""What each program asks the API for: a proxy between both that writes down every request.

It speaks plain HTTP to the programs and the API server's TLS to the other side, so that it works
alike with every server; bodies and streams pass as they come.
"""

import asyncio
import base64
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, urlsplit

import yaml

from ferrolb.rbac import Right, right_of

MAX_HEAD_BYTES: Final = 256 * 1024
START_S: Final = 10.0


@dataclass(frozen=True)
class Made:
    """One request and what was answered."""

    account: str
    line: str
    right: Right | None
    code: int


@dataclass(frozen=True)
class Upstream:
    """The API server behind the proxy."""

    host: str
    port: int
    tls: ssl.SSLContext

    @classmethod
    def of(cls, kubeconfig: Path) -> "Upstream":
        cluster = yaml.safe_load(kubeconfig.read_text())["clusters"][0]["cluster"]
        authority = base64.b64decode(cluster["certificate-authority-data"]).decode("ascii")
        url = urlsplit(cluster["server"])
        assert url.hostname is not None
        assert url.port is not None
        return cls(url.hostname, url.port, ssl.create_default_context(cadata=authority))


class Recorder:
    """Use `recording()`. Everything here may be called from the test's thread."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream
        self._loop = asyncio.new_event_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._servers: list[asyncio.Server] = []
        self.made: list[Made] = []

    def rights(self, account: str, *, code: int | None = None) -> set[Right]:
        """Return what an account asked for; with `code` only what was answered so."""
        return {
            one.right
            for one in list(self.made)
            if one.account == account
            and one.right is not None
            and (one.code == code if code is not None else one.code != 403)
        }

    def listen_tcp(self, account: str) -> str:
        """Return the URL that is `account`'s way to the server."""

        async def listen() -> int:
            server = await asyncio.start_server(
                self._accepted(account), "127.0.0.1", 0, limit=MAX_HEAD_BYTES
            )
            self._servers.append(server)
            port: int = server.sockets[0].getsockname()[1]
            return port

        return f"http://127.0.0.1:{self._call(listen())}"

    def listen_unix(self, account: str, path: Path) -> None:
        """The same by a socket in the file system."""

        async def listen() -> int:
            self._servers.append(
                await asyncio.start_unix_server(self._accepted(account), path, limit=MAX_HEAD_BYTES)
            )
            return 0

        self._call(listen())

    def run(self) -> None:
        """Serve until `stop`."""
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()
        for server in self._servers:
            server.close()
        for task in list(self._tasks):
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*self._tasks, return_exceptions=True))
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()

    def stop(self) -> None:
        """End `run`."""
        self._loop.call_soon_threadsafe(self._loop.stop)

    def _call(self, coroutine):  # a coroutine that returns an int
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(START_S)

    def _accepted(self, account: str):
        def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = self._loop.create_task(self._serve(account, reader, writer))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

        return accept

    async def _serve(
        self, account: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        up = self._upstream
        server: asyncio.StreamWriter | None = None
        try:
            answers, server = await asyncio.open_connection(up.host, up.port, ssl=up.tls)
            asked: list[str] = []
            there = asyncio.ensure_future(_requests(reader, server, asked))
            back = asyncio.ensure_future(self._answers(account, answers, writer, asked))
            _, late = await asyncio.wait({there, back}, return_when=asyncio.FIRST_COMPLETED)
            for task in late:
                task.cancel()
            await asyncio.gather(there, back, return_exceptions=True)
        except OSError:
            pass  # the server is not there, which the program sees by the closed connection
        finally:
            for one in (writer, server):
                if one is not None:
                    one.close()
                    with suppress(OSError, asyncio.CancelledError):
                        await one.wait_closed()

    async def _answers(
        self,
        account: str,
        answers: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        asked: list[str],
    ) -> None:
        while data := await answers.read(65536):
            if asked:
                # a client asks again only after it has read the answer, so this begins one
                self._note(account, asked.pop(0), int(data[9:12]))
            writer.write(data)
            await writer.drain()

    def _note(self, account: str, line: str, code: int) -> None:
        method, target, _ = line.split(" ")
        url = urlsplit(target)
        right = right_of(method, url.path, dict(parse_qsl(url.query)))
        self.made.append(Made(account, line, right, code))


async def _requests(
    reader: asyncio.StreamReader, server: asyncio.StreamWriter, asked: list[str]
) -> None:
    while True:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return
        line, *fields = head.decode("latin-1").split("\r\n")
        lengths = [one.split(":")[1] for one in fields if one.lower().startswith("content-length:")]
        body = await reader.readexactly(int(lengths[0])) if lengths else b""
        asked.append(line)
        server.write(head + body)
        await server.drain()


@contextmanager
def recording(kubeconfig: Path) -> Iterator[Recorder]:
    """Record, on a thread of its own, what passes to the server of a kubeconfig."""
    recorder = Recorder(Upstream.of(kubeconfig))
    thread = threading.Thread(target=recorder.run, daemon=True)
    thread.start()
    try:
        yield recorder
    finally:
        recorder.stop()
        thread.join(START_S)
        assert not thread.is_alive()
