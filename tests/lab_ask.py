"""Asks once for an address and prints, as JSON, the MAC of everybody who answers: IP [SECONDS].

Runs on the lab's client. Unlike `arping` and `ping` it waits for a second answer after the first.
"""

import json
import select
import socket
import struct
import sys
import time
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

from ferrolb.lab.capture import open_capture, received
from ferrolb.lab.frames import question, read_frame
from ferrolb.model import MacAddress

WINDOW_S: Final = 0.15
"""A reply takes a fraction of a millisecond, on a busy machine some ten."""

_ASKER: Final = MacAddress(b"\x02\xfe\x00\x00\xee\x01")
"""Nobody's, so that no kernel takes part."""

_INTERFACE: Final = "eth0"
_SOL_PACKET: Final = 263
_ADD_MEMBERSHIP: Final = 1
_PROMISCUOUS: Final = 1
_Membership: Final = struct.Struct("iHH8x")


def main(ip_text: str, window: str = str(WINDOW_S)) -> None:
    """Ask and print."""
    ip = ip_address(ip_text)
    frame = question(
        ip, mac=_ASKER, sender4=IPv4Address("10.99.0.254"), sender6=IPv6Address("fe80::ee")
    )
    found: set[str] = set()
    index = socket.if_nametoindex(_INTERFACE)
    with open_capture(_INTERFACE) as sock:
        sock.setsockopt(_SOL_PACKET, _ADD_MEMBERSHIP, _Membership.pack(index, _PROMISCUOUS, 0))
        sock.send(frame)
        end = time.monotonic() + float(window)
        while (left := end - time.monotonic()) > 0:
            if select.select([sock], [], [], left)[0]:
                for data, _ in received(sock, 64):
                    found.update(
                        one.mac.hex(":")
                        for one in read_frame(data)
                        if one.ip == ip and one.kind.is_answer
                    )
    sys.stdout.write(json.dumps(sorted(found)))


if __name__ == "__main__":
    main(*sys.argv[1:])
