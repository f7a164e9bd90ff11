"""The other built-in kinds: what they fill in, and what they hold still."""

import base64
import json
from typing import Any

import pytest
from tests.api_server import ApiServer
from tests.contract.services import warnings_of

MERGE = {"Content-Type": "application/merge-patch+json"}


class Objects:
    """The core objects of one namespace."""

    def __init__(self, api: ApiServer, namespace: str) -> None:
        self.http = api.http
        self.namespace = namespace

    def path(self, plural: str, group: str = "api/v1") -> str:
        return f"/{group}/namespaces/{self.namespace}/{plural}"

    def create(self, plural: str, name: str, /, **members: Any) -> Any:
        return self.http.post(self.path(plural), json={"metadata": {"name": name}, **members})

    def merge(self, path: str, body: Any) -> Any:
        return self.http.patch(path, content=json.dumps(body), headers=MERGE)

    def causes(self, answer: Any) -> list[tuple[str, str]]:
        assert answer.status_code == 422, answer.text
        return [(one["field"], one["message"]) for one in answer.json()["details"]["causes"]]


@pytest.fixture
def objects(api: ApiServer, namespace: str) -> Objects:
    return Objects(api, namespace)


def test_a_secret_is_opaque_unless_said_otherwise(objects: Objects) -> None:
    assert objects.create("secrets", "a").json()["type"] == "Opaque"


def test_a_secrets_string_data_is_merged_over_its_data(objects: Objects) -> None:
    data = {"a": base64.b64encode(b"1").decode(), "b": base64.b64encode(b"2").decode()}
    secret = objects.create("secrets", "a", data=data, stringData={"b": "3"}).json()
    assert secret["data"] == {"a": "MQ==", "b": "Mw=="}
    assert "stringData" not in secret


def test_a_secrets_data_is_base64(objects: Objects) -> None:
    answer = objects.create("secrets", "a", data={"a": "%"})
    assert (answer.status_code, answer.json()["reason"]) == (400, "BadRequest")


def test_a_secrets_type_is_immutable(objects: Objects) -> None:
    objects.create("secrets", "a")
    answer = objects.merge(objects.path("secrets/a"), {"type": "example.com/b"})
    text = 'Invalid value: "example.com/b": field is immutable'
    assert objects.causes(answer) == [("type", text)]


@pytest.mark.only_on("real", "checked against their schema and a few rules")
def test_a_secrets_keys_are_checked(objects: Objects) -> None:
    ((field, message),) = objects.causes(objects.create("secrets", "a", data={"a b": ""}))
    assert field == "data[a b]"
    assert message.startswith('Invalid value: "a b": a valid config key must consist of')


@pytest.mark.parametrize("plural", ["secrets", "configmaps"])
def test_what_is_immutable_keeps_its_data(objects: Objects, plural: str) -> None:
    objects.create(plural, "a", data={"a": "MQ=="}, immutable=True)
    answer = objects.merge(objects.path(f"{plural}/a"), {"data": {"a": "Mg=="}})
    text = "Forbidden: field is immutable when `immutable` is set"
    assert objects.causes(answer) == [("data", text)]


@pytest.mark.parametrize("plural", ["secrets", "configmaps"])
def test_what_is_immutable_stays_so(objects: Objects, plural: str) -> None:
    objects.create(plural, "a", immutable=True)
    answer = objects.merge(objects.path(f"{plural}/a"), {"immutable": None})
    text = "Forbidden: field is immutable when `immutable` is set"
    assert objects.causes(answer) == [("immutable", text)]


@pytest.mark.parametrize("plural", ["secrets", "configmaps"])
def test_what_is_immutable_may_be_labelled(objects: Objects, plural: str) -> None:
    objects.create(plural, "a", immutable=True)
    patch = {"metadata": {"labels": {"a": "b"}}}
    assert objects.merge(objects.path(f"{plural}/a"), patch).status_code == 200


def test_a_key_is_in_data_or_in_binary_data(objects: Objects) -> None:
    answer = objects.create("configmaps", "a", data={"a": "1"}, binaryData={"a": "MQ=="})
    text = 'Invalid value: "a": duplicate of key present in binaryData'
    assert objects.causes(answer) == [("data[a]", text)]


def test_endpoints_are_deprecated(objects: Objects) -> None:
    answer = objects.create("endpoints", "a")
    text = "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice"
    assert (answer.status_code, warnings_of(answer)) == (201, [text])


def _slice(**members: Any) -> dict[str, Any]:
    return {"metadata": {"name": "a"}, "addressType": "IPv4", "endpoints": [], **members}


def _slices(objects: Objects) -> str:
    return objects.path("endpointslices", "apis/discovery.k8s.io/v1")


def test_a_slices_address_type_is_immutable(objects: Objects) -> None:
    made = objects.http.post(_slices(objects), json=_slice()).json()
    changed = {**made, "addressType": "IPv6"}
    answer = objects.http.put(f"{_slices(objects)}/a", json=changed)
    text = 'Invalid value: "IPv6": field is immutable'
    assert objects.causes(answer) == [("addressType", text)]


