"""The cases, and the order in which they share API servers."""

import compileall
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import ferrolb
from bench.cluster import Cluster, running_cluster, wait_for
from bench.figures import LAYER2, SERVER, Case, Measurement
from bench.latency import measure_latency
from bench.layer2 import Layer2Step
from bench.programs import BenchError, Program
from bench.server_cases import (
    WatchLoad,
    measure_create,
    measure_list,
    measure_start,
    measure_watch,
)
from bench.servers import Server
from bench.watching import Start, observe

if TYPE_CHECKING:
    from bench.progress import Progress

SINGLE_RUN_FROM: Final = 10_000
"""Services; from so many on one run is enough, it takes minutes and varies little."""

_LATENCY: Final = frozenset({Case.CREATE_TO_ADDRESS, Case.CREATE_AFTER_DELETE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to measure."""

    cases: frozenset[Case]
    services: tuple[int, ...] = (1_000, 10_000)
    """Sizes for bare client, controller from nothing and restart."""
    existing: tuple[int, ...] = (10, 10_000)
    """Sizes for create to address."""
    speaker_sizes: tuple[int, ...] = (1_000, 2_000)
    """Sizes for speakers, beside a single Service."""
    samples: int = 50
    runs: int = 3
    """On our own server; a real one is asked once, it takes minutes."""
    servers: tuple[Server, ...] = (Server.DEV, Server.REAL)
    watch_load: WatchLoad = field(default_factory=WatchLoad)
    """For the watches that are measured by themselves."""

    def steps(self) -> Iterator["Step"]:
        """Return one step for each run of each size; a step has an API server of its own."""
        for server in self.servers:
            for size in sorted({*self.services, *self.existing}):
                cases = self._cases(server, size)
                runs = 1 if size >= SINGLE_RUN_FROM or server is Server.REAL else self.runs
                for run in range(runs if cases else 0):
                    yield Step(
                        title=f"{server.label}, {size:,} Services, run {run + 1} of {runs}",
                        server=server,
                        services=size,
                        cases=cases,
                        samples=self.samples,
                        watch_load=self.watch_load,
                    )

    def _cases(self, server: Server, size: int) -> frozenset[Case]:
        """Return what is measured on a server with so many Services."""
        cases = self.cases - LAYER2
        if size not in self.services:
            cases &= _LATENCY
        if size not in self.existing:
            cases -= _LATENCY
        if size != max(self.services):
            cases -= SERVER
        if server is Server.REAL and size >= SINGLE_RUN_FROM:
            # the ratio at a smaller size tells as much, in a tenth of the time
            cases -= {Case.BARE_CLIENT}
        return cases

    def layer2(self) -> Layer2Step | None:
        """Return the step of the cases that need a lab, None if none of them is asked for."""
        cases = self.cases & LAYER2
        return Layer2Step(cases=cases, sizes=self.speaker_sizes) if cases else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One run over one number of Services."""

    title: str
    server: Server
    services: int
    cases: frozenset[Case]
    samples: int
    watch_load: WatchLoad

    async def measure(self, folder: Path, progress: "Progress") -> list[Measurement]:
        """Measure the cases one after the other on one API server.

        The bare client comes first: what it writes is taken back, so that controller and bare
        client meet the same server with the same pending Services.
        """
        self._say(progress, "creating Services")
        async with running_cluster(folder, progress, self.server) as cluster:
            if self.cases & SERVER:
                found = await self._server(cluster, progress)
            else:
                found = []
                await cluster.create_services(self.services)
            if self.cases - SERVER:
                found += await self._controller(cluster, progress)
        return [one for one in found if one.case in self.cases]

    async def _server(self, cluster: Cluster, progress: "Progress") -> list[Measurement]:
        """Measure the server by itself; all Services are there afterwards."""
        found = []
        if Case.SERVER_START in self.cases:
            found.append(await measure_start(cluster))
        self._say(progress, Case.SERVER_CREATE)
        found.append(await measure_create(cluster, self.services))
        if Case.SERVER_LIST in self.cases:
            self._say(progress, Case.SERVER_LIST)
            found.append(await measure_list(cluster))
        if Case.SERVER_WATCH in self.cases:
            self._say(progress, Case.SERVER_WATCH)
            found.append(await measure_watch(cluster, self.watch_load))
        return found

    async def _controller(self, cluster: Cluster, progress: "Progress") -> list[Measurement]:
        """Measure the controller, and the bare client before it."""
        found: list[Measurement] = []
        if Case.BARE_CLIENT in self.cases:
            self._say(progress, Case.BARE_CLIENT)
            found.append(await _bare_client(cluster))
            await cluster.clear_statuses()
        self._say(progress, Case.CONTROLLER_FROM_NOTHING)
        from_nothing = await _from_nothing(cluster)
        if Case.CONTROLLER_FROM_NOTHING in self.cases:
            found = [*found, _beside(from_nothing, found)]
        if self.cases & {Case.CONTROLLER_RESTART, *_LATENCY}:
            self._say(progress, Case.CONTROLLER_RESTART)
            async with _restarted(cluster) as restart:
                if Case.CONTROLLER_RESTART in self.cases:
                    found.append(restart)
                if self.cases & _LATENCY:
                    self._say(progress, Case.CREATE_TO_ADDRESS)
                    found += await measure_latency(cluster, self.samples)
        return found

    def _say(self, progress: "Progress", text: str) -> None:
        progress.step(f"{self.title}: {text}")


def compile_programs() -> None:
    """Compile the package, so that no start-up pays for it."""
    compileall.compile_dir(Path(ferrolb.__file__).parent, quiet=2)
    compileall.compile_dir(Path(__file__).parent, quiet=2)


async def _bare_client(cluster: Cluster) -> Measurement:
    start = await Start.of(cluster)
    with cluster.bare_client() as program:
        observation = await observe(cluster, program, start, writes=cluster.services)
    return observation.measurement(Case.BARE_CLIENT)


async def _from_nothing(cluster: Cluster) -> Measurement:
    start = await Start.of(cluster)
    with cluster.controller() as program:
        observation = await observe(cluster, program, start, writes=cluster.services)
        assigned = await cluster.assigned()
    if assigned != cluster.services:
        raise BenchError(f"{assigned} of {cluster.services} Services have an address")
    return observation.measurement(Case.CONTROLLER_FROM_NOTHING)


@asynccontextmanager
async def _restarted(cluster: Cluster) -> AsyncIterator[Measurement]:
    """Start a controller where all is assigned; it goes on running for what comes next."""
    start = await Start.of(cluster)
    with cluster.controller() as program:
        ready_s = await wait_for("the controller", program, lambda: _has_started(program))
        observation = await observe(cluster, program, start, writes=0)
        yield Measurement(
            case=Case.CONTROLLER_RESTART,
            services=cluster.services,
            server=cluster.kind,
            figures={
                "ready_s": ready_s,
                "settled_s": observation.settled_s,
                "cpu_s": observation.cost.cpu_s,
                "server_cpu_s": observation.server_cpu_s,
                "peak_rss_mb": observation.cost.peak_rss_mb,
                "status_writes": observation.requests.statuses,
                "all_writes": observation.requests.writes_to(),
            },
            requests=observation.requests.named(),
        )


def _has_started(program: Program) -> bool:
    """Tell whether everything has been listed and adopted, and passes have begun."""
    return program.has_printed('"msg": "started"')


def _beside(measured: Measurement, others: list[Measurement]) -> Measurement:
    """Add the ratios to the bare client of the same run, if it was measured."""
    for other in others:
        if other.case is Case.BARE_CLIENT:
            ratios = {
                f"{name.removesuffix('_s')}_ratio": measured.figures[name] / other.figures[name]
                for name in ("wall_s", "writing_s", "cpu_s")
                if other.figures[name]
            }
            return replace(measured, figures={**measured.figures, **ratios})
    return measured
