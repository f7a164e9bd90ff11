"""Reading the fields of a Service as Kubernetes' own types would hold them.

An absent field reads as its zero value, and writing a zero value takes the field away. What has
the wrong JSON type reads as absent: `malformed` has refused it before.
"""

from typing import Final

from ferrolb.apimachinery import FieldError, FieldErrorKind
from ferrolb.model import Json, JsonObject

HEADLESS: Final = "None"
"""`spec.clusterIP` of a Service without one."""

CLUSTER_IP: Final = "ClusterIP"
NODE_PORT: Final = "NodePort"
LOAD_BALANCER: Final = "LoadBalancer"
EXTERNAL_NAME: Final = "ExternalName"
SERVICE_TYPES: Final = (CLUSTER_IP, EXTERNAL_NAME, LOAD_BALANCER, NODE_PORT)

CLUSTER: Final = "Cluster"
LOCAL: Final = "Local"

SINGLE_STACK: Final = "SingleStack"
PREFER_DUAL_STACK: Final = "PreferDualStack"
REQUIRE_DUAL_STACK: Final = "RequireDualStack"

_TEXT_FIELDS: Final = (
    "clusterIP",
    "externalName",
    "externalTrafficPolicy",
    "internalTrafficPolicy",
    "ipFamilyPolicy",
    "loadBalancerClass",
    "loadBalancerIP",
    "sessionAffinity",
    "trafficDistribution",
    "type",
)
_TEXTS_FIELDS: Final = ("clusterIPs", "externalIPs", "ipFamilies", "loadBalancerSourceRanges")
_BOOL_FIELDS: Final = ("allocateLoadBalancerNodePorts", "publishNotReadyAddresses")
_PORT_TEXT_FIELDS: Final = ("appProtocol", "name", "protocol")
_PORT_NUMBER_FIELDS: Final = ("nodePort", "port")


def member(obj: JsonObject, field: str) -> JsonObject:
    """Return an object inside an object; an empty one, not part of it, when it is absent."""
    value = obj.get(field)
    return value if isinstance(value, dict) else {}


def text(obj: JsonObject, field: str) -> str:
    """Return a string, empty when absent."""
    value = obj.get(field)
    return value if isinstance(value, str) else ""


def texts(obj: JsonObject, field: str) -> list[str]:
    """Return a new list of strings, empty when absent."""
    value = obj.get(field)
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def number(obj: JsonObject, field: str) -> int:
    """Return an integer, 0 when absent."""
    value = obj.get(field)
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def put(obj: JsonObject, field: str, value: Json) -> None:
    """Set a field, or take it away when the value is a zero value."""
    if value is None or (not value and not isinstance(value, bool | dict)):
        obj.pop(field, None)
    else:
        obj[field] = value


def put_texts(obj: JsonObject, field: str, values: list[str]) -> None:
    """Set a list of strings, or take it away when it is empty."""
    put(obj, field, [*values])


def spec_of(service: JsonObject) -> JsonObject:
    """Return `spec`."""
    return member(service, "spec")


def ports_of(spec: JsonObject) -> list[JsonObject]:
    """Return the entries of `spec.ports`, not copied."""
    value = spec.get("ports")
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def service_type(spec: JsonObject) -> str:
    """Return `spec.type`."""
    return text(spec, "type")


def is_headless(spec: JsonObject) -> bool:
    """Tell whether the Service wants no cluster IP."""
    return texts(spec, "clusterIPs") == [HEADLESS]


def needs_cluster_ip(spec: JsonObject) -> bool:
    """Tell whether the type is one with cluster IPs."""
    return service_type(spec) != EXTERNAL_NAME


def needs_node_port(spec: JsonObject) -> bool:
    """Tell whether the type is one with node ports."""
    return service_type(spec) in (NODE_PORT, LOAD_BALANCER)


def needs_health_check(spec: JsonObject) -> bool:
    """Tell whether the load balancer has to ask the nodes which of them have endpoints."""
    return service_type(spec) == LOAD_BALANCER and text(spec, "externalTrafficPolicy") == LOCAL


def is_externally_accessible(spec: JsonObject) -> bool:
    """Tell whether traffic from outside the cluster can reach it by its type or external IPs."""
    return needs_node_port(spec) or (
        service_type(spec) == CLUSTER_IP and bool(texts(spec, "externalIPs"))
    )


def wants_node_ports(spec: JsonObject) -> bool:
    """Tell whether ports without a node port get one."""
    if service_type(spec) == LOAD_BALANCER:
        return spec.get("allocateLoadBalancerNodePorts") is not False
    return service_type(spec) == NODE_PORT


def malformed(service: JsonObject) -> list[FieldError]:
    """Return an error for each field that has not the JSON type it must have."""
    spec = service.get("spec", {})
    if not isinstance(spec, dict):
        return [_wrong_type("spec", spec, "object")]
    errors = _wrong(spec, "spec", _TEXT_FIELDS, (str,), "string")
    errors += _wrong(spec, "spec", _BOOL_FIELDS, (bool,), "boolean")
    errors += _wrong(spec, "spec", ("healthCheckNodePort",), (int,), "integer")
    errors += _wrong(spec, "spec", ("sessionAffinityConfig", "selector"), (dict,), "object")
    errors += _wrong(spec, "spec", (*_TEXTS_FIELDS, "ports"), (list,), "array")
    for field in _TEXTS_FIELDS:
        value = spec.get(field)
        items = value if isinstance(value, list) else []
        errors += [
            _wrong_type(f"spec.{field}[{index}]", item, "string")
            for index, item in enumerate(items)
            if not isinstance(item, str)
        ]
    ports = spec.get("ports")
    for index, port in enumerate(ports if isinstance(ports, list) else []):
        path = f"spec.ports[{index}]"
        if not isinstance(port, dict):
            errors.append(_wrong_type(path, port, "object"))
            continue
        errors += _wrong(port, path, _PORT_TEXT_FIELDS, (str,), "string")
        errors += _wrong(port, path, _PORT_NUMBER_FIELDS, (int,), "integer")
        errors += _wrong(port, path, ("targetPort",), (int, str), "integer or string")
    return errors


def _wrong(
    obj: JsonObject, path: str, fields: tuple[str, ...], types: tuple[type, ...], name: str
) -> list[FieldError]:
    """Return the errors of those fields of `obj` that are there and of another type."""
    errors = []
    for field in fields:
        value = obj.get(field)
        is_bool = isinstance(value, bool) and bool not in types
        if value is not None and (is_bool or not isinstance(value, types)):
            errors.append(_wrong_type(f"{path}.{field}", value, name))
    return errors


def _wrong_type(path: str, value: Json, name: str) -> FieldError:
    detail = f"{path} in body must be of type {name}"
    return FieldError(path, FieldErrorKind.TYPE_INVALID, value, detail)
