"""Server-side apply: who owns which field, who is in whose way, and kubectl's two ways to apply."""

from typing import Any

import pytest
from tests.api_server import ApiServer
from tests.contract.reading import assert_status
from tests.contract.writing import (
    APPLY,
    POOL,
    STALE,
    Objects,
    assert_conflict,
    causes,
    config_maps,
    fields_by_manager,
    pools,
)
from tests.fakes.devserver import Kubectl

MANIFEST = "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {}}}\ndata: {{k: {!r}}}\n"


@pytest.fixture(scope="module")
def space(api: ApiServer) -> str:
    return api.new_namespace()


@pytest.fixture(scope="module")
def maps(api: ApiServer, space: str) -> Objects:
    return config_maps(api, space)


@pytest.fixture(scope="module")
def services(api: ApiServer, space: str) -> Objects:
    identity = {"apiVersion": "v1", "kind": "Service"}
    return Objects(api, f"/api/v1/namespaces/{space}/services", identity)


@pytest.fixture
def name(api: ApiServer) -> str:
    return api.new_name("a")


def assert_field_conflicts(answer: Any, message: str, *expected: tuple[str, str]) -> None:
    status = assert_status(answer, 409, "Conflict")
    assert status["message"] == message
    found = status["details"]["causes"]
    assert {cause["reason"] for cause in found} == {"FieldManagerConflict"}
    # a real server gathers them in no order
    assert sorted((cause["message"], cause["field"]) for cause in found) == sorted(expected)


# --- ownership


def test_applying_makes_an_object_and_owns_what_it_says(maps: Objects, name: str) -> None:
    answer = maps.apply(name, "one", data={"a": "1"}, metadata={"labels": {"l": "1"}})
    assert answer.status_code == 201
    (entry,) = answer.json()["metadata"]["managedFields"]
    assert entry.pop("time")
    assert entry == {
        "manager": "one",
        "operation": "Apply",
        "apiVersion": "v1",
        "fieldsType": "FieldsV1",
        "fieldsV1": {"f:data": {"f:a": {}}, "f:metadata": {"f:labels": {"f:l": {}}}},
    }


def test_applying_again_changes_nothing(maps: Objects, name: str) -> None:
    made = maps.applied(name, "one", data={"a": "1"})
    assert maps.applied(name, "one", data={"a": "1"}) == made


def test_a_field_that_is_no_longer_applied_goes(maps: Objects, name: str) -> None:
    maps.applied(name, "one", data={"a": "1", "b": "2"})
    assert maps.applied(name, "one", data={"b": "2"})["data"] == {"b": "2"}
    assert "data" not in maps.applied(name, "one")


def test_a_field_may_have_two_owners(maps: Objects, name: str) -> None:
    maps.applied(name, "one", data={"a": "1", "b": "1"})
    shared = maps.applied(name, "two", data={"a": "1"})
    assert fields_by_manager(shared) == {
        "one Apply": {"f:data": {"f:a": {}, "f:b": {}}},
        "two Apply": {"f:data": {"f:a": {}}},
    }
    assert maps.applied(name, "one", data={"b": "1"})["data"] == {"a": "1", "b": "1"}
    assert maps.applied(name, "two")["data"] == {"b": "1"}


def test_who_only_comes_to_share_has_no_time(maps: Objects, name: str) -> None:
    maps.applied(name, "one", data={"a": "1"})
    first, second = maps.applied(name, "two", data={"a": "1"})["metadata"]["managedFields"]
    assert (first["manager"], "time" in first) == ("two", False)
    assert (second["manager"], "time" in second) == ("one", True)


def test_an_owners_field_is_not_taken(maps: Objects, name: str) -> None:
    maps.applied(name, "one", data={"a": "1"})
    message = 'Apply failed with 1 conflict: conflict with "one": .data.a'
    expected = ('conflict with "one"', ".data.a")
    assert_field_conflicts(maps.apply(name, "two", data={"a": "2"}), message, expected)
    assert maps.get(name)["data"] == {"a": "1"}


