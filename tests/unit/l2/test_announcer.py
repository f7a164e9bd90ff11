"""The machine through its door: holdings, interfaces, frames and time."""

from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest

from ferrolb.l2 import (
    CLAIM_INTERVAL_S,
    Announcer,
    ArpPacket,
    Claimed,
    Drop,
    DropReason,
    Interface,
    NdMessage,
    Reply,
    decode_arp,
    decode_nd,
    encode_arp,
    encode_nd,
    solicited_node_group,
)
from ferrolb.model import InterfaceRule, MacAddress, ServiceKey

ALL = InterfaceRule()
WEB, DNS = ServiceKey("default", "web"), ServiceKey("default", "dns")
VIP, OTHER = IPv4Address("10.0.0.5"), IPv4Address("10.0.0.6")
VIP6 = IPv6Address("fd00::5")
GROUP6 = IPv6Address("ff02::1:ff00:5")
CLIENT = MacAddress(bytes.fromhex("0200000000aa"))
FOREIGN = MacAddress(bytes.fromhex("0200000000bb"))
CLIENT6 = IPv6Address("fe80::99")
BROADCAST = b"\xff" * 6
UNSPECIFIED = bytes(16)
ALL_NODES, ALL_NODES_MAC = IPv6Address("ff02::1").packed, bytes.fromhex("333300000001")


def interface(index: int, **changes) -> Interface:
    plain = Interface(
        index=index,
        name=f"eth{index}",
        mac=MacAddress(bytes((2, 0, 0, 0, 0, index))),
        link_local=IPv6Address(f"fe80::{index}"),
        has_arp=True,
        has_ndp=True,
    )
    return replace(plain, **changes)


ETH1, ETH2 = interface(1), interface(2)


def only(*names: str) -> InterfaceRule:
    return InterfaceRule(frozenset(names))


def announcer_of(*interfaces: Interface, refresh_s=0.0) -> Announcer:
    announcer = Announcer(refresh_s=refresh_s)
    announcer.set_interfaces({one.index: one for one in interfaces}, now=0.0)
    return announcer


def arp(
    target=VIP, *, operation=1, destination=BROADCAST, mac=CLIENT, source=None, sender="10.0.0.250"
) -> bytes:
    packet = ArpPacket(
        destination,
        source or mac,
        operation,
        mac,
        ip_address(sender).packed,
        bytes(6),
        target.packed,
    )
    return encode_arp(packet)


def solicitation(target=VIP6, **changes) -> bytes:
    group = solicited_node_group(target.packed)
    message = NdMessage(
        destination_mac=b"\x33\x33" + group[12:],
        source_mac=CLIENT,
        source=CLIENT6.packed,
        destination=group,
        is_solicitation=True,
        flags=0,
        target=target.packed,
        link_layer=CLIENT,
    )
    return encode_nd(message._replace(**changes))


def advertisement(target=VIP6, **changes) -> bytes:
    message = NdMessage(
        destination_mac=ALL_NODES_MAC,
        source_mac=FOREIGN,
        source=CLIENT6.packed,
        destination=ALL_NODES,
        is_solicitation=False,
        flags=0x20,
        target=target.packed,
        link_layer=FOREIGN,
    )
    return encode_nd(message._replace(**changes))


def rounds(announcer: Announcer, until: float, now=0.0) -> list[tuple[float, int, str]]:
    """Ask at each deadline; return (time, interface index, address) of each frame."""
    sent = []
    while now <= until:
        sent += [
            (round(now, 6), one.index, str(one.ip)) for one in announcer.frames_to_send(now=now)
        ]
        deadline = announcer.next_deadline()
        if deadline is None:
            break
        now = max(now, deadline)
    return sent


def settled(announcer: Announcer) -> Announcer:
    """Let every burst end."""
    assert rounds(announcer, 50.0)
    assert announcer.next_deadline() is None
    return announcer


def judge(announcer: Announcer, frame: bytes, index=1, now=0.0):
    outcome = announcer.on_frame(index, frame, now=now)
    return outcome.reason if isinstance(outcome, Drop) else outcome


