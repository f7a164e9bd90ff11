"""Roles over restarts, and what they do not open."""

import httpx2
import pytest
from tests.fakes.devserver import DevServer, run_devserver

from ferrolb.devserver import DevServerOptions

ROLES = "/apis/rbac.authorization.k8s.io/v1"


def stranger(server: DevServer, path: str, method: str = "GET") -> httpx2.Response:
    return server.http.request(method, path, headers={"Authorization": ""})


def test_roles_count_from_the_first_request_after_a_restart(tmp_path):
    options = DevServerOptions(data_dir=tmp_path / "data", is_rbac=True)
    path = "/api/v1/namespaces/default/services"
    with run_devserver(tmp_path, options) as server:
        kubectl = server.kubectl
        assert stranger(server, path).status_code == 403
        kubectl("create", "role", "r", "--verb=list", "--resource=services")
        kubectl("create", "rolebinding", "b", "--role=r", "--user=system:anonymous")
        kubectl("create", "rolebinding", "c", "--clusterrole=view", "--user=system:anonymous")
        kubectl("delete", "rolebinding", "c")
        kubectl("delete", "clusterrolebinding", "system:monitoring")
        kubectl("label", "clusterrole", "system:discovery", "changed=yes")
        assert stranger(server, path).status_code == 200
    with run_devserver(tmp_path, options) as server:
        assert stranger(server, path).status_code == 200
        assert stranger(server, "/api/v1/namespaces/default/pods").status_code == 403
        found = server.http.get(f"{ROLES}/clusterroles/system:discovery").json()
        assert found["metadata"]["labels"]["changed"] == "yes"
        again = server.http.get(f"{ROLES}/clusterrolebindings/system:monitoring")
        assert again.status_code == 200


def test_gathered_roles_are_whole_from_the_first_request_on(tmp_path):
    with run_devserver(tmp_path, DevServerOptions(is_rbac=True)) as server:
        base = f"{ROLES}/clusterroles"
        view = server.http.get(f"{base}/view").json()["rules"]
        edit = server.http.get(f"{base}/edit").json()["rules"]
        admin = server.http.get(f"{base}/admin").json()["rules"]
        assert view == server.http.get(f"{base}/system:aggregate-to-view").json()["rules"]
        assert len(view) < len(edit) < len(admin)
        assert all(rule in edit for rule in view)
        assert all(rule in admin for rule in edit)


@pytest.mark.parametrize("is_rbac", [False, True])
def test_strangers_set_no_faults_and_see_no_metrics(tmp_path, is_rbac):
    options = DevServerOptions(is_rbac=is_rbac, has_faults=True)
    with run_devserver(tmp_path, options) as server:
        refusal = 403 if is_rbac else 401
        assert stranger(server, "/metrics").status_code == refusal
        assert stranger(server, "/ferrolb/faults", "POST").status_code in (401, 403)
        assert server.http.get("/ferrolb/faults").json()["rules"] == []


def test_without_roles_reviews_say_so(tmp_path):
    with run_devserver(tmp_path) as server:
        asked = {"user": "ann", "resourceAttributes": {"verb": "get", "resource": "pods"}}
        answer = server.http.post(
            "/apis/authorization.k8s.io/v1/subjectaccessreviews", json={"spec": asked}
        )
        assert answer.json()["status"] == {
            "allowed": True,
            "reason": "this server enforces no roles",
        }
        assert server.http.get(f"{ROLES}/clusterroles").json()["items"] == []
        assert stranger(server, "/version").status_code == 401
