"""Tables, as `kubectl get` asks for them, partial metadata, and what kubectl prints."""

import json
from typing import Any

import pytest
from tests.contract.reading import (
    METADATA,
    METADATA_LIST,
    TABLE,
    Things,
    assert_status,
    definition,
    gadget,
    serve_definition,
)


@pytest.fixture(scope="module")
def place(api):
    """Give a namespace with one object of each kind that has columns of its own."""
    namespace = api.new_namespace()
    core = f"/api/v1/namespaces/{namespace}"
    ports = [{"port": 80, "name": "w"}, {"port": 53, "protocol": "UDP", "name": "d"}]
    Things(api, f"{core}/services").create("web", spec={"selector": {"app": "web"}, "ports": ports})
    Things(api, "/api/v1/nodes").create(f"node-{namespace}", {"node-role.kubernetes.io/worker": ""})
    containers = [{"name": "c", "image": "registry.example/i"}]
    Things(api, f"{core}/pods").create("pod", spec={"containers": containers})
    Things(api, f"{core}/configmaps").create("map", data={"a": "b", "c": "d"})
    Things(api, f"{core}/secrets").create("secret", stringData={"a": "b"})
    Things(api, f"{core}/events").create(
        "event",
        involvedObject={"kind": "Service", "name": "web", "namespace": namespace},
        reason="Given",
        message="an address",
        type="Normal",
        source={"component": "giver"},
        count=3,
    )
    leases = Things(api, f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases")
    leases.create("lease", spec={"holderIdentity": "me"})
    slices = Things(api, f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices")
    slices.create(
        "slice", addressType="IPv4", endpoints=[{"addresses": ["192.0.2.1"]}], ports=[{"port": 80}]
    )
    return namespace


CORE = "/api/v1/namespaces/{}"
COLUMNS = {
    f"{CORE}/services/web": "Name Type Cluster-IP External-IP Port(s) Age Selector*",
    "/api/v1/namespaces/{}": "Name Status Age",
    "/api/v1/nodes/node-{}": "Name Status Roles Age Version Internal-IP* External-IP* OS-Image* "
    "Kernel-Version* Container-Runtime*",
    f"{CORE}/pods/pod": "Name Ready Status Restarts Age IP* Node* Nominated_Node* Readiness_Gates*",
    f"{CORE}/configmaps/map": "Name Data Age",
    f"{CORE}/secrets/secret": "Name Type Data Age",
    f"{CORE}/events/event": "Last_Seen Type Reason Object Subobject* Source* Message First_Seen* "
    "Count* Name*",
    "/apis/coordination.k8s.io/v1/namespaces/{}/leases/lease": "Name Holder Age",
    "/apis/discovery.k8s.io/v1/namespaces/{}/endpointslices/slice": "Name AddressType Ports "
    "Endpoints Age",
}


@pytest.mark.parametrize(
    ("path", "columns"), COLUMNS.items(), ids=[p.split("/")[-2] for p in COLUMNS]
)
def test_columns_of_a_kind_with_their_priority(api, place, path, columns):
    table = api.http.get(path.format(place), headers={"Accept": TABLE}).json()
    assert (table["kind"], table["apiVersion"]) == ("Table", "meta.k8s.io/v1")
    shown = [
        column["name"].replace(" ", "_") + "*" * column["priority"]
        for column in table["columnDefinitions"]
    ]
    assert shown == columns.split()
    assert len(table["rows"][0]["cells"]) == len(shown)


CELLS = {
    f"{CORE}/services/web": {
        "Type": "ClusterIP",
        "External-IP": "<none>",
        "Port(s)": "80/TCP,53/UDP",
        "Selector": "app=web",
    },
    "/api/v1/namespaces/{}": {"Status": "Active"},
    "/api/v1/nodes/node-{}": {"Status": "Unknown", "Roles": "worker", "Internal-IP": "<none>"},
    f"{CORE}/pods/pod": {"Ready": "0/1", "Status": "Pending", "Node": "<none>"},
    f"{CORE}/configmaps/map": {"Name": "map", "Data": 2},
    f"{CORE}/secrets/secret": {"Type": "Opaque", "Data": 1},
    f"{CORE}/events/event": {
        "Type": "Normal",
        "Reason": "Given",
        "Object": "service/web",
        "Source": "giver",
        "Message": "an address",
        "Count": 3,
        "Name": "event",
    },
    "/apis/coordination.k8s.io/v1/namespaces/{}/leases/lease": {"Holder": "me"},
    "/apis/discovery.k8s.io/v1/namespaces/{}/endpointslices/slice": {
        "AddressType": "IPv4",
        "Ports": "80",
        "Endpoints": "192.0.2.1",
    },
}


@pytest.mark.parametrize(
    ("path", "cells"), CELLS.items(), ids=[path.split("/")[-2] for path in CELLS]
)
def test_cells_of_a_kind(api, place, path, cells):
    table = api.http.get(path.format(place), headers={"Accept": TABLE}).json()
    names = [column["name"] for column in table["columnDefinitions"]]
    found = dict(zip(names, table["rows"][0]["cells"], strict=True))
    assert {name: found[name] for name in cells} == cells


@pytest.mark.parametrize("suffix", ["", "/map"], ids=["list", "object"])
@pytest.mark.parametrize(
    ("include", "members"),
    [
        ("None", None),
        ("", {"kind", "apiVersion", "metadata"}),
        ("Metadata", {"kind", "apiVersion", "metadata"}),
        ("Object", {"kind", "apiVersion", "metadata", "data"}),
    ],
    ids=["none", "default", "metadata", "object"],
)
def test_rows_bring_what_is_asked_for(api, place, include, members, suffix):
    path = f"/api/v1/namespaces/{place}/configmaps{suffix}"
    query = {"includeObject": include, "fieldSelector": "" if suffix else "metadata.name=map"}
    table = api.http.get(path, params=query, headers={"Accept": TABLE}).json()
    brought = table["rows"][0]["object"]
    assert (None if brought is None else set(brought)) == members


def test_rows_cannot_bring_what_is_unknown(api, place):
    maps = Things(api, f"/api/v1/namespaces/{place}/configmaps")
    status = assert_status(maps.get(TABLE, includeObject="All"), 400, "BadRequest")
    assert status["message"] == (
        'Unable to convert to Table as requested: includeObject: Invalid value: "All": must be '
        "'Metadata', 'Object', 'None', or empty"
    )


def test_table_of_nothing_has_columns_and_no_rows(api, namespace):
    table = Things(api, f"/api/v1/namespaces/{namespace}/services").get(TABLE).json()
    assert table["rows"] == []
    assert table["columnDefinitions"][0]["name"] == "Name"
    assert table["metadata"]["resourceVersion"]


def test_table_in_pages(api, namespace):
    maps = Things(api, f"/api/v1/namespaces/{namespace}/configmaps")
    maps.create("a")
    maps.create("b")
    table = maps.get(TABLE, limit="1").json()
    assert (len(table["rows"]), table["metadata"]["remainingItemCount"]) == (1, 1)


def test_partial_metadata_of_one_object(api, place):
    path = f"/api/v1/namespaces/{place}/configmaps/map"
    whole = api.http.get(path).json()
    assert api.http.get(path, headers={"Accept": METADATA}).json() == {
        "kind": "PartialObjectMetadata",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": whole["metadata"],
    }


def test_partial_metadata_of_a_list(api, place):
    maps = Things(api, f"/api/v1/namespaces/{place}/configmaps")
    partial = maps.get(METADATA_LIST, fieldSelector="metadata.name=map").json()
    assert partial["kind"] == "PartialObjectMetadataList"
    (item,) = partial["items"]
    assert set(item) == {"kind", "apiVersion", "metadata"}


@pytest.mark.parametrize(
    ("accept", "suffix", "text"),
    [
        (METADATA, "", "PartialObjectMetadata, but the requested object is a list"),
        (
            METADATA_LIST,
            "/map",
            "PartialObjectMetadataList, but the requested object is not a list",
        ),
    ],
    ids=["object_of_a_list", "list_of_an_object"],
)
def test_partial_metadata_of_the_other_form_is_not_acceptable(api, place, accept, suffix, text):
    path = f"/api/v1/namespaces/{place}/configmaps{suffix}"
    answer = api.http.get(path, headers={"Accept": accept})
    status = assert_status(answer, 406, "NotAcceptable")
    assert status["message"].startswith(f"you requested {text}")


@pytest.fixture(scope="module")
def group(api):
    """Give a group with Gadgets that have printer columns."""
    name = f"{api.new_name('tables')}.example.com"
    columns: list[dict[str, Any]] = [
        {"name": "Size", "type": "integer", "jsonPath": ".spec.size", "description": "How large."},
        {"name": "Color", "type": "string", "jsonPath": ".spec.color", "priority": 1},
        {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
    ]
    serve_definition(api, definition(name, columns=columns))
    return name


def test_printer_columns_of_a_definition(api, namespace, group):
    gadgets = Things(api, f"/apis/{group}/v1/namespaces/{namespace}/gadgets")
    gadgets.made(gadget(group, "a", size=7))
    table = gadgets.get(TABLE).json()
    columns = [
        (column["name"], column["type"], column["format"], column["priority"])
        for column in table["columnDefinitions"]
    ]
    assert columns == [
        ("Name", "string", "name", 0),
        ("Size", "integer", "", 0),
        ("Color", "string", "", 1),
        ("Age", "date", "", 0),
    ]
    assert table["columnDefinitions"][1]["description"] == "How large."
    name, size, color, age = table["rows"][0]["cells"]
    assert (name, size, color) == ("a", 7, None)
    assert age.endswith("s")


def test_kubectl_prints_wide_columns_on_request(api, kubectl, namespace, group):
    gadgets = Things(api, f"/apis/{group}/v1/namespaces/{namespace}/gadgets")
    gadgets.made(gadget(group, "a", size=7, color="red"))
    words = ["get", f"gadgets.{group}", "-n", namespace]
    assert kubectl(*words).split()[:5] == ["NAME", "SIZE", "AGE", "a", "7"]
    assert "COLOR" in kubectl(*words, "-o", "wide")


@pytest.mark.parametrize(
    ("kind", "printed"),
    [
        ("services", "service/web"),
        ("configmaps", "configmap/map"),
        ("pods", "pod/pod"),
        ("secrets", "secret/secret"),
        ("events", "event/event"),
        ("leases", "lease.coordination.k8s.io/lease"),
        ("endpointslices", "endpointslice.discovery.k8s.io/slice"),
    ],
)
def test_kubectl_prints_names(kubectl, place, kind, printed):
    assert printed in kubectl("get", kind, "-n", place, "-o", "name").split()


def test_kubectl_prints_jsonpath_and_custom_columns_sorted(api, kubectl, namespace):
    maps = Things(api, f"/api/v1/namespaces/{namespace}/configmaps")
    for name, rank in (("a", "2"), ("b", "1")):
        maps.create(name, {"own": "yes"}, data={"rank": rank})
    words = ["get", "cm", "-n", namespace, "-l", "own=yes", "--sort-by={.data.rank}", "-o"]
    assert kubectl(*words, "jsonpath={.items[*].metadata.name}") == "b a"
    assert kubectl(*words, "custom-columns=N:.metadata.name,R:.data.rank").split() == (
        ["N", "R", "b", "1", "a", "2"]
    )


def test_kubectl_describes_a_service_with_its_events(api, kubectl, namespace):
    services = Things(api, f"/api/v1/namespaces/{namespace}/services")
    service = services.made({"metadata": {"name": "web"}, "spec": {"ports": [{"port": 80}]}})
    about = {"kind": "Service", "apiVersion": "v1", "name": "web", "namespace": namespace}
    Things(api, f"/api/v1/namespaces/{namespace}/events").create(
        "web.1",
        involvedObject={**about, "uid": service["metadata"]["uid"]},
        reason="Given",
        message="an address was given",
        type="Normal",
        source={"component": "giver"},
    )
    printed = kubectl("describe", "service", "web", "-n", namespace)
    assert service["spec"]["clusterIP"] in printed
    assert "an address was given" in printed


def test_table_answer_is_json(api, place):
    answer = Things(api, f"/api/v1/namespaces/{place}/services").get(TABLE)
    assert answer.headers["content-type"] == "application/json"
    assert json.loads(answer.content)["kind"] == "Table"
