"""Runs `l2.Announcer` on packet sockets: a question is answered in the callback that read it.

What can delay a reply is the rest of the event loop: a callback that runs long, and the frames of
other sockets, of which at most 64 are taken in turn. No task, queue or log line lies between.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from time import monotonic
from typing import Final, Protocol

from ferrolb.l2 import Announcer, Claimed, Drop, DropReason, Group, Interface, Outcome, Reply
from ferrolb.model import IPAddress, MacAddress
from ferrolb.net.errors import InterfaceGoneError, PacketSocketError
from ferrolb.net.groups import GroupMemberships
from ferrolb.net.packet import (
    MAX_FRAME_BYTES,
    FrameKind,
    PacketSocket,
    SendResult,
    require_packet_sockets,
)
from ferrolb.telemetry import get_logger

MAX_FRAMES: Final = 64
"""Taken from one socket at one wake-up: below 1 ms of work, so that a flood on one interface delays
neither another interface nor the API for longer."""

STEADY_S: Final = 0.000_2
"""Where wake-ups follow each other so closely, and each finds one frame, no second is looked for:
in vain that costs as much as an answer does. After a longer wait several may have gathered."""

MAX_SINGLES: Final = 16
"""Wake-ups in a row that take one frame only; then one looks whether more wait."""

MIN_RETRY_S: Final = 0.5
MAX_RETRY_S: Final = 30.0
"""Waits before sockets and groups that failed are tried again; doubled each time."""


class FrameObserver(Protocol):
    """Told what is worth counting, on the path of a reply: count, do no more."""

    def request_received(self, ip: IPAddress) -> None:
        """Somebody asked for an address announced here, and the answer could not be sent."""

    def answered(self, ip: IPAddress) -> None:
        """Somebody asked for an address announced here, and the answer is on its way."""

    def gratuitous_sent(self, ip: IPAddress) -> None:
        """One frame that nobody asked for is on its way."""

    def dropped(self, reason: DropReason) -> None:
        """A frame was not answered."""

    def send_failed(self, ip: IPAddress) -> None:
        """A frame could not be sent."""

    def claimed(self, ip: IPAddress, mac: MacAddress) -> None:
        """Another host claims an address announced here."""


@dataclass(frozen=True, slots=True)
class SocketFailure:
    """A socket that is wanted and could not be opened."""

    interface: str
    kind: FrameKind
    error: str


@dataclass(frozen=True, slots=True)
class FrameHealth:
    """What the driver wants and does not have; it goes on trying."""

    sockets: tuple[SocketFailure, ...] = ()
    groups: int = 0
    """Multicast groups that could not be joined."""

    @property
    def is_ok(self) -> bool:
        """Whether everything wanted is there."""
        return not self.sockets and not self.groups


class FrameDriver:
    """Opens a socket for each kind of frame and interface, answers, announces, joins groups."""

    def __init__(self, announcer: Announcer, observer: FrameObserver) -> None:
        self._announcer = announcer
        self._observer = observer
        self._interfaces: Mapping[int, Interface] = {}
        self._sockets: dict[tuple[int, FrameKind], PacketSocket] = {}
        self._failures: dict[tuple[int, FrameKind], SocketFailure] = {}
        self._groups = GroupMemberships()
        self._synced: object = None  # the set of groups last synced
        self._failed_groups: Mapping[Group, int] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._is_woken = False
        self._retry_at: float | None = None
        self._retry_s = MIN_RETRY_S
        self._dropped = 0

    @property
    def health(self) -> FrameHealth:
        """What is wanted and not there at this moment."""
        return FrameHealth(tuple(self._failures.values()), len(self._failed_groups))

    def frames_lost(self) -> int:
        """How many frames the kernel dropped because a receive buffer was full."""
        return self._dropped + sum(sock.statistics().dropped for sock in self._sockets.values())

    async def run(self) -> None:
        """Work until cancelled.

        Raises:
            MissingCapabilityError: the process may not open packet sockets.
        """
        require_packet_sockets()
        self.wake()
        try:
            await asyncio.Event().wait()
        finally:
            self._close()

    def set_interfaces(self, interfaces: Mapping[int, Interface]) -> None:
        """Use these interfaces from now on; needs a running event loop.

        Sockets of an interface that is only away (no carrier, down) stay open: closing one waits
        for the kernel, and they work again when it is back.
        """
        self._interfaces = interfaces
        self._close_dead()
        self._open_missing()
        self.wake()

    def wake(self) -> None:
        """Somebody changed the announcer: send, join and set the timer anew, soon."""
        if not self._is_woken:
            self._is_woken = True
            asyncio.get_running_loop().call_soon(self._serve)

    def _serve(self) -> None:
        self._is_woken = False
        now = monotonic()
        if self._retry_at is not None and now >= self._retry_at:
            self._retry_at = None
            self._close_dead()
            self._open_missing()
            self._synced = None
        self._sync_groups()  # first: a switch lets questions through only then
        self._send_gratuitous(now)
        self._set_timer(now)

    def _sync_groups(self) -> None:
        wanted = self._announcer.groups()
        if wanted is not self._synced:
            self._synced = wanted
            self._failed_groups = self._groups.sync(wanted).failed

    def _send_gratuitous(self, now: float) -> None:
        for frame in self._announcer.frames_to_send(now=now):
            kind = FrameKind.ARP if frame.ip.version == 4 else FrameKind.ND
            sock = self._sockets.get((frame.index, kind))
            if sock is not None and sock.send(frame.frame) is SendResult.SENT:
                self._observer.gratuitous_sent(frame.ip)
            else:
                self._observer.send_failed(frame.ip)

    def _set_timer(self, now: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self.health.is_ok:
            self._retry_at, self._retry_s = None, MIN_RETRY_S
        elif self._retry_at is None:
            self._retry_at = now + self._retry_s
            self._retry_s = min(2 * self._retry_s, MAX_RETRY_S)
        deadlines = [
            deadline
            for deadline in (self._announcer.next_deadline(), self._retry_at)
            if deadline is not None
        ]
        if deadlines:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_at(min(deadlines), self._serve)

    def _open_missing(self) -> None:
        """Open what is wanted, and let the announcer use the interfaces with an open socket."""
        failures: dict[tuple[int, FrameKind], SocketFailure] = {}
        for index, interface in self._interfaces.items():
            for kind in _kinds(interface):
                if (index, kind) not in self._sockets:
                    error = self._open(index, kind)
                    if error:
                        failures[index, kind] = SocketFailure(interface.name, kind, error)
        for key, failure in failures.items():
            if key not in self._failures:
                get_logger().error(
                    "packet socket cannot be opened",
                    interface=failure.interface,
                    protocol=failure.kind.value,
                    error=failure.error,
                )
        self._failures = failures
        self._announcer.set_interfaces(self._usable(), now=monotonic())

    def _usable(self) -> dict[int, Interface]:
        return {
            index: replace(
                interface,
                has_arp=interface.has_arp and (index, FrameKind.ARP) in self._sockets,
                has_ndp=interface.has_ndp and (index, FrameKind.ND) in self._sockets,
            )
            for index, interface in self._interfaces.items()
        }

    def _open(self, index: int, kind: FrameKind) -> str:
        """Open one socket; empty, or what went wrong."""
        try:
            sock = PacketSocket.open(index, kind)
        except (InterfaceGoneError, PacketSocketError) as error:
            return str(error)
        self._sockets[index, kind] = sock
        reader = _Reader(sock, self._announcer, self._observer, self._on_trouble)
        asyncio.get_running_loop().add_reader(sock, reader.on_readable)
        return ""

    def _close_dead(self) -> None:
        """Close the sockets whose interface is gone, though its index may have been taken again."""
        dead = [key for key, sock in self._sockets.items() if not sock.is_alive()]
        if not dead:
            return
        for index, kind in dead:
            sock = self._sockets.pop((index, kind))
            self._close_socket(sock)
            self._groups.forget(index)
            self._synced = None
        # Without them first: an interface that comes back is a new one to the announcer.
        self._announcer.set_interfaces(self._usable(), now=monotonic())

    def _close_socket(self, sock: PacketSocket) -> None:
        asyncio.get_running_loop().remove_reader(sock)
        self._dropped += sock.statistics().dropped
        sock.close()

    def _on_trouble(self) -> None:
        """A socket reported that its interface went down or away, or a claim changed something."""
        if self._retry_at is None and any(not sock.is_alive() for sock in self._sockets.values()):
            self._retry_at = monotonic()
        self.wake()

    def _close(self) -> None:
        for sock in self._sockets.values():
            self._close_socket(sock)
        self._sockets.clear()
        self._groups.close()
        if self._timer is not None:
            self._timer.cancel()


class _Reader:
    """What one socket does when frames wait; everything it needs is bound beforehand."""

    __slots__ = (
        "_announcer",
        "_clock",
        "_index",
        "_last",
        "_observer",
        "_on_trouble",
        "_recv",
        "_send",
        "_singles",
    )

    def __init__(
        self,
        sock: PacketSocket,
        announcer: Announcer,
        observer: FrameObserver,
        on_trouble: Callable[[], None],
        *,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._clock = clock
        self._index = sock.index
        self._recv = sock.sock.recv
        self._send = sock.send
        self._announcer = announcer
        self._observer = observer
        self._on_trouble = on_trouble
        self._last = 0.0  # when the last wake-up was
        self._singles = MAX_SINGLES

    def on_readable(self) -> None:
        """Take what waits, up to a limit, and answer each frame before the next is looked at."""
        recv, index, on_frame = self._recv, self._index, self._announcer.on_frame
        now = self._clock()
        limit = self._limit(now)
        for number in range(limit):
            try:
                frame = recv(MAX_FRAME_BYTES)
            except BlockingIOError:
                self._singles = MAX_SINGLES if number > 1 else 0
                return
            except OSError:  # ENETDOWN: told once when the interface goes down or away
                self._on_trouble()
                return
            outcome = on_frame(index, frame, now=now)
            if type(outcome) is Reply:
                self._reply(outcome)
            else:
                self._handle(outcome)
        if limit == MAX_FRAMES:  # as many as may be: more wait
            self._singles = MAX_SINGLES

    def _limit(self, now: float) -> int:
        """Return how many frames to take: one, where the next would not be there yet."""
        last, self._last = self._last, now
        if self._singles < MAX_SINGLES and now - last < STEADY_S:
            self._singles += 1
            return 1
        return MAX_FRAMES

    def _handle(self, outcome: Outcome) -> None:
        if isinstance(outcome, Drop):
            self._observer.dropped(outcome.reason)
        elif isinstance(outcome, Claimed):
            if outcome.reply is not None:
                self._reply(outcome.reply)
            self._observer.claimed(outcome.ip, outcome.mac)
            self._on_trouble()

    def _reply(self, reply: Reply) -> None:
        if self._send(reply.frame) is SendResult.SENT:
            self._observer.answered(reply.ip)
        else:
            self._observer.request_received(reply.ip)
            self._observer.send_failed(reply.ip)


def _kinds(interface: Interface) -> list[FrameKind]:
    wanted = ((interface.has_arp, FrameKind.ARP), (interface.has_ndp, FrameKind.ND))
    return [kind for is_wanted, kind in wanted if is_wanted]