@pytest.fixture
def announcer() -> Announcer:
    """Both addresses on eth1 and eth2, bursts over."""
    machine = announcer_of(ETH1, ETH2)
    machine.announce(WEB, {VIP: ALL, VIP6: ALL}, now=0.0)
    return settled(machine)


# questions by ARP


@pytest.mark.parametrize("destination", [BROADCAST, ETH1.mac])
def test_r31_requests_to_all_and_to_our_mac_are_answered_to_the_one_who_asked(
    announcer, destination
):
    reply = announcer.on_frame(1, arp(destination=destination), now=0.0)
    assert isinstance(reply, Reply)
    assert reply.ip == VIP
    assert len(reply.frame) == 60
    assert decode_arp(reply.frame) == ArpPacket(
        destination=CLIENT,
        source=ETH1.mac,
        operation=2,
        sender_mac=ETH1.mac,
        sender_ip=VIP.packed,
        target_mac=CLIENT,
        target_ip=IPv4Address("10.0.0.250").packed,
    )


def test_the_answer_goes_to_the_mac_in_the_packet_not_in_the_frame(announcer):
    reply = announcer.on_frame(1, arp(source=FOREIGN), now=0.0)
    assert isinstance(reply, Reply)
    assert decode_arp(reply.frame).destination == CLIENT


def test_the_answer_bears_the_mac_of_the_interface_that_was_asked(announcer):
    reply = announcer.on_frame(2, arp(), now=0.0)
    assert isinstance(reply, Reply)
    assert decode_arp(reply.frame).sender_mac == ETH2.mac


def test_r31_replies_are_dropped(announcer):
    assert judge(announcer, arp(operation=2)) == DropReason.NOT_A_QUESTION


def test_r31_requests_to_another_mac_are_dropped(announcer):
    assert judge(announcer, arp(destination=FOREIGN)) == DropReason.ETHERNET_DESTINATION


def test_r31_the_announcer_has_the_last_word(announcer):
    assert isinstance(judge(announcer, arp()), Reply)
    announcer.withdraw(WEB, now=9.0)
    assert judge(announcer, arp()) == DropReason.NOT_ANNOUNCED


def test_r31_an_address_held_for_other_interfaces_is_not_answered():
    machine = announcer_of(ETH1, ETH2)
    machine.announce(WEB, {VIP: only("eth2"), VIP6: only("eth2")}, now=0.0)
    assert judge(machine, arp()) == DropReason.NOT_MATCHING_INTERFACE
    assert judge(machine, solicitation()) == DropReason.NOT_MATCHING_INTERFACE
    assert isinstance(judge(machine, arp(), index=2), Reply)
    assert isinstance(judge(machine, solicitation(), index=2), Reply)


def test_probes_before_use_of_an_address_are_answered(announcer):
    """RFC 5227 section 2.1.1: the sender has no address yet."""
    reply = judge(announcer, arp(sender=str(IPv4Address(0))))
    assert isinstance(reply, Reply)
    assert decode_arp(reply.frame).target_ip == bytes(4)


def test_other_addresses_are_not_answered(announcer):
    assert judge(announcer, arp(OTHER)) == DropReason.NOT_ANNOUNCED
    assert judge(announcer, solicitation(IPv6Address("fd00::1:5"))) == DropReason.NOT_ANNOUNCED


# questions by Neighbor Discovery


def answered(outcome) -> NdMessage:
    assert isinstance(outcome, Reply)
    assert outcome.ip == VIP6
    return decode_nd(outcome.frame)


SOLICITED = NdMessage(
    destination_mac=CLIENT,
    source_mac=ETH1.mac,
    source=IPv6Address("fe80::1").packed,
    destination=CLIENT6.packed,
    is_solicitation=False,
    flags=0x60,
    target=VIP6.packed,
    link_layer=ETH1.mac,
)


def test_w07_multicast_solicitations_are_answered_with_override(announcer):
    assert answered(judge(announcer, solicitation())) == SOLICITED


