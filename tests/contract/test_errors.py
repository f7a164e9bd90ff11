"""Failures as Status objects, member by member; paths that name nothing; health and version."""

import pytest
from tests.contract.reading import assert_status, config_maps

NO_RESOURCE = "the server could not find the requested resource"
NO_METHOD = "the server does not allow this method on the requested resource"
POOLS = "/apis/metallb.io/v1beta1/namespaces/{}/ipaddresspools"


@pytest.fixture
def maps(api, namespace):
    things = config_maps(api, namespace)
    things.create("a")
    return things


NOT_FOUND = [
    ("/api/v1/namespaces/{}/configmaps/x", {"name": "x", "kind": "configmaps"}, "configmaps"),
    ("/api/v1/namespaces/{}/services/x", {"name": "x", "kind": "services"}, "services"),
    ("/api/v1/nodes/x", {"name": "x", "kind": "nodes"}, "nodes"),
    ("/api/v1/namespaces/x", {"name": "x", "kind": "namespaces"}, "namespaces"),
    (
        "/apis/apps/v1/namespaces/{}/deployments/x",
        {"name": "x", "group": "apps", "kind": "deployments"},
        "deployments.apps",
    ),
    (
        POOLS + "/x",
        {"name": "x", "group": "metallb.io", "kind": "ipaddresspools"},
        "ipaddresspools.metallb.io",
    ),
]


@pytest.mark.parametrize("method", ["GET", "DELETE"])
@pytest.mark.parametrize(
    ("path", "details", "shown"), NOT_FOUND, ids=[shown for _, _, shown in NOT_FOUND]
)
def test_object_that_is_not_there(api, namespace, method, path, details, shown):
    status = assert_status(api.http.request(method, path.format(namespace)), 404, "NotFound")
    assert status["message"] == f'{shown} "x" not found'
    assert status["details"] == details


def test_name_that_is_taken(maps):
    answer = maps.api.http.post(maps.path, json={"metadata": {"name": "a"}})
    status = assert_status(answer, 409, "AlreadyExists")
    assert status["message"] == 'configmaps "a" already exists'
    assert status["details"] == {"name": "a", "kind": "configmaps"}


def test_name_of_a_custom_resource_that_is_taken(api, namespace):
    body = {
        "apiVersion": "metallb.io/v1beta1",
        "kind": "IPAddressPool",
        "metadata": {"name": "a"},
        "spec": {"addresses": ["192.0.2.0/28"]},
    }
    answers = [api.http.post(POOLS.format(namespace), json=body) for _ in range(2)]
    assert answers[0].status_code == 201
    status = assert_status(answers[1], 409, "AlreadyExists")
    assert status["message"] == 'ipaddresspools.metallb.io "a" already exists'
    assert status["details"] == {"name": "a", "group": "metallb.io", "kind": "ipaddresspools"}


@pytest.mark.parametrize(
    "path",
    [
        "/api/v2",
        "/api/v1/nothings",
        "/api/v1/namespaces/default/nothings/x",
        "/apis/apps/v9",
        "/apis/apps/v9/deployments",
        "/apis/apps/v1/nothings",
        "/api/v1/namespaces/default/nodes",
        "/api/v1/configmaps/x",
        "/api/v1/namespaces/default/configmaps/x/status",
    ],
)
def test_resource_that_a_built_in_group_does_not_have(api, path):
    status = assert_status(api.http.get(path), 404, "NotFound")
    assert (status["message"], status["details"]) == (NO_RESOURCE, {})


@pytest.mark.parametrize(
    "path",
    [
        "/nothing",
        "/openapi",
        "/openapi/v9",
        "/apis/nothing.example.com",
        "/apis/nothing.example.com/v1",
        "/apis/nothing.example.com/v1/things",
        "/apis/metallb.io/v1beta1/nothings",
        "/readyz/nothing",
    ],
)
def test_path_that_is_none_of_the_api(api, path):
    answer = api.http.get(path)
    assert (answer.status_code, answer.text) == (404, "404 page not found\n")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"


@pytest.mark.parametrize(
    ("method", "suffix"),
    [("PUT", ""), ("PATCH", ""), ("POST", "/a"), ("HEAD", ""), ("HEAD", "/a"), ("OPTIONS", "")],
    ids=["put_list", "patch_list", "post_object", "head_list", "head_object", "options"],
)
def test_method_that_a_resource_does_not_have(maps, method, suffix):
    answer = maps.api.http.request(method, maps.path + suffix)
    if method == "HEAD":
        assert (answer.status_code, answer.text) == (405, "")
        return
    status = assert_status(answer, 405, "MethodNotAllowed")
    assert (status["message"], status["details"]) == (NO_METHOD, {})


