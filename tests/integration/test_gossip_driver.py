"""The gossip's driver on loopback: two of our own, and strangers of every kind."""

import asyncio
import os
import random
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, closing, contextmanager, suppress
from dataclasses import dataclass, replace
from ipaddress import ip_address

import pytest
from typing_extensions import override

from ferrolb.gossip import (
    INCOMING_STREAMS_MAX,
    LAN,
    DropReason,
    Event,
    JoinFailed,
    JoinFailure,
    JoinSucceeded,
    Keyring,
    LeaveDone,
    MemberJoined,
    MemberLeft,
    Membership,
    MemberState,
    SocketAddress,
    UserMessage,
    derive_key,
)
from ferrolb.model import NodeName
from ferrolb.net import GossipBindError, GossipDriver, Rejoin, aes_gcm

DEADLINE_S = 10.0
"""For anything to happen; only a broken driver comes near it."""

PAUSE_S = 0.01

QUICK = replace(LAN, probe_interval_s=0.2, probe_timeout_s=0.1, gossip_interval_s=0.02)

LOOPBACKS = pytest.mark.parametrize("host", ["127.0.0.1", "::1"])


@dataclass
class Party:
    """A running member and what it has told."""

    driver: GossipDriver
    events: list[Event]
    task: "asyncio.Task[None]"

    @property
    def membership(self) -> Membership:
        return self.driver.membership

    @property
    def address(self) -> SocketAddress:
        return self.membership.address

    @property
    def names(self) -> set[str]:
        return {member.name for member in self.membership.members}

    def has(self, kind: type[Event]) -> bool:
        return any(isinstance(event, kind) for event in self.events)


