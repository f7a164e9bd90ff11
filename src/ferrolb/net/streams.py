"""The gossip's TCP connections: opened and accepted for the machine, which says what to write."""

import asyncio
from typing import TYPE_CHECKING, Final, Protocol

from typing_extensions import override

from ferrolb.gossip import SocketAddress, StreamId
from ferrolb.net.address import socket_address

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterable

    from ferrolb.gossip import StreamRequest, StreamWrite

ACCEPTS_PER_WAKE_UP: Final = 32
"""Connections accepted in one turn of the event loop, and those waiting in the kernel for it: a
stranger's thousands take turns with everything else. A member has one or two an interval."""

LINGER_S: Final = 10.0
"""How long a peer may take to read the rest of a connection that is done; memberlist's own time."""

LINGERING_MAX: Final = 128
"""Connections that wait for that. Beyond it the oldest is cut: whoever does not read cannot hold
more than this many answers in memory."""


class StreamInputs(Protocol):
    """What happens on connections; the driver hands it to the machine."""

    def on_accepted(self, source: SocketAddress) -> StreamId | None:
        """Name an incoming connection; None: refuse it."""

    def on_opened(self, stream: StreamId) -> None:
        """A connection that was asked for stands."""

    def on_bytes(self, stream: StreamId, data: bytes) -> None:
        """Something has been received."""

    def on_closed(self, stream: StreamId) -> None:
        """The peer has closed, or the connection failed; not called after `StreamWrite.close`."""


class Streams:
    """All connections of one member. TCP_NODELAY is on: asyncio sets it on every one."""

    def __init__(
        self, inputs: StreamInputs, *, local: SocketAddress, linger_s: float = LINGER_S
    ) -> None:
        """Make it; connections are opened from the address `local`, any port."""
        self._inputs = inputs
        self._local = local
        self._linger_s = linger_s
        self._server: asyncio.Server | None = None
        self._connecting: dict[StreamId, asyncio.Task[None]] = {}
        self._open: dict[StreamId, asyncio.Transport] = {}
        self._lingering: dict[asyncio.Transport, asyncio.TimerHandle] = {}

    @property
    def count(self) -> int:
        """How many connections there are, in any state."""
        return len(self._connecting) + len(self._open) + len(self._lingering)

    async def listen(self, listener: "socket.socket") -> None:
        """Accept from a bound socket, which this object owns from now on."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: _Connection(self, None), sock=listener, backlog=ACCEPTS_PER_WAKE_UP
        )

    def connect(self, requests: "Iterable[StreamRequest]") -> None:
        """Open connections."""
        loop = asyncio.get_running_loop()
        for request in requests:
            task = loop.create_task(self._connect(request), name=f"gossip to {request.to}")
            self._connecting[request.stream] = task

    def write(self, writes: "Iterable[StreamWrite]") -> None:
        """Write, and close where that is asked; connections that are gone are passed over."""
        for write in writes:
            transport = self._open.get(write.stream)
            if transport is not None:
                transport.write(write.data)
                if write.close:
                    self._finish(write.stream, transport)
            elif write.close and write.stream in self._connecting:
                self._connecting.pop(write.stream).cancel()

    def close(self) -> None:
        """Cut every connection and stop listening; nothing is reported any more."""
        if self._server is not None:
            self._server.close()
        for task in self._connecting.values():
            task.cancel()
        for transport in [*self._open.values(), *self._lingering]:
            transport.abort()
        for timer in self._lingering.values():
            timer.cancel()
        self._connecting.clear()
        self._open.clear()
        self._lingering.clear()

    def accept(self, transport: asyncio.Transport) -> StreamId | None:
        """Take an incoming connection, or cut it."""
        peer: tuple[str, int] | None = transport.get_extra_info("peername")
        # without a peer's name: it was gone before it could be looked at
        stream = None if peer is None else self._inputs.on_accepted(socket_address(peer))
        if stream is None:
            transport.abort()
        else:
            self._open[stream] = transport
        return stream

    def opened(self, stream: StreamId, transport: asyncio.Transport) -> None:
        """Take a connection that has been opened, unless nobody wants it any more."""
        if self._connecting.pop(stream, None) is None:
            transport.abort()
            return
        self._open[stream] = transport
        self._inputs.on_opened(stream)

    def received(self, stream: StreamId, data: bytes) -> None:
        """Hand on what came, unless the connection is done."""
        if stream in self._open:
            self._inputs.on_bytes(stream, data)

    def lost(self, stream: StreamId | None, transport: asyncio.Transport) -> None:
        """Forget a connection, and report it if it was not done."""
        timer = self._lingering.pop(transport, None)
        if timer is not None:
            timer.cancel()
        if stream is not None and self._open.pop(stream, None) is not None:
            self._inputs.on_closed(stream)

    async def _connect(self, request: "StreamRequest") -> None:
        loop = asyncio.get_running_loop()
        to = request.to
        local = None if self._local.ip.is_unspecified else (str(self._local.ip), 0)
        try:
            await loop.create_connection(
                lambda: _Connection(self, request.stream), str(to.ip), to.port, local_addr=local
            )
        except OSError:
            if self._connecting.pop(request.stream, None) is not None:
                self._inputs.on_closed(request.stream)

    def _finish(self, stream: StreamId, transport: asyncio.Transport) -> None:
        """Close once everything has been written, which may not take for ever."""
        del self._open[stream]
        if transport.is_closing():
            return
        if len(self._lingering) >= LINGERING_MAX:
            oldest = next(iter(self._lingering))
            self._lingering.pop(oldest).cancel()
            oldest.abort()
        loop = asyncio.get_running_loop()
        self._lingering[transport] = loop.call_later(self._linger_s, transport.abort)
        transport.close()


class _Connection(asyncio.Protocol):
    """One connection; all it knows is its name."""

    def __init__(self, streams: Streams, stream: StreamId | None) -> None:
        self._streams = streams
        self._stream = stream
        self._transport: asyncio.Transport | None = None

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if not isinstance(transport, asyncio.Transport):
            raise TypeError("a stream has a stream's transport")
        self._transport = transport
        if self._stream is None:
            self._stream = self._streams.accept(transport)
        else:
            self._streams.opened(self._stream, transport)

    @override
    def data_received(self, data: bytes) -> None:
        if self._stream is not None:
            self._streams.received(self._stream, data)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        if self._transport is not None:
            self._streams.lost(self._stream, self._transport)
