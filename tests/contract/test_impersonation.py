"""Who may act as another does, and is then that other, for rights and for reviews."""

import pytest
from tests.contract.granting import ANONYMOUS, ROLES, made, rule, user
from tests.contract.waiting import wait_for

SELF = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
NAMESPACES = "/api/v1/namespaces"


def whoami(api, *headers):
    """Return whom a request with these headers counts as; several of one name are allowed."""
    answer = api.http.post(SELF, json={}, headers=list(headers))
    assert answer.status_code == 201, answer.text
    return answer.json()["status"]["userInfo"]


def as_user(name, *groups):
    return [("Impersonate-User", name), *(("Impersonate-Group", group) for group in groups)]


@pytest.fixture(scope="module")
def anonymous(api):
    """Somebody without a token, who may ask who they are, and act as the few named here."""
    name = api.new_name("deputy")
    rules = [
        rule("create", "selfsubjectreviews", "authentication.k8s.io"),
        rule("impersonate", "users", names="alice"),
        rule("impersonate", "groups", names="devs"),
        rule("impersonate", "userextras/scopes", "authentication.k8s.io", names="view"),
        rule("impersonate", "uids", "authentication.k8s.io", names="u-1"),
        rule("impersonate", "serviceaccounts", names="robot"),
    ]
    made(api, "clusterroles", metadata={"name": name}, rules=rules)
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name}
    made(
        api,
        "clusterrolebindings",
        metadata={"name": name},
        roleRef=reference,
        subjects=[user(ANONYMOUS)],
    )
    with api.client(None) as http:
        wait_for(lambda: http.post(SELF, json={}).status_code == 201)
        yield http
    for plural in ("clusterrolebindings", "clusterroles"):
        assert api.http.delete(f"{ROLES}/{plural}/{name}").status_code == 200


def refused(http, *headers, path="/version"):
    """Return the words of a refusal."""
    answer = http.get(path, headers=list(headers))
    assert (answer.status_code, answer.json()["reason"]) == (403, "Forbidden")
    return answer.json()["message"]


def test_a_user_is_a_member_of_the_authenticated(api):
    assert whoami(api, *as_user("alice")) == {
        "username": "alice",
        "groups": ["system:authenticated"],
    }


def test_groups_come_in_their_order_before_the_authenticated(api):
    assert whoami(api, *as_user("alice", "ops", "devs"))["groups"] == [
        "ops",
        "devs",
        "system:authenticated",
    ]


def test_the_authenticated_are_not_added_twice(api):
    found = whoami(api, *as_user("alice", "system:authenticated", "devs"))
    assert found["groups"] == ["system:authenticated", "devs"]


def test_the_first_of_two_users_counts(api):
    assert whoami(api, *as_user("alice"), *as_user("bob"))["username"] == "alice"


def test_an_empty_user_is_none(api):
    own = whoami(api)
    assert whoami(api, ("Impersonate-User", "")) == own


def test_a_uid_is_shown(api):
    assert whoami(api, *as_user("alice"), ("Impersonate-Uid", "u-1"))["uid"] == "u-1"


def test_the_uid_of_who_asks_is_not_handed_on(api):
    assert "uid" not in whoami(api, *as_user("alice"))


def test_extra_values_are_kept_in_their_order(api):
    headers = [("Impersonate-Extra-scopes", "view"), ("Impersonate-Extra-scopes", "edit")]
    assert whoami(api, *as_user("alice"), *headers)["extra"] == {"scopes": ["view", "edit"]}


@pytest.mark.parametrize(
    ("header", "key"),
    [
        ("Impersonate-Extra-Scopes", "scopes"),
        ("Impersonate-Extra-acme.com%2Fproject", "acme.com/project"),
        ("Impersonate-Extra-100%25", "100%"),
        ("Impersonate-Extra-50%zz", "50%zz"),
    ],
    ids=["lower case", "slash", "percent", "no escape"],
)
def test_keys_of_extras_are_unescaped_in_lower_case(api, header, key):
    assert whoami(api, *as_user("alice"), (header, "a%2Fb"))["extra"] == {key: ["a%2Fb"]}


def test_an_account_has_the_groups_of_accounts_whether_or_not_it_exists(api, namespace):
    found = whoami(api, *as_user(f"system:serviceaccount:{namespace}:robot"))
    assert found["groups"] == [
        "system:serviceaccounts",
        f"system:serviceaccounts:{namespace}",
        "system:authenticated",
    ]


def test_named_groups_replace_those_of_an_account(api):
    found = whoami(api, *as_user("system:serviceaccount:default:robot", "devs"))
    assert found["groups"] == ["devs", "system:authenticated"]


@pytest.mark.parametrize("name", ["system:serviceaccount:robot", "system:serviceaccount:a:b:c"])
def test_the_name_of_no_account_is_a_users(api, name):
    assert whoami(api, *as_user(name))["groups"] == ["system:authenticated"]


