"""Who is refused, in which words, and from which change on."""

import json

import pytest

from ferrolb.apimachinery import PathRequest, ResourceRequest, User
from ferrolb.devserver.asking import asked_of
from ferrolb.devserver.authentication import ADMINISTRATOR, ANONYMOUS
from ferrolb.devserver.authorization import Authorizer
from ferrolb.devserver.builtin import ROLES_AND_BINDINGS
from ferrolb.devserver.calls import parse_query
from ferrolb.devserver.default_roles import default_roles
from ferrolb.devserver.paths import parse_resource_path
from ferrolb.devserver.statuses import ApiError
from ferrolb.store import Change, ChangeType, ObjectKey

LIST = ResourceRequest(verb="list", resource="services")
SOMEBODY = User(name="ann", groups=("system:authenticated",))


def change(obj, kind=ChangeType.ADDED):
    # restored objects come without namespace and name in their key
    return Change(
        type=kind,
        key=ObjectKey(ROLES_AND_BINDINGS[0], "", ""),
        resource_version=1,
        encoded=json.dumps(obj).encode(),
        encoded_previous=None,
    )


def role(namespace):
    rule = {"verbs": ["list"], "apiGroups": [""], "resources": ["services"]}
    return {"kind": "Role", "metadata": {"name": "r", "namespace": namespace}, "rules": [rule]}


def binding(namespace):
    return {
        "kind": "RoleBinding",
        "metadata": {"name": "b", "namespace": namespace},
        "roleRef": {"kind": "Role", "name": "r"},
        "subjects": [{"kind": "User", "name": "ann"}],
    }


def in_namespace(namespace):
    return ResourceRequest(verb="list", resource="services", namespace=namespace)


def is_refused(authorizer, user, request):
    try:
        authorizer.check(user, request)
    except ApiError:
        return True
    return False


def started():
    authorizer = Authorizer(is_enforced=True)
    for _, obj in default_roles():
        authorizer.changed(change(obj))
    return authorizer


def test_without_enforcement_everybody_may_do_everything():
    authorizer = Authorizer()
    assert not is_refused(authorizer, ANONYMOUS, LIST)
    assert authorizer.decide(ANONYMOUS, LIST).reason == "this server enforces no roles"
    assert authorizer.rules_of(ANONYMOUS, "x") == {
        "resourceRules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}],
        "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
        "incomplete": False,
    }


def test_administrator_needs_no_role():
    authorizer = Authorizer(is_enforced=True)
    assert not is_refused(authorizer, ADMINISTRATOR, LIST)
    assert is_refused(authorizer, SOMEBODY, LIST)


def test_changes_count_from_the_next_request_on():
    authorizer = Authorizer(is_enforced=True)
    for namespace in ("x", "y"):
        authorizer.changed(change(role(namespace)))
        authorizer.changed(change(binding(namespace)))
    assert not is_refused(authorizer, SOMEBODY, in_namespace("x"))
    authorizer.changed(change({**role("x"), "rules": []}, ChangeType.MODIFIED))
    assert is_refused(authorizer, SOMEBODY, in_namespace("x"))
    assert not is_refused(authorizer, SOMEBODY, in_namespace("y"))
    authorizer.changed(change(binding("y"), ChangeType.DELETED))
    assert is_refused(authorizer, SOMEBODY, in_namespace("y"))


def test_rules_of_a_user_tell_of_a_binding_without_role():
    authorizer = Authorizer(is_enforced=True)
    authorizer.changed(change(binding("x")))
    status = authorizer.rules_of(SOMEBODY, "x")
    assert status["evaluationError"] == 'role.rbac.authorization.k8s.io "r" not found'
    assert status["resourceRules"] == []


@pytest.mark.parametrize(
    ("user", "path", "allowed"),
    [
        (ANONYMOUS, "/version", True),
        (ANONYMOUS, "/livez", True),
        (ANONYMOUS, "/livez/ping", False),
        (ANONYMOUS, "/api", False),
        (SOMEBODY, "/apis/apps/v1", True),
        (SOMEBODY, "/openapi/v3", True),
        (SOMEBODY, "/metrics", False),
        (User(name="prometheus", groups=("system:monitoring",)), "/metrics", True),
    ],
)
def test_default_roles_show_everybody_what_there_is(user, path, allowed):
    assert is_refused(started(), user, PathRequest(verb="get", path=path)) is not allowed


@pytest.mark.parametrize(
    ("plural", "allowed"),
    [("selfsubjectaccessreviews", True), ("subjectaccessreviews", False)],
)
def test_default_roles_let_users_ask_about_themselves_only(plural, allowed):
    request = ResourceRequest(verb="create", group="authorization.k8s.io", resource=plural)
    assert is_refused(started(), SOMEBODY, request) is not allowed


@pytest.mark.parametrize(
    ("method", "target", "verb", "namespace", "name"),
    [
        ("HEAD", "/api/v1/namespaces/x/pods", "list", "x", ""),
        ("HEAD", "/api/v1/namespaces/x/pods/p", "get", "x", "p"),
        ("OPTIONS", "/api/v1/namespaces/x/pods", "", "x", ""),
        ("POST", "/api/v1/namespaces/x/pods/p", "create", "x", "p"),
        ("PUT", "/api/v1/namespaces/x/pods", "update", "x", ""),
        ("DELETE", "/api/v1/pods", "deletecollection", "", ""),
        ("PATCH", "/api/v1/namespaces/x/status", "patch", "x", "x"),
        ("GET", "/api/v1/pods?watch&fieldSelector=metadata.name%3Dp", "watch", "", "p"),
        ("GET", "/api/v1/pods?fieldSelector=spec.nodeName%3Dn,metadata.name%3Dp", "list", "", "p"),
        ("GET", "/api/v1/pods?fieldSelector=metadata.name%3D..", "list", "", ""),
        ("GET", "/api/v1/pods?fieldSelector=metadata.name%3Da%2Fb", "list", "", ""),
        ("DELETE", "/api/v1/pods?fieldSelector=metadata.name%3Dp", "deletecollection", "", ""),
    ],
)
def test_request_is_named_as_roles_name_it(method, target, verb, namespace, name):
    path, _, query = target.partition("?")
    resource_path = parse_resource_path(path)
    assert resource_path is not None
    asked = asked_of(method, resource_path, parse_query(query.encode()))
    assert (asked.verb, asked.namespace, asked.name) == (verb, namespace, name)
