"""Which EndpointSlices a Service has: Pods and Service in, objects out; nothing is written."""

from collections.abc import Iterable, Mapping
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

from ferrolb.lab.objects import PodObject, ServiceObject, ServicePort

if TYPE_CHECKING:
    from ferrolb.model import Json, JsonObject

SERVICE_LABEL: Final = "kubernetes.io/service-name"
MANAGED_LABEL: Final = "endpointslice.kubernetes.io/managed-by"
MANAGER: Final = "ferrolb-lab"

MAX_ENDPOINTS: Final = 1000
"""In one slice, by the API's own validation; a lab's Services have a handful."""

_FAMILIES: Final = {"IPv4": 4, "IPv6": 6}


def is_selected(selector: Mapping[str, str] | None, labels: Mapping[str, str] | None) -> bool:
    """Tell whether a Service's selector matches; an empty one selects nothing."""
    if not selector:
        return False
    own = labels or {}
    return all(own.get(name) == value for name, value in selector.items())


def slices_of(service: ServiceObject, pods: Iterable[PodObject]) -> "dict[str, JsonObject]":
    """Return the slices by name, one a family of the Service; none without a selector."""
    if not service.spec.selector:
        return {}
    chosen = sorted(
        (
            pod
            for pod in pods
            if pod.metadata.namespace == service.metadata.namespace
            and pod.ips
            and is_selected(service.spec.selector, pod.metadata.labels)
        ),
        key=lambda pod: pod.metadata.name,
    )[:MAX_ENDPOINTS]
    families = service.spec.ip_families or ("IPv4",)
    return dict(_slice(service, family, chosen) for family in families if family in _FAMILIES)


def _slice(service: ServiceObject, family: str, pods: list[PodObject]) -> "tuple[str, JsonObject]":
    meta = service.metadata
    name = f"{meta.name}-lab-{family.lower()}"
    endpoints: list[Json] = [
        _endpoint(pod, ip)
        for pod in pods
        for ip in pod.ips
        if ip_address(ip).version == _FAMILIES[family]
    ]
    ports: list[Json] = [_port(port, pods) for port in service.spec.ports or ()]
    return name, {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": name,
            "namespace": meta.namespace,
            "labels": {SERVICE_LABEL: meta.name, MANAGED_LABEL: MANAGER},
        },
        "addressType": family,
        "endpoints": endpoints,
        "ports": ports,
    }


def _endpoint(pod: PodObject, ip: str) -> "JsonObject":
    return {
        "addresses": [ip],
        "conditions": {
            "ready": pod.is_ready,
            "serving": pod.is_ready,
            "terminating": pod.metadata.deletionTimestamp is not None,
        },
        "nodeName": pod.spec.node_name,
        "targetRef": {
            "kind": "Pod",
            "name": pod.metadata.name,
            "namespace": pod.metadata.namespace,
        },
    }


def _port(port: ServicePort, pods: list[PodObject]) -> "JsonObject":
    return {"name": port.name, "port": _target(port, pods), "protocol": port.protocol}


def _target(port: ServicePort, pods: list[PodObject]) -> int:
    """Return the number that a port leads to; a name is looked up in the first Pod that has it."""
    if isinstance(port.target_port, str):
        named = (
            one.container_port for pod in pods for one in pod.ports if one.name == port.target_port
        )
        return next(named, port.port)
    return port.target_port or port.port
