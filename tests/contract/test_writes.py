"""Creating, replacing and deleting objects, and what their metadata becomes."""

import re
from typing import Any

import pytest
from tests.api_server import ApiServer
from tests.contract.reading import assert_status
from tests.contract.writing import (
    HOLD,
    MERGE,
    POOL,
    STALE,
    STRATEGIC,
    Objects,
    as_set,
    assert_conflict,
    assert_invalid,
    cases_of,
    causes,
    changed,
    config_maps,
    fields_by_manager,
    ids_of,
    pools,
    version_of,
    warnings_of,
    with_metadata,
)
from tests.fakes.devserver import Kubectl

METADATA_REFUSALS = cases_of("metadata_refusals.json")
PAYLOAD_REFUSALS = cases_of("payload_refusals.json")

OTHER_UID = "11111111-1111-1111-1111-111111111111"
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
IMMUTABLE = "field is immutable"


@pytest.fixture(scope="module")
def space(api: ApiServer) -> str:
    return api.new_namespace()


@pytest.fixture(scope="module")
def maps(api: ApiServer, space: str) -> Objects:
    return config_maps(api, space)


@pytest.fixture
def name(api: ApiServer) -> str:
    return api.new_name("w")


# --- what a creation makes


def test_the_server_says_who_when_and_which_version(maps: Objects, name: str, space: str) -> None:
    made = maps.made(name, data={"a": "b"})
    metadata = made["metadata"]
    assert UUID.fullmatch(metadata["uid"])
    assert TIME.fullmatch(metadata["creationTimestamp"])
    assert int(metadata["resourceVersion"]) > 0
    assert (metadata["name"], metadata["namespace"]) == (name, space)
    assert "generation" not in metadata
    assert "selfLink" not in metadata
    assert maps.get(name) == made


def test_who_wrote_is_named_after_the_program(maps: Objects, name: str) -> None:
    headers = {"User-Agent": "cook/1.2 (a; b)"}
    body = maps.body(name, {"data": {"a": "b"}, "metadata": {"labels": {"x": "y"}}})
    made = maps.api.http.post(maps.path, json=body, headers=headers).json()
    (entry,) = made["metadata"]["managedFields"]
    assert TIME.fullmatch(entry.pop("time"))
    assert entry == {
        "manager": "cook",
        "operation": "Update",
        "apiVersion": "v1",
        "fieldsType": "FieldsV1",
        "fieldsV1": {
            "f:data": {".": {}, "f:a": {}},
            "f:metadata": {"f:labels": {".": {}, "f:x": {}}},
        },
    }


def test_who_wrote_may_be_said(maps: Objects, name: str) -> None:
    answer = maps.post(maps.body(name, {"data": {"a": "b"}}), fieldManager="me")
    assert fields_by_manager(answer.json()).keys() == {"me Update"}


def test_what_is_the_servers_is_not_the_clients(maps: Objects, name: str) -> None:
    old = "2001-01-01T00:00:00Z"
    metadata = {
        "uid": OTHER_UID,
        "creationTimestamp": old,
        "deletionTimestamp": old,
        "deletionGracePeriodSeconds": 5,
        "selfLink": "/x",
    }
    made = maps.made(name, metadata=metadata)["metadata"]
    assert made["uid"] != OTHER_UID
    assert made["creationTimestamp"] != old
    assert not {"deletionTimestamp", "deletionGracePeriodSeconds", "selfLink"} & made.keys()


def test_what_is_written_is_its_writers_whoever_else_is_named(maps: Objects, name: str) -> None:
    entry = {
        "manager": "before",
        "operation": "Update",
        "apiVersion": "v1",
        "time": "2001-01-01T00:00:00Z",
        "fieldsType": "FieldsV1",
        "fieldsV1": {"f:data": {"f:a": {}}},
    }
    made = maps.made(name, data={"a": "b"}, metadata={"managedFields": [entry]})
    assert fields_by_manager(made).keys() == {"python-httpx2 Update"}