@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_version_can_only_be_read(api, method):
    status = assert_status(api.http.request(method, "/version"), 405, "MethodNotAllowed")
    assert status["message"] == NO_METHOD


@pytest.mark.parametrize("accept", ["text/html", "application/xml", "application/*"])
def test_media_type_that_is_not_served(maps, accept):
    answer = maps.get(accept)
    status = assert_status(answer, 406, "NotAcceptable")
    begin = "406: Not Acceptable\n\nAvailable representations: application/json"
    assert status["message"].startswith(begin)
    assert status["details"] == {}


@pytest.mark.parametrize(
    "parameters",
    ["as=Nothing;v=v1;g=meta.k8s.io", "as=Table;v=v9;g=meta.k8s.io"],
    ids=["unknown_form", "unknown_version"],
)
def test_form_that_is_not_served(maps, parameters):
    status = assert_status(maps.get(f"application/json;{parameters}"), 406, "NotAcceptable")
    begin = "only the following media types are accepted: application/json"
    assert status["message"].startswith(begin)


def test_second_choice_of_media_types_is_served(maps):
    answer = maps.get("text/html, application/json;q=0.5")
    assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize("content_type", ["text/plain", "application/xml"])
def test_body_of_an_unknown_format(maps, content_type):
    answer = maps.api.http.post(maps.path, content="{}", headers={"Content-Type": content_type})
    status = assert_status(answer, 415, "UnsupportedMediaType")
    begin = "the body of the request was in an unknown format - accepted media types include: "
    assert status["message"].startswith(f"{begin}application/json")


@pytest.mark.parametrize("content_type", ["text/plain", "application/json"])
def test_patch_of_an_unknown_format(maps, content_type):
    answer = maps.api.http.patch(
        f"{maps.path}/a", content="{}", headers={"Content-Type": content_type}
    )
    status = assert_status(answer, 415, "UnsupportedMediaType")
    assert (status["message"], status["details"]) == ("415: Unsupported Media Type", {})


@pytest.mark.parametrize("body", ["{bad", "", "[]", '"text"'], ids=["cut", "none", "list", "text"])
def test_body_that_is_no_object_is_a_bad_request(maps, body):
    answer = maps.api.http.post(
        maps.path, content=body, headers={"Content-Type": "application/json"}
    )
    assert_status(answer, 400, "BadRequest")


@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_body_over_the_limit(maps, method):
    body = b'{"metadata":{"name":"b"},"data":{"k":"%b"}}' % (b"x" * (3 * 1024 * 1024))
    kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
    place = f"{maps.path}/a" if method == "PATCH" else maps.path
    answer = maps.api.http.request(method, place, content=body, headers={"Content-Type": kind})
    status = assert_status(answer, 413, "RequestEntityTooLarge")
    assert status["message"] == "Request entity too large: limit is 3145728"


@pytest.mark.parametrize("path", ["/api/v1/namespaces", "/version", "/nothing"])
def test_unknown_token_is_unauthorized(api, path):
    with api.client("no-such-token") as stranger:
        status = assert_status(stranger.get(path), 401, "Unauthorized")
    assert status["message"] == "Unauthorized"
    assert "details" not in status


@pytest.mark.parametrize("path", ["/healthz", "/livez", "/readyz"])
def test_health_is_told_without_a_token(api, path):
    with api.client(None) as stranger:
        answer = stranger.get(path)
    assert (answer.status_code, answer.text) == (200, "ok")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"


@pytest.mark.parametrize("name", ["healthz", "livez", "readyz"])
def test_verbose_health_names_each_check(api, name):
    first, *_, last = api.http.get(f"/{name}?verbose").text.splitlines()
    assert (first, last) == ("[+]ping ok", f"{name} check passed")


def test_health_answers_head(api):
    answer = api.http.head("/healthz")
    assert (answer.status_code, answer.text) == (200, "")


def test_version_has_the_fields_of_kubernetes(api):
    version = api.http.get("/version").json()
    assert (version["major"], version["minor"]) == ("1", "34")
    assert version["gitVersion"].startswith("v1.34.3")
    assert version.keys() == {
        "major",
        "minor",
        "emulationMajor",
        "emulationMinor",
        "minCompatibilityMajor",
        "minCompatibilityMinor",
        "gitVersion",
        "gitCommit",
        "gitTreeState",
        "buildDate",
        "goVersion",
        "compiler",
        "platform",
    }


def test_kubectl_tells_the_refusal(kubectl, namespace):
    refused = kubectl.fails("get", "service", "x", "-n", namespace)
    assert refused == 'Error from server (NotFound): services "x" not found\n'
