"""Deleting: answers, preconditions, finalizers, collections; owners and their dependents."""

from typing import Any

import pytest
from tests.api_server import ApiServer
from tests.contract.reading import assert_status
from tests.contract.waiting import wait_for
from tests.contract.writing import (
    HOLD,
    POOL,
    Objects,
    assert_conflict,
    causes,
    config_maps,
    fields_by_manager,
    pools,
    version_of,
)
from tests.fakes.devserver import Kubectl

LATE = "example.com/late"
OTHER_UID = "11111111-1111-1111-1111-111111111111"


@pytest.fixture(scope="module")
def space(api: ApiServer) -> str:
    return api.new_namespace()


@pytest.fixture(scope="module")
def maps(api: ApiServer, space: str) -> Objects:
    return config_maps(api, space)


@pytest.fixture
def name(api: ApiServer) -> str:
    return api.new_name("d")


def reference(owner: Any, **more: Any) -> dict[str, Any]:
    """Return a reference to an owner."""
    metadata = owner["metadata"]
    identity = {"apiVersion": owner["apiVersion"], "kind": owner["kind"]}
    return {**identity, "name": metadata["name"], "uid": metadata["uid"], **more}


def dependent(objects: Objects, name: str, *owners: Any, **metadata: Any) -> Any:
    """Make an object that has owners."""
    return objects.made(name, metadata={"ownerReferences": [*owners], **metadata})


def is_deleted(objects: Objects, name: str) -> bool:
    return "deletionTimestamp" in objects.get(name)["metadata"]


# --- answers


def test_a_deletion_answers_with_a_status(maps: Objects, name: str) -> None:
    uid = maps.made(name)["metadata"]["uid"]
    answer = maps.delete(name)
    assert (answer.status_code, answer.json()) == (
        200,
        {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Success",
            "details": {"name": name, "kind": "configmaps", "uid": uid},
        },
    )
    assert_status(maps.delete(name), 404, "NotFound")


@pytest.mark.parametrize(
    ("plural", "members"),
    [("services", {"spec": {"ports": [{"port": 80}]}}), ("serviceaccounts", {})],
)
def test_some_deletions_answer_with_the_object(
    api: ApiServer, space: str, name: str, plural: str, members: Any
) -> None:
    objects = Objects(api, f"/api/v1/namespaces/{space}/{plural}")
    made = objects.made(name, **members)
    answer = objects.delete(name)
    assert answer.json()["metadata"]["uid"] == made["metadata"]["uid"]
    assert objects.is_gone(name)


def test_a_deletion_of_a_custom_resource_names_its_group(
    api: ApiServer, space: str, name: str
) -> None:
    objects = pools(api, space)
    uid = objects.made(name, **POOL)["metadata"]["uid"]
    details = {"name": name, "group": "metallb.io", "kind": "ipaddresspools", "uid": uid}
    assert objects.delete(name).json()["details"] == details


# --- options


@pytest.mark.parametrize(
    "kind",
    [{"apiVersion": "v1"}, {"apiVersion": "meta.k8s.io/v1"}, {}],
    ids=["core", "meta", "unsaid"],
)
def test_options_are_of_a_known_version(maps: Objects, name: str, kind: Any) -> None:
    maps.made(name)
    options = {**kind, "kind": "DeleteOptions"} if kind else {}
    assert maps.delete(name, propagationPolicy="Background", **options).status_code == 200


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (
            {"propagationPolicy": "Later"},
            (
                "propagationPolicy",
                "FieldValueNotSupported",
                'Unsupported value: "Later": supported values: "Foreground", "Background", '
                '"Orphan", "nil"',
            ),
        ),
        (
            {"propagationPolicy": "Orphan", "orphanDependents": True},
            (
                "propagationPolicy",
                "FieldValueInvalid",
                'Invalid value: "Orphan": orphanDependents and deletionPropagation cannot be both '
                "set",
            ),
        ),
        (
            {"dryRun": ["Some"]},
            (
                "dryRun",
                "FieldValueNotSupported",
                'Unsupported value: ["Some"]: supported values: "All"',
            ),
        ),
    ],
    ids=["policy", "both", "dry_run"],
)
def test_options_are_checked(maps: Objects, name: str, options: Any, expected: Any) -> None:
    maps.made(name)
    answer = maps.delete(name, **options)
    status = assert_status(answer, 422, "Invalid")
    assert causes(answer) == {expected}
    assert status["details"]["kind"] == "DeleteOptions"
    assert not maps.is_gone(name)


def test_options_are_delete_options(maps: Objects, name: str) -> None:
    maps.made(name)
    answer = maps.delete(name, kind="Other", apiVersion="v1")
    assert answer.status_code == 500
    assert answer.json()["message"].startswith('no kind "Other" is registered for version "v1"')


