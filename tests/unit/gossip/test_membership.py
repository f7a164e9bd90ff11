from ipaddress import IPv4Address, IPv6Address
from random import Random

import pytest
from tests.gossip_network import address_of, keyring_of

from ferrolb.gossip import (
    LAN,
    Event,
    GossipSettings,
    JoinFailed,
    JoinFailure,
    JoinSucceeded,
    LeaveDone,
    MemberJoined,
    MemberLeft,
    Membership,
    MemberState,
    MemberUpdated,
    SocketAddress,
    UserMessage,
)
from ferrolb.gossip.context import OWN_VERSIONS
from ferrolb.gossip.framing import OpenedDatagram, frame
from ferrolb.gossip.membership import push_pull_interval_s
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
    RemoteError,
    StreamMessage,
    Suspect,
    User,
    encode_message,
    encode_stream_message,
)
from ferrolb.gossip.parser import StreamParser
from ferrolb.model import NodeName

STRANGER = SocketAddress(IPv4Address("192.0.2.9"), 4000)
KEY = bytes(32)


class Bench:
    """One member and what is said to it; time is what the test says."""

    def __init__(self, settings: GossipSettings = LAN, *, keyed: bool = False) -> None:
        self.machine = Membership(
            settings,
            name=NodeName("n1"),
            address=address_of(1),
            keyring=keyring_of(KEY) if keyed else None,
            random=Random(7),
        )
        self.now = 0.0
        self.machine.start(now=0.0)

    def say(self, *messages: Message, source: SocketAddress = STRANGER) -> list[Event]:
        events = []
        for message in messages:
            data = encode_message(message)
            events += self.machine.on_datagram(data, source, now=self.now)
        return events

    def heard(self) -> list[tuple[SocketAddress, Message]]:
        """What the member has sent since last asked."""
        return [
            (datagram.to, message)
            for datagram in self.machine.datagrams_to_send()
            for message in OpenedDatagram(datagram.payload).messages
        ]

    def until(self, now: float) -> list[Event]:
        events = []
        while (due := self.machine.next_deadline()) is not None and due <= now:
            self.now = due
            events += self.machine.on_deadline(now=due)
        self.now = now
        return events

    def state(self, number: int) -> MemberState | None:
        found = [m.state for m in self.machine.members if m.name == f"n{number}"]
        return found[0] if found else None

    def incarnation(self) -> int:
        return next(m.incarnation for m in self.machine.members if m.name == "n1")

    def serve(self, message: StreamMessage) -> tuple[list[Event], StreamMessage | None]:
        """Send a request on a connection; return the events and the answer."""
        stream = self.machine.on_stream_accepted(STRANGER, now=self.now)
        assert stream is not None
        data = frame(encode_stream_message(message), compress=True, keyring=None)
        events = self.machine.on_stream_bytes(stream, data, now=self.now)
        (write,) = self.machine.stream_writes()
        assert write.close
        parser = StreamParser(None, accepts_plain=True)
        return events, parser.feed(write.data) if write.data else None

    def ask(self, answer: StreamMessage) -> list[Event]:
        """Join the stranger, who answers so."""
        self.machine.join([STRANGER], now=self.now)
        stream = self.machine.streams_to_open()[-1].stream
        self.machine.on_stream_opened(stream, now=self.now)
        data = frame(encode_stream_message(answer), compress=False, keyring=None)
        return self.machine.on_stream_bytes(stream, data, now=self.now)


def alive(number: int, incarnation: int = 1, **changes: object) -> Alive:
    fields = {
        "incarnation": incarnation,
        "node": NodeName(f"n{number}"),
        "address": address_of(number),
        "meta": b"",
        "versions": OWN_VERSIONS,
    }
    return Alive(**(fields | changes))  # type: ignore[arg-type]


def suspect(number: int, sender: str = "x", incarnation: int = 1) -> Suspect:
    return Suspect(incarnation=incarnation, node=NodeName(f"n{number}"), sender=sender)


