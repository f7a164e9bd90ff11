"""A lab run under judgement: remembers what was done, asks the witness, judges the invariants."""

import math
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from ferrolb.lab.client import Lab
from ferrolb.lab.invariants import (
    ALL,
    Bounds,
    Eligibility,
    Evidence,
    FaultPeriod,
    Violation,
    judged_s,
    violations,
)
from ferrolb.lab.status import FaultEffect
from ferrolb.lab.witness import Witness
from ferrolb.model import IPAddress, NodeName

if TYPE_CHECKING:
    from ferrolb.lab.sightings import Sighting


class Judge:
    """Made when a run begins; faults and who is eligible go through it, so that it knows them."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._nodes = frozenset(NodeName(node.name) for node in lab.status().nodes)
        self.witness = Witness(lab.folder)
        self.start = time.monotonic()
        self._eligible: dict[IPAddress, list[Eligibility]] = {}
        self._faults: list[FaultPeriod] = []
        self._sightings: list[Sighting] = []
        self._watched_from = self.start
        # from when to when nobody watched, the last one until now if it has no end
        self._unseen: list[tuple[float, float]] = []

    def expect(self, ip: IPAddress, nodes: Iterable[str] | None = None) -> None:
        """From now on these nodes may announce the address, None: all; it is asked for as well.

        An address of which nothing was said may be announced by nobody.
        """
        names = self._nodes if nodes is None else frozenset(NodeName(node) for node in nodes)
        history = self._eligible.setdefault(ip, [])
        history.append(Eligibility(since=time.monotonic(), nodes=names))
        if len(history) == 1:
            self.witness.probe(self._eligible)

    def fault(self, kind: str, target: str) -> FaultEffect:
        """Make a fault in the lab."""
        start = time.monotonic()
        effect = self._lab.fault(kind, target)
        self._faults.append(FaultPeriod(kind=kind, node=_node(target), start=start))
        return effect

    def heal(self, kind: str, target: str) -> FaultEffect:
        """Undo a fault."""
        effect = self._lab.heal(kind, target)
        node, now = _node(target), time.monotonic()
        self._faults = [
            FaultPeriod(kind=kind, node=node, start=one.start, end=now)
            if (one.kind, one.node, one.end) == (kind, node, None)
            else one
            for one in self._faults
        ]
        return effect

    def pause(self) -> None:
        """See nothing until `resume`, which is said in the verdict's favour.

        Raises:
            LabError: the witness has missed frames before.
        """
        since = time.monotonic()
        self.witness.probe(())
        self._sightings += self.witness.claims(self._watched_from)
        self._watched_from = math.inf
        # from before the last question: its answer may not have been waited for
        self._unseen.append((since, math.inf))
        self.witness.pause()

    def resume(self, *, interval_s: float = 0.01) -> None:
        """See everything from now on, and ask for each address once in an interval."""
        self.witness.resume()
        self.witness.probe(self._eligible, interval_s=interval_s)
        if self._watched_from == math.inf:
            self._watched_from = time.monotonic()
            since, _ = self._unseen.pop()
            self._unseen.append((since, self._watched_from))

    def verdict(self, bounds: Bounds | None = None) -> list[Violation]:
        """Return every breach of L1, L2, L3 and K1 so far.

        Raises:
            LabError: the witness has missed frames, so that nothing can be said.
        """
        return violations(self._evidence(), bounds or self._bounds)

    def judged_s(self, bounds: Bounds | None = None) -> float:
        """Return for how long so far L1 and L2 have been judged: what a clean verdict is worth.

        Raises:
            LabError: the witness has missed frames, so that nothing can be said.
        """
        return judged_s(self._evidence(), bounds or self._bounds)

    @property
    def _bounds(self) -> Bounds:
        return Bounds.of(len(self._nodes))

    def _evidence(self) -> Evidence:
        spans = self.witness.timeline(self.start)
        seen = [*self._sightings]
        if self._watched_from < math.inf:
            seen += self.witness.claims(self._watched_from)
        return Evidence(
            start=self.start,
            end=time.monotonic(),
            sightings=sorted(seen, key=lambda one: one.t),
            spans={ip: spans.get(ip, ()) for ip in self._eligible},
            eligible=self._eligible,
            faults=self._faults,
            unseen=self._unseen,
        )


def _node(target: str) -> NodeName:
    return ALL if target == ALL else NodeName(target.removeprefix("speaker-"))