def test_a_deletion_of_another_uid_conflicts(maps: Objects, name: str) -> None:
    uid = maps.made(name)["metadata"]["uid"]
    answer = maps.delete(name, preconditions={"uid": OTHER_UID})
    why = (
        f"the UID in the precondition ({OTHER_UID}) does not match the UID in record ({uid}). The "
        "object might have been deleted and then recreated"
    )
    assert_conflict(answer, "ConfigMap", name, why)
    assert maps.delete(name, preconditions={"uid": uid}).status_code == 200


def test_a_deletion_of_another_version_conflicts(maps: Objects, name: str) -> None:
    made = maps.made(name)
    current = version_of(maps.merged(name, {"data": {"a": "b"}}))
    answer = maps.delete(name, preconditions={"resourceVersion": version_of(made)})
    why = (
        f"the ResourceVersion in the precondition ({version_of(made)}) does not match the "
        f"ResourceVersion in record ({current}). The object might have been modified"
    )
    assert_conflict(answer, "ConfigMap", name, why)
    assert maps.delete(name, preconditions={"resourceVersion": current}).status_code == 200


def test_a_grace_period_is_for_pods(maps: Objects, name: str) -> None:
    maps.made(name)
    assert maps.delete(name, gracePeriodSeconds=30).json()["status"] == "Success"
    assert maps.is_gone(name)


# --- finalizers


@pytest.fixture
def held(maps: Objects, name: str) -> str:
    """A deleted config map that a finalizer holds."""
    maps.made(name, data={"a": "1"}, metadata={"finalizers": [HOLD]})
    answer = maps.delete(name)
    assert answer.status_code == 200
    metadata = answer.json()["metadata"]
    assert (metadata["deletionGracePeriodSeconds"], metadata["finalizers"]) == (0, [HOLD])
    return name


def test_an_object_stays_until_its_last_finalizer_goes(maps: Objects, held: str) -> None:
    assert is_deleted(maps, held)
    last = maps.merged(held, {"metadata": {"finalizers": None}})
    assert "finalizers" not in last["metadata"]
    assert "deletionTimestamp" in last["metadata"]
    assert maps.is_gone(held)


def test_a_second_deletion_changes_nothing(maps: Objects, held: str) -> None:
    before = maps.get(held)
    assert maps.delete(held).json() == before
    assert maps.delete(held, gracePeriodSeconds=0).json() == before
    maps.release(held)


def test_what_is_deleted_may_be_changed(maps: Objects, held: str) -> None:
    assert maps.merged(held, {"data": {"a": "2"}})["data"] == {"a": "2"}
    maps.release(held)


@pytest.mark.parametrize("finalizers", [[HOLD, LATE], [LATE]], ids=["beside", "instead"])
def test_no_finalizer_comes_too_late(maps: Objects, held: str, finalizers: list[str]) -> None:
    answer = maps.merge(held, {"metadata": {"finalizers": finalizers}})
    assert_status(answer, 422, "Invalid")
    message = (
        "Forbidden: no new finalizers can be added if the object is being deleted, found new "
        f'finalizers []string{{"{LATE}"}}'
    )
    assert causes(answer) == {("metadata.finalizers", "FieldValueForbidden", message)}
    maps.release(held)


def test_nothing_is_undeleted(maps: Objects, held: str) -> None:
    maps.merged(held, {"metadata": {"deletionTimestamp": None}})
    assert is_deleted(maps, held)
    maps.release(held)


def test_a_name_is_taken_until_the_end(maps: Objects, held: str) -> None:
    status = assert_status(maps.post({"metadata": {"name": held}}), 409, "AlreadyExists")
    assert status["message"] == f'object is being deleted: configmaps "{held}" already exists'
    maps.release(held)
    maps.made(held)


def test_a_deletion_counts_as_a_change_of_the_spec(api: ApiServer, space: str, name: str) -> None:
    objects = pools(api, space)
    objects.made(name, metadata={"finalizers": [HOLD]}, **POOL)
    assert objects.delete(name).json()["metadata"]["generation"] == 2
    assert objects.merged(name, {"spec": {"autoAssign": False}})["metadata"]["generation"] == 3
    objects.release(name)
    assert objects.is_gone(name)


def test_a_foreign_finalizer_is_warned_about(api: ApiServer, space: str, name: str) -> None:
    answer = pools(api, space).post(
        {"metadata": {"name": name, "finalizers": ["hold"]}, **POOL}, dryRun="All"
    )
    assert answer.headers["warning"] == (
        '299 - "metadata.finalizers: \\"hold\\": prefer a domain-qualified finalizer name to avoid '
        'accidental conflicts with other finalizer writers"'
    )