def dead(number: int, sender: str = "x", incarnation: int = 1) -> Dead:
    return Dead(incarnation=incarnation, node=NodeName(f"n{number}"), sender=sender)


def entry(number: int, state: int = 0, **changes: object) -> Entry:
    fields = {
        "name": NodeName(f"n{number}"),
        "address": address_of(number),
        "incarnation": 1,
        "meta": b"",
        "state": state,
        "versions": OWN_VERSIONS,
    }
    return Entry(**(fields | changes))  # type: ignore[arg-type]


def test_a_new_member_is_told_once_and_its_metadata_when_they_change():
    bench = Bench()
    assert [type(e) for e in bench.say(alive(2), alive(2))] == [MemberJoined]
    assert bench.say(alive(2, 2)) == []
    assert [type(e) for e in bench.say(alive(2, 3, meta=b"m"))] == [MemberUpdated]
    assert bench.say(alive(2, 2, meta=b"old")) == []


def test_suspects_are_members_until_the_time_is_over():
    bench = Bench(GossipSettings(probe_interval_s=0, suspicion_mult=4))
    bench.say(alive(2), suspect(2))
    assert bench.state(2) is MemberState.SUSPECT
    assert [type(e) for e in bench.until(0.01)] == [MemberLeft]


def test_an_alive_of_a_higher_incarnation_clears_a_suspicion():
    bench = Bench()
    bench.say(alive(2), suspect(2), alive(2, 1))
    assert bench.state(2) is MemberState.SUSPECT
    bench.say(alive(2, 2))
    assert bench.state(2) is MemberState.ALIVE
    bench.say(suspect(2, incarnation=1))
    assert bench.state(2) is MemberState.ALIVE


def test_confirmations_shorten_a_suspicion_and_each_sender_counts_once():
    settings = GossipSettings(has_tcp_pings=False, probe_interval_s=1.0)
    bench = Bench(settings)
    bench.say(*(alive(n) for n in range(2, 7)))
    bench.machine._prober.stop()
    bench.say(suspect(2, "a"), suspect(2, "a"), suspect(2, "b"))
    assert bench.until(11.3) == []
    assert [type(e) for e in bench.until(11.4)] == [MemberLeft]
    bench.say(suspect(3, "a"), suspect(3, "b"), suspect(3, "c"), suspect(3, "d"))
    assert [type(e) for e in bench.until(11.4 + 4.001)] == [MemberLeft]


def test_death_and_leaving_end_a_membership_once():
    bench = Bench()
    bench.say(alive(2), alive(3))
    first = bench.say(dead(2), dead(2), dead(3, "n3"))
    assert [(e.member.name, e.member.state) for e in first if isinstance(e, MemberLeft)] == [
        ("n2", MemberState.DEAD),
        ("n3", MemberState.LEFT),
    ]
    assert bench.say(alive(2, 1), dead(2, incarnation=0)) == []
    assert [type(e) for e in bench.say(alive(2, 2))] == [MemberJoined]


def test_a_taken_name_with_another_address_is_a_conflict_unless_it_has_left():
    bench = Bench()
    moved = alive(2, 5, address=address_of(77))
    assert [type(e) for e in bench.say(alive(2), moved)] == [MemberJoined]
    bench.say(dead(2))
    assert bench.say(moved) == []
    assert bench.machine.drops == {"address_conflict": 2}
    bench.say(alive(2, 2), dead(2, "n2", incarnation=2))
    (event,) = bench.say(alive(2, 1, address=address_of(77)))
    assert isinstance(event, MemberJoined)
    assert event.member.address == address_of(77)


@pytest.mark.parametrize(
    "versions",
    [
        b"",
        b"\1\5\2",
        bytes([0, 5, 2, 0, 0, 0]),
        bytes([1, 0, 2, 0, 0, 0]),
        bytes([5, 4, 4, 0, 0, 0]),
    ],
)
def test_an_alive_without_sound_versions_is_ignored(versions):
    bench = Bench()
    assert bench.say(alive(2, versions=versions)) == []
    assert bench.machine.drops == {"bad_version": 1}


