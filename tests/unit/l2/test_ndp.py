"""Frames as RFC 4861 lays them out; checksums computed by another, slower way."""

from ipaddress import IPv6Address

import pytest

from ferrolb.l2 import DropReason, FrameError, NdMessage, decode_nd, encode_nd, solicited_node_group

CLIENT = bytes.fromhex("0200000000aa")
OURS = bytes.fromhex("020000000001")
TARGET = IPv6Address("fd00::1:2:3").packed
SOURCE = IPv6Address("fe80::99").packed
GROUP = IPv6Address("ff02::1:ff02:3").packed
UNSPECIFIED = bytes(16)


def checksum(addresses: bytes, message: bytes) -> int:
    """RFC 1071, word by word."""
    data = addresses + len(message).to_bytes(4, "big") + b"\0\0\0\x3a" + message
    data += bytes(len(data) % 2)
    total = sum(data[i] << 8 | data[i + 1] for i in range(0, len(data), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def frame_of(
    *,
    kind=135,
    code=0,
    flags=0,
    target=TARGET,
    options=b"\x01\x01" + CLIENT,
    source=SOURCE,
    destination=GROUP,
    hop_limit=255,
    next_header=58,
    length=None,
    correct=True,
    macs=b"\x33\x33\xff\x02\x00\x03" + CLIENT,
    tail=b"",
):
    body = bytes((kind, code, 0, 0, flags, 0, 0, 0)) + target + options
    total = checksum(source + destination, body) ^ (not correct)
    body = body[:2] + total.to_bytes(2, "big") + body[4:]
    size = len(body) if length is None else length
    head = b"\x60\0\0\0" + size.to_bytes(2, "big") + bytes((next_header, hop_limit))
    return macs + b"\x86\xdd" + head + source + destination + body + tail


SOLICITATION = NdMessage(
    destination_mac=b"\x33\x33\xff\x02\x00\x03",
    source_mac=CLIENT,
    source=SOURCE,
    destination=GROUP,
    is_solicitation=True,
    flags=0,
    target=TARGET,
    link_layer=CLIENT,
)


def reason_of(frame: bytes) -> DropReason:
    with pytest.raises(FrameError) as caught:
        decode_nd(frame)
    return caught.value.reason


def test_a_solicitation_is_written_and_read_as_the_rfc_lays_it_out():
    assert encode_nd(SOLICITATION) == frame_of()
    assert decode_nd(frame_of()) == SOLICITATION


def test_an_advertisement_is_written_and_read_as_the_rfc_lays_it_out():
    message = NdMessage(
        destination_mac=CLIENT,
        source_mac=OURS,
        source=SOURCE,
        destination=IPv6Address("fe80::77").packed,
        is_solicitation=False,
        flags=0x60,
        target=TARGET,
        link_layer=OURS,
    )
    frame = frame_of(
        kind=136,
        flags=0x60,
        options=b"\x02\x01" + OURS,
        destination=message.destination,
        macs=CLIENT + OURS,
    )
    assert encode_nd(message) == frame
    assert decode_nd(frame) == message


def test_a_sum_of_zero_is_written_as_zero():
    """The one case in which the two ways to write a checksum could differ."""
    for low in range(0x10000):
        target = TARGET[:14] + low.to_bytes(2, "big")
        frame = encode_nd(SOLICITATION._replace(target=target, link_layer=None))
        if frame[56:58] == b"\0\0":
            break
    else:
        pytest.fail("no target with that sum")
    assert frame == frame_of(target=target, options=b"")
    assert decode_nd(frame).target == target


def test_the_solicited_node_group_ends_as_the_address():
    assert solicited_node_group(TARGET) == GROUP


def test_bytes_after_the_payload_are_not_read():
    assert decode_nd(frame_of(tail=b"\x01\x00\xff")) == SOLICITATION


def test_other_options_are_passed_over_and_the_first_of_two_counts():
    nonce = b"\x0e\x01" + b"abcdef"
    second = b"\x01\x01" + OURS
    message = decode_nd(frame_of(options=nonce + b"\x01\x01" + CLIENT + second))
    assert message.link_layer == CLIENT
    assert decode_nd(frame_of(options=nonce)).link_layer is None


def test_a_target_option_in_a_solicitation_is_passed_over():
    assert decode_nd(frame_of(options=b"\x02\x01" + CLIENT)).link_layer is None


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"hop_limit": 254}, DropReason.HOP_LIMIT),
        ({"next_header": 0}, DropReason.IPV6_HEADER),
        ({"source": GROUP}, DropReason.IPV6_HEADER),
        ({"kind": 133}, DropReason.MESSAGE_TYPE),
        ({"code": 1}, DropReason.ICMP_CODE),
        ({"correct": False}, DropReason.CHECKSUM),
        ({"target": GROUP}, DropReason.TARGET),
        ({"length": 23}, DropReason.TRUNCATED),
        ({"length": 33}, DropReason.TRUNCATED),
        ({"length": 65535}, DropReason.TRUNCATED),
        ({"options": b"\x01\x00" + CLIENT}, DropReason.OPTION),
        ({"options": b"\x01\x02" + CLIENT}, DropReason.OPTION),
        ({"options": b"\x01"}, DropReason.OPTION),
        ({"options": b"\x01\x01" + CLIENT + b"\x0e\x00"}, DropReason.OPTION),
        ({"options": b"\x01\x02" + CLIENT + bytes(8)}, DropReason.OPTION),
        ({"options": b"\x01\x01\x33" + CLIENT[1:]}, DropReason.OPTION),
        ({"options": b"\x01\x01" + bytes(6)}, DropReason.OPTION),
        ({"macs": bytes(6) + b"\x33" + CLIENT[1:]}, DropReason.SENDER_MAC),
        ({"source": UNSPECIFIED}, DropReason.DUPLICATE_ADDRESS_PROBE),
        (
            {"source": UNSPECIFIED, "options": b"", "destination": TARGET},
            DropReason.DUPLICATE_ADDRESS_PROBE,
        ),
        ({"kind": 136, "flags": 0x40}, DropReason.SOLICITED_FLAG),
    ],
)
def test_what_rfc_4861_wants_discarded_is_refused(changes, reason):
    assert reason_of(frame_of(**changes)) == reason


def test_a_version_other_than_6_is_refused():
    frame = bytearray(frame_of())
    frame[14] = 0x40
    assert reason_of(bytes(frame)) == DropReason.IPV6_HEADER


def test_a_probe_for_duplicates_is_read():
    message = decode_nd(frame_of(source=UNSPECIFIED, options=b""))
    assert (message.source, message.link_layer) == (UNSPECIFIED, None)


def test_an_odd_length_is_summed_with_a_zero_behind():
    """Its options cannot be right, but its checksum is: the order of the checks shows it."""
    assert reason_of(frame_of(options=b"\x01\x01" + CLIENT + b"\x0e")) == DropReason.OPTION
    assert (
        reason_of(frame_of(options=b"\x01\x01" + CLIENT + b"\x0e", correct=False))
        == DropReason.CHECKSUM
    )


@pytest.mark.parametrize("length", [14, 40, 77])
def test_short_frames_are_refused(length):
    assert reason_of(frame_of()[:length]) == DropReason.TRUNCATED
