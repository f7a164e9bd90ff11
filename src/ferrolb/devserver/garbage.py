"""Ends objects whose owners are gone, and owners that wait for their dependents.

Which object is whose is known from the references of the dependents alone. An owner is looked for
in the dependent's own namespace; where its kind is not served, nothing is done until it is.
"""

import asyncio
from enum import Enum
from typing import TYPE_CHECKING, Final

from ferrolb.apimachinery import Writer, track_update
from ferrolb.devserver.builtin import DEFINITIONS
from ferrolb.devserver.lifetimes import (
    FOREGROUND,
    ORPHAN,
    Policy,
    deletion_finalizers,
    finalizers_of,
    owners_of,
)
from ferrolb.devserver.strategies import metadata_of
from ferrolb.store import ChangeType, NotFoundError, ObjectKey, Preconditions

if TYPE_CHECKING:
    from ferrolb.devserver.cluster import Cluster
    from ferrolb.devserver.registry import ServedResource
    from ferrolb.model import Json, JsonObject
    from ferrolb.store import Change, ResourceId

MANAGER: Final = "kube-controller-manager"
"""Who takes references away, as managed fields tell it."""

_IGNORED: Final = frozenset({"events"})
"""Plurals of what is nobody's: Events end by their age."""

_MARKS: Final = (b'"ownerReferences"', b'"deletionTimestamp"')
"""What a stored object has in it if it may be somebody's, or may wait for its dependents."""


class _Owner(Enum):
    THERE = "there"
    GOING = "waits for its dependents"
    GONE = "gone"
    UNKNOWN = "of no kind that is served"


