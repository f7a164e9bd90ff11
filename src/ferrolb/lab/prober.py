"""A host that asks for addresses all the time, and notes who answers."""

import asyncio
import contextlib
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING, Final

from ferrolb.lab.capture import open_capture, received
from ferrolb.lab.frames import question, read_frame
from ferrolb.lab.namespaces import inside
from ferrolb.lab.probing import Span, Timeline
from ferrolb.model import IPAddress, MacAddress, NodeName

if TYPE_CHECKING:
    import socket

MAX_ADDRESSES: Final = 4_096
MAX_QUESTIONS_PER_S: Final = 5_000
"""Every node sees each of them; with more addresses each is asked less often."""

JITTER: Final = 0.2
"""Of the interval, to either side: nothing that runs periodically stays in step."""

STRANGER: Final = NodeName("?")
"""Stands for a MAC address of no node."""

_BATCH: Final = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """Who asks: an identity that no kernel has, so that answers refresh no neighbour entry."""

    mac: MacAddress
    ipv4: IPv4Address
    ipv6: IPv6Address


class Prober:
    """Asks for each address once in an interval."""

    def __init__(
        self,
        interface: str,
        asker: Asker,
        nodes: Mapping[MacAddress, NodeName],
        *,
        namespace: str,
    ) -> None:
        self._interface = interface
        self._asker = asker
        self._nodes = dict(nodes)
        self._namespace = namespace
        self._questions: dict[IPAddress, bytes] = {}
        self._timelines: dict[IPAddress, Timeline] = {}
        self._interval_s = 0.01
        self._socket: socket.socket | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._turn: list[IPAddress] = []

    @property
    def interval_s(self) -> float:
        """Seconds between two questions for one address, on average."""
        return max(self._interval_s, len(self._questions) / MAX_QUESTIONS_PER_S)

    def probe(self, addresses: Iterable[IPAddress], *, interval_s: float) -> None:
        """Ask for these from now on and for no others; what is known of others is kept.

        Raises:
            ValueError: too many addresses, or an interval below 1 ms.
            OSError: the interface is missing, or packet sockets are not allowed.
        """
        wanted = tuple(dict.fromkeys(addresses))
        if len({*wanted, *self._timelines}) > MAX_ADDRESSES:
            raise ValueError(f"more than {MAX_ADDRESSES} addresses")
        if interval_s < 0.001:
            raise ValueError("an interval below 1 ms")
        self.stop()
        self._interval_s = interval_s
        asker = self._asker
        self._questions = {
            ip: question(ip, mac=asker.mac, sender4=asker.ipv4, sender6=asker.ipv6) for ip in wanted
        }
        for ip in wanted:
            self._timelines.setdefault(ip, Timeline())
        if wanted:
            self._start()

    def stop(self) -> None:
        """Ask for nothing; what is known is kept."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._socket is not None:
            self._read()
            asyncio.get_running_loop().remove_reader(self._socket)
            self._socket.close()
            self._socket = None
        for timeline in self._timelines.values():
            timeline.finish()

    def spans(self, *, since: float) -> dict[IPAddress, tuple[Span, ...]]:
        """Return the outcome by address."""
        if self._socket is not None:
            self._read()
        return {ip: timeline.spans(since=since) for ip, timeline in self._timelines.items()}

    def _start(self) -> None:
        loop = asyncio.get_running_loop()
        self._socket = inside(self._namespace, lambda: open_capture(self._interface))
        loop.add_reader(self._socket, self._read)
        self._timer = loop.call_later(self._pause(), self._ask)

    def _ask(self) -> None:
        self._read()
        if not self._turn:
            self._turn = [*self._questions]
        loop = asyncio.get_running_loop()
        if self._socket is not None and self._turn:
            ip = self._turn.pop()
            self._timelines[ip].on_question(now=loop.time())
            # a question that could not be sent goes unanswered, which is what is noted
            with contextlib.suppress(OSError):
                self._socket.send(self._questions[ip])
            self._timer = loop.call_later(self._pause(), self._ask)

    def _pause(self) -> float:
        jitter = random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - no secret depends on it
        return self.interval_s / max(1, len(self._questions)) * jitter

    def _read(self) -> None:
        if self._socket is None:
            return
        with contextlib.suppress(OSError):
            for frame, at in received(self._socket, _BATCH):
                for one in read_frame(frame):
                    is_mine = one.asker in (self._asker.ipv4, self._asker.ipv6)
                    if is_mine and one.kind.is_answer and one.ip in self._timelines:
                        node = self._nodes.get(one.mac, STRANGER)
                        self._timelines[one.ip].on_answer(node, now=at)
