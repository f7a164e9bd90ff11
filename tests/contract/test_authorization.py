"""Requests are answered as roles allow, and refused in the words of the API.

Who asks shows no token; that user has no rights but those that a test lends in its namespace.
"""

import json
from collections.abc import Iterator

import httpx2
import pytest
from tests.api_server import ApiServer
from tests.contract.granting import ANONYMOUS, GROUP, ROLES, grant, made, may, rule, user
from tests.contract.waiting import wait_for

APPLY = "application/apply-patch+yaml"
LEASES = "/apis/coordination.k8s.io/v1"


@pytest.fixture
def stranger(api: ApiServer) -> Iterator[httpx2.Client]:
    with api.client(None) as client:
        yield client


def config_map(name, **data):
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name},
        "data": {key: str(value) for key, value in data.items()},
    }


def lease(name):
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": name},
        "spec": {"holderIdentity": "somebody"},
    }


def assert_forbidden(answer, message, **details):
    assert answer.status_code == 403, answer.text
    assert answer.json() == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": "Forbidden",
        "details": details,
        "code": 403,
    }


@pytest.mark.parametrize(
    ("method", "path", "verb"),
    [
        ("GET", "/services", "list"),
        ("GET", "/services?watch=1", "watch"),
        ("GET", "/services?watch=true", "watch"),
        ("GET", "/services?watch=0", "list"),
        ("GET", "/services?watch=false", "list"),
        ("POST", "/services", "create"),
        ("PUT", "/services", "update"),
        ("DELETE", "/services", "deletecollection"),
        ("DELETE", "/services?fieldSelector=metadata.name%3Da", "deletecollection"),
    ],
)
def test_what_is_asked_of_a_collection_is_named_by_its_verb(
    stranger, namespace, method, path, verb
):
    answer = stranger.request(method, f"/api/v1/namespaces/{namespace}{path}")
    message = (
        f'services is forbidden: User "{ANONYMOUS}" cannot {verb} resource "services" '
        f'in API group "" in the namespace "{namespace}"'
    )
    assert_forbidden(answer, message, kind="services")


@pytest.mark.parametrize(
    ("method", "path", "verb"),
    [
        ("GET", "services/a", "get"),
        ("GET", "services/a?watch=1", "get"),
        ("PUT", "services/a", "update"),
        ("PATCH", "services/a", "patch"),
        ("DELETE", "services/a", "delete"),
        ("GET", "services/a/status", "get"),
        ("PATCH", "services/a/status", "patch"),
    ],
)
def test_refusal_about_an_object_names_it_and_its_subresource(
    stranger, namespace, method, path, verb
):
    answer = stranger.request(method, f"/api/v1/namespaces/{namespace}/{path}")
    resource = "services/status" if "status" in path else "services"
    message = (
        f'services "a" is forbidden: User "{ANONYMOUS}" cannot {verb} resource "{resource}" '
        f'in API group "" in the namespace "{namespace}"'
    )
    assert_forbidden(answer, message, name="a", kind="services")


def test_apply_is_a_patch(stranger, namespace):
    answer = stranger.patch(
        f"/api/v1/namespaces/{namespace}/configmaps/a?fieldManager=f",
        content=json.dumps(config_map("a")),
        headers={"Content-Type": APPLY},
    )
    assert answer.status_code == 403
    assert 'cannot patch resource "configmaps"' in answer.json()["message"]


def test_refusal_without_namespace_is_at_the_cluster_scope_and_names_the_group(stranger):
    answer = stranger.get("/apis/metallb.io/v1beta1/ipaddresspools")
    message = (
        f'ipaddresspools.metallb.io is forbidden: User "{ANONYMOUS}" cannot list resource '
        '"ipaddresspools" in API group "metallb.io" at the cluster scope'
    )
    assert_forbidden(answer, message, group="metallb.io", kind="ipaddresspools")


