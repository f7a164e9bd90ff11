"""Follows the kernel's links and addresses: subscribes, reads all once, then changes only."""

import asyncio
import socket
from collections.abc import Callable, Mapping
from typing import Final

from ferrolb.net.errors import NetlinkError
from ferrolb.net.links import Link, LinkTable
from ferrolb.net.netlink import (
    RTMGRP_IPV4_IFADDR,
    RTMGRP_IPV6_IFADDR,
    RTMGRP_LINK,
    DumpDone,
    Lost,
    Message,
    MessageType,
    decode_messages,
    encode_dump_request,
)
from ferrolb.telemetry import get_logger

RECEIVE_BUFFER_BYTES: Final = 1024 * 1024
"""Some 500 messages may wait; when more come at once, everything is read anew."""

MAX_DATAGRAM_BYTES: Final = 64 * 1024
"""The kernel sends at most 32 KiB in one."""

MAX_DATAGRAMS: Final = 64
"""Taken at one wake-up: a storm of changes must not keep frames waiting."""

RESTART_S: Final = 0.05
"""Pause before everything is read anew: a bound on the work that a storm of changes can cause."""

_DUMPS: Final = (MessageType.GET_LINK, MessageType.GET_ADDRESS)
_GROUPS: Final = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR
_KERNEL: Final = 0


class LinkMonitor:
    """Calls `on_change` with all links: once they are known, and once for each batch of changes."""

    def __init__(self, on_change: Callable[[Mapping[int, Link]], None]) -> None:
        self._on_change = on_change
        self._table = LinkTable()
        self._links: Mapping[int, Link] = {}
        self._sequence = 0
        self._dumps_left: list[MessageType] = []
        self.restarts = 0
        """How often everything had to be read anew."""

    @property
    def links(self) -> Mapping[int, Link]:
        """The links by index, as last told."""
        return self._links

    async def run(self) -> None:
        """Follow the links until cancelled."""
        while True:
            await self._follow()
            self.restarts += 1
            get_logger().info("links are read anew")
            await asyncio.sleep(RESTART_S)

    async def _follow(self) -> None:
        """Read everything, then changes, until one was lost."""
        lost = asyncio.Event()
        loop = asyncio.get_running_loop()
        with _open_socket() as sock:
            self._table = self._table.successor()
            self._dumps_left = list(_DUMPS)
            self._request(sock)
            loop.add_reader(sock, self._on_readable, sock, lost)
            try:
                await lost.wait()
            finally:
                loop.remove_reader(sock)

    def _on_readable(self, sock: socket.socket, lost: asyncio.Event) -> None:
        was_known = not self._dumps_left
        try:
            for _ in range(MAX_DATAGRAMS):
                data, _, flags, sender = sock.recvmsg(MAX_DATAGRAM_BYTES)
                if sender[0] != _KERNEL:
                    continue
                if flags & socket.MSG_TRUNC or not self._take(sock, decode_messages(data)):
                    lost.set()
                    return
        except BlockingIOError:
            pass
        except (OSError, NetlinkError):  # ENOBUFS: the kernel had to leave something out
            lost.set()
            return
        if not self._dumps_left:
            self._tell(is_new_reading=not was_known)

    def _take(self, sock: socket.socket, messages: list[Message]) -> bool:
        """Take messages in; False: something is missing."""
        for message in messages:
            match message:
                case Lost():
                    return False
                case DumpDone(sequence, error):
                    if error:
                        return False
                    if sequence == self._sequence and self._dumps_left:
                        self._dumps_left.pop(0)
                        self._request(sock)
                case _:
                    self._table.apply(message)
        return True

    def _request(self, sock: socket.socket) -> None:
        if self._dumps_left:
            self._sequence += 1
            sock.send(encode_dump_request(self._dumps_left[0], sequence=self._sequence))

    def _tell(self, *, is_new_reading: bool) -> None:
        """Tell a new reading even if nothing differs: an index may have been taken again."""
        links = self._table.links()
        if links != self._links or is_new_reading:
            self._links = links
            self._on_change(links)


def _open_socket() -> socket.socket:
    sock = socket.socket(
        socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.NETLINK_ROUTE
    )
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
    sock.bind((0, _GROUPS))
    return sock
