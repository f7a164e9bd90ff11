"""Runs the gossip's machine on its sockets: UDP and TCP of one address and port, and one timer."""

import asyncio
import socket
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from ferrolb.gossip import LeaveDone, SocketAddress, StreamId
from ferrolb.net.address import socket_address
from ferrolb.net.errors import NetError
from ferrolb.net.streams import Streams
from ferrolb.telemetry import get_logger

if TYPE_CHECKING:
    from ferrolb.gossip import Event, Membership

DATAGRAMS_PER_WAKE_UP: Final = 64
"""Datagrams taken in before the event loop has its turn. More delays everything else under a flood;
fewer costs a turn of the loop for each."""

WAKE_UP_S: Final = 0.003
"""Nor is one begun after that time: without a key, a stranger's datagram may be 20 ms of work."""

DATAGRAMS_PER_DEADLINE: Final = 512
DEADLINE_WAKE_UP_S: Final = 0.02
"""The same before a deadline is looked at: after a stall of this process the answers that wait in
the socket come first, for they contradict what the timer would conclude."""

RECEIVE_BUFFER_BYTES: Final = 1_048_576
"""Of the UDP socket: a second's gossip in a large cluster, should this process be held up so long.
The kernel grants what `net.core.rmem_max` allows, doubled."""

DATAGRAM_MAX_BYTES: Final = 65_535

LEAVE_S: Final = 1.0
"""How long leaving may take. The machine gives itself as much; this ends it even if that fails."""

TIMER_MIN_S: Final = 0.001
"""The machine is not asked more often, whatever it says, so that a deadline that does not move
costs little."""


class GossipBindError(NetError):
    """The address cannot be bound: tell the user, and end; a restart may help if it comes later."""

    def __init__(self, address: SocketAddress, cause: OSError) -> None:
        super().__init__(f"cannot bind the gossip to {address}: {cause.strerror or cause}")
        self.address = address


