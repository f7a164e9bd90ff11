"""Nobody hands on more than they have on the dev API server; the writer has no token here."""

from collections.abc import Iterator
from typing import Any, Final

import httpx2
import pytest
from tests.api_server import Kind, running_api_server

BASE: Final = "/apis/rbac.authorization.k8s.io/v1"
GROUP: Final = "rbac.authorization.k8s.io"
WRITERS: Final[dict[str, Any]] = {
    "verbs": ["create", "update", "patch"],
    "apiGroups": [GROUP],
    "resources": ["clusterroles", "clusterrolebindings", "rolebindings"],
}
PODS: Final[dict[str, Any]] = {"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}
MISSING: Final = (
    'user "system:anonymous" (groups=["system:unauthenticated"]) is attempting to grant RBAC '
    'permissions not currently held:\n{APIGroups:[""], Resources:["pods"], Verbs:["get"]}'
)


class Writer:
    """The administrator, and who writes without a token."""

    def __init__(self, admin: httpx2.Client, stranger: httpx2.Client) -> None:
        self.admin = admin
        self.stranger = stranger

    def give(self, name: str, *rules: Any) -> None:
        role = {"metadata": {"name": name}, "rules": list(rules)}
        assert self.admin.post(f"{BASE}/clusterroles", json=role).status_code == 201
        subjects = [{"kind": "User", "name": "system:anonymous"}]
        binding = {"metadata": {"name": name}, "roleRef": reference(name), "subjects": subjects}
        assert self.admin.post(f"{BASE}/clusterrolebindings", json=binding).status_code == 201

    def take(self, name: str) -> None:
        assert self.admin.delete(f"{BASE}/clusterrolebindings/{name}").status_code == 200

    def role(self, name: str, **members: Any) -> httpx2.Response:
        body = {"metadata": {"name": name}, **members}
        return self.stranger.post(f"{BASE}/clusterroles", json=body)

    def binding(self, name: str, role: dict[str, str], place: str = "") -> httpx2.Response:
        plural = f"{place}/rolebindings" if place else "/clusterrolebindings"
        body = {"metadata": {"name": name}, "roleRef": role}
        return self.stranger.post(f"{BASE}{plural}", json=body)


def reference(name: str, kind: str = "ClusterRole") -> dict[str, str]:
    return {"apiGroup": GROUP, "kind": kind, "name": name}


@pytest.fixture(scope="module")
def writer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Writer]:
    folder = tmp_path_factory.mktemp("escalation")
    with running_api_server(folder, kind=Kind.DEV) as api, api.client(None) as stranger:
        made = Writer(api.http, stranger)
        made.give("writers", WRITERS)
        made.give("nowhere", {**PODS, "verbs": ["none"]})
        yield made


def why(answer: httpx2.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["message"].partition(" is forbidden: ")[2]


def test_a_role_is_made_of_what_its_writer_has(writer: Writer) -> None:
    assert why(writer.role("a", rules=[PODS])) == (403, MISSING)
    writer.give("pods", PODS)
    assert writer.role("a", rules=[PODS]).status_code == 201
    writer.take("pods")
    answer = writer.stranger.patch(
        f"{BASE}/clusterroles/a",
        content=b'{"metadata": {"labels": {"a": "b"}}}',
        headers={"Content-Type": "application/merge-patch+json"},
    )
    assert why(answer) == (403, MISSING)


def test_who_may_escalate_makes_any_role(writer: Writer) -> None:
    writer.give("any", {**WRITERS, "verbs": ["escalate"]})
    assert writer.role("b", rules=[PODS]).status_code == 201
    writer.take("any")
    assert why(writer.role("b", rules=[PODS])) == (403, MISSING)


def test_gathering_rules_is_for_those_who_have_all(writer: Writer) -> None:
    rule = {"clusterRoleSelectors": [{"matchLabels": {"none": "x"}}]}
    text = "must have cluster-admin privileges to use the aggregationRule"
    assert why(writer.role("c", aggregationRule=rule)) == (403, text)


def test_a_role_is_bound_by_who_has_it_or_may_bind_it(writer: Writer) -> None:
    role = {"metadata": {"name": "d"}, "rules": [PODS]}
    assert writer.admin.post(f"{BASE}/clusterroles", json=role).status_code == 201
    for place in ("", "/namespaces/default"):
        assert why(writer.binding("d", reference("d"), place)) == (403, MISSING)
    bind = {"verbs": ["bind"], "apiGroups": [GROUP], "resources": ["clusterroles"]}
    writer.give("binders", {**bind, "resourceNames": ["d"]})
    assert writer.binding("d", reference("d")).status_code == 201
    writer.take("binders")


def test_what_cannot_be_bound_is_told(writer: Writer) -> None:
    answer = writer.binding("e", reference("gone"))
    text = f'clusterrolebindings.{GROUP} "gone" not found'
    assert (answer.status_code, answer.json()["message"]) == (404, text)
    answer = writer.binding("e", reference("gone", kind="Foo"), "/namespaces/default")
    text = 'unsupported role reference kind: "Foo"'
    assert (answer.status_code, answer.json()["message"]) == (500, text)


def test_bindings_that_lead_nowhere_are_named_beside_what_is_missing(writer: Writer) -> None:
    assert writer.admin.delete(f"{BASE}/clusterroles/nowhere").status_code == 200
    told = f'{MISSING}; resolution errors: [clusterroles.{GROUP} "nowhere" not found]'
    assert why(writer.role("f", rules=[PODS])) == (403, told)
    writer.take("nowhere")