# --- collections


def test_a_collection_is_deleted_by_labels(maps: Objects, name: str) -> None:
    for mark, label in (("a", "x"), ("b", "y"), ("c", "x")):
        maps.made(f"{name}-{mark}", metadata={"labels": {name: label}})
    answer = maps.api.http.delete(maps.path, params={"labelSelector": f"{name}=x"})
    listed = answer.json()
    assert listed["kind"] == "ConfigMapList"
    assert [item["metadata"]["name"] for item in listed["items"]] == [f"{name}-a", f"{name}-c"]
    assert maps.is_gone(f"{name}-a")
    assert not maps.is_gone(f"{name}-b")


def test_the_deletion_of_a_collection_may_be_tried(maps: Objects, name: str) -> None:
    maps.made(name, metadata={"labels": {name: "x"}})
    query = {"labelSelector": name, "dryRun": "All"}
    assert len(maps.api.http.delete(maps.path, params=query).json()["items"]) == 1
    assert not maps.is_gone(name)


def test_a_collection_of_all_namespaces_is_not_deleted(api: ApiServer) -> None:
    assert_status(api.http.delete("/api/v1/configmaps"), 405, "MethodNotAllowed")
    assert api.http.delete("/apis/metallb.io/v1beta1/ipaddresspools").status_code == 404


# --- owners


def test_dependents_go_after_their_owner(maps: Objects, name: str) -> None:
    owner = maps.made(name)
    dependent(maps, f"{name}-x", reference(owner))
    assert maps.delete(name).json()["status"] == "Success"
    maps.wait_gone(f"{name}-x")


def test_dependents_of_dependents_go_too(maps: Objects, name: str) -> None:
    first = maps.made(name)
    second = dependent(maps, f"{name}-x", reference(first))
    dependent(maps, f"{name}-y", reference(second))
    maps.delete(name, propagationPolicy="Background")
    maps.wait_gone(f"{name}-x")
    maps.wait_gone(f"{name}-y")


def test_a_dependent_stays_with_its_last_owner(maps: Objects, name: str) -> None:
    one, two = maps.made(f"{name}-1"), maps.made(f"{name}-2")
    dependent(maps, name, reference(one), reference(two))
    maps.delete(f"{name}-1")
    wait_for(lambda: len(maps.get(name)["metadata"]["ownerReferences"]) == 1)
    (left,) = maps.get(name)["metadata"]["ownerReferences"]
    assert left == reference(two)
    maps.delete(f"{name}-2")
    maps.wait_gone(name)


@pytest.mark.parametrize(
    "options",
    [{"propagationPolicy": "Orphan"}, {"orphanDependents": True}],
    ids=["policy", "older_word"],
)
def test_orphans_forget_their_owner(maps: Objects, name: str, options: Any) -> None:
    owner = maps.made(name)
    dependent(maps, f"{name}-x", reference(owner))
    answer = maps.delete(name, **options)
    assert answer.json()["metadata"]["finalizers"] == ["orphan"]
    maps.wait_gone(name)
    left = maps.get(f"{name}-x")
    assert "ownerReferences" not in left["metadata"]
    assert fields_by_manager(left) == {}


def test_an_owner_waits_for_dependents_that_block_it(maps: Objects, name: str) -> None:
    owner = maps.made(name)
    block = reference(owner, blockOwnerDeletion=True)
    dependent(maps, f"{name}-x", block, finalizers=[HOLD])
    dependent(maps, f"{name}-y", reference(owner), finalizers=[HOLD])
    answer = maps.delete(name, propagationPolicy="Foreground")
    assert answer.json()["metadata"]["finalizers"] == ["foregroundDeletion"]
    wait_for(lambda: is_deleted(maps, f"{name}-x"))
    assert is_deleted(maps, name)
    maps.release(f"{name}-x")
    maps.wait_gone(name)
    wait_for(lambda: is_deleted(maps, f"{name}-y"))
    maps.release(f"{name}-y")


@pytest.mark.parametrize("policy", ["Foreground", "Orphan"])
def test_an_owner_without_dependents_goes(maps: Objects, name: str, policy: str) -> None:
    maps.made(name)
    maps.api.http.delete(f"{maps.path}/{name}", params={"propagationPolicy": policy})
    maps.wait_gone(name)


@pytest.mark.parametrize("is_there", [False, True], ids=["no_such_name", "another_of_that_name"])
def test_a_dependent_of_a_missing_owner_goes(maps: Objects, name: str, is_there: bool) -> None:
    owner: Any = maps.body(name, {})
    if is_there:
        maps.made(name)
    owner["metadata"]["uid"] = OTHER_UID
    dependent(maps, f"{name}-x", reference(owner))
    maps.wait_gone(f"{name}-x")


