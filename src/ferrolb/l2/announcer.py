"""The machine that answers for the addresses of one node and announces them."""

from collections.abc import Mapping, Set
from ipaddress import IPv6Address
from typing import Final

from ferrolb.l2.gratuitous import GratuitousSchedule
from ferrolb.l2.holdings import Holdings
from ferrolb.l2.interface import Interface
from ferrolb.l2.ndp import solicited_node_group
from ferrolb.l2.outcome import Claimed, DropReason, Gratuitous, Group, Outcome
from ferrolb.l2.port import DROPS, Port
from ferrolb.model import InterfaceRule, IPAddress, ServiceKey

CLAIM_INTERVAL_S: Final = 1.0
"""Of the claims to one address, one in this time is reported: whoever sends them faster would
otherwise set the pace of what follows from a report. Bursts repeat after more than that."""


class Announcer:
    """All addresses that this node answers for, on all interfaces. `now` is monotonic seconds.

    No frame ever leaves for an address that is not held, or through an interface that no rule of
    its holders admits.
    """

    def __init__(self, *, refresh_s: float) -> None:
        """Announce each address again every `refresh_s` seconds; 0: never."""
        self._holdings = Holdings()
        self._schedule = GratuitousSchedule(refresh_s=refresh_s)
        self._ports: dict[int, Port] = {}
        # the addresses of _holdings by their bytes; those of a port are a subset
        self._held: dict[bytes, IPAddress] = {}
        self._own_macs: frozenset[bytes] = frozenset()
        self._group_users: dict[Group, int] = {}
        self._groups: frozenset[Group] | None = frozenset()
        self._claim_times: dict[IPAddress, float] = {}

    @property
    def addresses(self) -> Mapping[IPAddress, int]:
        """How many Services hold each address; a live view."""
        return self._holdings.counts

    def groups(self) -> Set[Group]:
        """Return the solicited-node groups to be in; the same object until they change."""
        if self._groups is None:
            self._groups = frozenset(self._group_users)
        return self._groups

    def set_interfaces(self, interfaces: Mapping[int, Interface], *, now: float) -> None:
        """Use these interfaces from now on, keyed by index; others are forgotten.

        An interface that is new, or has another MAC or link-local address, announces what is held.
        """
        for index in self._ports.keys() - interfaces:
            self._replace_port(index, None, now=now)
        for index, interface in interfaces.items():
            port = self._ports.get(index)
            if port is None or port.interface != interface:
                self._replace_port(index, interface, now=now)
        self._own_macs = frozenset(interface.mac for interface in interfaces.values())

    def announce(
        self, key: ServiceKey, holdings: Mapping[IPAddress, InterfaceRule], *, now: float
    ) -> bool:
        """Hold exactly these addresses for a Service, and tell whether that changed anything."""
        touched = self._holdings.put(key, holdings)
        # the caller's order decides who is first, not that of a set
        for ip in [*holdings, *(touched - holdings.keys())]:
            if ip in touched:
                self._follow(ip, now=now)
        return bool(touched)

    def withdraw(self, key: ServiceKey, *, now: float) -> bool:
        """Hold nothing for a Service any more, and tell whether that changed anything."""
        return self.announce(key, {}, now=now)

    def reassert(self, *, now: float) -> None:
        """Announce all that is held once more, as if it had just been acquired."""
        for index, port in self._ports.items():
            for packed in port.addresses:
                self._schedule.start((index, packed), now=now)

    def on_frame(self, index: int, frame: bytes, *, now: float) -> Outcome:
        """Say what is to be done about a frame that came in; any bytes will do."""
        port = self._ports.get(index)
        if port is None:
            return DROPS[DropReason.UNKNOWN_INTERFACE]
        outcome = port.judge(frame, self._held, self._own_macs)
        if isinstance(outcome, Claimed):
            return self._limit(outcome, now)
        return outcome

    def frames_to_send(self, *, now: float) -> list[Gratuitous]:
        """Return what is to be sent now, in order; the rest comes at `next_deadline`."""
        for packed in self._schedule.refreshes(now=now):
            for index, port in self._ports.items():
                if packed in port.addresses:
                    self._schedule.once((index, packed), now=now)
        return [
            frame
            for index, packed in self._schedule.rounds(now=now)
            for frame in self._ports[index].gratuitous(packed)
        ]

    def next_deadline(self) -> float | None:
        """Return when `frames_to_send` has something to say; it may have passed."""
        return self._schedule.next_deadline()

    def _limit(self, claim: Claimed, now: float) -> Outcome:
        last = self._claim_times.get(claim.ip)
        if last is None or now - last >= CLAIM_INTERVAL_S:
            self._claim_times[claim.ip] = now
            return claim
        if claim.reply is not None:
            return claim.reply
        return DROPS[DropReason.REPEATED_CLAIM]

    def _follow(self, ip: IPAddress, *, now: float) -> None:
        """Make ports, schedule and groups agree with the holdings of one address."""
        packed = ip.packed
        is_held = ip in self._holdings.counts
        if is_held and packed not in self._held:
            self._held[packed] = ip
            self._schedule.hold(packed, now=now)
        elif not is_held:
            del self._held[packed]
            self._schedule.release(packed)
            self._claim_times.pop(ip, None)
        for port in self._ports.values():
            if not self._admits(port, ip):
                self._remove(port, packed)
            elif packed not in port.addresses:
                self._add(port, packed, ip)
                self._schedule.start((port.interface.index, packed), now=now)

    def _replace_port(self, index: int, interface: Interface | None, *, now: float) -> None:
        old = self._ports.pop(index, None)
        kept: set[bytes] = set()
        if interface is not None:
            new = self._ports[index] = Port(interface)
            for packed, ip in self._held.items():
                if self._admits(new, ip):
                    self._add(new, packed, ip)
                    if old is not None and packed in old.addresses and _is_same(old, new, ip):
                        kept.add(packed)
        if old is not None:
            for packed in tuple(old.addresses):
                self._remove(old, packed, stop=packed not in kept)
        if interface is not None:
            for packed in self._ports[index].addresses:
                if packed not in kept:
                    self._schedule.start((index, packed), now=now)

    def _admits(self, port: Port, ip: IPAddress) -> bool:
        return port.has_responder(ip) and self._holdings.admits(ip, port.interface.name)

    def _add(self, port: Port, packed: bytes, ip: IPAddress) -> None:
        port.addresses[packed] = ip
        if isinstance(ip, IPv6Address):
            self._count_group(port, packed, 1)

    def _remove(self, port: Port, packed: bytes, *, stop: bool = True) -> None:
        ip = port.addresses.pop(packed, None)
        if isinstance(ip, IPv6Address):
            self._count_group(port, packed, -1)
        if stop:
            self._schedule.stop((port.interface.index, packed))

    def _count_group(self, port: Port, packed: bytes, by: int) -> None:
        group = (port.interface.index, IPv6Address(solicited_node_group(packed)))
        users = self._group_users.get(group, 0) + by
        if users:
            self._group_users[group] = users
        else:
            del self._group_users[group]
        self._groups = None


def _is_same(old: Port, new: Port, ip: IPAddress) -> bool:
    """Tell whether the frames that announce the address are what they were."""
    if old.interface.mac != new.interface.mac:
        return False
    return ip.version == 4 or old.interface.link_local == new.interface.link_local
