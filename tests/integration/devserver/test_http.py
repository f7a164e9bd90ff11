"""The API as a client library sees it: status codes, Status objects, lists, representations."""

import json

import pytest
from tests.fakes.devserver import DevServer

MERGE = {"Content-Type": "application/merge-patch+json"}
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"


@pytest.fixture
def maps(devserver, namespace):
    return f"/api/v1/namespaces/{namespace}/configmaps"


def config_map(name="c", **metadata):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, **metadata}}


def test_no_token_no_answer(devserver: DevServer):
    for header in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic eDp5"}):
        answer = devserver.http.get("/api", headers={"Authorization": "", **header})
        assert answer.status_code == 401
        assert answer.json()["reason"] == "Unauthorized"
    for path in ("/healthz", "/livez", "/readyz"):
        answer = devserver.http.get(path, headers={"Authorization": ""})
        assert (answer.status_code, answer.text) == (200, "ok")


def test_create_read_and_not_found(devserver, maps):
    made = devserver.http.post(maps, json=config_map(uid="mine", creationTimestamp=None))
    assert made.status_code == 201
    metadata = made.json()["metadata"]
    assert metadata["uid"] != "mine"
    assert metadata["creationTimestamp"].endswith("Z")
    assert devserver.http.get(f"{maps}/c").json() == made.json()
    missing = devserver.http.get(f"{maps}/d")
    assert missing.status_code == 404
    assert missing.json() == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": 'configmaps "d" not found',
        "reason": "NotFound",
        "details": {"name": "d", "kind": "configmaps"},
        "code": 404,
    }


def test_name_is_made_from_a_prefix(devserver, maps):
    body = {"metadata": {"generateName": "prefix-"}}
    names = {devserver.http.post(maps, json=body).json()["metadata"]["name"] for _ in range(3)}
    assert len(names) == 3
    assert all(name.startswith("prefix-") and len(name) == 12 for name in names)