def test_all_owners_in_the_way_are_named(maps: Objects, name: str) -> None:
    maps.applied(name, "one", data={"a": "1", "b": "1"})
    maps.merge(name, {"data": {"c": "1"}}, fieldManager="three")
    answer = maps.apply(name, "two", data={"a": "2", "b": "2", "c": "2"})
    message = (
        'Apply failed with 3 conflicts: conflicts with "one":\n- .data.a\n- .data.b\n'
        'conflicts with "three" using v1:\n- .data.c'
    )
    assert_field_conflicts(
        answer,
        message,
        ('conflict with "one"', ".data.a"),
        ('conflict with "one"', ".data.b"),
        ('conflict with "three" using v1', ".data.c"),
    )


def test_force_takes_a_field(maps: Objects, name: str) -> None:
    maps.applied(name, "one", data={"a": "1", "b": "1"})
    taken = maps.applied(name, "two", force=True, data={"a": "2"})
    assert taken["data"] == {"a": "2", "b": "1"}
    assert fields_by_manager(taken) == {
        "one Apply": {"f:data": {"f:b": {}}},
        "two Apply": {"f:data": {"f:a": {}}},
    }


def test_an_update_takes_what_it_changes(maps: Objects, name: str) -> None:
    maps.applied(name, "one", data={"a": "1", "b": "1"})
    maps.merge(name, {"data": {"a": "2"}}, fieldManager="two")
    assert fields_by_manager(maps.get(name)) == {
        "one Apply": {"f:data": {"f:b": {}}},
        "two Update": {"f:data": {"f:a": {}}},
    }


def test_an_update_to_the_same_value_takes_nothing(maps: Objects, name: str) -> None:
    made = maps.applied(name, "one", data={"a": "1"})
    assert maps.merged(name, {"data": {"a": "1"}}) == made


def test_the_same_manager_owns_by_operation(maps: Objects, name: str) -> None:
    maps.applied(name, "one", data={"a": "1"})
    maps.merge(name, {"data": {"b": "1"}}, fieldManager="one")
    assert fields_by_manager(maps.get(name)).keys() == {"one Apply", "one Update"}


# --- lists


def test_entries_of_a_set_have_owners(maps: Objects, name: str) -> None:
    first, second = "example.com/a", "example.com/b"
    maps.applied(name, "one", metadata={"finalizers": [first]})
    both = maps.applied(name, "two", metadata={"finalizers": [second]})
    assert both["metadata"]["finalizers"] == [first, second]
    assert fields_by_manager(both) == {
        "one Apply": {"f:metadata": {"f:finalizers": {f'v:"{first}"': {}}}},
        "two Apply": {"f:metadata": {"f:finalizers": {f'v:"{second}"': {}}}},
    }
    assert maps.applied(name, "one")["metadata"]["finalizers"] == [second]
    maps.release(name)


def test_entries_of_a_map_have_owners(services: Objects, name: str) -> None:
    web, dns = {"port": 80, "name": "web"}, {"port": 53, "protocol": "UDP", "name": "dns"}
    services.applied(name, "one", spec={"ports": [web]})
    both = services.applied(name, "two", spec={"ports": [dns]})
    assert [port["name"] for port in both["spec"]["ports"]] == ["web", "dns"]
    owned = fields_by_manager(both)
    assert owned["two Apply"] == {
        "f:spec": {
            "f:ports": {
                'k:{"port":53,"protocol":"UDP"}': {
                    ".": {},
                    "f:name": {},
                    "f:port": {},
                    "f:protocol": {},
                }
            }
        }
    }
    (left,) = services.applied(name, "one")["spec"]["ports"]
    assert left["name"] == "dns"


def test_a_field_of_an_entry_may_be_in_the_way(services: Objects, name: str) -> None:
    services.applied(name, "one", spec={"ports": [{"port": 80, "name": "web"}]})
    answer = services.apply(name, "two", spec={"ports": [{"port": 80, "name": "other"}]})
    field = '.spec.ports[port=80,protocol="TCP"].name'
    message = f'Apply failed with 1 conflict: conflict with "one": {field}'
    assert_field_conflicts(answer, message, ('conflict with "one"', field))


