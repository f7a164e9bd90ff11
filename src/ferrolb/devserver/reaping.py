"""Ends what has been deleted but holds other things: Namespaces, and definitions with objects."""

import asyncio
from typing import TYPE_CHECKING

from ferrolb.devserver.builtin import DEFINITIONS, NAMESPACES
from ferrolb.devserver.definitions import CLEANUP_FINALIZER, storage_of
from ferrolb.devserver.strategies import member_of, metadata_of
from ferrolb.store import ChangeType, NotFoundError, ObjectKey

if TYPE_CHECKING:
    from ferrolb.devserver.cluster import Cluster
    from ferrolb.model import JsonObject
    from ferrolb.store import Change, ResourceId


class Reaper:
    """Deletes the contents of what is going, and then lets it go; woken by changes."""

    def __init__(self, cluster: "Cluster") -> None:
        self._cluster = cluster
        self._going: set[ObjectKey] = set()
        self._wake = asyncio.Event()

    def start(self) -> None:
        """Take up what was going when the objects were stored."""
        for resource in (NAMESPACES, DEFINITIONS):
            for obj in self._cluster.store.list(resource).items:
                if metadata_of(obj).get("deletionTimestamp") is not None:
                    self._going.add(ObjectKey(resource, "", str(metadata_of(obj)["name"])))
        self._wake.set()

    def saw(self, change: "Change") -> None:
        """Look at a change: something may be going, or may have lost the last thing it held."""
        if change.key.resource in (NAMESPACES, DEFINITIONS):
            if change.type is ChangeType.DELETED:
                self._going.discard(change.key)
                return
            if change.type is ChangeType.ADDED:
                return
            if metadata_of(change.obj).get("deletionTimestamp") is not None:
                self._going.add(change.key)
                self._wake.set()
        elif self._going and change.type is ChangeType.DELETED:
            self._wake.set()

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            for key in sorted(self._going):
                await self._reap(key)

    async def _reap(self, key: ObjectKey) -> None:
        try:
            obj = self._cluster.store.get(key)
        except NotFoundError:
            self._going.discard(key)
            return
        if key.resource == NAMESPACES:
            is_empty = await self._empty_namespace(key.name)
        else:
            is_empty = await self._empty_definition(obj)
        if is_empty:
            await self._let_go(key)

    async def _empty_namespace(self, name: str) -> bool:
        is_empty = True
        for resource in self._cluster.registry.stored():
            if resource.is_namespaced:
                for obj in self._cluster.store.list(resource.storage, name).items:
                    is_empty &= await self._delete(resource.storage, obj)
        return is_empty

    async def _empty_definition(self, definition: "JsonObject") -> bool:
        storage = storage_of(definition)
        is_empty = True
        for obj in self._cluster.store.list(storage).items:
            is_empty &= await self._delete(storage, obj)
        return is_empty

    async def _delete(self, storage: "ResourceId", obj: "JsonObject") -> bool:
        """Delete an object; tell whether it is gone."""
        metadata = metadata_of(obj)
        key = ObjectKey(storage, str(metadata.get("namespace") or ""), str(metadata["name"]))
        try:
            write = self._cluster.store.delete(key, now=self._cluster.now())
        except NotFoundError:
            return True
        await self._cluster.committed(write.change)
        return write.is_removal

    async def _let_go(self, key: ObjectKey) -> None:
        """Take away the finalizer that held the object for its contents."""
        try:
            obj = self._cluster.store.get(key)
        except NotFoundError:
            return
        if key.resource == NAMESPACES:
            obj["spec"] = {**member_of(obj, "spec"), "finalizers": []}
        else:
            metadata = metadata_of(obj)
            finalizers = metadata.get("finalizers")
            kept = finalizers if isinstance(finalizers, list) else []
            metadata["finalizers"] = [each for each in kept if each != CLEANUP_FINALIZER]
        write = self._cluster.store.update(key, obj)
        await self._cluster.committed(write.change)
