"""Packet sockets: frames of one kind on one interface; what a link's life brings is a value."""

import errno
import socket
import struct
from dataclasses import dataclass
from enum import Enum, unique
from typing import Final

from ferrolb.net.bpf import ARP_FILTER, ETH_P_ARP, ETH_P_IPV6, ND_FILTER, Instruction, attach
from ferrolb.net.errors import (
    InterfaceGoneError,
    MissingCapabilityError,
    NetError,
    PacketSocketError,
)

SOL_PACKET: Final = 263
PACKET_STATISTICS: Final = 6
PACKET_IGNORE_OUTGOING: Final = 23

MAX_FRAME_BYTES: Final = 1514
"""Ethernet header and 1500 bytes. ARP needs 60; a solicitation that is longer than this carries
options nobody knows, and what is cut off makes the codec refuse it."""

RECEIVE_BUFFER_BYTES: Final = 2 * 1024 * 1024
"""About 5,000 requests wait here while the event loop is busy: 250 ms of 20,000/s. The kernel takes
only what `net.core.rmem_max` allows; more costs memory during a flood alone."""


@unique
class FrameKind(Enum):
    """What a socket carries."""

    ARP = "ARP"
    ND = "ND"


_PROTOCOL: Final = {FrameKind.ARP: ETH_P_ARP, FrameKind.ND: ETH_P_IPV6}
_FILTER: Final[dict[FrameKind, tuple[Instruction, ...]]] = {
    FrameKind.ARP: ARP_FILTER,
    FrameKind.ND: ND_FILTER,
}


@unique
class SendResult(Enum):
    """What became of a frame."""

    SENT = "sent"
    BUSY = "busy"  # the queue or the socket's buffer is full
    DOWN = "down"  # the interface is down
    GONE = "gone"  # the interface does not exist any more
    REFUSED = "refused"  # any other error: a filter, a frame longer than the MTU


_SEND_ERRORS: Final = {
    errno.ENOBUFS: SendResult.BUSY,
    errno.EAGAIN: SendResult.BUSY,
    errno.ENETDOWN: SendResult.DOWN,
    errno.ENXIO: SendResult.GONE,
    errno.ENODEV: SendResult.GONE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PacketStatistics:
    """Counted by the kernel since the socket was opened."""

    received: int
    dropped: int
    """Frames that found the receive buffer full."""


class PacketSocket:
    """Frames of one kind on one interface; non-blocking. Needs CAP_NET_RAW to open, nothing to use.

    Own frames are not seen. The socket survives that the interface goes down and comes back, and
    dies with the interface's index.
    """

    def __init__(self, sock: socket.socket, *, index: int, kind: FrameKind) -> None:
        self.sock = sock
        self.index = index
        self.kind = kind
        self._received = 0
        self._dropped = 0

    @classmethod
    def open(cls, index: int, kind: FrameKind) -> "PacketSocket":
        """Open a socket on the interface of that index.

        Raises:
            MissingCapabilityError: the process may not.
            InterfaceGoneError: there is no such interface, or it is not Ethernet-like.
            PacketSocketError: anything else.
        """
        try:
            name = socket.if_indextoname(index)
            # Protocol 0: nothing is received from any interface before `bind`, and closing an
            # unbound socket waits for nobody.
            sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, 0)
        except OSError as error:
            raise _open_error(error, index) from error
        try:
            attach(sock, _FILTER[kind])
            sock.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
            sock.bind((name, _PROTOCOL[kind]))
        except OSError as error:
            sock.close()
            raise _open_error(error, index) from error
        return cls(sock, index=index, kind=kind)

    def fileno(self) -> int:
        """The descriptor, for the event loop."""
        return self.sock.fileno()

    def send(self, frame: bytes) -> SendResult:
        """Send one frame as it is; a failure is a value."""
        try:
            self.sock.send(frame)
        except OSError as error:
            return _SEND_ERRORS.get(error.errno or 0, SendResult.REFUSED)
        return SendResult.SENT

    def is_alive(self) -> bool:
        """Tell whether the interface that the socket was bound to still exists.

        A new interface under the same index does not count: this socket never hears of it.
        """
        return bool(self.sock.getsockname()[0])

    def statistics(self) -> PacketStatistics:
        """Read the kernel's counters."""
        raw = self.sock.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8)
        received, dropped = struct.unpack("II", raw)  # reading resets both
        self._received += received
        self._dropped += dropped
        return PacketStatistics(received=self._received, dropped=self._dropped)

    def close(self) -> None:
        """Close; may wait some milliseconds for the kernel to let go of the socket."""
        self.sock.close()


def require_packet_sockets() -> None:
    """Make sure that packet sockets may be opened.

    Raises:
        MissingCapabilityError: they may not.
        PacketSocketError: the kernel has none, or no descriptor is left.
    """
    try:
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0).close()
    except OSError as error:
        raise _open_error(error, 0) from error


def _open_error(error: OSError, index: int) -> NetError:
    if error.errno == errno.EPERM:
        return MissingCapabilityError()
    if error.errno in {errno.ENXIO, errno.ENODEV}:
        return InterfaceGoneError(f"no interface has the index {index}")
    return PacketSocketError(f"packet socket on interface {index}: {error.strerror}")
