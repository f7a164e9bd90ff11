"""The decision sequence: one pass over one Service (specification 5.3 and 5.4).

The order of the steps is MetalLB's. Whether what the Service holds is still legal is decided
before anything is changed, so that an address is given up only for a reason.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ferrolb.converge import notes
from ferrolb.converge.waiting import NOTHING, Waits
from ferrolb.converge.wish import wish_of
from ferrolb.ipam import Refused, claim_of
from ferrolb.model import (
    BadAddress,
    Family,
    IPFamilyPolicy,
    PoolVerdict,
    Reason,
    Verdict,
    family_of,
    quote_list,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ferrolb.ipam import Allocator, Assigned
    from ferrolb.model import (
        EventNote,
        IPAddress,
        PoolName,
        PoolSet,
        RequestedAddress,
        Service,
    )

_HELD_BY_OTHERS: Final = frozenset(
    {Reason.ADDRESS_IN_USE, Reason.SHARING_REFUSED, Reason.PORT_IN_USE}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What a pass decided; the allocator says which addresses the Service holds now."""

    verdict: Verdict
    said_once: "tuple[EventNote, ...]" = ()
    """Events of what happened in this pass."""
    standing: "tuple[EventNote, ...]" = ()
    """Events of what holds until something changes; the same in every pass until then."""
    waits: Waits = NOTHING
    wanted_pool: "PoolName | None" = None
    """The pool asked for by name."""
    lost: "frozenset[IPAddress]" = frozenset()
    """Addresses in the status that others hold rightfully and this Service never held (C-19)."""
    is_untouched: bool = False
    """The status stays as it is, whatever it says."""


@dataclass(frozen=True, slots=True)
class Legal:
    """Addresses that the Service may go on holding; `pool` is None when they are frozen."""

    pool: "PoolName | None"


@dataclass(frozen=True, slots=True)
class Illegal:
    """Addresses that the Service may not go on holding."""

    refused: Refused | None = None
    """None: they are legal as such, but not what the Service asks for now."""


def status_of(service: "Service") -> "tuple[RequestedAddress, ...]":
    """Return the addresses in the status; entries without one are left out."""
    return tuple(entry.ip for entry in service.ingress if entry.ip is not None)


def addresses_in(ips: "Sequence[RequestedAddress]") -> "tuple[IPAddress, ...]":
    """Return those that are addresses."""
    return tuple(ip for ip in ips if not isinstance(ip, BadAddress))


