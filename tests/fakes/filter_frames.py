"""Frames that a filter must pass, and frames that it must refuse."""

import struct
from dataclasses import dataclass

CLIENT, GROUP, BROADCAST = b"\2\0\0\0\0\1", b"\x33\x33\xff\0\2\0", b"\xff" * 6
VIP6 = bytes.fromhex("fd000009000000000000000000000200")
CLIENT6 = bytes.fromhex("fd000009000000000000000000000001")


@dataclass(frozen=True)
class Case:
    name: str
    frame: bytes
    passes: bool = False


def arp(operation=1, hardware=1, protocol=0x0800, lengths=(6, 4), ethertype=0x0806):
    head = BROADCAST + CLIENT + struct.pack("!H", ethertype)
    body = struct.pack("!HHBBH", hardware, protocol, *lengths, operation)
    return (head + body + CLIENT + b"\x0a\x09\0\1" + bytes(6) + b"\x0a\x09\0\xc8").ljust(60, b"\0")


def nd(message=135, next_header=58, hop_limit=255, ethertype=0x86DD, extension=b""):
    icmp = struct.pack("!BBHI", message, 0, 0, 0) + VIP6 + b"\1\1" + CLIENT
    payload = extension + icmp
    head = GROUP + CLIENT + struct.pack("!H", ethertype)
    ip = struct.pack("!IHBB", 0x60000000, len(payload), next_header, hop_limit)
    return head + ip + CLIENT6 + VIP6 + payload


ARP_CASES = [
    Case("request", arp(), passes=True),
    Case("reply", arp(2), passes=True),
    Case("request without padding", arp()[:42], passes=True),
    Case("operation 0", arp(0)),
    Case("operation 3", arp(3)),
    Case("reverse request", arp(3, ethertype=0x8035)),
    Case("operation 257", arp(257)),
    Case("token ring", arp(hardware=6)),
    Case("other protocol", arp(protocol=0x86DD)),
    Case("hardware length 8", arp(lengths=(8, 4))),
    Case("protocol length 16", arp(lengths=(6, 16))),
    Case("not ARP", arp(ethertype=0x0800)),
    Case("tagged", arp()[:12] + b"\x81\0\0\5" + arp()[12:]),
    Case("cut off", arp()[:21]),
    Case("neighbour solicitation", nd()),
]

ND_CASES = [
    Case("solicitation", nd(), passes=True),
    Case("advertisement", nd(136), passes=True),
    Case("router advertisement", nd(134)),
    Case("redirect", nd(137)),
    Case("echo request", nd(128)),
    Case("through a router", nd(hop_limit=254)),
    Case("hop limit 0", nd(hop_limit=0)),
    Case("UDP", nd(next_header=17)),
    Case("behind an extension header", nd(next_header=0, extension=b"\x3a\0\1\4\0\0\0\0")),
    Case("not IPv6", nd(ethertype=0x0800)),
    Case("tagged", nd()[:12] + b"\x81\0\0\5" + nd()[12:]),
    Case("cut off", nd()[:54]),
    Case("ARP", arp()),
]
