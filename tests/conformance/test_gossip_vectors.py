"""Bytes that memberlist v0.5.1 produced: written and read alike."""

from ipaddress import IPv4Address

import pytest
from tests.gossip_network import AesGcm

from ferrolb.gossip import LAN, WAN, SocketAddress, derive_key
from ferrolb.gossip.framing import OpenedDatagram, compound, compressed, frame, with_checksum
from ferrolb.gossip.keyring import Keyring
from ferrolb.gossip.lzw import inflate
from ferrolb.gossip.messages import (
    Ack,
    Alive,
    Dead,
    Entry,
    IndirectPing,
    Nack,
    Ping,
    PushPull,
    Suspect,
    decode_message,
    encode_message,
    encode_stream_message,
)
from ferrolb.gossip.parser import StreamParser
from ferrolb.gossip.suspicion import confirmations_expected, min_timeout_s, timeout_s
from ferrolb.model import NodeName
from ferrolb.wire import Reader

NODE_A, NODE_B = NodeName("node-a"), NodeName("node-b")
ADDRESS_A = SocketAddress(IPv4Address("10.0.0.1"), 7946)
ADDRESS_B = SocketAddress(IPv4Address("10.0.0.2"), 7946)
VERSIONS = bytes.fromhex("010502000000")

SUSPECT = Suspect(incarnation=1, node=NODE_B, sender="node-a")
PING = Ping(sequence=1, node="node-b", source=ADDRESS_A, source_node="node-a")
SUSPECT_HEX = "0383a446726f6da66e6f64652d61ab496e6361726e6174696f6e01a44e6f6465a66e6f64652d62"
PING_HEX = """00 85 a44e6f6465a66e6f64652d62 a55365714e6f01 aa536f7572636541646472a40a000001
 aa536f757263654e6f6465a66e6f64652d61 aa536f75726365506f7274cd1f0a"""

MESSAGES = [
    (PING, PING_HEX),
    (Ack(sequence=1), "02 82 a75061796c6f6164c0 a55365714e6f01"),
    (Nack(sequence=300), "0b 81 a55365714e6fcd012c"),
    (
        IndirectPing(
            sequence=200,
            node="node-b",
            target=ADDRESS_B,
            wants_nack=True,
            source=ADDRESS_A,
            source_node="node-a",
        ),
        """01 88 a44e61636bc3 a44e6f6465a66e6f64652d62 a4506f7274cd1f0a a55365714e6fccc8
 aa536f7572636541646472a40a000001 aa536f757263654e6f6465a66e6f64652d61
 aa536f75726365506f7274cd1f0a a6546172676574a40a000002""",
    ),
    (
        Alive(incarnation=1, node=NODE_A, address=ADDRESS_A, meta=b"", versions=VERSIONS),
        """04 86 a441646472a40a000001 ab496e6361726e6174696f6e01 a44d657461c0
 a44e6f6465a66e6f64652d61 a4506f7274cd1f0a a356736ea6010502000000""",
    ),
    (SUSPECT, SUSPECT_HEX),
    (Dead(incarnation=1, node=NODE_B, sender="node-a"), "05" + SUSPECT_HEX[2:]),
]

STATE = PushPull(
    is_join=True,
    entries=(
        Entry(
            name=NODE_A,
            address=ADDRESS_A,
            incarnation=1,
            meta=b"",
            state=0,
            versions=VERSIONS,
        ),
    ),
)
STATE_HEX = """06 83 a44a6f696ec3 a54e6f64657301 ac5573657253746174654c656e00
 87 a441646472a40a000001 ab496e6361726e6174696f6e01 a44d657461c0 a44e616d65a66e6f64652d61
 a4506f7274cd1f0a a5537461746500 a356736ea6010502000000"""

SECRET = b"AAECAwQFBgcICQoLDA0ODw"
NONCE = bytes.fromhex("000102030405060708090a0b")
SEALED_SUSPECT = bytes.fromhex(
    """01 000102030405060708090a0b 9f08433202b0c25c12e36cc78089abb805b073071cc90676c3068ef6c8243c6d
 ce4baa02ccb4c32efe7aeec99da6f6efcd9a8a53ccb335"""
)
SEALED_STATE = bytes.fromhex(
    """0a 00000095 01 000102030405060708090a0b
 950943351cb8c0fadfce7dc477e869f166df30d096e568286f22b62bc5ed
 949468896faa80bac6cf5e0b5169dcdd8fed68f4abb04c8e049de6ae7436364f50543ca5469b1885a121289e6c5c0f1919c4
 c9c41d0a015d5992bdf348e9b29fc09ec95ddf4cbeb7c32622ed736158d2dfc68e8645b140b3b1be5c6e581d01775c2cb1b9
 2c988c339732"""
)


