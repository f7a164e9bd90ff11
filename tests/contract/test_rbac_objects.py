"""Roles and bindings: what is filled in, and what is refused."""

import json
from typing import Any, Final

import pytest
from tests.api_server import ApiServer
from tests.contract.reading import assert_status
from tests.contract.roles import ALICE, GROUP, PODS, REFERENCE, of_kind
from tests.contract.writing import Objects, assert_invalid

REQUIRED: Final = "FieldValueRequired"
INVALID: Final = "FieldValueInvalid"
UNSUPPORTED: Final = "FieldValueNotSupported"
FORBIDDEN: Final = "FieldValueForbidden"

NO_VERBS: Final = "Required value: verbs must contain at least one value"
NO_GROUPS: Final = "Required value: resource rules must supply at least one api group"
NO_RESOURCES: Final = "Required value: resource rules must supply at least one resource"
NOT_IN_A_NAMESPACE: Final = "namespaced rules cannot apply to non-resource URLs"
NOT_BOTH: Final = "rules cannot apply to both regular resources and non-resource URLs"
QUALIFIED: Final = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end "
    "with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for "
    "validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
LABEL_VALUE: Final = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or "
    "'.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',"
    "  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)


@pytest.fixture
def name(api: ApiServer) -> str:
    """A name as roles have it, and other kinds do not."""
    return api.new_name("ferrolb:objects")


@pytest.fixture(params=["Role", "ClusterRole"])
def roles(request: pytest.FixtureRequest, api: ApiServer, namespace: str) -> Objects:
    return of_kind(api, request.param, namespace)


@pytest.fixture
def cluster_roles(api: ApiServer) -> Objects:
    return of_kind(api, "ClusterRole", "")


@pytest.fixture(params=["RoleBinding", "ClusterRoleBinding"])
def bindings(request: pytest.FixtureRequest, api: ApiServer, namespace: str) -> Objects:
    return of_kind(api, request.param, namespace)


def test_a_role_keeps_its_rules_and_counts_no_generations(roles: Objects, name: str) -> None:
    named = {**PODS, "resourceNames": ["a"]}
    made = roles.made(name, rules=[PODS, named])
    assert made["rules"] == [PODS, named]
    assert "generation" not in made["metadata"]


@pytest.mark.parametrize("members", [{}, {"rules": []}, {"rules": None}])
def test_a_role_without_rules_says_so(roles: Objects, name: str, members: Any) -> None:
    assert roles.made(name, **members)["rules"] is None
    assert roles.get(name)["rules"] is None
    changed = roles.merged(name, {"metadata": {"labels": {"a": "b"}}})
    assert changed["rules"] is None


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({}, {("verbs", NO_VERBS), ("apiGroups", NO_GROUPS), ("resources", NO_RESOURCES)}),
        ({"apiGroups": [""], "resources": ["pods"]}, {("verbs", NO_VERBS)}),
        ({**PODS, "verbs": []}, {("verbs", NO_VERBS)}),
        ({"verbs": ["get"], "resources": ["pods"]}, {("apiGroups", NO_GROUPS)}),
        ({"verbs": ["get"], "apiGroups": [""]}, {("resources", NO_RESOURCES)}),
    ],
    ids=["empty", "no verbs", "empty verbs", "no groups", "no resources"],
)
def test_a_rule_needs_verbs_groups_and_resources(
    roles: Objects, name: str, rule: Any, expected: set[tuple[str, str]]
) -> None:
    answer = roles.post(roles.body(name, {"rules": [PODS, rule]}))
    status = assert_invalid(
        answer, *((f"rules[1].{field}", REQUIRED, text) for field, text in expected)
    )
    kind = roles.identity["kind"]
    assert status["message"].startswith(f'{kind}.{GROUP} "{name}" is invalid: ')
    assert roles.is_gone(name)


def test_rules_of_a_cluster_role_may_be_about_paths(cluster_roles: Objects, name: str) -> None:
    rule = {"verbs": ["get"], "nonResourceURLs": ["/healthz", "/x/*"]}
    assert cluster_roles.made(name, rules=[rule])["rules"] == [rule]


def test_rules_of_a_role_in_a_namespace_are_about_no_paths(
    api: ApiServer, namespace: str, name: str
) -> None:
    roles = of_kind(api, "Role", namespace)
    rule = {"verbs": ["get"], "nonResourceURLs": ["/healthz", "/x/*"]}
    text = f'Invalid value: ["/healthz","/x/*"]: {NOT_IN_A_NAMESPACE}'
    answer = roles.post(roles.body(name, {"rules": [rule]}))
    assert_invalid(answer, ("rules[0].nonResourceURLs", INVALID, text))


