"""The measurements of layer 2: `ferrolb lab measure`, and what `make bench` is made of.

Each starts a lab of its own, and judges by what was on the wire.
"""

import json
import math
import os
import platform
import random
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, ip_address
from typing import Final

import ferrolb
from ferrolb.lab.asking import Settings
from ferrolb.lab.client import Lab
from ferrolb.lab.errors import LabError
from ferrolb.lab.options import LabOptions
from ferrolb.lab.probing import silences
from ferrolb.lab.scenery import IPV4, IPV6, SERVICE, changing, prepare
from ferrolb.lab.sightings import Sighting
from ferrolb.lab.status import LabStatus, NodeStatus
from ferrolb.lab.topology import INTERFACE, SEGMENT
from ferrolb.lab.witness import Witness
from ferrolb.model import IPAddress, JsonObject, MacAddress, NodeName

LOAD_RATE: Final = 20_000.0
LOAD_CHANGES: Final = 100.0
MAX_SAMPLES: Final = 100_000

_ASKER_NUMBER: Final = 251
"""Last byte of the addresses of who asks in latency measurements."""
_ASKER_MAC: Final = MacAddress(bytes.fromhex("02fe000000fb"))
_OWNER_S: Final = 30.0
"""Longer than any failover may take."""
_POLL_S: Final = 0.05
_SETTLE_S: Final = 1.5
_PROBE_S: Final = 0.005
_JITTER_S: Final = 2.0
"""Faults come at any phase of whatever runs periodically."""


class Measured(StrEnum):
    """What can be measured."""

    ARP = "arp"
    NDP = "ndp"
    ARP_LOAD = "arp-load"
    FAILOVER = "l2-failover"
    DRAIN = "drain"


DEFAULTS: Final = {
    Measured.ARP: (1, 10_000),
    Measured.NDP: (1, 10_000),
    Measured.ARP_LOAD: (1, 40_000),
    Measured.FAILOVER: (3, 10),
    Measured.DRAIN: (3, 10),
}
"""Nodes and samples. Latencies have one node: on one machine every further speaker is woken by
each broadcast and takes the CPU that is measured, which it would not on a machine of its own."""


