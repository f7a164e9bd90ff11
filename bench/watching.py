"""Watching a program work through all Services, from outside: by what the server has answered."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, Self

from bench.answers import decode_event
from bench.cluster import Cluster
from bench.counts import Requests
from bench.figures import Case, Measurement
from bench.objects import NAMESPACE
from bench.programs import BenchError, Cost, Program
from bench.servers import Server
from ferrolb.kube import SERVICES, WatchOptions

QUIET_S: Final = 1.5
"""Without a write for so long, and with hardly any CPU time used, a program has nothing to do."""

_IDLE_CPU_S: Final = 0.05
"""More CPU time than this within `QUIET_S` is work."""

_POLL_S: Final = 0.05
_POLL_S_PER_SERVICE: Final = 1 / 50_000
"""Large runs are looked at less often, so that looking costs about one percent of the server."""

_DEADLINE_S: Final = 60.0
_DEADLINE_S_PER_SERVICE: Final = 0.06


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """What had been used and answered before a program was started."""

    requests: Requests
    server: Cost

    @classmethod
    async def of(cls, cluster: Cluster) -> Self:
        """Look at the server."""
        return cls(requests=await cluster.requests(), server=cluster.server.whole_cost())


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """A program from its start until it had nothing left to do."""

    services: int
    timeline: tuple[tuple[float, int], ...]
    """When, in seconds since its start, how many Services had been written."""
    settled_s: float
    cost: Cost
    server_cpu_s: float
    requests: Requests
    server: Server

    def measurement(self, case: Case) -> Measurement:
        """Return the figures of a program that wrote every Service."""
        wall_s = self._reached(1.0)
        return Measurement(
            case=case,
            services=self.services,
            server=self.server,
            figures={
                "p50_s": self._reached(0.5),
                "p99_s": self._reached(0.99),
                "wall_s": wall_s,
                "writing_s": wall_s - self._first_write(),
                "settled_s": self.settled_s,
                "cpu_s": self.cost.cpu_s,
                "server_cpu_s": self.server_cpu_s,
                "peak_rss_mb": self.cost.peak_rss_mb,
                "writes_per_service": self.requests.service_statuses / self.services,
            },
            requests=self.requests.named(),
        )

    def _first_write(self) -> float:
        """Return when the first write was seen, at best: the last look before it."""
        return max(at for at, written in self.timeline if not written)

    def _reached(self, share: float) -> float:
        written = self.timeline[-1][1] * share
        return next(at for at, count in self.timeline if count >= written)


async def observe(cluster: Cluster, program: Program, start: Start, *, writes: int) -> Observation:
    """Look on until the program has written at least so many Service statuses and is quiet.

    Raises:
        BenchError: it ended, or the deadline passed.
    """
    poll_s = max(_POLL_S, cluster.services * _POLL_S_PER_SERVICE)
    deadline = time.monotonic() + _DEADLINE_S + cluster.services * _DEADLINE_S_PER_SERVICE
    timeline = [(0.0, 0)]
    quiet_since, quiet_state = 0.0, (-1, 0.0)
    async with _tallying(cluster, start) as tally:
        while True:
            written, writes_seen = await tally()
            cost = program.cost()
            at = time.monotonic() - program.started
            timeline.append((at, written))
            cluster.progress.detail(f"{written:,} written, {cost.cpu_s:.1f} s CPU")
            state = (writes_seen, cost.cpu_s)
            if state[0] != quiet_state[0] or state[1] > quiet_state[1] + _IDLE_CPU_S:
                quiet_since, quiet_state = at, state
            if at - quiet_since >= QUIET_S and written >= writes:
                break
            if time.monotonic() > deadline:
                raise BenchError(f"{program.name}: {written} of {writes} in time")
            await asyncio.sleep(poll_s)
    server_cost = cluster.server.whole_cost()
    requests = (await cluster.requests()).since(start.requests)
    return Observation(
        services=cluster.services,
        timeline=tuple(timeline),
        settled_s=quiet_since,
        cost=cost,
        server_cpu_s=server_cost.cpu_s - start.server.cpu_s,
        requests=requests,
        server=cluster.kind,
    )


Tally = Callable[[], Awaitable[tuple[int, int]]]
"""Returns how many Service statuses were written since the start, and how many writes were seen."""


@asynccontextmanager
async def _tallying(cluster: Cluster, start: Start) -> AsyncIterator[Tally]:
    """Count writes: by what the server says, or where saying it costs much by a watch on Services.

    A real server shows two megabytes of metrics, a tenth of a second of its time.
    """

    async def asked() -> tuple[int, int]:
        requests = (await cluster.requests()).since(start.requests)
        return requests.service_statuses, requests.writes_to()

    if cluster.kind is Server.DEV:
        yield asked
        return
    seen = [0]

    async def follow(lines: AsyncIterator[bytes]) -> None:
        async for line in lines:
            event = decode_event(line)
            seen[0] += event.type == "MODIFIED" and bool(event.object.ingress)

    async def watched() -> tuple[int, int]:
        return seen[0], seen[0]

    options = WatchOptions(
        resource_version=await cluster.resource_version(), timeout_s=3600, silence_s=600.0
    )
    async with cluster.client.stream_watch(SERVICES.path(NAMESPACE), options) as lines:
        task = asyncio.create_task(follow(lines))
        try:
            yield watched
        finally:
            # the lines may be closed only once nobody reads them
            task.cancel()
            await asyncio.wait([task])
