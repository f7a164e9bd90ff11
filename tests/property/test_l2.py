"""Any bytes, any order of commands: the codecs and the announcer beside plain models."""

from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address, ip_address

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)

from ferrolb.l2 import (
    ROUND_INTERVAL_S,
    ROUNDS_PER_TICK,
    Announcer,
    ArpPacket,
    Claimed,
    Drop,
    DropReason,
    FrameError,
    Interface,
    NdMessage,
    Reply,
    decode_arp,
    decode_nd,
    encode_arp,
    encode_nd,
    solicited_node_group,
)
from ferrolb.model import InterfaceRule, IPAddress, MacAddress, ServiceKey

CLIENT = bytes.fromhex("0200000000aa")
KEY = ServiceKey("default", "service")
Pair = tuple[int, IPAddress]
IPS = [ip_address(text) for text in ("10.0.0.5", "10.0.0.6", "fd00::5", "fd00::1:0:5", "fd00::6")]
NAMES = ("eth0", "eth1", "eth2")

MACS = st.binary(min_size=6, max_size=6)
HOST_MACS = MACS.filter(lambda mac: not mac[0] & 1 and any(mac))
IPV4 = st.binary(min_size=4, max_size=4)
IPV6 = st.binary(min_size=16, max_size=16).filter(lambda ip: ip[0] != 0xFF and any(ip))

ARP_PACKETS = st.builds(ArpPacket, MACS, MACS, st.sampled_from([1, 2]), HOST_MACS, IPV4, MACS, IPV4)
SOLICITATIONS = st.builds(
    NdMessage, MACS, HOST_MACS, IPV6, IPV6, st.just(True), st.just(0), IPV6, st.none() | HOST_MACS
)
ADVERTISEMENTS = st.builds(
    NdMessage,
    MACS,
    HOST_MACS,
    IPV6,
    IPV6,
    st.just(False),
    st.sampled_from([0, 0x20, 0x40, 0x60, 0xE0]),
    IPV6,
    st.none() | HOST_MACS,
)


def interface(index: int, mac_suffix: int = 0, link_local: int = 1, has: int = 3) -> Interface:
    return Interface(
        index=index,
        name=NAMES[index],
        mac=MacAddress(bytes((2, 0, 0, 1, mac_suffix, index))),
        link_local=IPv6Address(f"fe80::{index}:{link_local}") if link_local else None,
        has_arp=bool(has & 1),
        has_ndp=bool(has & 2),
    )


@given(ARP_PACKETS)
def test_arp_is_read_as_it_was_written(packet):
    assert decode_arp(encode_arp(packet)) == packet


@given(SOLICITATIONS | ADVERTISEMENTS)
def test_neighbor_discovery_is_read_as_it_was_written(message):
    assert decode_nd(encode_nd(message)) == message


ARP_QUESTION = encode_arp(
    ArpPacket(b"\xff" * 6, CLIENT, 1, CLIENT, bytes((10, 0, 0, 9)), bytes(6), IPS[0].packed)
)
ND_GROUP = solicited_node_group(IPS[2].packed)
ND_QUESTION = encode_nd(
    NdMessage(
        b"\x33\x33" + ND_GROUP[12:],
        CLIENT,
        IPv6Address("fe80::99").packed,
        ND_GROUP,
        True,
        0,
        IPS[2].packed,
        CLIENT,
    )
)


@st.composite
def damaged(draw) -> bytes:
    """A good question with some bytes changed, or cut off, or added."""
    frame = bytearray(draw(st.sampled_from([ARP_QUESTION, ND_QUESTION])))
    for at, value in draw(
        st.lists(st.tuples(st.integers(0, len(frame) - 1), st.integers(0, 255)), max_size=4)
    ):
        frame[at] = value
    return bytes(frame[: draw(st.integers(0, len(frame)))] + draw(st.binary(max_size=9)))


HEADS = st.sampled_from([bytes(12) + b"\x08\x06", bytes(12) + b"\x86\xdd", b""])