def free_address(host: str = "127.0.0.1") -> SocketAddress:
    """Return a port that neither UDP nor TCP uses."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    while True:
        with socket.socket(family, socket.SOCK_DGRAM) as udp, socket.socket(family) as tcp:
            udp.bind((host, 0))
            port = udp.getsockname()[1]
            with suppress(OSError):
                tcp.bind((host, port))
                return SocketAddress(ip_address(host), port)


def new_driver(
    name: str, address: SocketAddress, *, secret: bytes = b"", settings=QUICK, machine=Membership
):
    keys = [derive_key(secret)] if secret else []
    membership = machine(
        settings,
        name=NodeName(name),
        address=address,
        keyring=Keyring(keys, aead=aes_gcm, nonce=lambda: os.urandom(12)) if keys else None,
        random=random.Random(7),
    )
    events: list[Event] = []
    return GossipDriver(membership, on_event=events.append), events


@asynccontextmanager
async def running(
    name: str, *, host: str = "127.0.0.1", address: SocketAddress | None = None, **how
) -> AsyncIterator[Party]:
    """Run a member for the time of the block."""
    driver, events = new_driver(name, address or free_address(host), **how)
    task = asyncio.create_task(driver.run())
    try:
        await asyncio.wait(
            [task, listening := asyncio.create_task(driver.listening.wait())],
            return_when=asyncio.FIRST_COMPLETED,
        )
        listening.cancel()
        yield Party(driver, events, task)
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def until(what: str, check: Callable[[], object]) -> None:
    """Wait for `check()` to be true."""
    for _ in range(int(DEADLINE_S / PAUSE_S)):
        if check():
            return
        await asyncio.sleep(PAUSE_S)
    raise AssertionError(f"not within {DEADLINE_S:.0f} s: {what}")


def play(scene: Callable[[], Awaitable[None]]) -> None:
    """Run a scene; an error in a callback fails it as well."""
    errors: list[dict[str, object]] = []

    async def watched() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: errors.append(context))
        await scene()

    asyncio.run(watched())
    assert errors == []


@LOOPBACKS
@pytest.mark.parametrize("secret", [b"", b"a secret"], ids=["plain", "encrypted"])
def test_two_members_join_and_one_leaves(host: str, secret: bytes) -> None:
    async def scene() -> None:
        async with (
            running("a", host=host, secret=secret) as a,
            running("b", host=host, secret=secret) as b,
        ):
            b.driver.join([a.address])
            await until("both know both", lambda: a.names == b.names == {"a", "b"})
            assert b.has(JoinSucceeded)
            assert a.has(MemberJoined)

            await b.driver.leave()
            assert b.has(LeaveDone)
            await until("a has heard", lambda: a.has(MemberLeft))
            left = next(event for event in a.events if isinstance(event, MemberLeft))
            assert left.member.state is MemberState.LEFT
            assert a.membership.drops == {}

    play(scene)


def test_a_member_that_dies_is_missed() -> None:
    async def scene() -> None:
        async with running("a") as a:
            async with running("b") as b:
                b.driver.join([a.address])
                await until("both know both", lambda: a.names == b.names == {"a", "b"})
            await until("a has noticed", lambda: a.has(MemberLeft))
            left = next(event for event in a.events if isinstance(event, MemberLeft))
            assert left.member.state is MemberState.DEAD

    play(scene)


def test_nobody_listens_at_the_peer() -> None:
    async def scene() -> None:
        async with running("a") as a:
            a.driver.join([free_address()])
            await until("told so", lambda: a.has(JoinFailed))
            assert a.names == {"a"}

    play(scene)


@pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_STREAM], ids=["udp", "tcp"])
def test_port_in_use_is_said(kind: socket.SocketKind) -> None:
    address = free_address()
    driver, _ = new_driver("a", address)
    with socket.socket(socket.AF_INET, kind) as taken:
        taken.bind((str(address.ip), address.port))
        if kind == socket.SOCK_STREAM:
            taken.listen()
        with pytest.raises(GossipBindError, match=f"127.0.0.1:{address.port}: Address already"):
            asyncio.run(driver.run())


def test_foreign_address_is_said() -> None:
    driver, _ = new_driver("a", SocketAddress(ip_address("192.0.2.1"), 7946))
    with pytest.raises(GossipBindError, match=r"192\.0\.2\.1:7946: Cannot assign"):
        asyncio.run(driver.run())


def test_datagram_that_the_kernel_refuses_is_counted_and_no_harm() -> None:
    async def scene() -> None:
        async with running("a") as a, running("b") as b:
            for host in ("192.0.2.1", b.address.ip):  # the first: nothing leaves from a loopback
                a.membership.send_user(SocketAddress(ip_address(host), b.address.port), b"hello")
            a.driver.wake()
            await until("the other has arrived", lambda: b.has(UserMessage))
            assert a.driver.unsent == 1

    play(scene)


def test_port_is_free_again_after_the_end() -> None:
    async def scene() -> None:
        async with running("a") as a, running("b") as b:
            b.driver.join([a.address])
            await until("both know both", lambda: a.names == b.names == {"a", "b"})
            address = b.address
            b.task.cancel()
            await asyncio.wait([b.task])
            async with running("b", address=address) as again:
                again.driver.join([a.address])
                await until("joined", lambda: again.names == {"a", "b"})

    play(scene)


def test_leaving_without_running_returns_at_once() -> None:
    driver, events = new_driver("a", free_address())
    asyncio.run(driver.leave())
    assert events == []


def test_rejoin_asks_those_who_are_missing_until_they_come() -> None:
    async def scene() -> None:
        b_address = free_address("127.0.0.2")
        async with running("a") as a, AsyncExitStack() as stack:
            peers = [a.address, b_address]
            rejoin = Rejoin(a.driver, peers=lambda: peers, interval_s=0.05)
            task = asyncio.create_task(rejoin.run())
            stack.callback(task.cancel)
            await until("tried twice", lambda: _count(a, JoinFailed) >= 2)
            b = await stack.enter_async_context(running("b", address=b_address))
            await until("both know both", lambda: a.names == b.names == {"a", "b"})
            succeeded = _count(a, JoinSucceeded)
            await asyncio.sleep(0.2)
            assert _count(a, JoinSucceeded) == succeeded == 1

    play(scene)


def test_rejoin_begins_at_once_and_when_poked() -> None:
    async def scene() -> None:
        peers = [free_address("127.0.0.2")]
        async with running("a") as a:
            rejoin = Rejoin(a.driver, peers=lambda: peers, interval_s=3600)
            task = asyncio.create_task(rejoin.run())
            await until("tried at the start", lambda: _count(a, JoinFailed) == 1)
            async with running("b", address=peers[0]) as b:
                rejoin.poke()
                rejoin.poke()
                await until("both know both", lambda: a.names == b.names == {"a", "b"})
            task.cancel()

    play(scene)


@pytest.mark.parametrize("secret", [b"", b"a secret"], ids=["plain", "encrypted"])
def test_flood_by_a_stranger_leaves_the_loop_and_the_members_alone(secret: bytes) -> None:
    async def scene() -> None:
        async with (
            running("a", secret=secret, settings=LAN) as a,
            running("b", secret=secret, settings=LAN) as b,
        ):
            b.driver.join([a.address])
            await until("both know both", lambda: a.names == b.names == {"a", "b"})
            flood = await asyncio.create_subprocess_exec(
                sys.executable, "-c", FLOOD, str(a.address.port), stdout=subprocess.PIPE
            )
            late = await _lateness(lambda: flood.returncode is not None)
            assert flood.stdout is not None
            sent = int(await flood.stdout.read())
            await flood.wait()

            assert sent > 10_000  # 20,000 on a machine that has time for it
            assert sum(a.membership.drops.values()) > sent / 4
            assert statistics.median(late) < 0.02
            assert max(late) < 0.5
            assert a.names == b.names == {"a", "b"}
            assert not a.has(MemberLeft)
            assert not b.has(MemberLeft)

    play(scene)


class Laborious(Membership):
    """Takes its time over each datagram."""

    taken = 0

    @override
    def on_datagram(self, data: bytes, source: SocketAddress, *, now: float) -> list[Event]:
        self.taken += 1
        time.sleep(0.01)
        return super().on_datagram(data, source, now=now)


def test_datagrams_that_are_much_work_take_turns_with_everything_else() -> None:
    async def scene() -> None:
        async with running("a", machine=Laborious) as a:
            machine = a.membership
            assert isinstance(machine, Laborious)
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
                for _ in range(60):
                    stranger.sendto(b"\xee", (str(a.address.ip), a.address.port))
            late = await _lateness(lambda: machine.taken == 60)
            assert len(late) > 20
            assert max(late) < 0.3  # all of them in one turn would take twice as long
            assert machine.drops == {DropReason.UNKNOWN_TYPE: 60}

    play(scene)


FLOOD = r"""
import os, socket, sys, time
to = ("127.0.0.1", int(sys.argv[1]))
ping = b"\x00\x82\xa4Node\xa1x\xa5SeqNo\x01"
payloads = [b"", os.urandom(40), os.urandom(1400), ping, b"\x07\xff" + bytes(1000), b"\x09\x80"]
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
    begin, sent = time.monotonic(), 0
    while (lasted := time.monotonic() - begin) < 1.0:
        while sent < lasted * 20000:
            udp.sendto(payloads[sent % len(payloads)], to)
            sent += 1
        time.sleep(0.001)
