"""The engine: passes over Services, adoption at start, whom a change wakes."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from ferrolb.converge.decision import Decision, Pass, addresses_in, status_of
from ferrolb.converge.outcome import Outcome
from ferrolb.converge.waiting import NOTHING, WaitingRoom
from ferrolb.ipam import Allocator
from ferrolb.model import EventType, PoolName, Reason, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ferrolb.ipam import PoolUsage
    from ferrolb.model import EventNote, IPAddress, PoolSet, Service, ServiceKey


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """What is remembered of a Service between passes."""

    wanted_pool: "PoolName | None" = None
    depends_on_config: bool = False
    """Any change of the pools may matter to it: it is pending, or frozen."""
    standing: "tuple[EventNote, ...]" = ()
    lost: "frozenset[IPAddress]" = frozenset()


_NOTHING_KNOWN: Final = _Known()


class Engine:
    """Decides for all Services; owns the allocator.

    Order of use: `set_pools` with the first complete configuration, `adopt` with all Services,
    then `converge` for each. Until both have happened `converge` decides nothing. Deterministic:
    the same calls give the same outcomes.
    """

    def __init__(self, *, lb_class: str = "") -> None:
        self._lb_class = lb_class
        self._allocator = Allocator()
        self._pools: PoolSet | None = None
        self._is_adopted = False
        self._known: dict[ServiceKey, _Known] = {}
        self._waiting = WaitingRoom()
        # given in an outcome, and neither settled nor seen in a status since
        self._unconfirmed: dict[ServiceKey, frozenset[IPAddress]] = {}
        self._duplicates_resolved = 0

    @property
    def duplicates_resolved(self) -> int:
        """How often a Service lost an address because another held it rightfully (C-19)."""
        return self._duplicates_resolved

    def set_pools(self, pools: "PoolSet") -> "frozenset[ServiceKey]":
        """Put a new configuration in force; return the Services that must be looked at.

        These are all that are pending or frozen, all that hold an address of a pool that changed
        in any way, and all that name a pool which came, went, or became valid or invalid.
        """
        before = self._pools
        self._pools = pools
        if before == pools:
            return frozenset()
        concerned = set(self._allocator.set_pools(pools))
        self._allocator.changes()  # whoever waits is pending, so among those returned
        if before is None:
            return frozenset(concerned | self._known.keys())
        names = before.pools.keys() | pools.pools.keys() | before.invalid | pools.invalid
        changed = {name for name in names if before.pools.get(name) != pools.pools.get(name)}
        concerned.update(
            key
            for key, allocation in self._allocator.allocations.items()
            if allocation.pool in changed
        )
        changed |= {name for name in names if before.exists(name) != pools.exists(name)}
        concerned.update(
            key
            for key, known in self._known.items()
            if known.depends_on_config or known.wanted_pool in changed
        )
        return frozenset(concerned)

    def adopt(self, services: "Iterable[Service]") -> None:
        """Take over every legal assignment there is, before anything is given or cleared.

        Where two Services hold one address unlawfully the older one is taken over, of two of one
        age the one with the smaller uid. An address that stands in a status and is not taken over
        is given to nobody until it has gone from there.
        """
        if self._pools is None:
            return
        handled = sorted(
            (service for service in services if self._is_handled(service)), key=_seniority
        )
        for service in handled:
            if status_of(service):
                Pass(service, self._allocator, self._pools).adopt()
        for service in handled:
            self._mark_leaving(service)
        self._allocator.changes()
        self._is_adopted = True

    def converge(self, service: "Service") -> Outcome:
        """Make one pass: decide what the Service holds, and what it is told."""
        key = service.key
        if self._pools is None or not self._is_adopted:
            self._known[key] = _Known(depends_on_config=True)
            return _untouched(service, Reason.WAITING_FOR_ADOPTION)
        if not self._is_handled(service):
            return self._let_go(service)
        self._allocator.set_leaving(key, ())
        decision = Pass(service, self._allocator, self._pools).decide()
        addresses = decision.verdict.addresses
        in_doubt = self._in_doubt(service, addresses)
        self._mark_leaving(service, in_doubt)
        events = decision.said_once + decision.standing
        is_repeat = bool(events) and events == self._known.get(key, _NOTHING_KNOWN).standing
        self._remember(key, decision)
        wake = self._woken() - {key}
        pool = decision.verdict.pool
        if decision.verdict.reason == Reason.FROZEN and service.allocated_from is not None:
            pool = PoolName(service.allocated_from)
        return Outcome(
            key=key,
            addresses=addresses,
            pool=pool,
            is_changed=not decision.is_untouched
            and (bool(in_doubt) or _differs(service, addresses, pool)),
            events=events,
            is_repeat=is_repeat,
            verdict=decision.verdict,
            wake=wake,
        )

    def settle(self, service: "Service") -> "frozenset[ServiceKey]":
        """Take note of a status as written; return whom that wakes.

        An address that a Service gives up becomes free once its status no longer says it, so that
        no two statuses name it at any time. A pass over the Service as it is then does the same.
        """
        key = service.key
        self._unconfirmed.pop(key, None)
        shown = status_of(service)
        still = [ip for ip in self._allocator.leaving(key) if ip in shown]
        self._allocator.set_leaving(key, still)
        known = self._known.get(key)
        if known is not None and known.lost:
            self._known[key] = replace(known, lost=known.lost.intersection(shown))
        return self._woken() - {key}

    def forget(self, key: "ServiceKey") -> "frozenset[ServiceKey]":
        """Drop a deleted Service; return whom that wakes."""
        self._known.pop(key, None)
        self._unconfirmed.pop(key, None)
        self._waiting.put(key, NOTHING)
        self._allocator.unassign(key)
        self._allocator.set_leaving(key, ())
        return self._woken() - {key}

    def current_events(self, key: "ServiceKey") -> "tuple[EventNote, ...]":
        """Return the warnings that still stand, to be said again before they expire (C-10)."""
        standing = self._known.get(key, _NOTHING_KNOWN).standing
        return tuple(event for event in standing if event.type == EventType.WARNING)

    def usage(self) -> "Mapping[PoolName, PoolUsage]":
        """Return the counters of every pool."""
        return self._allocator.usage()

    def pools_touched(self) -> "frozenset[PoolName]":
        """Return the pools, also deleted ones, whose counters may have changed since last asked."""
        return self._allocator.touched()

    def _is_handled(self, service: "Service") -> bool:
        return (service.load_balancer_class or "") == self._lb_class

    def _let_go(self, service: "Service") -> Outcome:
        """Release what a Service of another class still holds from us; else leave it alone.

        Its status is emptied if it shows exactly that, and if no other controller can own it.
        """
        key = service.key
        held = self._allocator.allocations.get(key)
        if held is None and not self._allocator.leaving(key):
            self._known.pop(key, None)
            return _untouched(service, Reason.OTHER_CLASS)
        ours = set(held.ips if held is not None else ()) | set(self._allocator.leaving(key))
        is_ours = ours >= set(status_of(service))
        self._unconfirmed.pop(key, None)
        self._allocator.unassign(key)
        self._allocator.set_leaving(key, ())
        if is_ours:
            self._mark_leaving(service)
        self._known.pop(key, None)
        self._waiting.put(key, NOTHING)
        return Outcome(
            key=key,
            addresses=(),
            pool=None,
            is_changed=is_ours and _differs(service, (), None),
            events=(),
            is_repeat=False,
            verdict=Verdict(reason=Reason.OTHER_CLASS),
            wake=self._woken() - {key},
        )

    def _in_doubt(
        self, service: "Service", addresses: "tuple[IPAddress, ...]"
    ) -> "frozenset[IPAddress]":
        """Return what was given, is taken back now, and may stand in the status unseen.

        A write may land and its answer be lost: only another write, which fails if the Service
        has changed since it was read, tells that the address is not there.
        """
        shown = frozenset(addresses_in(status_of(service)))
        before = self._unconfirmed.pop(service.key, frozenset()) - shown
        unconfirmed = before.union(addresses) - shown
        if unconfirmed:
            self._unconfirmed[service.key] = unconfirmed
        return before.difference(addresses)

    def _mark_leaving(
        self, service: "Service", in_doubt: "frozenset[IPAddress]" = frozenset()
    ) -> None:
        key = service.key
        leaving = [
            ip
            for ip in dict.fromkeys((*addresses_in(status_of(service)), *sorted(in_doubt, key=int)))
            if not self._allocator.is_user(key, ip)
        ]
        self._allocator.set_leaving(key, leaving)

    def _remember(self, key: "ServiceKey", decision: Decision) -> None:
        verdict = decision.verdict
        before = self._known.pop(key, _NOTHING_KNOWN)
        if decision.lost - before.lost:
            self._duplicates_resolved += 1
        self._waiting.put(key, decision.waits)
        if verdict.reason in (Reason.NOT_LOAD_BALANCER, Reason.NO_CLUSTER_IP):
            return
        known = _Known(
            wanted_pool=decision.wanted_pool,
            depends_on_config=not verdict.is_assigned or verdict.reason == Reason.FROZEN,
            standing=decision.standing,
            lost=decision.lost,
        )
        if known != _NOTHING_KNOWN:
            self._known[key] = known

    def _woken(self) -> "frozenset[ServiceKey]":
        return frozenset(self._waiting.woken_by(self._allocator.changes()))


def _seniority(service: "Service") -> tuple[bool, float, str]:
    created = service.created
    return (created is None, created.timestamp() if created is not None else 0.0, service.uid)


def _differs(
    service: "Service", addresses: "tuple[IPAddress, ...]", pool: "PoolName | None"
) -> bool:
    shown = [entry.ip for entry in service.ingress]
    return (
        len(shown) != len(addresses)
        or set(shown) != set(addresses)
        or service.allocated_from != pool
    )


def _untouched(service: "Service", reason: Reason) -> Outcome:
    return Outcome(
        key=service.key,
        addresses=addresses_in(status_of(service)),
        pool=None if service.allocated_from is None else PoolName(service.allocated_from),
        is_changed=False,
        events=(),
        is_repeat=False,
        verdict=Verdict(reason=reason),
        wake=frozenset(),
    )
