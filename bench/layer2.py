"""Layer 2, measured in labs: answers, failovers, and speakers that have many Services."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bench.cluster import at_once
from bench.counts import Requests
from bench.figures import Case, Measurement
from bench.objects import POOL_RANGE, address_text, pool_object, service_name, service_object
from bench.programs import BenchError
from ferrolb.kube import (
    IP_ADDRESS_POOLS,
    SERVICE_L2_STATUSES,
    SERVICES,
    ApiClient,
    ApiPath,
    connect,
    parse_object,
)
from ferrolb.lab import (
    DEFAULT_SERVICE_NETWORKS,
    Lab,
    LabError,
    LabOptions,
    Measured,
    Stage,
    run_measurement,
)
from ferrolb.model import IPAddress, JsonObject, NodeName
from ferrolb.runtime import DEFAULT_NAMESPACE

if TYPE_CHECKING:
    from bench.progress import Progress

REST_S: Final = 60.0
"""A minute in which nothing happens."""

_NAMESPACE: Final = "default"
_NODES: Final = 3
_DEADLINE_S: Final = 90.0
"""For all addresses to be claimed."""
_QUIET_S: Final = 3.0
"""Without a write for so long, speakers have reported everything."""
_POLL_S: Final = 0.25
_TICKS_PER_S: Final = 100

_SMALL: Final = {
    Case.ARP_REPLY: (Measured.ARP, "kill"),
    Case.NDP_REPLY: (Measured.NDP, "kill"),
    Case.ARP_LOAD: (Measured.ARP_LOAD, "kill"),
    Case.FAILOVER_KILL: (Measured.FAILOVER, "kill"),
    Case.FAILOVER_PORT_DOWN: (Measured.FAILOVER, "port-down"),
    Case.DRAIN: (Measured.DRAIN, "kill"),
}
_LARGE: Final = (Case.SPEAKER_REST, Case.SPEAKER_MEMORY, Case.SPEAKER_MOVE, Case.SPEAKER_START)


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer2Step:
    """All cases of layer 2 that are asked for."""

    cases: frozenset[Case]
    sizes: tuple[int, ...] = (1_000, 2_000)
    samples: int = 0
    """Of failovers and drains; 0: as many as `ferrolb lab measure` takes."""
    rest_s: float = REST_S

    async def measure(self, folder: Path, progress: "Progress") -> list[Measurement]:
        """Measure one case after the other, each in a lab of its own."""
        try:
            return await asyncio.to_thread(self._measure, folder, progress)
        except LabError as error:
            raise BenchError(f"layer 2: {error}") from error

    def _measure(self, folder: Path, progress: "Progress") -> list[Measurement]:
        found = []
        for case, (what, fault) in _SMALL.items():
            if case in self.cases:
                progress.step(f"layer 2: {case}")
                is_latency = what in (Measured.ARP, Measured.NDP, Measured.ARP_LOAD)
                samples = 0 if is_latency else self.samples
                found.append(_reported(case, run_measurement(what, samples=samples, fault=fault)))
        if self.cases & set(_LARGE):
            options = LabOptions(
                name="bench",
                root=folder,
                nodes=_NODES,
                service_networks=(*DEFAULT_SERVICE_NETWORKS, POOL_RANGE),
            )
            with Lab.up(options) as lab:
                found += _Speakers(Stage.of(lab), progress).measure(self)
        return found


def _reported(case: Case, report: JsonObject) -> Measurement:
    """Return the figures of what `ferrolb lab measure` prints."""
    unit = str(report["unit"])
    figures = {
        f"{name}_{unit}": float(str(report[name]))
        for name in ("p50", "p99", "max")
        if report[name] is not None
    }
    for name, part in (("kernel", "kernel"), ("overlap", "overlap")):
        beside = report.get(part)
        if isinstance(beside, dict):
            figures |= {
                f"{name}_{one}_{unit}": float(str(beside[one]))
                for one in ("p50", "p99", "max")
                if beside[one] is not None
            }
    for name in ("p50_ratio", "lost", "samples", "rate", "changes_per_s"):
        if name in report:
            figures[name] = float(str(report[name]))
    return Measurement(case=case, services=1, figures=figures)


@dataclass(frozen=True, slots=True)
class _Usage:
    """What a speaker's process has used."""

    cpu_s: float
    rss_mb: float
    pss_mb: float


