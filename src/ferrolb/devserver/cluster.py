"""The state behind the API: stored objects, what is served, who watches, and how it is kept."""

import asyncio
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import uuid4

from ferrolb.devserver.registry import Registry
from ferrolb.devserver.watching import Hub
from ferrolb.store import Change, ChangeType, ObjectKey

if TYPE_CHECKING:
    from collections.abc import Callable

    from ferrolb.devserver.account_tokens import AccountTokens
    from ferrolb.devserver.authentication import Authenticator
    from ferrolb.devserver.authorization import Authorizer
    from ferrolb.devserver.journal import Journal
    from ferrolb.devserver.metrics import Metrics
    from ferrolb.store import ResourceId, Store


def wall_clock() -> datetime:
    """Return the time that objects and tokens carry."""
    return datetime.now(UTC)


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
    account_tokens: "AccountTokens"
    authorizer: "Authorizer"
    _journal: "Journal | None" = None
    _hooks: "dict[ResourceId, Callable[[Change], None]]" = field(default_factory=dict)
    _general: "Callable[[Change], None]" = _ignore

    def now(self) -> datetime:
        """Return the wall clock."""
        return wall_clock()

    def new_uid(self) -> str:
        """Return a uid for a new object."""
        return str(uuid4())

    def spread(self, seconds: int) -> int:
        """Return a number of seconds below a limit, by chance, so that not all end together."""
        return secrets.randbelow(seconds)

    def on_change(self, resource: "ResourceId", hook: "Callable[[Change], None]") -> None:
        """Call a function after each change of a resource, before it is made durable."""
        self._hooks[resource] = hook

    def keep_in(self, journal: "Journal") -> None:
        """Acknowledge changes only when a journal has them."""
        self._journal = journal

    def restored(self) -> None:
        """Let the hooks see what is in the store already, as added."""
        for resource, hook in self._hooks.items():
            for obj in self.store.list(resource).encoded:
                hook(
                    Change(
                        type=ChangeType.ADDED,
                        key=ObjectKey(resource, "", ""),
                        resource_version=self.store.resource_version,
                        encoded=obj,
                        encoded_previous=None,
                    )
                )
        self.hub.publish(self.store.resource_version)

    def watch_all(self, hook: "Callable[[Change], None]") -> None:
        """Call a function after each change of anything, before it is made durable."""
        self._general = hook

    async def committed(self, change: "Change | None") -> None:
        """Return once a change is durable and its watchers are awake; None is no change."""
        journal = self._journal
        if change is None:
            # what is answered may be a state that another request has just made
            if journal is not None:
                await journal.commit()
            return
        hook = self._hooks.get(change.key.resource)
        if hook is not None:
            hook(change)
        self._general(change)
        if journal is None:
            self.hub.publish(change.resource_version)
            return
        journal.append(change)
        # a client that goes away must not keep the change from the watchers
        await asyncio.shield(asyncio.create_task(self._publish(journal, change)))

    async def _publish(self, journal: "Journal", change: "Change") -> None:
        await journal.commit()
        self.hub.publish(change.resource_version)
