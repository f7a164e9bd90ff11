import json
from typing import TYPE_CHECKING, Any, cast

import pytest

from ferrolb.crds import load_crds
from ferrolb.devserver.builtin import register_builtins
from ferrolb.devserver.definitions import served_resources, storage_of
from ferrolb.devserver.openapi import OpenApi
from ferrolb.devserver.ranges import ServiceRanges
from ferrolb.devserver.registry import Registry
from ferrolb.devserver.strategies import Strategy

if TYPE_CHECKING:
    from ferrolb.model import JsonObject

STRATEGIC = "application/strategic-merge-patch+json"


@pytest.fixture(scope="module")
def registry():
    made = Registry()
    register_builtins(made, ranges=ServiceRanges(), definitions=Strategy())
    for definition in load_crds():
        for resource in served_resources(definition):
            made.put(resource)
    return made


def document_at(registry: Registry, path: str) -> Any:
    content = OpenApi(registry).document(path)
    assert content is not None
    return json.loads(content)


def patch_of(document: Any, path: str) -> Any:
    return document["paths"][path]["patch"]


def references(node: Any) -> set[str]:
    if isinstance(node, list):
        return {name for item in node for name in references(item)}
    if not isinstance(node, dict):
        return set()
    found = {name for item in node.values() for name in references(item)}
    if isinstance(node.get("$ref"), str):
        found.add(node["$ref"].removeprefix("#/components/schemas/"))
    return found


def test_index_names_every_group_version(registry):
    index = cast("Any", OpenApi(registry).index())
    assert {"api/v1", "apis/apps/v1", "apis/metallb.io/v1beta1"} <= set(index["paths"])
    url = index["paths"]["apis/metallb.io/v1beta1"]["serverRelativeURL"]
    assert url.startswith("/openapi/v3/apis/metallb.io/v1beta1?hash=")
    assert len(url.rpartition("=")[2]) == 64


def test_unknown_group_version_has_no_document(registry):
    assert OpenApi(registry).document("apis/nothing/v1") is None


def test_every_document_is_closed(registry):
    api = OpenApi(registry)
    paths = list(cast("Any", api.index()["paths"]))
    assert len(paths) >= 10
    for path in paths:
        document = document_at(registry, path)
        assert references(document) <= set(document["components"]["schemas"])
        assert document["paths"]


@pytest.mark.parametrize(
    ("document", "path", "kind", "is_strategic"),
    [
        ("api/v1", "/api/v1/namespaces/{namespace}/services/{name}", "Service", True),
        ("api/v1", "/api/v1/namespaces/{namespace}/services/{name}/status", "Service", True),
        ("api/v1", "/api/v1/nodes/{name}", "Node", True),
        (
            "apis/metallb.io/v1beta1",
            "/apis/metallb.io/v1beta1/namespaces/{namespace}/ipaddresspools/{name}",
            "IPAddressPool",
            False,
        ),
    ],
)
def test_patch_tells_kubectl_what_it_asks(registry, document, path, kind, is_strategic):
    operation = patch_of(document_at(registry, document), path)
    assert operation["x-kubernetes-action"] == "patch"
    assert operation["x-kubernetes-group-version-kind"]["kind"] == kind
    names = [parameter["name"] for parameter in operation["parameters"]]
    assert {"dryRun", "fieldManager", "fieldValidation", "force"} <= set(names)
    types = operation["requestBody"]["content"]
    assert "application/apply-patch+yaml" in types
    assert (STRATEGIC in types) is is_strategic


def test_merge_keys_are_served_with_built_in_kinds(registry):
    schemas = document_at(registry, "api/v1")["components"]["schemas"]
    ports = schemas["io.k8s.api.core.v1.ServiceSpec"]["properties"]["ports"]
    assert ports["x-kubernetes-patch-merge-key"] == "port"


