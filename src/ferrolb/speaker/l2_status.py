"""The ServiceL2Status objects of this node, kept true: one for each Service that it announces.

A change of owner is one delete, one create and one status write (C-36), since the node in a status
cannot be changed. The node that ceases to announce deletes its object at once; the one that begins
waits `PATIENCE_S` for that before it deletes the other's itself, so that the two do not delete the
same object twice and a Service does not have two objects meanwhile.
"""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, assert_never

from ferrolb.kube import (
    ForbiddenError,
    Origin,
    QueueDriver,
    RequeueAfter,
    ServiceIndex,
    key_of,
)
from ferrolb.model import ServiceKey
from ferrolb.speaker.l2_status_plan import (
    Action,
    Create,
    Delete,
    PatchMetadata,
    PatchStatus,
    Wanted,
    is_own,
    plan,
    service_of,
    wanted_status,
)
from ferrolb.speaker.pace import Pace

if TYPE_CHECKING:
    from ferrolb.kube import (
        Cache,
        Change,
        L2StatusObject,
        L2StatusWriter,
        PodOwner,
        QueueObserver,
    )
    from ferrolb.model import InterfaceRule, NodeName

Announced = Callable[[ServiceKey], "InterfaceRule | None"]
"""Through which interfaces this node announces a Service now; None: it does not."""

WRITES_PER_S: Final = 50.0
"""After a burst. A write costs this process about a millisecond, during which no ARP request is
answered: this is one in twenty. A higher rate brings the objects up to date sooner after a
failover, and costs replies and the API server."""

BURST: Final = 50
"""Writes at once: an ordinary change of a few Services is not delayed at all."""

PATIENCE_S: Final = 1.0
"""How long another node's object may stand beside an announcement of ours. The other node needs
some 100 ms to see that it has lost the Service and to delete its object; one that has died leaves
the object, which is then wrong by this much longer."""

MAX_WRITES: Final = 16
"""In one pass over a Service; three are usual. More are needed for many duplicates, or where
something undoes what is written; that is tried again after `RETRY_S`."""

RETRY_S: Final = 60.0
"""Seconds until objects are tried again that cannot be made, or do not stay: the resource may be
defined, or whatever undoes our writes be gone, by then."""

_WORKERS: Final = 8
"""Keys that are written at once; all of them take turns at one rate."""