class GossipDriver:
    """The shell of one `Membership`: the only one to read its outputs and to run its clock.

    Time is that of the running event loop, which is `time.monotonic()`.
    """

    def __init__(self, membership: "Membership", *, on_event: "Callable[[Event], None]") -> None:
        """Make a driver that does not run yet.

        Args:
            membership: not started; its address is bound, UDP and TCP.
            on_event: called with each event, after what the machine wanted sent is on its way. It
                may change the machine, and calls `wake` then.
        """
        self._membership = membership
        self._on_event = on_event
        self._streams = Streams(self, local=membership.address)
        self._buffer = bytearray(DATAGRAM_MAX_BYTES)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._udp: socket.socket | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._is_woken = False
        self._left = asyncio.Event()
        self.listening = asyncio.Event()
        """Set once the sockets are bound and the machine has started."""
        self.unsent = 0
        """Datagrams that the kernel did not take, since the start; the protocol repeats them."""

    @property
    def membership(self) -> "Membership":
        """The machine."""
        return self._membership

    async def run(self) -> None:
        """Gossip until cancelled; does not say goodbye, which is what `leave` is for.

        Raises:
            GossipBindError: the address cannot be bound.
        """
        self._loop = asyncio.get_running_loop()
        self._udp, listener = _bind(self._membership.address)
        try:
            await self._streams.listen(listener)
            self._membership.start(now=self._loop.time())
            self._loop.add_reader(self._udp, self._on_readable)
            self._settle([])
            self.listening.set()
            get_logger().info("gossip listens", address=str(self._membership.address))
            await self._loop.create_future()
        finally:
            self._stop(self._loop)

    def wake(self) -> None:
        """Do soon what the machine wants; call it after changing the machine."""
        if self._loop is not None and not self._is_woken:
            self._is_woken = True
            self._loop.call_soon(self._on_wake)

    def join(self, peers: Iterable[SocketAddress]) -> None:
        """Exchange state with the peers; events tell what came of it."""
        self._membership.join(peers, now=asyncio.get_running_loop().time())
        self.wake()

    async def leave(self) -> None:
        """Tell the others that this member goes, and return when they know, after 1 s at most.

        `run` must still be running; cancel it afterwards. Without it there is nobody to tell.
        """
        if self._loop is None:
            return
        self._membership.leave(now=self._loop.time())
        self.wake()
        with suppress(TimeoutError):
            async with asyncio.timeout(LEAVE_S):
                await self._left.wait()

    def on_accepted(self, source: SocketAddress) -> StreamId | None:
        """Hand an incoming connection to the machine."""
        stream = self._membership.on_stream_accepted(source, now=self._now())
        self._settle([])
        return stream

    def on_opened(self, stream: StreamId) -> None:
        """Hand an opened connection to the machine."""
        self._settle(self._membership.on_stream_opened(stream, now=self._now()))

    def on_bytes(self, stream: StreamId, data: bytes) -> None:
        """Hand what a connection has received to the machine."""
        self._settle(self._membership.on_stream_bytes(stream, data, now=self._now()))

    def on_closed(self, stream: StreamId) -> None:
        """Tell the machine that a connection is gone."""
        self._settle(self._membership.on_stream_closed(stream, now=self._now()))

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    def _on_readable(self) -> None:
        self._take_in(DATAGRAMS_PER_WAKE_UP, lasting_s=WAKE_UP_S)

    def _on_wake(self) -> None:
        self._is_woken = False
        if self._loop is not None:
            self._settle([])

    def _on_timer(self) -> None:
        self._timer = None
        self._take_in(DATAGRAMS_PER_DEADLINE, lasting_s=DEADLINE_WAKE_UP_S)
        self._settle(self._membership.on_deadline(now=self._now()))

    def _take_in(self, limit: int, *, lasting_s: float) -> None:
        """Read datagrams until there are none, `limit` have been read, or the time is over."""
        if self._udp is None:
            return
        events: list[Event] = []
        now = self._now()
        end = now + lasting_s
        view = memoryview(self._buffer)
        for _ in range(limit):
            if now > end:
                break
            try:
                size, source = self._udp.recvfrom_into(view)
            except OSError:
                break  # nothing left; an error of the socket shows again at the next reading
            data = bytes(view[:size])
            events += self._membership.on_datagram(data, socket_address(source), now=now)
            now = self._now()
        self._settle(events)

    def _settle(self, events: "Sequence[Event]") -> None:
        """Do what the machine wants, tell what has happened, and set the timer."""
        try:
            self._send()
            self._streams.connect(self._membership.streams_to_open())
            self._streams.write(self._membership.stream_writes())
        finally:
            self._set_timer()
        for event in events:
            if isinstance(event, LeaveDone):
                self._left.set()
            self._on_event(event)

    def _send(self) -> None:
        if self._udp is None:
            return
        for datagram in self._membership.datagrams_to_send():
            try:
                self._udp.sendto(datagram.payload, (str(datagram.to.ip), datagram.to.port))
            except OSError:
                self.unsent += 1

    def _set_timer(self) -> None:
        """Have the timer fire at the next deadline; one that is set for earlier does no harm."""
        deadline = self._membership.next_deadline()
        if self._loop is None or deadline is None:
            return
        if self._timer is not None:
            if self._timer.when() <= deadline:
                return
            self._timer.cancel()
        at = max(deadline, self._loop.time() + TIMER_MIN_S)
        self._timer = self._loop.call_at(at, self._on_timer)

    def _stop(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = None
        if self._timer is not None:
            self._timer.cancel()
        self._streams.close()
        if self._udp is not None:
            loop.remove_reader(self._udp)
            self._udp.close()
            self._udp = None


def _bind(address: SocketAddress) -> tuple[socket.socket, socket.socket]:
    """Return the UDP socket and the one to listen for TCP.

    Raises:
        GossipBindError: the kernel refuses.
    """
    try:
        udp = _bound(address, socket.SOCK_DGRAM)
        try:
            tcp = _bound(address, socket.SOCK_STREAM)
        except OSError:
            udp.close()
            raise
    except OSError as error:
        raise GossipBindError(address, error) from error
    udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
    return udp, tcp


def _bound(address: SocketAddress, kind: socket.SocketKind) -> socket.socket:
    family = socket.AF_INET if address.ip.version == 4 else socket.AF_INET6
    sock = socket.socket(family, kind | socket.SOCK_NONBLOCK)
    try:
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if kind == socket.SOCK_STREAM:
            # a restart must not wait for connections of the time before
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((str(address.ip), address.port))
    except OSError:
        sock.close()
        raise
    return sock
