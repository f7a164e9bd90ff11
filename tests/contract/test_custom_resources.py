"""FerroLB's own kinds take what is meant and refuse the rest; how custom resources are written."""

from typing import Any

import pytest
from tests.api_server import ApiServer
from tests.contract.reading import assert_status
from tests.contract.writing import (
    APPLY,
    JSON,
    MERGE,
    POOL,
    STALE,
    Objects,
    as_set,
    assert_conflict,
    assert_invalid,
    cases_of,
    causes,
    changed,
    fields_by_manager,
    ids_of,
    own_resources,
    pools,
    with_metadata,
)
from tests.fakes.devserver import Kubectl

from ferrolb.crds import load_crds

CASES = cases_of("own_resources.json")
TAKEN = [case for case in CASES if "becomes" in case]
REFUSED = [case for case in CASES if "causes" in case]
COUNTERS = {"assignedIPv4": 1, "assignedIPv6": 0, "availableIPv4": 13, "availableIPv6": 0}


@pytest.fixture(scope="module")
def space(api: ApiServer) -> str:
    return api.new_namespace()


@pytest.fixture(scope="module")
def slots(api: ApiServer, space: str) -> Objects:
    return pools(api, space)


@pytest.fixture
def name(api: ApiServer) -> str:
    return api.new_name("c")


# --- our kinds


@pytest.mark.parametrize("case", TAKEN, ids=ids_of(TAKEN))
def test_taken(api: ApiServer, space: str, name: str, case: Any) -> None:
    objects = own_resources(api, space, case["kind"], case["version"])
    answer = objects.post(
        {"metadata": {"name": name}, "spec": case["spec"]}, fieldValidation="Strict"
    )
    assert answer.status_code == 201, answer.text
    assert answer.json()["spec"] == case["becomes"]


@pytest.mark.parametrize("case", REFUSED, ids=ids_of(REFUSED))
def test_refused(api: ApiServer, space: str, case: Any) -> None:
    objects = own_resources(api, space, case["kind"], case["version"])
    answer = objects.post({"metadata": {"name": "x"}, "spec": case["spec"]})
    status = assert_status(answer, 422, "Invalid")
    assert causes(answer) == as_set(case["causes"])
    assert status["message"].startswith(f'{case["kind"]}.metallb.io "x" is invalid: ')


def test_the_table_is_whole() -> None:
    assert (len(TAKEN), len(REFUSED)) == (19, 23)


@pytest.mark.parametrize("definition", load_crds(), ids=lambda each: str(each["metadata"]["name"]))
def test_our_definitions_are_served_in_all_their_versions(api: ApiServer, definition: Any) -> None:
    spec = definition["spec"]
    plural = spec["names"]["plural"]
    for version in spec["versions"]:
        path = f"/apis/{spec['group']}/{version['name']}/{plural}"
        assert api.http.get(path).json()["kind"] == spec["names"]["listKind"]


def test_a_peer_is_the_same_in_both_versions(api: ApiServer, space: str, name: str) -> None:
    older = own_resources(api, space, "BGPPeer", "v1beta1")
    newer = own_resources(api, space, "BGPPeer", "v1beta2")
    made = older.made(name, spec={"myASN": 1, "peerASN": 2, "peerAddress": "192.0.2.9"})
    found = newer.get(name)
    assert found["apiVersion"] == "metallb.io/v1beta2"
    assert found["metadata"]["uid"] == made["metadata"]["uid"]
    assert found["spec"]["peerAddress"] == "192.0.2.9"


def test_graceful_restart_of_a_peer_never_changes(api: ApiServer, space: str, name: str) -> None:
    peers = own_resources(api, space, "BGPPeer", "v1beta2")
    spec = {"myASN": 1, "peerASN": 2, "peerAddress": "192.0.2.9", "enableGracefulRestart": True}
    peers.made(name, spec=spec)
    message = 'Invalid value: "boolean": EnableGracefulRestart cannot be changed after creation'
    assert_invalid(
        peers.merge(name, {"spec": {"enableGracefulRestart": False}}),
        ("spec.enableGracefulRestart", "FieldValueInvalid", message),
    )