class _Speakers:
    """Three speakers that get more and more to do."""

    def __init__(self, stage: Stage, progress: "Progress") -> None:
        self._stage = stage
        self._lab = stage.lab
        self._progress = progress
        self._nodes = [NodeName(node.name) for node in stage.status.nodes]
        self._made = 0

    def measure(self, step: Layer2Step) -> list[Measurement]:
        """Measure at rest, at each size, a move of many addresses, a start."""
        found = []
        self._quiet()
        if Case.SPEAKER_REST in step.cases:
            found.append(self._rest(step.rest_s))
        found.append(self._memory(1))
        for size in step.sizes:
            self._grow(size)
            found.append(self._memory(size))
        found += [self._move(step.sizes[-1]), self._start(step.sizes[-1])]
        return [one for one in found if one.case in step.cases]

    def _rest(self, rest_s: float) -> Measurement:
        self._progress.step("layer 2: a minute at rest")
        self._stage.witness.probe(())
        before = self._usages()
        time.sleep(rest_s)
        after = self._usages()
        used = [after[node].cpu_s - before[node].cpu_s for node in self._nodes]
        figures = {"cpu_share": 100 * max(used) / rest_s}
        return Measurement(case=Case.SPEAKER_REST, services=1, figures=figures)

    def _memory(self, services: int) -> Measurement:
        usages = self._usages().values()
        figures = {
            "rss_mb": max(one.rss_mb for one in usages),
            "pss_mb": max(one.pss_mb for one in usages),
        }
        return Measurement(case=Case.SPEAKER_MEMORY, services=services, figures=figures)

    def _grow(self, services: int) -> None:
        self._progress.step(f"layer 2: {services:,} Services")
        since = time.monotonic()
        first, self._made = self._made, services - 1  # one is the stage's own
        asyncio.run(_create(self._lab.kubeconfig, first, self._made))
        self._await_claims(since, services - 1 - first)
        self._quiet()

    def _move(self, services: int) -> Measurement:
        self._progress.step("layer 2: the owner of many addresses dies")
        owners = self._owners()
        owned = {node: {ip for ip, one in owners.items() if one == node} for node in self._nodes}
        victim = max(self._nodes, key=lambda node: len(owned[node]))
        before, writes = self._usages(), self._requests()
        struck = self._lab.fault("kill", victim)
        last = self._await_claims(struck.at, owned[victim], but=victim)
        self._quiet()
        since = self._requests().since(writes)
        after = self._usages(but=victim)
        figures = {
            "moved": float(len(owned[victim])),
            "wall_s": last - struck.at,
            "cpu_s": max(after[node].cpu_s - before[node].cpu_s for node in after),
            "all_writes": float(since.writes_to()),
        }
        self._lab.heal("kill", victim)
        self._quiet()
        return Measurement(
            case=Case.SPEAKER_MOVE, services=services, figures=figures, requests=since.named()
        )

    def _start(self, services: int) -> Measurement:
        self._progress.step(f"layer 2: start with {services:,} Services")
        for node in self._nodes:
            self._lab.fault("stop", node)
        asyncio.run(_delete_statuses(self._lab.kubeconfig))
        writes, since = self._requests(), time.monotonic()
        for node in self._nodes:
            self._lab.heal("stop", node)
        last = self._await_claims(since, services - 1)
        self._quiet()
        requests = self._requests().since(writes)
        figures = {
            "wall_s": last - since,
            "cpu_s": max(one.cpu_s for one in self._usages().values()),
            "all_writes": float(requests.writes_to()),
        }
        return Measurement(
            case=Case.SPEAKER_START,
            services=services,
            figures=figures,
            requests=requests.named(),
        )

    def _owners(self) -> dict[IPAddress, NodeName]:
        """Return who claimed each address of the many last."""
        return {
            one.ip: one.node
            for one in self._stage.witness.claims()
            if one.kind.is_claim and one.ip in POOL_RANGE
        }

    def _await_claims(
        self, since: float, wanted: "int | set[IPAddress]", *, but: str = ""
    ) -> float:
        """Wait for claims of so many addresses, or of these; return when the last came."""
        deadline = since + _DEADLINE_S
        count = wanted if isinstance(wanted, int) else len(wanted)
        first: dict[IPAddress, float] = {}
        while time.monotonic() < deadline:
            first = {}
            for one in self._stage.witness.claims(since):
                if one.kind.is_claim and one.node != but and one.ip in POOL_RANGE:
                    first.setdefault(one.ip, one.t)
            self._progress.detail(f"{len(first):,} of {count:,} claimed")
            is_all = len(first) >= count if isinstance(wanted, int) else wanted <= first.keys()
            if is_all:
                times = first.values() if isinstance(wanted, int) else map(first.get, wanted)
                return max((t for t in times if t is not None), default=since)
            time.sleep(_POLL_S)
        text = f"{len(first):,} of {count:,} addresses claimed within {_DEADLINE_S:.0f} s"
        raise BenchError(text)

    def _quiet(self) -> None:
        """Wait until nothing has been written for a while."""
        seen, since = -1, time.monotonic()
        deadline = since + _DEADLINE_S
        while time.monotonic() < min(deadline, since + _QUIET_S):
            writes = self._requests().writes_to()
            if writes != seen:
                seen, since = writes, time.monotonic()
            time.sleep(_POLL_S)

    def _requests(self) -> Requests:
        return asyncio.run(_requests(self._lab.kubeconfig))

    def _usages(self, *, but: str = "") -> Mapping[NodeName, _Usage]:
        return {node: self._usage(node) for node in self._nodes if node != but}

    def _usage(self, node: NodeName) -> _Usage:
        folder = f"/proc/{self._stage.speaker_pid(node)}"
        done = self._lab.exec(node, ["cat", f"{folder}/smaps_rollup", f"{folder}/stat"])
        if done.returncode:
            raise BenchError(f"no figures of the speaker of {node}: {done.stderr.strip()}")
        *memory, stat = done.stdout.splitlines()
        sizes = {line.split(":")[0]: line.split()[1] for line in memory[1:]}
        user, system = stat.rpartition(")")[2].split()[11:13]
        return _Usage(
            cpu_s=(int(user) + int(system)) / _TICKS_PER_S,
            rss_mb=int(sizes["Rss"]) * 1024 / 1e6,
            pss_mb=int(sizes["Pss"]) * 1024 / 1e6,
        )


