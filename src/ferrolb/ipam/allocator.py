"""The allocator: gives addresses, takes them back, counts them."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ferrolb.ipam.choice import choose, pick, why_not
from ferrolb.ipam.occupancy import Occupancy
from ferrolb.ipam.pools import PoolTable, is_compatible
from ferrolb.ipam.refusal import (
    Refused,
    family_missing,
    not_in_config,
    pool_exhausted,
    refuse,
)
from ferrolb.model import (
    Family,
    IPFamilyPolicy,
    PoolSet,
    PoolVerdict,
    Reason,
    family_of,
    quote,
    quote_list,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ferrolb.ipam.claim import Claim, Terms
    from ferrolb.ipam.occupancy import AddressChange
    from ferrolb.ipam.pools import PoolUsage
    from ferrolb.model import IPAddress, PoolName, ServiceKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocation:
    """What one Service holds."""

    ips: "tuple[IPAddress, ...]"
    """IPv4 first."""
    pool: "PoolName | None"
    """None: no pool in force holds them; they are kept while the configuration is half-bad."""
    terms: "Terms"


@dataclass(frozen=True, slots=True, kw_only=True)
class Assigned:
    """Addresses that were given, and what was considered on the way."""

    ips: "tuple[IPAddress, ...]"
    pool: "PoolName"
    pools: tuple[PoolVerdict, ...] = ()


class Allocator:
    """Allocations of all Services, in the pools in force.

    A refusal leaves everything as it was. The same calls give the same answers: pinned pools are
    tried by priority, then name, the others by name.
    """

    def __init__(self) -> None:
        self._table = PoolTable(PoolSet())
        self._occupancy = Occupancy(self._table)
        self._allocations: dict[ServiceKey, Allocation] = {}
        self._leaving: dict[ServiceKey, tuple[IPAddress, ...]] = {}
        self._touched: set[PoolName] = set()

    @property
    def allocations(self) -> "Mapping[ServiceKey, Allocation]":
        """What each Service holds; a live view."""
        return self._allocations

    def usage(self) -> "dict[PoolName, PoolUsage]":
        """Return the counters of every pool."""
        return {name: state.usage() for name, state in self._table.states.items()}

    def touched(self) -> "frozenset[PoolName]":
        """Return the pools, also deleted ones, whose counters may have changed since last asked."""
        touched = frozenset(self._touched)
        self._touched.clear()
        return touched

    def changes(self) -> "tuple[AddressChange, ...]":
        """Return which addresses others may have that they could not have when last asked."""
        return self._occupancy.drain()

    def set_pools(self, pools: PoolSet) -> "frozenset[ServiceKey]":
        """Put new pools in force; return the Services whose allocation moved or was released.

        Addresses released here are being left (`set_leaving`) until that is taken back.
        """
        self._touched |= self._table.states.keys() | pools.pools.keys()
        self._table = PoolTable(pools)
        self._occupancy.rehome(self._table)
        moved = set()
        for key, held in list(self._allocations.items()):
            owner = self._table.owner(held.ips)
            if owner is not None:
                owner.services += 1
            elif not (pools.is_frozen and self.is_uncovered(held.ips)):
                self._release(key, held)
                # its status may still name them, and one of a pair may lie in a pool in force
                self.set_leaving(key, tuple(dict.fromkeys((*self.leaving(key), *held.ips))))
                moved.add(key)
                continue
            name = None if owner is None else owner.name
            if name != held.pool:
                self._allocations[key] = Allocation(ips=held.ips, pool=name, terms=held.terms)
                moved.add(key)
        return frozenset(moved)

    def is_uncovered(self, ips: "Sequence[IPAddress]") -> bool:
        """Tell whether one of the addresses is in no prefix of any pool in force."""
        return any(self._table.covering(ip) is None for ip in ips)

    def is_user(self, key: "ServiceKey", ip: "IPAddress") -> bool:
        """Tell whether the Service holds the address."""
        return self._occupancy.is_user(key, ip)

    def check(self, claim: "Claim", ips: "Sequence[IPAddress]") -> "PoolName | Refused":
        """Return the pool of which the claim may hold exactly these addresses, changing nothing."""
        owner = self._table.owner(ips)
        if owner is None:
            return not_in_config(ips, self._not_holding())
        if not is_compatible(owner.pool, claim):
            text = f"pool {owner.name} not compatible for ip assignment"
            return refuse(Reason.PINNED_ELSEWHERE, text, owner.name)
        if len(ips) > 2:
            text = f"more than two addresses {quote_list(ips)}"
            return refuse(Reason.BAD_REQUEST, text, owner.name)
        if len(ips) == 2 and ips[0].version == ips[1].version:
            text = f"{quote(ips[0])} {quote(ips[1])} has the same family"
            return refuse(Reason.BAD_REQUEST, text, owner.name)
        return self.conflict(claim, ips) or owner.name

    def assign(self, claim: "Claim", ips: "Sequence[IPAddress]") -> Assigned | Refused:
        """Give exactly these addresses; what the Service held before is released."""
        pool = self.check(claim, ips)
        if isinstance(pool, Refused):
            return pool
        ordered = _ordered(ips)
        self._record(claim, ordered, pool)
        return Assigned(
            ips=ordered, pool=pool, pools=(PoolVerdict(pool, Reason.CHOSEN, "holds the address"),)
        )

    def conflict(self, claim: "Claim", ips: "Sequence[IPAddress]") -> Refused | None:
        """Return what other Services have against the claim holding these addresses."""
        refusals = (self._occupancy.conflict(claim, ip) for ip in ips)
        return next((refused for refused in refusals if refused is not None), None)

    def hold(self, claim: "Claim", ips: "Sequence[IPAddress]") -> Refused | None:
        """Keep addresses that no pool in force holds, unless others hold them."""
        conflict = self.conflict(claim, ips)
        if conflict is None:
            self._record(claim, _ordered(ips), None)
        return conflict

    def allocate(self, claim: "Claim") -> Assigned | Refused:
        """Give an address from any pool that permits automatic assignment."""
        if (held := self._allocations.get(claim.key)) is not None:
            return self.assign(claim, held.ips)
        verdicts: list[PoolVerdict] = []
        for states in (self._table.pinned, self._table.unpinned):
            usable = [
                state
                for state in states
                if state.pool.auto_assign and is_compatible(state.pool, claim)
            ]
            found = choose(claim, usable, verdicts)
            if found is not None:
                self._record(claim, found.ips, found.pool)
                return Assigned(ips=found.ips, pool=found.pool, pools=tuple(verdicts))
        verdicts.extend(self._ruled_out(claim))
        return Refused(Reason.NO_SUITABLE_POOL, "no available IPs", tuple(verdicts))

    def allocate_from_pool(self, claim: "Claim", name: "PoolName") -> Assigned | Refused:
        """Give an address from this pool, which need not permit automatic assignment."""
        if (held := self._allocations.get(claim.key)) is not None:
            family = family_of(held.ips)
            if family != claim.family and claim.policy != IPFamilyPolicy.PREFER_DUAL_STACK:
                return refuse(
                    Reason.FAMILY_MISMATCH,
                    f"IP for wrong family assigned alloc {family} service family {claim.family}",
                    held.pool,
                )
            return self.assign(claim, held.ips)
        state = self._table.states.get(name)
        if state is None:
            return Refused(Reason.NOT_IN_POOL, f"unknown pool {quote(name)}")
        found = state.find(claim.terms)
        if found.ipv4 is None and found.ipv6 is None:
            return pool_exhausted(name)
        ips = pick(claim, found)
        if not ips:
            return family_missing(name, claim.family, why_not(claim, state, found).reason)
        return self.assign(claim, ips)

    def allocate_additional(self, claim: "Claim") -> Assigned | Refused:
        """Give a Service that holds one address one of the other family, from the same pool.

        The Service must hold exactly one address, in a pool in force.
        """
        held = self._allocations[claim.key]
        state = self._table.owner(held.ips)
        if state is None:
            return not_in_config(held.ips, self._not_holding())
        version = 10 - held.ips[0].version
        space = state.spaces.get(version)
        extra = None if space is None else space.find(claim.terms)
        if extra is None:
            family = Family.IPV4 if version == 4 else Family.IPV6
            reason = Reason.NO_ADDRESS_OF_FAMILY if space is None else Reason.NO_FREE_ADDRESS
            return family_missing(state.name, family, reason)
        return self.assign(claim, (*held.ips, extra))

    def unassign(self, key: "ServiceKey") -> None:
        """Release what the Service holds; no-op when that is nothing."""
        if (held := self._allocations.get(key)) is not None:
            self._leave_pool(held)
            self._release(key, held)

    def set_leaving(self, key: "ServiceKey", ips: "Sequence[IPAddress]") -> None:
        """Say which addresses the Service's status still names although it holds them no more.

        Nobody else is given such an address until the Service has left it, too.
        """
        before = self._leaving.pop(key, ())
        for ip in ips:
            if ip not in before:
                self._occupancy.linger(key, ip)
        for ip in before:
            if ip not in ips:
                self._occupancy.part(key, ip)
        if ips:
            self._leaving[key] = tuple(ips)

    def leaving(self, key: "ServiceKey") -> "tuple[IPAddress, ...]":
        """Return what `set_leaving` said last."""
        return self._leaving.get(key, ())

    def _record(
        self, claim: "Claim", ips: "tuple[IPAddress, ...]", pool: "PoolName | None"
    ) -> None:
        key = claim.key
        wanted = Allocation(ips=ips, pool=pool, terms=claim.terms)
        if self._allocations.get(key) == wanted:
            return
        self.unassign(key)
        self._allocations[key] = wanted
        for ip in ips:
            self._occupancy.enter(key, ip, claim.terms)
        if pool is not None:
            self._table.states[pool].services += 1
            self._touched.add(pool)

    def _leave_pool(self, held: Allocation) -> None:
        if held.pool is not None:
            self._table.states[held.pool].services -= 1
            self._touched.add(held.pool)

    def _release(self, key: "ServiceKey", held: Allocation) -> None:
        del self._allocations[key]
        for ip in held.ips:
            self._occupancy.leave(key, ip)

    def _not_holding(self) -> tuple[PoolVerdict, ...]:
        held = tuple(
            PoolVerdict(name, Reason.NOT_IN_POOL, "does not hold the address")
            for name in self._table.states
        )
        return held + self._invalid()

    def _ruled_out(self, claim: "Claim") -> "list[PoolVerdict]":
        """Return the pools that an automatic search leaves aside, by name."""
        verdicts = []
        for name, state in self._table.states.items():
            if not is_compatible(state.pool, claim):
                reason, text = Reason.PINNED_ELSEWHERE, "pinned to other Services"
            elif not state.pool.auto_assign:
                reason, text = Reason.NOT_AUTO_ASSIGN, "not for automatic assignment"
            else:
                continue
            verdicts.append(PoolVerdict(name, reason, text))
        return [*verdicts, *self._invalid()]

    def _invalid(self) -> tuple[PoolVerdict, ...]:
        return tuple(
            PoolVerdict(name, Reason.POOL_INVALID, "its configuration is invalid")
            for name in sorted(self._table.config.invalid - self._table.states.keys())
        )


def _ordered(ips: "Sequence[IPAddress]") -> "tuple[IPAddress, ...]":
    return tuple(sorted(ips, key=_version))


def _version(ip: "IPAddress") -> int:
    return ip.version
