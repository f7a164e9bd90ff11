"""What comes out of the nodes: a packet socket on each port of the switch."""

import asyncio
import contextlib
import socket
from collections.abc import Mapping
from typing import Final

from ferrolb.lab.capture import dropped, open_capture, received
from ferrolb.lab.frames import read_frame
from ferrolb.lab.namespaces import inside
from ferrolb.lab.sightings import SightingLog
from ferrolb.model import NodeName

_BATCH: Final = 256
"""Frames that are read from one port before the others have their turn."""


class Observer:
    """Writes into a log what each node says about service addresses."""

    def __init__(self, ports: Mapping[str, NodeName], log: SightingLog, *, namespace: str) -> None:
        self._ports = dict(ports)
        self._log = log
        self._namespace = namespace
        self._sockets: dict[socket.socket, NodeName] = {}
        self._lost = 0

    @property
    def is_watching(self) -> bool:
        """Whether frames are read."""
        return bool(self._sockets)

    @property
    def lost(self) -> int:
        """Frames that came faster than they were read: evidence is missing."""
        self._count_lost(*self._sockets)
        return self._lost

    def start(self) -> None:
        """Watch every port.

        Raises:
            OSError: a port is missing, or packet sockets are not allowed.
        """
        loop = asyncio.get_running_loop()
        if not self._sockets:
            self._sockets = inside(self._namespace, self._open)
        for opened in self._sockets:
            loop.add_reader(opened, self._read, opened)

    def stop(self) -> None:
        """Watch nothing, and cost nothing; what was seen is kept."""
        loop = asyncio.get_running_loop()
        self._count_lost(*self._sockets)
        for one in self._sockets:
            loop.remove_reader(one)
            one.close()
        self._sockets.clear()

    def read_all(self) -> None:
        """Read what waits, so that the log is complete up to now."""
        for one in self._sockets:
            self._read(one)

    def _open(self) -> dict[socket.socket, NodeName]:
        return {open_capture(port): node for port, node in self._ports.items()}

    def _read(self, source: socket.socket) -> None:
        node = self._sockets[source]
        # a port that goes down says so once, and goes on when it is up again
        with contextlib.suppress(OSError):
            for frame, at in received(source, _BATCH):
                self._log.add(node, read_frame(frame), now=at)

    def _count_lost(self, *sources: socket.socket) -> None:
        self._lost += sum(dropped(one) for one in sources)
