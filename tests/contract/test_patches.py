"""The three kinds of patches: what they change, and what is refused in which words."""

from typing import Any

import pytest
from tests.api_server import ApiServer
from tests.contract.reading import assert_status
from tests.contract.writing import (
    JSON,
    MERGE,
    POOL,
    STALE,
    STRATEGIC,
    Objects,
    assert_conflict,
    causes,
    config_maps,
    pools,
    version_of,
)
from tests.fakes.devserver import Kubectl

REJECTED = "the server rejected our request due to an error in our request"
FINALIZERS = "/metadata/finalizers"


@pytest.fixture(scope="module")
def space(api: ApiServer) -> str:
    return api.new_namespace()


@pytest.fixture(scope="module")
def maps(api: ApiServer, space: str) -> Objects:
    return config_maps(api, space)


@pytest.fixture
def name(api: ApiServer, maps: Objects) -> str:
    """A config map to patch."""
    made = maps.made(api.new_name("p"), data={"a": "1", "b": "2"})
    return str(made["metadata"]["name"])


@pytest.fixture
def services(api: ApiServer, space: str) -> Objects:
    return Objects(api, f"/api/v1/namespaces/{space}/services")


def data_of(answer: Any) -> Any:
    assert answer.status_code == 200, answer.text
    return answer.json().get("data")


# --- merge patches


def test_members_merge_and_null_removes(maps: Objects, name: str) -> None:
    assert data_of(maps.merge(name, {"data": {"a": None, "c": "3"}})) == {"b": "2", "c": "3"}


def test_a_list_is_replaced_as_a_whole(services: Objects, name: str) -> None:
    services.made(name, spec={"ports": [{"port": 80, "name": "a"}, {"port": 81, "name": "b"}]})
    (port,) = services.merged(name, {"spec": {"ports": [{"port": 90}]}})["spec"]["ports"]
    assert port["port"] == 90


def test_a_patch_of_nothing_keeps_the_version(maps: Objects, name: str) -> None:
    before = maps.get(name)
    assert maps.merged(name, {}) == before
    assert maps.merged(name, {"data": {"a": "1", "z": None}}) == before


def test_a_patch_may_say_which_version_it_is_for(maps: Objects, name: str) -> None:
    version = version_of(maps.get(name))
    patch = {"metadata": {"resourceVersion": version}, "data": {"a": "5"}}
    assert data_of(maps.merge(name, patch))["a"] == "5"
    assert_conflict(maps.merge(name, patch), "configmaps", name, STALE)


def test_a_patch_of_another_uid_is_refused(maps: Objects, name: str) -> None:
    answer = maps.merge(name, {"metadata": {"uid": "x"}})
    assert_status(answer, 422, "Invalid")
    text = 'Invalid value: "x": field is immutable'
    assert causes(answer) == {("metadata.uid", "FieldValueInvalid", text)}


def test_the_servers_fields_stay(maps: Objects, name: str) -> None:
    before = maps.get(name)["metadata"]
    patch = {"creationTimestamp": None, "selfLink": "x", "deletionTimestamp": None}
    after = maps.merged(name, {"metadata": patch})["metadata"]
    assert after["creationTimestamp"] == before["creationTimestamp"]
    assert "selfLink" not in after


@pytest.mark.parametrize(
    ("patch", "message"),
    [
        (
            {"metadata": {"name": "other"}},
            "the name of the object (other) does not match the name on the URL ({})",
        ),
        (
            {"metadata": {"namespace": "default"}},
            "the namespace of the provided object does not match the namespace sent on the request",
        ),
        (
            {"metadata": None},
            "the name of the object ({} based on URL) was undeterminable: name must be provided",
        ),
        (
            [],
            "error decoding patch: json: cannot unmarshal array into Go value of type "
            "map[string]interface {{}}",
        ),
        (b"null", "Invalid JSON Patch"),
        (b"{", "error decoding patch: unexpected end of JSON input"),
    ],
    ids=["another_name", "another_namespace", "no_metadata", "a_list", "null", "cut"],
)
def test_merge_patch_that_cannot_be_taken(
    maps: Objects, name: str, patch: Any, message: str
) -> None:
    status = assert_status(maps.merge(name, patch), 400, "BadRequest")
    assert status["message"] == message.format(name)


