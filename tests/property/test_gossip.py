"""Members on a simulated network; codecs on any input."""

from ipaddress import IPv4Address, IPv6Address
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.gossip_network import GossipNetwork, address_of, keyring_of

from ferrolb.gossip import (
    JoinFailed,
    JoinSucceeded,
    LeaveDone,
    Membership,
    SocketAddress,
    UserMessage,
    derive_key,
)
from ferrolb.gossip.framing import OpenedDatagram, compound, compressed, frame, with_checksum
from ferrolb.gossip.lzw import deflate, inflate
from ferrolb.gossip.messages import (
    Ack,
    Alive,
    Dead,
    Entry,
    IndirectPing,
    Message,
    Nack,
    Ping,
    PushPull,
    Suspect,
    User,
    decode_message,
    decode_stream_message,
    encode_message,
    encode_stream_message,
)
from ferrolb.gossip.parser import StreamParser
from ferrolb.model import NodeName
from ferrolb.wire import Reader, WireError

KEY = derive_key(b"a secret of a cluster")

names = st.text(min_size=1, max_size=60).filter(lambda text: len(text.encode()) <= 253)
node_names = names.map(NodeName)
numbers = st.integers(0, 2**32 - 1)
ips = st.one_of(
    st.integers(1, 2**32 - 1).map(IPv4Address), st.integers(1, 2**128 - 1).map(IPv6Address)
).filter(lambda ip: not ip.is_multicast and not (isinstance(ip, IPv6Address) and ip.ipv4_mapped))
addresses = st.builds(SocketAddress, ips, st.integers(1, 65535))
metas = st.binary(max_size=512)
versions = st.binary(min_size=6, max_size=6)
messages: st.SearchStrategy[Message] = st.one_of(
    st.builds(
        Ping,
        sequence=numbers,
        node=names,
        source=st.none() | addresses,
        source_node=st.just("") | names,
    ),
    st.builds(
        IndirectPing,
        sequence=numbers,
        node=names,
        target=addresses,
        wants_nack=st.booleans(),
        source=st.none() | addresses,
    ),
    st.builds(Ack, sequence=numbers, payload=st.none() | st.binary(max_size=100)),
    st.builds(Nack, sequence=numbers),
    st.builds(Suspect, incarnation=numbers, node=node_names, sender=names),
    st.builds(Dead, incarnation=numbers, node=node_names, sender=names),
    st.builds(
        Alive,
        incarnation=numbers,
        node=node_names,
        address=addresses,
        meta=metas,
        versions=versions,
    ),
    st.builds(User, data=st.binary(max_size=100)),
)
entries = st.builds(
    Entry,
    name=node_names,
    address=addresses,
    incarnation=numbers,
    meta=metas,
    state=st.integers(0, 3),
    versions=versions,
)
states = st.builds(
    PushPull,
    is_join=st.booleans(),
    entries=st.lists(entries, max_size=4).map(tuple),
    user_state=st.binary(max_size=40),
)


def member(*, keyed: bool = False) -> Membership:
    machine = Membership(
        GossipNetwork()._settings,
        name=NodeName("n1"),
        address=address_of(1),
        keyring=keyring_of(KEY) if keyed else None,
        random=Random(1),
    )
    machine.start(now=0.0)
    return machine


@given(messages)
def test_decoding_a_message_undoes_encoding(message):
    assert decode_message(Reader(encode_message(message))) == message


@given(states)
def test_decoding_a_state_undoes_encoding(state):
    assert decode_stream_message(Reader(encode_stream_message(state))) == state


@given(st.binary(max_size=3000) | st.text("ab", max_size=9000).map(str.encode))
def test_inflating_undoes_deflating(data):
    assert inflate(deflate(data), len(data)) == data


def test_long_data_pass_the_largest_code_and_come_back():
    data = Random(5).randbytes(30_000) + b"abc" * 20_000
    assert inflate(deflate(data), len(data)) == data


@given(st.lists(messages, min_size=1, max_size=5), st.booleans(), st.booleans())
def test_layers_of_a_datagram_come_off(parts, is_compressed, has_checksum):
    content = compound([encode_message(part) for part in parts])
    content = compressed(content) if is_compressed else content
    content = with_checksum(content) if has_checksum else content
    opened = OpenedDatagram(content)
    assert (opened.messages, opened.drops) == (parts, [])


@given(st.binary(max_size=200), st.booleans())
def test_any_datagram_is_survived(data, keyed):
    machine = member(keyed=keyed)
    for payload in (data, bytes([7, 1]) + len(data).to_bytes(2, "big") + data):
        machine.on_datagram(payload, address_of(9), now=1.0)
    if keyed:
        assert sum(machine.drops.values()) == 2