@settings(max_examples=500)
@given(st.builds(bytes.__add__, HEADS, st.binary(max_size=120)) | damaged())
def test_any_bytes_are_judged_and_nothing_malformed_is_answered(frame):
    machine = Announcer(refresh_s=0)
    machine.set_interfaces({0: interface(0)}, now=0.0)
    machine.announce(ServiceKey("default", "a"), dict.fromkeys(IPS, InterfaceRule()), now=0.0)
    outcome = machine.on_frame(0, frame, now=0.0)
    if isinstance(outcome, Drop):
        return
    decode = decode_arp if frame[12:14] == b"\x08\x06" else decode_nd
    decode(frame)  # it is well-formed, or this raises
    reply = outcome if isinstance(outcome, Reply) else outcome.reply
    if reply is not None:
        assert frame[12:14] == reply.frame[12:14]
        decode(reply.frame)


@given(HOST_MACS, HOST_MACS, st.none() | HOST_MACS, st.lists(IPV6, min_size=3, max_size=3))
def test_an_advertisement_is_what_the_codec_would_write(mac, asker, option, ips):
    link_local, source, target = ips
    announcer = Announcer(refresh_s=0)
    used = Interface(
        index=1,
        name="eth0",
        mac=MacAddress(mac),
        link_local=IPv6Address(link_local),
        has_arp=False,
        has_ndp=True,
    )
    announcer.set_interfaces({1: used}, now=0.0)
    announcer.announce(KEY, {IPv6Address(target): InterfaceRule()}, now=0.0)
    frame = encode_nd(
        NdMessage(
            mac,
            asker,
            source,
            target,
            is_solicitation=True,
            flags=0,
            target=target,
            link_layer=option,
        )
    )
    outcome = announcer.on_frame(1, frame, now=0.0)
    if mac in (asker, option) or source == link_local:
        assert outcome == Drop(DropReason.OWN_FRAME)
    else:
        assert isinstance(outcome, Reply)
        assert outcome.frame == encode_nd(
            NdMessage(
                option or asker,
                mac,
                link_local,
                source,
                is_solicitation=False,
                flags=0x60,
                target=target,
                link_layer=mac,
            )
        )


@given(st.binary(max_size=120))
def test_codecs_read_or_raise_their_error(data):
    for decode in (decode_arp, decode_nd):
        with suppress(FrameError):
            decode(data)


RULES = st.builds(
    InterfaceRule, st.none() | st.frozensets(st.sampled_from([*NAMES, "absent"]), max_size=3)
)
KEYS = st.sampled_from([ServiceKey("default", name) for name in "abc"])
HOLDINGS = st.dictionaries(st.sampled_from(IPS), RULES, max_size=4)
INTERFACES = st.dictionaries(
    st.integers(0, 2),
    st.tuples(st.integers(0, 1), st.integers(0, 2), st.integers(0, 3)),
    max_size=3,
).map(lambda chosen: {index: interface(index, *parts) for index, parts in chosen.items()})