def test_namespace_is_in_itself(stranger, namespace):
    answer = stranger.get(f"/api/v1/namespaces/{namespace}")
    message = (
        f'namespaces "{namespace}" is forbidden: User "{ANONYMOUS}" cannot get resource '
        f'"namespaces" in API group "" in the namespace "{namespace}"'
    )
    assert_forbidden(answer, message, name=namespace, kind="namespaces")


def test_refusal_comes_before_it_is_said_that_there_is_no_such_resource(stranger):
    answer = stranger.get("/apis/no.such/v1/things/x")
    message = (
        f'things.no.such "x" is forbidden: User "{ANONYMOUS}" cannot get resource "things" '
        'in API group "no.such" at the cluster scope'
    )
    assert_forbidden(answer, message, name="x", group="no.such", kind="things")


def test_refusal_comes_before_the_body_is_read(stranger, namespace):
    answer = stranger.post(f"/api/v1/namespaces/{namespace}/services", content=b"{")
    assert answer.status_code == 403


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/metrics"), ("GET", "/nothing"), ("DELETE", "/api")]
)
def test_refusal_of_a_path_names_method_and_path(stranger, method, path):
    message = f'forbidden: User "{ANONYMOUS}" cannot {method.lower()} path "{path}"'
    assert_forbidden(stranger.request(method, path), message)


def test_refusal_holds_no_markup(stranger):
    message = f'forbidden: User "{ANONYMOUS}" cannot get path "/a&lt;b&gt;&amp;c"'
    assert_forbidden(stranger.get("/a<b>&c"), message)


@pytest.mark.parametrize("path", ["/version", "/healthz", "/livez", "/readyz"])
def test_everybody_may_see_version_and_health(stranger, path):
    assert stranger.get(path).status_code == 200


def test_unknown_token_is_nobody_and_not_anonymous(api):
    with api.client("unknown") as client:
        assert client.get("/version").status_code == 401


def test_role_in_a_namespace_allows_there_and_nowhere_else(api, stranger, namespace):
    grant(api, namespace, rule("list", "services"))
    assert stranger.get(f"/api/v1/namespaces/{namespace}/services").status_code == 200
    assert stranger.get(f"/api/v1/namespaces/{api.new_namespace()}/services").status_code == 403
    assert stranger.get("/api/v1/services").status_code == 403


def test_right_to_list_is_none_to_watch(api, stranger, namespace):
    grant(api, namespace, rule("list", "services"))
    answer = stranger.get(f"/api/v1/namespaces/{namespace}/services?watch=1&timeoutSeconds=1")
    assert answer.status_code == 403


def test_right_to_a_resource_is_none_to_its_subresource(api, stranger, namespace):
    grant(api, namespace, rule("get", "services"))
    base = f"/api/v1/namespaces/{namespace}/services/a"
    assert stranger.get(base).status_code == 404
    assert stranger.get(f"{base}/status").status_code == 403


def test_right_to_a_subresource_is_none_to_the_resource(api, stranger, namespace):
    grant(api, namespace, rule("get", "services/status"))
    base = f"/api/v1/namespaces/{namespace}/services/a"
    assert stranger.get(f"{base}/status").status_code == 404
    assert stranger.get(base).status_code == 403


@pytest.mark.parametrize(
    ("selector", "code"),
    [
        ("metadata.name%3Da", 200),
        ("metadata.name%3D%3Da", 200),
        ("metadata.name%3Da,metadata.namespace%3Dx", 200),
        ("metadata.name%3Db", 403),
        ("metadata.name!%3Db", 403),
        ("metadata.namespace%3Da", 403),
    ],
)
def test_list_by_name_is_allowed_by_a_rule_for_that_name(api, stranger, namespace, selector, code):
    grant(api, namespace, rule("list", "configmaps", names="a"))
    base = f"/api/v1/namespaces/{namespace}/configmaps"
    assert stranger.get(f"{base}?fieldSelector={selector}").status_code == code


def test_rule_for_a_name_allows_no_other(api, stranger, namespace):
    grant(api, namespace, rule("get", "configmaps", names="a"))
    base = f"/api/v1/namespaces/{namespace}/configmaps"
    assert stranger.get(f"{base}/a").status_code == 404
    assert stranger.get(f"{base}/b").status_code == 403


