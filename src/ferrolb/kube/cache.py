"""What the API holds of one resource, as far as seen, with what we wrote ourselves put in at once.

Versions are compared as integers, within one resource, as Kubernetes promises. They decide which
of two states of an object is the newer one, since answers to writes and watch events arrive on
different connections in any order.
"""

import asyncio
from collections.abc import Callable, Iterator, KeysView, Mapping, ValuesView
from dataclasses import dataclass
from enum import Enum, auto
from types import MappingProxyType
from typing import TYPE_CHECKING, Generic, NamedTuple, Protocol, TypeVar

from typing_extensions import override

if TYPE_CHECKING:
    from ferrolb.kube.objects import Identity


class ObjectKey(NamedTuple):
    """Namespace (empty for cluster-scoped objects) and name; equal to any such pair."""

    namespace: str
    name: str

    @override
    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


class ApiObject(Protocol):
    """Any decoded object."""

    @property
    def metadata(self) -> "Identity":
        """Names and version."""


T = TypeVar("T", bound=ApiObject)


class Origin(Enum):
    """How a change became known."""

    SERVER = auto()
    """By a list or a watch."""
    WRITE = auto()
    """By the answer to a write of ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change(Generic[T]):
    """One object came (`old` is None), changed, or went (`new` is None).

    When an object becomes unreadable, `old` and `new` are what was read last.
    """

    key: ObjectKey
    old: T | None
    new: T | None
    origin: Origin = Origin.SERVER


Handler = Callable[[Change[T]], None]


def version_of(text: str) -> int:
    """Read a resourceVersion; text that is no number is 0, older than any."""
    return int(text) if text.isascii() and text.isdigit() else 0


def key_of(obj: ApiObject) -> ObjectKey:
    """Return the key of any object."""
    return ObjectKey(obj.metadata.namespace, obj.metadata.name)


class Cache(Generic[T]):
    """Objects by (namespace, name). Handlers are called in order, at once, within the change."""

    def __init__(self) -> None:
        self._objects: dict[ObjectKey, T] = {}
        # each key of _unreadable was sent by the server and could not be decoded
        self._unreadable: dict[ObjectKey, str] = {}
        self._handlers: list[Handler[T]] = []
        # every event up to this version has been applied
        self._seen = 0
        # objects whose version belongs to a history that the server has lost
        self._outdated: set[ObjectKey] = set()
        self.synced = asyncio.Event()
        """Set once a complete list has been taken, never cleared."""
        self.is_absent = False
        """The resource does not exist or may not be read, and is taken as empty."""

    def __len__(self) -> int:
        return len(self._objects)

    def __contains__(self, key: tuple[str, str]) -> bool:
        return key in self._objects

    def __iter__(self) -> Iterator[ObjectKey]:
        return iter(self._objects)

    def get(self, key: tuple[str, str]) -> T | None:
        """Return the newest state known of an object."""
        return self._objects.get(ObjectKey(*key))

    def keys(self) -> KeysView[ObjectKey]:
        """Return the keys of all objects."""
        return self._objects.keys()

    def values(self) -> ValuesView[T]:
        """Return all objects; not to be held over an `await`."""
        return self._objects.values()

    @property
    def unreadable(self) -> Mapping[ObjectKey, str]:
        """Objects that exist but could not be decoded, with why.

        One that could be read before also stays in the cache as it was then.
        """
        return MappingProxyType(self._unreadable)

    def subscribe(self, handler: Handler[T]) -> None:
        """Call `handler` on each change from now on."""
        self._handlers.append(handler)

    def put_written(self, obj: T) -> bool:
        """Put in the answer to a write of ours; tell whether it was news.

        Watch events that are older, or say the same, change nothing any more.
        """
        key, version = key_of(obj), version_of(obj.metadata.resourceVersion)
        if self._is_stale(key, version):
            return False
        if key not in self._objects and 0 < version <= self._seen:
            # the watch is past our write and the object is not there: it was deleted since
            return False
        self._store(key, obj, Origin.WRITE)
        return True

    # What follows is for the reflector.

    def known(self) -> frozenset[ObjectKey]:
        """Return the keys of all objects, unreadable ones included."""
        return frozenset(self._objects) | frozenset(self._unreadable)

    def start_list(self, resource_version: str) -> None:
        """Prepare for the objects of a list of this version.

        A version before what was seen already means that the server went back in time, by a
        restored backup or a restart of a server in memory. Then the list is right and we are not.
        """
        version = version_of(resource_version)
        if 0 < version < self._seen:
            self._outdated.update(self._objects)
        self._seen = version

    def advance(self, resource_version: str) -> None:
        """Note that every event up to this version has been applied."""
        self._seen = max(self._seen, version_of(resource_version))

    def put(self, obj: T) -> bool:
        """Put in an object from a list or a watch; tell whether it was news."""
        key, version = key_of(obj), version_of(obj.metadata.resourceVersion)
        if self._is_stale(key, version):
            return False
        self._store(key, obj, Origin.SERVER)
        return True

    def put_unreadable(self, key: ObjectKey, reason: str) -> bool:
        """Note that the server has an object that cannot be decoded; tell whether it was news."""
        if self._unreadable.get(key) == reason:
            return False
        self._unreadable[key] = reason
        last = self._objects.get(key)
        self._tell(Change(key=key, old=last, new=last))
        return True

    def remove(self, key: ObjectKey, resource_version: str) -> bool:
        """Take out an object that was gone in this version; tell whether it was news.

        An empty version takes it out whatever its own is.
        """
        old = self._objects.get(key)
        if old is not None and self._version(key, old) > version_of(resource_version) > 0:
            return False
        if old is None and key not in self._unreadable:
            return False
        self._objects.pop(key, None)
        self._unreadable.pop(key, None)
        self._outdated.discard(key)
        self._tell(Change(key=key, old=old, new=None))
        return True

    def _store(self, key: ObjectKey, obj: T, origin: Origin) -> None:
        old = self._objects.get(key)
        self._objects[key] = obj
        self._unreadable.pop(key, None)
        self._outdated.discard(key)
        self._tell(Change(key=key, old=old, new=obj, origin=origin))

    def _is_stale(self, key: ObjectKey, version: int) -> bool:
        known = self._objects.get(key)
        return known is not None and 0 < version <= self._version(key, known)

    def _version(self, key: ObjectKey, obj: T) -> int:
        return 0 if key in self._outdated else version_of(obj.metadata.resourceVersion)

    def _tell(self, change: Change[T]) -> None:
        for handler in self._handlers:
            handler(change)