class GarbageCollector:
    """Follows owner references; woken by changes. What it keeps is bounded by what is stored."""

    def __init__(self, cluster: "Cluster") -> None:
        self._cluster = cluster
        self._owners: dict[ObjectKey, frozenset[str]] = {}
        self._dependents: dict[str, set[ObjectKey]] = {}
        # every uid in _holding is that of a deleted object that waits for its dependents
        self._holding: dict[str, ObjectKey] = {}
        self._suspects: dict[ObjectKey, None] = {}
        self._unclear: dict[ObjectKey, None] = {}
        self._holders: dict[ObjectKey, None] = {}
        self._wake = asyncio.Event()

    def start(self) -> None:
        """Take up what was stored before."""
        for resource in self._cluster.registry.stored():
            for obj in self._cluster.store.list(resource.storage).items:
                self._look(_key_of(resource.storage, obj), metadata_of(obj))
        self._wake.set()

    def saw(self, change: "Change") -> None:
        """Look at a change: it may make a dependent, or leave some without their owner."""
        if change.key.resource == DEFINITIONS and self._unclear:
            self._suspects |= self._unclear
            self._unclear.clear()
            self._wake.set()
        if change.type is ChangeType.DELETED:
            self._forget(change)
        elif change.key in self._owners or any(mark in change.encoded for mark in _MARKS):
            self._look(change.key, metadata_of(change.obj))

    def _look(self, key: ObjectKey, metadata: "JsonObject") -> None:
        if key.resource.resource in _IGNORED:
            return
        self._index(key, frozenset(str(owner.get("uid")) for owner in owners_of(metadata)))
        is_deleted = metadata.get("deletionTimestamp") is not None
        if is_deleted and {FOREGROUND, ORPHAN} & set(finalizers_of(metadata)):
            self._holding[str(metadata.get("uid"))] = key
            self._holders[key] = None
            self._wake.set()

    def _index(self, key: ObjectKey, owners: frozenset[str]) -> None:
        before = self._owners.pop(key, frozenset())
        if owners:
            self._owners[key] = owners
        for uid in before - owners:
            self._dependents[uid].discard(key)
            if not self._dependents[uid]:
                del self._dependents[uid]
        for uid in owners:
            self._dependents.setdefault(uid, set()).add(key)
        if owners - before:
            self._suspects[key] = None
            self._wake.set()
        self._ask_holders(before - owners)

    def _forget(self, change: "Change") -> None:
        key = change.key
        self._index(key, frozenset())
        self._suspects.pop(key, None)
        self._unclear.pop(key, None)
        self._holders.pop(key, None)
        if not self._dependents and not self._holding:
            return
        uid = str(metadata_of(change.obj).get("uid"))
        self._holding.pop(uid, None)
        for dependent in sorted(self._dependents.get(uid, ())):
            self._suspects[dependent] = None
            self._wake.set()

    def _ask_holders(self, lost: frozenset[str]) -> None:
        """Let owners that have lost a dependent be looked at again."""
        for uid in lost & self._holding.keys():
            self._holders[self._holding[uid]] = None
            self._wake.set()

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._suspects or self._holders:
                if self._holders:
                    key = next(iter(self._holders))
                    del self._holders[key]
                    await self._settle(key)
                else:
                    key = next(iter(self._suspects))
                    del self._suspects[key]
                    await self._judge(key)
                # a cascade may be long: requests have their turn in between
                await asyncio.sleep(0)

    async def _settle(self, key: ObjectKey) -> None:
        """Let a deleted owner go once its dependents are as its deletion wants them."""
        obj = self._get(key)
        if obj is None:
            return
        metadata = metadata_of(obj)
        uid = str(metadata.get("uid"))
        dependents = sorted(self._dependents.get(uid, ()))
        if ORPHAN in finalizers_of(metadata):
            for dependent in dependents:
                await self._drop_owners(dependent, {uid})
            await self._release(key, ORPHAN)
            return
        blocking = [one for one in dependents if self._blocks(one, uid)]
        if FOREGROUND in finalizers_of(metadata) and not blocking:
            await self._release(key, FOREGROUND)
        for dependent in blocking:
            await self._judge(dependent)

    def _blocks(self, key: ObjectKey, uid: str) -> bool:
        obj = self._get(key)
        owners = owners_of(metadata_of(obj)) if obj is not None else []
        return any(
            owner.get("uid") == uid and owner.get("blockOwnerDeletion") is True for owner in owners
        )

    async def _judge(self, key: ObjectKey) -> None:
        """Delete a dependent that has no owner left; else let it forget those that are gone."""
        obj = self._get(key)
        if obj is None or metadata_of(obj).get("deletionTimestamp") is not None:
            return
        metadata = metadata_of(obj)
        owners = [(owner, self._owner(owner, key.namespace)) for owner in owners_of(metadata)]
        found = {state for _, state in owners}
        if _Owner.UNKNOWN in found:
            self._unclear[key] = None
            return
        if not owners:
            return
        if _Owner.THERE not in found:
            await self._delete(key, metadata, is_owner_waiting=_Owner.GOING in found)
        elif found != {_Owner.THERE}:
            lost = {str(owner.get("uid")) for owner, state in owners if state is not _Owner.THERE}
            await self._drop_owners(key, lost)

    def _owner(self, reference: "JsonObject", namespace: str) -> _Owner:
        resource = self._served(reference)
        if resource is None or (resource.is_namespaced and not namespace):
            return _Owner.UNKNOWN
        place = namespace if resource.is_namespaced else ""
        obj = self._get(ObjectKey(resource.storage, place, str(reference.get("name"))))
        metadata = metadata_of(obj or {})
        if obj is None or metadata.get("uid") != reference.get("uid"):
            return _Owner.GONE
        is_deleted = metadata.get("deletionTimestamp") is not None
        is_waiting = is_deleted and FOREGROUND in finalizers_of(metadata)
        return _Owner.GOING if is_waiting else _Owner.THERE

    def _served(self, reference: "JsonObject") -> "ServedResource | None":
        wanted = (reference.get("apiVersion"), reference.get("kind"))
        for resource in self._cluster.registry.resources():
            if (resource.api_version, resource.kind) == wanted:
                return resource
        return None

    def _get(self, key: ObjectKey) -> "JsonObject | None":
        try:
            return self._cluster.store.get(key)
        except NotFoundError:
            return None

    async def _delete(
        self, key: ObjectKey, metadata: "JsonObject", *, is_owner_waiting: bool
    ) -> None:
        uid = str(metadata.get("uid"))
        held = finalizers_of(metadata)
        policy = Policy.BACKGROUND
        if ORPHAN in held:
            policy = Policy.ORPHAN
        elif FOREGROUND in held or (is_owner_waiting and uid in self._dependents):
            policy = Policy.FOREGROUND
        write = self._cluster.store.delete(
            key,
            now=self._cluster.now(),
            preconditions=Preconditions(uid=uid),
            finalizers=lambda given: deletion_finalizers(policy, given),
        )
        await self._cluster.committed(write.change)

    async def _drop_owners(self, key: ObjectKey, lost: set[str]) -> None:
        obj = self._get(key)
        if obj is None:
            return
        metadata = {**metadata_of(obj)}
        kept: list[Json] = [one for one in owners_of(metadata) if one.get("uid") not in lost]
        metadata.pop("ownerReferences", None)
        if kept:
            metadata["ownerReferences"] = kept
        await self._write(key, obj, {**obj, "metadata": metadata})

    async def _release(self, key: ObjectKey, finalizer: str) -> None:
        """Take a finalizer away."""
        obj = self._get(key)
        if obj is None:
            return
        metadata = {**metadata_of(obj)}
        kept: list[Json] = [one for one in finalizers_of(metadata) if one != finalizer]
        metadata.pop("finalizers", None)
        if kept:
            metadata["finalizers"] = kept
        await self._write(key, obj, {**obj, "metadata": metadata})

    async def _write(self, key: ObjectKey, old: "JsonObject", new: "JsonObject") -> None:
        writer = Writer(
            manager=MANAGER, api_version=str(old.get("apiVersion")), now=self._cluster.now()
        )
        for resource in self._cluster.registry.stored():
            if resource.storage == key.resource and resource.schema is not None:
                new = track_update(old, new, writer, schema=resource.schema)
        write = self._cluster.store.update(key, new)
        await self._cluster.committed(write.change)


def _key_of(storage: "ResourceId", obj: "JsonObject") -> ObjectKey:
    metadata = metadata_of(obj)
    return ObjectKey(storage, str(metadata.get("namespace") or ""), str(metadata["name"]))
