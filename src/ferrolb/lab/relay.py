"""How a node reaches the API server: bytes relayed from the node's loopback to the host's (C-37).

There is no cable into the host: a socket listens in the node's namespace, and this process, which
is in the host's, connects to the server for it.
"""

import asyncio
import contextlib
import socket
from dataclasses import dataclass
from typing import Final

from ferrolb.lab.namespaces import inside

RELAY_HOST: Final = "127.0.0.1"
RELAY_PORT: Final = 6443
"""What every node's kubeconfig names."""

_MAX_CONNECTIONS: Final = 256
"""At once and a node; a speaker has some twenty. More would be a runaway client."""
_CHUNK_BYTES: Final = 64 * 1024
_CONNECT_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class Upstream:
    """Where the API server listens, as the host sees it."""

    host: str
    port: int


class ApiRelay:
    """One node's way to the API server."""

    def __init__(self, node: str, upstream: Upstream) -> None:
        self._node = node
        self._upstream = upstream
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self._flowing = asyncio.Event()
        self._flowing.set()

    async def open(self) -> None:
        """Listen, unless it does."""
        if self._server is not None:
            return
        listener = inside(
            self._node, lambda: socket.create_server((RELAY_HOST, RELAY_PORT), backlog=128)
        )
        self._server = await asyncio.start_server(self._serve, sock=listener)

    async def close(self) -> None:
        """Refuse connections and break those there are."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for task in self._connections:
            task.cancel()
        if self._connections:
            await asyncio.wait(tuple(self._connections))

    def freeze(self) -> None:
        """Pass nothing on; connections stay open, new ones are taken and told nothing."""
        self._flowing.clear()

    def thaw(self) -> None:
        """Pass on what has waited."""
        self._flowing.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None or len(self._connections) >= _MAX_CONNECTIONS:
            writer.transport.abort()
            return
        self._connections.add(task)
        try:
            await self._relay(reader, writer)
        except asyncio.CancelledError:
            pass  # `close` breaks connections this way; the task ends here in any case
        finally:
            self._connections.discard(task)
            writer.transport.abort()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_CONNECT_S):
                back, forth = await asyncio.open_connection(
                    self._upstream.host, self._upstream.port
                )
        except (OSError, TimeoutError):
            return
        try:
            with contextlib.suppress(OSError):
                async with asyncio.TaskGroup() as group:
                    pumps = [
                        group.create_task(self._pump(reader, forth)),
                        group.create_task(self._pump(back, writer)),
                    ]
                    # HTTP needs no half-open connections: one end is the end
                    await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
                    for pump in pumps:
                        pump.cancel()
        finally:
            forth.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(_CHUNK_BYTES):
                await self._flowing.wait()
                writer.write(data)
                await writer.drain()
