"""Roles for a test's users; nobody on the server has them but who is named here."""

from collections.abc import Sequence
from typing import Any, Final

from tests.api_server import ApiServer
from tests.contract.waiting import wait_for

GROUP: Final = "rbac.authorization.k8s.io"
ROLES: Final = f"/apis/{GROUP}/v1"
REVIEWS: Final = "/apis/authorization.k8s.io/v1"

ANONYMOUS: Final = "system:anonymous"
"""Who shows no token: a user without rights that any test may lend some in its own namespace."""

Json = dict[str, Any]


def rule(verbs: str, resources: str, group: str = "", names: str = "") -> Json:
    """Return a rule; several words stand with blanks between them."""
    found: Json = {
        "verbs": verbs.split(),
        "apiGroups": [group],
        "resources": resources.split(),
    }
    return {**found, "resourceNames": names.split()} if names else found


def user(name: str) -> Json:
    return {"apiGroup": GROUP, "kind": "User", "name": name}


def made(api: ApiServer, path: str, **body: Any) -> Json:
    """Create a role or binding."""
    answer = api.http.post(f"{ROLES}/{path}", json=body)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def grant(
    api: ApiServer, namespace: str, *rules: Json, subject: Json | None = None
) -> tuple[str, str]:
    """Bind a role in a namespace, wait until it counts, and return both names."""
    name = api.new_name("granted")
    who = subject or user(ANONYMOUS)
    # a rule about nothing, by which is seen that the server has taken notice
    marker = rule("get", name, "marker.test")
    made(api, f"namespaces/{namespace}/roles", metadata={"name": name}, rules=[*rules, marker])
    made(
        api,
        f"namespaces/{namespace}/rolebindings",
        metadata={"name": name},
        roleRef={"apiGroup": GROUP, "kind": "Role", "name": name},
        subjects=[who],
    )
    asked = {"verb": "get", "group": "marker.test", "resource": name, "namespace": namespace}
    wait_for(lambda: may(api, *asker_of(who, namespace), **asked)["allowed"] is True)
    return name, name


def asker_of(subject: Json, namespace: str) -> tuple[str, Sequence[str]]:
    """Return a user, and groups, that a subject means."""
    if subject["kind"] == "Group":
        return "somebody", (subject["name"],)
    if subject["kind"] == "ServiceAccount":
        return f"system:serviceaccount:{subject.get('namespace', namespace)}:{subject['name']}", ()
    return subject["name"], ()


def may(api: ApiServer, name: str, groups: Sequence[str] = (), /, **asked: str) -> Json:
    """Ask whether a user may do something; `path` or the attributes of a resource."""
    kind = "nonResourceAttributes" if "path" in asked else "resourceAttributes"
    spec = {"user": name, "groups": list(groups), kind: asked}
    answer = api.http.post(f"{REVIEWS}/subjectaccessreviews", json={"spec": spec})
    assert answer.status_code == 201, answer.text
    return dict(answer.json()["status"])