def test_whose_status_it_is_never_changes(api: ApiServer, space: str, name: str) -> None:
    statuses = own_resources(api, space, "ServiceL2Status")
    statuses = Objects(api, statuses.path.replace("statuss", "statuses"), statuses.identity)
    statuses.made(name, spec={})
    first = {"node": "a", "serviceName": "s", "serviceNamespace": "n"}
    assert statuses.patch(f"{name}/status", {"status": first}, MERGE).status_code == 200
    answer = statuses.patch(f"{name}/status", {"status": {"node": "b"}}, MERGE)
    message = 'Invalid value: "string": Value is immutable'
    assert_invalid(answer, ("status.node", "FieldValueInvalid", message))


# --- what a body has to say


def test_a_custom_resource_says_its_version(slots: Objects) -> None:
    answer = slots.api.http.post(slots.path, json={"kind": "IPAddressPool"})
    status = assert_status(answer, 400, "BadRequest")
    assert status["message"] == (
        "the API version in the data () does not match the expected API version "
        "(metallb.io/v1beta1)"
    )


def test_a_custom_resource_says_its_kind(slots: Objects) -> None:
    body = b'{"apiVersion":"metallb.io/v1beta1"}'
    answer = slots.api.http.post(
        slots.path, content=body, headers={"Content-Type": "application/json"}
    )
    status = assert_status(answer, 400, "BadRequest")
    text = body.decode()
    assert status["message"] == (
        "the object provided is unrecognized (must be of type IPAddressPool): Object 'Kind' is "
        f"missing in '{text}' ({text[:30]} ...)"
    )


def test_a_custom_resource_is_of_its_kind(slots: Objects) -> None:
    answer = slots.post({"metadata": {"name": "x"}, "kind": "Other", **POOL})
    status = assert_status(answer, 422, "Invalid")
    assert status["message"] == (
        'Other.metallb.io "x" is invalid: kind: Invalid value: "Other": must be IPAddressPool'
    )


@pytest.mark.parametrize(
    ("patch", "message"),
    [
        (
            {"kind": "Other"},
            'Other.metallb.io "{}" is invalid: kind: Invalid value: "Other": must be IPAddressPool',
        ),
        (
            {"apiVersion": "v1"},
            'IPAddressPool "{}" is invalid: apiVersion: Invalid value: "v1": must be '
            "metallb.io/v1beta1",
        ),
    ],
    ids=["kind", "version"],
)
def test_a_patch_changes_no_kind(slots: Objects, name: str, patch: Any, message: str) -> None:
    slots.made(name, **POOL)
    status = assert_status(slots.merge(name, patch), 422, "Invalid")
    assert status["message"] == message.format(name)


def test_there_is_nothing_below_but_the_status(slots: Objects, name: str) -> None:
    slots.made(name, **POOL)
    status = assert_status(slots.ask(f"{name}/scale"), 404, "NotFound")
    assert status["message"] == f'ipaddresspools.metallb.io "{name}" not found'


# --- replacing


@pytest.mark.parametrize("version", [None, "0"], ids=["none", "zero"])
def test_a_replacement_says_which_version_it_replaces(
    slots: Objects, name: str, version: str | None
) -> None:
    made = slots.made(name, **POOL)
    answer = slots.put(with_metadata(made, resourceVersion=version))
    status = assert_status(answer, 422, "Invalid")
    assert status["message"] == (
        f'ipaddresspools.metallb.io "{name}" is invalid: metadata.resourceVersion: Invalid value: '
        "0: must be specified for an update"
    )
    assert status["details"]["kind"] == "ipaddresspools"


def test_a_replacement_of_an_older_version_conflicts(slots: Objects, name: str) -> None:
    made = slots.made(name, **POOL)
    slots.merged(name, {"spec": {"autoAssign": False}})
    assert_conflict(slots.put(made), "ipaddresspools.metallb.io", name, STALE)


def test_a_replacement_without_change_keeps_the_version(slots: Objects, name: str) -> None:
    made = slots.made(name, **POOL)
    assert slots.put(made).json() == made


def test_a_replacement_fills_in_defaults(slots: Objects, name: str) -> None:
    made = slots.made(name, spec={**POOL["spec"], "autoAssign": False})
    answer = slots.put(changed(made, **POOL))
    assert answer.json()["spec"] == {**POOL["spec"], "autoAssign": True, "avoidBuggyIPs": False}
    assert answer.json()["metadata"]["generation"] == 2


def test_a_generation_is_not_the_clients(slots: Objects, name: str) -> None:
    assert slots.made(name, metadata={"generation": 9}, **POOL)["metadata"]["generation"] == 1


