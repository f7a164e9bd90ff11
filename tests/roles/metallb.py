"""The roles that MetalLB's manifests give its two programs, as data.

They know nothing of `addresspools`, of patches of a status, of leases, and let the controller list
nodes but not watch them.
"""

from typing import Any, Final

_READ: Final = ("get", "list", "watch")
_ALL: Final = ("create", "delete", "get", "list", "patch", "update", "watch")
_DEFINITIONS: Final = (
    "bfdprofiles",
    "bgpadvertisements",
    "bgppeers",
    "ipaddresspools",
    "l2advertisements",
    "communities",
    "configurationstates",
)
_NAMESPACE: Final = "metallb-system"
_GROUP: Final = "rbac.authorization.k8s.io"
_OWN: Final = "metallb.io"

_Row = tuple[str, tuple[str, ...], tuple[str, ...], tuple[str, ...]]
"""API group, resources, verbs, names of objects."""

CLUSTER_CONTROLLER: Final[tuple[_Row, ...]] = (
    ("", ("services", "namespaces"), _READ, ()),
    ("", ("nodes",), ("list",), ()),
    ("", ("services/status",), ("update",), ()),
    ("", ("events",), ("create", "patch"), ()),
    ("policy", ("podsecuritypolicies",), ("use",), ("controller",)),
    (
        "admissionregistration.k8s.io",
        ("validatingwebhookconfigurations",),
        _ALL,
        ("metallb-webhook-configuration",),
    ),
    (
        "admissionregistration.k8s.io",
        ("validatingwebhookconfigurations",),
        ("list", "watch"),
        (),
    ),
    (
        "apiextensions.k8s.io",
        ("customresourcedefinitions",),
        _ALL,
        tuple(f"{name}.metallb.io" for name in _DEFINITIONS),
    ),
    ("apiextensions.k8s.io", ("customresourcedefinitions",), ("list", "watch"), ()),
    (_OWN, ("configurationstates",), _ALL, ()),
    (_OWN, ("configurationstates/status",), ("get", "patch", "update"), ()),
)
CONTROLLER: Final[tuple[_Row, ...]] = (
    ("", ("secrets",), _ALL, ()),
    ("", ("secrets",), ("list",), ("memberlist",)),
    ("apps", ("deployments",), ("get",), ("controller",)),
    (_OWN, ("bgppeers",), ("get", "list"), ()),
    (_OWN, ("bfdprofiles",), _READ, ()),
    (_OWN, ("ipaddresspools",), _READ, ()),
    (_OWN, ("ipaddresspools/status",), ("update",), ()),
    (_OWN, ("bgpadvertisements",), _READ, ()),
    (_OWN, ("l2advertisements",), _READ, ()),
    (_OWN, ("communities",), _READ, ()),
)
CLUSTER_SPEAKER: Final[tuple[_Row, ...]] = (
    (
        _OWN,
        (
            "servicel2statuses",
            "servicel2statuses/status",
            "configurationstates",
            "configurationstates/status",
        ),
        ("*",),
        (),
    ),
    ("", ("services", "endpoints", "nodes", "namespaces"), _READ, ()),
    ("discovery.k8s.io", ("endpointslices",), _READ, ()),
    ("", ("events",), ("create", "patch"), ()),
    ("policy", ("podsecuritypolicies",), ("use",), ("speaker",)),
)
POD_LISTER: Final[tuple[_Row, ...]] = (
    ("", ("pods",), ("list", "get"), ()),
    ("", ("secrets",), _READ, ()),
    ("", ("configmaps",), _READ, ()),
    (_OWN, ("bfdprofiles",), _READ, ()),
    (_OWN, ("bgppeers",), _READ, ()),
    (_OWN, ("l2advertisements",), _READ, ()),
    (_OWN, ("bgpadvertisements",), _READ, ()),
    (_OWN, ("ipaddresspools",), _READ, ()),
    (_OWN, ("communities",), _READ, ()),
    (_OWN, ("servicebgpstatuses", "servicebgpstatuses/status"), ("*",), ()),
)


def metallb_manifests() -> list[dict[str, Any]]:
    """Return service accounts, roles and bindings as MetalLB's manifests have them."""
    return [
        *(_account(name) for name in ("controller", "speaker")),
        *_granted("metallb-system:controller", CLUSTER_CONTROLLER, "controller"),
        *_granted("metallb-system:speaker", CLUSTER_SPEAKER, "speaker"),
        *_granted("controller", CONTROLLER, "controller", namespace=_NAMESPACE),
        *_granted("pod-lister", POD_LISTER, "controller", "speaker", namespace=_NAMESPACE),
    ]


def _account(name: str) -> dict[str, Any]:
    metadata = {"name": name, "namespace": _NAMESPACE}
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}


def _granted(
    name: str, rows: tuple[_Row, ...], *accounts: str, namespace: str = ""
) -> list[dict[str, Any]]:
    kind = "Role" if namespace else "ClusterRole"
    metadata = {"name": name, "labels": {"app": "metallb"}}
    if namespace:
        metadata["namespace"] = namespace
    rules = [
        {
            "apiGroups": [group],
            "resources": list(resources),
            "verbs": list(verbs),
            **({"resourceNames": list(names)} if names else {}),
        }
        for group, resources, verbs, names in rows
    ]
    subjects = [
        {"kind": "ServiceAccount", "name": account, "namespace": _NAMESPACE} for account in accounts
    ]
    version = f"{_GROUP}/v1"
    reference = {"apiGroup": _GROUP, "kind": kind, "name": name}
    return [
        {"apiVersion": version, "kind": kind, "metadata": metadata, "rules": rules},
        {
            "apiVersion": version,
            "kind": f"{kind}Binding",
            "metadata": metadata,
            "roleRef": reference,
            "subjects": subjects,
        },
    ]
