"""Judge what the wire showed: who may answer for an address, who did, and who should have.

Nothing here knows how speakers decide. Who was eligible is stated from outside: by the test itself,
or from the API's objects by `eligible`.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import Final

from ferrolb.lab.probing import Span, doubles, silences
from ferrolb.lab.sightings import Sighting
from ferrolb.model import IPAddress, JsonObject, NodeName

_SILENCING: Final = frozenset({"kill", "stop", "freeze", "port-down", "black-hole", "one-way-in"})
"""Faults under which a node cannot be expected to answer."""
_BLINDING: Final = frozenset({"api-stop", "api-freeze"})
ALL: Final = NodeName("all")
"""The target of a fault that strikes every node."""


class Invariant(StrEnum):
    """What always holds; the words of the project's design."""

    L1 = "L1"
    """At most one node answers for an address once the bound has passed."""
    L2 = "L2"
    """An address with an eligible node is answered within the bound."""
    L3 = "L3"
    """A node that may not announce an address never sends a frame for it."""
    K1 = "K1"
    """While the API is away, what was announced goes on being announced, by the same node."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How long things may take."""

    failover_s: float = 10.0
    """From any disturbance until one node answers, and no other."""
    partition_s: float = 65.0
    """The same after a gossip partition has healed."""
    withdraw_s: float = 2.0
    """From the moment a node may no longer announce until its last frame."""
    silence_s: float = 1.0
    """A lost question is no outage; this long without any answer is."""

    @classmethod
    def of(cls, nodes: int) -> "Bounds":
        """Return the bounds for a lab of so many nodes."""
        return cls(failover_s=10.0 if nodes <= 3 else 30.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Eligibility:
    """From `since` on these nodes may announce an address; before the first, none may."""

    since: float
    nodes: frozenset[NodeName]


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultPeriod:
    """One fault, from when to when."""

    kind: str
    node: NodeName
    start: float
    end: float | None = None
    """None: it was never healed."""

    def is_on(self, t: float) -> bool:
        """Tell whether it was in force at `t`."""
        return self.start <= t and (self.end is None or t < self.end)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Everything that was seen, and what was done, between `start` and `end`."""

    start: float
    end: float
    sightings: Sequence[Sighting] = ()
    spans: Mapping[IPAddress, Sequence[Span]]
    """Of the addresses that were asked for all the time; L2 and K1 are judged for these alone."""
    eligible: Mapping[IPAddress, Sequence[Eligibility]]
    faults: Sequence[FaultPeriod] = ()
    unseen: Sequence[tuple[float, float]] = ()
    """When nobody watched, in the order of time: nothing can be said of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """One invariant that did not hold."""

    invariant: Invariant
    ip: IPAddress
    at: float
    text: str

    def to_json(self) -> JsonObject:
        """Return it as a JSON object."""
        return {
            "invariant": self.invariant.value,
            "ip": str(self.ip),
            "at": self.at,
            "text": self.text,
        }


def violations(evidence: Evidence, bounds: Bounds) -> list[Violation]:
    """Return every breach of L1, L2, L3 and K1, in the order of time."""
    addresses = {*evidence.spans, *evidence.eligible, *(one.ip for one in evidence.sightings)}
    found: list[Violation] = []
    for ip in addresses:
        case = _Case(evidence, ip, bounds)
        found += [*case.l1(), *case.l2(), *case.l3(), *case.k1()]
    return sorted(found, key=lambda one: (one.at, str(one.ip)))


def judged_s(evidence: Evidence, bounds: Bounds) -> float:
    """Return for how long nothing was an excuse: the least of all addresses that were asked for."""
    cases = [_Case(evidence, ip, bounds) for ip in evidence.spans]
    return min((case.judged_s for case in cases), default=0.0)


class _Case:
    """One address."""

    def __init__(self, evidence: Evidence, ip: IPAddress, bounds: Bounds) -> None:
        self._evidence = evidence
        self._ip = ip
        self._bounds = bounds
        self._spans = tuple(evidence.spans.get(ip, ()))
        self._history = tuple(evidence.eligible.get(ip, ()))
        self._claims = [one for one in evidence.sightings if one.ip == ip and one.kind.is_claim]
        self._quiet = tuple(_without(self._undisturbed(), evidence.unseen))

    @property
    def judged_s(self) -> float:
        """For how long L1 and L2 can be broken."""
        return sum(end - start for start, end in self._quiet)

    def l1(self) -> Iterator[Violation]:
        """No question has two answers, and no two nodes claim by turns."""
        for span in doubles(self._spans):
            for start, end in self._quiet:
                if span.last >= start and span.first < end:
                    who = " and ".join(span.nodes)
                    at = max(span.first, start)
                    yield self._violation(Invariant.L1, at, f"{who} answer the same question")
                    break
        for start, end in self._quiet:
            claims = [one for one in self._claims if start <= one.t < end]
            turns = [b for a, b in pairwise(claims) if a.node != b.node]
            for before, back in pairwise(turns):
                # one change is a handover; there and back again is a quarrel
                if back.t - before.t < self._bounds.silence_s:
                    text = f"{before.node} and {back.node} claim the address by turns"
                    yield self._violation(Invariant.L1, back.t, text)
                    break

    def l2(self) -> Iterator[Violation]:
        """While somebody can answer, somebody does."""
        for silent_from, silent_to in silences(self._spans):
            for start, end in self._quiet:
                lasts_s = min(silent_to, end) - max(silent_from, start)
                if lasts_s >= self._bounds.silence_s and self._able(start):
                    able = ", ".join(sorted(self._able(start)))
                    text = f"nobody answered for {lasts_s:.2f} s; eligible: {able}"
                    yield self._violation(Invariant.L2, max(silent_from, start), text)

    def l3(self) -> Iterator[Violation]:
        """Nobody claims what it may not announce, nor so soon before that it could not know."""
        told: set[NodeName] = set()
        for claim in self._claims:
            since = claim.t - self._bounds.withdraw_s
            lately = [self._eligible(claim.t), self._eligible(since)]
            lately += [one.nodes for one in self._history if since <= one.since <= claim.t]
            is_excused = any(claim.node in nodes for nodes in lately)
            if (
                not is_excused
                and claim.node not in told
                and not self._is_blind(claim.node, claim.t)
            ):
                told.add(claim.node)
                text = f"{claim.node} sent a {claim.kind} and may not announce the address"
                yield self._violation(Invariant.L3, claim.t, text)

    def k1(self) -> Iterator[Violation]:
        """An outage of the API alone changes nothing."""
        for outage in self._evidence.faults:
            if outage.kind not in _BLINDING:
                continue
            start = outage.start
            end = self._evidence.end if outage.end is None else outage.end
            end = min([end, *(t for t in self._upsets() if start < t < end)])
            owner = self._owner(start)
            if owner is None or owner not in self._eligible(start):
                continue
            for span in self._spans:
                at = max(span.first, start)
                lasts_s = min(span.last, end) - at
                if lasts_s > 0 and span.nodes and owner not in span.nodes:
                    text = f"moved from {owner} to {span.nodes[0]} while the API was away"
                    yield self._violation(Invariant.K1, at, text)
                    break
                if lasts_s >= self._bounds.silence_s and not span.nodes:
                    text = f"{owner} fell silent for {lasts_s:.2f} s while the API was away"
                    yield self._violation(Invariant.K1, at, text)
                    break

    def _undisturbed(self) -> Iterator[tuple[float, float]]:
        """Return when nothing is an excuse: from a bound after each upset until the next one."""
        evidence, bounds = self._evidence, self._bounds
        marks = [(evidence.start, bounds.failover_s)]
        marks += [(self._known_from(one.since), bounds.failover_s) for one in self._history]
        for fault in evidence.faults:
            is_partition = fault.kind == "gossip-partition"
            marks.append((fault.start, evidence.end if is_partition else bounds.failover_s))
            if fault.end is not None:
                bound = bounds.partition_s if is_partition else bounds.failover_s
                marks.append((fault.end, bound))
        marks.sort()
        for number, (at, bound) in enumerate(marks):
            until = marks[number + 1][0] if number + 1 < len(marks) else evidence.end
            # an upset does not shorten what an earlier one is allowed
            start = max([at + bound, *(t + s for t, s in marks[:number] if self._holds(t, s, at))])
            if start < until:
                yield start, until

    def _holds(self, at: float, bound: float, now: float) -> bool:
        """Tell whether an earlier mark's bound still counts; a partition's does until it heals."""
        if bound < self._evidence.end:
            return True
        healed = [f.end for f in self._evidence.faults if f.start == at and f.end is not None]
        return not any(end <= now for end in healed)

    def _known_from(self, since: float) -> float:
        """Return when speakers can know of a change: not while the API is away."""
        for fault in self._evidence.faults:
            if fault.kind in _BLINDING and fault.is_on(since):
                return self._evidence.end if fault.end is None else fault.end
        return since

    def _upsets(self) -> Iterator[float]:
        for fault in self._evidence.faults:
            if fault.kind not in _BLINDING:
                yield fault.start
                if fault.end is not None:
                    yield fault.end

    def _eligible(self, t: float) -> frozenset[NodeName]:
        place = bisect_right(self._history, t, key=lambda one: one.since)
        return self._history[place - 1].nodes if place else frozenset()

    def _able(self, t: float) -> frozenset[NodeName]:
        """Return the eligible nodes that no fault keeps from answering."""
        struck = {
            fault.node
            for fault in self._evidence.faults
            if fault.kind in _SILENCING | {"one-way-out"} and fault.is_on(t)
        }
        return frozenset() if ALL in struck else self._eligible(t) - struck

    def _is_blind(self, node: NodeName, t: float) -> bool:
        """Tell whether a node could not hear of what changed during an outage of the API."""
        grace = self._bounds.withdraw_s
        return any(
            fault.node in (node, ALL)
            and fault.start <= t
            and (fault.end is None or t < fault.end + grace)
            for fault in self._evidence.faults
            if fault.kind in _BLINDING
        )

    def _owner(self, t: float) -> NodeName | None:
        """Return who alone answered last before `t`."""
        owners = [span.nodes for span in self._spans if span.first < t and span.nodes]
        return owners[-1][0] if owners and len(owners[-1]) == 1 else None

    def _violation(self, invariant: Invariant, at: float, text: str) -> Violation:
        return Violation(invariant=invariant, ip=self._ip, at=at, text=text)


def _without(
    periods: Iterable[tuple[float, float]], holes: Iterable[tuple[float, float]]
) -> Iterator[tuple[float, float]]:
    """Return what is left of periods once the holes, in the order of time, are cut out."""
    cuts = tuple(holes)
    for start, end in periods:
        at = start
        for hole_start, hole_end in cuts:
            if at < hole_start < end:
                yield at, hole_start
            if hole_start < end:
                at = max(at, hole_end)
        if at < end:
            yield at, end
