"""What makes it a control plane: roles, controllers, tokens of ServiceAccounts."""

import json

from tests.cluster import wait_until

from ferrolb.crds import crd_names

NODE = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-1"}}
POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "one", "labels": {"app": "one"}},
    "spec": {"nodeName": "node-1", "containers": [{"name": "c", "image": "i"}]},
}
SERVICE = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "one"},
    "spec": {
        "selector": {"app": "one"},
        "ports": [{"port": 80, "targetPort": 8080}],
        "ipFamilyPolicy": "PreferDualStack",
    },
}
RUNNING = {
    "status": {
        "phase": "Running",
        "conditions": [{"type": "Ready", "status": "True"}],
        "podIP": "10.1.0.7",
        "podIPs": [{"ip": "10.1.0.7"}, {"ip": "fd00:1::7"}],
    }
}


def token_of(api, namespace, account):
    api.kubectl("-n", namespace, "create", "serviceaccount", account)
    return api.kubectl("-n", namespace, "create", "token", account).strip()


def test_definitions_and_namespaces_are_those_of_the_dev_api_server(api):
    names = api.kubectl("get", "crds", "-o", "name").split()
    assert names == [f"customresourcedefinition.apiextensions.k8s.io/{one}" for one in crd_names()]
    seeded = {"default", "kube-system", "kube-public", "kube-node-lease", "metallb-system"}
    assert {f"namespace/{name}" for name in seeded} <= set(
        api.kubectl("get", "namespaces", "-o", "name").split()
    )


def test_a_token_asked_for_authenticates_and_may_nothing_without_a_role(api, namespace):
    token = token_of(api, namespace, "someone")
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    with api.client(token) as http:
        who = http.post("/apis/authentication.k8s.io/v1/selfsubjectreviews", json=review)
        assert who.json()["status"]["userInfo"]["username"] == (
            f"system:serviceaccount:{namespace}:someone"
        )
        assert http.get(f"/api/v1/namespaces/{namespace}/services").status_code == 403


def test_a_role_allows_what_it_names_and_nothing_else(api, namespace):
    token = token_of(api, namespace, "reader")
    kubectl = api.kubectl
    kubectl("-n", namespace, "create", "role", "read", "--verb=list", "--resource=services")
    account = f"--serviceaccount={namespace}:reader"
    kubectl("-n", namespace, "create", "rolebinding", "read", "--role=read", account)
    services = f"/api/v1/namespaces/{namespace}/services"
    with api.client(token) as http:
        wait_until("the role in force", lambda: http.get(services).status_code == 200)
        assert http.post(services, json=SERVICE).status_code == 403
        assert http.get("/api/v1/namespaces/default/services").status_code == 403


def test_no_token_is_nobody_and_a_wrong_one_is_refused(api):
    with api.client(None) as http:
        assert http.get("/api/v1/services").status_code == 403
    with api.client("wrong") as http:
        assert http.get("/api/v1/services").status_code == 401


def test_each_namespace_gets_the_account_that_tokens_are_asked_for(api, namespace):
    wait_until(
        "the account",
        lambda: api.kubectl.run("-n", namespace, "create", "token", "default").returncode == 0,
    )


def test_a_deleted_namespace_goes_with_all_that_is_in_it(api, namespace):
    api.kubectl("-n", namespace, "create", "configmap", "inside")
    api.kubectl("delete", "namespace", namespace, "--timeout=30s")
    assert "NotFound" in api.kubectl.fails("get", "namespace", namespace)
    assert "NotFound" in api.kubectl.fails("-n", namespace, "get", "configmap", "inside")


def test_what_an_owner_owned_goes_with_it(api, namespace):
    kubectl = api.kubectl
    kubectl("-n", namespace, "create", "configmap", "owner")
    uid = kubectl("-n", namespace, "get", "configmap", "owner", "-o", "jsonpath={.metadata.uid}")
    owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": uid}
    owned = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "owned", "ownerReferences": [owner]},
    }
    kubectl("-n", namespace, "create", "-f", "-", stdin=json.dumps(owned))
    kubectl("-n", namespace, "delete", "configmap", "owner")
    left = ("-n", namespace, "get", "configmap", "owned", "--ignore-not-found", "-o", "name")
    wait_until("nothing owned", lambda: kubectl(*left) == "")


def test_slices_are_made_of_pods_whose_status_somebody_writes(api, namespace):
    kubectl = api.kubectl
    kubectl("create", "-f", "-", stdin=json.dumps(NODE))
    for obj in (POD, SERVICE):
        kubectl("-n", namespace, "create", "-f", "-", stdin=json.dumps(obj))
    kubectl(
        "-n", namespace, "patch", "pod", "one", "--subresource=status", "-p", json.dumps(RUNNING)
    )

    def endpoints():
        slices = kubectl.json(
            "-n", namespace, "get", "endpointslices", "-l", "kubernetes.io/service-name=one"
        )
        return {
            (one["addressType"], address, endpoint["nodeName"], endpoint["conditions"]["ready"])
            for one in slices["items"]
            for endpoint in one["endpoints"] or []
            for address in endpoint["addresses"]
        }

    expected = {
        ("IPv4", "10.1.0.7", "node-1", True),
        ("IPv6", "fd00:1::7", "node-1", True),
    }
    wait_until("both slices", lambda: endpoints() == expected)
