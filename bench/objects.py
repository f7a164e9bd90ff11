"""The objects that are measured with: Services, their pool, and the status that each gets."""

from ipaddress import IPv4Address, IPv4Network
from typing import Final

from ferrolb.model import Annotation, JsonObject

NAMESPACE: Final = "bench"
POOL_NAMESPACE: Final = "metallb-system"
POOL_NAME: Final = "bench"
POOL_RANGE: Final = IPv4Network("198.18.0.0/15")
"""RFC 2544 sets it aside for benchmarks; 131,072 addresses."""


def service_name(number: int) -> str:
    """Return the name of the Service of this number."""
    return f"service-{number:06d}"


def address_text(number: int) -> str:
    """Return an address for the Service of this number."""
    return str(IPv4Address(int(POOL_RANGE.network_address) + number))


def namespace_object() -> JsonObject:
    """Return the namespace that holds the Services."""
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}


def pool_object() -> JsonObject:
    """Return the pool, large enough for any run."""
    return {
        "apiVersion": "metallb.io/v1beta1",
        "kind": "IPAddressPool",
        "metadata": {"name": POOL_NAME, "namespace": POOL_NAMESPACE},
        "spec": {"addresses": [str(POOL_RANGE)]},
    }


def advertisement_object() -> JsonObject:
    """Return what announces the pool: else each Service would be told that nobody does."""
    return {
        "apiVersion": "metallb.io/v1beta1",
        "kind": "L2Advertisement",
        "metadata": {"name": POOL_NAME, "namespace": POOL_NAMESPACE},
    }


def node_object() -> JsonObject:
    """Return the node that may announce."""
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-1"}}


def service_object(name: str) -> JsonObject:
    """Return a pending Service; without node ports, which would run out."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "type": "LoadBalancer",
            "allocateLoadBalancerNodePorts": False,
            "selector": {"app": name},
            "ports": [{"port": 80, "targetPort": 8080}],
        },
    }


def status_patch(address: str | None) -> JsonObject:
    """Return the merge patch that gives an address, or with None takes it away."""
    pool = None if address is None else POOL_NAME
    ingress: JsonObject = {"ingress": None if address is None else [{"ip": address}]}
    return {
        "metadata": {"annotations": {Annotation.IP_ALLOCATED_FROM_POOL.stable: pool}},
        "status": {"loadBalancer": ingress},
    }
