"""What becomes of objects whose owners go; the cases of the API are in the contract suite."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, cast

import pytest

from ferrolb.devserver.garbage import GarbageCollector
from ferrolb.devserver.lifetimes import Policy, deletion_finalizers, without_repeated_owners
from ferrolb.devserver.options import DevServerOptions
from ferrolb.devserver.server import make_cluster
from ferrolb.store import ObjectKey, ResourceId

if TYPE_CHECKING:
    from ferrolb.model import JsonObject

MAPS = ResourceId("", "configmaps")
EVENTS = ResourceId("", "events")
STEPS = 1000
"""Turns of the loop that a collector is given: far more than any case takes."""

Step = Callable[["World"], Awaitable[None]]


def key(name: str, resource: ResourceId = MAPS) -> ObjectKey:
    return ObjectKey(resource, "default", name)


class World:
    """A cluster without its HTTP server."""

    def __init__(self) -> None:
        self.cluster = make_cluster(DevServerOptions(), "token")
        self.collector = GarbageCollector(self.cluster)
        self.cluster.watch_all(self.collector.saw)

    async def make(
        self, name: str, *owners: str, resource: ResourceId = MAPS, **metadata: Any
    ) -> None:
        references = [
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "name": owner,
                "uid": f"uid-{owner}",
                "blockOwnerDeletion": True,
            }
            for owner in owners
        ]
        obj = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": name, "ownerReferences": references, **metadata},
        }
        write = self.cluster.store.create(
            key(name, resource), cast("Any", obj), uid=f"uid-{name}", now=self.cluster.now()
        )
        await self.cluster.committed(write.change)

    async def delete(self, name: str, policy: Policy | None = None) -> None:
        write = self.cluster.store.delete(
            key(name),
            now=self.cluster.now(),
            finalizers=lambda given: deletion_finalizers(policy, given),
        )
        await self.cluster.committed(write.change)

    async def release(self, name: str) -> None:
        obj = cast("Any", self.cluster.store.get(key(name)))
        obj["metadata"]["finalizers"] = []
        write = self.cluster.store.update(key(name), obj)
        await self.cluster.committed(write.change)

    async def settle(self) -> None:
        """Let the collector do all there is to do."""
        for _ in range(STEPS):
            await asyncio.sleep(0)

    def names(self) -> list[str]:
        return [cast("Any", obj)["metadata"]["name"] for obj in self.cluster.store.list(MAPS).items]

    def get(self, name: str) -> Any:
        return self.cluster.store.get(key(name))


def run(steps: Step, world: World | None = None) -> World:
    there = world or World()

    async def main() -> None:
        task = asyncio.create_task(there.collector.run())
        try:
            await steps(there)
            await there.settle()
        finally:
            task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    return there


def test_a_cascade_ends_all_that_hang_on_it():
    async def steps(world: World) -> None:
        await world.make("a")
        await world.make("b", "a")
        await world.make("c", "b")
        await world.make("d")
        await world.delete("a")

    assert run(steps).names() == ["d"]


def test_what_was_stored_before_the_start_is_taken_up():
    world = World()
    world.cluster.watch_all(lambda _change: None)

    async def before() -> None:
        await world.make("a")
        await world.make("b", "a")
        await world.make("lost", "never")
        await world.make("going")
        await world.make("held", "going")
        await world.delete("going", Policy.ORPHAN)

    asyncio.run(before())
    world.cluster.watch_all(world.collector.saw)
    world.collector.start()

    async def steps(there: World) -> None:
        await there.settle()

    run(steps, world)
    assert world.names() == ["a", "b", "held"]
    assert "ownerReferences" not in world.get("held")["metadata"]


def test_an_owner_waits_until_the_last_that_blocks_it():
    async def steps(world: World) -> None:
        await world.make("a")
        for name in ("b", "c"):
            await world.make(name, "a", finalizers=["example.com/hold"])
        await world.delete("a", Policy.FOREGROUND)
        await world.settle()
        assert world.names() == ["a", "b", "c"]
        await world.release("b")
        await world.settle()
        assert world.names() == ["a", "c"]
        await world.release("c")

    assert run(steps).names() == []


def test_dependents_of_a_waiting_owner_wait_for_theirs():
    async def steps(world: World) -> None:
        await world.make("a")
        await world.make("b", "a")
        await world.make("c", "b", finalizers=["example.com/hold"])
        await world.delete("a", Policy.FOREGROUND)
        await world.settle()
        assert world.get("b")["metadata"]["finalizers"] == ["foregroundDeletion"]
        await world.release("c")

    assert run(steps).names() == []


def test_a_dependent_with_orphans_orphans_them():
    async def steps(world: World) -> None:
        await world.make("a")
        await world.make("b", "a", finalizers=["orphan"])
        await world.make("c", "b")
        await world.delete("a")

    world = run(steps)
    assert world.names() == ["c"]


def test_an_object_that_changes_owners_is_the_new_owners():
    async def steps(world: World) -> None:
        await world.make("a")
        await world.make("b")
        await world.make("c", "a")
        obj = world.get("c")
        obj["metadata"]["ownerReferences"][0] |= {"name": "b", "uid": "uid-b"}
        write = world.cluster.store.update(key("c"), obj)
        await world.cluster.committed(write.change)
        await world.delete("a")
        await world.settle()
        assert world.names() == ["b", "c"]
        await world.delete("b")

    assert run(steps).names() == []


def test_events_belong_to_nobody():
    async def steps(world: World) -> None:
        await world.make("e", "never", resource=EVENTS)

    world = run(steps)
    assert world.cluster.store.get(key("e", EVENTS))


def test_nothing_is_remembered_of_what_is_gone():
    async def steps(world: World) -> None:
        await world.make("a")
        await world.make("b", "a", finalizers=["example.com/hold"])
        await world.delete("a", Policy.FOREGROUND)
        await world.settle()
        await world.release("b")

    collector = run(steps).collector
    kept = (collector._owners, collector._dependents, collector._holding, collector._suspects)
    assert not any(kept)


def test_a_second_deletion_may_change_what_becomes_of_dependents():
    async def steps(world: World) -> None:
        await world.make("a", finalizers=["example.com/hold"])
        await world.delete("a")
        await world.delete("a", Policy.ORPHAN)
        assert world.get("a")["metadata"]["finalizers"] == ["example.com/hold", "orphan"]

    world = run(steps)
    assert world.get("a")["metadata"]["finalizers"] == ["example.com/hold"]


def test_owners_that_differ_are_all_kept():
    first: JsonObject = {"uid": "1", "name": "a"}
    other: JsonObject = {"uid": "1", "name": "b"}
    kept, warnings = without_repeated_owners({"ownerReferences": [first, other, first]})
    assert kept == {"ownerReferences": [first, other]}
    assert len(warnings) == 1
    assert without_repeated_owners({"ownerReferences": [first, other]})[1] == []
