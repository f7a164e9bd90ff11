"""Every kind of frame that leaves, as another decoder sees it."""

import json
import shutil
import struct
import subprocess
from ipaddress import IPv4Address, IPv6Address

import pytest

from ferrolb.l2 import (
    Announcer,
    ArpPacket,
    Interface,
    NdMessage,
    Reply,
    encode_arp,
    encode_nd,
    solicited_node_group,
)
from ferrolb.model import InterfaceRule, MacAddress, ServiceKey

pytestmark = pytest.mark.skipif(shutil.which("tshark") is None, reason="needs tshark")

OURS, CLIENT = "02:00:00:00:00:01", "02:00:00:00:00:aa"
MAC, CLIENT_MAC = (MacAddress(bytes.fromhex(mac.replace(":", ""))) for mac in (OURS, CLIENT))
VIP, VIP6 = IPv4Address("10.0.0.5"), IPv6Address("fd00::1:2:3")
CLIENT_IP, CLIENT6 = IPv4Address("10.0.0.250"), IPv6Address("fe80::99")
GROUP = IPv6Address("ff02::1:ff02:3")
ALL_NODES = "33:33:00:00:00:01"

ARP_REQUEST = encode_arp(
    ArpPacket(b"\xff" * 6, CLIENT_MAC, 1, CLIENT_MAC, CLIENT_IP.packed, bytes(6), VIP.packed)
)
MULTICAST = NdMessage(
    destination_mac=b"\x33\x33" + GROUP.packed[12:],
    source_mac=CLIENT_MAC,
    source=CLIENT6.packed,
    destination=solicited_node_group(VIP6.packed),
    is_solicitation=True,
    flags=0,
    target=VIP6.packed,
    link_layer=CLIENT_MAC,
)
UNICAST = MULTICAST._replace(destination_mac=MAC, destination=VIP6.packed, link_layer=None)
PROBE = MULTICAST._replace(source=bytes(16), link_layer=None)


def frames() -> dict[str, bytes]:
    """One of each kind; those of the announcer come from its door."""
    machine = Announcer(refresh_s=0)
    link_local = IPv6Address("fe80::1")
    eth = Interface(
        index=1, name="eth1", mac=MAC, link_local=link_local, has_arp=True, has_ndp=True
    )
    machine.set_interfaces({1: eth}, now=0.0)
    machine.announce(
        ServiceKey("default", "web"), {VIP: InterfaceRule(), VIP6: InterfaceRule()}, now=0.0
    )
    found = {"arp request": ARP_REQUEST, "ns multicast": encode_nd(MULTICAST)}
    found |= {"ns unicast": encode_nd(UNICAST), "ns probe": encode_nd(PROBE)}
    for name, frame in (
        ("arp reply", found["arp request"]),
        ("na to multicast", found["ns multicast"]),
        ("na to unicast", found["ns unicast"]),
        ("na to probe", found["ns probe"]),
    ):
        reply = machine.on_frame(1, frame, now=0.0)
        assert isinstance(reply, Reply)
        found[name] = reply.frame
    gratuitous = machine.frames_to_send(now=0.0)
    names = ("gratuitous request", "gratuitous reply", "na unsolicited")
    found |= {name: one.frame for name, one in zip(names, gratuitous, strict=True)}
    found["ns bad checksum"] = found["ns multicast"][:-1] + b"\xab"
    return found


def pcap(packets: list[bytes]) -> bytes:
    """Write the format by hand: version 2.4, microseconds, Ethernet."""
    head = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
    return head + b"".join(
        struct.pack("<IIII", number, 0, len(packet), len(packet)) + packet
        for number, packet in enumerate(packets)
    )


@pytest.fixture(scope="module")
def decoded(tmp_path_factory):
    """All frames, read by one run of tshark: name -> field -> values."""
    path = tmp_path_factory.mktemp("capture") / "frames.pcap"
    made = frames()
    path.write_bytes(pcap(list(made.values())))
    command = ["tshark", "-r", str(path), "-T", "json", "--no-duplicate-keys"]
    run = subprocess.run(command, capture_output=True, check=True, timeout=60)
    packets = json.loads(run.stdout)
    assert len(packets) == len(made)
    fields = [flatten(packet["_source"]["layers"]) for packet in packets]
    return dict(zip(made, fields, strict=True))