@pytest.mark.parametrize(
    ("body", "code", "text"),
    [
        (b"{", 400, "json parse error: "),
        (b"[]", 400, "cannot unmarshal array"),
        (b"[" * 10_000, 400, "json parse error: "),
        (b'{"x":' + b"[" * 150 + b"]" * 150 + b"}", 400, "nested deeper"),
        (b'{"kind":"Pod"}', 400, 'no kind "Pod" is registered'),
        (b'{"apiVersion":"v2"}', 400, 'is registered for version "v2"'),
        (b"{}", 422, "metadata.name: Required value: name or generateName is required"),
        (b'{"metadata":{"name":"a","resourceVersion":"1"}}', 500, "should not be set"),
        (b'{"metadata":{"name":"a"},"data":{"a":1}}', 400, "cannot be handled as a ConfigMap"),
        (b'{"metadata":{"name":"' + b"a" * 254 + b'"}}', 422, "no more than 253"),
        (b'{"metadata":{"name":"a","labels":{"a":"' + b"b" * 64 + b'"}}}', 422, "63"),
        (
            b'{"metadata":{"name":"a","annotations":{"a":"' + b"b" * 262_144 + b'"}}}',
            422,
            "metadata.annotations: Too long: may not be more than 262144 bytes",
        ),
    ],
)
def test_bad_bodies_are_refused_with_the_reason(devserver, maps, body, code, text):
    headers = {"Content-Type": "application/json"}
    answer = devserver.http.post(maps, content=body, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (code, code)
    assert text in answer.json()["message"]


def test_body_over_the_limit(devserver, maps):
    headers = {"Content-Type": "application/json"}
    answer = devserver.http.post(maps, content=b" " * (3 * 1024 * 1024 + 1), headers=headers)
    assert answer.status_code == 413
    assert answer.json()["reason"] == "RequestEntityTooLarge"


def test_other_formats(devserver, maps):
    xml = devserver.http.post(maps, content=b"<a/>", headers={"Content-Type": "text/xml"})
    assert (xml.status_code, xml.json()["reason"]) == (415, "UnsupportedMediaType")
    yaml = b"metadata: {name: y}\ndata: {day: '2026-01-01'}\n"
    made = devserver.http.post(maps, content=yaml, headers={"Content-Type": "application/yaml"})
    assert (made.status_code, made.json()["data"]) == (201, {"day": "2026-01-01"})
    protobuf = {"Accept": "application/vnd.kubernetes.protobuf"}
    assert devserver.http.get(maps, headers=protobuf).status_code == 406
    both = {"Accept": "application/vnd.kubernetes.protobuf,application/json"}
    assert devserver.http.get(maps, headers=both).json()["kind"] == "ConfigMapList"


def test_update_needs_the_version_it_knows(devserver, maps):
    first = devserver.http.post(maps, json=config_map()).json()
    second = devserver.http.put(f"{maps}/c", json={**first, "data": {"a": "1"}})
    assert second.status_code == 200
    stale = devserver.http.put(f"{maps}/c", json={**first, "data": {"a": "2"}})
    assert (stale.status_code, stale.json()["reason"]) == (409, "Conflict")
    unconditional = config_map()
    assert devserver.http.put(f"{maps}/c", json=unconditional).status_code == 200
    other = devserver.http.put(f"{maps}/c", json=config_map("d"))
    assert "does not match the name on the URL" in other.json()["message"]
    reborn = devserver.http.put(f"{maps}/c", json=config_map(uid="other"))
    assert "Precondition failed: UID" in reborn.json()["message"]


def test_write_without_change_keeps_the_version(devserver, maps):
    made = devserver.http.post(maps, json=config_map()).json()
    same = devserver.http.put(f"{maps}/c", json=made).json()
    patched = devserver.http.patch(f"{maps}/c", json={"data": None}, headers=MERGE).json()
    versions = {one["metadata"]["resourceVersion"] for one in (made, same, patched)}
    assert len(versions) == 1


def test_custom_resource_update_must_name_a_version(devserver, namespace):
    path = f"/apis/metallb.io/v1beta1/namespaces/{namespace}/ipaddresspools"
    pool = {
        "apiVersion": "metallb.io/v1beta1",
        "kind": "IPAddressPool",
        "metadata": {"name": "p"},
        "spec": {"addresses": ["192.0.2.0/24"]},
    }
    assert devserver.http.post(path, json=pool).status_code == 201
    answer = devserver.http.put(f"{path}/p", json=pool)
    assert answer.status_code == 422
    assert "metadata.resourceVersion: Invalid value: 0" in answer.json()["message"]


def test_put_makes_a_lease_but_no_config_map(devserver, maps, namespace):
    assert devserver.http.put(f"{maps}/c", json=config_map()).status_code == 404
    leases = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
    lease = {"metadata": {"name": "l"}, "spec": {"holderIdentity": "me"}}
    assert devserver.http.put(f"{leases}/l", json=lease).status_code == 201


def test_patch_with_a_stale_version_conflicts(devserver, maps):
    first = devserver.http.post(maps, json=config_map()).json()["metadata"]["resourceVersion"]
    stale = {"metadata": {"resourceVersion": first}, "data": {"a": "1"}}
    assert devserver.http.patch(f"{maps}/c", json=stale, headers=MERGE).status_code == 200
    stale["data"]["a"] = "2"
    again = devserver.http.patch(f"{maps}/c", json=stale, headers=MERGE)
    assert (again.status_code, again.json()["reason"]) == (409, "Conflict")


def test_patch_formats_and_failures(devserver, maps):
    devserver.http.post(maps, json=config_map())
    json_patch = {"Content-Type": "application/json-patch+json"}
    test = [{"op": "test", "path": "/metadata/name", "value": "d"}]
    assert devserver.http.patch(f"{maps}/c", json=test, headers=json_patch).status_code == 422
    assert devserver.http.patch(f"{maps}/c", json={}, headers=json_patch).status_code == 400
    unknown = {"Content-Type": "application/json"}
    assert devserver.http.patch(f"{maps}/c", json={}, headers=unknown).status_code == 415
    renamed = devserver.http.patch(f"{maps}/c", json={"metadata": {"name": "d"}}, headers=MERGE)
    assert renamed.status_code == 400
    kind = devserver.http.patch(f"{maps}/c", json={"kind": "Pod"}, headers=MERGE)
    assert kind.status_code == 422
    uid = devserver.http.patch(f"{maps}/c", json={"metadata": {"uid": "x"}}, headers=MERGE)
    assert uid.status_code == 422


def test_apply_needs_a_manager(devserver, maps):
    headers = {"Content-Type": "application/apply-patch+yaml"}
    answer = devserver.http.patch(f"{maps}/c", json=config_map(), headers=headers)
    assert answer.status_code == 422
    assert "fieldManager: Required value" in answer.json()["message"]
    body = {**config_map(), "data": {"a": "b"}}
    made = devserver.http.patch(
        f"{maps}/c", json=body, headers=headers, params={"fieldManager": "me"}
    )
    assert made.status_code == 201
    (entry,) = made.json()["metadata"]["managedFields"]
    assert (entry["manager"], entry["operation"]) == ("me", "Apply")


def test_delete_answers_and_preconditions(devserver, maps):
    uid = devserver.http.post(maps, json=config_map()).json()["metadata"]["uid"]
    wrong = {"kind": "DeleteOptions", "apiVersion": "v1", "preconditions": {"uid": "x"}}
    refused = devserver.http.request("DELETE", f"{maps}/c", json=wrong)
    assert refused.status_code == 409
    dry = devserver.http.delete(f"{maps}/c", params={"dryRun": "All"})
    assert dry.status_code == 200
    right = {"preconditions": {"uid": uid}, "propagationPolicy": "Background"}
    done = devserver.http.request("DELETE", f"{maps}/c", json=right)
    assert done.json()["status"] == "Success"
    assert done.json()["details"] == {"name": "c", "kind": "configmaps", "uid": uid}
    assert devserver.http.delete(f"{maps}/c").status_code == 404


def test_delete_collection_by_label(devserver, maps):
    for number in range(4):
        body = config_map(f"c{number}", labels={"odd": str(number % 2)})
        devserver.http.post(maps, json=body)
    gone = devserver.http.delete(maps, params={"labelSelector": "odd=1"}).json()
    assert [item["metadata"]["name"] for item in gone["items"]] == ["c1", "c3"]
    left = devserver.http.get(maps).json()["items"]
    assert [item["metadata"]["name"] for item in left] == ["c0", "c2"]


def test_pages_show_one_state(devserver, maps):
    for number in range(5):
        devserver.http.post(maps, json=config_map(f"c{number}"))
    first = devserver.http.get(maps, params={"limit": 2}).json()
    assert first["metadata"]["remainingItemCount"] == 3
    devserver.http.post(maps, json=config_map("c9"))
    token = {"limit": 10, "continue": first["metadata"]["continue"]}
    rest = devserver.http.get(maps, params=token).json()
    names = [item["metadata"]["name"] for item in (*first["items"], *rest["items"])]
    assert names == [f"c{number}" for number in range(5)]
    assert rest["metadata"] == {"resourceVersion": first["metadata"]["resourceVersion"]}
    bad = devserver.http.get(maps, params={"limit": 2, "continue": "nonsense"})
    assert bad.status_code == 400


@pytest.mark.parametrize(
    ("query", "code", "reason"),
    [
        ({"resourceVersion": "99999999"}, 504, "Timeout"),
        ({"resourceVersion": "x"}, 400, "BadRequest"),
        ({"resourceVersionMatch": "Exact"}, 422, "Invalid"),
        ({"resourceVersion": "0", "resourceVersionMatch": "Exact"}, 422, "Invalid"),
        ({"resourceVersion": "1", "resourceVersionMatch": "Maybe"}, 422, "Invalid"),
        ({"labelSelector": "a in"}, 400, "BadRequest"),
        ({"fieldSelector": "spec.x=1"}, 400, "BadRequest"),
        ({"limit": "many"}, 400, "BadRequest"),
    ],
)
def test_bad_list_options(devserver, maps, query, code, reason):
    answer = devserver.http.get(maps, params=query)
    assert (answer.status_code, answer.json()["reason"]) == (code, reason)


def test_list_at_an_exact_version(devserver, maps):
    devserver.http.post(maps, json=config_map("a"))
    version = devserver.http.get(maps).json()["metadata"]["resourceVersion"]
    devserver.http.post(maps, json=config_map("b"))
    query = {"resourceVersion": version, "resourceVersionMatch": "Exact"}
    old = devserver.http.get(maps, params=query).json()
    assert [item["metadata"]["name"] for item in old["items"]] == ["a"]
    query["resourceVersionMatch"] = "NotOlderThan"
    new = devserver.http.get(maps, params=query).json()
    assert [item["metadata"]["name"] for item in new["items"]] == ["a", "b"]


def test_tables_and_partial_metadata(devserver, maps):
    devserver.http.post(maps, json=config_map())
    table = devserver.http.get(maps, headers={"Accept": TABLE}).json()
    assert (table["kind"], table["apiVersion"]) == ("Table", "meta.k8s.io/v1")
    assert table["metadata"]["resourceVersion"]
    assert table["rows"][0]["cells"][:2] == ["c", 0]
    whole = devserver.http.get(
        f"{maps}/c", headers={"Accept": TABLE}, params={"includeObject": "Object"}
    ).json()
    assert whole["rows"][0]["object"]["kind"] == "ConfigMap"
    accept = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
    partial = devserver.http.get(maps, headers={"Accept": accept}).json()
    assert partial["kind"] == "PartialObjectMetadataList"
    assert set(partial["items"][0]) == {"kind", "apiVersion", "metadata"}


@pytest.mark.parametrize(
    "path",
    [
        "/nothing",
        "/api/v2",
        "/api/v1/nothing",
        "/apis/none.example",
        "/apis/apps/v1/namespaces/default/deployments/x/scale",
        "/api/v1/namespaces/default/nodes",
        "/api/v1/services/x",
        "/openapi/v3/apis/none/v1",
        "/api/v1//services",
        "/" + "a/" * 50,
    ],
)
def test_paths_that_name_nothing(devserver, path):
    assert devserver.http.get(path).status_code == 404


def test_methods_that_are_not_served(devserver, maps):
    assert devserver.http.post(f"{maps}/c", json={}).status_code == 405
    assert devserver.http.put(maps, json={}).status_code == 405
    assert devserver.http.post("/version").status_code == 405


def test_discovery_in_both_forms(devserver):
    accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
    answer = devserver.http.get("/apis", headers={"Accept": accept})
    assert answer.headers["content-type"] == accept
    groups = {item["metadata"]["name"]: item for item in answer.json()["items"]}
    metallb = {version["version"]: version for version in groups["metallb.io"]["versions"]}
    assert list(metallb)[:2] == ["v1beta2", "v1beta1"]
    pools = {one["resource"]: one for one in metallb["v1beta1"]["resources"]}["ipaddresspools"]
    assert pools["scope"] == "Namespaced"
    assert pools["subresources"][0]["subresource"] == "status"
    legacy = devserver.http.get("/apis/metallb.io/v1beta1").json()
    names = {entry["name"] for entry in legacy["resources"]}
    assert {"ipaddresspools", "ipaddresspools/status"} <= names
    assert devserver.http.get("/api").json()["versions"] == ["v1"]
    assert devserver.http.get("/apis/apps").json()["preferredVersion"]["version"] == "v1"
    core = devserver.http.get("/api", headers={"Accept": accept}).json()
    assert [item["metadata"] for item in core["items"]] == [{}]


def test_token_review(devserver):
    path = "/apis/authentication.k8s.io/v1/tokenreviews"
    for token, is_known in ((devserver.endpoint.token, True), ("wrong", False)):
        answer = devserver.http.post(path, json={"spec": {"token": token}})
        assert answer.status_code == 201
        assert answer.json()["status"].get("authenticated", False) is is_known


def test_requests_are_counted_as_a_real_server_counts_them(devserver, maps):
    devserver.http.post(maps, json=config_map())
    devserver.http.patch(f"{maps}/c", json={"data": {"a": "b"}}, headers=MERGE)
    lines = devserver.http.get("/metrics").text.splitlines()
    counted = [line for line in lines if line.startswith("apiserver_request_total{")]
    patches = [line for line in counted if 'resource="configmaps"' in line and "PATCH" in line]
    assert any('code="200"' in line and 'version="v1"' in line for line in patches)


def test_events_of_both_groups_are_one_object(devserver, namespace):
    event = {
        "metadata": {"name": "e"},
        "regarding": {"kind": "Service", "name": "s", "namespace": namespace},
        "reason": "Because",
        "note": "it happened",
        "type": "Normal",
        "action": "Do",
        "eventTime": "2026-01-01T00:00:00.000000Z",
        "reportingController": "me",
        "reportingInstance": "me-1",
    }
    new = f"/apis/events.k8s.io/v1/namespaces/{namespace}/events"
    old = f"/api/v1/namespaces/{namespace}/events"
    assert devserver.http.post(new, json=event).status_code == 201
    core = devserver.http.get(f"{old}/e").json()
    assert (core["apiVersion"], core["message"]) == ("v1", "it happened")
    assert core["involvedObject"]["name"] == "s"
    assert core["reportingComponent"] == "me"
    found = devserver.http.get(old, params={"fieldSelector": "involvedObject.name=s"}).json()
    assert len(found["items"]) == 1
    found = devserver.http.get(new, params={"fieldSelector": "regarding.name=x"}).json()
    assert found["items"] == []
    elsewhere = {**event, "metadata": {"name": "f"}, "regarding": {"namespace": "default"}}
    refused = devserver.http.post(new, json=json.loads(json.dumps(elsewhere)))
    assert "does not match event.namespace" in refused.json()["message"]
