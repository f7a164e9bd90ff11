"""A network of gossip members in memory: virtual clock, latency, loss, partitions, crashes."""

import functools
import heapq
import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from random import Random

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ferrolb.gossip import (
    LAN,
    Event,
    GossipSettings,
    Keyring,
    MemberJoined,
    MemberLeft,
    Membership,
    SocketAddress,
    StreamId,
)
from ferrolb.model import NodeName


class AesGcm:
    """The cipher for keyrings."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    def seal(self, nonce: bytes, data: bytes, aad: bytes) -> bytes:
        return self._cipher.encrypt(nonce, data, aad)

    def open(self, nonce: bytes, data: bytes, aad: bytes) -> bytes | None:
        try:
            return self._cipher.decrypt(nonce, data, aad)
        except InvalidTag:
            return None


def keyring_of(*keys: bytes, seed: int = 0) -> Keyring:
    """Return a keyring whose nonces are random, but the same in each run."""
    random = Random(seed)
    return Keyring(keys, aead=AesGcm, nonce=lambda: random.randbytes(12))


def address_of(number: int) -> SocketAddress:
    """Return the address of member number `number`."""
    return SocketAddress(IPv4Address("10.0.0.0") + number, 7946)


@dataclass
class Host:
    """One member, and what happened to it; times are virtual seconds."""

    membership: Membership
    address: SocketAddress
    events: list[tuple[float, Event]] = field(default_factory=list)
    is_up: bool = True
    sent: int = 0

    @property
    def live(self) -> set[str]:
        """Names of those it takes for members."""
        return {str(member.name) for member in self.membership.members}

    def joined(self) -> list[str]:
        return [str(e.member.name) for _, e in self.events if isinstance(e, MemberJoined)]

    def left(self) -> list[tuple[float, str]]:
        return [(t, str(e.member.name)) for t, e in self.events if isinstance(e, MemberLeft)]


class GossipNetwork:
    """Members by name on one clock; connections are a pair of hosts and their stream ids."""

    def __init__(
        self,
        seed: int = 1,
        *,
        loss: float = 0.0,
        latency: float = 0.001,
        settings: GossipSettings = LAN,
        keys: tuple[bytes, ...] = (),
    ) -> None:
        self.now = 1000.0
        self.hosts: dict[str, Host] = {}
        self.loss = loss
        self.latency = latency
        self.slice = 700
        self._settings = settings
        self._keys = keys
        self._random = Random(seed)
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._pipes: dict[tuple[str, StreamId], tuple[str, StreamId]] = {}
        self._cuts: set[frozenset[str]] = set()

    def add(self, number: int, *, join: Iterable[int] = ()) -> Host:
        """Start member `n<number>`, in place of one of that name that has crashed."""
        name = f"n{number}"
        address = address_of(number)
        membership = Membership(
            self._settings,
            name=NodeName(name),
            address=address,
            keyring=keyring_of(*self._keys, seed=number) if self._keys else None,
            random=Random(self._random.random()),
        )
        host = Host(membership, address)
        self.hosts[name] = host
        membership.start(now=self.now)
        membership.join([address_of(peer) for peer in join], now=self.now)
        self._flush(name)
        return host

    def cluster(self, count: int) -> list[Host]:
        """Start members 1 to `count`, each of them joining the first, and let them settle."""
        hosts = [self.add(1)]
        hosts += [self.add(number, join=[1]) for number in range(2, count + 1)]
        self.run(5)
        return hosts

    def crash(self, number: int) -> None:
        """Stop a member: its address is silent from now on, connections to it never stand."""
        self.hosts[f"n{number}"].is_up = False

    def leave(self, number: int) -> None:
        self.hosts[f"n{number}"].membership.leave(now=self.now)
        self._flush(f"n{number}")

    def join(self, number: int, peers: Iterable[int]) -> None:
        addresses = [address_of(peer) for peer in peers]
        self.hosts[f"n{number}"].membership.join(addresses, now=self.now)
        self._flush(f"n{number}")

    def partition(self, one: Iterable[int], other: Iterable[int]) -> None:
        """Let nothing through between the two groups."""
        self._cuts |= {frozenset({f"n{a}", f"n{b}"}) for a in one for b in other}

    def heal(self) -> None:
        self._cuts.clear()

    def run(self, seconds: float, until: Callable[[], bool] | None = None) -> bool:
        """Let time pass; stop early when `until` holds, and return whether it does."""
        end = self.now + seconds
        while until is None or not until():
            due = self._queue[0][0] if self._queue else None
            deadline, name = self._next_timer()
            if due is not None and due <= min(end, deadline):
                self.now, _, action = heapq.heappop(self._queue)
                action()
            elif deadline <= end:
                self.now = max(self.now, deadline)
                host = self.hosts[name]
                self._note(name, host.membership.on_deadline(now=self.now))
            else:
                self.now = end
                break
        return until is None or until()

    def _next_timer(self) -> tuple[float, str]:
        timers = [
            (deadline, name)
            for name, host in self.hosts.items()
            if host.is_up and (deadline := host.membership.next_deadline()) is not None
        ]
        return min(timers, default=(float("inf"), ""))

    def _note(self, name: str, events: list[Event]) -> None:
        self.hosts[name].events += [(self.now, event) for event in events]
        self._flush(name)

    def _flush(self, name: str) -> None:
        host = self.hosts[name]
        for datagram in host.membership.datagrams_to_send():
            host.sent += 1
            if self._random.random() >= self.loss:
                deliver = functools.partial(self._deliver, name, datagram.to, datagram.payload)
                self._later(self.latency * (0.5 + self._random.random()), deliver)
        for request in host.membership.streams_to_open():
            connect = functools.partial(self._connect, name, request.stream, request.to)
            self._later(self.latency, connect)
        for write in host.membership.stream_writes():
            key = (name, write.stream)
            for at in range(0, len(write.data), self.slice):
                part = write.data[at : at + self.slice]
                self._later(self.latency, functools.partial(self._carry, key, part))
            if write.close:
                self._later(self.latency, functools.partial(self._hang_up, key))

    def _later(self, delay: float, action: Callable[[], None]) -> None:
        heapq.heappush(self._queue, (self.now + delay, next(self._order), action))

    def _reach(self, name: str, to: SocketAddress) -> str | None:
        """Return who has the address, if what `name` sends there arrives."""
        for other, host in self.hosts.items():
            if host.address == to and host.is_up and self.hosts[name].is_up:
                return None if frozenset({name, other}) in self._cuts else other
        return None

    def _deliver(self, name: str, to: SocketAddress, payload: bytes) -> None:
        other = self._reach(name, to)
        if other is not None:
            source = self.hosts[name].address
            events = self.hosts[other].membership.on_datagram(payload, source, now=self.now)
            self._note(other, events)

    def _connect(self, name: str, stream: StreamId, to: SocketAddress) -> None:
        other = self._reach(name, to)
        if other is None:
            return  # as a packet filter that drops: the machine's own deadline ends it
        membership = self.hosts[other].membership
        accepted = membership.on_stream_accepted(self.hosts[name].address, now=self.now)
        if accepted is None:
            self._note(name, self.hosts[name].membership.on_stream_closed(stream, now=self.now))
            return
        self._pipes[name, stream] = (other, accepted)
        self._pipes[other, accepted] = (name, stream)
        self._note(name, self.hosts[name].membership.on_stream_opened(stream, now=self.now))

    def _carry(self, key: tuple[str, StreamId], data: bytes) -> None:
        end = self._pipes.get(key)
        if end is not None and self._reach(key[0], self.hosts[end[0]].address) == end[0]:
            membership = self.hosts[end[0]].membership
            self._note(end[0], membership.on_stream_bytes(end[1], data, now=self.now))

    def _hang_up(self, key: tuple[str, StreamId]) -> None:
        end = self._pipes.pop(key, None)
        if end is not None:
            self._pipes.pop(end, None)
            membership = self.hosts[end[0]].membership
            self._note(end[0], membership.on_stream_closed(end[1], now=self.now))
