"""Questions about what users may do are answered as their requests would be."""

import pytest
from tests.api_server import ApiServer
from tests.contract.granting import GROUP, REVIEWS, asker_of, grant, may, rule, user


def ask(api: ApiServer, plural: str, spec: object, **members: object):
    body = {"spec": spec, **members}
    return api.http.post(f"{REVIEWS}/{plural}", json=body)


def assert_invalid(answer, *causes):
    assert answer.status_code == 422, answer.text
    status = answer.json()
    errors = [f"{field}: {message}" for field, message in causes]
    text = errors[0] if len(errors) == 1 else f"[{', '.join(errors)}]"
    assert status["message"] == f'.authorization.k8s.io "" is invalid: {text}'
    assert status["details"] == {
        "group": "authorization.k8s.io",
        "causes": [
            {"reason": "FieldValueInvalid", "message": message, "field": field}
            for field, message in causes
        ],
    }


NEITHER = (
    "spec.resourceAttributes",
    "Invalid value: null: exactly one of nonResourceAttributes or resourceAttributes "
    "must be specified",
)
NOBODY = ("spec.user", 'Invalid value: "": at least one of user or group must be specified')
BOTH = (
    "spec.nonResourceAttributes",
    'Invalid value: {"Path":"/x","Verb":"get"}: cannot be specified in combination with '
    "resourceAttributes",
)
PATH = {"nonResourceAttributes": {"path": "/x", "verb": "get"}}
RESOURCE = {"resourceAttributes": {"verb": "get", "resource": "pods"}}


@pytest.mark.parametrize(
    ("subject", "described"),
    [
        (user("ann"), 'User "ann"'),
        ({"apiGroup": GROUP, "kind": "Group", "name": "dev"}, 'Group "dev"'),
        (
            {"kind": "ServiceAccount", "name": "sa", "namespace": "other"},
            'ServiceAccount "sa/other"',
        ),
    ],
    ids=["user", "group", "account"],
)
def test_reason_names_binding_role_and_subject(api, namespace, subject, described):
    role, binding = grant(api, namespace, rule("get list", "pods"), subject=subject)
    who = asker_of(subject, namespace)
    answer = may(api, *who, verb="list", resource="pods", namespace=namespace)
    reason = f'RBAC: allowed by RoleBinding "{binding}/{namespace}" of Role "{role}" to {described}'
    assert answer == {"allowed": True, "reason": reason}
    assert may(api, *who, verb="watch", resource="pods", namespace=namespace) == {"allowed": False}


def test_masters_may_do_everything_for_no_reason(api):
    answer = may(api, "ann", ["system:masters"], verb="dance", resource="things", group="no.such")
    assert answer == {"allowed": True}


def test_user_alone_is_in_no_group(api):
    asked = {"path": "/api", "verb": "get"}
    assert may(api, "ann", **asked) == {"allowed": False}
    answer = may(api, "ann", ["system:authenticated"], **asked)
    assert answer == {
        "allowed": True,
        "reason": 'RBAC: allowed by ClusterRoleBinding "system:discovery" of ClusterRole '
        '"system:discovery" to Group "system:authenticated"',
    }


@pytest.mark.parametrize(
    ("granted", "asked", "allowed"),
    [
        (rule("get", "pods"), {"verb": "get", "resource": "pods"}, True),
        (rule("get", "pods"), {"verb": "get", "resource": "pods", "group": "apps"}, False),
        (rule("get", "pods"), {"verb": "get", "resource": "pods", "subresource": "log"}, False),
        (rule("get", "pods"), {"verb": "get", "resource": "*"}, False),
        (rule("get", "pods"), {"verb": "*", "resource": "pods"}, False),
        (rule("get", "pods/log"), {"verb": "get", "resource": "pods", "subresource": "log"}, True),
        (rule("get", "*/log"), {"verb": "get", "resource": "pods", "subresource": "log"}, True),
        (rule("get", "*/log"), {"verb": "get", "resource": "pods"}, False),
        (rule("get", "pods/*"), {"verb": "get", "resource": "pods", "subresource": "log"}, False),
        (rule("get", "*"), {"verb": "get", "resource": "pods", "subresource": "log"}, True),
        (rule("*", "pods"), {"verb": "dance", "resource": "pods"}, True),
        (rule("get", "pods", "*"), {"verb": "get", "resource": "pods", "group": "apps"}, True),
        (rule("get", "pods", names="a"), {"verb": "get", "resource": "pods", "name": "a"}, True),
        (rule("get", "pods", names="a"), {"verb": "get", "resource": "pods"}, False),
        (rule("get", "pods", names="a"), {"verb": "get", "resource": "pods", "name": "b"}, False),
    ],
)
def test_rule_allows_what_it_has_and_nothing_else(api, namespace, granted, asked, allowed):
    name = api.new_name("user")
    grant(api, namespace, granted, subject=user(name))
    assert may(api, name, namespace=namespace, **asked)["allowed"] is allowed


