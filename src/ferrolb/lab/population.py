"""What a lab keeps in the API of itself: its namespace, its Nodes, the speakers' Pods."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from ferrolb.kube import NAMESPACES, NODES, PODS, AlreadyExistsError
from ferrolb.lab.topology import NodeHost
from ferrolb.runtime import DEFAULT_NAMESPACE

if TYPE_CHECKING:
    from ferrolb.kube import ApiClient, Resource
    from ferrolb.model import Json, JsonObject

SPEAKER_LABELS: Final = {"app": "metallb", "component": "speaker"}

_SINCE: Final = "2025-01-01T00:00:00Z"
"""When conditions became what they are; nothing depends on it."""


def speaker_pod(node: NodeHost) -> str:
    """Return the name of a node's speaker Pod."""
    return f"speaker-{node.name}"


async def populate(client: "ApiClient", nodes: Sequence[NodeHost]) -> None:
    """Create what is missing, and write the status of Nodes and speaker Pods.

    Raises:
        ApiError: the API refused or could not be reached.
    """
    await _ensure(client, NAMESPACES, None, {"metadata": {"name": DEFAULT_NAMESPACE}})
    for node in nodes:
        await _ensure(client, NODES, None, _node(node))
        # a new Node is tainted until a controller, which does not run here, has seen it ready
        await client.patch(NODES.path(None, node.name), {"spec": {"taints": None}})
        await client.patch(NODES.path(None, node.name, "status"), {"status": _node_status(node)})
        pod = _speaker_pod(node)
        await _ensure(client, PODS, DEFAULT_NAMESPACE, pod)
        status = PODS.path(DEFAULT_NAMESPACE, speaker_pod(node), "status")
        ips = (str(node.ipv4), str(node.ipv6))
        await client.patch(status, {"status": running_status(node, ips, ["speaker"])})


def running_status(node: NodeHost, ips: Sequence[str], containers: Sequence[str]) -> "JsonObject":
    """Return the status of a Pod whose containers all run and are ready."""
    running: list[Json] = [
        {
            "name": container,
            "image": container,
            "imageID": "",
            "ready": True,
            "started": True,
            "restartCount": 0,
            "state": {"running": {"startedAt": _SINCE}},
        }
        for container in containers
    ]
    return {
        "phase": "Running",
        "hostIP": str(node.ipv4),
        "hostIPs": [{"ip": str(node.ipv4)}, {"ip": str(node.ipv6)}],
        "podIP": ips[0],
        "podIPs": [{"ip": ip} for ip in ips],
        "startTime": _SINCE,
        "containerStatuses": running,
        "conditions": [_condition(name) for name in ("Ready", "ContainersReady", "PodScheduled")],
    }


async def _ensure(
    client: "ApiClient", resource: "Resource", namespace: str | None, body: "JsonObject"
) -> None:
    typed: JsonObject = {"apiVersion": resource.api_version, "kind": resource.kind, **body}
    try:
        await client.create(resource.path(namespace), typed)
    except AlreadyExistsError:
        return


def _node(node: NodeHost) -> "JsonObject":
    pods = [str(network) for network in node.pods]
    return {
        "metadata": {
            "name": node.name,
            "labels": {"kubernetes.io/hostname": node.name, "kubernetes.io/os": "linux"},
        },
        "spec": {"podCIDR": pods[0], "podCIDRs": [*pods]},
    }


def _node_status(node: NodeHost) -> "JsonObject":
    addresses: list[Json] = [
        {"type": "InternalIP", "address": str(node.ipv4)},
        {"type": "InternalIP", "address": str(node.ipv6)},
        {"type": "Hostname", "address": node.name},
    ]
    return {
        "addresses": addresses,
        "conditions": [_condition("Ready"), _condition("NetworkUnavailable", "False")],
    }


def _speaker_pod(node: NodeHost) -> "JsonObject":
    return {
        "metadata": {
            "name": speaker_pod(node),
            "namespace": DEFAULT_NAMESPACE,
            "labels": {**SPEAKER_LABELS},
        },
        "spec": {
            "nodeName": node.name,
            "hostNetwork": True,
            "containers": [{"name": "speaker", "image": "ferrolb"}],
        },
    }


def _condition(name: str, status: str = "True") -> "JsonObject":
    return {
        "type": name,
        "status": status,
        "reason": "Lab",
        "message": "",
        "lastTransitionTime": _SINCE,
    }
