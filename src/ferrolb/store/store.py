"""The store: objects of all resources under one increasing resourceVersion."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ferrolb.store.change import Change, ChangeType
from ferrolb.store.codec import decode, encode
from ferrolb.store.errors import (
    AlreadyExistsError,
    ExpiredError,
    NotFoundError,
    StoreError,
    TooLargeVersionError,
)
from ferrolb.store.history import HISTORY_BYTES_LIMIT, HISTORY_LIMIT, History
from ferrolb.store.key import ObjectKey
from ferrolb.store.meta import (
    NO_PRECONDITIONS,
    Preconditions,
    created,
    has_finalizers,
    is_terminating,
    terminating,
    updated,
    with_finalizers,
    with_resource_version,
)
from ferrolb.store.paging import Page, Position, position_of
from ferrolb.store.table import Table, choose, span

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime

    from ferrolb.model import JsonObject
    from ferrolb.store.key import ResourceId


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """What a write came to: the object to answer with, and the change if there was one.

    `change` is None when nothing had to be done, and in a dry run.
    """

    encoded: bytes
    change: Change | None

    @property
    def obj(self) -> "JsonObject":
        """The object, decoded anew for the caller."""
        return decode(self.encoded)

    @property
    def is_removal(self) -> bool:
        """Whether the object is gone by this write."""
        return self.change is not None and self.change.type is ChangeType.DELETED


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """All objects as of one resourceVersion; immutable, and cheap to take and hold."""

    resource_version: int
    objects: "tuple[tuple[ObjectKey, bytes], ...]"


class Store:
    """Versioned objects, with the recent changes of each resource.

    Every write either raises a `StoreError` and changes nothing, or returns a `Write`. With
    `dry_run` it returns what would be, and changes nothing either.
    """

    def __init__(
        self,
        *,
        resource_version: int = 1,
        history_limit: int = HISTORY_LIMIT,
        history_bytes_limit: int = HISTORY_BYTES_LIMIT,
    ) -> None:
        self._resource_version = resource_version
        self._floor = resource_version
        self._history_limit = history_limit
        self._history_bytes_limit = history_bytes_limit
        self._tables: dict[ResourceId, Table] = {}

    @property
    def resource_version(self) -> int:
        """The version of the last write to anything."""
        return self._resource_version

    def latest(self, resource: "ResourceId") -> int:
        """Return the version of the last write to that resource; cheap, for who waits for more."""
        return self._table(resource).history.latest

    def get_encoded(self, key: ObjectKey) -> bytes:
        """Return the object as encoded JSON.

        Raises:
            NotFoundError: there is none.
        """
        try:
            return self._table(key.resource).objects[key.namespace, key.name]
        except KeyError:
            raise NotFoundError(key) from None

    def get(self, key: ObjectKey) -> "JsonObject":
        """Return the object, decoded anew for the caller.

        Raises:
            NotFoundError: there is none.
        """
        return decode(self.get_encoded(key))

    def create(
        self,
        key: ObjectKey,
        obj: "JsonObject",
        *,
        uid: str,
        now: "datetime",
        has_generation: bool = True,
        dry_run: bool = False,
    ) -> Write:
        """Add an object.

        `has_generation` is False for resources whose objects have no `metadata.generation`.

        Raises:
            AlreadyExistsError: there is one of that name.
        """
        if (key.namespace, key.name) in self._table(key.resource).objects:
            raise AlreadyExistsError(key)
        new = created(key, obj, uid=uid, now=now, has_generation=has_generation)
        if dry_run:
            return Write(encoded=encode(new), change=None)
        return self._written(ChangeType.ADDED, key, new, previous=None)

    def update(
        self,
        key: ObjectKey,
        obj: "JsonObject",
        *,
        preconditions: Preconditions = NO_PRECONDITIONS,
        generation_changed: bool | None = None,
        dry_run: bool = False,
    ) -> Write:
        """Replace an object, keeping the metadata that no update can change.

        An update that changes nothing keeps the resourceVersion. One that takes the last finalizer
        from a deleted object removes it. `generation_changed` None means: when anything but
        `metadata` and `status` differs.

        Raises:
            NotFoundError: there is none.
            ConflictError: a precondition does not hold.
        """
        encoded = self.get_encoded(key)
        stored = decode(encoded)
        preconditions.check(key, stored)
        new = updated(key, stored, obj, generation_changed=generation_changed)
        encoded_new = encode(new)
        if encoded_new == encoded or dry_run:
            return Write(encoded=encoded_new, change=None)
        if is_terminating(new) and not has_finalizers(key, new):
            removal = self._written(ChangeType.DELETED, key, stored, previous=encoded)
            return Write(encoded=encoded_new, change=removal.change)
        return self._written(ChangeType.MODIFIED, key, new, previous=encoded)

    def delete(
        self,
        key: ObjectKey,
        *,
        now: "datetime",
        preconditions: Preconditions = NO_PRECONDITIONS,
        finalizers: "Callable[[list[str]], list[str]] | None" = None,
        dry_run: bool = False,
    ) -> Write:
        """Remove an object, or, while it has finalizers, mark it as deleted.

        `finalizers` says which ones this deletion leaves or puts on the object.

        Raises:
            NotFoundError: there is none.
            ConflictError: a precondition does not hold.
        """
        encoded = self.get_encoded(key)
        stored = decode(encoded)
        preconditions.check(key, stored)
        held = stored if finalizers is None else with_finalizers(stored, finalizers)
        if not has_finalizers(key, held):
            if dry_run:
                return Write(encoded=encoded, change=None)
            return self._written(ChangeType.DELETED, key, stored, previous=encoded)
        if not is_terminating(stored):
            held = terminating(key, held, now=now)
        elif held is stored:
            return Write(encoded=encoded, change=None)
        if dry_run:
            return Write(encoded=encode(held), change=None)
        return self._written(ChangeType.MODIFIED, key, held, previous=encoded)

    def list(
        self,
        resource: "ResourceId",
        namespace: str | None = None,
        *,
        limit: int | None = None,
        continue_token: str | None = None,
        at: int | None = None,
        matches: "Callable[[JsonObject], bool] | None" = None,
    ) -> Page:
        """Return a page of the objects of a resource, of one namespace or of all.

        All pages of one list show the state at the first one. `at` asks for the state at that
        version instead of the present one; `matches` leaves objects out and still fills the page;
        `limit` 0 is none, as in the API.

        Raises:
            BadContinueTokenError: `continue_token` belongs to no such list.
            ExpiredError: the state asked for is forgotten.
            TooLargeVersionError: it lies in the future.
        """
        scope = f"{resource}/{namespace or ''}"
        position = position_of(continue_token, scope=scope) if continue_token else None
        if position and not position.is_at_present:
            at = position.resource_version
        version = self._resource_version if at is None else at
        self._check_reached(resource, version, position)
        names, objects = self._table(resource).as_of(version)
        limit = limit or None
        start, stop = span(names, namespace, position.after if position else None)
        chosen, stopped_at = choose(names[start:stop], objects, limit=limit, matches=matches)
        remaining = stop - start - stopped_at
        token = None
        if remaining:
            after = names[start + stopped_at - 1]
            token = Position(resource_version=version, after=after, scope=scope).token()
        return Page(
            encoded=chosen,
            resource_version=version,
            continue_token=token,
            remaining=remaining if remaining and matches is None else None,
        )

    def changes_since(
        self, resource: "ResourceId", namespace: str | None, resource_version: int
    ) -> "Sequence[Change]":
        """Return the changes after a version, oldest first, of one namespace or of all.

        Raises:
            ExpiredError: some of them are forgotten, or the version is none of this store's.
        """
        history = self._table(resource).history
        if resource_version < history.floor or resource_version > self._resource_version:
            raise ExpiredError(f"too old resource version: {resource_version} ({history.floor})")
        if resource_version >= history.latest:
            return ()
        changes = history.since(resource_version)
        if namespace is None:
            return changes
        return [change for change in changes if change.key.namespace == namespace]

    def compact(self, resource_version: int) -> None:
        """Forget the changes up to and including a version."""
        self._floor = max(self._floor, min(resource_version, self._resource_version))
        for table in self._tables.values():
            table.history.compact(self._floor)

    def snapshot(self) -> Snapshot:
        """Return all objects."""
        objects = tuple(
            (ObjectKey(resource, *place), table.objects[place])
            for resource, table in sorted(self._tables.items(), key=lambda item: item[0])
            for place in table.names
        )
        return Snapshot(resource_version=self._resource_version, objects=objects)

    def restore(self, snapshot: Snapshot) -> None:
        """Take over all objects of a snapshot into an empty store; there is no history before it.

        Raises:
            StoreError: the store has seen writes.
        """
        if any(table.objects for table in self._tables.values()):
            raise StoreError("the store is not empty")
        self._tables.clear()
        self._resource_version = self._floor = snapshot.resource_version
        for key, encoded in snapshot.objects:
            self._table(key.resource).put((key.namespace, key.name), encoded)

    def replay(self, changes: "Iterable[Change]") -> None:
        """Take over changes that another store made after the state that this one holds.

        What was there before is taken from here, not from the change.

        Raises:
            StoreError: one of them does not fit the state it meets.
        """
        for change in changes:
            table = self._table(change.key.resource)
            previous = table.objects.get((change.key.namespace, change.key.name))
            is_fitting = (previous is None) is (change.type is ChangeType.ADDED)
            if change.resource_version <= self._resource_version or not is_fitting:
                raise StoreError(
                    f"{change.type} of {change.key} at {change.resource_version} does not fit "
                    f"the state at {self._resource_version}"
                )
            self._apply(replace(change, encoded_previous=previous))

    def skip_to(self, resource_version: int) -> None:
        """Go on counting from a later version; what came before is forgotten.

        Clients that know versions from before have to list anew. A server that may have lost
        writes it showed to watchers calls this at its start, so that no version ever means two
        states.
        """
        self._resource_version = max(self._resource_version, resource_version)
        self.compact(self._resource_version)

    def _table(self, resource: "ResourceId") -> Table:
        table = self._tables.get(resource)
        if table is None:
            history = History(
                floor=self._floor,
                limit=self._history_limit,
                limit_bytes=self._history_bytes_limit,
            )
            table = self._tables[resource] = Table(history)
        return table

    def _written(
        self, kind: ChangeType, key: ObjectKey, obj: "JsonObject", *, previous: bytes | None
    ) -> Write:
        version = self._resource_version + 1
        encoded = encode(with_resource_version(obj, version))
        change = Change(
            type=kind,
            key=key,
            resource_version=version,
            encoded=encoded,
            encoded_previous=previous,
        )
        self._apply(change)
        return Write(encoded=encoded, change=change)

    def _apply(self, change: Change) -> None:
        table = self._table(change.key.resource)
        place = (change.key.namespace, change.key.name)
        if change.type is ChangeType.DELETED:
            table.remove(place)
        else:
            table.put(place, change.encoded)
        table.history.append(change)
        self._resource_version = change.resource_version

    def _check_reached(
        self, resource: "ResourceId", version: int, position: Position | None
    ) -> None:
        if version > self._resource_version:
            raise TooLargeVersionError(requested=version, current=self._resource_version)
        if version < self._table(resource).history.floor:
            raise ExpiredError(
                "The provided continue parameter is too old"
                if position
                else f"too old resource version: {version}",
                continue_token=position.at_present().token() if position else None,
            )
