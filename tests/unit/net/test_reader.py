"""What one socket does at a wake-up, with frames that wait in a list."""

from collections import deque
from ipaddress import IPv4Address
from typing import cast

import pytest

from ferrolb.l2 import Announcer, ArpPacket, Interface, encode_arp
from ferrolb.model import InterfaceRule, MacAddress, ServiceKey
from ferrolb.net.frames import MAX_FRAMES, MAX_SINGLES, STEADY_S, _Reader
from ferrolb.net.packet import PacketSocket, SendResult

MAC = MacAddress(bytes.fromhex("02aabbccdd01"))
CLIENT = bytes.fromhex("0200000000aa")
VIP = IPv4Address("192.0.2.1")


class Socket:
    """A packet socket in memory."""

    index = 7

    def __init__(self):
        self.sock = self
        self.waiting: deque[bytes] = deque()
        self.sent: list[bytes] = []
        self.result = SendResult.SENT
        self.misses = 0

    def recv(self, size):
        if not self.waiting:
            self.misses += 1
            raise BlockingIOError
        return self.waiting.popleft()[:size]

    def send(self, frame):
        self.sent.append(frame)
        return self.result


class Counts:
    """An observer that writes down what it is told."""

    def __init__(self):
        self.told: list[tuple[object, ...]] = []

    def __getattr__(self, name):
        return lambda *what: self.told.append((name, *what))


class Bench:
    def __init__(self):
        self.sock = Socket()
        self.observer = Counts()
        self.troubles: list[str] = []
        self.now = 0.0
        announcer = Announcer(refresh_s=0)
        used = Interface(
            index=7, name="eth0", mac=MAC, link_local=None, has_arp=True, has_ndp=False
        )
        announcer.set_interfaces({7: used}, now=0.0)
        announcer.announce(ServiceKey("shop", "web"), {VIP: InterfaceRule()}, now=0.0)
        self.reader = _Reader(
            cast("PacketSocket", self.sock),
            announcer,
            self.observer,
            lambda: self.troubles.append("trouble"),
            clock=lambda: self.now,
        )

    def wake(self):
        """Wake the reader as the loop does, as long as frames wait; return how often."""
        wakes = 0
        while self.sock.waiting:
            self.now += STEADY_S / 2
            self.reader.on_readable()
            wakes += 1
        return wakes


@pytest.fixture
def bench():
    return Bench()


def question(number: int = 2) -> bytes:
    sender = IPv4Address(f"192.0.2.{number}").packed
    return encode_arp(
        ArpPacket(b"\xff" * 6, CLIENT, 1, CLIENT, sender, bytes(6), VIP.packed),
    )


def askers(frames) -> list[int]:
    return [frame[41] for frame in frames]


def test_each_frame_is_answered_in_order_and_counted_once(bench):
    for number in range(2, 7):
        bench.sock.waiting.append(question(number))
        bench.wake()
    bench.sock.waiting += [question(number) for number in range(7, 200)]
    bench.wake()
    assert askers(bench.sock.sent) == list(range(2, 200))
    assert bench.observer.told == [("answered", VIP)] * 198


def test_a_backlog_after_single_frames_is_found_soon(bench):
    for _ in range(100):
        bench.sock.waiting.append(question())
        assert bench.wake() == 1
    bench.sock.waiting += [question()] * (3 * MAX_FRAMES)
    assert bench.wake() <= MAX_SINGLES + 3


def test_a_backlog_after_a_backlog_is_taken_at_once(bench):
    bench.sock.waiting += [question()] * 2
    bench.wake()
    bench.sock.waiting += [question()] * MAX_FRAMES
    assert bench.wake() == 1


def test_a_backlog_after_a_pause_is_taken_as_fast_as_may_be(bench):
    for _ in range(5):
        bench.sock.waiting.append(question())
        bench.wake()
    bench.now += STEADY_S
    bench.sock.waiting += [question()] * (3 * MAX_FRAMES)
    assert bench.wake() == 3


def test_single_frames_in_close_succession_are_not_each_followed_by_a_look_in_vain(bench):
    rounds = 50 * (MAX_SINGLES + 1)
    for _ in range(rounds):
        bench.sock.waiting.append(question())
        bench.wake()
    assert bench.sock.misses == 50


def test_after_a_longer_wait_one_looks_whether_several_have_gathered(bench):
    for _ in range(100):
        bench.now += STEADY_S
        bench.sock.waiting.append(question())
        bench.wake()
    assert bench.sock.misses == 100


def test_an_answer_that_cannot_be_sent_is_counted_as_asked_and_failed(bench):
    bench.sock.result = SendResult.BUSY
    bench.sock.waiting.append(question())
    bench.wake()
    assert bench.observer.told == [("request_received", VIP), ("send_failed", VIP)]


def test_a_socket_that_reports_its_interface_down_is_trouble(bench):
    def recv(size):
        raise OSError

    bench.reader._recv = recv
    bench.reader.on_readable()
    assert bench.troubles == ["trouble"]