def test_an_owner_is_looked_for_in_the_same_namespace(
    api: ApiServer, maps: Objects, namespace: str, name: str
) -> None:
    owner = maps.made(name)
    elsewhere = config_maps(api, namespace)
    dependent(elsewhere, f"{name}-x", reference(owner))
    elsewhere.wait_gone(f"{name}-x")
    assert not maps.is_gone(name)


def test_an_owner_may_be_of_the_cluster(api: ApiServer, maps: Objects, name: str) -> None:
    nodes = Objects(api, "/api/v1/nodes", {"apiVersion": "v1", "kind": "Node"})
    owner = nodes.made(name)
    dependent(maps, name, reference(owner))
    other = maps.made(f"{name}-y")
    dependent(maps, f"{name}-z", reference(other))
    maps.delete(f"{name}-y")
    maps.wait_gone(f"{name}-z")
    # the collector has been by since
    assert not maps.is_gone(name)
    nodes.delete(name)
    maps.wait_gone(name)


def test_nothing_of_the_cluster_is_owned_by_what_is_in_a_namespace(
    api: ApiServer, maps: Objects, name: str
) -> None:
    nodes = Objects(api, "/api/v1/nodes", {"apiVersion": "v1", "kind": "Node"})
    dependent(nodes, name, reference(maps.made(name)))
    maps.delete(name)
    _await_collector(maps, name)
    assert nodes.get(name)["metadata"]["ownerReferences"]
    nodes.delete(name)


def test_an_owner_of_a_kind_that_is_not_served_may_be_there(maps: Objects, name: str) -> None:
    owner = {"apiVersion": "none.example.com/v1", "kind": "None", "name": "a", "uid": OTHER_UID}
    dependent(maps, name, owner)
    _await_collector(maps, name)
    assert not maps.is_gone(name)


def _await_collector(maps: Objects, name: str) -> None:
    """Wait until a dependent made later than all others is gone."""
    owner = maps.made(f"{name}-last")
    dependent(maps, f"{name}-later", reference(owner))
    maps.delete(f"{name}-last")
    maps.wait_gone(f"{name}-later")


# --- by kubectl


def test_kubectl_waits_for_the_end(kubectl: Kubectl, space: str, maps: Objects, name: str) -> None:
    maps.made(name, metadata={"finalizers": [HOLD]})
    going = kubectl.start("delete", "configmap", name, "-n", space)
    wait_for(lambda: is_deleted(maps, name))
    assert going.poll() is None
    maps.release(name)
    assert going.communicate(timeout=30)[0].startswith(f'configmap "{name}" deleted')
    assert going.returncode == 0


def test_kubectl_waits_for_a_deletion(
    kubectl: Kubectl, space: str, maps: Objects, name: str
) -> None:
    maps.made(name, metadata={"finalizers": [HOLD]})
    words = ("delete", "configmap", name, "-n", space, "--wait=false")
    assert kubectl(*words).startswith(f'configmap "{name}" deleted')
    wait = ("wait", "--for=delete", f"configmap/{name}", "-n", space)
    assert "timed out waiting for the condition" in kubectl.fails(*wait, "--timeout=1s")
    maps.release(name)
    assert kubectl(*wait, "--timeout=30s") == ""


def test_kubectl_does_not_mind_what_is_gone(kubectl: Kubectl, space: str, name: str) -> None:
    words = ("delete", "configmap", name, "-n", space)
    refused = kubectl.fails(*words)
    assert refused == f'Error from server (NotFound): configmaps "{name}" not found\n'
    assert kubectl(*words, "--ignore-not-found") == ""


@pytest.mark.parametrize("cascade", ["background", "foreground", "orphan"])
def test_kubectl_says_what_becomes_of_dependents(
    kubectl: Kubectl, space: str, maps: Objects, name: str, cascade: str
) -> None:
    owner = maps.made(name)
    dependent(maps, f"{name}-x", reference(owner, blockOwnerDeletion=True))
    kubectl("delete", "configmap", name, "-n", space, f"--cascade={cascade}")
    assert maps.is_gone(name)
    if cascade == "orphan":
        assert "ownerReferences" not in maps.get(f"{name}-x")["metadata"]
    else:
        maps.wait_gone(f"{name}-x")


def test_kubectl_deletes_by_label(kubectl: Kubectl, maps: Objects, space: str, name: str) -> None:
    maps.made(name, metadata={"labels": {"round": name}})
    done = kubectl("delete", "configmap", "-n", space, "-l", f"round={name}")
    assert done.startswith(f'configmap "{name}" deleted')
    assert maps.is_gone(name)