@pytest.mark.parametrize(
    "patch", [{"apiVersion": "v2"}, {"data": {"a": 5}}], ids=["version", "type"]
)
def test_a_patch_that_makes_something_else_is_refused(maps: Objects, name: str, patch: Any) -> None:
    status = assert_status(maps.merge(name, patch), 422, "Invalid")
    assert status["message"].startswith(' "" is invalid: patch: Invalid value: "{')
    (cause,) = status["details"]["causes"]
    assert (cause["field"], cause["reason"]) == ("patch", "FieldValueInvalid")
    assert "name" not in status["details"]


def test_what_is_not_there_is_not_patched(maps: Objects) -> None:
    status = assert_status(maps.merge("no-such", {}), 404, "NotFound")
    assert status["message"] == 'configmaps "no-such" not found'


# --- JSON patches


@pytest.mark.parametrize(
    ("operations", "expected"),
    [
        ([{"op": "add", "path": "/data/c", "value": "3"}], {"a": "1", "b": "2", "c": "3"}),
        ([{"op": "add", "path": "/data/a", "value": "3"}], {"a": "3", "b": "2"}),
        ([{"op": "remove", "path": "/data/a"}], {"b": "2"}),
        ([{"op": "replace", "path": "/data/a", "value": "3"}], {"a": "3", "b": "2"}),
        ([{"op": "move", "from": "/data/a", "path": "/data/c"}], {"b": "2", "c": "1"}),
        ([{"op": "copy", "from": "/data/a", "path": "/data/c"}], {"a": "1", "b": "2", "c": "1"}),
        (
            [
                {"op": "test", "path": "/data/a", "value": "1"},
                {"op": "remove", "path": "/data/a"},
            ],
            {"b": "2"},
        ),
        ([], {"a": "1", "b": "2"}),
        ([{"op": "replace", "path": "/data/c", "value": "3"}], {"a": "1", "b": "2", "c": "3"}),
        ([{"op": "copy", "from": "/data/x", "path": "/data/c"}], {"a": "1", "b": "2", "c": ""}),
        ([{"op": "add", "path": "/data/c"}], {"a": "1", "b": "2", "c": ""}),
        ([{"op": "test", "path": "/data/x", "value": None}], {"a": "1", "b": "2"}),
    ],
    ids=[
        "add",
        "add_replaces",
        "remove",
        "replace",
        "move",
        "copy",
        "test_holds",
        "nothing",
        "replace_of_a_missing_member_adds_it",
        "copy_of_a_missing_member_is_null",
        "add_without_value_is_null",
        "test_of_a_missing_member_for_null_holds",
    ],
)
def test_json_patch(maps: Objects, name: str, operations: Any, expected: Any) -> None:
    assert data_of(maps.patch(name, operations, JSON)) == expected


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "test", "path": "/data/a", "value": "9"},
        {"op": "test", "path": "/data/x", "value": "1"},
        {"op": "remove", "path": "/data/x"},
        {"op": "move", "from": "/data/x", "path": "/data/y"},
        {"op": "add", "path": "/nothing/x", "value": "1"},
        {"op": "add", "path": f"{FINALIZERS}/9", "value": "example.com/a"},
        {"op": "remove", "path": f"{FINALIZERS}/0"},
        {"op": "change", "path": "/data/a", "value": "1"},
        {"op": "add", "value": "1"},
    ],
    ids=[
        "test_fails",
        "test_of_nothing",
        "remove_of_nothing",
        "move_of_nothing",
        "add_below_nothing",
        "add_past_the_end",
        "remove_past_the_end",
        "unknown_operation",
        "no_path",
    ],
)
def test_json_patch_that_does_not_apply_is_rejected_without_a_word(
    maps: Objects, name: str, operation: Any
) -> None:
    before = maps.get(name)
    first = {"op": "add", "path": "/data/done", "value": "x"}
    status = assert_status(maps.patch(name, [first, operation], JSON), 422, "Invalid")
    assert (status["message"], status["details"]) == (REJECTED, {})
    assert maps.get(name) == before


def test_a_json_patch_is_a_list(maps: Objects, name: str) -> None:
    status = assert_status(maps.patch(name, {"op": "add"}, JSON), 400, "BadRequest")
    assert status["message"] == (
        "error decoding patch: json: cannot unmarshal object into Go value of type "
        "[]handlers.jsonPatchOp"
    )


