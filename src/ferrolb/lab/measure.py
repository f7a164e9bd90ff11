"""The measurements of layer 2: `ferrolb lab measure`, and what `make bench` is made of.

Each starts a lab of its own, goes by what was on the wire, and ends with the verdict of the
invariants: figures of speakers that break them are worth nothing.
"""

import math
import os
import platform
import subprocess
import time
from collections.abc import Sequence
from enum import StrEnum
from ipaddress import IPv4Address, ip_address
from typing import Final

import ferrolb
from ferrolb.lab.client import Lab
from ferrolb.lab.options import LabOptions
from ferrolb.lab.probing import silences
from ferrolb.lab.scenery import IPV4, IPV6, changing
from ferrolb.lab.sightings import Sighting
from ferrolb.lab.stage import PROBE_S, SETTLE_S, Stage
from ferrolb.model import IPAddress, JsonObject, NodeName

LOAD_RATE: Final = 20_000.0
LOAD_CHANGES: Final = 100.0
MAX_SAMPLES: Final = 100_000


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

    Returns:
        The figures, and in `violations` each breach of L1, L2, L3 and K1: none if all is right.

    Raises:
        LabError: the lab does not start, nobody announces, or the witness has missed frames.
    """
    default_nodes, default_samples = DEFAULTS[what]
    options = LabOptions(name=f"measure-{os.getpid()}", nodes=nodes or default_nodes)
    samples = samples or default_samples
    with Lab.up(options) as lab:
        stage = Stage.of(lab)
        return {**_measure(stage, what, samples, fault), **stage.verdict()}


def _measure(stage: Stage, what: Measured, samples: int, fault: str) -> JsonObject:
    match what:
        case Measured.ARP:
            return latency(stage, IPV4, samples)
        case Measured.NDP:
            return latency(stage, IPV6, samples)
        case Measured.ARP_LOAD:
            return load(stage, samples)
        case Measured.FAILOVER:
            return failover(stage, fault, samples)
        case Measured.DRAIN:
            return drain(stage, samples)


def latency(stage: Stage, ip: IPAddress, samples: int) -> JsonObject:
    """Time answers of a speaker and of its node's kernel, everything on one CPU.

    The speaker is frozen while the kernel answers: it would be woken by each of the questions, and
    its work would count as the kernel's.
    """
    owner = stage.owner(ip)
    node = stage.node(owner)
    cpu = min(os.sched_getaffinity(0))
    stage.judge.fault("freeze", owner)
    stage.calm()
    own = ip_address(node.ipv4 if isinstance(ip, IPv4Address) else node.ipv6)
    kernel = _figures(stage.ask("closed", own, samples, cpu=cpu))
    stage.stir()
    stage.judge.heal("freeze", owner)
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
        time.sleep(SETTLE_S)
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
        struck = stage.judge.fault(fault, owner)
        claim = stage.first_claim(struck.at, but=owner)
        if claim is not None:
            times_ms.append((claim.t - struck.at) * 1000)
        stage.judge.heal(fault, owner)
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
        struck = stage.judge.fault("stop", owner)
        begin = struck.at - struck.took_s
        if stage.first_claim(begin, but=owner) is not None:
            time.sleep(SETTLE_S)
            answers = [one for one in stage.witness.claims(begin, IPV4) if one.kind.is_answer]
            spans = stage.witness.timeline(begin).get(IPV4, ())
            gaps_ms.append(1000 * max((to - since for since, to in silences(spans)), default=0.0))
            overlaps_ms.append(1000 * overlap_s(answers, owner))
        stage.judge.heal("stop", owner)
    return {
        "name": "l2 drain: longest time without an answer",
        "unit": "ms",
        **summary(gaps_ms, samples - len(gaps_ms)),
        "overlap": summary(overlaps_ms, samples - len(overlaps_ms)),
        "question_every_ms": 1000 * PROBE_S,
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