@pytest.mark.parametrize("link_layer", [CLIENT, None])
def test_w07_unicast_reachability_probes_are_answered(announcer, link_layer):
    frame = solicitation(destination_mac=ETH1.mac, destination=VIP6.packed, link_layer=link_layer)
    assert answered(judge(announcer, frame)) == SOLICITED


def test_w07_probes_for_duplicates_are_answered_to_all_nodes(announcer):
    frame = solicitation(source=UNSPECIFIED, link_layer=None)
    assert answered(judge(announcer, frame)) == SOLICITED._replace(
        destination_mac=ALL_NODES_MAC, destination=ALL_NODES, flags=0x20
    )


def test_the_answer_goes_to_the_link_layer_option(announcer):
    frame = solicitation(source_mac=FOREIGN)
    assert answered(judge(announcer, frame)).destination_mac == CLIENT


def test_a_multicast_solicitation_must_say_where_to_answer(announcer):
    assert judge(announcer, solicitation(link_layer=None)) == DropReason.NO_SOURCE_LINK_LAYER


def test_solicitations_to_another_mac_are_dropped(announcer):
    frame = solicitation(destination_mac=FOREIGN)
    assert judge(announcer, frame) == DropReason.ETHERNET_DESTINATION


# frames that are none of our business


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (b"", DropReason.TRUNCATED),
        (bytes(13), DropReason.TRUNCATED),
        (bytes(60), DropReason.ETHERTYPE),
        (arp()[:41], DropReason.TRUNCATED),
        (solicitation()[:77], DropReason.TRUNCATED),
        (solicitation()[:-1] + b"\x01", DropReason.CHECKSUM),
    ],
)
def test_malformed_frames_are_dropped(announcer, frame, reason):
    assert judge(announcer, frame) == reason


def test_frames_of_an_interface_out_of_use_are_dropped(announcer):
    assert judge(announcer, arp(), index=9) == DropReason.UNKNOWN_INTERFACE


@pytest.mark.parametrize(
    ("changes", "has_arp", "has_ndp"),
    [
        ({"has_arp": False}, False, True),
        ({"has_ndp": False}, True, False),
        ({"link_local": None}, True, False),
    ],
)
def test_each_protocol_is_spoken_only_where_it_is_wanted(changes, has_arp, has_ndp):
    machine = announcer_of(replace(ETH1, **changes))
    machine.announce(WEB, {VIP: ALL, VIP6: ALL}, now=0.0)
    assert isinstance(judge(machine, arp()), Reply) == has_arp
    assert isinstance(judge(machine, solicitation()), Reply) == has_ndp
    silent = arp() if not has_arp else solicitation()
    assert judge(machine, silent) == DropReason.NO_RESPONDER
    assert {ip for _, _, ip in rounds(machine, 50.0)} == {str(VIP if has_arp else VIP6)}
    assert bool(machine.groups()) == has_ndp


@pytest.mark.parametrize(
    "frame",
    [
        arp(mac=ETH1.mac),
        arp(mac=ETH2.mac),
        arp(source=ETH2.mac),
        arp(operation=2, mac=ETH2.mac, sender=str(VIP)),
        solicitation(source_mac=ETH2.mac),
        solicitation(link_layer=ETH2.mac),
        solicitation(source=IPv6Address("fe80::1").packed),
        advertisement(source_mac=ETH2.mac),
        advertisement(link_layer=ETH2.mac),
    ],
)
def test_c07_frames_of_this_node_are_neither_answered_nor_claims(announcer, frame):
    assert judge(announcer, frame) == DropReason.OWN_FRAME


# claims


@pytest.mark.parametrize("destination", [BROADCAST, ETH1.mac, CLIENT])
def test_c07_an_arp_reply_for_our_address_is_a_claim(announcer, destination):
    frame = arp(OTHER, operation=2, mac=FOREIGN, sender=str(VIP), destination=destination)
    assert judge(announcer, frame) == Claimed(VIP, FOREIGN)


def test_c07_an_announcement_of_our_address_is_a_claim_and_answered(announcer):
    claim = judge(announcer, arp(VIP, mac=FOREIGN, sender=str(VIP)))
    assert isinstance(claim, Claimed)
    assert (claim.ip, claim.mac) == (VIP, FOREIGN)
    assert claim.reply is not None
    assert decode_arp(claim.reply.frame).target_mac == FOREIGN


