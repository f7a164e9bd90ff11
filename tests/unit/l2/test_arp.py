"""Frames as RFC 826 and RFC 5227 lay them out, written by hand."""

import pytest

from ferrolb.l2 import ArpPacket, DropReason, FrameError, decode_arp, encode_arp, gratuitous_arp
from ferrolb.model import MacAddress
from ferrolb.wire import WireError

REQUEST = bytes.fromhex(
    "ffffffffffff 0200000000aa 0806"  # Ethernet
    "0001 0800 06 04 0001"  # Ethernet, IPv4, 6, 4, request
    "0200000000aa 0a0000fa"  # sender
    "000000000000 0a000005"  # target
)
PACKET = ArpPacket(
    destination=b"\xff" * 6,
    source=bytes.fromhex("0200000000aa"),
    operation=1,
    sender_mac=bytes.fromhex("0200000000aa"),
    sender_ip=bytes([10, 0, 0, 250]),
    target_mac=bytes(6),
    target_ip=bytes([10, 0, 0, 5]),
)


def test_a_request_is_read_with_and_without_padding():
    assert decode_arp(REQUEST) == PACKET
    assert decode_arp(REQUEST + bytes(18)) == PACKET


def test_frames_are_padded_to_60_bytes():
    assert encode_arp(PACKET) == REQUEST + bytes(18)


@pytest.mark.parametrize(
    ("at", "value", "reason"),
    [
        (15, 6, DropReason.ARP_HEADER),  # IEEE 802 hardware
        (16, 0x86, DropReason.ARP_HEADER),  # not IPv4
        (18, 8, DropReason.ARP_HEADER),
        (19, 16, DropReason.ARP_HEADER),
        (21, 0, DropReason.ARP_HEADER),  # operations besides 1 and 2
        (21, 3, DropReason.ARP_HEADER),
        (20, 1, DropReason.ARP_HEADER),
        (22, 0x03, DropReason.SENDER_MAC),  # a group
    ],
)
def test_what_is_no_arp_for_ipv4_over_ethernet_is_refused(at, value, reason):
    frame = bytearray(REQUEST)
    frame[at] = value
    with pytest.raises(WireError) as caught:
        decode_arp(bytes(frame))
    assert isinstance(caught.value, FrameError)
    assert caught.value.reason == reason
    assert str(caught.value) == reason.value


def test_a_sender_without_mac_is_refused():
    with pytest.raises(FrameError, match="senderMac"):
        decode_arp(REQUEST[:22] + bytes(6) + REQUEST[28:])


@pytest.mark.parametrize("length", [14, 20, 41])
def test_short_frames_are_refused(length):
    with pytest.raises(FrameError, match="truncated"):
        decode_arp(REQUEST[:length])


def test_gratuitous_frames_are_a_request_and_a_reply_from_and_for_the_address():
    mac, ip = MacAddress(bytes.fromhex("020000000001")), bytes([10, 0, 0, 5])
    request, reply = gratuitous_arp(mac, ip)
    head = "ffffffffffff 020000000001 0806 0001 0800 06 04"
    assert request == bytes.fromhex(
        f"{head} 0001 020000000001 0a000005 000000000000 0a000005"
    ) + bytes(18)
    # target MAC = sender MAC: Linux takes no other reply for gratuitous
    assert reply == bytes.fromhex(
        f"{head} 0002 020000000001 0a000005 020000000001 0a000005"
    ) + bytes(18)