@pytest.mark.parametrize("member", ["apiGroups", "resources", "resourceNames"])
def test_a_rule_is_about_resources_or_about_paths(
    cluster_roles: Objects, name: str, member: str
) -> None:
    rule = {"verbs": ["get"], "nonResourceURLs": ["/healthz"], member: ["a"]}
    text = f'Invalid value: ["/healthz"]: {NOT_BOTH}'
    answer = cluster_roles.post(cluster_roles.body(name, {"rules": [rule]}))
    assert_invalid(answer, ("rules[0].nonResourceURLs", INVALID, text))


@pytest.mark.parametrize(
    ("bad", "text"),
    [
        ("a/b", "may not contain '/'"),
        ("a%b", "may not contain '%'"),
        ("..", "may not be '..'"),
    ],
)
def test_a_roles_name_is_one_segment_of_a_path(roles: Objects, bad: str, text: str) -> None:
    answer = roles.post(roles.body(bad, {"rules": [PODS]}))
    assert_invalid(answer, ("metadata.name", INVALID, f'Invalid value: "{bad}": {text}'))


def test_a_roles_generated_name_begins_as_it_may(roles: Objects) -> None:
    answer = roles.post({"metadata": {"generateName": "System:Reader-"}, "rules": [PODS]})
    assert answer.status_code == 201
    assert answer.json()["metadata"]["name"].startswith("System:Reader-")


def test_a_role_is_made_by_an_update(roles: Objects, name: str) -> None:
    assert roles.put(roles.body(name, {"rules": [PODS]})).status_code == 201
    assert roles.get(name)["rules"] == [PODS]


def test_an_update_of_a_role_is_checked_as_its_creation(roles: Objects, name: str) -> None:
    made = roles.made(name, rules=[PODS])
    answer = roles.put({**made, "rules": [{**PODS, "verbs": []}]})
    assert_invalid(answer, ("rules[0].verbs", REQUIRED, NO_VERBS))
    assert roles.get(name)["rules"] == [PODS]


def test_only_cluster_roles_gather_rules(api: ApiServer, namespace: str, name: str) -> None:
    aggregation = {"clusterRoleSelectors": [{"matchLabels": {"ferrolb/none": "x"}}]}
    cluster_role = of_kind(api, "ClusterRole", "").made(name, aggregationRule=aggregation)
    assert cluster_role["aggregationRule"] == aggregation
    role = of_kind(api, "Role", namespace).made(name, aggregationRule=aggregation)
    assert "aggregationRule" not in role


@pytest.mark.parametrize("rule", [{}, {"clusterRoleSelectors": []}], ids=["none", "empty"])
def test_what_gathers_rules_selects(cluster_roles: Objects, name: str, rule: Any) -> None:
    text = "Required value: at least one clusterRoleSelector required if aggregationRule is non-nil"
    answer = cluster_roles.post(cluster_roles.body(name, {"aggregationRule": rule}))
    assert_invalid(answer, ("aggregationRule.clusterRoleSelectors", REQUIRED, text))


def _expression(**members: Any) -> Any:
    return {"matchExpressions": [{"key": "a", **members}]}


@pytest.mark.parametrize(
    ("selector", "field", "reason", "message"),
    [
        ({"matchLabels": {"a b": "c"}}, "matchLabels", INVALID, f'"a b": {QUALIFIED}'),
        ({"matchLabels": {"a": "c d"}}, "matchLabels", INVALID, f'"c d": {LABEL_VALUE}'),
        (
            _expression(operator="Like", values=["b"]),
            "matchExpressions[0].operator",
            INVALID,
            '"Like": not a valid selector operator',
        ),
        (
            _expression(),
            "matchExpressions[0].operator",
            INVALID,
            '"": not a valid selector operator',
        ),
        (
            _expression(operator="NotIn"),
            "matchExpressions[0].values",
            REQUIRED,
            "must be specified when `operator` is 'In' or 'NotIn'",
        ),
        (
            _expression(operator="Exists", values=["b"]),
            "matchExpressions[0].values",
            FORBIDDEN,
            "may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
        ),
        (
            _expression(key="a b", operator="Exists"),
            "matchExpressions[0].key",
            INVALID,
            f'"a b": {QUALIFIED}',
        ),
        (
            _expression(operator="In", values=["ok", "b c"]),
            "matchExpressions[0].values[1]",
            INVALID,
            f'"b c": {LABEL_VALUE}',
        ),
    ],
    ids=["key", "value", "operator", "none", "few", "many", "expression's key", "its value"],
)
def test_what_gathers_rules_selects_by_what_can_be_a_label(
    cluster_roles: Objects, name: str, selector: Any, field: str, reason: str, message: str
) -> None:
    first = "aggregationRule.clusterRoleSelectors[0]"
    words = {INVALID: "Invalid value", REQUIRED: "Required value", FORBIDDEN: "Forbidden"}
    rule = {"clusterRoleSelectors": [selector]}
    answer = cluster_roles.post(cluster_roles.body(name, {"aggregationRule": rule}))
    assert_invalid(
        answer,
        (f"{first}.{field}", reason, f"{words[reason]}: {message}"),
        (first, INVALID, "Invalid value: null: invalid label selector."),
    )


