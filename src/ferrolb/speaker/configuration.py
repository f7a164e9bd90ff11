"""The configuration as a whole: pools, advertisements, nodes and members, as one view."""

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from ferrolb.announce import View
from ferrolb.config import (
    AcceptedAdvertisements,
    AcceptedPools,
    AdvertisementObjects,
    PoolObjects,
    parse_advertisements,
    parse_pools,
)
from ferrolb.kube import RequeueAfter, contents, node_from
from ferrolb.model import PoolSet
from ferrolb.runtime import ConfigurationLog
from ferrolb.telemetry import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable

    from ferrolb.config import AdvertisementConfig, ConfigError
    from ferrolb.model import Node, NodeName
    from ferrolb.speaker.options import SpeakerOptions
    from ferrolb.speaker.state import OwnState
    from ferrolb.speaker.watches import Watches
    from ferrolb.telemetry import ClientMetrics


REPORT_RETRY_S: Final = 60.0
"""Seconds until the state is reported again that could not be: its resource may be defined, or the
roles be mended, by then."""


class ConfigurationReconciler:
    """Puts what the caches hold in force, and reports what of it is wrong.

    An invalid object counts as it was last accepted and the others apply (C-17). An advertisement
    that names a node or an interface that does not exist is valid.
    """

    def __init__(
        self,
        *,
        options: "SpeakerOptions",
        watches: "Watches",
        state: "OwnState",
        metrics: "ClientMetrics",
        put_in_force: "Callable[[View], None]",
    ) -> None:
        self._options = options
        self._watches = watches
        self._state = state
        self._metrics = metrics
        self._put_in_force = put_in_force
        self._accepted_pools = AcceptedPools()
        self._accepted_advertisements = AcceptedAdvertisements()
        self._pools = PoolSet()
        self._advertisements: AdvertisementConfig | None = None
        self._members: frozenset[NodeName] | None = None
        self._view: View | None = None
        self._said = ConfigurationLog(get_logger(controller="ConfigReconciler"), metrics)

    async def reconcile(self, _key: str) -> RequeueAfter | None:
        """Make one pass; only a failure to report is raised, and the pass repeated later."""
        is_reported = await self._state.report(self.load())
        return None if is_reported else RequeueAfter(REPORT_RETRY_S)

    def load(self) -> "tuple[ConfigError, ...]":
        """Put the objects that the caches hold in force; return what is wrong with them."""
        self._metrics.updates.inc()
        watches = self._watches
        pool_objects, legacy_pools = contents(watches.pools), contents(watches.legacy_pools)
        pools = parse_pools(
            PoolObjects(
                pools=pool_objects,
                legacy_pools=legacy_pools,
                communities=contents(watches.communities),
            ),
            accepted=self._accepted_pools,
        )
        self._accepted_pools = pools.accepted
        if pools.pools != self._pools:
            # the index over the pools goes along with the value, so an equal one is kept
            self._pools = pools.pools
        nodes = self._nodes()
        advertisements = parse_advertisements(
            AdvertisementObjects(
                l2_advertisements=contents(watches.l2_advertisements),
                pools=pool_objects,
                legacy_pools=legacy_pools,
                nodes=nodes,
            ),
            accepted=self._accepted_advertisements,
        )
        self._accepted_advertisements = advertisements.accepted
        self._advertisements = advertisements
        errors = (*pools.errors, *advertisements.errors)
        self._said.loaded(errors)
        self._put(advertisements, nodes)
        return errors

    def nodes_changed(self) -> None:
        """Put the nodes that the cache holds in force; nothing else is read again."""
        self._metrics.updates.inc()
        if self._advertisements is not None:
            nodes = self._nodes()
            self._put(self._advertisements.for_nodes(nodes), nodes)

    def set_members(self, members: "frozenset[NodeName] | None") -> None:
        """Put the members in force; None where there is no gossip."""
        self._members = members
        if self._view is not None:
            self._replace(replace(self._view, members=members))

    def _nodes(self) -> "dict[NodeName, Node]":
        return {node.name: node for node in map(node_from, self._watches.nodes.values())}

    def _put(self, advertisements: "AdvertisementConfig", nodes: "dict[NodeName, Node]") -> None:
        self._replace(
            replace(
                self._view or View(),
                pools=self._pools,
                advertisements=advertisements.by_pool,
                default_advertisements=advertisements.defaults,
                nodes=nodes,
                members=self._members,
                ignores_exclude_label=self._options.ignores_exclude_label,
                lb_class=self._options.lb_class,
            )
        )

    def _replace(self, view: View) -> None:
        if view != self._view:
            self._view = view
            self._put_in_force(view)
