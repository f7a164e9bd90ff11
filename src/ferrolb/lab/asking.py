"""The client of the latency measurements: asks one address, times the answers, prints JSON.

`python -m ferrolb.lab.asking closed|open SETTINGS` runs in the client's namespace; SETTINGS is one
JSON object. It is the same program for a speaker's address and for a kernel's.
"""

import gc
import json
import os
import socket
import struct
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final, Self

from ferrolb.lab.capture import dropped, open_capture, received
from ferrolb.lab.frames import Statement, question, read_frame
from ferrolb.model import IPAddress, JsonObject, MacAddress

_ANSWER_S: Final = 1.0
"""An answer that takes longer counts as lost."""
_TIMEOUT: Final = struct.pack("ll", int(_ANSWER_S), 0)
_WARM_UP: Final = 200
"""Questions before the first that counts."""
_SEQUENCE4: Final = IPv4Network("198.18.0.0/15")
_SEQUENCE6: Final = IPv6Network("2001:2::/48")
"""RFC 2544 and RFC 5180: senders that exist nowhere; an answer names the question's sender, so the
sender tells which question was answered. A kernel would remember each: ask speakers only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What to ask, and how often."""

    interface: str
    ip: IPAddress
    mac: MacAddress
    ipv4: IPv4Address
    ipv6: IPv6Address
    count: int
    cpu: int | None = None
    rate: float = 0.0
    """Questions a second; only in an open loop."""

    @classmethod
    def read(cls, text: str) -> Self:
        """Read the JSON object `to_json` made."""
        value = json.loads(text)
        return cls(
            interface=str(value["interface"]),
            ip=ip_address(value["ip"]),
            mac=MacAddress(bytes.fromhex(value["mac"])),
            ipv4=IPv4Address(value["ipv4"]),
            ipv6=IPv6Address(value["ipv6"]),
            count=int(value["count"]),
            cpu=value["cpu"],
            rate=float(value["rate"]),
        )

    def to_json(self) -> JsonObject:
        """Return it as a JSON object."""
        return {
            "interface": self.interface,
            "ip": str(self.ip),
            "mac": self.mac.hex(),
            "ipv4": str(self.ipv4),
            "ipv6": str(self.ipv6),
            "count": self.count,
            "cpu": self.cpu,
            "rate": self.rate,
        }


def closed_loop(settings: Settings) -> JsonObject:
    """Ask, wait for the answer, ask again; times include this program's own work."""
    frame = _question(settings, settings.ipv4, settings.ipv6)
    times_us: list[float] = []
    lost = 0
    with open_capture(settings.interface) as asker:
        # without Python's own time-out, which would ask the kernel twice for each frame
        asker.settimeout(None)
        asker.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _TIMEOUT)
        for number in range(_WARM_UP + settings.count):
            sent = time.perf_counter_ns()
            asker.send(frame)
            taken_us = _await_answer(asker, settings, sent)
            if number >= _WARM_UP:
                lost += taken_us is None
                if taken_us is not None:
                    times_us.append(taken_us)
    return {"times_us": [*times_us], "lost": lost, "sent": settings.count, "unread": 0}


def open_loop(settings: Settings) -> JsonObject:
    """Ask at a steady rate whether answers come or not; the kernel times their arrival."""
    sent_at: list[float] = []
    frames = _numbered(settings)
    with open_capture(settings.interface) as asker:
        # read at once and looked at later: this program must not fall behind its own questions
        answers: list[tuple[bytes, float]] = []
        start = time.monotonic()
        for number, frame in enumerate(frames):
            due = start + number / settings.rate
            while time.monotonic() < due:
                answers += received(asker, 4)
            sent_at.append(time.monotonic())
            asker.send(frame)
            answers += received(asker, 2)
        end = time.monotonic() + _ANSWER_S
        took_s = end - _ANSWER_S - start
        while time.monotonic() < end:
            answers += received(asker, 64)
        unread = dropped(asker)
    answered = _by_number(answers, settings.ip)
    times_us = [(at - sent_at[number]) * 1e6 for number, at in answered.items()]
    return {
        "times_us": [*times_us],
        "lost": len(frames) - len(answered),
        "sent": len(frames),
        "unread": unread,
        "rate": len(frames) / took_s,
    }


def _by_number(answers: Sequence[tuple[bytes, float]], ip: IPAddress) -> dict[int, float]:
    """Return when each question was answered first."""
    answered: dict[int, float] = {}
    for frame, at in answers:
        for one in read_frame(frame):
            if one.kind.is_answer and one.ip == ip and one.asker is not None:
                answered.setdefault(_number_of(one.asker), at)
    return answered


def _await_answer(asker: socket.socket, settings: Settings, sent: int) -> float | None:
    """Return microseconds until the answer, None if there was none in time."""
    while time.perf_counter_ns() - sent < _ANSWER_S * 1e9:
        try:
            frame = asker.recv(2048)
        except BlockingIOError:
            return None
        taken_us = (time.perf_counter_ns() - sent) / 1000
        if any(_is_answer(one, settings) for one in read_frame(frame)):
            return taken_us
    return None


def _is_answer(one: Statement, settings: Settings) -> bool:
    is_mine = one.asker in (settings.ipv4, settings.ipv6)
    return is_mine and one.kind.is_answer and one.ip == settings.ip


def _question(settings: Settings, sender4: IPv4Address, sender6: IPv6Address) -> bytes:
    return question(settings.ip, mac=settings.mac, sender4=sender4, sender6=sender6)


def _numbered(settings: Settings) -> list[bytes]:
    first4, first6 = _SEQUENCE4.network_address, _SEQUENCE6.network_address
    return [
        _question(settings, first4 + number, first6 + number) for number in range(settings.count)
    ]


def _number_of(asker: IPAddress) -> int:
    first = _SEQUENCE4.network_address if asker.version == 4 else _SEQUENCE6.network_address
    return int(asker) - int(first)


def main(words: Sequence[str]) -> None:
    """Run one measurement and print what came out."""
    loops = {"closed": closed_loop, "open": open_loop}
    settings = Settings.read(words[1])
    if settings.cpu is not None:
        os.sched_setaffinity(0, {settings.cpu})
    gc.disable()  # a collection would count as the responder's time
    sys.stdout.write(json.dumps(loops[words[0]](settings)) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
