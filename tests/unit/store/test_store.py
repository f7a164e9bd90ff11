"""Writes, reads and watch history of the store."""

from datetime import UTC, datetime
from typing import Any

import pytest

from ferrolb.store import (
    AlreadyExistsError,
    Change,
    ChangeType,
    ConflictError,
    ExpiredError,
    NotFoundError,
    ObjectKey,
    Precondition,
    Preconditions,
    ResourceId,
    Store,
    StoreError,
)

NOW = datetime(2026, 3, 1, 12, 0, 0, 999_999, tzinfo=UTC)
LATER = datetime(2026, 3, 1, 13, 0, tzinfo=UTC)
SERVICES = ResourceId("", "services")
NAMESPACES = ResourceId("", "namespaces")


def new_store(**options: Any) -> Any:
    return Store(**options)


def key(name="web", namespace="default", resource=SERVICES):
    return ObjectKey(resource, namespace, name)


def service(**spec):
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": spec}


def create(store, name="web", *, namespace="default", finalizers=(), **spec):
    obj = service(**spec)
    if finalizers:
        obj["metadata"]["finalizers"] = list(finalizers)
    return store.create(key(name, namespace), obj, uid=f"uid-{name}", now=NOW).obj


def test_create_sets_the_metadata_of_the_server():
    store = new_store()
    sent = service(type="ClusterIP")
    sent["metadata"] |= {
        "uid": "mine",
        "resourceVersion": "77",
        "generation": 9,
        "selfLink": "/x",
        "deletionTimestamp": "2020-01-01T00:00:00Z",
        "deletionGracePeriodSeconds": 30,
        "creationTimestamp": None,
        "namespace": "elsewhere",
        "labels": {"a": "b"},
    }
    write = store.create(key(), sent, uid="u1", now=NOW)
    assert write.obj == {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": "web",
            "namespace": "default",
            "uid": "u1",
            "resourceVersion": "2",
            "generation": 1,
            "creationTimestamp": "2026-03-01T12:00:00Z",
            "labels": {"a": "b"},
        },
        "spec": {"type": "ClusterIP"},
    }
    assert store.get(key()) == write.obj
    assert sent["metadata"]["uid"] == "mine", "the caller's object is left alone"


def test_create_without_generation_and_namespace():
    store = new_store()
    name = key("ns1", "", NAMESPACES)
    obj = store.create(
        name, {"metadata": {"namespace": "x"}}, uid="u", now=NOW, has_generation=False
    ).obj
    assert obj["metadata"] == {
        "name": "ns1",
        "uid": "u",
        "resourceVersion": "2",
        "creationTimestamp": "2026-03-01T12:00:00Z",
    }


def test_create_tolerates_missing_metadata():
    assert new_store().create(key(), {}, uid="u", now=NOW).obj["metadata"]["name"] == "web"


def test_create_refuses_a_taken_name():
    store = new_store()
    create(store)
    with pytest.raises(AlreadyExistsError) as refused:
        create(store)
    assert refused.value.key == key()
    assert str(refused.value) == "services default/web already exists"
    assert store.resource_version == 2


def test_same_name_in_other_namespace_and_resource_is_another_object():
    store = new_store()
    create(store)
    create(store, namespace="other")
    store.create(key(resource=ResourceId("x.io", "things")), {}, uid="u", now=NOW)
    assert [len(store.list(r).items) for r in (SERVICES, ResourceId("x.io", "things"))] == [2, 1]


@pytest.mark.parametrize(
    ("operation", "arguments"), [("get", {}), ("update", {"obj": {}}), ("delete", {"now": NOW})]
)
def test_absent_object_is_not_found(operation, arguments):
    absent = key("gone", "", NAMESPACES)
    operate = getattr(new_store(), operation)
    with pytest.raises(NotFoundError, match=r"^namespaces gone not found$"):
        operate(absent, **arguments)