def test_a_slice_needs_an_address_type(objects: Objects) -> None:
    answer = objects.http.post(_slices(objects), json=_slice(addressType=""))
    assert ("addressType", "Required value") in objects.causes(answer)


def test_a_slices_address_type_is_one_of_three(objects: Objects) -> None:
    answer = objects.http.post(_slices(objects), json=_slice(addressType="IP"))
    text = 'Unsupported value: "IP": supported values: "FQDN", "IPv4", "IPv6"'
    assert objects.causes(answer) == [("addressType", text)]


def test_a_slices_endpoint_needs_an_address(objects: Objects) -> None:
    answer = objects.http.post(_slices(objects), json=_slice(endpoints=[{"addresses": []}]))
    text = "must contain at least 1 address"
    assert objects.causes(answer) == [("endpoints[0].addresses", f"Required value: {text}")]


@pytest.mark.only_on("real", "checked against their schema and a few rules")
def test_a_slices_addresses_are_of_its_type(objects: Objects) -> None:
    endpoints = [{"addresses": ["fd00::1"]}]
    answer = objects.http.post(_slices(objects), json=_slice(endpoints=endpoints))
    text = 'Invalid value: "fd00::1": must be an IPv4 address'
    assert objects.causes(answer) == [("endpoints[0].addresses", text)]


def test_a_slices_ports_have_defaults(objects: Objects) -> None:
    made = objects.http.post(_slices(objects), json=_slice(ports=[{"port": 80}])).json()
    assert made["ports"] == [{"name": "", "port": 80, "protocol": "TCP"}]


def test_a_node_keeps_the_status_it_is_made_with(api: ApiServer) -> None:
    address = {"type": "InternalIP", "address": "192.0.2.1"}
    body = {"metadata": {"name": api.new_name("node")}, "status": {"addresses": [address]}}
    made = api.http.post("/api/v1/nodes", json=body).json()
    assert made["status"]["addresses"] == [address]


def test_a_nodes_status_is_written_apart(api: ApiServer, objects: Objects) -> None:
    name = api.new_name("node")
    api.http.post("/api/v1/nodes", json={"metadata": {"name": name}})
    condition = {"type": "Ready", "status": "True"}
    path = f"/api/v1/nodes/{name}"
    found = objects.merge(f"{path}/status", {"status": {"conditions": [condition]}}).json()
    assert condition.items() <= found["status"]["conditions"][0].items()
    kept = objects.merge(path, {"spec": {"unschedulable": True}, "status": {"conditions": []}})
    assert kept.json()["spec"]["unschedulable"] is True
    assert len(kept.json()["status"]["conditions"]) == 1


def test_a_nodes_pod_ranges_are_kept(api: ApiServer) -> None:
    spec = {"podCIDR": "10.1.0.0/24", "podCIDRs": ["10.1.0.0/24", "fd01::/64"]}
    body = {"metadata": {"name": api.new_name("node")}, "spec": spec}
    assert spec.items() <= api.http.post("/api/v1/nodes", json=body).json()["spec"].items()


def test_a_service_account_has_no_tokens(objects: Objects) -> None:
    made = objects.create("serviceaccounts", "a").json()
    assert "secrets" not in made


def _workload(**spec: Any) -> dict[str, Any]:
    labels = {"app": "a"}
    pod = {"containers": [{"name": "main", "image": "example/app"}]}
    template = {"metadata": {"labels": labels}, "spec": pod}
    selector = {"matchLabels": labels}
    return {"metadata": {"name": "a"}, "spec": {"selector": selector, "template": template, **spec}}


@pytest.mark.parametrize("plural", ["deployments", "replicasets"])
def test_a_workload_has_one_replica_unless_said_otherwise(objects: Objects, plural: str) -> None:
    made = objects.http.post(objects.path(plural, "apis/apps/v1"), json=_workload()).json()
    assert (made["spec"]["replicas"], made["metadata"]["generation"]) == (1, 1)


@pytest.mark.parametrize("plural", ["deployments", "replicasets", "daemonsets"])
def test_a_workloads_selector_is_immutable(objects: Objects, plural: str) -> None:
    path = objects.path(plural, "apis/apps/v1")
    made = objects.http.post(path, json=_workload()).json()
    made["spec"]["selector"] = {"matchLabels": {"app": "b"}}
    made["spec"]["template"]["metadata"]["labels"] = {"app": "b"}
    ((field, message),) = objects.causes(objects.http.put(f"{path}/a", json=made))
    assert field == "spec.selector"
    assert message.endswith("field is immutable")


def test_annotations_of_a_deployment_count_as_a_new_generation_and_labels_do_not(
    api: ApiServer, namespace: str
) -> None:
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments"
    labels = {"app": "a"}
    pod = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    spec = {"selector": {"matchLabels": labels}, "template": pod}
    made = api.http.post(path, json={"metadata": {"name": "d"}, "spec": spec})
    assert made.json()["metadata"]["generation"] == 1
    generations = []
    for member in ("labels", "annotations"):
        patch = json.dumps({"metadata": {member: {"x": "y"}}})
        answer = api.http.patch(f"{path}/d", content=patch, headers=MERGE)
        generations.append(answer.json()["metadata"]["generation"])
    assert generations == [1, 2]