def test_nobody_in_particular_is_not_authenticated(api, anonymous):
    assert anonymous.get("/version").status_code == 200
    assert whoami(api, *as_user(ANONYMOUS)) == {
        "username": ANONYMOUS,
        "groups": ["system:unauthenticated"],
    }


def test_rights_are_those_of_the_user_acted_as(api):
    answer = api.http.get(NAMESPACES, headers=as_user("nobody-at-all"))
    assert answer.status_code == 403
    assert answer.json()["message"] == (
        'namespaces is forbidden: User "nobody-at-all" cannot list resource "namespaces" in API '
        'group "" at the cluster scope'
    )


def test_rights_of_the_group_acted_as_are_had(api):
    headers = as_user("nobody-at-all", "system:masters")
    assert api.http.get(NAMESPACES, headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("header", "reference"),
    [
        (("Impersonate-Group", "devs"), "{Group  devs    }"),
        (("Impersonate-Uid", "u-1"), "{UID  u-1  authentication.k8s.io/v1  }"),
        (
            ("Impersonate-Extra-scopes", "view"),
            "{UserExtra  view  authentication.k8s.io/v1  scopes}",
        ),
    ],
    ids=["group", "uid", "extra"],
)
@pytest.mark.parametrize("path", ["/version", "/healthz", "/no/such/path"])
def test_without_a_user_nothing_else_can_be_asked_for(api, header, reference, path):
    answer = api.http.get(path, headers=[header])
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.text == (
        f'Internal Server Error: "{path}": requested [{reference}] without impersonating a user\n'
    )


def test_the_page_of_a_failure_names_the_query_and_holds_no_markup(api):
    answer = api.http.get("/version?a=1&b=2", headers=[("Impersonate-Group", "<b>")])
    assert '"/version?a=1&amp;b=2": requested [{Group  &lt;b&gt;    }]' in answer.text


def test_what_roles_allow_may_be_acted_as(api, anonymous):
    headers = [
        *as_user("alice", "devs"),
        ("Impersonate-Uid", "u-1"),
        ("Impersonate-Extra-scopes", "view"),
    ]
    answer = anonymous.get("/version", headers=headers)
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        (
            as_user("bob"),
            'users "bob" is forbidden: User "system:anonymous" cannot impersonate resource "users" '
            'in API group "" at the cluster scope',
        ),
        (
            as_user("alice", "devs", "ops"),
            'groups "ops" is forbidden: User "system:anonymous" cannot impersonate resource '
            '"groups" in API group "" at the cluster scope',
        ),
        (
            as_user("alice", "system:authenticated"),
            'groups "system:authenticated" is forbidden: User "system:anonymous" cannot '
            'impersonate resource "groups" in API group "" at the cluster scope',
        ),
        (
            [*as_user("alice"), ("Impersonate-Uid", "u-2")],
            'uids.authentication.k8s.io "u-2" is forbidden: User "system:anonymous" cannot '
            'impersonate resource "uids" in API group "authentication.k8s.io" at the cluster scope',
        ),
        (
            [*as_user("alice"), ("Impersonate-Extra-scopes", "edit")],
            'userextras.authentication.k8s.io "edit" is forbidden: User "system:anonymous" cannot '
            'impersonate resource "userextras/scopes" in API group "authentication.k8s.io" at the '
            "cluster scope",
        ),
        (
            as_user("system:serviceaccount:default:other"),
            'serviceaccounts "other" is forbidden: User "system:anonymous" cannot impersonate '
            'resource "serviceaccounts" in API group "" in the namespace "default"',
        ),
    ],
    ids=["user", "group", "standing", "uid", "extra", "account"],
)
def test_each_part_needs_a_right_of_its_own(anonymous, headers, words):
    assert refused(anonymous, *headers) == words


def test_an_account_is_asked_for_by_its_own_resource(anonymous):
    headers = as_user("system:serviceaccount:default:robot")
    assert anonymous.get("/version", headers=headers).status_code == 200


def test_the_user_is_judged_before_its_groups(anonymous):
    assert refused(anonymous, *as_user("bob", "ops")).startswith('users "bob"')


@pytest.mark.parametrize("path", ["/healthz", NAMESPACES])
def test_the_right_is_asked_for_on_every_path(anonymous, path):
    assert refused(anonymous, *as_user("bob"), path=path).startswith('users "bob"')


def test_kubectl_acts_as_another(kubectl):
    found = kubectl("auth", "whoami", "-o", "json", "--as=alice", "--as-group=devs")
    assert '"username": "alice"' in found
    assert '"devs"' in found


def test_kubectl_is_refused_what_the_other_may_not(kubectl):
    found = kubectl.fails("get", "nodes", "--as=alice")
    assert 'User "alice" cannot list resource "nodes"' in found


def test_a_wrong_token_is_refused_before_anybody_is_acted_as(api):
    with api.client("wrong") as http:
        answer = http.get("/version", headers=as_user("alice"))
    assert answer.status_code == 401


def test_names_need_not_be_ascii(api):
    name = "jürgen"
    found = whoami(api, (b"Impersonate-User", name.encode()))
    assert found["username"] == name