def test_returned_objects_belong_to_the_caller():
    store = new_store()
    create(store, ports=[1])
    store.get(key())["spec"]["ports"].append(2)
    store.list(SERVICES).items[0]["spec"]["ports"].append(2)
    store.changes_since(SERVICES, None, 1)[0].obj["spec"]["ports"].append(2)
    assert store.get(key())["spec"] == {"ports": [1]}


def test_update_counts_version_and_generation():
    store = new_store()
    obj = create(store, type="ClusterIP")
    obj["spec"]["type"] = "LoadBalancer"
    write = store.update(key(), obj)
    assert write.obj["metadata"]["resourceVersion"] == "3"
    assert write.obj["metadata"]["generation"] == 2
    assert write.change.type is ChangeType.MODIFIED
    assert write.change.previous["spec"] == {"type": "ClusterIP"}
    assert not write.is_removal


@pytest.mark.parametrize("changed_field", ["status", "metadata"])
def test_update_of_status_or_metadata_keeps_the_generation(changed_field):
    store = new_store()
    obj = create(store)
    if changed_field == "status":
        obj["status"] = {"loadBalancer": {}}
    else:
        obj["metadata"]["labels"] = {"a": "b"}
    metadata = store.update(key(), obj).obj["metadata"]
    assert (metadata["generation"], metadata["resourceVersion"]) == (1, "3")


@pytest.mark.parametrize(("changed", "generation"), [(True, 2), (False, 1), (None, 2)])
def test_caller_may_decide_on_the_generation(changed, generation):
    store = new_store()
    obj = create(store) | {"data": 1}
    write = store.update(key(), obj, generation_changed=changed)
    assert write.obj["metadata"]["generation"] == generation


def test_object_without_generation_never_gets_one():
    store = new_store()
    store.create(key(), service(), uid="u", now=NOW, has_generation=False)
    sent = service(type="NodePort")
    sent["metadata"]["generation"] = 7
    assert "generation" not in store.update(key(), sent).obj["metadata"]


def test_update_without_change_keeps_the_version():
    store = new_store()
    obj = create(store, ports=[{"port": 80}])
    reordered = dict(reversed(obj.items()))
    write = store.update(key(), reordered)
    assert write.change is None
    assert write.obj == obj
    assert store.resource_version == 2


def test_true_is_not_one():
    store = new_store()
    obj = create(store, flag=True)
    obj["spec"]["flag"] = 1
    assert store.update(key(), obj).change is not None


def test_update_cannot_touch_the_metadata_of_the_server():
    store = new_store()
    created = create(store)
    sent = service()
    sent["metadata"] |= {
        "name": "other",
        "namespace": "other",
        "uid": "other",
        "creationTimestamp": "1999-01-01T00:00:00Z",
        "deletionTimestamp": "1999-01-01T00:00:00Z",
        "deletionGracePeriodSeconds": 3,
        "generation": 44,
        "resourceVersion": "44",
        "selfLink": "/x",
    }
    write = store.update(key(), sent)
    assert write.change is None
    assert write.obj == created


def managed(time, manager="kubectl"):
    return [{"manager": manager, "time": time}, "odd"]


def test_new_times_of_managed_fields_alone_are_no_change():
    store = new_store()
    obj = create(store)
    obj["metadata"]["managedFields"] = managed("2026-01-01T00:00:00Z")
    first = store.update(key(), obj).obj
    again = store.get(key())
    again["metadata"]["managedFields"] = managed("2026-02-02T00:00:00Z")
    write = store.update(key(), again)
    assert write.change is None
    assert write.obj == first
    again["metadata"]["managedFields"] = managed("2026-02-02T00:00:00Z", "other")
    assert store.update(key(), again).obj["metadata"]["managedFields"][0]["manager"] == "other"
    again["metadata"]["managedFields"] = managed("2026-03-03T00:00:00Z", "other")
    again["spec"] = {"type": "NodePort"}
    kept = store.update(key(), again).obj["metadata"]["managedFields"][0]["time"]
    assert kept == "2026-03-03T00:00:00Z"


