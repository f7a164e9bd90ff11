"""Discovery in both forms, field by field for each resource that the dev API server has."""

import pytest
from tests.contract.reading import DEFINITIONS, Things, definition, serve_definition

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
ALL = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]
CUSTOM = ["delete", "deletecollection", "get", "list", "patch", "create", "update", "watch"]
OF_STATUS = ["get", "patch", "update"]


CORE = "/api/v1"
APPS = "/apis/apps/v1"
RBAC = "/apis/rbac.authorization.k8s.io/v1"
ENTRIES = [
    # path, plural, kind, short names, categories, namespaced
    (CORE, "configmaps", "ConfigMap", ["cm"], [], True),
    (CORE, "endpoints", "Endpoints", ["ep"], [], True),
    (CORE, "events", "Event", ["ev"], [], True),
    (CORE, "nodes", "Node", ["no"], [], False),
    (CORE, "pods", "Pod", ["po"], ["all"], True),
    (CORE, "secrets", "Secret", [], [], True),
    (CORE, "serviceaccounts", "ServiceAccount", ["sa"], [], True),
    (CORE, "services", "Service", ["svc"], ["all"], True),
    (APPS, "daemonsets", "DaemonSet", ["ds"], ["all"], True),
    (APPS, "deployments", "Deployment", ["deploy"], ["all"], True),
    (APPS, "replicasets", "ReplicaSet", ["rs"], ["all"], True),
    ("/apis/coordination.k8s.io/v1", "leases", "Lease", [], [], True),
    ("/apis/discovery.k8s.io/v1", "endpointslices", "EndpointSlice", [], [], True),
    ("/apis/events.k8s.io/v1", "events", "Event", ["ev"], [], True),
    (RBAC, "clusterroles", "ClusterRole", [], [], False),
    (RBAC, "clusterrolebindings", "ClusterRoleBinding", [], [], False),
    (RBAC, "roles", "Role", [], [], True),
    (RBAC, "rolebindings", "RoleBinding", [], [], True),
    (
        "/apis/apiextensions.k8s.io/v1",
        "customresourcedefinitions",
        "CustomResourceDefinition",
        ["crd", "crds"],
        ["api-extensions"],
        False,
    ),
    (
        "/apis/admissionregistration.k8s.io/v1",
        "validatingwebhookconfigurations",
        "ValidatingWebhookConfiguration",
        [],
        ["api-extensions"],
        False,
    ),
]
IDS = [f"{entry[1]}-{entry[0].split('/')[2]}" for entry in ENTRIES]


def resources_at(api, path):
    return {entry["name"]: entry for entry in api.http.get(path).json()["resources"]}


def aggregated(api, path):
    answer = api.http.get(path, headers={"Accept": AGGREGATED})
    return {item["metadata"].get("name", ""): item for item in answer.json()["items"]}


@pytest.mark.parametrize("entry", ENTRIES, ids=IDS)
def test_entry_of_a_built_in_resource(api, entry):
    path, plural, kind, short, categories, namespaced = entry
    found = resources_at(api, path)[plural]
    assert found.pop("storageVersionHash")
    assert found == {
        "name": plural,
        "singularName": kind.lower(),
        "namespaced": namespaced,
        "kind": kind,
        "verbs": ALL,
        **({"shortNames": short} if short else {}),
        **({"categories": categories} if categories else {}),
    }


@pytest.mark.parametrize("entry", ENTRIES, ids=IDS)
def test_aggregated_entry_of_a_built_in_resource(api, entry):
    path, plural, kind, short, categories, namespaced = entry
    _, root, *group, version = path.split("/")
    groups = aggregated(api, f"/{root}")
    (served,) = (one for one in groups["".join(group)]["versions"] if one["version"] == version)
    (found,) = (one for one in served["resources"] if one["resource"] == plural)
    found.pop("subresources", None)
    assert found == {
        "resource": plural,
        "responseKind": {"group": "", "version": "", "kind": kind},
        "scope": "Namespaced" if namespaced else "Cluster",
        "singularResource": kind.lower(),
        "verbs": ALL,
        **({"shortNames": short} if short else {}),
        **({"categories": categories} if categories else {}),
    }


def test_namespaces_are_not_deleted_as_a_collection(api):
    entry = resources_at(api, CORE)["namespaces"]
    assert entry["verbs"] == [verb for verb in ALL if verb != "deletecollection"]
    assert (entry["shortNames"], entry["namespaced"]) == (["ns"], False)
    answer = api.http.delete("/api/v1/namespaces", params={"labelSelector": "no=match"})
    assert answer.status_code == 405


STATUSES = [
    (CORE, "services", "Service"),
    (CORE, "namespaces", "Namespace"),
    (CORE, "nodes", "Node"),
    (CORE, "pods", "Pod"),
    (APPS, "deployments", "Deployment"),
    ("/apis/metallb.io/v1beta1", "ipaddresspools", "IPAddressPool"),
]


@pytest.mark.parametrize(("path", "plural", "kind"), STATUSES, ids=[one[1] for one in STATUSES])
def test_status_is_a_subresource(api, path, plural, kind):
    resources = resources_at(api, path)
    assert resources[f"{plural}/status"] == {
        "name": f"{plural}/status",
        "singularName": "",
        "namespaced": resources[plural]["namespaced"],
        "kind": kind,
        "verbs": OF_STATUS,
    }