def flatten(layers) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}

    def walk(name, value):
        if isinstance(value, dict):
            for key, inner in value.items():
                found.setdefault(key, [])
                walk(key, inner)
        elif isinstance(value, list):
            for inner in value:
                walk(name, inner)
        else:
            found.setdefault(name, []).append(value)

    walk("", layers)
    return found


def flag(value: bool) -> str:
    return "1" if value else "0"


ARP = ("eth.dst", "eth.src", "arp.opcode", "arp.src.hw_mac", "arp.src.proto_ipv4", "arp.dst.hw_mac",
       "arp.dst.proto_ipv4")  # fmt: skip
BROADCAST, NO_MAC = "ff:ff:ff:ff:ff:ff", "00:00:00:00:00:00"


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("arp request", (BROADCAST, CLIENT, "1", CLIENT, str(CLIENT_IP), NO_MAC, str(VIP))),
        ("arp reply", (CLIENT, OURS, "2", OURS, str(VIP), CLIENT, str(CLIENT_IP))),
        ("gratuitous request", (BROADCAST, OURS, "1", OURS, str(VIP), NO_MAC, str(VIP))),
        ("gratuitous reply", (BROADCAST, OURS, "2", OURS, str(VIP), OURS, str(VIP))),
    ],
)
def test_arp_frames(decoded, name, values):
    fields = decoded[name]
    assert tuple(fields[field][0] for field in ARP) == values
    assert fields["frame.len"] == ["60"]
    is_gratuitous = name.startswith("gratuitous")
    assert fields.get("arp.isgratuitous", ["0"]) == [flag(is_gratuitous)]


ND = ("eth.dst", "eth.src", "ipv6.src", "ipv6.dst", "ipv6.hlim", "icmpv6.type", "icmpv6.code")


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("ns multicast", ("33:33:ff:02:00:03", CLIENT, "fe80::99", str(GROUP), "255", "135", "0")),
        ("ns unicast", (OURS, CLIENT, "fe80::99", str(VIP6), "255", "135", "0")),
        ("ns probe", ("33:33:ff:02:00:03", CLIENT, "::", str(GROUP), "255", "135", "0")),
        ("na to multicast", (CLIENT, OURS, "fe80::1", "fe80::99", "255", "136", "0")),
        ("na to unicast", (CLIENT, OURS, "fe80::1", "fe80::99", "255", "136", "0")),
        ("na to probe", (ALL_NODES, OURS, "fe80::1", "ff02::1", "255", "136", "0")),
        ("na unsolicited", (ALL_NODES, OURS, "fe80::1", "ff02::1", "255", "136", "0")),
    ],
)
def test_neighbor_discovery_frames(decoded, name, values):
    fields = decoded[name]
    assert tuple(fields[field][0] for field in ND) == values
    assert fields["icmpv6.checksum.status"] == ["1"], "the checksum is not good"
    kind = "ns" if name.startswith("ns") else "na"
    assert fields[f"icmpv6.nd.{kind}.target_address"] == [str(VIP6)]
    has_option = name not in ("ns unicast", "ns probe")
    assert fields.get("icmpv6.opt.linkaddr", []) == (
        [] if not has_option else [CLIENT if kind == "ns" else OURS]
    )
    if kind == "na":
        flags = tuple(fields[f"icmpv6.nd.na.flag.{one}"][0] for one in ("r", "s", "o"))
        assert flags == ("0", flag(name in ("na to multicast", "na to unicast")), "1")


def test_nothing_that_leaves_is_malformed(decoded):
    """A wrong checksum shows that this looks where complaints would stand."""
    complaints = [
        name
        for name, fields in decoded.items()
        if "_ws.malformed" in fields or "_ws.expert" in fields
    ]
    assert complaints == ["ns bad checksum"]
    assert decoded["ns bad checksum"]["icmpv6.checksum.status"] == ["0"]