def test_port_0_is_the_own_one_and_a_mapped_address_is_the_ipv4_one():
    bench = Bench()
    bench.say(alive(2, address=SocketAddress(address_of(2).ip, 0)))
    mapped = IPv6Address(f"::ffff:{address_of(3).ip}")
    bench.say(alive(3, address=SocketAddress(mapped, 7946)))
    assert [m.address for m in bench.machine.members][1:] == [address_of(2), address_of(3)]


@pytest.mark.parametrize(
    "accusation",
    [suspect(1, incarnation=4), dead(1, incarnation=4), alive(1, 4), alive(1, 4, meta=b"m")],
)
def test_what_is_said_of_the_member_itself_is_outbid(accusation):
    bench = Bench()
    bench.say(alive(2), accusation)
    assert bench.incarnation() == 5
    assert bench.machine.health_score == 1
    bench.until(0.3)
    sent = {m.incarnation for _, m in bench.heard() if isinstance(m, Alive) and m.node == "n1"}
    assert sent == {5}


def test_its_own_word_coming_back_is_no_accusation():
    bench = Bench()
    bench.say(alive(1), alive(1, 0), suspect(1, incarnation=0))
    assert bench.incarnation() == 1
    bench.say(alive(1, 9, address=address_of(9)))
    assert bench.machine.drops == {"address_conflict": 1}


def test_the_same_incarnation_with_other_contents_is_outbid():
    bench = Bench()
    bench.say(alive(1, 1, meta=b"former"))
    assert bench.incarnation() == 2


def test_the_highest_incarnation_is_never_passed():
    bench = Bench()
    bench.say(suspect(1, incarnation=2**32 - 1))
    assert bench.incarnation() == 2**32 - 1


def test_accusations_of_strangers_are_dropped():
    bench = Bench()
    bench.say(suspect(5), dead(5))
    assert bench.machine.drops == {"unknown_node": 2}


def test_while_leaving_nothing_is_refuted():
    bench = Bench()
    bench.say(alive(2))
    bench.machine.leave(now=0.0)
    bench.machine.leave(now=0.0)
    bench.say(alive(1, 9), suspect(1, incarnation=9))
    assert bench.state(1) is None
    sent = [m for _, m in bench.heard() if not isinstance(m, Alive)]
    assert sent == [dead(1, "n1")]


def test_a_ping_is_acked_to_the_address_it_names_or_came_from():
    bench = Bench()
    bench.say(
        Ping(sequence=5, node="n1"),
        Ping(sequence=6, node="", source=address_of(3)),
        Ping(sequence=7, node="n2"),
    )
    assert bench.heard() == [(STRANGER, Ack(sequence=5)), (address_of(3), Ack(sequence=6))]
    assert bench.machine.drops == {"wrong_node": 1}


def test_strangers_get_no_gossip_and_members_do():
    bench = Bench()
    bench.say(alive(2))
    bench.say(Ping(sequence=5, node="n1"), Ping(sequence=6, node="n1", source=address_of(2)))
    assert [len(OpenedDatagram(d.payload).messages) for d in bench.machine.datagrams_to_send()] == [
        1,
        3,
    ]


@pytest.mark.parametrize("port", [7946, 0])
def test_an_indirect_ping_is_relayed_and_its_ack_comes_back(port):
    bench = Bench()
    target = SocketAddress(address_of(4).ip, port)
    bench.say(IndirectPing(sequence=9, node="n4", target=target, wants_nack=True))
    ((to, ping),) = bench.heard()
    assert isinstance(ping, Ping)
    assert (to, ping.node, ping.source) == (address_of(4), "n4", address_of(1))
    bench.say(Ack(sequence=ping.sequence))
    assert bench.heard() == [(STRANGER, Ack(sequence=9))]
    bench.say(Ack(sequence=ping.sequence))
    assert bench.machine.drops == {"unexpected": 1}