def test_a_new_object_has_no_version(maps: Objects, name: str) -> None:
    answer = maps.post(maps.body(name, {"metadata": {"resourceVersion": "5"}}))
    assert answer.status_code == 500
    assert answer.json()["message"] == "resourceVersion should not be set on objects to be created"
    assert "reason" not in answer.json()


def test_version_zero_is_none(maps: Objects, name: str) -> None:
    maps.made(name, metadata={"resourceVersion": "0"})


def test_a_name_is_made_from_its_beginning(maps: Objects) -> None:
    made = [maps.post({"metadata": {"generateName": "begin-"}}).json() for _ in range(2)]
    names = {obj["metadata"]["name"] for obj in made}
    assert len(names) == 2
    assert all(re.fullmatch(r"begin-[a-z0-9]{5}", name) for name in names)
    assert made[0]["metadata"]["generateName"] == "begin-"


def test_a_long_beginning_is_cut(maps: Objects) -> None:
    made = maps.post({"metadata": {"generateName": "g" * 80}}).json()
    assert len(made["metadata"]["name"]) == 63


def test_a_beginning_is_checked_and_what_it_leads_to(maps: Objects) -> None:
    answer = maps.post({"metadata": {"generateName": "Bad_"}})
    fields = {field for field, _, _ in causes(answer)}
    assert fields == {"metadata.generateName", "metadata.name"}


def test_a_name_goes_before_its_beginning(maps: Objects, name: str) -> None:
    made = maps.made(name, metadata={"generateName": "other-"})
    assert made["metadata"]["name"] == name


@pytest.mark.parametrize("case", METADATA_REFUSALS, ids=ids_of(METADATA_REFUSALS))
def test_metadata_is_refused(maps: Objects, case: Any) -> None:
    answer = maps.post({"metadata": case["metadata"]})
    assert_status(answer, 422, "Invalid")
    assert causes(answer) == as_set(case["causes"])


def test_one_owner_is_in_control(maps: Objects) -> None:
    owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "a", "uid": "1", "controller": True}
    owners = [owner, {**owner, "name": "b", "uid": "2"}]
    ((field, reason, message),) = causes(
        maps.post({"metadata": {"name": "x", "ownerReferences": owners}})
    )
    assert (field, reason) == ("metadata.ownerReferences", "FieldValueInvalid")
    assert message.endswith(
        'Only one reference can have Controller set to true. Found "true" in references for '
        "ConfigMap/a and ConfigMap/b"
    )


def test_an_owner_named_twice_is_kept_once(maps: Objects, name: str) -> None:
    owner = {"apiVersion": "none.example.com/v1", "kind": "None", "name": "a", "uid": "u-1"}
    answer = maps.post(maps.body(name, {"metadata": {"ownerReferences": [owner, owner]}}))
    assert answer.json()["metadata"]["ownerReferences"] == [owner]
    assert warnings_of(answer) == [
        ".metadata.ownerReferences contains duplicate entries; API server dedups owner references "
        "in 1.20+, and may reject such requests as early as 1.24; please fix your requests; "
        "duplicate UID(s) observed: u-1"
    ]


def test_annotations_have_at_most_256_kibibytes(maps: Objects, name: str) -> None:
    answer = maps.post(maps.body(name, {"metadata": {"annotations": {"a": "b" * 262_144}}}))
    assert_invalid(
        answer,
        (
            "metadata.annotations",
            "FieldValueTooLong",
            "Too long: may not be more than 262144 bytes",
        ),
    )


@pytest.mark.parametrize("case", PAYLOAD_REFUSALS, ids=ids_of(PAYLOAD_REFUSALS))
def test_payload_is_refused(api: ApiServer, space: str, case: Any) -> None:
    objects = Objects(api, f"/api/v1/namespaces/{space}/{case['resource']}")
    answer = objects.post(objects.body("x", case["object"]))
    assert_status(answer, 422, "Invalid")
    assert causes(answer) == as_set(case["causes"])


