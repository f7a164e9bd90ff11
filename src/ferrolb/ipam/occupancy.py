"""Which address is held by whom, on what terms, and what has changed about it."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from ferrolb.ipam.refusal import Refused, refuse
from ferrolb.model import Reason, quote

if TYPE_CHECKING:
    from ferrolb.ipam.claim import Claim, Terms
    from ferrolb.ipam.pools import PoolState, PoolTable
    from ferrolb.ipam.space import AddressSpace
    from ferrolb.model import IPAddress, PoolName, Port, ServiceKey


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressChange:
    """An address that others may have now and could not have before."""

    address: "IPAddress"
    pool: "PoolName | None"
    sharing: str
    """The sharing key on the address; "" where nobody may join."""
    is_free: bool
    only_for: "ServiceKey | None"
    """The one Service that may have it, as its own status still names it; None: anybody."""


class _Seat(NamedTuple):
    """Where an address lies in the pools in force."""

    state: "PoolState"
    space: "AddressSpace"
    position: int


class _Snapshot(NamedTuple):
    """What decides whether another Service may have an address."""

    group: tuple[str, str]
    ports: "frozenset[Port]"
    users: "frozenset[ServiceKey]"
    leavers: "frozenset[ServiceKey]"


@dataclass(slots=True)
class _Holder:
    """One address that somebody holds, or whose status still names it."""

    seat: _Seat | None
    users: "dict[ServiceKey, Terms]" = field(default_factory=dict)
    leavers: "set[ServiceKey]" = field(default_factory=set)
    ports: "dict[Port, ServiceKey]" = field(default_factory=dict)
    # of the latest user; all users agree on it, except while there is only one
    group: tuple[str, str] = ("", "")

    def snapshot(self) -> _Snapshot:
        return _Snapshot(
            self.group, frozenset(self.ports), frozenset(self.users), frozenset(self.leavers)
        )


_NOBODY = _Snapshot(("", ""), frozenset(), frozenset(), frozenset())


class Occupancy:
    """Holders of addresses.

    A *user* holds an address on terms. A *leaver* holds it no more, but its status still says so:
    until that is undone nobody new may have the address. The two are independent: an address may
    have both.
    """

    def __init__(self, table: "PoolTable") -> None:
        self._table = table
        self._holders: dict[IPAddress, _Holder] = {}
        self._before: dict[IPAddress, _Snapshot] = {}

    def is_user(self, key: "ServiceKey", ip: "IPAddress") -> bool:
        """Tell whether the Service uses the address."""
        holder = self._holders.get(ip)
        return holder is not None and key in holder.users

    def conflict(self, claim: "Claim", ip: "IPAddress") -> Refused | None:
        """Return why the claim may not have the address because of others, None if it may."""
        holder = self._holders.get(ip)
        if holder is None:
            return None
        key, terms = claim.key, claim.terms
        is_user = key in holder.users
        has_others = len(holder.users) > is_user
        is_same_group = bool(terms.sharing) and terms.group == holder.group
        is_blocked = not is_user and not holder.leavers <= {key}
        if (has_others and not is_same_group) or is_blocked:
            others = sorted((holder.users.keys() | holder.leavers) - {key})
            return refuse(
                Reason.SHARING_REFUSED if terms.sharing else Reason.ADDRESS_IN_USE,
                f"can't change sharing key for {quote(key)}, address also in use by "
                + ",".join(str(other) for other in others),
                self._pool_of(holder),
            )
        for port in terms.ports:
            if holder.ports.get(port, key) != key:
                return refuse(
                    Reason.PORT_IN_USE,
                    f"port {port} is already in use on {quote(ip)}",
                    self._pool_of(holder),
                )
        return None

    def enter(self, key: "ServiceKey", ip: "IPAddress", terms: "Terms") -> None:
        """Make the Service, which is none yet, a user of the address on these terms."""
        holder = self._lift(ip)
        if not holder.users and holder.seat is not None:
            holder.seat.state.assigned[ip.version] += 1
        holder.users[key] = terms
        holder.group = terms.group
        holder.ports.update(dict.fromkeys(terms.ports, key))
        self._lower(ip, holder)

    def leave(self, key: "ServiceKey", ip: "IPAddress") -> None:
        """Undo `enter`."""
        holder = self._lift(ip)
        for port in holder.users.pop(key).ports:
            holder.ports.pop(port, None)
        if not holder.users:
            holder.group = ("", "")
            if holder.seat is not None:
                holder.seat.state.assigned[ip.version] -= 1
        self._lower(ip, holder)

    def linger(self, key: "ServiceKey", ip: "IPAddress") -> None:
        """Make the Service a leaver of the address."""
        holder = self._lift(ip)
        holder.leavers.add(key)
        self._lower(ip, holder)

    def part(self, key: "ServiceKey", ip: "IPAddress") -> None:
        """Undo `linger`."""
        holder = self._lift(ip)
        holder.leavers.discard(key)
        self._lower(ip, holder)

    def rehome(self, table: "PoolTable") -> None:
        """Seat every held address in a new table, whose spaces are empty."""
        self._table = table
        for ip, holder in self._holders.items():
            holder.seat = self._seat(ip)
            if holder.seat is not None:
                holder.seat.space.take(holder.seat.position)
                holder.seat.state.assigned[ip.version] += bool(holder.users)
            _offer(holder)

    def drain(self) -> tuple[AddressChange, ...]:
        """Return what others may have now and could not have at the last call."""
        changes = []
        for ip, before in self._before.items():
            holder = self._holders.get(ip)
            after = holder.snapshot() if holder is not None else _NOBODY
            if _is_looser(before, after):
                seat = self._seat(ip)
                changes.append(
                    AddressChange(
                        address=ip,
                        pool=None if seat is None else seat.state.name,
                        sharing=after.group[0],
                        is_free=not after.users,
                        only_for=next(iter(after.leavers), None),
                    )
                )
        self._before.clear()
        return tuple(changes)

    def _lift(self, ip: "IPAddress") -> _Holder:
        """Take an address out of the indexes to change its holder."""
        holder = self._holders.get(ip)
        if holder is None:
            holder = self._holders[ip] = _Holder(self._seat(ip))
            if holder.seat is not None:
                holder.seat.space.take(holder.seat.position)
        self._before.setdefault(ip, holder.snapshot())
        if holder.seat is not None and _is_joinable(holder):
            holder.seat.space.withdraw(holder.seat.position, holder.group, frozenset(holder.ports))
        return holder

    def _lower(self, ip: "IPAddress", holder: _Holder) -> None:
        """Put a changed holder back into the indexes, or drop it when nobody is left."""
        _offer(holder)
        if not holder.users and not holder.leavers:
            del self._holders[ip]
            if holder.seat is not None:
                holder.seat.space.free(holder.seat.position)

    def _seat(self, ip: "IPAddress") -> _Seat | None:
        state = self._table.covering(ip)
        position = None if state is None else state.position_of(ip)
        if state is None or position is None:
            return None
        return _Seat(state, state.spaces[ip.version], position)

    def _pool_of(self, holder: _Holder) -> "PoolName | None":
        return None if holder.seat is None else holder.seat.state.name


def _is_joinable(holder: _Holder) -> bool:
    return bool(holder.users) and bool(holder.group[0]) and not holder.leavers


def _offer(holder: _Holder) -> None:
    if holder.seat is not None and _is_joinable(holder):
        holder.seat.space.offer(holder.seat.position, holder.group, frozenset(holder.ports))


def _is_looser(before: _Snapshot, after: _Snapshot) -> bool:
    if len(after.leavers) > 1:
        return False
    if after.group != before.group:
        return bool(before.users)
    return not (
        before.ports <= after.ports
        and before.users <= after.users
        and before.leavers <= after.leavers
    )