def test_names_in_pointers_are_escaped(maps: Objects, name: str) -> None:
    operations = [
        {"op": "add", "path": "/metadata/annotations", "value": {"a/b": "c", "d~e": "f"}},
        {"op": "replace", "path": "/metadata/annotations/a~1b", "value": "g"},
        {"op": "remove", "path": "/metadata/annotations/d~0e"},
    ]
    answer = maps.patch(name, operations, JSON)
    assert answer.json()["metadata"]["annotations"] == {"a/b": "g"}


def test_entries_are_placed_in_lists(maps: Objects, name: str) -> None:
    operations = [
        {"op": "add", "path": FINALIZERS, "value": ["example.com/b"]},
        {"op": "add", "path": f"{FINALIZERS}/-", "value": "example.com/c"},
        {"op": "add", "path": f"{FINALIZERS}/0", "value": "example.com/a"},
    ]
    found = maps.patch(name, operations, JSON).json()["metadata"]["finalizers"]
    assert found == ["example.com/a", "example.com/b", "example.com/c"]
    remove = [{"op": "remove", "path": f"{FINALIZERS}/1"}]
    found = maps.patch(name, remove, JSON).json()["metadata"]["finalizers"]
    assert found == ["example.com/a", "example.com/c"]


# --- strategic merge patches


def test_entries_of_a_set_are_joined_and_taken_out(maps: Objects, name: str) -> None:
    def finalizers(metadata: Any) -> Any:
        answer = maps.patch(name, {"metadata": metadata}, STRATEGIC)
        assert answer.status_code == 200, answer.text
        return answer.json()["metadata"].get("finalizers")

    first, second, third = (f"example.com/{mark}" for mark in "abc")
    assert finalizers({"finalizers": [first, second]}) == [first, second]
    assert finalizers({"finalizers": [third]}) == [third, first, second]
    assert finalizers({"$deleteFromPrimitiveList/finalizers": [first]}) == [third, second]
    assert finalizers({"$setElementOrder/finalizers": [second, third]}) == [second, third]
    assert finalizers({"finalizers": None}) is None


def test_ports_are_matched_by_their_number(services: Objects, name: str) -> None:
    ports = [{"port": 80, "name": "a"}, {"port": 81, "name": "b"}]
    services.made(name, spec={"ports": ports})

    def patched(patch: Any) -> Any:
        answer = services.patch(name, {"spec": patch}, STRATEGIC)
        assert answer.status_code == 200, answer.text
        found = answer.json()["spec"]["ports"]
        return [(port["port"], port["name"], port["targetPort"]) for port in found]

    assert patched({"ports": [{"port": 80, "targetPort": 8080}]}) == [
        (80, "a", 8080),
        (81, "b", 81),
    ]
    order = [{"port": 81}, {"port": 80}]
    entry = {"port": 81, "targetPort": 8181}
    assert patched({"$setElementOrder/ports": order, "ports": [entry]}) == [
        (81, "b", 8181),
        (80, "a", 8080),
    ]
    assert patched({"ports": [{"port": 81, "$patch": "delete"}]}) == [(80, "a", 8080)]
    replaced = [{"$patch": "replace"}, {"port": 90, "name": "c"}]
    assert patched({"ports": replaced}) == [(90, "c", 90)]


def test_a_map_is_replaced_or_deleted_on_request(maps: Objects, name: str) -> None:
    replace = {"data": {"$patch": "replace", "c": "3"}}
    assert data_of(maps.patch(name, replace, STRATEGIC)) == {"c": "3"}
    assert data_of(maps.patch(name, {"data": {"$patch": "delete"}}, STRATEGIC)) is None


def test_only_kept_keys_are_kept(api: ApiServer, space: str, name: str) -> None:
    deployments = Objects(api, f"/apis/apps/v1/namespaces/{space}/deployments")
    labels = {"a": "b"}
    pod = {"containers": [{"name": "c", "image": "i"}]}
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 3}}
    spec = {
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": pod},
        "strategy": strategy,
    }
    deployments.made(name, spec=spec)
    wanted = {"$retainKeys": ["type"], "type": "Recreate"}
    answer = deployments.patch(name, {"spec": {"strategy": wanted}}, STRATEGIC)
    assert answer.json()["spec"]["strategy"] == {"type": "Recreate"}
    container = {"name": "d", "image": "j"}
    template = {"spec": {"containers": [container]}}
    answer = deployments.patch(name, {"spec": {"template": template}}, STRATEGIC)
    containers = answer.json()["spec"]["template"]["spec"]["containers"]
    assert sorted(one["name"] for one in containers) == ["c", "d"]


