"""The pool reconciler: the configuration as a whole, put in force, errors reported."""

from typing import TYPE_CHECKING, Final

from ferrolb.config import (
    AcceptedPools,
    PoolConfig,
    PoolObjects,
    parse_pools,
)
from ferrolb.kube import RequeueAfter, contents
from ferrolb.model import Namespace
from ferrolb.runtime import ConfigurationLog
from ferrolb.telemetry import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable

    from ferrolb.controller.signals import Signals
    from ferrolb.controller.state import OwnState
    from ferrolb.controller.watches import Watches
    from ferrolb.converge import Engine
    from ferrolb.model import PoolSet
    from ferrolb.telemetry import ClientMetrics


REPORT_RETRY_S: Final = 60.0
"""Seconds until the state is reported again that could not be: its resource may be defined, or the
roles be mended, by then."""


class PoolReconciler:
    """Parses pools, communities and namespaces together, and hands the result to the engine.

    An invalid object counts as it was last accepted and the others apply (C-17); what is wrong is
    reported, never retried: the next change of any object is the next try.
    """

    def __init__(
        self,
        *,
        watches: "Watches",
        engine: "Engine",
        state: "OwnState",
        metrics: "ClientMetrics",
        signals: "Signals",
        in_force: "Callable[[PoolSet], None]",
    ) -> None:
        self._watches = watches
        self._engine = engine
        self._state = state
        self._metrics = metrics
        self._signals = signals
        self._in_force = in_force
        self._accepted = AcceptedPools()
        self._said = ConfigurationLog(get_logger(controller="PoolReconciler"), metrics)

    async def reconcile(self, _key: str) -> RequeueAfter | None:
        """Make one pass; only a failure to report is raised, and the pass repeated later."""
        config = self.load()
        is_reported = await self._state.report(config.errors)
        return None if is_reported else RequeueAfter(REPORT_RETRY_S)

    def load(self) -> PoolConfig:
        """Put the configuration that the caches hold in force."""
        self._metrics.updates.inc()
        config = parse_pools(self._objects(), accepted=self._accepted)
        self._accepted = config.accepted
        concerned = self._engine.set_pools(config.pools)
        self._signals.pools_touched(self._engine.pools_touched())
        self._signals.wake(sorted(concerned))
        self._in_force(config.pools)
        self._said.loaded(config.errors)
        return config

    def _objects(self) -> PoolObjects:
        watches = self._watches
        return PoolObjects(
            pools=contents(watches.pools),
            legacy_pools=contents(watches.legacy_pools),
            communities=contents(watches.communities),
            namespaces={
                Namespace(obj.metadata.name): obj.metadata.labels or {}
                for obj in watches.namespaces.values()
            },
        )
