"""From the POST of a Service until a watch shows its address."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final, NamedTuple

from bench.answers import decode_event
from bench.cluster import Cluster
from bench.figures import Case, Measurement, percentile
from bench.objects import NAMESPACE
from bench.programs import BenchError
from ferrolb.kube import SERVICES, WatchOptions

PAUSE_S: Final = 0.03
"""Between two Services, so that each meets an idle controller."""

SETTLE_S: Final = 1.0
"""After many deletions at once, until the controller has seen them all."""

_DEADLINE_S: Final = 60.0


class Times(NamedTuple):
    """What one Service took, from its POST on."""

    post_ms: float
    """Until the POST was answered: the share of the server alone."""
    address_ms: float


class AddressWatch:
    """Tells when a Service was first seen with an address."""

    def __init__(self) -> None:
        self._waiting: dict[str, asyncio.Future[float]] = {}

    def expect(self, name: str) -> asyncio.Future[float]:
        """Return the future loop time at which the Service of this name has an address."""
        self._waiting[name] = asyncio.get_running_loop().create_future()
        return self._waiting[name]

    def on_line(self, line: bytes, *, now: float) -> None:
        """Take one event of the watch."""
        event = decode_event(line)
        if event.object.ingress and event.object.metadata.name in self._waiting:
            self._waiting.pop(event.object.metadata.name).set_result(now)


async def measure_latency(cluster: Cluster, samples: int) -> list[Measurement]:
    """Create Services one by one: undisturbed, then each right after the oldest was deleted.

    There are as many Services afterwards as before.

    Raises:
        BenchError: one got no address in time, or the watch ended.
    """
    services = cluster.services
    after_delete = []
    async with _watching(cluster) as addresses:
        plain = [await _create_one(cluster, addresses) for _ in range(samples)]
        await cluster.delete_newest(samples)
        await asyncio.sleep(SETTLE_S)
        for _ in range(samples):
            await cluster.delete_oldest()
            after_delete.append(await _create_one(cluster, addresses))
    return [
        Measurement(case=case, services=services, server=cluster.kind, figures=_figures(times))
        for case, times in (
            (Case.CREATE_TO_ADDRESS, plain),
            (Case.CREATE_AFTER_DELETE, after_delete),
        )
    ]


async def _create_one(cluster: Cluster, addresses: AddressWatch) -> Times:
    name = cluster.next_name()
    cluster.progress.detail(name)
    seen = addresses.expect(name)
    sent = asyncio.get_running_loop().time()
    await cluster.create_service()
    posted = asyncio.get_running_loop().time()
    try:
        async with asyncio.timeout(_DEADLINE_S):
            seen_at = await seen
    except TimeoutError as error:
        raise BenchError(f"{name} got no address within {_DEADLINE_S:.0f} s") from error
    await asyncio.sleep(PAUSE_S)
    return Times(post_ms=(posted - sent) * 1000, address_ms=(seen_at - sent) * 1000)


@asynccontextmanager
async def _watching(cluster: Cluster) -> AsyncIterator[AddressWatch]:
    addresses = AddressWatch()
    options = WatchOptions(
        resource_version=await cluster.resource_version(), timeout_s=3600, silence_s=300.0
    )
    loop = asyncio.get_running_loop()

    async def follow(lines: AsyncIterator[bytes]) -> None:
        async for line in lines:
            addresses.on_line(line, now=loop.time())
        raise BenchError("the watch on Services has ended")

    async with (
        cluster.client.stream_watch(SERVICES.path(NAMESPACE), options) as lines,
        asyncio.TaskGroup() as group,
    ):
        task = group.create_task(follow(lines))
        yield addresses
        task.cancel()


def _figures(times: list[Times]) -> Mapping[str, float]:
    times_ms = [one.address_ms for one in times]
    return {
        "post_p50_ms": percentile([one.post_ms for one in times], 0.5),
        "p50_ms": percentile(times_ms, 0.5),
        "p99_ms": percentile(times_ms, 0.99),
        "max_ms": max(times_ms),
        "samples": len(times_ms),
    }
