"""Namespaces: their life from Active to gone, and what that means for what is in them."""

from typing import Any

from tests.api_server import ApiServer
from tests.contract.waiting import wait_for

HOLD = "example.com/hold"


def _put_in(api: ApiServer, namespace: str, name: str, *finalizers: str) -> Any:
    body = {"metadata": {"name": name, "finalizers": [*finalizers]}}
    return api.http.post(f"/api/v1/namespaces/{namespace}/configmaps", json=body)


def _terminating(api: ApiServer, namespace: str) -> str:
    """Begin to delete a namespace that something in it holds; return the holder's path."""
    assert _put_in(api, namespace, "holder", HOLD).status_code == 201
    assert api.http.delete(f"/api/v1/namespaces/{namespace}").status_code == 200
    return f"/api/v1/namespaces/{namespace}/configmaps/holder"


def _release(api: ApiServer, path: str) -> None:
    patch = b'{"metadata":{"finalizers":null}}'
    headers = {"Content-Type": "application/merge-patch+json"}
    assert api.http.patch(path, content=patch, headers=headers).status_code == 200


def test_a_namespace_starts_active_with_its_finalizer_and_label(
    api: ApiServer, namespace: str
) -> None:
    found = api.http.get(f"/api/v1/namespaces/{namespace}").json()
    assert found["status"] == {"phase": "Active"}
    assert found["spec"] == {"finalizers": ["kubernetes"]}
    assert found["metadata"]["labels"] == {"kubernetes.io/metadata.name": namespace}


def test_the_name_label_comes_back(api: ApiServer, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}"
    found = api.http.get(path).json()
    found["metadata"]["labels"] = {"kubernetes.io/metadata.name": "other", "a": "b"}
    labels = api.http.put(path, json=found).json()["metadata"]["labels"]
    assert labels == {"kubernetes.io/metadata.name": namespace, "a": "b"}


def test_an_update_keeps_the_finalizers_of_the_spec(api: ApiServer, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}"
    found = api.http.get(path).json()
    found["spec"] = {}
    assert api.http.put(path, json=found).json()["spec"] == {"finalizers": ["kubernetes"]}


def test_a_namespaces_name_is_a_label(api: ApiServer) -> None:
    answer = api.http.post("/api/v1/namespaces", json={"metadata": {"name": "a_b"}})
    (cause,) = answer.json()["details"]["causes"]
    assert cause["field"] == "metadata.name"
    assert cause["message"].startswith('Invalid value: "a_b": a lowercase RFC 1123 label must')


def test_nothing_is_made_in_a_missing_namespace(api: ApiServer) -> None:
    answer = _put_in(api, "no-such-namespace", "a")
    assert answer.status_code == 404
    assert answer.json()["message"] == 'namespaces "no-such-namespace" not found'


def test_the_default_namespace_is_not_deleted(api: ApiServer) -> None:
    answer = api.http.delete("/api/v1/namespaces/default")
    assert answer.status_code == 403
    text = 'namespaces "default" is forbidden: this namespace may not be deleted'
    assert answer.json()["message"] == text


def test_a_held_namespace_is_terminating(api: ApiServer, namespace: str) -> None:
    path = _terminating(api, namespace)
    found = api.http.get(f"/api/v1/namespaces/{namespace}").json()
    assert found["status"]["phase"] == "Terminating"
    assert found["metadata"]["deletionTimestamp"]
    wait_for(lambda: "deletionTimestamp" in api.http.get(path).json()["metadata"])
    _release(api, path)


def test_nothing_is_made_in_a_terminating_namespace(api: ApiServer, namespace: str) -> None:
    path = _terminating(api, namespace)
    answer = _put_in(api, namespace, "late")
    why = f"unable to create new content in namespace {namespace} because it is being terminated"
    assert answer.status_code == 403
    assert answer.json()["message"] == f'configmaps "late" is forbidden: {why}'
    assert answer.json()["details"]["causes"] == [
        {
            "reason": "NamespaceTerminating",
            "message": f"namespace {namespace} is being terminated",
            "field": "metadata.namespace",
        }
    ]
    _release(api, path)


def test_what_is_there_may_be_changed_in_a_terminating_namespace(
    api: ApiServer, namespace: str
) -> None:
    path = _terminating(api, namespace)
    headers = {"Content-Type": "application/merge-patch+json"}
    answer = api.http.patch(path, content=b'{"data":{"a":"b"}}', headers=headers)
    assert answer.json()["data"] == {"a": "b"}
    _release(api, path)


def test_a_namespace_goes_with_all_that_is_in_it(api: ApiServer, namespace: str) -> None:
    _put_in(api, namespace, "a")
    api.http.delete(f"/api/v1/namespaces/{namespace}")
    path = f"/api/v1/namespaces/{namespace}"
    wait_for(lambda: api.http.get(path).status_code == 404)
    assert api.http.get(f"{path}/configmaps/a").status_code == 404


def test_a_held_namespace_goes_when_it_is_released(api: ApiServer, namespace: str) -> None:
    path = _terminating(api, namespace)
    wait_for(lambda: "deletionTimestamp" in api.http.get(path).json()["metadata"])
    _release(api, path)
    wait_for(lambda: api.http.get(f"/api/v1/namespaces/{namespace}").status_code == 404)