def test_c07_a_question_that_bears_our_address_is_a_claim(announcer):
    assert judge(announcer, arp(OTHER, mac=FOREIGN, sender=str(VIP))) == Claimed(VIP, FOREIGN)


@pytest.mark.parametrize("link_layer", [FOREIGN, None])
def test_c07_an_advertisement_of_our_address_is_a_claim(announcer, link_layer):
    assert judge(announcer, advertisement(link_layer=link_layer)) == Claimed(VIP6, FOREIGN)


def test_solicitations_are_no_claims(announcer):
    assert isinstance(judge(announcer, solicitation(source=VIP6.packed)), Reply)


def test_claims_to_other_addresses_mean_nothing(announcer):
    assert judge(announcer, advertisement(IPv6Address("fd00::6"))) == DropReason.NOT_A_QUESTION
    frame = arp(OTHER, operation=2, mac=FOREIGN, sender=str(OTHER))
    assert judge(announcer, frame) == DropReason.NOT_A_QUESTION


def test_a_claim_where_the_address_is_not_announced_means_nothing():
    machine = announcer_of(ETH1, ETH2)
    machine.announce(WEB, {VIP: only("eth2"), VIP6: only("eth2")}, now=0.0)
    assert judge(machine, arp(OTHER, operation=2, sender=str(VIP))) == DropReason.NOT_A_QUESTION
    assert judge(machine, advertisement()) == DropReason.NOT_A_QUESTION


def test_claims_are_reported_once_in_a_while_for_each_address(announcer):
    claim = arp(OTHER, operation=2, mac=FOREIGN, sender=str(VIP))
    asking = arp(VIP, mac=FOREIGN, sender=str(VIP))
    assert isinstance(judge(announcer, claim, now=10.0), Claimed)
    assert judge(announcer, claim, now=10.9) == DropReason.REPEATED_CLAIM
    assert isinstance(judge(announcer, asking, now=10.9), Reply)
    assert isinstance(judge(announcer, advertisement(), now=10.9), Claimed)
    assert isinstance(judge(announcer, claim, now=10.0 + CLAIM_INTERVAL_S), Claimed)


def test_an_address_given_up_and_taken_again_reports_the_next_claim(announcer):
    claim = arp(OTHER, operation=2, mac=FOREIGN, sender=str(VIP))
    assert isinstance(judge(announcer, claim, now=10.0), Claimed)
    announcer.withdraw(WEB, now=10.1)
    announcer.announce(WEB, {VIP: ALL}, now=10.2)
    assert isinstance(judge(announcer, claim, now=10.3), Claimed)


# holdings


def test_r30_two_services_with_one_address_count_two():
    machine = announcer_of(ETH1)
    assert machine.announce(WEB, {VIP: ALL}, now=0.0)
    assert machine.announce(DNS, {VIP: ALL}, now=0.0)
    assert machine.addresses == {VIP: 2}
    assert machine.withdraw(WEB, now=0.0)
    assert machine.addresses == {VIP: 1}
    assert isinstance(judge(machine, arp()), Reply)
    assert machine.withdraw(DNS, now=0.0)
    assert machine.addresses == {}
    assert judge(machine, arp()) == DropReason.NOT_ANNOUNCED


def test_r30_one_service_with_both_families_has_two_entries():
    machine = announcer_of(ETH1)
    machine.announce(WEB, {VIP: ALL, VIP6: ALL}, now=0.0)
    assert machine.addresses == {VIP: 1, VIP6: 1}


def test_what_a_service_no_longer_has_is_withdrawn():
    machine = announcer_of(ETH1)
    machine.announce(WEB, {VIP: ALL, OTHER: ALL}, now=0.0)
    assert machine.announce(WEB, {OTHER: ALL}, now=0.0)
    assert machine.addresses == {OTHER: 1}
    assert not machine.withdraw(DNS, now=0.0)
    assert {ip for _, _, ip in rounds(machine, 50.0)} == {str(OTHER)}