print(sent)
"""


async def _lateness(is_over: Callable[[], bool]) -> list[float]:
    """Return by how much each of many short sleeps was too long."""
    loop = asyncio.get_running_loop()
    late = []
    while not is_over():
        due = loop.time() + 0.002
        await asyncio.sleep(0.002)
        late.append(loop.time() - due)
    return late


@pytest.mark.parametrize("secret", [b"", b"a secret"], ids=["plain", "encrypted"])
def test_silent_and_slow_connections_are_cut_and_others_served(secret: bytes) -> None:
    async def scene() -> None:
        settings = replace(QUICK, tcp_timeout_s=0.5)
        async with (
            running("a", secret=secret, settings=settings) as a,
            running("b", secret=secret, settings=settings) as b,
        ):
            where = str(a.address.ip), a.address.port
            silent = [await asyncio.open_connection(*where) for _ in range(5)]
            slow = [await asyncio.open_connection(*where) for _ in range(5)]
            beginning = FRAME if secret else PUSH_PULL
            drips = [asyncio.create_task(_drip(writer, beginning)) for _, writer in slow]

            b.driver.join([a.address])
            await until("both know both", lambda: a.names == b.names == {"a", "b"})
            for reader, writer in [*silent, *slow]:
                async with asyncio.timeout(DEADLINE_S):
                    await _end_of(reader)
                writer.close()
            await asyncio.gather(*drips)
            assert a.membership.drops[DropReason.STREAM_TIMEOUT] == 10

    play(scene)


FRAME = b"\x0a\x00\x00\x10\x00"
PUSH_PULL = (
    b"\x06\x83\xa4Join\xc3\xa5Nodes\x01\xacUserStateLen\x00"  # the header
    b"\x87\xa4Addr\xda\x10\x00"  # and an entry that begins with an address of 4 kB
)


def test_half_closed_connections_end_at_once() -> None:
    async def scene() -> None:
        async with running("a") as a:
            where = str(a.address.ip), a.address.port
            for beginning in (b"", PUSH_PULL):
                reader, writer = await asyncio.open_connection(*where)
                writer.write(beginning)
                writer.write_eof()
                async with asyncio.timeout(DEADLINE_S / 2):  # the deadline of the machine is later
                    await _end_of(reader)
                writer.close()
            await until(
                "the cut message is counted",
                lambda: a.membership.drops == {DropReason.STREAM_CLOSED: 1},
            )

    play(scene)


async def _end_of(reader: asyncio.StreamReader) -> None:
    with suppress(ConnectionError):
        await reader.read()


async def _drip(writer: asyncio.StreamWriter, beginning: bytes) -> None:
    """Send a message of 4 kB byte by byte, as long as somebody listens."""
    with suppress(ConnectionError):
        for byte in beginning + bytes(4096):
            writer.write(bytes([byte]))
            await writer.drain()
            if writer.is_closing():
                return
            await asyncio.sleep(0.02)


def test_connections_beyond_the_limit_are_refused() -> None:
    async def scene() -> None:
        async with running("a", settings=replace(QUICK, tcp_timeout_s=1.0)) as a:
            where = str(a.address.ip), a.address.port
            held = [await asyncio.open_connection(*where) for _ in range(INCOMING_STREAMS_MAX + 5)]
            await until(
                "five refused", lambda: a.membership.drops.get(DropReason.STREAMS_FULL, 0) == 5
            )
            for reader, writer in held:
                async with asyncio.timeout(DEADLINE_S):
                    await _end_of(reader)
                writer.close()
            assert a.membership.drops[DropReason.STREAM_TIMEOUT] == INCOMING_STREAMS_MAX
            async with running("b") as b:
                b.driver.join([a.address])
                await until("both know both", lambda: a.names == b.names == {"a", "b"})

    play(scene)


def test_w16_dead_peers_delay_no_join() -> None:
    """Peers that do not even refuse would cost 10 s each, one after the other."""

    async def scene() -> None:
        with black_hole() as dead, black_hole() as dead_too:
            async with running("a") as a, running("b") as b:
                began = asyncio.get_running_loop().time()
                b.driver.join([dead, dead_too, a.address])
                await until("both know both", lambda: a.names == b.names == {"a", "b"})
                assert asyncio.get_running_loop().time() - began < 2
                assert [event for event in b.events if isinstance(event, JoinFailed)] == []

    play(scene)


def test_connection_that_nobody_accepts_ends_by_its_deadline() -> None:
    async def scene() -> None:
        with black_hole() as dead:
            async with running("a", settings=replace(QUICK, tcp_timeout_s=0.3)) as a:
                a.driver.join([dead])
                await until("told so", lambda: a.has(JoinFailed))
                assert JoinFailed(dead, JoinFailure.TIMEOUT) in a.events

    play(scene)


@contextmanager
def black_hole() -> Iterator[SocketAddress]:
    """An address where nothing answers: a full queue of connections drops further ones."""
    with closing(socket.socket()) as full, closing(socket.socket()) as one:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        one.connect(full.getsockname())
        yield SocketAddress(ip_address("127.0.0.1"), full.getsockname()[1])


def _count(party: Party, kind: type[Event]) -> int:
    return sum(isinstance(event, kind) for event in party.events)