def test_review_shows_the_question_again(api):
    spec = {"user": "ann", "groups": ["dev"], **RESOURCE}
    answer = ask(api, "subjectaccessreviews", spec)
    assert answer.status_code == 201
    body = answer.json()
    assert (body["kind"], body["apiVersion"]) == (
        "SubjectAccessReview",
        "authorization.k8s.io/v1",
    )
    assert body["spec"] == spec
    assert body["status"] == {"allowed": False}


@pytest.mark.parametrize(
    ("spec", "causes"),
    [
        ({}, [NEITHER, NOBODY]),
        (RESOURCE, [NOBODY]),
        ({"user": "ann"}, [NEITHER]),
        ({"user": "ann", **RESOURCE, **PATH}, [BOTH]),
    ],
    ids=["nothing", "nobody", "neither", "both"],
)
def test_question_about_others_names_somebody_and_one_thing(api, spec, causes):
    assert_invalid(ask(api, "subjectaccessreviews", spec), *causes)


@pytest.mark.parametrize(
    ("spec", "cause"), [({}, NEITHER), ({**RESOURCE, **PATH}, BOTH)], ids=["neither", "both"]
)
def test_question_about_oneself_names_one_thing(api, spec, cause):
    assert_invalid(ask(api, "selfsubjectaccessreviews", spec), cause)


@pytest.mark.parametrize("plural", ["subjectaccessreviews", "selfsubjectaccessreviews"])
def test_question_has_no_name(api, plural):
    answer = ask(api, plural, {"user": "ann", **RESOURCE}, metadata={"name": "x"})
    assert answer.status_code == 422
    (cause,) = answer.json()["details"]["causes"]
    assert (cause["reason"], cause["field"]) == ("FieldValueInvalid", "metadata")
    assert cause["message"].endswith("must be empty")


def local(**asked):
    return {"user": "ann", "resourceAttributes": {"verb": "get", "resource": "pods", **asked}}


def test_local_question_is_answered_in_its_namespace(api, namespace):
    path = f"namespaces/{namespace}/localsubjectaccessreviews"
    answer = ask(api, path, local(namespace=namespace))
    assert answer.status_code == 201
    assert answer.json()["metadata"]["namespace"] == namespace
    assert answer.json()["status"] == {"allowed": False}


@pytest.mark.parametrize("named", [{}, {"namespace": "other"}], ids=["none", "another"])
def test_local_question_is_about_its_namespace(api, namespace, named):
    path = f"namespaces/{namespace}/localsubjectaccessreviews"
    shown = named.get("namespace", "")
    cause = (
        "spec.resourceAttributes.namespace",
        f'Invalid value: "{shown}": must match metadata.namespace',
    )
    assert_invalid(ask(api, path, local(**named)), cause)


def test_local_question_is_about_resources(api, namespace):
    path = f"namespaces/{namespace}/localsubjectaccessreviews"
    cause = (
        "spec.nonResourceAttributes",
        'Invalid value: {"Path":"/x","Verb":"get"}: disallowed on this kind of request',
    )
    assert_invalid(ask(api, path, {"user": "ann", **PATH}), cause)


def test_local_question_says_of_no_other_namespace_that_it_is_there(api, namespace):
    path = f"namespaces/{namespace}/localsubjectaccessreviews"
    spec = local(namespace=namespace)
    answer = ask(api, path, spec, metadata={"namespace": "other"})
    assert answer.status_code == 400
    assert answer.json()["message"] == (
        "the namespace of the provided object does not match the namespace sent on the request"
    )


@pytest.mark.parametrize(
    "path",
    ["localsubjectaccessreviews", "namespaces/default/selfsubjectaccessreviews"],
)
def test_question_is_asked_in_its_place_only(api, path):
    answer = ask(api, path, {"user": "ann", **RESOURCE})
    assert answer.status_code == 404
    assert answer.json()["details"] == {}


def test_rules_are_those_of_a_namespace_and_it_must_be_named(api):
    answer = ask(api, "selfsubjectrulesreviews", {})
    assert answer.status_code == 400
    assert answer.json()["message"] == "no namespace on request"


def test_rules_of_the_administrator_are_those_of_cluster_admin_and_of_everybody(api):
    status = ask(api, "selfsubjectrulesreviews", {"namespace": "default"}).json()["status"]
    everything = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}
    own = {
        "verbs": ["create"],
        "apiGroups": ["authorization.k8s.io"],
        "resources": ["selfsubjectaccessreviews", "selfsubjectrulesreviews"],
    }
    assert everything in status["resourceRules"]
    assert own in status["resourceRules"]
    assert {"verbs": ["*"], "nonResourceURLs": ["*"]} in status["nonResourceRules"]
    assert status["incomplete"] is False


def test_strangers_may_not_ask(api):
    with api.client(None) as client:
        answer = client.post(
            f"{REVIEWS}/selfsubjectrulesreviews", json={"spec": {"namespace": "default"}}
        )
    assert answer.status_code == 403


def test_kubectl_asks_what_the_administrator_may(kubectl):
    assert kubectl("auth", "can-i", "delete", "nodes").strip() == "yes"
    listed = kubectl("auth", "can-i", "--list")
    assert "*.*" in listed
    assert "selfsubjectaccessreviews.authorization.k8s.io" in listed