def test_entry_of_a_custom_resource(api):
    entry = resources_at(api, "/apis/metallb.io/v1beta1")["ipaddresspools"]
    assert entry.pop("storageVersionHash")
    assert entry == {
        "name": "ipaddresspools",
        "singularName": "ipaddresspool",
        "namespaced": True,
        "kind": "IPAddressPool",
        "verbs": CUSTOM,
    }


def test_aggregated_entry_of_a_custom_resource_names_its_group(api):
    versions = {one["version"]: one for one in aggregated(api, "/apis")["metallb.io"]["versions"]}
    assert list(versions) == ["v1beta2", "v1beta1", "v1alpha1"]
    entries = {one["resource"]: one for one in versions["v1beta1"]["resources"]}
    kind = {"group": "metallb.io", "version": "v1beta1", "kind": "IPAddressPool"}
    assert entries["ipaddresspools"]["responseKind"] == kind
    assert entries["ipaddresspools"]["verbs"] == CUSTOM


def test_core_versions(api):
    document = api.http.get("/api").json()
    (address,) = document.pop("serverAddressByClientCIDRs")
    assert document == {"kind": "APIVersions", "versions": ["v1"]}
    assert address["clientCIDR"] == "0.0.0.0/0"


def test_core_resource_list_has_no_version_of_its_own(api):
    document = api.http.get("/api/v1").json()
    document.pop("resources")
    assert document == {"kind": "APIResourceList", "groupVersion": "v1"}


def test_resource_list_of_a_group(api):
    document = api.http.get(APPS).json()
    document.pop("resources")
    assert document == {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": "apps/v1"}


def test_group_document(api):
    version = {"groupVersion": "apps/v1", "version": "v1"}
    group = {"name": "apps", "versions": [version], "preferredVersion": version}
    assert api.http.get("/apis/apps").json() == {"kind": "APIGroup", "apiVersion": "v1", **group}
    assert group in api.http.get("/apis").json()["groups"]


def test_preferred_version_of_a_custom_group_is_the_newest(api):
    document = api.http.get("/apis/metallb.io").json()
    versions = [one["version"] for one in document["versions"]]
    assert versions == ["v1beta2", "v1beta1", "v1alpha1"]
    assert document["preferredVersion"]["version"] == "v1beta2"


def test_groups_come_in_the_order_of_their_priority(api):
    known = ["apps", "events.k8s.io", "rbac.authorization.k8s.io", "apiextensions.k8s.io"]
    known += ["coordination.k8s.io", "discovery.k8s.io", "metallb.io"]
    names = [group["name"] for group in api.http.get("/apis").json()["groups"]]
    assert [name for name in names if name in known] == known
    assert [name for name in aggregated(api, "/apis") if name in known] == known


@pytest.mark.parametrize("path", ["/api", "/apis"])
def test_aggregated_discovery_is_of_its_media_type(api, path):
    answer = api.http.get(path, headers={"Accept": f"{AGGREGATED}, application/json"})
    assert answer.headers["content-type"] == AGGREGATED
    document = answer.json()
    assert (document["kind"], document["apiVersion"], document["metadata"]) == (
        "APIGroupDiscoveryList",
        "apidiscovery.k8s.io/v2",
        {},
    )
    assert {v["freshness"] for i in document["items"] for v in i["versions"]} == {"Current"}


def test_aggregated_discovery_goes_before_plain_whatever_their_order(api):
    answer = api.http.get("/apis", headers={"Accept": f"application/json, {AGGREGATED}"})
    assert answer.json()["kind"] == "APIGroupDiscoveryList"
    assert api.http.get("/apis").json()["kind"] == "APIGroupList"


@pytest.mark.parametrize("path", ["/api", "/apis"])
def test_aggregated_discovery_that_is_known_is_not_sent_again(api, path):
    first = api.http.get(path, headers={"Accept": AGGREGATED})
    headers = {"Accept": AGGREGATED, "If-None-Match": first.headers["etag"]}
    again = api.http.get(path, headers=headers)
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]


def test_definition_brings_its_resource_and_takes_it_away(api, kubectl):
    group = f"{api.new_name('found')}.example.com"
    serve_definition(api, definition(group))
    entries = resources_at(api, f"/apis/{group}/v1")
    assert entries["gadgets"]["shortNames"] == ["gdg"]
    assert entries["gadgets"]["categories"] == ["playthings"]
    assert entries["gadgets/status"]["verbs"] == OF_STATUS
    definitions = Things(api, DEFINITIONS)
    name = f"gadgets.{group}"
    with definitions.watch(fieldSelector=f"metadata.name={name}") as events:
        definitions.delete(name)
        next(event for event in events if event["type"] == "DELETED")
    for _ in range(2000):
        if api.http.get(f"/apis/{group}/v1").status_code == 404:
            break
    assert api.http.get(f"/apis/{group}/v1/gadgets").status_code == 404


def test_kubectl_api_resources_shows_names_and_scope(kubectl):
    lines = [line.split() for line in kubectl("api-resources").splitlines()]
    assert ["services", "svc", "v1", "true", "Service"] in lines
    assert ["nodes", "no", "v1", "false", "Node"] in lines
    assert ["ipaddresspools", "metallb.io/v1beta1", "true", "IPAddressPool"] in lines


def test_kubectl_api_resources_by_verb_and_category(kubectl):
    found = kubectl("api-resources", "--categories=all", "-o", "name").split()
    assert {"pods", "services", "deployments.apps"} <= set(found)
    assert "configmaps" not in found


def test_kubectl_api_versions(kubectl):
    found = kubectl("api-versions").split()
    assert {"v1", "apps/v1", "discovery.k8s.io/v1", "metallb.io/v1beta2"} <= set(found)
