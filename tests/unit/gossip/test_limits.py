"""What strangers can make grow, and where it ends."""

import tracemalloc
from random import Random

import pytest
from tests.gossip_network import address_of, keyring_of

from ferrolb.gossip import (
    INCOMING_STREAMS_MAX,
    LAN,
    DropReason,
    JoinFailed,
    Membership,
    SocketAddress,
)
from ferrolb.gossip.constants import (
    FRAME_MAX_BYTES,
    INFLATED_STREAM_MAX_BYTES,
    MEMBERS_MAX,
    MESSAGES_PER_DATAGRAM_MAX,
    PLAIN_STREAM_MAX_BYTES,
    RELAYS_MAX,
    RELAYS_PER_S,
    STREAM_BUFFERS_MAX_BYTES,
    USER_MESSAGE_MAX_BYTES,
)
from ferrolb.gossip.context import OWN_VERSIONS
from ferrolb.gossip.errors import MalformedError
from ferrolb.gossip.framing import OpenedDatagram, compound, compressed, with_checksum
from ferrolb.gossip.messages import (
    Ack,
    Alive,
    IndirectPing,
    Nack,
    PushPull,
    encode_message,
    encode_stream_message,
)
from ferrolb.gossip.msgpack import pack_map, pack_raw, pack_signed
from ferrolb.gossip.parser import StreamParser
from ferrolb.model import NodeName
from ferrolb.wire import WireError

STRANGER = address_of(60_000)


def member(*, keyed: bool = False) -> Membership:
    machine = Membership(
        LAN,
        name=NodeName("n1"),
        address=address_of(1),
        keyring=keyring_of(bytes(32)) if keyed else None,
        random=Random(1),
    )
    machine.start(now=0.0)
    return machine


def claim(number: int) -> Alive:
    return Alive(
        incarnation=1,
        node=NodeName(f"n{number}"),
        address=SocketAddress(address_of(number).ip, 7946),
        meta=b"",
        versions=OWN_VERSIONS,
    )


def refusal(data: bytes) -> DropReason:
    with pytest.raises(MalformedError) as caught:
        StreamParser(None, accepts_plain=True).feed(data)
    return caught.value.reason


def test_ten_thousand_claimed_members_take_bounded_memory():
    machine = member()
    tracemalloc.start()
    try:
        for number in range(2, 10_002):
            machine.on_datagram(encode_message(claim(number)), STRANGER, now=1.0)
            machine.datagrams_to_send()
        used = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert len(machine.members) == MEMBERS_MAX
    assert machine.drops == {"members_full": 10_001 - MEMBERS_MAX}
    assert used < 16_000_000


def test_a_state_of_more_entries_than_members_is_refused():
    fields = pack_raw(b"Nodes") + pack_signed(MEMBERS_MAX + 1)
    assert refusal(b"\x06" + pack_map(1) + fields) == "too_large"


def test_a_flood_without_the_key_changes_nothing_but_a_counter():
    machine = member(keyed=True)
    noise = Random(3)
    tracemalloc.start()
    try:
        for _ in range(2_000):
            machine.on_datagram(b"\1" + noise.randbytes(200), STRANGER, now=1.0)
        used = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert machine.drops == {"undecryptable": 2_000}
    assert machine.datagrams_to_send() == []
    assert used < 100_000


def test_a_bomb_in_a_datagram_is_refused_also_in_parts():
    part = compressed(bytes(40_000))
    opened = OpenedDatagram(compound([part] * 200))
    assert opened.drops.count(DropReason.TOO_LARGE) == 199


def test_a_bomb_on_a_connection_is_refused():
    bomb = compressed(bytes(INFLATED_STREAM_MAX_BYTES + 1))
    assert len(bomb) < 6_000
    assert refusal(bomb) == "too_large"


def test_layers_and_parts_of_a_datagram_are_limited():
    ack = encode_message(Ack(sequence=1))
    content = ack
    for _ in range(4):
        content = with_checksum(content)
    assert OpenedDatagram(content).messages == [Ack(sequence=1)]
    assert OpenedDatagram(with_checksum(content)).drops == [DropReason.TOO_DEEP]
    parts = compound([compound([b""] * 255)] * 20)
    drops = OpenedDatagram(parts).drops
    assert drops.count(DropReason.EMPTY) <= MESSAGES_PER_DATAGRAM_MAX
    assert DropReason.TOO_LARGE in drops


def packed(kind: int, **fields: str) -> bytes:
    """Return a message of fields whose values are hex."""
    items = [pack_raw(name.encode()) + bytes.fromhex(value) for name, value in fields.items()]
    return bytes([kind]) + pack_map(len(items)) + b"".join(items)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"c", "unknown_type"),
        (b"\xf4\1a", "label"),
        (b"\x0c\0\0\0\1", "bad_checksum"),
        (b"\x0c\0", "malformed"),
        (b"\7\1", "malformed"),
        (b"\7\1\0\5", "malformed"),
        (packed(9, Buf="c0"), "malformed"),
        (packed(9, Algo="01", Buf="a400830404"), "malformed"),
        (packed(0, Node="05"), "malformed"),
        (packed(0, Node="a1ff"), "malformed"),
        (packed(0, Node="da00fe" + "61" * 254), "too_large"),
        (packed(3, Incarnation="01", From="a161"), "malformed"),
        (packed(1, Target="a40a000001", Nack="05"), "malformed"),
        (packed(1, Target="a3010203"), "bad_address"),
        (packed(1, Target="a400000000"), "bad_address"),
        (packed(1, Target="a4e0000001"), "bad_address"),
    ],
)
def test_unusable_datagrams_are_counted_by_reason(data, reason):
    machine = member()
    machine.on_datagram(data, STRANGER, now=0.0)
    assert machine.drops == {reason: 1}