def test_a_config_map_has_at_most_a_mebibyte(maps: Objects, name: str) -> None:
    answer = maps.post(maps.body(name, {"data": {"a": "x" * (1024 * 1024 + 1)}}))
    (found,) = causes(answer)
    assert found[1:] == ("FieldValueTooLong", "Too long: may not be more than 1048576 bytes")


def test_secrets_are_written_as_text_and_kept_encoded(
    api: ApiServer, space: str, name: str
) -> None:
    secrets = Objects(api, f"/api/v1/namespaces/{space}/secrets")
    made = secrets.made(name, stringData={"a": "b"}, data={"c": "ZA=="})
    assert made["data"] == {"a": "Yg==", "c": "ZA=="}
    assert made["type"] == "Opaque"
    assert "stringData" not in made
    (fields,) = fields_by_manager(made).values()
    assert fields == {"f:data": {".": {}, "f:a": {}, "f:c": {}}, "f:type": {}}


def test_a_null_among_texts_is_empty(maps: Objects, name: str) -> None:
    assert maps.made(name, data={"a": None})["data"] == {"a": ""}


def test_an_empty_map_is_as_if_absent(maps: Objects, name: str) -> None:
    made = maps.made(name, data={}, metadata={"labels": {}, "finalizers": []})
    assert "data" not in made
    assert not {"labels", "finalizers"} & made["metadata"].keys()


def test_a_taken_name_is_told(maps: Objects, name: str) -> None:
    maps.made(name)
    status = assert_status(maps.post({"metadata": {"name": name}}), 409, "AlreadyExists")
    assert status["message"] == f'configmaps "{name}" already exists'


def test_what_is_wrong_is_told_before_that_a_name_is_taken(maps: Objects, name: str) -> None:
    maps.made(name)
    labels = {"-": "x"}
    answer = maps.post({"metadata": {"name": name, "labels": labels}})
    assert_status(answer, 422, "Invalid")


# --- what may be said in a URL and not in a body


def test_the_namespace_of_the_body_is_that_of_the_url(maps: Objects, name: str) -> None:
    answer = maps.post({"metadata": {"name": name, "namespace": "default"}})
    status = assert_status(answer, 400, "BadRequest")
    assert status["message"] == (
        "the namespace of the provided object does not match the namespace sent on the request"
    )


def test_the_name_of_the_body_is_that_of_the_url(maps: Objects, name: str) -> None:
    made = maps.made(name)
    answer = maps.api.http.put(f"{maps.path}/{name}", json=with_metadata(made, name="other"))
    status = assert_status(answer, 400, "BadRequest")
    assert status["message"] == (
        f"the name of the object (other) does not match the name on the URL ({name})"
    )


def test_a_replacement_has_a_name(maps: Objects, name: str) -> None:
    maps.made(name)
    answer = maps.api.http.put(f"{maps.path}/{name}", json={"metadata": {}})
    status = assert_status(answer, 400, "BadRequest")
    assert status["message"] == (
        f"the name of the object ({name} based on URL) was undeterminable: name must be provided"
    )


@pytest.mark.parametrize("path", ["/api/v1/configmaps", "/api/v1/namespaces/{}/configmaps/x"])
def test_objects_are_made_in_a_namespaces_collection(api: ApiServer, space: str, path: str) -> None:
    answer = api.http.post(path.format(space), json={"metadata": {"name": "x"}})
    assert_status(answer, 405, "MethodNotAllowed")


# --- replacing


def test_a_replacement_of_the_known_version(maps: Objects, name: str) -> None:
    made = maps.made(name, data={"a": "1"})
    answer = maps.put(changed(made, data={"a": "2"}))
    assert answer.status_code == 200
    assert answer.json()["data"] == {"a": "2"}
    assert int(version_of(answer.json())) > int(version_of(made))


def test_a_replacement_of_an_older_version_conflicts(maps: Objects, name: str) -> None:
    made = maps.made(name, data={"a": "1"})
    maps.merged(name, {"data": {"a": "2"}})
    assert_conflict(maps.put(changed(made, data={"a": "3"})), "configmaps", name, STALE)
    assert maps.get(name)["data"] == {"a": "2"}


