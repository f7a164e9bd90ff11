"""A client of raw frames, as a program inside a namespace of `tests.netns`; prints JSON.

`ask IF SECONDS HEX...` sends frames and shows what comes back; `flood IF IP COUNT RATE` asks for an
address in an open loop; `latency IF IP COUNT` in a closed one; `expect IF SECONDS PIECE` waits
for a frame with these bytes; `filter KIND IN OUT HEX...` tells
which of the frames sent through OUT pass the project's own socket on IN.
"""

import json
import socket
import sys
import time
from collections.abc import Callable
from ipaddress import ip_address

from ferrolb.net import FrameKind, PacketSocket

ETH_P_ALL = 3


def raw_socket(interface, protocol=ETH_P_ALL):
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    sock.setsockopt(263, 23, 1)  # PACKET_IGNORE_OUTGOING
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 * 1024 * 1024)
    sock.bind((interface, protocol))
    return sock


def arp_request(mac, source, target):
    body = b"\0\1\x08\0\6\4\0\1" + mac + source.packed + bytes(6) + target.packed
    return (b"\xff" * 6 + mac + b"\x08\x06" + body).ljust(60, b"\0")


def ask(interface, seconds, *frames):
    with raw_socket(interface) as sock:
        for frame in frames:
            sock.send(bytes.fromhex(frame))
        received = []
        deadline = time.monotonic() + float(seconds)
        while (left := deadline - time.monotonic()) > 0:
            sock.settimeout(left)
            try:
                received.append(sock.recv(2000).hex())
            except TimeoutError:
                break
        return received


def expect(interface, seconds, piece):
    wanted = bytes.fromhex(piece)
    with raw_socket(interface) as sock:
        sys.stdout.write("listening\n")
        sys.stdout.flush()
        deadline = time.monotonic() + float(seconds)
        while (left := deadline - time.monotonic()) > 0:
            sock.settimeout(left)
            try:
                frame = sock.recv(2000)
            except TimeoutError:
                break
            if wanted in frame:
                return frame.hex()
    return ""


def is_reply(frame, target):  # to us: gratuitous replies go to everybody
    return frame[0] != 0xFF and frame[20:22] == b"\0\2" and frame[28:32] == target.packed


def flood(interface, ip, count, rate):
    target, count, gap = ip_address(ip), int(count), 1 / float(rate)
    with raw_socket(interface, 0x0806) as sock:
        mac = sock.getsockname()[4]
        frame = arp_request(mac, ip_address(0), target)
        sock.setblocking(False)
        replies, sent, start = 0, 0, time.monotonic()
        while time.monotonic() < start + count * gap + 2 and replies < count:
            while sent < count and time.monotonic() >= start + sent * gap:
                sock.send(frame)
                sent += 1
            try:
                while True:
                    replies += is_reply(sock.recv(2000), target)
            except BlockingIOError:
                pass
        return {"sent": sent, "replies": replies, "seconds": time.monotonic() - start}


def latency(interface, ip, count):
    target = ip_address(ip)
    with raw_socket(interface, 0x0806) as sock:
        frame = arp_request(sock.getsockname()[4], ip_address("10.9.0.1"), target)
        sock.settimeout(1)
        times = []
        for _ in range(int(count)):
            start = time.perf_counter()
            sock.send(frame)
            while not is_reply(sock.recv(2000), target):
                pass
            times.append((time.perf_counter() - start) * 1e6)
        times.sort()
        return {"p50_us": times[len(times) // 2], "p99_us": times[len(times) * 99 // 100]}


def filtered(kind, inside, outside, *frames):
    with raw_socket(outside) as sender:
        receiver = PacketSocket.open(socket.if_nametoindex(inside), FrameKind(kind))
        passed = []
        for number, frame in enumerate(frames):
            sender.send(bytes.fromhex(frame))  # a veth pair delivers before `send` returns
            try:
                receiver.sock.recv(2000)
            except BlockingIOError:
                continue
            passed.append(number)
        return {"passed": passed, "received": receiver.statistics().received}


if __name__ == "__main__":
    commands: dict[str, Callable[..., object]] = {
        "ask": ask,
        "flood": flood,
        "latency": latency,
        "expect": expect,
        "filter": filtered,
    }
    sys.stdout.write(json.dumps(commands[sys.argv[1]](*sys.argv[2:])) + "\n")