class Pass:
    """One pass over one Service: reads the request, judges what is held, gives and takes."""

    def __init__(self, service: "Service", allocator: "Allocator", pools: "PoolSet") -> None:
        self._service = service
        self._allocator = allocator
        self._pools = pools
        self._claim = claim_of(service)
        self._wish = wish_of(service)
        self._status = status_of(service)
        self._never_held = frozenset(
            ip for ip in addresses_in(self._status) if not allocator.is_user(service.key, ip)
        )
        self._said: list[EventNote] = []
        self._standing: list[EventNote] = []
        self._waits = NOTHING
        self._is_beaten = False

    @property
    def _is_prefer_dual(self) -> bool:
        policy = self._claim.policy
        return self._claim.family == Family.DUAL and policy == IPFamilyPolicy.PREFER_DUAL_STACK

    def adopt(self) -> bool:
        """Take over what the status says, if it is legal; gives and clears nothing."""
        if self._refused_at_sight() is not None:
            return False
        return self._keep(self._status)

    def decide(self) -> Decision:
        """Run the whole sequence."""
        if (reason := self._refused_at_sight()) is not None:
            return self._refuse_at_sight(reason)
        if self._status and family_of(self._status) == Family.UNKNOWN:
            self._standing.append(notes.no_family_of_status(self._status))
        if self._status and self._claim.family == Family.UNKNOWN:
            cluster_ips = self._service.cluster_ips
            self._standing.append(notes.no_family_of_cluster_ips(cluster_ips))
            text = notes.family_error(cluster_ips)
            return self._done(Reason.FAMILY_MISMATCH, text, is_untouched=True)
        if self._keep_something():
            return self._kept()
        had_status = bool(self._status)
        self._allocator.unassign(self._claim.key)
        if had_status and self._wish.error and self._is_sane():
            self._standing.append(notes.load_balancer_failed(self._wish.error))
            return self._done(Reason.BAD_REQUEST, self._wish.error)
        return self._give()

    # steps 1 to 5: refused without a look at any pool

    def _refused_at_sight(self) -> Reason | None:
        service = self._service
        if not service.is_load_balancer:
            return Reason.NOT_LOAD_BALANCER
        if not service.cluster_ips:
            return Reason.NO_CLUSTER_IP
        if not self._pools.pools and not self._pools.is_frozen:
            return Reason.NO_POOLS
        needs_two = service.ip_family_policy == IPFamilyPolicy.REQUIRE_DUAL_STACK
        if needs_two and len(service.cluster_ips) < 2:
            return Reason.NOT_ENOUGH_CLUSTER_IPS
        return None

    def _refuse_at_sight(self, reason: Reason) -> Decision:
        self._allocator.unassign(self._claim.key)
        text = ""
        if reason == Reason.NO_POOLS:
            text = notes.NO_POOLS_TEXT
            if self._status:
                self._said.append(notes.clear_assignment(self._claim.key, text))
            self._standing.append(notes.allocation_failed(self._claim.key, text))
        elif reason == Reason.NOT_ENOUGH_CLUSTER_IPS:
            note = notes.not_enough_cluster_ips(self._service.cluster_ips)
            text = note.message
            self._standing.append(note)
        return self._done(reason, text)

    # steps 6 and 7: may it keep what it holds

    def _keep_something(self) -> bool:
        held = self._allocator.allocations.get(self._claim.key)
        ours = held.ips if held is not None else ()
        # what we gave and the status does not show yet (or lost) comes first where it includes
        # what the status shows; else it is what to fall back on
        if set(ours) > set(self._status):
            return self._keep(ours) or self._keep(self._status, is_told=True)
        if self._keep(self._status, is_told=True):
            return True
        if set(ours) != set(self._status) and self._keep(ours):
            return True
        # dual stack given up: the address of the family that stays is kept
        rest = [ip for ip in addresses_in(self._status) if self._claim.family == family_of([ip])]
        return len(rest) == 1 and len(self._status) == 2 and self._keep(rest)

    def _keep(self, ips: "Sequence[RequestedAddress]", *, is_told: bool = False) -> bool:
        """Record the addresses if they are legal; else say why not, if told to."""
        judged = self._judge(ips)
        if isinstance(judged, Legal):
            addresses = addresses_in(ips)
            if judged.pool is None:
                self._allocator.hold(self._claim, addresses)
            else:
                self._allocator.assign(self._claim, addresses)
            return True
        if is_told and judged.refused is not None:
            note = notes.clear_assignment(self._claim.key, judged.refused.text)
            self._said.append(note)
            self._is_beaten = judged.refused.reason in _HELD_BY_OTHERS
        return False

    def _judge(self, ips: "Sequence[RequestedAddress]") -> Legal | Illegal:
        if not self._is_sane(ips):
            return Illegal()
        addresses = addresses_in(ips)
        checked = self._allocator.check(self._claim, addresses)
        if isinstance(checked, Refused):
            is_frozen = self._pools.is_frozen and self._allocator.is_uncovered(addresses)
            if checked.reason != Reason.NOT_IN_POOL or not is_frozen:
                return Illegal(checked)
            conflict = self._allocator.conflict(self._claim, addresses)
            return Legal(None) if conflict is None else Illegal(conflict)
        wish = self._wish
        if wish.error:
            return Legal(checked)
        is_elsewhere = wish.pool in self._pools.pools and wish.pool != checked
        if is_elsewhere or (wish.ips and set(wish.ips) != set(addresses)):
            return Illegal()
        return Legal(checked)

    def _is_sane(self, ips: "Sequence[RequestedAddress] | None" = None) -> bool:
        """Tell whether the family of these addresses is one that the Service may hold."""
        family = family_of(self._status if ips is None else ips)
        if family in (Family.UNKNOWN, self._claim.family):
            return family != Family.UNKNOWN
        return self._is_prefer_dual

    # step 8 and what follows keeping

    def _kept(self) -> Decision:
        held = self._allocator.allocations[self._claim.key]
        if held.pool is None:
            note = notes.address_frozen(self._claim.key, held.ips, self._pools.invalid)
            self._standing.append(note)
            return self._done(Reason.FROZEN, note.message)
        reason, text = Reason.KEPT, ""
        considered: tuple[PoolVerdict, ...] = (
            PoolVerdict(held.pool, Reason.KEPT, "holds the address already"),
        )
        if self._wish.error:
            self._standing.append(notes.load_balancer_failed(self._wish.error))
            reason, text = Reason.BAD_REQUEST, self._wish.error
        else:
            considered = self._extend(held.pool) or considered
        return self._done(reason, text, considered)

    def _extend(self, pool: "PoolName") -> tuple[PoolVerdict, ...]:
        """Add the other family where one address is held and two are preferred; else wait for it.

        Return what was considered, nothing where nothing was to be added.
        """
        held = self._allocator.allocations[self._claim.key]
        if len(held.ips) != 1 or not self._is_prefer_dual or self._wish.ips:
            return ()
        extra = self._allocator.allocate_additional(self._claim)
        if isinstance(extra, Refused) and extra.reason != Reason.NO_ADDRESS_OF_FAMILY:
            self._standing.append(notes.additional_assign_failed(extra.text))
            self._waits = Waits(pools=frozenset({pool}), sharing=self._claim.terms.sharing)
        return extra.pools

    # step 9: give

    def _give(self) -> Decision:
        given = self._allocate()
        if isinstance(given, Refused):
            note = notes.allocation_failed(self._claim.key, notes.search_error(given))
            self._standing.append(note)
            self._waits = self._waits_after(given)
            return self._done(given.reason, given.text, given.pools)
        self._extend(given.pool)
        return self._done(Reason.CHOSEN, "", given.pools)

    def _allocate(self) -> "Assigned | Refused":
        claim, wish = self._claim, self._wish
        if claim.family == Family.UNKNOWN:
            text = notes.family_error(self._service.cluster_ips)
            return Refused(Reason.FAMILY_MISMATCH, text)
        if wish.error:
            return Refused(Reason.BAD_REQUEST, wish.error)
        if wish.ips:
            return self._allocate_requested()
        if wish.pool is None or not self._pools.exists(wish.pool):
            return self._allocator.allocate(claim)
        if wish.pool in self._pools.pools:
            return self._allocator.allocate_from_pool(claim, wish.pool)
        text = f"the configuration of address pool {wish.pool} is invalid"
        verdict = PoolVerdict(wish.pool, Reason.POOL_INVALID, text)
        return Refused(Reason.POOL_INVALID, text, (verdict,))

    def _allocate_requested(self) -> "Assigned | Refused":
        claim, wish = self._claim, self._wish
        asked = f"requested loadBalancer IP(s) {quote_list(wish.ips)}"
        if family_of(wish.ips) != claim.family:
            text = f"{asked} does not match the ipFamily of the service"
            return Refused(Reason.FAMILY_MISMATCH, text)
        owner = self._allocator.check(claim, wish.ips)
        if isinstance(owner, Refused):
            return owner
        if wish.pool is not None and wish.pool != owner and self._pools.exists(wish.pool):
            text = f"{asked} is not compatible with requested address pool {wish.pool}"
            return Refused(
                Reason.NOT_REQUESTED, text, (PoolVerdict(owner, Reason.NOT_REQUESTED, text),)
            )
        return self._allocator.assign(claim, wish.ips)

    # the end of every way through

    def _done(
        self,
        reason: Reason,
        text: str,
        pools: tuple[PoolVerdict, ...] = (),
        *,
        is_untouched: bool = False,
    ) -> Decision:
        held = self._allocator.allocations.get(self._claim.key)
        ips = held.ips if held is not None else ()
        if ips and not is_untouched:
            self._tell_given(ips)
        return Decision(
            verdict=Verdict(
                reason=reason,
                text=text,
                addresses=ips,
                pool=held.pool if held is not None else None,
                pools=pools,
            ),
            said_once=tuple(self._said),
            standing=tuple(self._standing),
            waits=self._waits,
            wanted_pool=self._wish.pool,
            lost=self._never_held if self._is_beaten else frozenset(),
            is_untouched=is_untouched,
        )

    def _tell_given(self, ips: "tuple[IPAddress, ...]") -> None:
        shown = set(self._status)
        if shown == set(ips):
            return
        if shown and shown < set(ips):
            self._said.extend(notes.additional_ip_allocated(ip) for ip in ips if ip not in shown)
        else:
            self._said.append(notes.ip_allocated(ips))

    def _waits_after(self, refused: Refused) -> Waits:
        """Return what would let a refused Service in: its addresses, or room in these pools."""
        full = frozenset(
            pool.pool for pool in refused.pools if pool.reason == Reason.NO_FREE_ADDRESS
        )
        addresses = frozenset(self._wish.ips)
        if not addresses and not full:
            return NOTHING
        return Waits(addresses=addresses, pools=full, sharing=self._claim.terms.sharing)