@pytest.mark.parametrize("version", [None, "0"], ids=["none", "zero"])
def test_a_replacement_of_no_version_replaces_any(
    maps: Objects, name: str, version: str | None
) -> None:
    made = maps.made(name, data={"a": "1"})
    maps.merged(name, {"data": {"a": "2"}})
    answer = maps.put(with_metadata(changed(made, data={"a": "3"}), resourceVersion=version))
    assert (answer.status_code, answer.json()["data"]) == (200, {"a": "3"})


def test_a_version_that_is_none_fails(maps: Objects, name: str) -> None:
    made = maps.made(name)
    answer = maps.put(with_metadata(made, resourceVersion="abc"))
    assert answer.status_code == 500
    assert answer.json()["message"] == 'strconv.ParseUint: parsing "abc": invalid syntax'


def test_a_replacement_of_another_uid_conflicts(maps: Objects, name: str, space: str) -> None:
    made = maps.made(name)
    answer = maps.put(with_metadata(made, uid=OTHER_UID, resourceVersion=None))
    why = (
        f"StorageError: invalid object, Code: 4, Key: /registry/configmaps/{space}/{name}, "
        "ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in precondition: "
        f"{OTHER_UID}, UID in object meta: {made['metadata']['uid']}"
    )
    assert_conflict(answer, "configmaps", name, why)


def test_what_is_not_there_is_not_replaced(maps: Objects, name: str) -> None:
    answer = maps.put(maps.body(name, {}))
    status = assert_status(answer, 404, "NotFound")
    assert status["message"] == f'configmaps "{name}" not found'


def test_a_replacement_without_change_keeps_the_version(maps: Objects, name: str) -> None:
    made = maps.made(name, data={"a": "1"})
    assert maps.put(made).json() == made
    assert maps.put(with_metadata(made, managedFields=None)).json() == made


def test_a_replacement_keeps_what_is_the_servers(maps: Objects, name: str) -> None:
    made = maps.made(name)
    other = with_metadata(made, creationTimestamp="2001-01-01T00:00:00Z", uid=None)
    found = maps.put(changed(other, data={"a": "b"})).json()["metadata"]
    assert (found["uid"], found["creationTimestamp"]) == (
        made["metadata"]["uid"],
        made["metadata"]["creationTimestamp"],
    )


def test_nobody_deletes_by_writing(maps: Objects, name: str) -> None:
    made = maps.made(name)
    time = "2001-01-01T00:00:00Z"
    found = causes(maps.put(with_metadata(made, deletionTimestamp=time)))
    assert {(field, reason) for field, reason, _ in found} == {
        ("metadata.deletionTimestamp", "FieldValueInvalid")
    }


def test_what_comes_later_is_checked_as_well(maps: Objects, name: str) -> None:
    made = maps.made(name)
    found = causes(maps.put(with_metadata(made, labels={"-": "x"})))
    assert {field for field, _, _ in found} == {"metadata.labels"}


def test_conflicts_are_told_before_what_is_wrong(maps: Objects, name: str) -> None:
    made = maps.made(name)
    maps.merged(name, {"data": {"a": "2"}})
    answer = maps.put(with_metadata(made, labels={"-": "x"}))
    assert_conflict(answer, "configmaps", name, STALE)


def test_ownership_is_forgotten_by_an_empty_list(maps: Objects, name: str) -> None:
    made = maps.made(name, data={"a": "b"})
    made["metadata"]["managedFields"] = []
    assert "managedFields" not in maps.put(made).json()["metadata"]
    assert "managedFields" not in maps.merged(name, {"data": {"c": "d"}})["metadata"]


def test_what_a_writer_changes_is_taken_from_others(maps: Objects, name: str) -> None:
    maps.post(maps.body(name, {"data": {"a": "1", "b": "1"}}), fieldManager="one")
    maps.merge(name, {"data": {"b": "2", "c": "2"}}, fieldManager="two")
    assert fields_by_manager(maps.get(name)) == {
        "one Update": {"f:data": {".": {}, "f:a": {}}},
        "two Update": {"f:data": {"f:b": {}, "f:c": {}}},
    }