def ring() -> Keyring:
    return Keyring([derive_key(SECRET)], aead=AesGcm, nonce=lambda: NONCE)


@pytest.mark.parametrize(("message", "text"), MESSAGES, ids=lambda value: type(value).__name__)
def test_messages(message, text):
    data = bytes.fromhex(text)
    assert encode_message(message) == data
    assert decode_message(Reader(data)) == message


def test_checksum():
    data = bytes.fromhex("0cb088bf40" + SUSPECT_HEX)
    assert with_checksum(encode_message(SUSPECT)) == data
    assert OpenedDatagram(data).messages == [SUSPECT]


def test_compound():
    data = bytes.fromhex("070200450027" + PING_HEX + SUSPECT_HEX)
    assert compound([encode_message(PING), encode_message(SUSPECT)]) == data
    assert OpenedDatagram(data).messages == [PING, SUSPECT]


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"A", "0982a4416c676f00a3427566a400830404"),
        (b"AB" * 16, "0982a4416c676f00a3427566af008308114870a0c182080f2a141810"),
        (b"ABAB" * 8, "0982a4416c676f00a3427566af008308114870a0c182080f2a141810"),
        (b"", "0982a4416c676f00a3427566a3000302"),
    ],
)
def test_compression(content, text):
    data = bytes.fromhex(text)
    assert compressed(content) == data
    assert inflate(data[len("0982a4416c676f00a3427566a4") // 2 :], 100) == content


def test_state():
    data = bytes.fromhex(STATE_HEX)
    assert encode_stream_message(STATE) == data
    assert StreamParser(None, accepts_plain=True).feed(data) == STATE


@pytest.mark.parametrize(
    ("secret", "key"),
    [
        (SECRET, "41414543417751464267634943516f4c4441304f4477e3b0c44298fc1c149afb"),
        (
            b"0123456789abcdef0123456789abcdefEXTRA",
            "3031323334353637383961626364656630313233343536373839616263646566",
        ),
        (b"short\n", b"short\n".hex() + "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495"),
    ],
)
def test_keys(secret, key):
    assert derive_key(secret) == bytes.fromhex(key)


def test_encrypted_datagram():
    assert ring().seal(bytes.fromhex(SUSPECT_HEX), b"") == SEALED_SUSPECT
    assert ring().open(SEALED_SUSPECT, b"") == bytes.fromhex(SUSPECT_HEX)


def test_encrypted_connection():
    assert len(compressed(encode_stream_message(STATE))) == 120
    assert frame(encode_stream_message(STATE), compress=True, keyring=ring()) == SEALED_STATE
    assert StreamParser(ring(), accepts_plain=False).feed(SEALED_STATE) == STATE


@pytest.mark.parametrize(
    ("members", "shortest"),
    [(1, 4), (3, 4), (10, 4), (20, 5.204), (50, 6.792), (100, 8), (500, 10.792)],
)
def test_shortest_suspicion_lan(members, shortest):
    found = min_timeout_s(LAN.suspicion_mult, members, LAN.probe_interval_s)
    assert found == pytest.approx(shortest)


@pytest.mark.parametrize(("members", "expected"), [(2, 0), (3, 0), (4, 2), (10, 2), (100, 2)])
def test_confirmations_lan(members, expected):
    assert confirmations_expected(LAN.suspicion_mult, members) == expected


@pytest.mark.parametrize(("confirmations", "length"), [(0, 24), (1, 11.381), (2, 4)])
def test_suspicion_lan_up_to_ten_members(confirmations, length):
    assert timeout_s(confirmations, 2, 4.0, 24.0) == length


def test_suspicion_of_two_or_three_members_is_the_shortest():
    assert timeout_s(0, 0, 4.0, 24.0) == 4.0


def test_suspicion_wan():
    assert min_timeout_s(WAN.suspicion_mult, 10, WAN.probe_interval_s) == 30
    assert confirmations_expected(WAN.suspicion_mult, 10) == 4