@pytest.mark.parametrize("wants_nack", [True, False])
def test_without_an_ack_a_relay_ends_in_the_nack_that_was_asked_for(wants_nack):
    bench = Bench()
    request = IndirectPing(
        sequence=9, node="n4", target=address_of(4), wants_nack=wants_nack, source=address_of(8)
    )
    bench.say(request)
    bench.heard()
    bench.until(0.51)
    assert bench.heard() == ([(address_of(8), Nack(sequence=9))] if wants_nack else [])


def probed(bench: Bench) -> Ping:
    """Let time pass until a ping is sent."""
    for _ in range(5):
        due = bench.machine.next_deadline()
        assert due is not None
        bench.until(due)
        for _, message in bench.heard():
            if isinstance(message, Ping):
                return message
    raise AssertionError("no ping")


def test_an_ack_in_time_ends_a_probe():
    bench = Bench()
    bench.say(alive(2), suspect(1))
    ping = probed(bench)
    bench.say(Ack(sequence=ping.sequence + 1), Nack(sequence=1))
    assert bench.machine.drops == {"unexpected": 2}
    bench.say(Ack(sequence=ping.sequence))
    assert bench.machine.health_score == 0
    bench.until(bench.now + 0.7)
    assert bench.state(2) is MemberState.ALIVE
    assert bench.machine.streams_to_open() == []


def test_a_silent_member_is_asked_for_through_others_and_by_tcp_then_suspected():
    bench = Bench()
    bench.say(alive(2))
    ping = probed(bench)
    old = bytes([1, 3, 2, 0, 0, 0])
    bench.say(alive(3), alive(4), alive(5, versions=old), alive(6))
    began = bench.now
    bench.until(began + 0.51)
    requests = [(to, m) for to, m in bench.heard() if isinstance(m, IndirectPing)]
    assert len(requests) == 3
    assert {m.sequence for _, m in requests} == {ping.sequence}
    assert all(m.wants_nack == (to != address_of(5)) for to, m in requests)
    (request,) = bench.machine.streams_to_open()
    assert request.to == address_of(2)
    expected = sum(m.wants_nack for _, m in requests)
    bench.say(*[Nack(sequence=ping.sequence)] * 5)
    bench.until(began + 1.001)
    assert bench.state(2) is MemberState.SUSPECT
    assert expected >= 2
    assert bench.machine.health_score == 0


def test_missing_nacks_cast_doubt_on_oneself():
    bench = Bench()
    bench.say(alive(2))
    probed(bench)
    bench.say(alive(3), alive(4))
    bench.until(bench.now + 1.001)
    assert bench.machine.health_score == 2


def test_an_answer_by_tcp_is_an_answer():
    bench = Bench()
    bench.say(alive(2))
    ping = probed(bench)
    bench.until(bench.now + 0.51)
    (request,) = bench.machine.streams_to_open()
    bench.machine.on_stream_opened(request.stream, now=bench.now)
    (write,) = bench.machine.stream_writes()
    parser = StreamParser(None, accepts_plain=True)
    assert parser.feed(write.data) == ping
    data = frame(encode_stream_message(Ack(sequence=ping.sequence)), compress=True, keyring=None)
    bench.machine.on_stream_bytes(request.stream, data, now=bench.now)
    bench.until(bench.now + 0.5)
    assert bench.state(2) is MemberState.ALIVE


def test_a_suspect_is_told_so_with_its_ping():
    bench = Bench()
    bench.say(alive(2), suspect(2, "a"))
    due = bench.machine.next_deadline()
    while due is not None and not (sent := bench.machine.datagrams_to_send()):
        bench.until(due)
        due = bench.machine.next_deadline()
    found = [m for d in sent for m in OpenedDatagram(d.payload).messages]
    if not any(isinstance(m, Ping) for m in found):
        probed(bench)
    assert suspect(2, "n1") in found or suspect(2, "a") in found