# --- what never changes again


def test_an_immutable_config_map_stays(maps: Objects, name: str) -> None:
    maps.made(name, data={"a": "b"}, immutable=True)
    text = "Forbidden: field is immutable when `immutable` is set"
    assert_invalid(
        maps.merge(name, {"data": {"a": "c"}, "binaryData": {"d": "YQ=="}}),
        ("data", "FieldValueForbidden", text),
        ("binaryData", "FieldValueForbidden", text),
    )
    assert_invalid(
        maps.merge(name, {"immutable": None}), ("immutable", "FieldValueForbidden", text)
    )
    assert maps.merged(name, {"metadata": {"labels": {"a": "b"}}})["data"] == {"a": "b"}


def test_the_type_of_a_secret_stays(api: ApiServer, space: str, name: str) -> None:
    secrets = Objects(api, f"/api/v1/namespaces/{space}/secrets")
    secrets.made(name)
    answer = secrets.merge(name, {"type": "other"})
    message = f'Invalid value: "other": {IMMUTABLE}'
    assert_invalid(answer, ("type", "FieldValueInvalid", message))


def test_the_selector_of_a_deployment_stays(api: ApiServer, space: str, name: str) -> None:
    deployments = Objects(api, f"/apis/apps/v1/namespaces/{space}/deployments")
    labels = {"app": "a", "tier": "b"}
    pod = {"containers": [{"name": "c", "image": "i"}]}
    spec = {
        "selector": {"matchLabels": {"app": "a"}},
        "template": {"metadata": {"labels": labels}, "spec": pod},
    }
    deployments.made(name, spec=spec)
    answer = deployments.merge(name, {"spec": {"selector": {"matchLabels": {"tier": "b"}}}})
    shown = '{"matchLabels":{"app":"a","tier":"b"}}'
    message = f"Invalid value: {shown}: {IMMUTABLE}"
    assert_invalid(answer, ("spec.selector", "FieldValueInvalid", message))


def test_a_selector_matches_its_template(api: ApiServer, space: str, name: str) -> None:
    deployments = Objects(api, f"/apis/apps/v1/namespaces/{space}/deployments")
    pod = {"containers": [{"name": "c", "image": "i"}]}
    template = {"metadata": {"labels": {"app": "b"}}, "spec": pod}
    spec = {"selector": {"matchLabels": {"app": "a"}}, "template": template}
    message = 'Invalid value: {"app":"b"}: `selector` does not match template `labels`'
    assert_invalid(
        deployments.post(deployments.body(name, {"spec": spec})),
        ("spec.template.metadata.labels", "FieldValueInvalid", message),
    )


def test_what_a_node_was_given_stays(api: ApiServer, name: str) -> None:
    nodes = Objects(api, "/api/v1/nodes")
    nodes.made(name, spec={"podCIDR": "10.0.0.0/24", "providerID": "x"})
    text = 'Forbidden: node updates may not change {} except from "" to valid'
    answer = nodes.patch(name, {"spec": {"podCIDR": "10.0.1.0/24"}}, STRATEGIC)
    assert ("spec.podCIDRs", "FieldValueForbidden", text.format("podCIDR")) in causes(answer)
    assert_invalid(
        nodes.merge(name, {"spec": {"providerID": "y"}}),
        ("spec.providerID", "FieldValueForbidden", text.format("providerID")),
    )
    assert nodes.delete(name).status_code == 200


# --- generation and status


def test_a_generation_counts_changes_of_the_spec(api: ApiServer, space: str, name: str) -> None:
    slots = pools(api, space)
    assert slots.made(name, **POOL)["metadata"]["generation"] == 1

    def generation(patch: Any) -> Any:
        return slots.merged(name, patch)["metadata"]["generation"]

    assert generation({"metadata": {"labels": {"a": "b"}, "annotations": {"a": "b"}}}) == 1
    assert generation({"spec": {"autoAssign": False}}) == 2
    assert generation({"spec": {"autoAssign": False}}) == 2
    assert generation({"metadata": {"generation": 9}}) == 2