@pytest.mark.parametrize(
    ("value", "reason"),
    [("a161", "malformed"), ("ff", "malformed"), ("cf0000000100000000", "too_large")],
)
def test_numbers_out_of_range_are_refused(value, reason):
    data = b"\x0b" + pack_map(1) + pack_raw(b"SeqNo") + bytes.fromhex(value)
    assert OpenedDatagram(data).drops == [reason]


def test_relays_are_limited_by_rate_and_by_number():
    machine = member()
    request = encode_message(IndirectPing(sequence=1, node="x", target=address_of(9)))
    for _ in range(RELAYS_PER_S + 50):
        machine.on_datagram(request, STRANGER, now=0.0)
    assert machine.drops == {"relays_full": 50}
    assert len(machine.datagrams_to_send()) == RELAYS_PER_S
    for step in range(1, 400):
        machine.on_datagram(request, STRANGER, now=1.0 + step)
    assert len(machine._relays) == RELAYS_MAX


def test_connections_are_limited():
    machine = member()
    streams = [
        machine.on_stream_accepted(STRANGER, now=0.0) for _ in range(INCOMING_STREAMS_MAX + 1)
    ]
    assert streams[-1] is None
    assert None not in streams[:-1]
    assert machine.drops == {"streams_full": 1}


def test_a_frame_beyond_the_limit_is_refused_at_its_head():
    parser = StreamParser(keyring_of(bytes(32)), accepts_plain=False)
    with pytest.raises(MalformedError) as caught:
        parser.feed(b"\x0a" + (FRAME_MAX_BYTES + 1).to_bytes(4, "big"))
    assert caught.value.reason == "too_large"


def test_an_encrypted_frame_without_a_key_here_is_refused():
    assert refusal(b"\x0a") == "undecryptable"


def test_plain_content_is_limited():
    endless = b"\x06" + encode_stream_message(PushPull(is_join=False, entries=()))[1:]
    assert StreamParser(None, accepts_plain=True).feed(endless) is not None
    size = (PLAIN_STREAM_MAX_BYTES + 1).to_bytes(4, "big")
    assert refusal(b"\x09" + pack_map(1) + pack_raw(b"Buf") + b"\xdb" + size) == "too_large"
    with pytest.raises(WireError):
        StreamParser(None, accepts_plain=True).feed(b"\x09" + pack_map(1) + b"\xda\xff\xff" * 20)
    with pytest.raises(WireError):
        StreamParser(None, accepts_plain=True).feed(b"\x00\x81\xa1k\xda\xff\xff" + bytes(5_000))
    user = pack_map(1) + pack_raw(b"UserMsgLen") + pack_signed(USER_MESSAGE_MAX_BYTES + 1)
    assert refusal(b"\x08" + user) == "too_large"


def test_many_maps_without_an_end_are_limited():
    head = b"\x06" + pack_map(1) + pack_raw(b"Nodes") + pack_signed(MEMBERS_MAX)
    filler = pack_map(1) + pack_raw(b"k") + pack_raw(bytes(3_000))
    parser = StreamParser(None, accepts_plain=True)
    parser.feed(head)
    while parser.buffered_bytes + len(filler) <= PLAIN_STREAM_MAX_BYTES:
        assert parser.feed(filler) is None
    with pytest.raises(MalformedError) as caught:
        parser.feed(filler)
    assert caught.value.reason == "too_large"


def test_when_all_connections_together_are_too_long_the_longest_is_cut():
    machine = member(keyed=True)
    streams = [machine.on_stream_accepted(STRANGER, now=0.0) for _ in range(4)]
    machine.join([STRANGER], now=0.0)
    outgoing = machine.streams_to_open()[0].stream
    machine.on_stream_opened(outgoing, now=0.0)
    machine.stream_writes()
    head = b"\x0a" + FRAME_MAX_BYTES.to_bytes(4, "big")
    chunk = bytes(STREAM_BUFFERS_MAX_BYTES // 4)
    for stream in streams[:3]:
        assert stream is not None
        machine.on_stream_bytes(stream, head + chunk, now=0.0)
    assert machine.stream_writes() == []
    events = machine.on_stream_bytes(outgoing, head + chunk + b"longest", now=0.0)
    assert [type(event) for event in events] == [JoinFailed]
    assert [(w.stream, w.close) for w in machine.stream_writes()] == [(outgoing, True)]
    assert machine.drops == {"streams_full": 1}


def test_peers_that_wait_for_their_join_are_limited():
    machine = member()
    machine.join((address_of(n) for n in range(2, MEMBERS_MAX + 100)), now=0.0)
    assert len(machine._streams._waiting) == MEMBERS_MAX


def test_stray_answers_leave_nothing_behind():
    machine = member()
    for number in range(1_000):
        machine.on_datagram(encode_message(Ack(sequence=number)), STRANGER, now=0.0)
        machine.on_datagram(encode_message(Nack(sequence=number)), STRANGER, now=0.0)
    assert machine.drops == {"unexpected": 2_000}


def test_timers_that_move_often_do_not_pile_up():
    machine = member()
    machine.on_datagram(encode_message(claim(2)), STRANGER, now=0.0)
    timers = machine._context.timers
    for step in range(10_000):
        timers.set(next(iter(timers._deadlines)), 1_000.0 + step)
    assert len(timers._heap) < 200