def test_a_plain_list_has_one_owner(api: ApiServer, space: str, name: str) -> None:
    slots = pools(api, space)
    slots.applied(name, "one", **POOL)
    answer = slots.apply(name, "two", spec={"addresses": ["192.0.2.16/28"]})
    message = 'Apply failed with 1 conflict: conflict with "one": .spec.addresses'
    assert_field_conflicts(answer, message, ('conflict with "one"', ".spec.addresses"))
    other = slots.applied(name, "two", spec={"autoAssign": False})
    assert other["spec"]["addresses"] == POOL["spec"]["addresses"]


def test_a_selector_is_one_value(services: Objects, name: str) -> None:
    services.applied(name, "one", spec={"ports": [{"port": 80}], "selector": {"a": "1"}})
    answer = services.apply(name, "two", spec={"selector": {"b": "1"}})
    message = 'Apply failed with 1 conflict: conflict with "one": .spec.selector'
    assert_field_conflicts(answer, message, ('conflict with "one"', ".spec.selector"))


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        (
            {"ports": [{"port": 80}, {"port": 80, "protocol": "TCP"}]},
            '.spec.ports: duplicate entries for key [port=80,protocol="TCP"]',
        ),
        ({"bogus": 1}, ".spec.bogus: field not declared in schema"),
        ({"ports": "x"}, ".spec.ports: expected list, got &{x}"),
        (
            {"clusterIP": 1},
            ".spec.clusterIP: expected string, got &value.valueUnstructured{Value:1}",
        ),
    ],
    ids=["entries_alike", "unknown_field", "no_list", "no_text"],
)
def test_what_nobody_could_own_is_refused(
    services: Objects, name: str, spec: Any, why: str
) -> None:
    services.applied(name, "one", spec={"ports": [{"port": 80}]})
    answer = services.apply(name, "two", spec=spec)
    message = f"failed to create typed patch object (/{name}; /v1, Kind=Service): {why}"
    assert (answer.status_code, answer.json()["message"]) == (500, message)


def test_unknown_fields_of_custom_resources_are_refused(
    api: ApiServer, space: str, name: str
) -> None:
    slots = pools(api, space)
    slots.applied(name, "one", **POOL)
    answer = slots.apply(name, "two", spec={"bogus": 1})
    message = (
        f"failed to create typed patch object (/{name}; metallb.io/v1beta1, Kind=IPAddressPool): "
        ".spec.bogus: field not declared in schema"
    )
    assert (answer.status_code, answer.json()["message"]) == (500, message)


# --- status


def test_a_status_is_applied_apart(services: Objects, name: str) -> None:
    services.applied(name, "one", spec={"ports": [{"port": 80}]})
    condition = {
        "type": "Fine",
        "status": "True",
        "reason": "R",
        "message": "",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }
    spec = {"selector": {"a": "b"}}
    patch: dict[str, Any] = {"status": {"conditions": [condition]}, "spec": spec}
    found = services.applied(f"{name}/status", "two", **patch)
    assert found["status"]["conditions"] == [condition]
    assert "selector" not in found["spec"]
    assert fields_by_manager(found)["two Apply status"] == {
        "f:status": {
            "f:conditions": {
                'k:{"type":"Fine"}': {
                    ".": {},
                    "f:lastTransitionTime": {},
                    "f:message": {},
                    "f:reason": {},
                    "f:status": {},
                    "f:type": {},
                }
            }
        }
    }


def test_a_status_is_ignored_elsewhere(services: Objects, name: str) -> None:
    status = {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}
    made = services.applied(name, "one", spec={"ports": [{"port": 80}]}, status=status)
    assert made["status"] == {"loadBalancer": {}}
    assert "f:status" not in fields_by_manager(made)["one Apply"]


# --- what an apply has to say