@given(st.binary(max_size=200))
def test_any_message_body_is_read_or_refused(body):
    for kind in range(16):
        OpenedDatagram(bytes([kind]) + body)


@given(st.lists(st.binary(max_size=80), max_size=6), st.booleans(), st.booleans())
def test_any_connection_is_survived(parts, keyed, is_outgoing):
    machine = member(keyed=keyed)
    if is_outgoing:
        machine.join([address_of(2)], now=0.0)
        stream = machine.streams_to_open()[0].stream
        machine.on_stream_opened(stream, now=0.0)
    else:
        accepted = machine.on_stream_accepted(address_of(2), now=0.0)
        assert accepted is not None
        stream = accepted
    for part in parts:
        machine.on_stream_bytes(stream, part, now=0.1)
    machine.on_stream_closed(stream, now=0.2)
    machine.on_deadline(now=100.0)
    assert sum(write.close for write in machine.stream_writes()) <= 1


@given(states, st.booleans(), st.booleans(), st.data())
def test_sliced_connections_read_as_whole_ones(state, is_compressed, keyed, data):
    ring = keyring_of(KEY) if keyed else None
    whole = frame(encode_stream_message(state), compress=is_compressed, keyring=ring)
    parser = StreamParser(ring, accepts_plain=False)
    cuts = data.draw(st.lists(st.integers(0, len(whole)), max_size=8).map(sorted))
    results = [
        parser.feed(whole[start:end])
        for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True)
    ]
    found = [result for result in results if result is not None]
    assert found[0] == state
    assert StreamParser(ring, accepts_plain=False).feed(whole) == state


@settings(max_examples=20)
@given(states, st.booleans())
def test_single_bytes_read_as_the_whole(state, is_compressed):
    whole = frame(encode_stream_message(state), compress=is_compressed, keyring=None)
    parser = StreamParser(None, accepts_plain=True)
    results = [parser.feed(whole[at : at + 1]) for at in range(len(whole))]
    assert results[:-1] == [None] * (len(whole) - 1)
    assert results[-1] == state


@given(st.binary(max_size=300))
def test_any_plain_content_is_read_or_refused_by_any_slices(data):
    def outcome(size: int) -> object:
        parser = StreamParser(None, accepts_plain=True)
        try:
            parts = [parser.feed(data[at : at + size]) for at in range(0, len(data), size)]
        except WireError:
            return "refused"
        return next((part for part in parts if part is not None), None)

    assert outcome(1) == outcome(len(data) or 1)


@pytest.mark.parametrize("keys", [(), (KEY,)])
@pytest.mark.parametrize("count", [2, 3, 5, 10])
def test_members_that_join_one_find_all(count, keys):
    network = GossipNetwork(seed=count, keys=keys)
    hosts = network.cluster(count)
    everybody = {f"n{number}" for number in range(1, count + 1)}
    assert [host.live for host in hosts] == [everybody] * count
    assert all(len(host.joined()) == count - 1 for host in hosts)
    assert all(not host.membership.drops for host in hosts)


@pytest.mark.parametrize("seed", range(12))
def test_a_crash_among_three_is_detected_in_5_to_8_seconds(seed):
    network = GossipNetwork(seed=seed)
    hosts = network.cluster(3)
    network.run(Random(seed).uniform(1, 4))
    began = network.now
    network.crash(3)
    assert network.run(9, until=lambda: hosts[0].live == hosts[1].live == {"n1", "n2"})
    first = min(host.left()[0][0] for host in hosts[:2])
    assert 5.0 <= first - began <= 8.1
    assert network.now - began <= 8.6


@pytest.mark.parametrize("seed", range(4))
def test_a_crash_among_ten_is_detected_by_confirmations(seed):
    network = GossipNetwork(seed=seed)
    hosts = network.cluster(10)
    began = network.now
    network.crash(4)
    survivors = [host for host in hosts if host.is_up]
    assert network.run(14, until=lambda: all("n4" not in host.live for host in survivors))
    assert network.now - began < 12
    assert all(len(host.left()) == 1 for host in survivors)


@pytest.mark.parametrize("count", [2, 3, 10])
def test_leaving_is_known_within_a_second(count):
    network = GossipNetwork(seed=count)
    hosts = network.cluster(count)
    began = network.now
    network.leave(1)
    others = hosts[1:]
    assert network.run(1.0, until=lambda: all("n1" not in host.live for host in others))
    assert network.now - began <= 0.7
    network.run(1.1)
    done = [time for time, event in hosts[0].events if isinstance(event, LeaveDone)]
    assert len(done) == 1
    assert done[0] - began <= 1.0
    assert hosts[0].membership.next_deadline() is None