@pytest.mark.parametrize(
    ("preconditions", "precondition", "text"),
    [
        (
            Preconditions(uid="x"),
            Precondition.UID,
            "precondition failed for services default/web: "
            "UID in precondition: x, UID in object meta: uid-web",
        ),
        (
            Preconditions(uid="uid-web", resource_version="1"),
            Precondition.RESOURCE_VERSION,
            "precondition failed for services default/web: "
            "ResourceVersion in precondition: 1, ResourceVersion in object meta: 2",
        ),
    ],
)
@pytest.mark.parametrize(
    ("operation", "arguments"), [("update", {"obj": {"spec": 1}}), ("delete", {"now": NOW})]
)
def test_preconditions_are_kept(operation, arguments, preconditions, precondition, text):
    store = new_store()
    create(store)
    operate = getattr(store, operation)
    with pytest.raises(ConflictError) as refused:
        operate(key(), **arguments, preconditions=preconditions)
    assert refused.value.precondition is precondition
    assert str(refused.value) == text
    assert store.resource_version == 2
    fitting = Preconditions(uid="uid-web", resource_version="2")
    assert store.update(key(), service(x=1), preconditions=fitting).change


def test_delete_removes_and_tells_the_version_of_the_deletion():
    store = new_store()
    create(store, type="ClusterIP")
    write = store.delete(key(), now=LATER)
    assert write.is_removal
    assert write.change.type is ChangeType.DELETED
    assert write.obj["metadata"]["resourceVersion"] == "3"
    assert write.change.previous["metadata"]["resourceVersion"] == "2"
    assert "deletionTimestamp" not in write.obj["metadata"]
    assert store.list(SERVICES).items == []
    with pytest.raises(NotFoundError):
        store.get(key())


def test_finalizers_hold_a_deleted_object_until_the_last_is_gone():
    store = new_store()
    create(store, finalizers=["a", "b"])
    marked = store.delete(key(), now=LATER)
    assert not marked.is_removal
    metadata = marked.obj["metadata"]
    assert metadata["deletionTimestamp"] == "2026-03-01T13:00:00Z"
    assert metadata["deletionGracePeriodSeconds"] == 0
    assert (metadata["generation"], metadata["resourceVersion"]) == (2, "3")

    again = store.delete(key(), now=datetime(2030, 1, 1, tzinfo=UTC))
    assert again.change is None
    assert again.obj == marked.obj

    obj = store.get(key())
    obj["metadata"]["finalizers"] = ["b"]
    assert not store.update(key(), obj).is_removal
    del obj["metadata"]["finalizers"]
    gone = store.update(key(), obj)
    assert gone.is_removal
    assert "finalizers" not in gone.obj["metadata"]
    assert gone.change.obj["metadata"]["finalizers"] == ["b"]
    assert gone.change.obj["metadata"]["resourceVersion"] == "5"
    with pytest.raises(NotFoundError):
        store.get(key())


def test_deletion_of_an_object_without_generation():
    store = new_store()
    obj = service()
    obj["metadata"]["finalizers"] = ["a"]
    store.create(key(), obj, uid="u", now=NOW, has_generation=False)
    assert "generation" not in store.delete(key(), now=NOW).obj["metadata"]


def test_removing_finalizers_of_an_object_not_deleted_keeps_it():
    store = new_store()
    obj = create(store, finalizers=["a"])
    del obj["metadata"]["finalizers"]
    assert not store.update(key(), obj).is_removal
    assert store.get(key())