def test_the_status_of_a_service_is_written_apart(api: ApiServer, space: str, name: str) -> None:
    services = Objects(api, f"/api/v1/namespaces/{space}/services")
    services.made(name, spec={"ports": [{"port": 80}], "type": "LoadBalancer"})
    status = {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}
    assert services.merged(name, {"status": status})["status"] == {"loadBalancer": {}}
    patch = {"status": status, "spec": {"selector": {"a": "b"}}}
    found = services.patch(f"{name}/status", patch, MERGE).json()
    assert found["status"]["loadBalancer"]["ingress"][0]["ip"] == "192.0.2.1"
    assert "selector" not in found["spec"]


def test_the_status_of_a_node_is_written_apart(api: ApiServer, name: str) -> None:
    nodes = Objects(api, "/api/v1/nodes")
    nodes.made(name)
    ready = {"type": "Ready", "status": "True"}
    patch = {"status": {"conditions": [ready]}, "spec": {"unschedulable": True}}
    found = nodes.patch(f"{name}/status", patch, STRATEGIC).json()
    assert "unschedulable" not in found["spec"]
    (condition,) = found["status"]["conditions"]
    assert (condition["type"], condition["status"]) == ("Ready", "True")
    found = nodes.merged(name, {"spec": {"unschedulable": True}, "status": {"conditions": []}})
    assert found["spec"]["unschedulable"] is True
    assert len(found["status"]["conditions"]) == 1
    assert nodes.delete(name).status_code == 200


# --- dry runs


def test_a_creation_may_be_tried(maps: Objects, name: str) -> None:
    answer = maps.post(maps.body(name, {"data": {"a": "b"}}), dryRun="All")
    assert (answer.status_code, answer.json()["data"]) == (201, {"a": "b"})
    assert maps.is_gone(name)


def test_what_would_fail_fails_when_tried(maps: Objects, name: str) -> None:
    maps.made(name)
    answer = maps.post({"metadata": {"name": name}}, dryRun="All")
    assert_status(answer, 409, "AlreadyExists")


def test_a_change_may_be_tried(maps: Objects, name: str) -> None:
    made = maps.made(name, data={"a": "1"})
    assert maps.put(changed(made, data={"a": "2"}), dryRun="All").json()["data"] == {"a": "2"}
    assert maps.merge(name, {"data": {"a": "3"}}, dryRun="All").json()["data"] == {"a": "3"}
    assert maps.get(name) == made


def test_a_deletion_may_be_tried(maps: Objects, name: str) -> None:
    made = maps.made(name)
    answer = maps.api.http.delete(f"{maps.path}/{name}", params={"dryRun": "All"})
    assert answer.status_code == 200
    assert maps.delete(name, dryRun=["All"]).json()["status"] == "Success"
    assert maps.get(name) == made


# --- by kubectl


def test_kubectl_creates_what_has_a_command(kubectl: Kubectl, namespace: str) -> None:
    def create(*words: str) -> str:
        return kubectl("create", "-n", namespace, *words)

    assert create("configmap", "m", "--from-literal=a=b") == "configmap/m created\n"
    assert create("secret", "generic", "s", "--from-literal=a=b") == "secret/s created\n"
    assert create("service", "clusterip", "c", "--tcp=80:8080") == "service/c created\n"
    assert create("service", "loadbalancer", "l", "--tcp=80") == "service/l created\n"
    assert create("serviceaccount", "a") == "serviceaccount/a created\n"
    assert create("deployment", "d", "--image=i") == "deployment.apps/d created\n"
    secret = kubectl.json("get", "secret", "s", "-n", namespace)
    assert (secret["data"], secret["type"]) == ({"a": "Yg=="}, "Opaque")
    service = kubectl.json("get", "service", "c", "-n", namespace)["spec"]
    (port,) = service["ports"]
    assert (port["name"], port["port"], port["targetPort"]) == ("80-8080", 80, 8080)