class L2StatusReconciler:
    """Makes one pass a Service: reads what is announced and what is written, writes the difference.

    It follows the cache by itself: what others do to objects of this node, or of Services announced
    here, is undone. Objects left by an earlier run are deleted, or adopted where they are true.
    """

    def __init__(
        self,
        *,
        node: "NodeName",
        statuses: "Cache[L2StatusObject]",
        writer: "L2StatusWriter",
        announced: Announced,
        observer: "QueueObserver | None" = None,
        pace: Pace | None = None,
    ) -> None:
        self._node = node
        self._statuses = statuses
        self._writer = writer
        self._announced = announced
        self._pace = pace or Pace(rate=WRITES_PER_S, burst=BURST)
        self._index: ServiceIndex[L2StatusObject] = ServiceIndex(
            lambda obj: service_of(obj, node=node)
        )
        # uids of objects that a request found or made gone, until the watch says so too
        self._gone: set[str] = set()
        # since when objects of other nodes stand beside an announcement of ours
        self._foreign_since: dict[ServiceKey, float] = {}
        self._driver = QueueDriver[ServiceKey](
            "l2 status", self._reconcile, workers=_WORKERS, observer=observer
        )
        self.owner: PodOwner | None = None
        """The own Pod, to be set before `run`; None: objects get no owner."""
        statuses.subscribe(self._on_change)

    def touch(self, key: ServiceKey) -> None:
        """Ask for a pass: what this node announces for the Service has changed."""
        self._driver.add(key)

    def is_reported(self, key: ServiceKey) -> bool:
        """Tell whether an object says that this node announces the Service."""
        return any(obj.status.node == self._node for obj in self._objects(key))

    async def run(self) -> None:
        """Work until cancelled. Start it once it is known what is announced: it deletes the rest.

        Everything of this node's that the cache took in before is looked at first.
        """
        await self._driver.run()

    def _on_change(self, change: "Change[L2StatusObject]") -> None:
        old, new = change.old, change.new
        if old is not None and (new is None or new.metadata.uid != old.metadata.uid):
            self._gone.discard(old.metadata.uid)
        keys = self._index.apply(change)
        if change.origin is Origin.WRITE:
            return
        is_mine = any(obj is not None and is_own(obj, node=self._node) for obj in (old, new))
        for key in keys:
            if is_mine or self._announced(key) is not None:
                self._driver.add(key)

    def _objects(self, key: ServiceKey) -> "list[L2StatusObject]":
        return [obj for obj in self._index.get(key) if obj.metadata.uid not in self._gone]

    async def _reconcile(self, key: ServiceKey) -> RequeueAfter | None:
        """Make one pass; an error of the API is raised, and the pass repeated later."""
        for _ in range(MAX_WRITES):
            step = self._next_step(key)
            if step is None or isinstance(step, RequeueAfter):
                return step
            await asyncio.sleep(self._pace.take(now=_now()))
            # others may have done it, or undone the need for it, in the meantime
            step = self._next_step(key)
            if step is None or isinstance(step, RequeueAfter):
                return step
            try:
                is_done = await self._perform(step)
            except ForbiddenError as error:
                if error.right is None:
                    raise
                is_done = False  # `Rights` has said what is missing
            if not is_done:
                break
        return RequeueAfter(RETRY_S)

    def _next_step(self, key: ServiceKey) -> Action | RequeueAfter | None:
        """Return what to do now, how long to wait before, or None if all is well."""
        actions = plan(self._objects(key), self._wanted(key), node=self._node)
        if not any(isinstance(action, Delete) and action.is_foreign for action in actions):
            self._foreign_since.pop(key, None)
            return actions[0] if actions else None
        now = _now()
        left_s = self._foreign_since.setdefault(key, now) + PATIENCE_S - now
        first = actions[0]
        if isinstance(first, Delete) and first.is_foreign and left_s > 0:
            return RequeueAfter(left_s)
        return first

    def _wanted(self, key: ServiceKey) -> Wanted | None:
        rule = self._announced(key)
        if rule is None:
            return None
        owner_uid = self.owner.uid if self.owner is not None else ""
        return wanted_status(key, rule, node=self._node, owner_uid=owner_uid)

    async def _perform(self, action: Action) -> bool:
        """Make one write; False if there is nowhere to write to."""
        match action:
            case Create(wanted=wanted):
                created = await self._writer.create(wanted.labels, self.owner)
                if created is None:
                    return False
                self._statuses.put_written(created)
            case Delete(obj=obj):
                await self._writer.delete(obj)
                self._lose(obj)
            case PatchMetadata(obj=obj, wanted=wanted):
                self._keep(obj, await self._writer.patch_metadata(obj, wanted.labels, self.owner))
            case PatchStatus(obj=obj, wanted=wanted):
                self._keep(obj, await self._writer.patch_status(obj, wanted.status))
            case _:
                assert_never(action)
        return True

    def _keep(self, obj: "L2StatusObject", patched: "L2StatusObject | None") -> None:
        if patched is None:
            self._lose(obj)
        else:
            self._statuses.put_written(patched)

    def _lose(self, obj: "L2StatusObject") -> None:
        """Leave an object out until the watch has taken it out of the cache."""
        held = self._statuses.get(key_of(obj))
        if held is not None and held.metadata.uid == obj.metadata.uid:
            self._gone.add(obj.metadata.uid)


def _now() -> float:
    return asyncio.get_running_loop().time()