@pytest.mark.parametrize("status", [None, {"phase": "Active", "conditions": []}])
def test_namespace_is_held_by_its_spec_and_says_terminating(status):
    store = new_store()
    name = key("ns1", "", NAMESPACES)
    obj = {"spec": {"finalizers": ["kubernetes"]}}
    if status:
        obj["status"] = status
    store.create(name, obj, uid="u", now=NOW, has_generation=False)
    marked = store.delete(name, now=NOW)
    assert not marked.is_removal
    assert marked.obj["status"]["phase"] == "Terminating"
    assert set(marked.obj["status"]) == {"phase", *(status or {})}
    assert store.update(name, marked.obj | {"spec": {"finalizers": []}}).is_removal


def test_namespace_without_finalizers_goes_at_once():
    store = new_store()
    name = key("ns1", "", NAMESPACES)
    store.create(name, {}, uid="u", now=NOW)
    assert store.delete(name, now=NOW).is_removal


def test_spec_finalizers_mean_nothing_elsewhere():
    store = new_store()
    create(store, finalizers=[], type="ClusterIP")
    obj = store.get(key())
    obj["spec"] = {"finalizers": ["kubernetes"]}
    store.update(key(), obj)
    assert store.delete(key(), now=NOW).is_removal


def test_dry_run_answers_and_changes_nothing():
    store = new_store()
    dry = store.create(key(), service(), uid="u", now=NOW, dry_run=True)
    assert dry.change is None
    assert dry.obj["metadata"]["uid"] == "u"
    assert "resourceVersion" not in dry.obj["metadata"]
    create(store, finalizers=["a"])
    assert store.update(key(), service(x=1), dry_run=True).obj["spec"] == {"x": 1}
    assert "deletionTimestamp" in store.delete(key(), now=NOW, dry_run=True).obj["metadata"]
    create(store, "plain")
    assert not store.delete(key("plain"), now=NOW, dry_run=True).is_removal
    assert store.resource_version == 3
    assert "spec" in store.get(key())


def test_latest_is_the_resources_own():
    store = new_store()
    create(store)
    store.create(key(resource=NAMESPACES), {}, uid="u", now=NOW)
    assert (store.latest(SERVICES), store.latest(NAMESPACES), store.resource_version) == (2, 3, 3)


def kinds(changes):
    return [(c.type.value, c.key.name, c.resource_version) for c in changes]


def test_changes_since_a_version():
    store = new_store()
    obj = create(store, "a")
    create(store, "b", namespace="other")
    store.update(key("a"), obj | {"status": {}})
    store.delete(key("a"), now=NOW)
    everything = [("ADDED", "a", 2), ("ADDED", "b", 3), ("MODIFIED", "a", 4), ("DELETED", "a", 5)]
    assert kinds(store.changes_since(SERVICES, None, 1)) == everything
    assert kinds(store.changes_since(SERVICES, None, 3)) == everything[2:]
    assert kinds(store.changes_since(SERVICES, "other", 1)) == everything[1:2]
    assert kinds(store.changes_since(SERVICES, None, 5)) == []
    assert kinds(store.changes_since(NAMESPACES, None, 1)) == []
    first = store.changes_since(SERVICES, None, 1)[0]
    assert first.previous is None
    assert first.obj == obj


@pytest.mark.parametrize("version", [0, 3])
def test_version_of_another_life_is_expired(version):
    store = new_store()
    create(store)
    with pytest.raises(ExpiredError, match=rf"^too old resource version: {version} \(1\)$"):
        store.changes_since(SERVICES, None, version)


def test_compaction_forgets_and_keeps_the_rest():
    store = new_store()
    for name in "abc":
        create(store, name)
    store.compact(3)
    assert kinds(store.changes_since(SERVICES, None, 3)) == [("ADDED", "c", 4)]
    with pytest.raises(ExpiredError):
        store.changes_since(SERVICES, None, 2)
    with pytest.raises(ExpiredError):
        store.changes_since(NAMESPACES, None, 2)
    store.compact(2)
    store.compact(99)
    assert store.latest(SERVICES) == 4
    assert kinds(store.changes_since(SERVICES, None, 4)) == []
    with pytest.raises(ExpiredError):
        store.changes_since(SERVICES, None, 3)