def test_r27_another_interface_in_the_rule_moves_the_answers():
    machine = announcer_of(ETH1, ETH2)
    machine.announce(WEB, {VIP: only("eth1"), VIP6: only("eth1")}, now=0.0)
    assert machine.announce(WEB, {VIP: only("eth2"), VIP6: only("eth2")}, now=0.0)
    assert judge(machine, arp()) == DropReason.NOT_MATCHING_INTERFACE
    assert isinstance(judge(machine, arp(), index=2), Reply)
    assert isinstance(judge(machine, solicitation(), index=2), Reply)
    assert machine.groups() == {(2, GROUP6)}


def test_r27_rules_of_several_services_add_up():
    machine = announcer_of(ETH1, ETH2, interface(3))
    machine.announce(WEB, {VIP: only("eth1")}, now=0.0)
    machine.announce(DNS, {VIP: only("eth2")}, now=0.0)
    assert isinstance(judge(machine, arp()), Reply)
    assert isinstance(judge(machine, arp(), index=2), Reply)
    assert judge(machine, arp(), index=3) == DropReason.NOT_MATCHING_INTERFACE


def test_r27_an_unknown_interface_answers_nowhere():
    machine = announcer_of(ETH1, ETH2)
    machine.announce(WEB, {VIP: only("eth7"), VIP6: only("eth7")}, now=0.0)
    assert rounds(machine, 50.0) == []
    assert machine.groups() == set()
    assert judge(machine, arp()) == DropReason.NOT_MATCHING_INTERFACE
    assert judge(machine, arp(), index=2) == DropReason.NOT_MATCHING_INTERFACE


# gratuitous frames


def test_c11_acquisition_sends_both_arp_forms_and_one_advertisement_through_each_interface():
    machine = announcer_of(ETH1, ETH2)
    machine.announce(WEB, {VIP: ALL, VIP6: ALL}, now=0.0)
    sent = machine.frames_to_send(now=0.0)
    kinds = [
        (one.index, one.ip, decode_arp(one.frame).operation if one.ip == VIP else None)
        for one in sent
    ]
    assert kinds == [
        (1, VIP, 1), (1, VIP, 2), (2, VIP, 1), (2, VIP, 2), (1, VIP6, None), (2, VIP6, None),
    ]  # fmt: skip
    for one in sent[:4]:
        packet = decode_arp(one.frame)
        own = interface(one.index).mac
        assert (packet.destination, packet.source) == (BROADCAST, own)
        assert (packet.sender_mac, packet.sender_ip, packet.target_ip) == (
            own,
            VIP.packed,
            VIP.packed,
        )
    assert decode_nd(sent[5].frame) == NdMessage(
        destination_mac=ALL_NODES_MAC,
        source_mac=ETH2.mac,
        source=IPv6Address("fe80::2").packed,
        destination=ALL_NODES,
        is_solicitation=False,
        flags=0x20,
        target=VIP6.packed,
        link_layer=ETH2.mac,
    )


def test_c11_acquisition_is_five_rounds():
    machine = announcer_of(ETH1)
    machine.announce(WEB, {VIP6: ALL}, now=0.0)
    expected = [(t, 1, str(VIP6)) for t in (0.0, 1.1, 2.2, 3.3, 4.4)]
    assert rounds(machine, 60.0) == expected


def test_w06_the_same_again_sends_nothing(announcer):
    assert not announcer.announce(WEB, {VIP: ALL, VIP6: ALL}, now=60.0)
    assert announcer.next_deadline() is None
    assert announcer.frames_to_send(now=60.0) == []


def test_w06_another_service_on_a_held_address_sends_nothing(announcer):
    assert announcer.announce(DNS, {VIP: ALL}, now=60.0)
    assert announcer.withdraw(WEB, now=60.0)
    assert announcer.frames_to_send(now=60.0) == []
    assert announcer.addresses == {VIP: 1}


