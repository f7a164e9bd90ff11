"""What an API server costs and how fast it is, by itself: started, filled, listed, watched."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from bench.cluster import Cluster
from bench.figures import Case, Measurement
from bench.load import LISTENING
from bench.programs import BenchError, Program

CONNECTIONS: Final = 50
"""For creations and changes."""

PAGE: Final = 500
"""Objects a page, as kubectl asks for them."""

LISTS: Final = 3

SETTLE_S: Final = 2.0
"""After a start, until a server has done what it does only once."""

_DEADLINE_S: Final = 300.0
_POLL_S: Final = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchLoad:
    """How many look on, and what happens meanwhile."""

    watches: int = 100
    rate: int = 1_000
    """Changes a second that are asked for."""
    seconds: int = 10
    objects: int = 100


async def measure_start(cluster: Cluster) -> Measurement:
    """Tell how long the start took, and what an idle server needs."""
    await asyncio.sleep(SETTLE_S)
    cost = cluster.server.whole_cost()
    figures = {"ready_s": cluster.ready_s, "server_cpu_s": cost.cpu_s, "rss_mb": cost.rss_mb}
    return _measurement(Case.SERVER_START, cluster, figures)


async def measure_create(cluster: Cluster, services: int) -> Measurement:
    """Create all Services of the step."""
    async with _load(cluster, "create", services, CONNECTIONS) as load:
        figures = await load.figures()
    cluster.created_by_load(services)
    return _measurement(Case.SERVER_CREATE, cluster, figures)


async def measure_list(cluster: Cluster) -> Measurement:
    """List all Services page by page."""
    async with _load(cluster, "list", PAGE, LISTS) as load:
        figures = await load.figures()
    if figures.pop("found") != cluster.services:
        raise BenchError("a list does not hold every Service")
    return _measurement(Case.SERVER_LIST, cluster, figures)


async def measure_watch(cluster: Cluster, asked: WatchLoad) -> Measurement:
    """Change config maps while many watch them."""
    changing = (asked.objects, asked.rate, asked.seconds, CONNECTIONS)
    async with _load(cluster, "follow", asked.watches) as follow:
        await follow.until_printed(LISTENING)
        async with _load(cluster, "change", *changing) as change:
            changed = await change.figures()
        figures = await follow.figures()
    expected = changed["changes"] * asked.watches
    return _measurement(
        Case.SERVER_WATCH,
        cluster,
        {
            "p50_ms": figures["p50_ms"],
            "p99_ms": figures["p99_ms"],
            "max_ms": figures["max_ms"],
            "watches": asked.watches,
            "asked_per_s": asked.rate,
            "changes_per_s": changed["rate"],
            "lost": expected - figures["events"],
            "resumed": figures["resumed"],
            "load_cpu_s": figures["load_cpu_s"] + changed["load_cpu_s"],
            "server_cpu_s": figures["server_cpu_s"],
            "rss_mb": figures["rss_mb"],
        },
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Load:
    cluster: Cluster
    program: Program
    server_cpu_s: float
    """What the server had used before."""

    async def until_printed(self, text: str) -> None:
        """Wait for a line of the program."""
        await self._until(lambda: self.program.has_printed(text))

    async def figures(self) -> dict[str, float]:
        """Wait for the end of the program; return what it has measured, and the server's cost."""
        await self._until(lambda: self.program.popen.poll() is not None)
        if self.program.popen.returncode:
            self.program.check()
        cost = self.cluster.server.whole_cost()
        found = dict(json.loads(self.program.log.read_text().splitlines()[-1]))
        used_s = cost.cpu_s - self.server_cpu_s
        return {**found, "server_cpu_s": used_s, "rss_mb": cost.rss_mb}

    async def _until(self, is_there: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _DEADLINE_S
        while not is_there():
            if time.monotonic() > deadline:
                raise BenchError(f"{self.program.name} takes over {_DEADLINE_S:.0f} s")
            await asyncio.sleep(_POLL_S)


@asynccontextmanager
async def _load(cluster: Cluster, kind: str, *numbers: int) -> AsyncIterator[_Load]:
    words = ("bench.load", kind, str(cluster.kubeconfig), *map(str, numbers))
    before_s = cluster.server.whole_cost().cpu_s
    with cluster.running(kind, *words) as program:
        yield _Load(cluster=cluster, program=program, server_cpu_s=before_s)


def _measurement(case: Case, cluster: Cluster, figures: dict[str, float]) -> Measurement:
    return Measurement(case=case, services=cluster.services, figures=figures, server=cluster.kind)
