"""Nobody hands on more than they have, unless a right of its own lets them."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

import httpx2
import pytest
from tests.api_server import ApiServer
from tests.contract.reading import assert_status
from tests.contract.roles import ALICE, GROUP, PODS, REFERENCE, of_kind
from tests.contract.waiting import wait_for
from tests.contract.writing import Objects

WRITERS: Final = {
    "verbs": ["get", "list", "create", "update", "patch", "delete"],
    "apiGroups": [GROUP],
    "resources": ["roles", "rolebindings", "clusterroles", "clusterrolebindings"],
}
"""What lets write all of them, but not escalate and not bind."""


class Deputy:
    """Somebody who may write roles and bindings, and whatever else a test gives them."""

    def __init__(self, api: ApiServer, namespace: str, name: str, http: httpx2.Client) -> None:
        self.namespace = namespace
        self.name = name
        self._admin = api
        self._api = replace(api, http=http)

    def give(self, *rules: Any) -> None:
        """Let them do something everywhere."""
        role = self._admin.new_name("deputy-role")
        of_kind(self._admin, "ClusterRole", "").made(role, rules=list(rules))
        self.bind("ClusterRoleBinding", role, kind="ClusterRole")
        wait_for(lambda: all(rule in self.held() for rule in rules))

    def bind(self, binding_kind: str, role: str, *, kind: str) -> None:
        """Give them a role."""
        reference = {"apiGroup": GROUP, "kind": kind, "name": role}
        user = {"apiGroup": GROUP, "kind": "User", "name": self.name}
        bindings = of_kind(self._admin, binding_kind, self.namespace)
        bindings.made(role, roleRef=reference, subjects=[user])

    def held(self) -> list[Any]:
        """Return the rules that they have in the namespace."""
        status = self.review()
        return [*status["resourceRules"], *status["nonResourceRules"]]

    def review(self) -> Any:
        """Return what the server says of their rules."""
        path = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"
        answer = self._api.http.post(path, json={"spec": {"namespace": self.namespace}})
        assert answer.status_code == 201, answer.text
        return answer.json()["status"]

    def of_kind(self, kind: str) -> Objects:
        """Return the objects of a kind as they write them."""
        return of_kind(self._api, kind, self.namespace)

    def wait_bindable(self, kind: str, role: Any) -> None:
        """Wait until the server binds a role that was made just now, or says why not."""
        bindings = self.of_kind(kind)
        body = bindings.body("try", {"roleRef": role})
        wait_for(lambda: bindings.post(body, dryRun="All").status_code != 404)

    def refusal(self, *missing: str) -> str:
        """Return why they may not, for what they do not have."""
        who = f'user "{self.name}" (groups=["deputies" "system:authenticated"])'
        lines = "\n".join(missing)
        return f"{who} is attempting to grant RBAC permissions not currently held:\n{lines}"


@pytest.fixture
def deputy(api: ApiServer, namespace: str) -> Iterator[Deputy]:
    name = api.new_name("deputy")
    token = api.http.headers["Authorization"].partition(" ")[2]
    headers = {"Impersonate-User": name, "Impersonate-Group": "deputies"}
    with api.client(token, **headers) as http:
        made = Deputy(api, namespace, name, http)
        made.give(WRITERS)
        yield made


@pytest.fixture
def name(api: ApiServer) -> str:
    """A name that no other test uses."""
    return api.new_name("ferrolb:escalation")


def assert_refused(answer: Any, kind: str, name: str, why: str) -> None:
    """Check that a write was refused since it would hand on too much."""
    status = assert_status(answer, 403, "Forbidden")
    plural = f"{kind.lower()}s"
    assert status["message"] == f'{plural}.{GROUP} "{name}" is forbidden: {why}'
    assert status["details"] == {"name": name, "group": GROUP, "kind": plural}


MISSING_PODS: Final = '{APIGroups:[""], Resources:["pods"], Verbs:["get"]}'


@pytest.mark.parametrize("kind", ["Role", "ClusterRole"])
def test_nobody_makes_a_role_of_what_they_do_not_have(deputy: Deputy, name: str, kind: str) -> None:
    roles = deputy.of_kind(kind)
    answer = roles.post(roles.body(name, {"rules": [PODS]}))
    assert_refused(answer, kind, name, deputy.refusal(MISSING_PODS))
    deputy.give(PODS)
    assert roles.made(name, rules=[PODS])["rules"] == [PODS]


def test_what_is_missing_is_named_one_thing_a_line(deputy: Deputy, name: str) -> None:
    deputy.give(PODS)
    rules = [
        {"verbs": ["watch", "get", "list"], "apiGroups": [""], "resources": ["pods", "nodes"]},
        {
            "verbs": ["get", "delete"],
            "apiGroups": ["apps"],
            "resources": ["deployments/scale"],
            "resourceNames": ["b", "a"],
        },
        {"verbs": ["get", "post"], "nonResourceURLs": ["/metrics", "/x/*"]},
    ]
    roles = deputy.of_kind("ClusterRole")
    answer = roles.post(roles.body(name, {"rules": rules}))
    scale = '{APIGroups:["apps"], Resources:["deployments/scale"], ResourceNames:'
    missing = [
        '{APIGroups:[""], Resources:["nodes"], Verbs:["watch" "get" "list"]}',
        '{APIGroups:[""], Resources:["pods"], Verbs:["watch" "list"]}',
        scale + '["a"], Verbs:["get" "delete"]}',
        scale + '["b"], Verbs:["get" "delete"]}',
        '{NonResourceURLs:["/metrics"], Verbs:["get"]}',
        '{NonResourceURLs:["/metrics"], Verbs:["post"]}',
        '{NonResourceURLs:["/x/*"], Verbs:["get"]}',
        '{NonResourceURLs:["/x/*"], Verbs:["post"]}',
    ]
    assert_refused(answer, "ClusterRole", name, deputy.refusal(*missing))


def test_wildcards_cover_what_they_mean(deputy: Deputy, name: str) -> None:
    deputy.give(
        {"verbs": ["*"], "apiGroups": [""], "resources": ["pods", "*/status"]},
        {"verbs": ["get"], "nonResourceURLs": ["/x*"]},
    )
    roles = deputy.of_kind("ClusterRole")
    held = [
        {"verbs": ["*", "get"], "apiGroups": [""], "resources": ["pods", "nodes/status"]},
        {"verbs": ["get"], "nonResourceURLs": ["/x/y", "/x/*"]},
    ]
    assert roles.made(name, rules=held)["rules"] == held
    rules = [{"verbs": ["get"], "apiGroups": ["*"], "resources": ["pods"]}]
    answer = roles.post(roles.body(f"{name}-all", {"rules": rules}))
    missing = '{APIGroups:["*"], Resources:["pods"], Verbs:["get"]}'
    assert_refused(answer, "ClusterRole", f"{name}-all", deputy.refusal(missing))


def test_rights_on_one_object_are_none_on_all(deputy: Deputy, name: str) -> None:
    one = {**PODS, "resourceNames": ["a"]}
    deputy.give(one)
    roles = deputy.of_kind("Role")
    roles.made(name, rules=[one])
    answer = roles.merge(name, {"rules": [PODS]})
    assert_refused(answer, "Role", name, deputy.refusal(MISSING_PODS))


def test_rights_in_a_namespace_are_handed_on_there_alone(
    api: ApiServer, deputy: Deputy, name: str
) -> None:
    of_kind(api, "Role", deputy.namespace).made(name, rules=[PODS])
    deputy.bind("RoleBinding", name, kind="Role")
    wait_for(lambda: PODS in deputy.held())
    assert deputy.of_kind("Role").made(f"{name}-copy", rules=[PODS])["rules"] == [PODS]
    roles = deputy.of_kind("ClusterRole")
    answer = roles.post(roles.body(name, {"rules": [PODS]}))
    assert_refused(answer, "ClusterRole", name, deputy.refusal(MISSING_PODS))


@pytest.mark.parametrize("kind", ["Role", "ClusterRole"])
def test_who_may_escalate_makes_any_role(deputy: Deputy, name: str, kind: str) -> None:
    plural = f"{kind.lower()}s"
    deputy.give({"verbs": ["escalate"], "apiGroups": [GROUP], "resources": [plural]})
    assert deputy.of_kind(kind).made(name, rules=[PODS])["rules"] == [PODS]


def test_a_role_is_not_widened_by_any_kind_of_write(
    api: ApiServer, deputy: Deputy, name: str
) -> None:
    roles = deputy.of_kind("ClusterRole")
    made = of_kind(api, "ClusterRole", "").made(name)
    for answer in (
        roles.put({**made, "rules": [PODS]}),
        roles.merge(name, {"rules": [PODS]}),
        roles.apply(name, "m", rules=[PODS]),
    ):
        assert_refused(answer, "ClusterRole", name, deputy.refusal(MISSING_PODS))
    answer = roles.put(roles.body(f"{name}-new", {"rules": [PODS]}))
    assert_refused(answer, "ClusterRole", f"{name}-new", deputy.refusal(MISSING_PODS))


def test_a_stale_write_that_hands_on_too_much_is_refused_for_that(
    api: ApiServer, deputy: Deputy, name: str
) -> None:
    roles = of_kind(api, "ClusterRole", "")
    made = roles.made(name)
    roles.merged(name, {"metadata": {"labels": {"a": "b"}}})
    answer = deputy.of_kind("ClusterRole").put({**made, "rules": [PODS]})
    assert_refused(answer, "ClusterRole", name, deputy.refusal(MISSING_PODS))


def test_what_is_handed_on_is_looked_at_before_whether_it_is_valid(
    deputy: Deputy, name: str
) -> None:
    roles = deputy.of_kind("Role")
    answer = roles.post(roles.body(name, {"rules": [PODS, {"verbs": ["get"]}]}))
    assert_refused(answer, "Role", name, deputy.refusal(MISSING_PODS))


def test_labels_of_a_role_with_more_rights_are_not_for_everybody(
    api: ApiServer, deputy: Deputy, name: str
) -> None:
    of_kind(api, "ClusterRole", "").made(name, rules=[PODS])
    roles = deputy.of_kind("ClusterRole")
    answer = roles.merge(name, {"metadata": {"labels": {"a": "b"}}})
    assert_refused(answer, "ClusterRole", name, deputy.refusal(MISSING_PODS))
    owned = roles.merged(name, {"metadata": {"finalizers": ["example.com/hold"]}})
    assert owned["metadata"]["finalizers"] == ["example.com/hold"]
    roles.release(name)


def test_gathering_rules_is_for_those_who_have_all(deputy: Deputy, name: str) -> None:
    rule = {"clusterRoleSelectors": [{"matchLabels": {"ferrolb/none": "x"}}]}
    roles = deputy.of_kind("ClusterRole")
    answer = roles.post(roles.body(name, {"aggregationRule": rule}))
    why = "must have cluster-admin privileges to use the aggregationRule"
    assert_refused(answer, "ClusterRole", name, why)
    deputy.give(
        {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]},
        {"verbs": ["*"], "nonResourceURLs": ["*"]},
    )
    assert roles.made(name, aggregationRule=rule)["aggregationRule"] == rule


@pytest.mark.parametrize("kind", ["RoleBinding", "ClusterRoleBinding"])
def test_nobody_binds_a_role_of_what_they_do_not_have(
    api: ApiServer, deputy: Deputy, name: str, kind: str
) -> None:
    of_kind(api, "ClusterRole", "").made(name, rules=[PODS])
    bindings = deputy.of_kind(kind)
    role = {**REFERENCE, "name": name}
    deputy.wait_bindable(kind, role)
    body = bindings.body(name, {"roleRef": role, "subjects": [ALICE]})
    assert_refused(bindings.post(body), kind, name, deputy.refusal(MISSING_PODS))
    deputy.give(PODS)
    assert bindings.post(body).status_code == 201


@pytest.mark.parametrize("kind", ["RoleBinding", "ClusterRoleBinding"])
def test_who_may_bind_a_role_binds_it(api: ApiServer, deputy: Deputy, name: str, kind: str) -> None:
    of_kind(api, "ClusterRole", "").made(name, rules=[PODS])
    bind = {"verbs": ["bind"], "apiGroups": [GROUP], "resources": ["clusterroles"]}
    deputy.give({**bind, "resourceNames": [name]})
    made = deputy.of_kind(kind).made(name, roleRef={**REFERENCE, "name": name})
    assert made["roleRef"]["name"] == name


def test_whom_a_role_is_bound_to_is_not_for_everybody(
    api: ApiServer, deputy: Deputy, name: str
) -> None:
    of_kind(api, "Role", deputy.namespace).made(name, rules=[PODS])
    reference = {"apiGroup": GROUP, "kind": "Role", "name": name}
    of_kind(api, "RoleBinding", deputy.namespace).made(name, roleRef=reference)
    deputy.wait_bindable("RoleBinding", reference)
    answer = deputy.of_kind("RoleBinding").merge(name, {"subjects": [ALICE]})
    assert_refused(answer, "RoleBinding", name, deputy.refusal(MISSING_PODS))


@pytest.mark.parametrize("kind", ["RoleBinding", "ClusterRoleBinding"])
def test_a_missing_role_is_not_bound_by_everybody(deputy: Deputy, name: str, kind: str) -> None:
    bindings = deputy.of_kind(kind)
    answer = bindings.post(bindings.body(name, {"roleRef": REFERENCE}))
    status = assert_status(answer, 404, "NotFound")
    assert status["message"] == f'{kind.lower()}s.{GROUP} "nobody-made-it" not found'


def test_a_binding_that_leads_nowhere_is_named_beside_what_is_missing(
    deputy: Deputy, name: str
) -> None:
    deputy.bind("ClusterRoleBinding", name, kind="ClusterRole")
    wait_for(lambda: name in deputy.review().get("evaluationError", ""))
    roles = deputy.of_kind("Role")
    answer = roles.post(roles.body(name, {"rules": [PODS]}))
    nowhere = f'; resolution errors: [roles.{GROUP} "{name}" not found]'
    assert_refused(answer, "Role", name, deputy.refusal(MISSING_PODS) + nowhere)


def test_a_role_of_an_unknown_kind_is_bound_by_nobody(deputy: Deputy, name: str) -> None:
    bindings = deputy.of_kind("RoleBinding")
    answer = bindings.post(bindings.body(name, {"roleRef": {**REFERENCE, "kind": "Foo"}}))
    assert answer.status_code == 500
    assert answer.json()["message"] == 'unsupported role reference kind: "Foo"'
