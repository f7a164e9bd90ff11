"""One interface: what is answered through it, and how a frame that came in is judged."""

from ipaddress import IPv6Address
from typing import Final

from ferrolb.l2.arp import ArpAnswers, gratuitous_arp, read_arp
from ferrolb.l2.constants import (
    ARP_REQUEST,
    BROADCAST,
    ETHERTYPE_ARP,
    ETHERTYPE_IPV6,
    UNSPECIFIED,
)
from ferrolb.l2.errors import FrameError
from ferrolb.l2.interface import Interface
from ferrolb.l2.ndp import NdAnswers, NdMessage, decode_nd
from ferrolb.l2.outcome import Claimed, Drop, DropReason, Gratuitous, Outcome, Reply
from ferrolb.model import IPAddress, MacAddress

DROPS: Final = {reason: Drop(reason) for reason in DropReason}
"""One value for each reason: frames that are dropped come in floods."""


class Port:
    """An interface with the addresses that are answered through it, keyed as on the wire."""

    __slots__ = ("_arp", "_nd", "addresses", "interface")

    def __init__(self, interface: Interface) -> None:
        self.interface = interface
        self.addresses: dict[bytes, IPAddress] = {}
        self._arp = ArpAnswers(interface.mac) if interface.has_arp else None
        self._nd = (
            NdAnswers(interface.mac, interface.link_local)
            if interface.has_ndp and interface.link_local is not None
            else None
        )

    def has_responder(self, ip: IPAddress) -> bool:
        """Tell whether the protocol of the address is spoken here."""
        return (self._nd if isinstance(ip, IPv6Address) else self._arp) is not None

    def gratuitous(self, packed: bytes) -> tuple[Gratuitous, ...]:
        """Return the frames of one round for an address that is answered here."""
        ip, index, mac = self.addresses[packed], self.interface.index, self.interface.mac
        if self._nd is not None and isinstance(ip, IPv6Address):
            return (Gratuitous(index, ip, self._nd.unsolicited(packed)),)
        return tuple(Gratuitous(index, ip, frame) for frame in gratuitous_arp(mac, packed))

    def judge(
        self, frame: bytes, held: dict[bytes, IPAddress], own_macs: frozenset[bytes]
    ) -> Outcome:
        """Say what a frame comes to; `held` are all addresses of this node, admitted or not."""
        kind = frame[12:14]
        try:
            if kind == ETHERTYPE_ARP:
                return self._judge_arp(frame, held, own_macs)
            if kind == ETHERTYPE_IPV6:
                return self._judge_nd(frame, held, own_macs)
        except FrameError as error:
            return DROPS[error.reason]
        return DROPS[DropReason.ETHERTYPE if len(kind) == 2 else DropReason.TRUNCATED]

    def _judge_arp(
        self, frame: bytes, held: dict[bytes, IPAddress], own_macs: frozenset[bytes]
    ) -> Outcome:
        answers = self._arp
        if answers is None:
            return DROPS[DropReason.NO_RESPONDER]
        # read, judged and answered in one place: this is the path of a reply
        destination, source, operation, mac, sender_ip, _, target_ip = read_arp(frame)
        if mac in own_macs or source in own_macs:
            return DROPS[DropReason.OWN_FRAME]
        answer: Reply | Drop
        if operation != ARP_REQUEST:
            answer = DROPS[DropReason.NOT_A_QUESTION]
        elif destination not in (BROADCAST, self.interface.mac):
            answer = DROPS[DropReason.ETHERNET_DESTINATION]
        elif (ip := self.addresses.get(target_ip)) is None:
            answer = _not_ours(target_ip, held)
        else:
            answer = Reply(ip, answers.to(mac, sender_ip, target_ip))
        claimed = self.addresses.get(sender_ip)
        if claimed is None:
            return answer
        return Claimed(claimed, MacAddress(mac), answer if isinstance(answer, Reply) else None)

    def _judge_nd(
        self, frame: bytes, held: dict[bytes, IPAddress], own_macs: frozenset[bytes]
    ) -> Outcome:
        answers = self._nd
        if answers is None:
            return DROPS[DropReason.NO_RESPONDER]
        message = decode_nd(frame)
        if (
            message.source_mac in own_macs
            or message.link_layer in own_macs
            or message.source == answers.link_local
        ):
            return DROPS[DropReason.OWN_FRAME]
        ip = self.addresses.get(message.target)
        if message.is_solicitation:
            return self._answer_nd(message, answers, ip, held)
        if ip is None:
            return DROPS[DropReason.NOT_A_QUESTION]
        return Claimed(ip, MacAddress(message.link_layer or message.source_mac))

    def _answer_nd(
        self,
        message: NdMessage,
        answers: NdAnswers,
        ip: IPAddress | None,
        held: dict[bytes, IPAddress],
    ) -> Reply | Drop:
        destination = message.destination_mac
        # the lowest bit of the first byte is that of groups
        if not destination[0] & 1 and destination != self.interface.mac:
            return DROPS[DropReason.ETHERNET_DESTINATION]
        if ip is None:
            return _not_ours(message.target, held)
        if (
            message.link_layer is None
            and message.destination != message.target
            and message.source != UNSPECIFIED
        ):
            return DROPS[DropReason.NO_SOURCE_LINK_LAYER]
        return Reply(ip, answers.to(message))


def _not_ours(packed: bytes, held: dict[bytes, IPAddress]) -> Drop:
    return DROPS[DropReason.NOT_MATCHING_INTERFACE if packed in held else DropReason.NOT_ANNOUNCED]