def test_a_bindings_groups_are_filled_in(bindings: Objects, name: str) -> None:
    account = {"kind": "ServiceAccount", "name": "s", "namespace": "d"}
    subjects = [{"kind": "User", "name": "u"}, {"kind": "Group", "name": "g"}, account]
    made = bindings.made(name, roleRef={"kind": "ClusterRole", "name": "r"}, subjects=subjects)
    assert made["roleRef"] == {"apiGroup": GROUP, "kind": "ClusterRole", "name": "r"}
    assert made["subjects"] == [
        {"apiGroup": GROUP, "kind": "User", "name": "u"},
        {"apiGroup": GROUP, "kind": "Group", "name": "g"},
        account,
    ]
    assert "generation" not in made["metadata"]


def test_a_binding_may_name_a_role_that_is_not_there_and_nobody(
    bindings: Objects, name: str
) -> None:
    made = bindings.made(name, roleRef=REFERENCE)
    assert made["roleRef"] == REFERENCE
    assert "subjects" not in made


def _kinds(bindings: Objects) -> str:
    return '"ClusterRole"' if "Cluster" in bindings.identity["kind"] else '"Role", "ClusterRole"'


def test_a_binding_needs_a_role(bindings: Objects, name: str) -> None:
    kind = f'Unsupported value: "": supported values: {_kinds(bindings)}'
    assert_invalid(
        bindings.post(bindings.body(name, {})),
        ("roleRef.kind", UNSUPPORTED, kind),
        ("roleRef.name", REQUIRED, "Required value"),
    )


def test_a_bindings_role_is_of_a_known_kind(bindings: Objects, name: str) -> None:
    text = f'Unsupported value: "Foo": supported values: {_kinds(bindings)}'
    answer = bindings.post(bindings.body(name, {"roleRef": {**REFERENCE, "kind": "Foo"}}))
    assert_invalid(answer, ("roleRef.kind", UNSUPPORTED, text))


def test_a_cluster_role_binding_gives_no_role_of_a_namespace(api: ApiServer, name: str) -> None:
    bindings = of_kind(api, "ClusterRoleBinding", "")
    text = 'Unsupported value: "Role": supported values: "ClusterRole"'
    answer = bindings.post(bindings.body(name, {"roleRef": {**REFERENCE, "kind": "Role"}}))
    assert_invalid(answer, ("roleRef.kind", UNSUPPORTED, text))


def test_a_bindings_role_is_of_the_group_of_roles(bindings: Objects, name: str) -> None:
    text = f'Unsupported value: "x": supported values: "{GROUP}"'
    answer = bindings.post(bindings.body(name, {"roleRef": {**REFERENCE, "apiGroup": "x"}}))
    assert_invalid(answer, ("roleRef.apiGroup", UNSUPPORTED, text))


@pytest.mark.parametrize(
    ("role", "texts"),
    [("a/b%", ["may not contain '/'", "may not contain '%'"]), (".", ["may not be '.'"])],
)
def test_a_bindings_role_has_a_name_of_a_role(
    bindings: Objects, name: str, role: str, texts: list[str]
) -> None:
    answer = bindings.post(bindings.body(name, {"roleRef": {**REFERENCE, "name": role}}))
    causes = [("roleRef.name", INVALID, f'Invalid value: "{role}": {text}') for text in texts]
    assert_invalid(answer, *causes)


SUBJECT_KINDS: Final = '"ServiceAccount", "User", "Group"'
SUBDOMAIN: Final = "a lowercase RFC 1123 subdomain must consist of"