def test_kubectl_tells_why_nothing_is_created(kubectl: Kubectl, namespace: str) -> None:
    refused = kubectl.fails("create", "configmap", "Bad_", "-n", namespace)
    assert refused.startswith(
        'error: failed to create configmap: ConfigMap "Bad_" is invalid: metadata.name: '
        'Invalid value: "Bad_": a lowercase RFC 1123 subdomain must consist of'
    )
    kubectl("create", "configmap", "a", "-n", namespace)
    refused = kubectl.fails("create", "configmap", "a", "-n", namespace)
    assert refused == 'error: failed to create configmap: configmaps "a" already exists\n'


def test_kubectl_replaces(kubectl: Kubectl, namespace: str) -> None:
    manifest = "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a}}\ndata: {{k: {}}}\n"
    missing = kubectl.fails("replace", "-n", namespace, "-f", "-", stdin=manifest.format("one"))
    assert missing == (
        'Error from server (NotFound): error when replacing "STDIN": configmaps "a" not found\n'
    )
    kubectl("create", "-n", namespace, "-f", "-", stdin=manifest.format("one"))
    first = kubectl.json("get", "configmap", "a", "-n", namespace)["metadata"]["uid"]
    done = kubectl("replace", "-n", namespace, "-f", "-", stdin=manifest.format("two"))
    assert done == "configmap/a replaced\n"
    kubectl("replace", "--force", "-n", namespace, "-f", "-", stdin=manifest.format("three"))
    found = kubectl.json("get", "configmap", "a", "-n", namespace)
    assert (found["data"], found["metadata"]["uid"] == first) == ({"k": "three"}, False)


def test_kubectl_edits(kubectl: Kubectl, namespace: str) -> None:
    kubectl("create", "configmap", "a", "-n", namespace, "--from-literal=k=one")
    editor = {"EDITOR": "sed -i 's/k: one/k: two/'"}
    done = kubectl.run("edit", "configmap", "a", "-n", namespace, env=editor)
    assert (done.returncode, done.stdout) == (0, "configmap/a edited\n"), done.stderr
    assert kubectl.json("get", "configmap", "a", "-n", namespace)["data"] == {"k": "two"}
    done = kubectl.run("edit", "configmap", "a", "-n", namespace, env={"EDITOR": "true"})
    assert (done.returncode, done.stderr) == (0, "Edit cancelled, no changes made.\n")


def test_kubectl_labels_and_annotates(kubectl: Kubectl, namespace: str) -> None:
    kubectl("create", "configmap", "a", "-n", namespace)
    for verb, done in (("label", "labeled"), ("annotate", "annotated")):
        words = (verb, "configmap", "a", "-n", namespace)
        assert kubectl(*words, "x=y") == f"configmap/a {done}\n"
        refused = kubectl.fails(*words, "x=z")
        assert "'x' already has a value (y)" in refused
        assert kubectl(*words, "--overwrite", "x=z") == f"configmap/a {done}\n"
        assert kubectl(*words, "x-") == f"configmap/a {'un' if verb == 'label' else ''}{done}\n"
    stale = kubectl.fails("label", "configmap", "a", "-n", namespace, "--resource-version=1", "q=r")
    assert STALE in stale


def test_kubectl_creates_a_namespace(api: ApiServer, kubectl: Kubectl) -> None:
    name = api.new_name("made")
    assert kubectl("create", "namespace", name) == f"namespace/{name} created\n"
    assert kubectl("delete", "namespace", name, "--wait=false").startswith(f'namespace "{name}"')


def test_kubectl_says_that_a_finalizer_was_added_too_late(
    kubectl: Kubectl, maps: Objects, space: str, name: str
) -> None:
    maps.made(name, metadata={"finalizers": [HOLD]})
    kubectl("delete", "configmap", name, "-n", space, "--wait=false")
    patch = '{"metadata":{"finalizers":["example.com/late"]}}'
    refused = kubectl.fails("patch", "configmap", name, "-n", space, "-p", patch)
    assert "no new finalizers can be added if the object is being deleted" in refused
    maps.release(name)
    assert maps.is_gone(name)
