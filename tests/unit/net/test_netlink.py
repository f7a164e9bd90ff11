"""rtnetlink's codec on messages built by hand and on a real one of the kernel."""

import struct
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ferrolb.model import MacAddress
from ferrolb.net import NetlinkError
from ferrolb.net.netlink import (
    AddressMessage,
    DumpDone,
    LinkMessage,
    Lost,
    MessageType,
    decode_messages,
    encode_dump_request,
)


def attribute(kind, value):
    return (struct.pack("=HH", 4 + len(value), kind) + value).ljust(
        (4 + len(value) + 3) & ~3, b"\0"
    )


def message(kind, body=b"", *, flags=0, sequence=7):
    return struct.pack("=IHHII", 16 + len(body), kind, flags, sequence, 0) + body


def link(*attributes, family=0, index=3, flags=0x11043, kind=MessageType.NEW_LINK):
    body = struct.pack("=BxHiII", family, 1, index, flags, 0)
    return message(kind, body + b"".join(attributes))


def address(*attributes, family=10, index=3, flags=0x80, kind=MessageType.NEW_ADDRESS):
    return message(kind, struct.pack("=BBBBI", family, 64, flags, 0, index) + b"".join(attributes))


NAME, MAC = attribute(3, b"eth0\0"), attribute(1, b"\2\0\0\0\0\2")
LINK_LOCAL = ip_address("fe80::2")


def one_link(raw) -> LinkMessage:
    (found,) = decode_messages(raw)
    assert isinstance(found, LinkMessage)
    return found


def test_link():
    (found,) = decode_messages(link(NAME, MAC, attribute(10, struct.pack("=I", 9))))
    assert found == LinkMessage(
        index=3,
        flags=0x11043,
        name="eth0",
        mac=MacAddress(b"\2\0\0\0\0\2"),
        master=9,
        is_gone=False,
    )


def test_link_gone():
    found = one_link(link(NAME, kind=MessageType.DEL_LINK))
    assert (found.index, found.is_gone) == (3, True)


def test_what_a_bridge_says_of_its_port_is_not_the_link_itself():
    assert decode_messages(link(NAME, family=7, kind=MessageType.DEL_LINK)) == []


def test_address_flags_of_the_attribute_win_over_the_header():
    raw = address(attribute(1, LINK_LOCAL.packed), attribute(8, struct.pack("=I", 0x248)))
    assert decode_messages(raw) == [AddressMessage(index=3, address=LINK_LOCAL, flags=0x248)]


def test_on_a_point_to_point_link_the_local_address_counts():
    local, peer = ip_address("10.0.0.1"), ip_address("10.0.0.2")
    raw = address(attribute(1, peer.packed), attribute(2, local.packed), family=2)
    assert decode_messages(raw) == [AddressMessage(index=3, address=local, flags=0x80)]


@pytest.mark.parametrize(
    "raw",
    [address(), address(attribute(1, b"123")), address(attribute(1, bytes(16)), family=28)],
    ids=["none", "wrong size", "unknown family"],
)
def test_address_message_without_a_known_address_is_passed_over(raw):
    assert decode_messages(raw) == []


def test_several_messages_in_one_datagram():
    raw = (
        link(NAME)
        + message(MessageType.NOOP)
        + message(99, b"1234")
        + address(attribute(1, LINK_LOCAL.packed), kind=MessageType.DEL_ADDRESS)
    )
    first, second = decode_messages(raw)
    assert isinstance(first, LinkMessage)
    assert isinstance(second, AddressMessage)
    assert first.name == "eth0"
    assert second.is_gone


def test_ends_and_errors():
    raw = (
        message(MessageType.DONE, struct.pack("=i", 0))
        + message(MessageType.DONE)
        + message(MessageType.ERROR, struct.pack("=i", -16))
    )
    assert decode_messages(raw) == [DumpDone(7), DumpDone(7), DumpDone(7, 16)]


def test_overrun_and_interrupted_dump_mean_that_something_is_lost():
    assert decode_messages(message(MessageType.OVERRUN)) == [Lost()]
    assert decode_messages(message(MessageType.NOOP, flags=0x10)) == [Lost()]


@pytest.mark.parametrize(
    "raw",
    [
        b"1234",
        struct.pack("=IHHII", 15, 16, 0, 0, 0),
        struct.pack("=IHHII", 17, 16, 0, 0, 0),
        message(MessageType.NEW_LINK, b"short"),
        message(MessageType.NEW_ADDRESS, b"short"),
        link(struct.pack("=HH", 3, 3)),
        link(struct.pack("=HH", 5, 3)),
    ],
    ids=["header", "too small", "too large", "link", "address", "attribute 3", "attribute 5"],
)
def test_wrong_lengths_are_refused(raw):
    with pytest.raises(NetlinkError):
        decode_messages(raw)


def test_name_is_bounded_and_ends_at_zero():
    found = one_link(link(attribute(3, b"n" * 40)))
    assert found.name == "n" * 15


def test_requests():
    request = encode_dump_request(MessageType.GET_LINK, sequence=5)
    assert struct.unpack("=IHHII", request[:16]) == (32, 18, 0x301, 5, 0)
    request = encode_dump_request(MessageType.GET_ADDRESS, sequence=6)
    assert struct.unpack("=IHHII", request[:16]) == (24, 22, 0x301, 6, 0)


SEEDS = [
    link(NAME, MAC, attribute(10, struct.pack("=I", 9))),
    address(attribute(1, LINK_LOCAL.packed), attribute(8, struct.pack("=I", 0x80))),
    message(MessageType.DONE, bytes(4)),
]


@given(st.binary(max_size=300))
def test_any_bytes_decode_or_are_refused(raw):
    try:
        found = decode_messages(raw)
    except NetlinkError:
        return
    assert len(found) <= 2 * (len(raw) // 16)


@given(st.sampled_from(SEEDS), st.data())
def test_damaged_messages_decode_or_are_refused(seed, data):
    raw = bytearray(seed)
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = decode_messages(bytes(raw))
    except NetlinkError:
        return
    assert len(found) <= 2 * (len(raw) // 16)
