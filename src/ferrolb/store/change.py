"""One change of one object: what watchers see and what a journal keeps."""

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from ferrolb.store.codec import decode, encode
from ferrolb.store.meta import with_resource_version

if TYPE_CHECKING:
    from collections.abc import Callable

    from ferrolb.model import JsonObject
    from ferrolb.store.key import ObjectKey


class ChangeType(StrEnum):
    """`WatchEvent.type` of a change."""

    ADDED = "ADDED"
    MODIFIED = "MODIFIED"
    DELETED = "DELETED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A write that took place.

    `encoded` is the object as of `resource_version`; when deleted, its last state with the
    resourceVersion of the deletion. `encoded_previous` is what was stored before, None when added.
    """

    type: ChangeType
    key: "ObjectKey"
    resource_version: int
    encoded: bytes
    encoded_previous: bytes | None

    @property
    def obj(self) -> "JsonObject":
        """The object, decoded anew for the caller."""
        return decode(self.encoded)

    @property
    def previous(self) -> "JsonObject | None":
        """What was stored before, decoded anew for the caller."""
        return None if self.encoded_previous is None else decode(self.encoded_previous)


def project(change: Change, matches: "Callable[[JsonObject], bool]") -> Change | None:
    """Return the change as one sees it who knows only the objects that match, or None if unseen.

    A modification that makes an object match is its addition, one that ends the match its
    deletion; the latter carries the previous state with the new resourceVersion, as the API does.
    """
    previous = change.previous
    was_seen = previous is not None and matches(previous)
    if change.type is ChangeType.DELETED:
        return change if was_seen else None
    if matches(change.obj):
        kind = ChangeType.MODIFIED if was_seen else ChangeType.ADDED
        return change if kind is change.type else _retyped(change, kind, change.encoded)
    if previous is None or not was_seen:
        return None
    return _retyped(
        change, ChangeType.DELETED, encode(with_resource_version(previous, change.resource_version))
    )


def _retyped(change: Change, kind: ChangeType, encoded: bytes) -> Change:
    return Change(
        type=kind,
        key=change.key,
        resource_version=change.resource_version,
        encoded=encoded,
        encoded_previous=None if kind is ChangeType.ADDED else change.encoded_previous,
    )
