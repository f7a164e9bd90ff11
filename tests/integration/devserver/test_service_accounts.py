"""Service accounts on a running server: restarts, faults, and what is left out."""

import pytest
from tests.fakes.devserver import run_devserver

from ferrolb.devserver import DevServerOptions

SELF = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
ACCOUNTS = "/api/v1/namespaces/default/serviceaccounts"
TOKEN = f"{ACCOUNTS}/bob/token"


def make_account(server):
    answer = server.http.post(ACCOUNTS, json={"metadata": {"name": "bob"}})
    assert answer.status_code == 201, answer.text


def mint(server):
    answer = server.http.post(TOKEN, json={})
    assert answer.status_code == 201, answer.text
    return {"Authorization": f"Bearer {answer.json()['status']['token']}"}


def test_token_outlives_a_restart_with_a_directory(tmp_path):
    options = DevServerOptions(data_dir=tmp_path / "data", is_rbac=True)
    with run_devserver(tmp_path, options) as server:
        make_account(server)
        shown = mint(server)
    with run_devserver(tmp_path, options) as server:
        answer = server.http.post(SELF, json={}, headers=shown)
        assert (
            answer.json()["status"]["userInfo"]["username"] == "system:serviceaccount:default:bob"
        )
        assert server.http.delete(f"{ACCOUNTS}/bob").status_code == 200
        assert server.http.post(SELF, json={}, headers=shown).status_code == 401


def test_token_is_none_on_another_server(tmp_path):
    with run_devserver(tmp_path) as server:
        make_account(server)
        shown = mint(server)
    with run_devserver(tmp_path) as server:
        make_account(server)
        assert server.http.post(SELF, json={}, headers=shown).status_code == 401


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (
            {"boundObjectRef": {"apiVersion": "v1", "kind": "Pod", "name": "p"}},
            "spec.boundObjectRef: this server binds tokens to accounts only",
        ),
        ({"audiences": ["x" * 16_384]}, "the token would be longer than 16384 characters"),
    ],
    ids=["bound", "long"],
)
def test_tokens_that_cannot_be_had_are_refused(devserver, spec, message):
    answer = devserver.http.post(ACCOUNTS, json={"metadata": {"generateName": "a-"}})
    name = answer.json()["metadata"]["name"]
    answer = devserver.http.post(f"{ACCOUNTS}/{name}/token", json={"spec": spec})
    assert (answer.status_code, answer.json()["message"]) == (400, message)


def test_there_is_no_default_account(devserver):
    assert devserver.http.post(f"{ACCOUNTS}/default/token", json={}).status_code == 404


def test_fault_meets_who_asks_for_tokens(tmp_path):
    rule = {
        "match": {"verbs": ["create"], "resource": "serviceaccounts", "subresource": "token"},
        "action": {"type": "Refuse", "code": 503},
        "times": 1,
    }
    with run_devserver(tmp_path, DevServerOptions(has_faults=True)) as server:
        make_account(server)
        assert server.http.post("/ferrolb/faults", json=rule).status_code == 201
        assert server.http.post(TOKEN, json={}).status_code == 503
        assert server.http.post(TOKEN, json={}).status_code == 201


def test_fault_meets_the_account_that_it_names(tmp_path):
    rule = {
        "match": {"user": "system:serviceaccount:default:bob"},
        "action": {"type": "Refuse", "code": 503},
    }
    with run_devserver(tmp_path, DevServerOptions(has_faults=True)) as server:
        make_account(server)
        shown = mint(server)
        assert server.http.post("/ferrolb/faults", json=rule).status_code == 201
        assert server.http.get(ACCOUNTS, headers=shown).status_code == 503
        assert server.http.get(ACCOUNTS).status_code == 200
        assert server.http.get("/ferrolb/faults", headers=shown).status_code == 403
