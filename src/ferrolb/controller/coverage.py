"""Tells the user of a Service whose address nobody may announce (C-25).

Judged are pools, advertisements and nodes; endpoints are not in the controller's rights. It works
behind everything else: in its own task, in slices, and not at all for pools that are covered.
"""

import asyncio
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, Final

from ferrolb.announce import View, explain_unannounced, node_matters, not_announced
from ferrolb.config import (
    AcceptedAdvertisements,
    AdvertisementObjects,
    parse_advertisements,
    pools_with_bgp,
)
from ferrolb.controller.services import subject_of
from ferrolb.controller.silence import Silences
from ferrolb.kube import allocated_from, contents, node_from, service_from
from ferrolb.model import PoolName, PoolSet, ServiceKey

if TYPE_CHECKING:
    from ferrolb.controller.watches import Watches
    from ferrolb.kube import Change, EventRecorder, NodeObject, RawObject, ServiceObject

SETTLE_S: Final = 1.0
"""Seconds from a change to the look at it: changes come in bursts, and nothing here is urgent."""

PATIENCE_S: Final = 5.0
"""How long a look gives way to passes over Services."""

SLICE: Final = 100
"""Services looked at before others get their turn: a few milliseconds."""

REASON: Final = "notAnnounced"


class CoverageReporter:
    """Follows the caches; records one event 10 s after an address has gone unannounceable."""

    def __init__(
        self,
        *,
        watches: "Watches",
        recorder: "EventRecorder",
        lb_class: str,
        turn: asyncio.Event,
    ) -> None:
        self._watches = watches
        self._recorder = recorder
        self._turn = turn
        self._silences = Silences()
        self._accepted = AcceptedAdvertisements()
        self._view = View(lb_class=lb_class)
        self._pools = PoolSet()
        # pools whose every Service somebody may announce
        self._covered: frozenset[PoolName] = frozenset()
        # a resource that matters may not be read, so nothing can be said
        self._is_blind = False
        self._is_stale = True
        # a dict for its order
        self._dirty: dict[ServiceKey, None] = {}
        self._has_work = asyncio.Event()

    def subscribe(self) -> None:
        """Follow the caches from now on."""
        watches = self._watches
        watches.services.subscribe(self._on_service)
        watches.nodes.subscribe(self._on_node)
        watches.l2_advertisements.subscribe(self._on_object)
        watches.bgp_advertisements.subscribe(self._on_object)
        watches.pools.subscribe(self._on_pool)
        watches.legacy_pools.subscribe(self._on_pool)

    def set_pools(self, pools: PoolSet) -> None:
        """Judge by these pools from now on."""
        if pools != self._pools:
            self._pools = pools
            self._reload()

    async def run(self) -> None:
        """Look at what has changed, until cancelled."""
        watches = self._watches
        for cache in watches.for_coverage():
            await cache.synced.wait()
        self._reload()
        while True:
            await self._wait()
            await self._look()

    def _on_service(self, change: "Change[ServiceObject]") -> None:
        key = ServiceKey(*change.key)
        old, new = change.old, change.new
        if new is None or (old is not None and old.metadata.uid != new.metadata.uid):
            self._judge(key, None)
        if new is not None and (new.ingress or (old is not None and old.ingress)):
            self._dirty[key] = None
            self._has_work.set()

    def _on_node(self, change: "Change[NodeObject]") -> None:
        old, new = (None if one is None else node_from(one) for one in (change.old, change.new))
        if node_matters(old, new):
            self._reload()

    def _on_object(self, change: "Change[RawObject]") -> None:
        del change
        self._reload()

    def _on_pool(self, change: "Change[RawObject]") -> None:
        """Of a pool the labels matter, which the pools in force do not show, and the protocol."""
        old, new = change.old, change.new
        if (
            old is None
            or new is None
            or old.metadata.labels != new.metadata.labels
            or old.content.get("spec") != new.content.get("spec")
        ):
            self._reload()

    def _reload(self) -> None:
        self._is_stale = True
        self._has_work.set()

    async def _wait(self) -> None:
        """Wait for changes to settle, or for a deadline; never less than `SETTLE_S`."""
        deadline = self._silences.next_deadline()
        with suppress(TimeoutError):
            async with asyncio.timeout_at(deadline):
                await self._has_work.wait()
        await asyncio.sleep(SETTLE_S)
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                await self._turn.wait()

    async def _look(self) -> None:
        self._has_work.clear()
        if self._is_stale:
            self._load()
        while self._dirty:
            for key in list(islice(self._dirty, SLICE)):
                del self._dirty[key]
                obj = self._watches.services.get(key)
                self._judge(key, None if obj is None else self._explain(obj))
            await asyncio.sleep(0)
        for key, why in self._silences.take_due(now=_now()):
            self._tell(key, why)

    def _load(self) -> None:
        """Make everything that follows from the configuration anew; all Services are to be seen."""
        self._is_stale = False
        watches = self._watches
        self._is_blind = any(cache.is_absent for cache in watches.for_coverage())
        if self._is_blind:
            for key in self._silences.clear():
                self._recorder.release((key, REASON))
            self._dirty.clear()
            return
        pools, legacy_pools = contents(watches.pools), contents(watches.legacy_pools)
        nodes = {node.name: node for node in map(node_from, watches.nodes.values())}
        config = parse_advertisements(
            AdvertisementObjects(
                l2_advertisements=contents(watches.l2_advertisements),
                pools=pools,
                legacy_pools=legacy_pools,
                nodes=nodes,
            ),
            accepted=self._accepted,
        )
        self._accepted = config.accepted
        self._view = View(
            pools=self._pools,
            advertisements=config.by_pool,
            default_advertisements=config.defaults,
            nodes=nodes,
            lb_class=self._view.lb_class,
            routed_pools=pools_with_bgp(
                contents(watches.bgp_advertisements), pools=pools, legacy_pools=legacy_pools
            ),
        )
        self._covered = self._view.covered_pools()
        services = zip(watches.services.keys(), watches.services.values(), strict=True)
        self._dirty.update((ServiceKey(*key), None) for key, obj in services if obj.ingress)

    def _explain(self, obj: "ServiceObject") -> str | None:
        marked = allocated_from(obj)
        if self._is_blind or not obj.ingress or marked in self._covered:
            return None
        return explain_unannounced(service_from(obj), None, self._view)

    def _judge(self, key: ServiceKey, why: str | None) -> None:
        if self._silences.judge(key, why, now=_now()):
            self._recorder.release((key, REASON))

    def _tell(self, key: ServiceKey, why: str) -> None:
        obj = self._watches.services.get(key)
        if obj is not None:
            note = not_announced(why)
            self._recorder.record(subject_of(obj), note)
            self._recorder.hold((key, REASON), subject_of(obj), note)


def _now() -> float:
    return asyncio.get_running_loop().time()
