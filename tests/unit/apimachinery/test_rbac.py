"""What rules of roles allow."""

import pytest

from ferrolb.apimachinery import (
    PathRequest,
    ResourceRequest,
    Rule,
    User,
    is_allowed,
    is_subject,
    missing_rules,
    parse_rules,
)


def rule(verbs="", groups="core", resources="", names="", paths=""):
    return Rule(
        verbs=frozenset(verbs.split()),
        groups=frozenset("" if each == "core" else each for each in groups.split()),
        resources=frozenset(resources.split()),
        names=frozenset(names.split()),
        paths=frozenset(paths.split()),
    )


def asks(verb, resource, name="", subresource="", group=""):
    return ResourceRequest(
        verb=verb, group=group, resource=resource, subresource=subresource, name=name
    )


@pytest.mark.parametrize(
    ("held", "request_", "allowed"),
    [
        (rule("get", resources="services"), asks("get", "services", "a"), True),
        (rule("get", resources="services"), asks("list", "services"), False),
        (rule("get", resources="services"), asks("get", "pods", "a"), False),
        (rule("get", "apps", "services"), asks("get", "services", "a"), False),
        (rule("*", "*", "*"), asks("get", "leases", "a", group="coordination.k8s.io"), True),
        (rule("get", resources="services"), asks("get", "services", "a", "status"), False),
        (rule("get", resources="services/status"), asks("get", "services", "a"), False),
        (rule("get", resources="*"), asks("get", "services", "a", "status"), True),
        (rule("get", resources="*/status"), asks("get", "services", "a", "status"), True),
        (rule("get", resources="*/status"), asks("get", "services", "a"), False),
        (rule("get", resources="*/status"), asks("get", "services", "a", "scale"), False),
        (rule("get", resources="services", names="a b"), asks("get", "services", "b"), True),
        (rule("get", resources="services", names="a"), asks("get", "services", "c"), False),
        (rule("create", resources="services", names="a"), asks("create", "services"), False),
        (rule("get", paths="/metrics"), PathRequest(verb="get", path="/metrics"), True),
        (rule("get", paths="/metrics"), PathRequest(verb="post", path="/metrics"), False),
        (rule("get", paths="/apis/*"), PathRequest(verb="get", path="/apis/apps"), True),
        (rule("get", paths="/apis/*"), PathRequest(verb="get", path="/apis"), False),
        (rule("get", paths="*"), PathRequest(verb="get", path="/version"), True),
        (rule("*", "*", "*"), PathRequest(verb="get", path="/version"), False),
    ],
)
def test_rule_allows_what_it_has_and_nothing_else(held, request_, allowed):
    assert is_allowed([held], request_) is allowed


def test_no_rules_allow_nothing():
    assert not is_allowed([], asks("get", "services"))


def test_one_of_several_rules_is_enough_but_two_halves_are_not():
    rules = [rule("get", resources="pods"), rule("list", resources="services")]
    assert is_allowed(rules, asks("list", "services"))
    assert not is_allowed(rules, asks("get", "services"))


def test_rules_are_read_from_a_role_and_misspelled_ones_grant_nothing():
    found = parse_rules(
        [
            {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", 1], "resourceNames": ["a"]},
            {"nonResourceURLs": ["/x"], "verbs": "get"},
            "get",
        ]
    )
    assert found == (rule("get", resources="pods", names="a"), rule("", "", paths="/x"))
    assert parse_rules(None) == ()


@pytest.mark.parametrize(
    ("held", "wanted", "missing"),
    [
        ([rule("get list", resources="pods")], rule("get", resources="pods"), []),
        (
            [rule("get", resources="pods")],
            rule("get list", resources="pods"),
            [rule("list", resources="pods")],
        ),
        (
            [rule("get", resources="pods"), rule("list", resources="pods")],
            rule("get list", resources="pods"),
            [],
        ),
        ([rule("*", "*", "*")], rule("bind", "rbac", "roles", "a"), []),
        ([rule("get", resources="pods")], rule("*", resources="pods"), [rule("*", "core", "pods")]),
        ([rule("get", "core", "pods")], rule("get", "apps", "pods"), [rule("get", "apps", "pods")]),
        ([rule("get", resources="*/status")], rule("get", resources="pods/status"), []),
        ([rule("get", resources="pods")], rule("get", resources="pods", names="a"), []),
        (
            [rule("get", resources="pods", names="a")],
            rule("get", resources="pods"),
            [rule("get", resources="pods")],
        ),
        (
            [rule("get", resources="pods", names="a")],
            rule("get", resources="pods", names="a b"),
            [rule("get", resources="pods", names="b")],
        ),
        ([rule("get", paths="/apis/*")], rule("get", "", paths="/apis/apps"), []),
        (
            [rule("get", paths="/apis")],
            rule("get", "", paths="/apis /api"),
            [rule("get", "", paths="/api")],
        ),
    ],
)
def test_granting_more_than_one_holds_is_told_part_by_part(held, wanted, missing):
    assert missing_rules(held, [wanted]) == missing


def test_a_part_missing_twice_is_told_once():
    wanted = rule("get", resources="pods")
    assert missing_rules([], [wanted, wanted]) == [wanted]


@pytest.mark.parametrize(
    ("subject", "binding_namespace", "expected"),
    [
        ({"kind": "User", "name": "system:serviceaccount:y:x"}, "", True),
        ({"kind": "User", "name": "x"}, "", False),
        ({"kind": "Group", "name": "g"}, "", True),
        ({"kind": "Group", "name": "system:serviceaccount:y:x"}, "", False),
        ({"kind": "ServiceAccount", "name": "x", "namespace": "y"}, "other", True),
        ({"kind": "ServiceAccount", "name": "x", "namespace": "other"}, "y", False),
        ({"kind": "ServiceAccount", "name": "x"}, "y", True),
        ({"kind": "ServiceAccount", "name": "x"}, "", False),
        ({"kind": "Robot", "name": "g"}, "", False),
    ],
)
def test_subject_is_the_user_or_one_of_its_groups(subject, binding_namespace, expected):
    user = User(name="system:serviceaccount:y:x", groups=("g",))
    assert is_subject(subject, user, binding_namespace=binding_namespace) is expected