async def _create(kubeconfig: Path, first: int, last: int) -> None:
    """Create the Services of these numbers, and the pool if none has been created before."""

    async def create(number: int) -> None:
        body = service_object(service_name(number))
        metadata: JsonObject = {
            "name": service_name(number),
            "namespace": _NAMESPACE,
            "annotations": {"metallb.io/loadBalancerIPs": address_text(number)},
        }
        spec = body["spec"]
        ours: JsonObject = {**(spec if isinstance(spec, dict) else {})}
        ours["selector"] = {"app": "measured"}
        await client.create(SERVICES.path(_NAMESPACE), {**body, "metadata": metadata, "spec": ours})

    async with connect(kubeconfig) as client:
        if not first:
            await client.create(IP_ADDRESS_POOLS.path(DEFAULT_NAMESPACE), pool_object())
        await at_once(range(first, last), create)


async def _delete_statuses(kubeconfig: Path) -> None:
    async def delete(name: str) -> None:
        await client.delete(SERVICE_L2_STATUSES.path(DEFAULT_NAMESPACE, name))

    async with connect(kubeconfig) as client:
        names = await _status_names(client)
        await at_once(names, delete)


async def _status_names(client: ApiClient) -> list[str]:
    found = parse_object(await client.list_page(SERVICE_L2_STATUSES.path(DEFAULT_NAMESPACE)))
    items = found["items"]
    names = []
    for one in items if isinstance(items, list) else []:
        metadata = one.get("metadata") if isinstance(one, dict) else None
        if isinstance(metadata, dict):
            names.append(str(metadata["name"]))
    return names


async def _requests(kubeconfig: Path) -> Requests:
    async with connect(kubeconfig) as client:
        return Requests.from_metrics((await client.get(ApiPath("/metrics"))).decode())