def test_verdicts_after_a_stall_are_put_off():
    bench = Bench()
    bench.say(alive(2), alive(3), suspect(3))
    probed(bench)
    events = bench.machine.on_deadline(now=100.0)
    assert events == []
    assert bench.state(2) is MemberState.ALIVE
    assert bench.state(3) is MemberState.SUSPECT
    assert bench.machine.health_score == 1
    bench.now = 100.0
    assert [type(e) for e in bench.until(100.6)] == [MemberLeft]


def test_being_early_is_harmless():
    bench = Bench()
    bench.say(alive(2))
    due = bench.machine.next_deadline()
    assert bench.machine.on_deadline(now=0.0) == []
    assert bench.machine.next_deadline() == due


def test_intervals_of_0_switch_rounds_off():
    settings = GossipSettings(probe_interval_s=0, gossip_interval_s=0, push_pull_interval_s=0)
    bench = Bench(settings)
    assert bench.machine.next_deadline() is None
    bench.say(alive(2))
    assert bench.machine.next_deadline() is None


@pytest.mark.parametrize(("count", "factor"), [(1, 1), (32, 1), (33, 2), (64, 2), (65, 3)])
def test_exchanges_of_state_become_rarer_in_large_clusters(count, factor):
    assert push_pull_interval_s(30, count) == 30 * factor


def test_a_state_is_answered_with_what_was_known_before_it_is_merged():
    bench = Bench()
    events, answer = bench.serve(PushPull(is_join=True, entries=(entry(2),)))
    assert isinstance(answer, PushPull)
    assert answer.is_join
    assert [e.name for e in answer.entries] == ["n1"]
    assert [type(e) for e in events] == [MemberJoined]


def test_merging_verifies_death_by_hearsay_and_believes_leaving():
    bench = Bench()
    bench.say(alive(2), alive(3), alive(4))
    entries = (entry(2, 2), entry(3, 1), entry(4, 3), entry(5, 9))
    events, _ = bench.serve(PushPull(is_join=False, entries=entries))
    assert [bench.state(n) for n in (2, 3, 4, 5)] == [MemberState.SUSPECT] * 2 + [None] * 2
    assert [type(e) for e in events] == [MemberLeft]
    assert bench.machine.drops == {"malformed": 1}


@pytest.mark.parametrize(
    "versions",
    [b"", bytes([3, 5, 4, 0, 0, 0]), bytes([1, 5, 6, 0, 0, 0]), bytes([1, 5, 2, 0, 0, 1])],
)
def test_a_state_with_incompatible_versions_changes_nothing(versions):
    bench = Bench()
    events = bench.ask(PushPull(is_join=True, entries=(entry(2), entry(3, versions=versions))))
    assert events == [JoinFailed(STRANGER, JoinFailure.INCOMPATIBLE)]
    assert len(bench.machine.members) == 1


@pytest.mark.parametrize(
    ("answer", "reason", "drop"),
    [
        (RemoteError(text="no"), JoinFailure.REMOTE_ERROR, "remote_error"),
        (Ack(sequence=1), JoinFailure.MALFORMED, "unexpected"),
        (Ping(sequence=1, node="n1"), JoinFailure.MALFORMED, "unexpected"),
    ],
)
def test_other_answers_fail_a_join(answer, reason, drop):
    bench = Bench()
    assert bench.ask(answer) == [JoinFailed(STRANGER, reason)]
    assert bench.machine.drops == {drop: 1}