@pytest.mark.parametrize(
    ("subject", "field", "reason", "text"),
    [
        (
            {"kind": "Robot", "name": "x"},
            "kind",
            UNSUPPORTED,
            f'Unsupported value: "Robot": supported values: {SUBJECT_KINDS}',
        ),
        (
            {"name": "x"},
            "kind",
            UNSUPPORTED,
            f'Unsupported value: "": supported values: {SUBJECT_KINDS}',
        ),
        ({"kind": "User"}, "name", REQUIRED, "Required value"),
        ({"kind": "ServiceAccount", "namespace": "d"}, "name", REQUIRED, "Required value"),
        (
            {"kind": "User", "name": "x", "apiGroup": "y"},
            "apiGroup",
            UNSUPPORTED,
            f'Unsupported value: "y": supported values: "{GROUP}"',
        ),
        (
            {"kind": "Group", "name": "x", "apiGroup": "y"},
            "apiGroup",
            UNSUPPORTED,
            f'Unsupported value: "y": supported values: "{GROUP}"',
        ),
        (
            {"kind": "ServiceAccount", "name": "x", "namespace": "d", "apiGroup": GROUP},
            "apiGroup",
            UNSUPPORTED,
            f'Unsupported value: "{GROUP}": supported values: ""',
        ),
    ],
    ids=["kind", "no kind", "no name", "unnamed account", "user", "group", "account"],
)
def test_a_bindings_subjects_are_whole(
    bindings: Objects, name: str, subject: Any, field: str, reason: str, text: str
) -> None:
    body = bindings.body(name, {"roleRef": REFERENCE, "subjects": [ALICE, subject]})
    assert_invalid(bindings.post(body), (f"subjects[1].{field}", reason, text))


def test_an_account_that_is_bound_has_a_name_of_an_account(bindings: Objects, name: str) -> None:
    subject = {"kind": "ServiceAccount", "name": "X_", "namespace": "d"}
    body = bindings.body(name, {"roleRef": REFERENCE, "subjects": [subject]})
    status = assert_status(bindings.post(body), 422, "Invalid")
    (cause,) = status["details"]["causes"]
    assert (cause["field"], cause["reason"]) == ("subjects[0].name", INVALID)
    assert cause["message"].startswith(f'Invalid value: "X_": {SUBDOMAIN}')


def test_an_account_needs_its_namespace_in_bindings_without_one(
    api: ApiServer, namespace: str, name: str
) -> None:
    subjects = [{"kind": "ServiceAccount", "name": "x"}]
    inside = of_kind(api, "RoleBinding", namespace)
    assert inside.made(name, roleRef=REFERENCE, subjects=subjects)["subjects"] == subjects
    outside = of_kind(api, "ClusterRoleBinding", "")
    answer = outside.post(outside.body(name, {"roleRef": REFERENCE, "subjects": subjects}))
    assert_invalid(answer, ("subjects[0].namespace", REQUIRED, "Required value"))


def test_a_bindings_role_never_changes(bindings: Objects, name: str) -> None:
    made = bindings.made(name, roleRef=REFERENCE, subjects=[ALICE])
    shown = json.dumps({"APIGroup": GROUP, "Kind": "ClusterRole", "Name": "another"})
    text = f"Invalid value: {shown.replace(', ', ',').replace(': ', ':')}: cannot change roleRef"
    other = {**REFERENCE, "name": "another"}
    for answer in (
        bindings.put({**made, "roleRef": other}),
        bindings.merge(name, {"roleRef": {"name": "another"}}),
        bindings.apply(name, "m", force=True, roleRef=other),
    ):
        assert_invalid(answer, ("roleRef", INVALID, text))
    assert bindings.get(name)["roleRef"] == REFERENCE


def test_a_bindings_subjects_change(bindings: Objects, name: str) -> None:
    made = bindings.made(name, roleRef=REFERENCE, subjects=[ALICE])
    patched = bindings.merged(name, {"subjects": [{"kind": "Group", "name": "g"}]})
    assert patched["subjects"] == [{"apiGroup": GROUP, "kind": "Group", "name": "g"}]
    version = patched["metadata"]["resourceVersion"]
    rest = {key: value for key, value in made.items() if key != "subjects"}
    answer = bindings.put({**rest, "metadata": {"name": name, "resourceVersion": version}})
    assert answer.status_code == 200
    assert "subjects" not in answer.json()
