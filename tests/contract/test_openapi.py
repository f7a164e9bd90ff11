"""OpenAPI v3: the index, one document a group version, and what `kubectl explain` makes of it."""

import pytest
from tests.contract.reading import DEFINITIONS, Things, definition, serve_definition

GROUP_VERSIONS = [
    "api/v1",
    "apis/apps/v1",
    "apis/apiextensions.k8s.io/v1",
    "apis/coordination.k8s.io/v1",
    "apis/discovery.k8s.io/v1",
    "apis/events.k8s.io/v1",
    "apis/rbac.authorization.k8s.io/v1",
    "apis/metallb.io/v1beta1",
    "apis/metallb.io/v1beta2",
]
META = "io.k8s.apimachinery.pkg.apis.meta.v1"


def index(api):
    return api.http.get("/openapi/v3").json()["paths"]


def document(api, path):
    answer = api.http.get(index(api)[path]["serverRelativeURL"])
    assert answer.status_code == 200
    return answer.json()


@pytest.fixture(scope="module")
def pools(api):
    return document(api, "apis/metallb.io/v1beta1")


@pytest.fixture(scope="module")
def core(api):
    return document(api, "api/v1")


def test_index_has_a_document_for_each_group_version(api):
    paths = index(api)
    assert set(GROUP_VERSIONS) <= set(paths)
    for path in GROUP_VERSIONS:
        assert paths[path]["serverRelativeURL"].startswith(f"/openapi/v3/{path}?hash=")


def test_document_that_is_known_is_not_sent_again(api):
    url = index(api)["apis/metallb.io/v1beta1"]["serverRelativeURL"]
    tag = api.http.get(url).headers["etag"]
    again = api.http.get(url, headers={"If-None-Match": tag})
    assert (again.status_code, again.content) == (304, b"")


def test_document_of_an_old_hash_is_elsewhere(api):
    url = index(api)["apis/metallb.io/v1beta1"]["serverRelativeURL"]
    answer = api.http.get("/openapi/v3/apis/metallb.io/v1beta1", params={"hash": "OLD"})
    assert (answer.status_code, answer.headers["location"]) == (301, url)


def test_document_that_is_not_there(api):
    assert api.http.get("/openapi/v3/apis/nothing.example.com/v1").status_code == 404


def test_document_is_openapi_3_of_kubernetes(pools):
    assert pools["openapi"] == "3.0.0"
    assert pools["info"]["title"].startswith("Kubernetes")
    assert {"paths", "components"} <= set(pools)


@pytest.mark.parametrize(
    ("name", "identity"),
    [
        ("io.k8s.api.core.v1.Service", {"group": "", "version": "v1", "kind": "Service"}),
        ("io.k8s.api.core.v1.ServiceList", {"group": "", "version": "v1", "kind": "ServiceList"}),
    ],
)
def test_built_in_schema_names_group_version_and_kind(core, name, identity):
    schema = core["components"]["schemas"][name]
    assert schema["x-kubernetes-group-version-kind"] == [identity]


@pytest.mark.parametrize("kind", ["IPAddressPool", "IPAddressPoolList", "L2Advertisement"])
def test_custom_schema_names_group_version_and_kind(pools, kind):
    schema = pools["components"]["schemas"][f"io.metallb.v1beta1.{kind}"]
    identity = {"group": "metallb.io", "version": "v1beta1", "kind": kind}
    assert schema["x-kubernetes-group-version-kind"] == [identity]


def test_list_keys_and_merge_keys_are_told(core):
    ports = core["components"]["schemas"]["io.k8s.api.core.v1.ServiceSpec"]["properties"]["ports"]
    assert ports["x-kubernetes-list-type"] == "map"
    assert ports["x-kubernetes-list-map-keys"] == ["port", "protocol"]
    assert (ports["x-kubernetes-patch-strategy"], ports["x-kubernetes-patch-merge-key"]) == (
        "merge",
        "port",
    )


@pytest.mark.parametrize("method", ["post", "put", "patch"])
def test_writes_take_field_validation(core, pools, method):
    suffix = "" if method == "post" else "/{name}"
    for shown, path in (
        (core, "/api/v1/namespaces/{namespace}/services"),
        (pools, "/apis/metallb.io/v1beta1/namespaces/{namespace}/ipaddresspools"),
    ):
        parameters = {one["name"] for one in shown["paths"][path + suffix][method]["parameters"]}
        assert {"dryRun", "fieldManager", "fieldValidation"} <= parameters


