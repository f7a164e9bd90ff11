"""IPv6 multicast groups: joined by plain datagram sockets, so that the kernel reports them by MLD.

A packet socket's own membership sends no report, and a snooping switch then keeps solicitations
back (lab measurement; RFC 4541 section 3). Memberships cost `net.core.optmem_max` of their socket.
"""

import errno
import socket
import struct
from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from ipaddress import IPv6Address
from typing import Final

Membership = tuple[int, IPv6Address]
"""Interface index and group."""

MAX_SOCKETS: Final = 256
"""Sockets opened for groups: 90,000 groups at the smallest usual `optmem_max` (20 kB, some 365
groups a socket). More would take descriptors that the program needs for other things."""

_NO_ROOM: Final = frozenset({errno.ENOMEM, errno.ENOBUFS})


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupReport:
    """What a `sync` did."""

    joined: int = 0
    left: int = 0
    failed: Mapping[Membership, int] = field(default_factory=dict)
    """Wanted and not joined, each with its errno; the next `sync` tries again."""


class _Carrier:
    """One socket and the number of its memberships."""

    __slots__ = ("count", "is_full", "sock")

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.count = 0
        self.is_full = False


class GroupMemberships:
    """Keeps exactly the wanted memberships, spread over as many sockets as they need."""

    def __init__(self) -> None:
        self._by_membership: dict[Membership, _Carrier] = {}
        self._carriers: list[_Carrier] = []

    @property
    def joined(self) -> Set[Membership]:
        """The memberships held."""
        return self._by_membership.keys()

    @property
    def sockets(self) -> int:
        """How many sockets hold them."""
        return len(self._carriers)

    def sync(self, wanted: Set[Membership]) -> GroupReport:
        """Leave what is not wanted any more, join what is; costs nothing where nothing changed."""
        gone = self._by_membership.keys() - wanted
        for membership in gone:  # before joining: it makes room
            self._leave(membership)
        failed: dict[Membership, int] = {}
        new = wanted - self._by_membership.keys()
        for membership in new:
            error = self._join(membership)
            if error:
                failed[membership] = error
        return GroupReport(joined=len(new) - len(failed), left=len(gone), failed=failed)

    def forget(self, index: int) -> None:
        """Leave every group on an interface, whose memberships the kernel has dropped or will."""
        for membership in [held for held in self._by_membership if held[0] == index]:
            self._leave(membership)

    def close(self) -> None:
        """Leave everything."""
        for carrier in self._carriers:
            carrier.sock.close()
        self._carriers.clear()
        self._by_membership.clear()

    def _join(self, membership: Membership) -> int:
        """Join by the first socket with room; 0, or the errno of the refusal."""
        for carrier in self._carriers:
            if carrier.is_full:
                continue
            error = _set(carrier.sock, socket.IPV6_JOIN_GROUP, membership)
            if error not in _NO_ROOM:
                return self._note(membership, carrier, error)
            carrier.is_full = True
        try:
            carrier = self._open()
        except OSError as error:
            return error.errno or errno.EMFILE
        error_number = _set(carrier.sock, socket.IPV6_JOIN_GROUP, membership)
        return self._note(membership, carrier, error_number)

    def _open(self) -> _Carrier:
        if len(self._carriers) >= MAX_SOCKETS:
            raise OSError(errno.EMFILE, "sockets for groups are all in use")
        carrier = _Carrier(socket.socket(socket.AF_INET6, socket.SOCK_DGRAM))
        self._carriers.append(carrier)
        return carrier

    def _note(self, membership: Membership, carrier: _Carrier, error: int) -> int:
        if error:
            self._drop_if_empty(carrier)
            return error
        carrier.count += 1
        self._by_membership[membership] = carrier
        return 0

    def _leave(self, membership: Membership) -> None:
        carrier = self._by_membership.pop(membership)
        # Fails only where the kernel has dropped the membership itself, with the interface.
        _set(carrier.sock, socket.IPV6_LEAVE_GROUP, membership)
        carrier.count -= 1
        carrier.is_full = False
        self._drop_if_empty(carrier)

    def _drop_if_empty(self, carrier: _Carrier) -> None:
        if carrier.count == 0:
            carrier.sock.close()
            self._carriers.remove(carrier)


def _set(sock: socket.socket, option: int, membership: Membership) -> int:
    index, group = membership
    try:
        sock.setsockopt(socket.IPPROTO_IPV6, option, group.packed + struct.pack("I", index))
    except OSError as error:
        return error.errno or errno.EINVAL
    return 0