def test_rule_for_a_name_allows_no_creation_by_post(api, stranger, namespace):
    grant(api, namespace, rule("create", "configmaps", names="a"))
    base = f"/api/v1/namespaces/{namespace}/configmaps"
    assert stranger.post(base, json=config_map("a")).status_code == 403


def refused_creation(namespace, resource, group):
    target = f"{resource}.{group}" if group else resource
    return (
        f'{target} "a" is forbidden: User "{ANONYMOUS}" cannot create resource "{resource}" '
        f'in API group "{group}" in the namespace "{namespace}"'
    )


def test_update_that_would_create_needs_the_right_to_create(api, stranger, namespace):
    group = "coordination.k8s.io"
    grant(api, namespace, rule("update", "leases", group))
    path = f"{LEASES}/namespaces/{namespace}/leases/a"
    message = refused_creation(namespace, "leases", group)
    assert_forbidden(
        stranger.put(path, json=lease("a")), message, name="a", group=group, kind="leases"
    )
    assert api.http.get(path).status_code == 404
    grant(api, namespace, rule("create", "leases", group, names="a"))
    assert stranger.put(path, json=lease("a")).status_code == 201


def test_apply_that_would_create_needs_the_right_to_create(api, stranger, namespace):
    grant(api, namespace, rule("patch", "configmaps"))
    path = f"/api/v1/namespaces/{namespace}/configmaps/a?fieldManager=f"

    def apply():
        body = json.dumps(config_map("a", b="c"))
        return stranger.patch(path, content=body, headers={"Content-Type": APPLY})

    assert_forbidden(
        apply(), refused_creation(namespace, "configmaps", ""), name="a", kind="configmaps"
    )
    assert api.http.get(path).status_code == 404
    grant(api, namespace, rule("create", "configmaps"))
    assert apply().status_code == 201


def test_apply_to_what_is_there_needs_no_right_to_create(api, stranger, namespace):
    grant(api, namespace, rule("patch", "configmaps"))
    base = f"/api/v1/namespaces/{namespace}/configmaps"
    assert api.http.post(base, json=config_map("a")).status_code == 201
    answer = stranger.patch(
        f"{base}/a?fieldManager=f",
        content=json.dumps(config_map("a", b="c")),
        headers={"Content-Type": APPLY},
    )
    assert answer.status_code == 200


def test_right_ends_with_its_binding(api, stranger, namespace):
    _, binding = grant(api, namespace, rule("list", "services"))
    path = f"/api/v1/namespaces/{namespace}/services"
    assert stranger.get(path).status_code == 200
    gone = api.http.delete(f"{ROLES}/namespaces/{namespace}/rolebindings/{binding}")
    assert gone.status_code == 200
    wait_for(lambda: stranger.get(path).status_code == 403)


def test_right_follows_its_role(api, stranger, namespace):
    role, _ = grant(api, namespace, rule("list", "services"))
    path = f"/api/v1/namespaces/{namespace}/services"
    patched = api.http.patch(
        f"{ROLES}/namespaces/{namespace}/roles/{role}",
        content=json.dumps({"rules": [rule("list", "pods")]}),
        headers={"Content-Type": "application/merge-patch+json"},
    )
    assert patched.status_code == 200
    wait_for(lambda: stranger.get(path).status_code == 403)
    assert stranger.get(f"/api/v1/namespaces/{namespace}/pods").status_code == 200


def test_refusal_tells_of_a_binding_whose_role_is_not_there(api, stranger, namespace):
    made(
        api,
        f"namespaces/{namespace}/rolebindings",
        metadata={"name": "lost"},
        roleRef={"apiGroup": GROUP, "kind": "ClusterRole", "name": "gone"},
        subjects=[user(ANONYMOUS)],
    )
    asked = {"verb": "list", "resource": "services", "namespace": namespace}
    reason = f'RBAC: clusterrole.{GROUP} "gone" not found'
    wait_for(lambda: may(api, ANONYMOUS, **asked).get("reason") == reason)
    answer = stranger.get(f"/api/v1/namespaces/{namespace}/services")
    assert answer.status_code == 403
    assert answer.json()["message"].endswith(f'in the namespace "{namespace}": {reason}')


