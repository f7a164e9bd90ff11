"""Connections that are done, to peers that do not read: on real sockets, without a machine."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from ipaddress import ip_address
from itertools import count

from ferrolb.gossip import SocketAddress, StreamId, StreamRequest, StreamWrite
from ferrolb.net.streams import LINGERING_MAX, Streams

LOCAL = SocketAddress(ip_address("127.0.0.1"), 0)

SMALL_BUFFER_BYTES = 4096
ANSWER = bytes(200_000)
"""More than the kernel takes for a peer that does not read."""


class Inputs:
    """Accepts everything, and remembers what has happened."""

    def __init__(self) -> None:
        self._names = count(1)
        self.accepted: list[StreamId] = []
        self.closed: list[StreamId] = []
        self.opened: list[StreamId] = []
        self.received: list[bytes] = []

    def on_accepted(self, source: SocketAddress) -> StreamId | None:
        self.accepted.append(StreamId(next(self._names)))
        return self.accepted[-1]

    def on_opened(self, stream: StreamId) -> None:
        self.opened.append(stream)

    def on_bytes(self, stream: StreamId, data: bytes) -> None:
        self.received.append(data)

    def on_closed(self, stream: StreamId) -> None:
        self.closed.append(stream)


@asynccontextmanager
async def serving(linger_s: float = 60) -> AsyncIterator[tuple[Streams, Inputs, tuple[str, int]]]:
    """Accept on a port of the kernel's choice."""
    inputs = Inputs()
    streams = Streams(inputs, local=LOCAL, linger_s=linger_s)
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SMALL_BUFFER_BYTES)
    listener.bind((str(LOCAL.ip), 0))
    where = listener.getsockname()
    await streams.listen(listener)
    try:
        yield streams, inputs, where
    finally:
        streams.close()
        await asyncio.sleep(0)  # what has been cut is closed in the loop's next turn


async def deaf_client(where: tuple[str, int]) -> socket.socket:
    """Connect, and read nothing."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER_BYTES)
    client.setblocking(False)
    await asyncio.get_running_loop().sock_connect(client, where)
    return client


async def turns(number: int = 5) -> None:
    for _ in range(number):
        await asyncio.sleep(0.001)


async def rest_of(client: socket.socket) -> int:
    """Read to the end; return how much there was."""
    loop, size = asyncio.get_running_loop(), 0
    with client, suppress(ConnectionError):
        while data := await loop.sock_recv(client, 65_536):
            size += len(data)
    return size


def test_answer_is_written_whole_before_the_connection_closes() -> None:
    async def scene() -> None:
        async with serving() as (streams, inputs, where):
            client = await deaf_client(where)
            await turns()
            streams.write([StreamWrite(inputs.accepted[0], ANSWER, True)])
            assert streams.count == 1
            assert await rest_of(client) == len(ANSWER)
            await turns()
            assert streams.count == 0
            assert inputs.closed == []

    asyncio.run(scene())


def test_peer_that_does_not_read_is_cut_in_time() -> None:
    async def scene() -> None:
        async with serving(linger_s=0.05) as (streams, inputs, where):
            client = await deaf_client(where)
            await turns()
            streams.write([StreamWrite(inputs.accepted[0], ANSWER, True)])
            await asyncio.sleep(0.1)
            assert streams.count == 0
            assert await rest_of(client) < len(ANSWER)
            assert inputs.closed == []

    asyncio.run(scene())


def test_oldest_of_too_many_that_do_not_read_is_cut() -> None:
    async def scene() -> None:
        async with serving() as (streams, inputs, where):
            clients = [await deaf_client(where) for _ in range(LINGERING_MAX + 2)]
            await turns(20)
            assert len(inputs.accepted) == LINGERING_MAX + 2
            streams.write([StreamWrite(stream, ANSWER, True) for stream in inputs.accepted[:-2]])
            await turns()
            assert streams.count == LINGERING_MAX + 2
            streams.write([StreamWrite(stream, ANSWER, True) for stream in inputs.accepted[-2:]])
            await turns()
            assert streams.count == LINGERING_MAX
            for client in clients[:2]:
                assert await rest_of(client) < len(ANSWER)
            for client in clients[2:]:
                assert await rest_of(client) == len(ANSWER)

    asyncio.run(scene())


def test_what_comes_after_the_closing_write_is_ignored() -> None:
    async def scene() -> None:
        async with serving() as (streams, inputs, where):
            client = await deaf_client(where)
            await turns()
            (stream,) = inputs.accepted
            client.send(b"one")
            await turns()
            streams.write([StreamWrite(stream, ANSWER, True)])
            client.send(b"two")
            await turns()
            streams.write([StreamWrite(stream, b"more", False)])
            await rest_of(client)
            assert inputs.received == [b"one"]

    asyncio.run(scene())


def test_request_withdrawn_before_it_is_connected_is_silent() -> None:
    async def scene() -> None:
        async with serving() as (streams, inputs, where):
            to = SocketAddress(ip_address(where[0]), where[1])
            request = StreamRequest(StreamId(1000), to)
            streams.connect([request])
            streams.write([StreamWrite(request.stream, b"", True)])
            await turns()
            assert inputs.opened == []
            assert inputs.closed == []
            assert streams.count == 0

    asyncio.run(scene())


def test_opened_connection_comes_from_the_local_address() -> None:
    async def scene() -> None:
        inputs = Inputs()
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen()
            listener.setblocking(False)
            streams = Streams(inputs, local=SocketAddress(ip_address("127.0.0.3"), 7946))
            to = SocketAddress(ip_address("127.0.0.1"), listener.getsockname()[1])
            streams.connect([StreamRequest(StreamId(1), to)])
            client, source = await asyncio.get_running_loop().sock_accept(listener)
            with client:
                assert source[0] == "127.0.0.3"
                await turns()
                assert inputs.opened == [StreamId(1)]
            await turns()
            assert inputs.closed == [StreamId(1)]
            assert streams.count == 0

    asyncio.run(scene())
