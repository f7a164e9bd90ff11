from ipaddress import IPv4Address, IPv6Address

import pytest

from ferrolb.lab.frames import Kind, icmpv6_checksum, question, read_frame
from ferrolb.model import MacAddress

NODE = MacAddress(bytes.fromhex("02fe0000000b"))
ASKER = MacAddress(bytes.fromhex("02fe000000fa"))
V4, ASKER4 = IPv4Address("192.168.100.5"), IPv4Address("10.99.0.250")
V6, ASKER6 = IPv6Address("fd00:100::5"), IPv6Address("fd00:99::fa")
ETHERNET_IPV4 = "000108000604"


def arp(operation, mac, sender, target, *, head=ETHERNET_IPV4):
    body = f"{head}{operation:04x}{mac.hex()}{sender.packed.hex()}{'ff' * 6}{target.packed.hex()}"
    return bytes.fromhex("ff" * 6 + mac.hex() + "0806" + body)


def advertisement(flags, *, option=True, target=V6, hops=255, spoil=0):
    message = bytes((136, 0, 0, 0, flags, 0, 0, 0)) + target.packed
    if option:
        message += b"\x02\x01" + NODE
    source = IPv6Address("fe80::1").packed
    checksum = icmpv6_checksum(source, ASKER6.packed, message) ^ spoil
    message = message[:2] + checksum.to_bytes(2, "big") + message[4:]
    header = b"\x60\0\0\0" + len(message).to_bytes(2, "big") + bytes((58, hops))
    return ASKER + NODE + b"\x86\xdd" + header + source + ASKER6.packed + message


def kinds(frame):
    return [(one.kind, one.ip, one.mac, one.asker) for one in read_frame(frame)]


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        (arp(2, NODE, V4, ASKER4), [(Kind.REPLY, V4, NODE, ASKER4)]),
        (arp(2, NODE, V4, V4), [(Kind.GRATUITOUS_REPLY, V4, NODE, V4)]),
        (arp(1, NODE, V4, V4), [(Kind.GRATUITOUS_REQUEST, V4, NODE, None)]),
        (arp(1, NODE, IPv4Address(0), V4), [(Kind.REQUEST, V4, NODE, None)]),
        (
            arp(1, NODE, V4, ASKER4),
            [(Kind.REQUEST, ASKER4, NODE, None), (Kind.REQUEST_FROM, V4, NODE, None)],
        ),
        (arp(3, NODE, V4, ASKER4), []),
        (arp(2, NODE, V4, ASKER4, head="0006080006" + "04"), []),
        (arp(2, NODE, V4, ASKER4)[:41], []),
    ],
)
def test_arp_is_read_by_its_offsets(frame, expected):
    assert kinds(frame) == expected


def test_advertisements_are_read_with_their_checksum_and_hop_limit():
    assert kinds(advertisement(0x60)) == [(Kind.NA_SOLICITED, V6, NODE, ASKER6)]
    assert kinds(advertisement(0x20)) == [(Kind.NA_UNSOLICITED, V6, NODE, None)]
    # without the option the frame's own source stands for it
    assert kinds(advertisement(0x20, option=False)) == [(Kind.NA_UNSOLICITED, V6, NODE, None)]
    assert kinds(advertisement(0x60, spoil=1)) == []
    assert kinds(advertisement(0x60, hops=254)) == []


def test_a_question_is_read_as_one():
    asked = {ip: kinds(question(ip, mac=ASKER, sender4=ASKER4, sender6=ASKER6)) for ip in (V4, V6)}
    assert asked[V4] == [
        (Kind.REQUEST, V4, ASKER, None),
        (Kind.REQUEST_FROM, ASKER4, ASKER, None),
    ]
    assert asked[V6] == [
        (Kind.REQUEST, V6, ASKER, None),
        (Kind.REQUEST_FROM, ASKER6, ASKER, None),
    ]


def test_a_checksum_is_the_folded_sum_of_its_words():
    message = bytes.fromhex("88000000600000 00".replace(" ", "")) + V6.packed + b"\x02\x01" + NODE
    total = sum(
        int.from_bytes(data[at : at + 2], "big")
        for data in (V6.packed, ASKER6.packed, len(message).to_bytes(4, "big"), b"\0\0\0:", message)
        for at in range(0, len(data), 2)
    )
    folded = (total & 0xFFFF) + (total >> 16)
    assert icmpv6_checksum(V6.packed, ASKER6.packed, message) == ~folded & 0xFFFF


def test_only_questions_claim_nothing():
    assert [kind for kind in Kind if not kind.is_claim] == [Kind.REQUEST]
    assert [kind for kind in Kind if kind.is_answer] == [Kind.REPLY, Kind.NA_SOLICITED]