@pytest.mark.parametrize(
    "name",
    [
        "cluster-admin",
        "admin",
        "edit",
        "view",
        "system:basic-user",
        "system:discovery",
        "system:monitoring",
        "system:public-info-viewer",
    ],
)
def test_default_role_is_there_from_the_start(api, name):
    role = api.http.get(f"{ROLES}/clusterroles/{name}").json()
    metadata = role["metadata"]
    assert metadata["labels"]["kubernetes.io/bootstrapping"] == "rbac-defaults"
    assert metadata["annotations"] == {"rbac.authorization.kubernetes.io/autoupdate": "true"}


@pytest.mark.parametrize(
    ("name", "groups"),
    [
        ("cluster-admin", ["system:masters"]),
        ("system:basic-user", ["system:authenticated"]),
        ("system:discovery", ["system:authenticated"]),
        ("system:public-info-viewer", ["system:authenticated", "system:unauthenticated"]),
    ],
)
def test_default_binding_is_there_from_the_start(api, name, groups):
    binding = api.http.get(f"{ROLES}/clusterrolebindings/{name}").json()
    assert binding["roleRef"] == {"apiGroup": GROUP, "kind": "ClusterRole", "name": name}
    assert binding["subjects"] == [
        {"apiGroup": GROUP, "kind": "Group", "name": group} for group in groups
    ]


def gathering(name, label):
    return {
        "metadata": {"name": name},
        "aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {label: "true"}}]},
    }


def rules_of(api, name):
    return api.http.get(f"{ROLES}/clusterroles/{name}").json().get("rules") or []


def test_gathered_role_has_the_rules_of_those_with_its_label(api):
    label = f"test/{api.new_name('gather')}"
    whole, first, second = (api.new_name(f"role-{part}") for part in ("whole", "first", "second"))
    pods, nodes, leases = rule("get", "pods"), rule("get", "nodes"), rule("get", "leases")
    labels = {label: "true"}
    made(api, "clusterroles", metadata={"name": second, "labels": labels}, rules=[nodes, pods])
    made(api, "clusterroles", **gathering(whole, label))
    made(api, "clusterroles", metadata={"name": first, "labels": labels}, rules=[pods])
    made(api, "clusterroles", metadata={"name": api.new_name("other")}, rules=[leases])
    wait_for(lambda: rules_of(api, whole) == [pods, nodes])
    patch = {"metadata": {"labels": {label: None}}}
    headers = {"Content-Type": "application/merge-patch+json"}
    path = f"{ROLES}/clusterroles/{second}"
    assert api.http.patch(path, content=json.dumps(patch), headers=headers).status_code == 200
    wait_for(lambda: rules_of(api, whole) == [pods])


@pytest.mark.parametrize(
    ("role", "allowed", "refused"),
    [
        ("view", ("list", "services"), ("get", "secrets")),
        ("edit", ("get", "secrets"), ("create", "roles")),
        ("admin", ("delete", "services"), ("list", "nodes")),
    ],
)
def test_roles_for_users_are_gathered_one_from_the_other(api, namespace, role, allowed, refused):
    name = api.new_name("user")
    made(
        api,
        f"namespaces/{namespace}/rolebindings",
        metadata={"name": role},
        roleRef={"apiGroup": GROUP, "kind": "ClusterRole", "name": role},
        subjects=[user(name)],
    )

    def can(verb, resource):
        group = GROUP if resource == "roles" else ""
        asked = {"verb": verb, "resource": resource, "group": group, "namespace": namespace}
        return may(api, name, **asked)["allowed"]

    wait_for(lambda: can("get", "configmaps") and can(*allowed))
    assert not can(*refused)