def test_custom_kind_is_found_by_its_identity(registry):
    schemas = document_at(registry, "apis/metallb.io/v1beta1")["components"]["schemas"]
    pool = schemas["io.metallb.v1beta1.IPAddressPool"]
    assert pool["x-kubernetes-group-version-kind"] == [
        {"group": "metallb.io", "version": "v1beta1", "kind": "IPAddressPool"}
    ]
    assert "addresses" in pool["properties"]["spec"]["properties"]
    of_list = schemas["io.metallb.v1beta1.IPAddressPoolList"]
    assert of_list["x-kubernetes-group-version-kind"][0]["kind"] == "IPAddressPoolList"


def test_paths_follow_scope_and_verbs(registry):
    paths = document_at(registry, "api/v1")["paths"]
    assert set(paths["/api/v1/namespaces/{namespace}/services"]) == {
        "get", "post", "delete", "parameters"
    }  # fmt: skip
    assert set(paths["/api/v1/services"]) == {"get", "parameters"}
    assert set(paths["/api/v1/nodes"]) == {"get", "post", "delete", "parameters"}
    assert "/api/v1/namespaces/{namespace}/nodes" not in paths
    listing = paths["/api/v1/services"]["get"]
    assert listing["operationId"] == "listCoreV1Service"
    item = paths["/api/v1/namespaces/{namespace}/services/{name}"]
    assert [parameter["name"] for parameter in item["parameters"]] == ["name", "namespace"]
    assert item["delete"]["requestBody"]["content"]
    status = paths["/api/v1/namespaces/{namespace}/services/{name}/status"]
    assert set(status) == {"get", "put", "patch", "parameters"}
    assert status["put"]["operationId"] == "putCoreV1NamespacedServiceStatus"


def test_operation_ids_are_unique(registry):
    for path in cast("Any", OpenApi(registry).index()["paths"]):
        ids = [
            operation["operationId"]
            for item in document_at(registry, path)["paths"].values()
            for method, operation in item.items()
            if method != "parameters"
        ]
        assert len(ids) == len(set(ids))


def test_document_is_made_anew_only_when_its_resources_change():
    made = Registry()
    register_builtins(made, ranges=ServiceRanges(), definitions=Strategy())
    api = OpenApi(made)
    core, before = api.document("api/v1"), api.index()
    assert api.document("api/v1") is core
    definition = load_crds()[0]
    resources = served_resources(definition)
    for resource in resources:
        made.put(resource)
    assert api.document("api/v1") is core
    path = f"apis/{resources[0].group}/{resources[0].version}"
    assert path not in cast("Any", before["paths"])
    with_one = api.document(path)
    assert with_one is not None
    for resource in served_resources(definition):
        made.put(resource)
    assert api.document(path) == with_one
    made.remove(storage_of(definition))
    assert api.document(path) is None


def test_definition_without_a_schema_is_open():
    definition: JsonObject = {
        "spec": {
            "group": "example.com",
            "scope": "Cluster",
            "names": {"kind": "Thing", "plural": "things"},
            "versions": [{"name": "v1", "served": True, "storage": True}],
        }
    }
    made = Registry()
    for resource in served_resources(definition):
        made.put(resource)
    schemas = document_at(made, "apis/example.com/v1")["components"]["schemas"]
    assert schemas["com.example.v1.Thing"]["x-kubernetes-preserve-unknown-fields"] is True


def test_default_that_looks_like_a_reference_is_left_alone():
    schema: JsonObject = {
        "type": "object",
        "properties": {
            "spec": {
                "type": "object",
                "x-kubernetes-preserve-unknown-fields": True,
                "default": {"$ref": "#/components/schemas/nothing"},
            }
        },
    }
    definition: JsonObject = {
        "spec": {
            "group": "example.com",
            "scope": "Namespaced",
            "names": {"kind": "Thing", "plural": "things"},
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": schema},
                }
            ],
        }
    }
    made = Registry()
    for resource in served_resources(definition):
        made.put(resource)
    assert (
        "com.example.v1.Thing" in document_at(made, "apis/example.com/v1")["components"]["schemas"]
    )
