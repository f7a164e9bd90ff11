"""Namespaces: what they hold, and how they end."""

import json


def config_map(name="c", **metadata):
    return json.dumps(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, **metadata}}
    )


def test_namespaces_at_the_start(devserver):
    items = devserver.http.get("/api/v1/namespaces").json()["items"]
    names = {item["metadata"]["name"] for item in items}
    assert {"default", "kube-system", "metallb-system", "kube-public"} <= names
    service = devserver.http.get("/api/v1/namespaces/default/services/kubernetes").json()
    assert service["spec"]["clusterIP"] == "10.96.0.1"


def test_new_namespace_is_active_and_labelled(kubectl):
    assert kubectl("create", "namespace", "fresh") == "namespace/fresh created\n"
    found = kubectl.json("get", "ns", "fresh")
    assert found["metadata"]["labels"] == {"kubernetes.io/metadata.name": "fresh"}
    assert found["status"] == {"phase": "Active"}
    assert found["spec"] == {"finalizers": ["kubernetes"]}
    assert kubectl("delete", "ns", "fresh") == 'namespace "fresh" deleted\n'


def test_objects_need_an_existing_namespace(kubectl):
    refused = kubectl.fails("create", "-n", "nowhere", "-f", "-", stdin=config_map())
    assert 'namespaces "nowhere" not found' in refused


def test_object_must_be_in_the_namespace_of_the_path(devserver, namespace):
    body = json.loads(config_map(namespace="other"))
    answer = devserver.http.post(f"/api/v1/namespaces/{namespace}/configmaps", json=body)
    assert answer.status_code == 400
    assert answer.json()["message"] == (
        "the namespace of the provided object does not match the namespace sent on the request"
    )


def test_deleting_a_namespace_empties_it_first(devserver, kubectl, namespace):
    pool = {
        "apiVersion": "metallb.io/v1beta1",
        "kind": "IPAddressPool",
        "metadata": {"name": "p", "namespace": namespace},
        "spec": {"addresses": ["192.0.2.0/24"]},
    }
    kubectl("create", "-f", "-", stdin=json.dumps(pool))
    kubectl("create", "-n", namespace, "-f", "-", stdin=config_map(finalizers=["example.com/hold"]))
    with kubectl.start("delete", "ns", namespace, "--timeout=20s") as deleting:
        held = ("wait", "cm/c", "-n", namespace, "--timeout=20s")
        kubectl(*held, "--for=jsonpath={.metadata.deletionTimestamp}")
        assert kubectl.json("get", "ns", namespace)["status"]["phase"] == "Terminating"
        path = f"/apis/metallb.io/v1beta1/namespaces/{namespace}/ipaddresspools/p"
        assert devserver.http.get(path).status_code == 404
        refused = kubectl.fails("create", "-n", namespace, "-f", "-", stdin=config_map("d"))
        assert "because it is being terminated" in refused
        kubectl(
            "patch", "cm", "c", "-n", namespace, "--type=json",
            "-p", '[{"op":"remove","path":"/metadata/finalizers"}]',
        )  # fmt: skip
        assert deleting.wait(30) == 0
    assert devserver.http.get(f"/api/v1/namespaces/{namespace}").status_code == 404


def test_default_namespace_cannot_be_deleted(kubectl):
    assert "Forbidden" in kubectl.fails("delete", "ns", "default")
