import pytest

from ferrolb.rbac import Right, right_of

NS = "/namespaces/metallb-system"


@pytest.mark.parametrize(
    ("method", "path", "query", "expected"),
    [
        ("GET", "/api/v1/services", {"limit": "500"}, Right(resource="services", verb="list")),
        ("GET", "/api/v1/services", {"watch": "true"}, Right(resource="services", verb="watch")),
        (
            "PATCH",
            "/api/v1/namespaces/shop/services/web/status",
            {},
            Right(resource="services/status", verb="patch", namespace="shop", name="web"),
        ),
        (
            "POST",
            "/api/v1/namespaces/shop/events",
            {},
            Right(resource="events", verb="create", namespace="shop"),
        ),
        (
            "GET",
            f"/apis/metallb.io/v1beta1{NS}/configurationstates",
            {"fieldSelector": "metadata.name=controller", "watch": "true"},
            Right(
                group="metallb.io",
                resource="configurationstates",
                verb="watch",
                namespace="metallb-system",
                name="controller",
            ),
        ),
        (
            "GET",
            "/api/v1/services",
            {"fieldSelector": "metadata.name=a,spec.type=LoadBalancer"},
            Right(resource="services", verb="list"),
        ),
        (
            "GET",
            f"/apis/apps/v1{NS}/deployments/controller",
            {},
            Right(
                group="apps",
                resource="deployments",
                verb="get",
                namespace="metallb-system",
                name="controller",
            ),
        ),
        ("GET", "/api/v1/namespaces", {}, Right(resource="namespaces", verb="list")),
        ("GET", "/api/v1/namespaces/a", {}, Right(resource="namespaces", verb="get", name="a")),
        ("PUT", "/api/v1/nodes/a", {}, Right(resource="nodes", verb="update", name="a")),
        ("DELETE", "/api/v1/nodes/a", {}, Right(resource="nodes", verb="delete", name="a")),
        ("DELETE", "/api/v1/nodes", {}, Right(resource="nodes", verb="deletecollection")),
        ("GET", "/version", {}, None),
        ("GET", "/api/v1", {}, None),
        ("GET", "/apis/apps/v1", {}, None),
    ],
)
def test_a_request_needs_one_verb_on_one_resource(method, path, query, expected):
    assert right_of(method, path, query) == expected


def test_a_right_tells_what_to_add_and_where():
    right = Right(group="metallb.io", resource="ipaddresspools/status", verb="patch")
    line = '- {apiGroups: ["metallb.io"], resources: ["ipaddresspools/status"], verbs: ["patch"]}'
    assert (right.yaml_rule, right.role_kind, right.scope) == (line, "ClusterRole", "cluster")
    own = Right(resource="secrets", verb="get", namespace="n")
    assert (own.role_kind, own.scope) == ("Role", "namespace n")