def run_measurement(
    what: Measured, *, nodes: int = 0, samples: int = 0, fault: str = "kill"
) -> JsonObject:
    """Start a lab, measure, end the lab; 0 stands for the default.

    Args:
        what: which measurement.
        nodes: how many nodes the lab has.
        samples: questions, or failovers.
        fault: what strikes the owner: `kill` or `port-down`; only for failovers.

    Raises:
        LabError: the lab does not start, or nobody announces.
    """
    default_nodes, default_samples = DEFAULTS[what]
    options = LabOptions(name=f"measure-{os.getpid()}", nodes=nodes or default_nodes)
    samples = samples or default_samples
    with Lab.up(options) as lab:
        stage = Stage.of(lab)
        if what in (Measured.ARP, Measured.NDP):
            return latency(stage, IPV4 if what is Measured.ARP else IPV6, samples)
        if what is Measured.ARP_LOAD:
            return load(stage, samples)
        if what is Measured.FAILOVER:
            return failover(stage, fault, samples)
        return drain(stage, samples)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A lab in which one Service is announced in both families."""

    lab: Lab
    witness: Witness
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
        prepare(lab.kubeconfig)
        stage = cls(lab=lab, witness=Witness(lab.folder), status=status)
        stage.stir()
        stage.owner(IPV4)
        stage.owner(IPV6)
        return stage

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
        deadline = time.monotonic() + _OWNER_S + _SETTLE_S
        while time.monotonic() < deadline:
            since = time.monotonic() - _SETTLE_S
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
        """Stop everything that measures for itself."""
        self.witness.probe(())
        self.witness.pause()

    def stir(self) -> None:
        """Undo `calm`."""
        self.witness.resume()
        self.witness.probe((IPV4, IPV6), interval_s=_PROBE_S)


def latency(stage: Stage, ip: IPAddress, samples: int) -> JsonObject:
    """Time answers of a speaker and of its node's kernel, everything on one CPU.

    The speaker is frozen while the kernel answers: it would be woken by each of the questions, and
    its work would count as the kernel's.
    """
    owner = stage.owner(ip)
    node = stage.node(owner)
    cpu = min(os.sched_getaffinity(0))
    stage.lab.fault("freeze", owner)
    stage.calm()
    own = ip_address(node.ipv4 if isinstance(ip, IPv4Address) else node.ipv6)
    kernel = _figures(stage.ask("closed", own, samples, cpu=cpu))
    stage.stir()
    stage.lab.heal("freeze", owner)
    stage.owner(ip)
    stage.calm()
    stage.pin(owner, cpu)
    speaker = _figures(stage.ask("closed", ip, samples, cpu=cpu))
    ratio = float(str(speaker["p50"])) / float(str(kernel["p50"]))
    return {
        "name": f"{'arp' if isinstance(ip, IPv4Address) else 'ndp'} reply",
        "unit": "us",
        **speaker,
        "kernel": kernel,
        "p50_ratio": ratio,
        "placement": f"client, speaker and kernel on CPU {cpu}",
        "versions": _versions(),
    }


def load(stage: Stage, samples: int) -> JsonObject:
    """Time ARP answers at a steady rate while the API tells of changes."""
    owner = stage.owner(IPV4)
    cpus = sorted(os.sched_getaffinity(0))
    stage.calm()
    stage.yield_cpu(owner)
    start = time.monotonic()
    with changing(stage.lab.kubeconfig, rate=LOAD_CHANGES) as changes:
        time.sleep(_SETTLE_S)
        result = stage.ask("open", IPV4, samples, cpu=cpus[0], rate=LOAD_RATE)
        changes_per_s = changes() / (time.monotonic() - start)
    return {
        "name": "arp reply under load",
        "unit": "us",
        **_figures(result),
        "rate": result["rate"],
        "unread": result["unread"],
        "changes_per_s": round(changes_per_s, 1),
        "placement": f"client alone on CPU {cpus[0]}; all but {owner}'s speaker in the idle class",
        "versions": _versions(),
    }


def failover(stage: Stage, fault: str, samples: int) -> JsonObject:
    """Strike the owner again and again; time until another node claims the address."""
    times_ms: list[float] = []
    for _ in range(samples):
        owner = stage.steady_owner()
        struck = stage.lab.fault(fault, owner)
        claim = stage.first_claim(struck.at, but=owner)
        if claim is not None:
            times_ms.append((claim.t - struck.at) * 1000)
        stage.lab.heal(fault, owner)
    return {
        "name": f"l2 failover by {fault}",
        "unit": "ms",
        **summary(times_ms, samples - len(times_ms)),
        "nodes": len(stage.status.nodes),
        "times": [round(one, 1) for one in times_ms],
        "versions": _versions(),
    }


def drain(stage: Stage, samples: int) -> JsonObject:
    """Let the owner's speaker end in order; time without any answer, and with two."""
    gaps_ms: list[float] = []
    overlaps_ms: list[float] = []
    for _ in range(samples):
        owner = stage.steady_owner()
        struck = stage.lab.fault("stop", owner)
        begin = struck.at - struck.took_s
        if stage.first_claim(begin, but=owner) is not None:
            time.sleep(_SETTLE_S)
            answers = [one for one in stage.witness.claims(begin, IPV4) if one.kind.is_answer]
            spans = stage.witness.timeline(begin).get(IPV4, ())
            gaps_ms.append(1000 * max((to - since for since, to in silences(spans)), default=0.0))
            overlaps_ms.append(1000 * overlap_s(answers, owner))
        stage.lab.heal("stop", owner)
    return {
        "name": "l2 drain: longest time without an answer",
        "unit": "ms",
        **summary(gaps_ms, samples - len(gaps_ms)),
        "overlap": summary(overlaps_ms, samples - len(overlaps_ms)),
        "question_every_ms": 1000 * _PROBE_S,
        "nodes": len(stage.status.nodes),
        "versions": _versions(),
    }


def summary(values: Sequence[float], lost: int) -> JsonObject:
    """Return samples, p50, p99, max and lost; without samples the figures are null."""
    ordered = sorted(values)

    def share(part: float) -> float | None:
        place = max(0, math.ceil(part * len(ordered)) - 1)
        return round(ordered[place], 2) if ordered else None

    return {
        "samples": len(ordered),
        "p50": share(0.5),
        "p99": share(0.99),
        "max": share(1.0),
        "lost": lost,
    }


def overlap_s(answers: Sequence[Sighting], owner: NodeName) -> float:
    """Return from the first answer of another node to the last one of `owner`; 0 if none is."""
    own = [one.t for one in answers if one.node == owner]
    others = [one.t for one in answers if one.node != owner]
    return max(0.0, max(own) - min(others)) if own and others else 0.0


def _figures(result: JsonObject) -> JsonObject:
    times = result["times_us"]
    return summary(
        [float(str(one)) for one in (times if isinstance(times, list) else [])],
        int(str(result["lost"])),
    )


def _versions() -> JsonObject:
    return {
        "kernel": platform.release(),
        "python": platform.python_version(),
        "ferrolb": ferrolb.__version__,
        "ip": _tool("ip", "-V"),
        "nft": _tool("nft", "--version"),
    }


def _tool(*argv: str) -> str:
    try:
        done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=10)
    except OSError:
        return ""
    return done.stdout.strip()