def test_a_join_ends_with_success_or_time():
    bench = Bench()
    assert JoinSucceeded(STRANGER) in bench.ask(PushPull(is_join=True, entries=(entry(2),)))
    bench.machine.join([STRANGER, STRANGER, address_of(1)], now=0.0)
    (request,) = bench.machine.streams_to_open()
    bench.machine._prober.stop()
    assert JoinFailed(STRANGER, JoinFailure.TIMEOUT) in bench.until(10.1)
    assert bench.machine.on_stream_bytes(request.stream, b"late", now=11.0) == []
    assert bench.machine.on_stream_opened(request.stream, now=11.0) == []
    assert bench.machine.on_stream_closed(request.stream, now=11.0) == []


def test_requests_on_connections():
    bench = Bench()
    assert bench.serve(Ping(sequence=3, node="n1")) == ([], Ack(sequence=3))
    assert bench.serve(Ping(sequence=3, node="other")) == ([], None)
    assert bench.serve(Ack(sequence=3)) == ([], None)
    assert bench.serve(User(data=b"u")) == ([UserMessage(STRANGER, b"u")], None)
    assert bench.machine.drops == {"wrong_node": 1, "unexpected": 1}


def test_an_accepted_connection_is_closed_in_time():
    bench = Bench()
    stream = bench.machine.on_stream_accepted(STRANGER, now=0.0)
    assert stream is not None
    assert bench.machine.on_stream_opened(stream, now=0.0) == []
    bench.until(10.1)
    assert [(w.stream, w.close) for w in bench.machine.stream_writes()] == [(stream, True)]
    assert bench.machine.drops == {"stream_timeout": 1}


def test_unverified_input_may_be_plain_if_the_settings_say_so():
    bench = Bench(GossipSettings(verify_incoming=False), keyed=True)
    assert [type(e) for e in bench.say(alive(2))] == [MemberJoined]
    strict = Bench(keyed=True)
    assert strict.say(alive(2)) == []
    assert strict.machine.drops == {"plaintext": 1}
    stream = strict.machine.on_stream_accepted(STRANGER, now=0.0)
    assert stream is not None
    strict.machine.on_stream_bytes(stream, b"\x09", now=0.0)
    assert strict.machine.drops == {"plaintext": 2}


def test_the_dead_are_gossiped_to_for_a_while_and_then_forgotten():
    bench = Bench()
    bench.say(alive(2), dead(2))
    bench.until(1.0)
    assert address_of(2) in {to for to, _ in bench.heard()}
    bench.until(40)
    assert len(bench.machine._roster) == 1
    bench.say(dead(2))
    assert bench.machine.drops == {"unknown_node": 1}


def test_addresses_print_as_urls_have_them():
    assert str(STRANGER) == "192.0.2.9:4000"
    assert str(SocketAddress(IPv6Address("2001:db8::1"), 1)) == "[2001:db8::1]:1"


def test_what_a_member_tells_of_itself():
    assert Bench().machine.address == address_of(1)


def test_leaving_before_the_start_is_done_at_once():
    machine = Membership(
        LAN, name=NodeName("n1"), address=address_of(1), keyring=None, random=Random(1)
    )
    machine.leave(now=5.0)
    assert [type(event) for event in machine.on_deadline(now=5.0)] == [LeaveDone]
    assert machine.next_deadline() is None


def test_peers_that_wait_are_asked_when_others_have_failed():
    bench = Bench()
    bench.machine.join([address_of(n) for n in range(2, 36)], now=0.0)
    first = bench.machine.streams_to_open()
    assert len(first) == 32
    bench.machine.on_stream_closed(first[0].stream, now=0.0)
    (request,) = bench.machine.streams_to_open()
    assert request.to == address_of(34)


def test_a_frame_is_read_from_single_bytes():
    sender, reader = keyring_of(KEY), StreamParser(keyring_of(KEY), accepts_plain=False)
    data = frame(encode_stream_message(Ack(sequence=1)), compress=True, keyring=sender)
    found = [reader.feed(data[at : at + 1]) for at in range(len(data))]
    assert found == [None] * (len(data) - 1) + [Ack(sequence=1)]
