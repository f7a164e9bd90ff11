"""Words that the cases about roles and bindings share."""

from typing import Any, Final

from tests.api_server import ApiServer
from tests.contract.writing import Objects

GROUP: Final = "rbac.authorization.k8s.io"
PODS: Final[dict[str, Any]] = {"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}
REFERENCE: Final = {"apiGroup": GROUP, "kind": "ClusterRole", "name": "nobody-made-it"}
ALICE: Final = {"apiGroup": GROUP, "kind": "User", "name": "alice"}


def of_kind(api: ApiServer, kind: str, namespace: str) -> Objects:
    """Return the objects of a kind, in a namespace if it has them there."""
    place = "" if kind.startswith("Cluster") else f"/namespaces/{namespace}"
    path = f"/apis/{GROUP}/v1{place}/{kind.lower()}s"
    return Objects(api, path, {"apiVersion": f"{GROUP}/v1", "kind": kind})
