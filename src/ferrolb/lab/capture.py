"""Packet sockets of an onlooker, with the kernel's receive times."""

import ctypes
import socket
import struct
import time
from collections.abc import Iterator, Sequence
from typing import Final

_SOL_PACKET: Final = 263
_PACKET_STATISTICS: Final = 6
_PACKET_IGNORE_OUTGOING: Final = 23
_SO_ATTACH_FILTER: Final = 26
_SO_TIMESTAMPNS: Final = 35
_ETH_P_ALL: Final = 3
_RECEIVE_BUFFER_BYTES: Final = 4 << 20
"""The most that an unprivileged process gets by default, 20,000 small frames or so."""

_Timespec: Final = struct.Struct("qq")
_ANCILLARY_BYTES: Final = socket.CMSG_SPACE(_Timespec.size)
_FRAME_BYTES: Final = 2048

_ARP_AND_ND: Final = (
    (0x28, 0, 0, 12),
    (0x15, 6, 0, 0x0806),
    (0x15, 0, 6, 0x86DD),
    (0x30, 0, 0, 20),
    (0x15, 0, 4, 58),
    (0x30, 0, 0, 54),
    (0x15, 1, 0, 135),
    (0x15, 0, 1, 136),
    (0x06, 0, 0, 0xFFFF),
    (0x06, 0, 0, 0),
)
"""Classic BPF: every ARP frame; of IPv6 neighbour solicitations and advertisements."""


def open_capture(
    interface: str, *, filters: Sequence[tuple[int, int, int, int]] = ()
) -> socket.socket:
    """Return a packet socket that gets what comes in: ARP and neighbour discovery, or `filters`.

    It is bound to every protocol: frames that a bridge takes from its port never reach a socket
    that is bound to one.
    """
    opened = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, 0)
    try:
        _attach(opened, tuple(filters) or _ARP_AND_ND)
        opened.setsockopt(_SOL_PACKET, _PACKET_IGNORE_OUTGOING, 1)
        opened.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER_BYTES)
        opened.bind((interface, _ETH_P_ALL))
    except OSError:
        opened.close()
        raise
    return opened


def received(source: socket.socket, limit: int) -> Iterator[tuple[bytes, float]]:
    """Read up to `limit` waiting frames, each with the monotonic time at which it came in."""
    offset = time.clock_gettime(time.CLOCK_REALTIME) - time.monotonic()
    for _ in range(limit):
        try:
            frame, ancillary, _, _ = source.recvmsg(_FRAME_BYTES, _ANCILLARY_BYTES)
        except BlockingIOError:
            return
        yield frame, _receive_time(ancillary) - offset


def dropped(source: socket.socket) -> int:
    """Return how many frames the kernel has dropped for want of room since last asked."""
    text = source.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8)
    return int(struct.unpack("II", text)[1])


def _receive_time(ancillary: list[tuple[int, int, bytes]]) -> float:
    for level, kind, data in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, _SO_TIMESTAMPNS):
            seconds, nanoseconds = _Timespec.unpack(data)
            return float(seconds) + float(nanoseconds) / 1e9
    return time.clock_gettime(time.CLOCK_REALTIME)


def _attach(target: socket.socket, program: Sequence[tuple[int, int, int, int]]) -> None:
    code = b"".join(struct.pack("HBBI", *instruction) for instruction in program)
    buffer = ctypes.create_string_buffer(code)
    fprog = struct.pack("HL", len(program), ctypes.addressof(buffer))
    target.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, fprog)