def test_history_is_bounded_by_count():
    store = new_store(history_limit=16)
    for number in range(100):
        create(store, f"n{number}")
    kept = [version for version in range(1, 102) if is_reachable(store, version)]
    assert kept[-1] == 101
    assert 16 <= len(kept) - 1 <= 18


def test_history_is_bounded_by_bytes():
    store = new_store(history_bytes_limit=10_000)
    for number in range(50):
        create(store, f"n{number}", data="x" * 1_000)
    assert 5 <= sum(is_reachable(store, version) for version in range(1, 52)) <= 9
    create(store, "huge", data="x" * 20_000)
    assert kinds(store.changes_since(SERVICES, None, 51)) == [("ADDED", "huge", 52)]
    create(store, "small")
    assert is_reachable(store, 52)


def is_reachable(store, version):
    try:
        changes = store.changes_since(SERVICES, None, version)
    except ExpiredError:
        return False
    assert [c.resource_version for c in changes] == [
        *range(version + 1, store.latest(SERVICES) + 1)
    ]
    return True


def test_snapshot_restores_objects_and_version():
    store = new_store()
    for name in "ba":
        create(store, name)
    store.create(key("ns", "", NAMESPACES), {}, uid="u", now=NOW)
    store.delete(key("a"), now=NOW)
    snapshot = store.snapshot()
    create(store, "later")
    restored = new_store()
    restored.restore(snapshot)
    assert restored.snapshot() == snapshot
    assert [o["metadata"]["name"] for o in restored.list(SERVICES).items] == ["b"]
    assert restored.resource_version == 5
    assert create(restored, "z")["metadata"]["resourceVersion"] == "6"
    with pytest.raises(ExpiredError):
        restored.changes_since(SERVICES, None, 4)
    with pytest.raises(StoreError, match="not empty"):
        restored.restore(snapshot)


def test_replay_repeats_what_another_store_did():
    store = new_store()
    start = store.snapshot()
    obj = create(store, "a")
    create(store, "b")
    store.update(key("a"), obj | {"status": {}})
    store.delete(key("b"), now=NOW)
    changes = store.changes_since(SERVICES, None, 1)
    copy = new_store()
    copy.restore(start)
    copy.replay(without_previous(change) for change in changes)
    assert copy.snapshot() == store.snapshot()
    assert copy.changes_since(SERVICES, None, 1) == changes


def without_previous(change):
    return Change(
        type=change.type,
        key=change.key,
        resource_version=change.resource_version,
        encoded=change.encoded,
        encoded_previous=None,
    )


@pytest.mark.parametrize(
    ("kind", "name", "version"),
    [
        (ChangeType.ADDED, "web", 9),
        (ChangeType.MODIFIED, "absent", 9),
        (ChangeType.DELETED, "absent", 9),
        (ChangeType.MODIFIED, "web", 2),
    ],
)
def test_replay_refuses_what_does_not_fit(kind, name, version):
    store = new_store()
    create(store)
    change = Change(
        type=kind,
        key=key(name),
        resource_version=version,
        encoded=b"{}",
        encoded_previous=None,
    )
    with pytest.raises(StoreError, match="does not fit the state at 2"):
        store.replay([change])
    assert store.resource_version == 2


def test_skipping_versions_makes_older_ones_expire():
    store = new_store()
    create(store)
    store.skip_to(1_000)
    store.skip_to(5)
    with pytest.raises(ExpiredError):
        store.changes_since(SERVICES, None, 2)
    assert kinds(store.changes_since(SERVICES, None, 1_000)) == []
    assert create(store, "next")["metadata"]["resourceVersion"] == "1001"
    assert kinds(store.changes_since(SERVICES, None, 1_000)) == [("ADDED", "next", 1001)]
