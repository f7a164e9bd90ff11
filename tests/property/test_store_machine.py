"""The store against a model that keeps every state it ever had."""

from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    precondition,
    rule,
)

from ferrolb.store import (
    AlreadyExistsError,
    ChangeType,
    ConflictError,
    ExpiredError,
    NotFoundError,
    ObjectKey,
    Preconditions,
    ResourceId,
    Store,
    project,
)

NOW = datetime(2026, 3, 1, tzinfo=UTC)
PODS = ResourceId("", "pods")
NODES = ResourceId("", "nodes")
HISTORY = 16

PLACES = st.tuples(st.sampled_from(["a", "a-b", "b"]), st.sampled_from(["x", "y", "z"]))
VALUES = st.integers(0, 3)

State = dict[tuple[str, str], Any]


def is_even(obj: Any) -> bool:
    return bool(obj["spec"]["value"] % 2 == 0)


class Watcher:
    """What a client knows that lists once and then follows the changes."""

    def __init__(self, version: int, state: State) -> None:
        self.version = version
        self.state = state


class StoreMachine(RuleBasedStateMachine):
    """`states[v]` is what all pods were at version v; `Store` has to agree wherever it answers."""

    def __init__(self) -> None:
        super().__init__()
        self.store = Store(history_limit=HISTORY)
        self.states: dict[int, State] = {1: {}}
        self.kinds: dict[int, str] = {}
        self.floor = 1
        self.uids = 0

    watchers: Bundle[Watcher] = Bundle("watchers")
    even_watchers: Bundle[Watcher] = Bundle("even_watchers")
    lists: Bundle[Any] = Bundle("lists")

    @property
    def state(self) -> State:
        return self.states[max(self.states)]

    def record(self, write: Any, place: tuple[str, str]) -> None:
        """Take over what the store says of one write, checking that it is one step."""
        state = dict(self.state)
        if write.change is None:
            assert self.store.resource_version == max(self.states)
            return
        version = write.change.resource_version
        assert version == self.store.resource_version == max(self.states) + 1
        assert write.change.obj["metadata"]["resourceVersion"] == str(version)
        assert write.change.previous == state.get(place)
        if write.is_removal:
            del state[place]
        else:
            state[place] = write.change.obj
        self.states[version] = state
        self.kinds[version] = write.change.type

    @rule(place=PLACES, value=VALUES, is_held=st.booleans())
    def create(self, place: tuple[str, str], value: int, is_held: bool) -> None:
        self.uids += 1
        metadata = {"finalizers": ["x/y"]} if is_held else {}
        obj: Any = {"spec": {"value": value}, "metadata": metadata}
        key = ObjectKey(PODS, *place)
        if place in self.state:
            with pytest.raises(AlreadyExistsError):
                self.store.create(key, obj, uid="u", now=NOW)
            return
        write = self.store.create(key, obj, uid=str(self.uids), now=NOW)
        self.record(write, place)
        assert self.kinds[max(self.states)] is ChangeType.ADDED

    @rule(place=PLACES, value=VALUES, drops=st.booleans(), is_stale=st.booleans())
    def update(self, place: tuple[str, str], value: int, drops: bool, is_stale: bool) -> None:
        key = ObjectKey(PODS, *place)
        if place not in self.state:
            with pytest.raises(NotFoundError):
                self.store.update(key, {})
            return
        old = self.state[place]
        obj = deepcopy(old)
        obj["spec"]["value"] = value
        if drops:
            obj["metadata"].pop("finalizers", None)
        if is_stale:
            preconditions = Preconditions(resource_version="0")
            with pytest.raises(ConflictError):
                self.store.update(key, obj, preconditions=preconditions)
            return
        write = self.store.update(key, obj)
        is_changed = obj != old
        is_over = "deletionTimestamp" in old["metadata"] and drops
        assert (write.change is not None) is is_changed
        assert write.is_removal is (is_over and is_changed)
        self.record(write, place)

    @rule(place=PLACES)
    def delete(self, place: tuple[str, str]) -> None:
        key = ObjectKey(PODS, *place)
        if place not in self.state:
            with pytest.raises(NotFoundError):
                self.store.delete(key, now=NOW)
            return
        metadata = self.state[place]["metadata"]
        write = self.store.delete(key, now=NOW)
        assert write.is_removal is ("finalizers" not in metadata)
        assert (write.change is None) is (
            "finalizers" in metadata and "deletionTimestamp" in metadata
        )
        self.record(write, place)

    @rule(name=st.sampled_from("xyz"))
    def touch_another_resource(self, name: str) -> None:
        key = ObjectKey(NODES, "", name)
        try:
            self.store.delete(key, now=NOW)
        except NotFoundError:
            self.store.create(key, {}, uid="n", now=NOW)
        self.states[self.store.resource_version] = self.state

    @precondition(lambda self: len(self.states) > 1)
    @rule(back=st.integers(0, HISTORY * 2))
    def compact(self, back: int) -> None:
        self.floor = max(self.floor, self.store.resource_version - back)
        self.store.compact(self.store.resource_version - back)

    @rule()
    def restart(self) -> None:
        snapshot = self.store.snapshot()
        self.store = Store(history_limit=HISTORY)
        self.store.restore(snapshot)
        self.floor = snapshot.resource_version

    def is_answerable(self, version: int) -> bool | None:
        """Whether the store must answer for that version; None when it may or may not."""
        if version < self.floor:
            return False
        later = [v for v in self.kinds if v > version]
        return True if len(later) <= HISTORY else None

    @rule(back=st.integers(0, HISTORY * 2))
    def look_back(self, back: int) -> None:
        version = self.store.resource_version - back
        try:
            items = list(self.store.list(PODS, at=version).items)
            changes = self.store.changes_since(PODS, None, version)
        except ExpiredError:
            assert self.is_answerable(version) is not True
            return
        assert self.is_answerable(version) is not False
        assert items == [obj for _, obj in sorted(self.states[version].items())]
        assert [c.resource_version for c in changes] == [v for v in self.kinds if v > version]

    @rule(target=watchers)
    def start_watching(self) -> Watcher:
        page = self.store.list(PODS)
        return Watcher(page.resource_version, keyed(page.items))

    @rule(target=even_watchers)
    def start_watching_even(self) -> Watcher:
        page = self.store.list(PODS, matches=is_even)
        return Watcher(page.resource_version, keyed(page.items))

    @rule(watcher=watchers)
    def follow(self, watcher: Watcher) -> None:
        try:
            changes = self.store.changes_since(PODS, None, watcher.version)
        except ExpiredError:
            assert self.is_answerable(watcher.version) is not True
            watcher.version, watcher.state = self.store.resource_version, dict(self.state)
            return
        assert self.is_answerable(watcher.version) is not False
        for change in changes:
            apply(watcher.state, change)
            assert watcher.state == self.states[change.resource_version]
        watcher.version = self.store.resource_version
        assert watcher.state == self.state

    @rule(watcher=even_watchers)
    def follow_even(self, watcher: Watcher) -> None:
        even = {place: obj for place, obj in self.state.items() if is_even(obj)}
        try:
            changes = self.store.changes_since(PODS, None, watcher.version)
        except ExpiredError:
            changes = ()
            watcher.state = dict(even)
        for change in changes:
            seen = project(change, is_even)
            if seen is not None:
                apply(watcher.state, seen)
        watcher.version = self.store.resource_version
        assert watcher.state == even

    @rule(target=lists, namespace=st.sampled_from([None, "a", "b"]), limit=st.integers(1, 4))
    def start_list(self, namespace: str | None, limit: int) -> Any:
        page = self.store.list(PODS, namespace, limit=limit)
        return (namespace, page.resource_version, list(page.items), page.continue_token)

    @rule(target=lists, started=consumes(lists), limit=st.integers(1, 4))
    def continue_list(self, started: Any, limit: int) -> Any:
        namespace, version, items, token = started
        expected = [
            obj
            for place, obj in sorted(self.states[version].items())
            if namespace in (None, place[0])
        ]
        if token is None:
            assert items == expected
            return started
        try:
            page = self.store.list(PODS, namespace, limit=limit, continue_token=token)
        except ExpiredError:
            assert self.is_answerable(version) is not True
            return self.start_list(namespace, limit)
        assert page.resource_version == version
        items = [*items, *page.items]
        assert items == expected[: len(items)]
        assert (page.remaining or 0) == len(expected) - len(items)
        return (namespace, version, items, page.continue_token)

    @invariant()
    def present_state_is_the_models(self) -> None:
        page = self.store.list(PODS)
        assert list(page.items) == [obj for _, obj in sorted(self.state.items())]
        assert page.resource_version == max(self.states)
        assert self.store.latest(PODS) >= max(self.kinds, default=1)


def apply(state: State, change: Any) -> None:
    place = (change.key.namespace, change.key.name)
    if change.type is ChangeType.DELETED:
        assert place in state
        del state[place]
    else:
        assert (place in state) is (change.type is ChangeType.MODIFIED)
        state[place] = change.obj


def keyed(items: Any) -> State:
    return {(o["metadata"]["namespace"], o["metadata"]["name"]): o for o in items}


StoreMachine.TestCase.settings = settings(
    max_examples=60, stateful_step_count=60, deadline=None, derandomize=True
)
TestStoreMachine = StoreMachine.TestCase