def test_a_member_that_is_alone_leaves_at_once():
    network = GossipNetwork()
    host = network.add(1)
    network.leave(1)
    network.run(0.01)
    assert [type(event) for _, event in host.events] == [LeaveDone]


@pytest.mark.parametrize("pause", [1.0, 8.0, 45.0])
def test_a_restarted_member_outbids_its_former_life(pause):
    network = GossipNetwork(seed=3)
    hosts = network.cluster(3)
    network.crash(3)
    network.run(pause)
    again = network.add(3, join=[1, 2])
    network.run(3)
    assert again.live == hosts[0].live == hosts[1].live == {"n1", "n2", "n3"}
    states = {m.state for h in (again, *hosts[:2]) for m in h.membership.members}
    assert len(states) == 1
    network.run(30)
    assert again.live == hosts[0].live == hosts[1].live == {"n1", "n2", "n3"}


@pytest.mark.parametrize("length", [40, 120])
def test_halves_find_each_other_by_a_join(length):
    network = GossipNetwork(seed=8)
    hosts = network.cluster(5)
    network.partition([1, 2], [3, 4, 5])
    network.run(length)
    assert hosts[0].live == {"n1", "n2"}
    assert hosts[4].live == {"n3", "n4", "n5"}
    network.heal()
    network.run(2)
    network.join(1, [3, 4, 5])
    network.run(5)
    assert all(len(host.live) == 5 for host in hosts)


def test_loss_of_a_tenth_kills_nobody_for_ten_minutes():
    network = GossipNetwork(seed=5, loss=0.1)
    hosts = network.cluster(5)
    network.run(600)
    assert all(host.left() == [] for host in hosts)


def test_an_hour_without_faults_is_quiet():
    network = GossipNetwork(seed=2)
    hosts = network.cluster(3)
    for host in hosts:
        host.events.clear()
        host.sent = 0
    network.run(3600)
    assert all(host.events == [] for host in hosts)
    assert all(not host.membership.drops for host in hosts)
    # A probe a second and the acks: no gossip when there is no news.
    assert all(host.sent < 3600 * 2.6 for host in hosts)
    assert all(host.membership.health_score == 0 for host in hosts)


def test_w16_dead_peers_do_not_delay_a_join():
    network = GossipNetwork()
    network.add(1)
    peers = [*range(50, 70), 1]
    newcomer = network.add(2, join=peers)
    assert network.run(
        1, until=lambda: any(isinstance(e, JoinSucceeded) for _, e in newcomer.events)
    )
    assert newcomer.live == {"n1", "n2"}
    network.run(30)
    failed = [event for _, event in newcomer.events if isinstance(event, JoinFailed)]
    assert len(failed) == 20


def test_more_peers_than_are_asked_at_a_time_are_all_settled_once():
    network = GossipNetwork()
    for number in range(1, 36):
        network.add(number, join=[1])
    network.run(5)
    newcomer = network.add(99, join=range(1, 36))
    network.run(5)
    joined = [e.peer for _, e in newcomer.events if isinstance(e, JoinSucceeded)]
    assert sorted(joined) == [address_of(number) for number in range(1, 36)]
    assert len(newcomer.live) == 36


def test_rotated_keys_are_understood():
    old, new = derive_key(b"old"), derive_key(b"new")
    network = GossipNetwork(keys=(old, new))
    first = network.add(1)
    network._keys = (new, old)
    second = network.add(2, join=[1])
    network.run(3)
    assert first.live == second.live == {"n1", "n2"}


def test_other_keys_stay_out():
    network = GossipNetwork(keys=(derive_key(b"one"),))
    first = network.add(1)
    network._keys = (derive_key(b"two"),)
    second = network.add(2, join=[1])
    network.run(3)
    assert (first.live, second.live) == ({"n1"}, {"n2"})
    assert [type(event) for _, event in second.events] == [JoinFailed]


def test_a_user_message_arrives_as_it_was_sent():
    network = GossipNetwork(keys=(KEY,))
    hosts = network.cluster(2)
    assert hosts[0].membership.send_user(address_of(2), b"hello")
    assert not hosts[0].membership.send_user(address_of(2), bytes(1400))
    network._flush("n1")
    network.run(0.1)
    messages = [event for _, event in hosts[1].events if isinstance(event, UserMessage)]
    assert messages == [UserMessage(address_of(1), b"hello")]
