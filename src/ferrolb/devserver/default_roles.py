"""The roles and bindings that a server with roles starts with.

Those of a real server that mean something here, with what they say of resources served here.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from ferrolb.devserver.builtin import CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES, RBAC
from ferrolb.model import Json, JsonObject
from ferrolb.store import ResourceId

_READ: Final = ("get", "list", "watch")
_WRITE: Final = ("create", "delete", "deletecollection", "patch", "update")
_ALL: Final = tuple(sorted((*_READ, *_WRITE)))
_CREATE: Final = ("create",)
_GET: Final = ("get",)

_AUTHENTICATION: Final = "authentication.k8s.io"
_AUTHORIZATION: Final = "authorization.k8s.io"

_PROBES: Final = ("/healthz", "/livez", "/readyz")

_AGGREGATE: Final = "rbac.authorization.k8s.io/aggregate-to-"

_APPS: Final = ("daemonsets", "deployments", "replicasets")


def _rule(verbs: Sequence[str], group: str, *resources: str) -> JsonObject:
    return {"verbs": list(verbs), "apiGroups": [group], "resources": list(resources)}


def _paths(*paths: str) -> JsonObject:
    return {"verbs": ["get"], "nonResourceURLs": [*sorted(paths)]}


_RULES: Final[Mapping[str, tuple[JsonObject, ...]]] = {
    "cluster-admin": (_rule("*", "*", "*"), {"verbs": ["*"], "nonResourceURLs": ["*"]}),
    "system:discovery": (
        _paths(
            *("/api", "/api/*", "/apis", "/apis/*", "/openapi", "/openapi/*"),
            *("/version", "/version/", *_PROBES),
        ),
    ),
    "system:public-info-viewer": (_paths("/version", "/version/", *_PROBES),),
    "system:basic-user": (
        _rule(_CREATE, _AUTHORIZATION, "selfsubjectaccessreviews", "selfsubjectrulesreviews"),
        _rule(_CREATE, _AUTHENTICATION, "selfsubjectreviews"),
    ),
    "system:auth-delegator": (
        _rule(_CREATE, _AUTHENTICATION, "tokenreviews"),
        _rule(_CREATE, _AUTHORIZATION, "subjectaccessreviews"),
    ),
    "system:monitoring": (
        _paths("/metrics", "/metrics/slis", *_PROBES, *(f"{path}/*" for path in _PROBES)),
    ),
    "system:aggregate-to-view": (
        _rule(
            _READ,
            "",
            *("configmaps", "endpoints", "events", "namespaces", "namespaces/status", "pods"),
            *("pods/status", "serviceaccounts", "services", "services/status"),
        ),
        _rule(_READ, "discovery.k8s.io", "endpointslices"),
        _rule(_READ, "apps", *_APPS, *(f"{each}/status" for each in _APPS)),
    ),
    "system:aggregate-to-edit": (
        _rule(_READ, "", "secrets"),
        _rule(("impersonate",), "", "serviceaccounts"),
        _rule(_WRITE, "", "configmaps", "events", "pods", "secrets", "serviceaccounts", "services"),
        _rule(_CREATE, "", "serviceaccounts/token"),
        _rule(_WRITE, "apps", *_APPS),
        _rule(_ALL, "coordination.k8s.io", "leases"),
    ),
    "system:aggregate-to-admin": (
        _rule(_CREATE, _AUTHORIZATION, "localsubjectaccessreviews"),
        _rule(_ALL, RBAC, "rolebindings", "roles"),
    ),
}

_AGGREGATED: Final = ("admin", "edit", "view")
"""Each of them takes part in the one before."""

_SUBJECTS: Final[Mapping[str, tuple[str, ...]]] = {
    "cluster-admin": ("system:masters",),
    "system:discovery": ("system:authenticated",),
    "system:public-info-viewer": ("system:authenticated", "system:unauthenticated"),
    "system:basic-user": ("system:authenticated",),
    "system:monitoring": ("system:monitoring",),
}
"""Which groups have which role."""


def default_roles() -> Iterator[tuple[ResourceId, JsonObject]]:
    """Return roles and bindings with where they are stored; roles first."""
    for name, rules in _RULES.items():
        _, is_part, whole = name.partition("system:aggregate-to-")
        labels = {f"{_AGGREGATE}{whole}": "true"} if is_part else {}
        yield CLUSTER_ROLES, _object("ClusterRole", name, labels, rules=list(rules))
    for place, name in enumerate(_AGGREGATED):
        labels = {f"{_AGGREGATE}{_AGGREGATED[place - 1]}": "true"} if place else {}
        selector: JsonObject = {"matchLabels": {f"{_AGGREGATE}{name}": "true"}}
        rule: JsonObject = {"clusterRoleSelectors": [selector]}
        yield CLUSTER_ROLES, _object("ClusterRole", name, labels, aggregationRule=rule)
    for name, groups in _SUBJECTS.items():
        role: JsonObject = {"apiGroup": RBAC, "kind": "ClusterRole", "name": name}
        subjects: list[Json] = [
            {"apiGroup": RBAC, "kind": "Group", "name": group} for group in groups
        ]
        obj = _object("ClusterRoleBinding", name, {}, roleRef=role, subjects=subjects)
        yield CLUSTER_ROLE_BINDINGS, obj


def _object(kind: str, name: str, labels: Mapping[str, str], **members: Json) -> JsonObject:
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": kind,
        "metadata": {
            "name": name,
            "labels": {"kubernetes.io/bootstrapping": "rbac-defaults", **labels},
            "annotations": {"rbac.authorization.kubernetes.io/autoupdate": "true"},
        },
        **members,
    }
