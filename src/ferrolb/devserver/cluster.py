"""The state behind the API: stored objects, what is served, who watches, and how it is kept."""

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import uuid4

from ferrolb.devserver.registry import Registry
from ferrolb.devserver.watching import Hub

if TYPE_CHECKING:
    from ferrolb.devserver.authentication import Authenticator
    from ferrolb.devserver.metrics import Metrics
    from ferrolb.store import Change, ResourceId, Store

Record = Callable[["Change"], Awaitable[None]]
"""Makes a change durable; returns once it is."""


async def forget(_change: "Change") -> None:
    """Keep changes in memory only."""


def _ignore(_change: "Change") -> None:
    """Do nothing about a change."""


@dataclass(slots=True, kw_only=True)
class Cluster:
    """What all handlers work on."""

    store: "Store"
    hub: Hub
    registry: Registry
    metrics: "Metrics"
    authenticator: "Authenticator"
    record: Record = forget
    _hooks: "dict[ResourceId, Callable[[Change], None]]" = field(default_factory=dict)
    _general: "Callable[[Change], None]" = _ignore

    def now(self) -> datetime:
        """Return the wall clock."""
        return datetime.now(UTC)

    def new_uid(self) -> str:
        """Return a uid for a new object."""
        return str(uuid4())

    def spread(self, seconds: int) -> int:
        """Return a number of seconds below a limit, by chance, so that not all end together."""
        return secrets.randbelow(seconds)

    def on_change(self, resource: "ResourceId", hook: "Callable[[Change], None]") -> None:
        """Call a function after each change of a resource, before it is made durable."""
        self._hooks[resource] = hook

    def watch_all(self, hook: "Callable[[Change], None]") -> None:
        """Call a function after each change of anything, before it is made durable."""
        self._general = hook

    async def committed(self, change: "Change | None") -> None:
        """Return once a change is durable and its watchers are awake; None is no change."""
        if change is None:
            return
        hook = self._hooks.get(change.key.resource)
        if hook is not None:
            hook(change)
        self._general(change)
        await self.record(change)
        self.hub.publish(change.resource_version)
