"""The status of IPAddressPools: four counters, kept true at a bounded rate."""

import asyncio
from typing import TYPE_CHECKING, Final

from ferrolb.kube import PoolCounters, RequeueAfter
from ferrolb.model import PoolName

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ferrolb.converge import Engine
    from ferrolb.ipam import PoolUsage
    from ferrolb.kube import Cache, Change, QueueDriver, RawObject, StatusWriter

MIN_INTERVAL_S: Final = 1.0
"""Seconds between two writes of one pool. Every write wakes whoever watches pools (each speaker
among them), so counters may be this much behind; a lower value multiplies the API's load in a
burst of Services."""


class PoolStatusReconciler:
    """Writes the counters of a pool where they differ; reverts what others write there."""

    def __init__(
        self,
        *,
        namespace: str,
        pools: "Cache[RawObject]",
        engine: "Engine",
        writer: "StatusWriter",
    ) -> None:
        self._namespace = namespace
        self._pools = pools
        self._engine = engine
        self._writer = writer
        self._written: dict[str, float] = {}

    async def reconcile(self, name: str) -> RequeueAfter | None:
        """Make one pass over one pool."""
        obj = self._pools.get((self._namespace, name))
        if obj is None:
            self._written.pop(name, None)
            return None
        wanted = _counters(self._engine.usage().get(PoolName(name)))
        if obj.content.get("status") == wanted.to_json():
            return None
        now = asyncio.get_running_loop().time()
        wait_s = self._written.get(name, now - MIN_INTERVAL_S) + MIN_INTERVAL_S - now
        if wait_s > 0:
            return RequeueAfter(wait_s)
        self._written[name] = now
        written = await self._writer.write_pool(obj, wanted)
        if written is not None:
            self._pools.put_written(written)
        return None


class PoolStatusTrigger:
    """Turns what happens to pools into passes of the reconciler."""

    def __init__(self, driver: "QueueDriver[str]") -> None:
        self._driver = driver

    def touched(self, names: "Iterable[PoolName]") -> None:
        """Look at these pools: what they gave has changed."""
        for name in names:
            self._driver.add(name)

    def changed(self, change: "Change[RawObject]") -> None:
        """Look at a pool object that came or changed."""
        self._driver.add(change.key.name)


def _counters(usage: "PoolUsage | None") -> PoolCounters:
    if usage is None:
        return PoolCounters()
    return PoolCounters(
        assigned_ipv4=usage.assigned_ipv4,
        assigned_ipv6=usage.assigned_ipv6,
        available_ipv4=usage.available_ipv4,
        available_ipv6=usage.available_ipv6,
    )