def test_an_apply_needs_a_manager(maps: Objects, name: str) -> None:
    answer = maps.patch(name, maps.body(name, {}), APPLY)
    status = assert_status(answer, 422, "Invalid")
    assert (status["details"]["kind"], status["details"]["group"]) == (
        "PatchOptions",
        "meta.k8s.io",
    )
    text = "Required value: is required for apply patch"
    assert causes(answer) == {("fieldManager", "FieldValueRequired", text)}


@pytest.mark.parametrize(
    ("identity", "shown"),
    [
        ({}, "/, Kind="),
        ({"kind": "ConfigMap"}, "/, Kind=ConfigMap"),
        ({"apiVersion": "v2", "kind": "ConfigMap"}, "/v2, Kind=ConfigMap"),
        ({"apiVersion": "v1", "kind": "Secret"}, "/v1, Kind=Secret"),
    ],
    ids=["nothing", "no_version", "another_version", "another_kind"],
)
def test_an_apply_says_its_kind(maps: Objects, name: str, identity: Any, shown: str) -> None:
    body = {**identity, "metadata": {"name": name}}
    answer = maps.patch(name, body, APPLY, fieldManager="one")
    status = assert_status(answer, 400, "BadRequest")
    assert status["message"] == f"invalid object type: {shown}"


@pytest.mark.parametrize("fields", [[], [{"manager": "x"}]], ids=["empty", "one"])
def test_an_apply_names_no_owners(maps: Objects, name: str, fields: Any) -> None:
    maps.applied(name, "one")
    status = assert_status(
        maps.apply(name, "one", metadata={"managedFields": fields}), 400, "BadRequest"
    )
    assert status["message"] == "metadata.managedFields must be nil"


def test_an_apply_may_say_which_version_it_is_for(maps: Objects, name: str) -> None:
    made = maps.applied(name, "one", data={"a": "1"})
    version = made["metadata"]["resourceVersion"]
    maps.merged(name, {"data": {"b": "1"}})
    answer = maps.apply(name, "one", data={"a": "2"}, metadata={"resourceVersion": version})
    assert_conflict(answer, "configmaps", name, STALE)


def test_an_apply_of_a_uid_makes_nothing(maps: Objects, name: str) -> None:
    uid = "11111111-1111-1111-1111-111111111111"
    why = f"uid mismatch: the provided object specified uid {uid}, and no existing object was found"
    answer = maps.apply(name, "one", metadata={"uid": uid})
    assert_conflict(answer, "configmaps", name, why)


def test_the_url_names_what_is_there(maps: Objects, name: str) -> None:
    body = {**maps.identity, "data": {"a": "b"}}
    answer = maps.patch(name, body, APPLY, fieldManager="one")
    status = assert_status(answer, 400, "BadRequest")
    assert status["message"] == (
        f"the name of the object ({name} based on URL) was undeterminable: name must be provided"
    )
    maps.applied(name, "one")
    answer = maps.patch(name, body, APPLY, fieldManager="one")
    assert (answer.status_code, answer.json()["data"]) == (200, {"a": "b"})


def test_an_apply_may_be_tried(maps: Objects, name: str) -> None:
    answer = maps.patch(name, maps.body(name, {}), APPLY, fieldManager="one", dryRun="All")
    assert answer.status_code == 201
    assert maps.is_gone(name)


def test_yaml_with_a_key_twice_is_warned_about_or_refused(maps: Objects, name: str) -> None:
    body = (
        f"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\ndata:\n  a: one\n  a: two\n"
    ).encode()
    answer = maps.patch(name, body, APPLY, fieldManager="one", fieldValidation="Strict")
    status = assert_status(answer, 400, "BadRequest")
    assert status["message"] == (
        "error strict decoding YAML: error converting YAML to JSON: yaml: unmarshal errors:\n"
        '  line 7: key "a" already set in map'
    )
    answer = maps.patch(name, body, APPLY, fieldManager="one", fieldValidation="Warn")
    assert answer.json()["data"] == {"a": "two"}
    assert answer.headers["warning"] == '299 - "line 7: key \\"a\\" already set in map"'


