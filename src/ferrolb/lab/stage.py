"""What every measurement of layer 2 needs: a lab with one Service, who announces it, a judge."""

import json
import random
import sys
import time
from dataclasses import dataclass
from typing import Final

from ferrolb.lab.asking import Settings
from ferrolb.lab.client import Lab
from ferrolb.lab.errors import LabError
from ferrolb.lab.invariants import Bounds
from ferrolb.lab.judge import Judge
from ferrolb.lab.scenery import IPV4, IPV6, SERVICE, prepare
from ferrolb.lab.sightings import Sighting
from ferrolb.lab.status import LabStatus, NodeStatus
from ferrolb.lab.topology import INTERFACE, SEGMENT
from ferrolb.lab.witness import Witness
from ferrolb.model import IPAddress, Json, JsonObject, MacAddress, NodeName

SETTLE_S: Final = 1.5
"""Who has answered alone for so long owns an address."""
PROBE_S: Final = 0.005
"""From one question for an address to the next."""

_ASKER_NUMBER: Final = 251
"""Last byte of the addresses of who asks in latency measurements."""
_ASKER_MAC: Final = MacAddress(bytes.fromhex("02fe000000fb"))
_OWNER_S: Final = 30.0
"""Longer than any failover may take."""
_POLL_S: Final = 0.05
_JITTER_S: Final = 2.0
"""Faults come at any phase of whatever runs periodically."""
_JUDGED_S: Final = 2.0
"""Of the end of a run: without an excuse, and longer than any single breach has to last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A lab in which one Service is announced in both families."""

    lab: Lab
    judge: Judge
    """Told of both addresses before there is a Service; faults are made through it."""
    status: LabStatus

    @classmethod
    def of(cls, lab: Lab) -> "Stage":
        """Prepare a lab for measuring.

        Raises:
            LabError: nobody announces the Service.
        """
        status = lab.status()
        for node in status.nodes[:2]:
            lab.add_pod(f"{SERVICE}-{node.name}", node.name, labels={"app": SERVICE})
        stage = cls(lab=lab, judge=Judge(lab), status=status)
        for ip in (IPV4, IPV6):
            stage.judge.expect(ip)
        stage.stir()
        prepare(lab.kubeconfig)
        stage.owner(IPV4)
        stage.owner(IPV6)
        return stage

    @property
    def witness(self) -> Witness:
        """What sees the wire."""
        return self.judge.witness

    def node(self, name: NodeName) -> NodeStatus:
        """Return the node of that name."""
        return next(one for one in self.status.nodes if one.name == name)

    def owner(self, ip: IPAddress, *, but: NodeName | None = None) -> NodeName:
        """Wait until one node alone has answered for a moment, and return it.

        Args:
            ip: the address.
            but: not this one.

        Raises:
            LabError: that did not happen in time.
        """
        deadline = time.monotonic() + _OWNER_S + SETTLE_S
        while time.monotonic() < deadline:
            since = time.monotonic() - SETTLE_S
            spans = self.witness.timeline(since).get(ip, ())
            nodes = {span.nodes for span in spans}
            if len(nodes) == 1 and spans[0].first <= since:
                ((*owners,),) = nodes
                if len(owners) == 1 and owners[0] != but:
                    return owners[0]
            time.sleep(_POLL_S)
        raise LabError(f"no single node answers for {ip} after {_OWNER_S:.0f} s")

    def steady_owner(self) -> NodeName:
        """Wait for the owner, and then some time that is never the same."""
        owner = self.owner(IPV4)
        time.sleep(random.uniform(0, _JITTER_S))  # noqa: S311 - no secret depends on it
        return owner

    def first_claim(self, since: float, *, but: NodeName) -> Sighting | None:
        """Wait for a claim of another node; None: there was none in time."""
        deadline = since + _OWNER_S
        while time.monotonic() < deadline:
            for one in self.witness.claims(since, IPV4):
                if one.kind.is_claim and one.node != but:
                    return one
            time.sleep(_POLL_S)
        return None

    def speaker_pid(self, node: NodeName) -> int:
        """Return the process of a node's speaker, as the lab sees it."""
        name = f"speaker-{node}"
        return next(one.pid for one in self.lab.status().programs if one.name == name)

    def pin(self, node: NodeName, cpu: int) -> None:
        """Let a node's speaker run on one CPU only."""
        argv = ["taskset", "--all-tasks", "-pc", str(cpu), str(self.speaker_pid(node))]
        done = self.lab.exec(node, argv)
        if done.returncode:
            raise LabError(f"cannot pin the speaker of {node}: {done.stderr.strip()}")

    def yield_cpu(self, node: NodeName) -> None:
        """Let all of the lab's programs but a node's speaker give way to others.

        In a cluster the API server and the controller run on other machines.
        """
        speaker = f"speaker-{node}"
        programs = self.lab.status().programs
        pids = [str(one.pid) for one in programs if one.pid and one.name != speaker]
        for pid in ("1", *pids):
            # not mere niceness, which lets whoever runs finish some milliseconds
            done = self.lab.exec(node, ["chrt", "--idle", "--all-tasks", "--pid", "0", pid])
            if done.returncode:
                raise LabError(f"priorities cannot be lowered: {done.stderr.strip()}")

    def ask(self, how: str, ip: IPAddress, count: int, *, cpu: int, rate: float = 0) -> JsonObject:
        """Run the asking client in the client's namespace and return what it prints."""
        settings = Settings(
            interface=INTERFACE,
            ip=ip,
            mac=_ASKER_MAC,
            ipv4=SEGMENT[0][_ASKER_NUMBER],
            ipv6=SEGMENT[1][_ASKER_NUMBER],
            count=count,
            cpu=cpu,
            rate=rate,
        )
        words = [sys.executable, "-m", "ferrolb.lab.asking", how, json.dumps(settings.to_json())]
        done = self.lab.exec("client", words, timeout_s=120.0)
        if done.returncode:
            raise LabError(f"the asking client failed: {done.stderr.strip()}")
        result: JsonObject = json.loads(done.stdout)
        return result

    def calm(self) -> None:
        """Stop everything that measures for itself; the judge sees nothing meanwhile."""
        self.judge.pause()

    def stir(self) -> None:
        """Undo `calm`."""
        self.judge.resume(interval_s=PROBE_S)

    def verdict(self, bounds: Bounds | None = None) -> JsonObject:
        """Watch on until the last fault is no excuse any more, and say which invariants broke.

        Raises:
            LabError: the witness has missed frames, so that nothing can be said.
        """
        bounds = bounds or Bounds.of(len(self.status.nodes))
        self.stir()
        end = time.monotonic() + bounds.failover_s + _JUDGED_S
        while time.monotonic() < end:
            time.sleep(_POLL_S)
        found: list[Json] = [one.to_json() for one in self.judge.verdict(bounds)]
        return {"violations": found, "judged_s": round(self.judge.judged_s(bounds), 1)}