class AnnouncerModel(RuleBasedStateMachine):
    """The announcer beside the plain words: what is held, and which rule admits what."""

    def __init__(self) -> None:
        super().__init__()
        self.machine = Announcer(refresh_s=30.0)
        self.held: dict[ServiceKey, dict[IPAddress, InterfaceRule]] = {}
        self.interfaces: dict[int, Interface] = {}
        self.now = 0.0
        # pairs that must still be announced, since when
        self.owed: dict[Pair, float] = {}

    def pairs(self) -> set[Pair]:
        """What may be sent: (interface index, address)."""
        return {
            (index, ip)
            for index, one in self.interfaces.items()
            for holdings in self.held.values()
            for ip, rule_of in holdings.items()
            if rule_of.admits(one.name)
            and (one.has_arp if ip.version == 4 else one.has_ndp and one.link_local is not None)
        }

    def owe(self, before: set[Pair], renewed: set[Pair]) -> None:
        after = self.pairs()
        self.owed = {pair: since for pair, since in self.owed.items() if pair in after}
        for pair in (after - before) | (renewed & after):
            self.owed.setdefault(pair, self.now)

    @rule(key=KEYS, holdings=HOLDINGS)
    def announce(self, key, holdings) -> None:
        before = self.pairs()
        changed = self.held.get(key, {}) != holdings
        self.held[key] = holdings
        assert self.machine.announce(key, holdings, now=self.now) == changed
        self.owe(before, set())

    @rule(key=KEYS)
    def withdraw(self, key) -> None:
        before = self.pairs()
        assert self.machine.withdraw(key, now=self.now) == bool(self.held.pop(key, {}))
        self.owe(before, set())

    @rule(interfaces=INTERFACES)
    def set_interfaces(self, interfaces) -> None:
        before, old = self.pairs(), self.interfaces
        self.interfaces = interfaces
        self.machine.set_interfaces(interfaces, now=self.now)
        renewed = {
            (index, ip)
            for index, one in interfaces.items()
            for ip in IPS
            if index in old
            and (
                one.mac != old[index].mac
                or (ip.version == 6 and one.link_local != old[index].link_local)
            )
        }
        self.owe(before, renewed)

    @rule()
    def reassert(self) -> None:
        self.machine.reassert(now=self.now)
        self.owe(self.pairs(), self.pairs())

    @rule(step=st.sampled_from([0.0, 0.01, 0.5, ROUND_INTERVAL_S, 10.0, 40.0]))
    def pass_time(self, step) -> None:
        self.now += step
        deadline = self.machine.next_deadline()
        frames = self.machine.frames_to_send(now=self.now)
        assert len(frames) <= 2 * ROUNDS_PER_TICK
        if frames:
            assert deadline is not None
            assert deadline <= self.now
        allowed = self.pairs()
        for one in frames:
            assert (one.index, one.ip) in allowed
            assert one.ip.packed in one.frame
            assert one.frame[6:12] == self.interfaces[one.index].mac
            self.owed.pop((one.index, one.ip), None)
        # so few fit one tick: whatever was owed has been sent
        assert not self.owed

    @rule(index=st.integers(0, 2), ip=st.sampled_from(IPS))
    def ask(self, index, ip) -> None:
        if isinstance(ip, IPv4Address):
            frame = encode_arp(
                ArpPacket(b"\xff" * 6, CLIENT, 1, CLIENT, bytes((10, 0, 0, 9)), bytes(6), ip.packed)
            )
        else:
            group = solicited_node_group(ip.packed)
            source = IPv6Address("fe80::99").packed
            frame = encode_nd(
                NdMessage(
                    b"\x33\x33" + group[12:], CLIENT, source, group, True, 0, ip.packed, CLIENT
                )
            )
        outcome = self.machine.on_frame(index, frame, now=self.now)
        assert isinstance(outcome, Reply) == ((index, ip) in self.pairs())

    @rule(index=st.integers(0, 2), ip=st.sampled_from([ip for ip in IPS if ip.version == 4]))
    def claim(self, index, ip) -> None:
        frame = encode_arp(ArpPacket(b"\xff" * 6, CLIENT, 2, CLIENT, ip.packed, CLIENT, ip.packed))
        outcome = self.machine.on_frame(index, frame, now=self.now)
        if (index, ip) not in self.pairs():
            assert isinstance(outcome, Drop)
        else:
            assert outcome in (Claimed(ip, MacAddress(CLIENT)), Drop(DropReason.REPEATED_CLAIM))

    @invariant()
    def counts_are_those_of_the_services(self) -> None:
        counts: dict[IPAddress, int] = {}
        for holdings in self.held.values():
            for ip in holdings:
                counts[ip] = counts.get(ip, 0) + 1
        assert self.machine.addresses == counts

    @invariant()
    def groups_are_those_of_the_pairs(self) -> None:
        assert self.machine.groups() == {
            (index, IPv6Address(solicited_node_group(ip.packed)))
            for index, ip in self.pairs()
            if ip.version == 6
        }


def test_l3_no_frame_leaves_for_an_address_not_held_or_where_no_rule_admits_it():
    """`pass_time` and `ask` compare every frame with what the model allows."""
    run_state_machine_as_test(
        AnnouncerModel, settings=settings(max_examples=60, stateful_step_count=40, deadline=None)
    )
