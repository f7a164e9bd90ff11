"""What a watcher with a selector sees of a change."""

from datetime import UTC, datetime
from typing import Any

import pytest

from ferrolb.store import ChangeType, ObjectKey, ResourceId, Store, project

NOW = datetime(2026, 3, 1, tzinfo=UTC)
PODS = ResourceId("", "pods")
KEY = ObjectKey(PODS, "a", "x")


def new_store(**options: Any) -> Any:
    return Store(**options)


def is_seen(obj):
    return obj["seen"]


def change(before, after):
    """Return the change from a state to another; None is absence."""
    store = new_store()
    if before is not None:
        store.create(KEY, {"seen": before}, uid="u", now=NOW)
    version = store.resource_version
    if after is None:
        store.delete(KEY, now=NOW)
    elif before is None:
        store.create(KEY, {"seen": after}, uid="u", now=NOW)
    else:
        store.update(KEY, {"seen": after, "touched": True})
    return store.changes_since(PODS, None, version)[0]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (None, True, ChangeType.ADDED),
        (None, False, None),
        (True, True, ChangeType.MODIFIED),
        (True, False, ChangeType.DELETED),
        (False, True, ChangeType.ADDED),
        (False, False, None),
        (True, None, ChangeType.DELETED),
        (False, None, None),
    ],
)
def test_projection(before, after, expected):
    whole = change(before, after)
    seen = project(whole, is_seen)
    if expected is None:
        assert seen is None
        return
    assert seen is not None
    assert seen.type is expected
    assert seen.resource_version == whole.resource_version
    obj: Any = seen.obj
    assert obj["metadata"]["resourceVersion"] == str(whole.resource_version)
    assert obj["seen"] is True, "the last state that matched"
    assert (seen.previous is None) is (expected is ChangeType.ADDED)