# --- status


def test_a_status_is_not_made_with_its_object(slots: Objects, name: str) -> None:
    assert "status" not in slots.made(name, **POOL, status=COUNTERS)
    assert "status" not in slots.merged(name, {"status": COUNTERS})


def test_only_the_status_is_written_through_the_status(slots: Objects, name: str) -> None:
    made = slots.made(name, **POOL)
    other = with_metadata(made, labels={"a": "b"}, finalizers=["example.com/a"])
    body = changed(other, status=COUNTERS, spec={"addresses": []})
    answer = slots.api.http.put(f"{slots.path}/{name}/status", json=body)
    found = answer.json()
    assert (found["status"], found["spec"]) == (COUNTERS, made["spec"])
    assert not {"labels", "finalizers"} & found["metadata"].keys()
    assert found["metadata"]["generation"] == 1


@pytest.mark.parametrize(
    ("patch", "content_type"),
    [
        ({"status": COUNTERS, "spec": {"autoAssign": False}}, MERGE),
        ([{"op": "add", "path": "/status", "value": COUNTERS}], JSON),
    ],
    ids=["merge", "json"],
)
def test_a_status_is_patched(slots: Objects, name: str, patch: Any, content_type: str) -> None:
    made = slots.made(name, **POOL)
    found = slots.patch(f"{name}/status", patch, content_type).json()
    assert (found["status"], found["spec"]) == (COUNTERS, made["spec"])
    again = slots.patch(f"{name}/status", patch, MERGE if content_type == MERGE else JSON)
    assert again.json() == found


def test_who_writes_the_status_owns_it_apart(slots: Objects, name: str) -> None:
    slots.applied(name, "one", **POOL)
    body = slots.body(name, {"status": COUNTERS})
    answer = slots.patch(f"{name}/status", body, APPLY, fieldManager="two")
    assert answer.status_code == 200, answer.text
    owned = fields_by_manager(answer.json())
    assert owned == {
        "one Apply": {"f:spec": {"f:addresses": {}}},
        "two Apply status": {"f:status": {f"f:{field}": {} for field in COUNTERS}},
    }


def test_a_status_may_be_read_apart(slots: Objects, name: str) -> None:
    made = slots.made(name, **POOL)
    assert slots.get(f"{name}/status") == made


# --- by kubectl


def _manifest(name: str, address: Any) -> str:
    return (
        "apiVersion: metallb.io/v1beta1\nkind: IPAddressPool\n"
        f"metadata: {{name: {name}}}\nspec: {{addresses: [{address}]}}\n"
    )


def test_kubectl_applies_custom_resources(kubectl: Kubectl, space: str, name: str) -> None:
    words = ("apply", "-n", space, "-f", "-")
    pool = f"ipaddresspool.metallb.io/{name}"
    assert kubectl(*words, stdin=_manifest(name, "192.0.2.0/28")) == f"{pool} created\n"
    assert kubectl(*words, stdin=_manifest(name, "192.0.2.0/28")) == f"{pool} unchanged\n"
    assert kubectl(*words, stdin=_manifest(name, "192.0.2.0/29")) == f"{pool} configured\n"


def test_kubectl_tells_what_is_wrong(kubectl: Kubectl, space: str, name: str) -> None:
    words = ("apply", "-n", space, "-f", "-")
    refused = kubectl.fails(*words, stdin=_manifest(name, 5))
    assert refused == (
        f'The IPAddressPool "{name}" is invalid: spec.addresses[0]: Invalid value: "integer": '
        'spec.addresses[0] in body must be of type string: "integer"\n'
    )
    kubectl(*words, stdin=_manifest(name, "192.0.2.0/28"))
    unknown = _manifest(name, "192.0.2.0/28") + "bogus: 1\n"
    assert 'strict decoding error: unknown field "bogus"' in kubectl.fails(*words, stdin=unknown)


def test_kubectl_waits_for_a_field(kubectl: Kubectl, slots: Objects, space: str, name: str) -> None:
    slots.made(name, **POOL)
    words = ("wait", f"ipaddresspool/{name}", "-n", space)
    going = kubectl.start(*words, "--for=jsonpath={.status.availableIPv4}=13", "--timeout=30s")
    slots.patch(f"{name}/status", {"status": COUNTERS}, MERGE)
    assert going.communicate(timeout=30)[0] == f"ipaddresspool.metallb.io/{name} condition met\n"