# --- by kubectl


def test_kubectl_applies_on_the_client(kubectl: Kubectl, space: str, name: str) -> None:
    def apply(value: str, *words: str) -> str:
        manifest = MANIFEST.format(name, value)
        return kubectl("apply", "-n", space, *words, "-f", "-", stdin=manifest)

    assert apply("one") == f"configmap/{name} created\n"
    assert apply("one") == f"configmap/{name} unchanged\n"
    assert apply("two") == f"configmap/{name} configured\n"
    assert apply("three", "--dry-run=server") == f"configmap/{name} configured (server dry run)\n"
    assert kubectl.json("get", "configmap", name, "-n", space)["data"] == {"k": "two"}


def test_kubectl_takes_away_what_is_no_longer_applied(
    kubectl: Kubectl, space: str, maps: Objects, name: str
) -> None:
    manifest = MANIFEST.format(name, "one")
    kubectl("apply", "-n", space, "-f", "-", stdin=manifest)
    maps.merged(name, {"data": {"mine": "1"}})
    kubectl("apply", "-n", space, "-f", "-", stdin=manifest.replace("k:", "j:"))
    assert maps.get(name)["data"] == {"j": "one", "mine": "1"}


def test_kubectl_shows_the_difference(kubectl: Kubectl, space: str, name: str) -> None:
    manifest = MANIFEST.format(name, "one")
    kubectl("apply", "-n", space, "-f", "-", stdin=manifest)
    same = kubectl.run("diff", "-n", space, "-f", "-", stdin=manifest)
    assert (same.returncode, same.stdout) == (0, "")
    other = kubectl.run("diff", "-n", space, "-f", "-", stdin=manifest.replace("one", "two"))
    assert other.returncode == 1
    assert "-  k: one\n+  k: two\n" in other.stdout


def test_kubectl_applies_on_the_server(kubectl: Kubectl, space: str, name: str) -> None:
    words = ("apply", "--server-side", "-n", space, "-f", "-")
    done = f"configmap/{name} serverside-applied\n"
    assert kubectl(*words, stdin=MANIFEST.format(name, "one")) == done
    assert kubectl(*words, stdin=MANIFEST.format(name, "one")) == done
    other = MANIFEST.format(name, "two")
    refused = kubectl.fails(*words, "--field-manager=me", stdin=other)
    begin = 'error: Apply failed with 1 conflict: conflict with "kubectl": .data.k\n'
    assert refused.startswith(begin)
    assert "--force-conflicts" in refused
    assert kubectl(*words, "--field-manager=me", "--force-conflicts", stdin=other) == done
    assert kubectl.json("get", "configmap", name, "-n", space)["data"] == {"k": "two"}


def test_kubectl_goes_over_to_apply_on_the_server(
    kubectl: Kubectl, space: str, maps: Objects, name: str
) -> None:
    kubectl("apply", "-n", space, "-f", "-", stdin=MANIFEST.format(name, "one"))
    manifest = MANIFEST.format(name, "two")
    kubectl("apply", "--server-side", "-n", space, "-f", "-", stdin=manifest)
    found = maps.get(name)
    assert found["data"] == {"k": "two"}
    assert "kubectl Apply" in fields_by_manager(found)


def test_kubectl_says_what_it_does_not_know(kubectl: Kubectl, space: str, name: str) -> None:
    manifest = MANIFEST.format(name, "one")
    kubectl("apply", "-n", space, "-f", "-", stdin=manifest)
    refused = kubectl.fails("apply", "-n", space, "-f", "-", stdin=f"{manifest}bogus: 1\n")
    assert 'strict decoding error: unknown field "bogus"' in refused
    words = ("apply", "--validate=warn", "-n", space, "-f", "-")
    warned = kubectl.run(*words, stdin=f"{manifest}bogus: 1\n")
    assert (warned.returncode, warned.stderr) == (0, 'Warning: unknown field "bogus"\n')