@pytest.mark.parametrize(
    ("patch", "message"),
    [
        (
            {"spec": {"ports": [{"name": "x"}]}},
            "map: map[name:x] does not contain declared merge key: port",
        ),
        (
            {"spec": {"$patch": "guess"}},
            "unknown patch type: guess in map: map[$patch:guess]",
        ),
    ],
    ids=["entry_without_key", "unknown_directive"],
)
def test_strategic_patch_that_fails(services: Objects, name: str, patch: Any, message: str) -> None:
    services.made(name, spec={"ports": [{"port": 80}]})
    answer = services.patch(name, patch, STRATEGIC)
    assert (answer.status_code, answer.json()["message"]) == (500, message)


def test_a_strategic_patch_is_an_object(maps: Objects, name: str) -> None:
    status = assert_status(maps.patch(name, [], STRATEGIC), 400, "BadRequest")
    assert status["message"] == (
        "json: cannot unmarshal array into Go value of type map[string]interface {}"
    )


# --- which kinds of patches are taken


def test_custom_resources_take_no_strategic_patch(api: ApiServer, space: str, name: str) -> None:
    slots = pools(api, space)
    slots.made(name, **POOL)
    answer = slots.patch(name, {"spec": {}}, STRATEGIC)
    status = assert_status(answer, 415, "UnsupportedMediaType")
    assert status["message"] == (
        "the body of the request was in an unknown format - accepted media types include: "
        "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml"
    )


@pytest.mark.parametrize("content_type", [MERGE, JSON])
def test_only_an_apply_may_be_forced(maps: Objects, name: str, content_type: str) -> None:
    answer = maps.patch(name, {}, content_type, force="true")
    assert_status(answer, 422, "Invalid")
    text = "Forbidden: may not be specified for non-apply patch"
    assert causes(answer) == {("force", "FieldValueForbidden", text)}


# --- by kubectl


def test_kubectl_patches_in_three_ways(kubectl: Kubectl, space: str, name: str) -> None:
    def patch(*words: str) -> str:
        return kubectl("patch", "configmap", name, "-n", space, *words)

    done, same = f"configmap/{name} patched\n", f"configmap/{name} patched (no change)\n"
    assert patch("--type=merge", "-p", '{"data":{"m":"1"}}') == done
    assert patch("-p", '{"data":{"s":"1"}}') == done
    assert patch("-p", '{"data":{"s":"1"}}') == same
    assert patch("--type=json", "-p", '[{"op":"remove","path":"/data/m"}]') == done
    found = kubectl.json("get", "configmap", name, "-n", space)["data"]
    assert found == {"a": "1", "b": "2", "s": "1"}


def test_kubectl_tells_that_a_patch_is_rejected(kubectl: Kubectl, space: str, name: str) -> None:
    words = ("patch", "configmap", name, "-n", space, "--type=json")
    refused = kubectl.fails(*words, "-p", '[{"op":"remove","path":"/data/zzz"}]')
    assert refused == f"The request is invalid: {REJECTED}\n"


def test_kubectl_patches_a_status(
    kubectl: Kubectl, space: str, services: Objects, name: str
) -> None:
    services.made(name, spec={"ports": [{"port": 80}], "type": "LoadBalancer"})
    patch = '{"status":{"loadBalancer":{"ingress":[{"ip":"192.0.2.9"}]}}}'
    words = ("patch", "service", name, "-n", space, "--subresource=status", "--type=merge")
    assert kubectl(*words, "-p", patch) == f"service/{name} patched\n"
    (ingress,) = services.get(name)["status"]["loadBalancer"]["ingress"]
    assert ingress["ip"] == "192.0.2.9"


def test_kubectl_patches_custom_resources_by_merging(
    api: ApiServer, kubectl: Kubectl, space: str, name: str
) -> None:
    pools(api, space).made(name, **POOL)
    words = ("patch", "ipaddresspool", name, "-n", space, "-p", '{"spec":{"autoAssign":false}}')
    refused = kubectl.fails(*words)
    assert "accepted media types include: application/json-patch+json" in refused
    assert kubectl(*words, "--type=merge") == f"ipaddresspool.metallb.io/{name} patched\n"