def test_w06_a_wider_rule_sends_only_where_it_newly_admits():
    machine = announcer_of(ETH1, ETH2)
    machine.announce(WEB, {VIP: only("eth1")}, now=0.0)
    settled(machine)
    assert machine.announce(WEB, {VIP: only("eth1", "eth2")}, now=60.0)
    assert {(index, ip) for _, index, ip in rounds(machine, 99.0, now=60.0)} == {(2, str(VIP))}
    assert machine.announce(WEB, {VIP: only("eth2")}, now=200.0)
    assert rounds(machine, 299.0, now=200.0) == []


def test_w06_taken_again_within_a_burst_announces_at_once():
    machine = announcer_of(ETH1)
    machine.announce(WEB, {VIP6: ALL}, now=0.0)
    assert len(machine.frames_to_send(now=0.0)) == 1
    machine.withdraw(WEB, now=0.3)
    assert machine.frames_to_send(now=1.1) == []
    machine.announce(WEB, {VIP6: ALL}, now=1.2)
    assert [t for t, _, _ in rounds(machine, 60.0, now=1.2)] == [1.2, 2.3, 3.4, 4.5, 5.6]


def test_w06_700_addresses_are_out_within_300_ms_and_a_withdrawal_stops_them_at_once():
    machine = announcer_of(ETH1, ETH2)
    ips = [VIP + i for i in range(700)]
    for i, ip in enumerate(ips):
        machine.announce(ServiceKey("default", str(i)), {ip: ALL}, now=0.0)
    first = dict.fromkeys(map(str, ips), 99.0)
    now = 0.0
    while now < 0.5:
        frames = machine.frames_to_send(now=now)
        assert len(frames) <= 128
        for one in frames:
            first[str(one.ip)] = min(first[str(one.ip)], now)
        deadline = machine.next_deadline()
        assert deadline is not None
        now = deadline
    assert max(first.values()) <= 0.3
    # repeats are due from 1.1 s on: of these, none for what has been withdrawn
    assert machine.frames_to_send(now=1.1)
    for i in range(699):
        machine.withdraw(ServiceKey("default", str(i)), now=1.1)
    assert {ip for _, _, ip in rounds(machine, 60.0, now=1.2)} == {str(ips[-1])}


def test_c11_reassertion_announces_all_that_is_held(announcer):
    announcer.reassert(now=60.0)
    sent = rounds(announcer, 99.0, now=60.0)
    assert {(index, ip) for t, index, ip in sent if t == 60.0} == {
        (1, str(VIP)), (2, str(VIP)), (1, str(VIP6)), (2, str(VIP6)),
    }  # fmt: skip
    assert len(sent) == 5 * (2 * 2 + 2)


def test_w05_each_address_is_announced_again_in_each_interval():
    machine = announcer_of(ETH1, ETH2, refresh_s=240.0)
    machine.announce(WEB, {VIP6: ALL}, now=0.0)
    machine.announce(DNS, {VIP: only("eth2")}, now=0.0)
    sent = rounds(machine, 960.0)
    late = [(index, ip) for t, index, ip in sent if t > 4.5]
    assert sorted(late) == sorted(4 * [(1, str(VIP6)), (2, str(VIP6))] + 4 * 2 * [(2, str(VIP))])
    machine.withdraw(WEB, now=1000.0)
    machine.withdraw(DNS, now=1000.0)
    assert machine.next_deadline() is None


# interfaces


def test_w08_a_new_interface_joins_announces_and_answers(announcer):
    eth3 = interface(3)
    announcer.set_interfaces({1: ETH1, 2: ETH2, 3: eth3}, now=60.0)
    assert announcer.groups() == {(1, GROUP6), (2, GROUP6), (3, GROUP6)}
    assert isinstance(judge(announcer, arp(), index=3), Reply)
    assert isinstance(judge(announcer, solicitation(), index=3), Reply)
    sent = rounds(announcer, 99.0, now=60.0)
    assert {index for _, index, _ in sent} == {3}
    assert len(sent) == 5 * (2 + 1)


