"""Floods a node from the lab's client: NODE_IP SERVICE_IP SECONDS; prints how much was sent.

Broadcast ARP requests, malformed frames, and datagrams to the gossip port that no key has sealed.
"""

import json
import os
import socket
import sys
import time
from ipaddress import IPv4Address
from typing import Final

from ferrolb.lab.frames import arp_question
from ferrolb.model import MacAddress

PER_TICK: Final = 40
TICK_S: Final = 0.002
"""20,000 frames a second, beside as many datagrams."""

_MAC: Final = MacAddress(b"\x02\xfe\x00\x00\xee\x02")


def main(node: str, ip: str, seconds: str) -> None:
    """Flood and print."""
    good = arp_question(IPv4Address(ip), mac=_MAC, sender=IPv4Address("10.99.0.253"))
    broken = [good[:size] for size in (14, 20, 28, 41)] + [good[:18] + b"\xff\xff" + good[20:]]
    rubbish = [
        b"",
        b"\x01" + os.urandom(60),
        b"\x07\xff" + b"\x00" * 510,
        b"\x09" + os.urandom(900),
    ]
    sent = {"arp": 0, "broken": 0, "gossip": 0}
    with (
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as wire,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as gossip,
    ):
        wire.bind(("eth0", 0))
        end = time.monotonic() + float(seconds)
        turn = 0
        while (now := time.monotonic()) < end:
            for _ in range(PER_TICK):
                wire.send(good)
                gossip.sendto(rubbish[turn % len(rubbish)], (node, 7946))
            wire.send(broken[turn % len(broken)])
            turn += 1
            sent["arp"] += PER_TICK
            sent["gossip"] += PER_TICK
            sent["broken"] += 1
            time.sleep(max(0.0, now + TICK_S - time.monotonic()))
    sys.stdout.write(json.dumps(sent))


if __name__ == "__main__":
    main(*sys.argv[1:])