def test_lists_take_the_options_of_lists(pools):
    path = "/apis/metallb.io/v1beta1/namespaces/{namespace}/ipaddresspools"
    assert {one["name"] for one in pools["paths"][path]["get"]["parameters"]} == {
        "allowWatchBookmarks",
        "continue",
        "fieldSelector",
        "labelSelector",
        "limit",
        "resourceVersion",
        "resourceVersionMatch",
        "sendInitialEvents",
        "timeoutSeconds",
        "watch",
    }


@pytest.mark.parametrize(
    ("method", "action"), [("get", "get"), ("put", "put"), ("patch", "patch"), ("delete", "delete")]
)
def test_operations_tell_their_action_and_kind(pools, method, action):
    path = "/apis/metallb.io/v1beta1/namespaces/{namespace}/ipaddresspools/{name}"
    operation = pools["paths"][path][method]
    assert operation["x-kubernetes-action"] == action
    assert operation["x-kubernetes-group-version-kind"] == {
        "group": "metallb.io",
        "version": "v1beta1",
        "kind": "IPAddressPool",
    }


def test_patch_bodies_are_of_the_patch_types(core, pools):
    def types(shown, path):
        return set(shown["paths"][path]["patch"]["requestBody"]["content"])

    custom = {
        "application/apply-patch+yaml",
        "application/json-patch+json",
        "application/merge-patch+json",
    }
    found = types(pools, "/apis/metallb.io/v1beta1/namespaces/{namespace}/ipaddresspools/{name}")
    assert found == custom
    built_in = types(core, "/api/v1/namespaces/{namespace}/services/{name}")
    assert built_in >= {*custom, "application/strategic-merge-patch+json"}


def test_every_reference_within_a_document_leads_somewhere(pools):
    def references(value):
        if isinstance(value, dict):
            for key, inner in value.items():
                if key == "$ref" and isinstance(inner, str):
                    yield inner
                else:
                    yield from references(inner)
        elif isinstance(value, list):
            for inner in value:
                yield from references(inner)

    found = {one.removeprefix("#/components/schemas/") for one in references(pools)}
    assert f"{META}.ObjectMeta" in found
    assert found <= set(pools["components"]["schemas"])


@pytest.fixture
def gadgets(api):
    """Give a group with a definition of Gadgets."""
    group = f"{api.new_name('explained')}.example.com"
    serve_definition(api, definition(group))
    return group


def await_index(api, path, *, is_there):
    """Ask until a document comes or goes: a real server makes it a moment after discovery."""
    for _ in range(3000):
        if (path in index(api)) is is_there:
            return
    raise AssertionError(path)


def test_schema_of_a_definition_keeps_its_extensions(api, gadgets):
    await_index(api, f"apis/{gadgets}/v1", is_there=True)
    schemas = document(api, f"apis/{gadgets}/v1")["components"]["schemas"]
    (name,) = (one for one in schemas if one.endswith(".v1.Gadget"))
    assert name == ".".join([*reversed(gadgets.split(".")), "v1", "Gadget"])
    spec = schemas[name]["properties"]["spec"]
    assert spec["description"] == "What is wanted of a gadget."
    assert spec["properties"]["free"]["x-kubernetes-preserve-unknown-fields"] is True
    assert spec["properties"]["port"]["x-kubernetes-int-or-string"] is True
    assert spec["properties"]["parts"]["x-kubernetes-list-type"] == "set"


def test_document_of_a_definition_vanishes_with_it(api, gadgets):
    await_index(api, f"apis/{gadgets}/v1", is_there=True)
    Things(api, DEFINITIONS).delete(f"gadgets.{gadgets}")
    await_index(api, f"apis/{gadgets}/v1", is_there=False)


@pytest.mark.parametrize(
    ("words", "texts"),
    [
        (["service"], ["KIND:       Service", "VERSION:    v1", "spec\t<ServiceSpec>"]),
        (["service.spec.type"], ["FIELD: type <string>"]),
        (["deployment"], ["GROUP:      apps"]),
        (["ipaddresspool"], ["GROUP:      metallb.io", "VERSION:    v1beta1"]),
        (["ipaddresspool.spec.addresses"], ["FIELD: addresses <[]string>"]),
        (["ipaddresspool", "--recursive"], ["autoAssign\t<boolean>"]),
    ],
    ids=["kind", "field", "group", "custom_kind", "custom_field", "recursive"],
)
def test_kubectl_explains(kubectl, words, texts):
    printed = kubectl("explain", *words)
    assert [text for text in texts if text not in printed] == []