def test_w08_a_link_that_comes_back_is_a_new_interface(announcer):
    announcer.set_interfaces({1: ETH1}, now=60.0)
    assert announcer.frames_to_send(now=60.0) == []
    assert announcer.groups() == {(1, GROUP6)}
    assert judge(announcer, arp(), index=2) == DropReason.UNKNOWN_INTERFACE
    announcer.set_interfaces({1: ETH1, 2: ETH2}, now=61.0)
    assert {index for _, index, _ in rounds(announcer, 99.0, now=61.0)} == {2}


def test_w08_a_link_that_goes_ends_its_bursts():
    machine = announcer_of(ETH1, ETH2)
    machine.announce(WEB, {VIP: ALL, VIP6: ALL}, now=0.0)
    machine.set_interfaces({2: ETH2}, now=0.0)
    assert {index for _, index, _ in rounds(machine, 50.0)} == {2}


def test_w09_another_mac_is_used_and_announced_at_once(announcer):
    mac = MacAddress(bytes.fromhex("0200000000cc"))
    announcer.set_interfaces({1: replace(ETH1, mac=mac), 2: ETH2}, now=60.0)
    sent = announcer.frames_to_send(now=60.0)
    assert {(one.index, one.ip) for one in sent} == {(1, VIP), (1, VIP6)}
    assert all(mac in one.frame and ETH1.mac not in one.frame for one in sent)
    reply = judge(announcer, arp())
    assert isinstance(reply, Reply)
    assert decode_arp(reply.frame).sender_mac == mac
    # the old one is another host's now
    assert isinstance(judge(announcer, arp(mac=ETH1.mac, sender=str(VIP))), Claimed)


def test_w09_another_link_local_address_is_used_and_announced_for_ipv6(announcer):
    new = IPv6Address("fe80::abcd")
    announcer.set_interfaces({1: replace(ETH1, link_local=new), 2: ETH2}, now=60.0)
    sent = announcer.frames_to_send(now=60.0)
    assert [(one.index, one.ip) for one in sent] == [(1, VIP6)]
    assert decode_nd(sent[0].frame).source == new.packed
    assert answered(judge(announcer, solicitation())).source == new.packed
    assert announcer.groups() == {(1, GROUP6), (2, GROUP6)}


def test_a_renamed_interface_is_judged_by_its_new_name():
    machine = announcer_of(ETH1)
    machine.announce(WEB, {VIP: only("eth1")}, now=0.0)
    machine.announce(DNS, {OTHER: only("lan")}, now=0.0)
    settled(machine)
    machine.set_interfaces({1: replace(ETH1, name="lan")}, now=60.0)
    assert judge(machine, arp()) == DropReason.NOT_MATCHING_INTERFACE
    assert isinstance(judge(machine, arp(OTHER)), Reply)
    assert {ip for _, _, ip in rounds(machine, 99.0, now=60.0)} == {str(OTHER)}


def test_a_burst_goes_on_through_a_change_that_does_not_concern_it():
    machine = announcer_of(ETH1)
    machine.announce(WEB, {VIP: ALL}, now=0.0)
    assert len(machine.frames_to_send(now=0.0)) == 2
    machine.set_interfaces({1: replace(ETH1, link_local=None)}, now=0.5)
    assert [t for t, _, _ in rounds(machine, 60.0, now=0.5)] == [
        t for t in (1.1, 2.2, 3.3, 4.4) for _ in range(2)
    ]


def test_unchanged_interfaces_send_nothing_and_keep_the_groups(announcer):
    before = announcer.groups()
    announcer.set_interfaces({1: interface(1), 2: interface(2)}, now=60.0)
    assert announcer.frames_to_send(now=60.0) == []
    assert announcer.groups() is before


# groups


def test_a_group_is_left_with_the_last_address_in_it(announcer):
    twin = IPv6Address("fd00::1:0:5")
    announcer.announce(DNS, {twin: only("eth1")}, now=60.0)
    assert announcer.groups() == {(1, GROUP6), (2, GROUP6)}
    announcer.withdraw(WEB, now=60.0)
    assert announcer.groups() == {(1, GROUP6)}
    announcer.withdraw(DNS, now=60.0)
    assert announcer.groups() == set()
