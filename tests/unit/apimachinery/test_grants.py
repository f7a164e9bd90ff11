"""What allows a request, and which bindings lead nowhere."""

import pytest

from ferrolb.apimachinery import Decision, Grants, PathRequest, ResourceRequest, User

READ = {"verbs": ["get", "list"], "apiGroups": [""], "resources": ["services"]}
ANN = User(name="ann", groups=("dev",))


def role(name, *rules, namespace=""):
    kind = "Role" if namespace else "ClusterRole"
    return {
        "kind": kind,
        "metadata": {"name": name, **({"namespace": namespace} if namespace else {})},
        "rules": list(rules),
    }


def binding(name, role_name, *subjects, namespace="", kind="ClusterRole"):
    return {
        "kind": "RoleBinding" if namespace else "ClusterRoleBinding",
        "metadata": {"name": name, **({"namespace": namespace} if namespace else {})},
        "roleRef": {"kind": kind, "name": role_name},
        "subjects": list(subjects),
    }


def user(name):
    return {"kind": "User", "name": name}


def lists(namespace=""):
    return ResourceRequest(verb="list", resource="services", namespace=namespace)


def grants_of(*objects):
    grants = Grants()
    for obj in objects:
        grants.put(obj)
    return grants


@pytest.mark.parametrize(
    ("bound", "who", "reason"),
    [
        (
            binding("b", "r", user("ann")),
            ANN,
            'RBAC: allowed by ClusterRoleBinding "b" of ClusterRole "r" to User "ann"',
        ),
        (
            binding("b", "r", {"kind": "Group", "name": "dev"}, namespace="x"),
            ANN,
            'RBAC: allowed by RoleBinding "b/x" of ClusterRole "r" to Group "dev"',
        ),
        (
            binding("b", "r", {"kind": "ServiceAccount", "name": "sa"}, namespace="x"),
            User(name="system:serviceaccount:x:sa"),
            'RBAC: allowed by RoleBinding "b/x" of ClusterRole "r" to ServiceAccount "sa/x"',
        ),
        (
            binding("b", "r", user("bob"), {"kind": "Group", "name": "dev"}, user("ann")),
            ANN,
            'RBAC: allowed by ClusterRoleBinding "b" of ClusterRole "r" to Group "dev"',
        ),
    ],
)
def test_reason_names_binding_role_and_the_first_subject_that_fits(bound, who, reason):
    grants = grants_of(role("r", READ), bound)
    assert grants.decide(who, lists("x")) == Decision(is_allowed=True, reason=reason)


def test_binding_in_a_namespace_grants_nothing_elsewhere():
    grants = grants_of(role("r", READ), binding("b", "r", user("ann"), namespace="x"))
    assert grants.decide(ANN, lists("x")).is_allowed
    assert grants.decide(ANN, lists("y")) == Decision(is_allowed=False)
    assert grants.decide(ANN, lists()) == Decision(is_allowed=False)


def test_role_of_a_namespace_is_not_that_of_another():
    grants = grants_of(
        role("r", READ, namespace="x"), binding("b", "r", user("ann"), namespace="y", kind="Role")
    )
    assert grants.decide(ANN, lists("y")) == Decision(
        is_allowed=False, reason='RBAC: role.rbac.authorization.k8s.io "r" not found'
    )


def test_account_without_namespace_in_a_cluster_binding_is_nobody():
    account = {"kind": "ServiceAccount", "name": "sa"}
    grants = grants_of(role("r", READ), binding("b", "r", account))
    assert not grants.decide(User(name="system:serviceaccount::sa"), lists()).is_allowed


def test_bindings_without_role_do_not_stand_in_the_way_and_are_told_once_each():
    lost = [binding(name, "gone", user("ann")) for name in ("a", "b")]
    odd = binding("c", "r", user("ann"), kind="Rule")
    grants = grants_of(role("r", READ), *lost, odd)
    missing = 'clusterrole.rbac.authorization.k8s.io "gone" not found'
    odd_kind = 'unsupported role reference kind: "Rule"'
    assert grants.decide(ANN, lists()).reason == f"RBAC: [{missing}, {odd_kind}]"
    assert grants.held(ANN, "").errors == (missing, missing, odd_kind)
    grants.put(binding("d", "r", user("ann")))
    assert grants.decide(ANN, lists()).is_allowed


def test_binding_that_names_others_now_grants_its_former_subjects_nothing():
    grants = grants_of(role("r", READ), binding("b", "r", user("ann")))
    grants.put(binding("b", "r", user("bob")))
    assert not grants.decide(ANN, lists()).is_allowed
    assert grants.decide(User(name="bob"), lists()).is_allowed


def test_paths_are_granted_by_cluster_bindings_alone():
    path = {"verbs": ["get"], "nonResourceURLs": ["/metrics"]}
    asks = PathRequest(verb="get", path="/metrics")
    grants = grants_of(role("r", path), binding("b", "r", user("ann"), namespace="x"))
    assert not grants.decide(ANN, asks).is_allowed
    grants.put(binding("b", "r", user("ann")))
    assert grants.decide(ANN, asks).is_allowed


@pytest.mark.parametrize(
    "broken",
    [
        {"kind": "ClusterRoleBinding", "metadata": None, "roleRef": 3, "subjects": "ann"},
        {"kind": "ClusterRole", "metadata": {"name": 7}, "rules": {"verbs": ["*"]}},
        {"kind": "ConfigMap", "metadata": {"name": "r"}},
        {},
    ],
)
def test_what_is_not_spelled_as_the_api_has_it_grants_nothing(broken):
    grants = grants_of(broken)
    assert not grants.decide(ANN, lists()).is_allowed
    grants.remove(broken)
    assert grants == Grants()


def test_rules_held_are_as_written():
    rule = {**READ, "resourceNames": ["a"], "verbs": ["list", "get"]}
    grants = grants_of(role("r", rule), binding("b", "r", user("ann"), namespace="x"))
    held = grants.held(ANN, "x")
    assert held.rules == (rule,)
    assert held.parsed[0].names == {"a"}
    assert grants.held(ANN, "").rules == ()


def test_end_of_one_binding_leaves_the_others_of_its_subject():
    grants = grants_of(
        role("r", READ), binding("a", "r", user("ann")), binding("b", "r", user("ann"))
    )
    grants.remove(binding("a", "r", user("ann")))
    assert grants.decide(ANN, lists()).reason.startswith('RBAC: allowed by ClusterRoleBinding "b"')
