"""What a Kubernetes API server does to a Service when it is written.

`prepare_service_create`, `prepare_service_update` and `prepare_service_status` return the object
to store or what is wrong with it; they take nothing from the ranges. Once a change is stored, and
only then, `ServiceRanges.replace` is told the object before and after it. So a dry run, a conflict
or a refusal leaves no trace.
"""

from dataclasses import dataclass

from ferrolb.apimachinery import FieldError
from ferrolb.devserver.ranges import ServiceRanges
from ferrolb.devserver.representations import copied
from ferrolb.devserver.service_families import (
    allocate_cluster_ips,
    check_cluster_ips,
    default_families,
    keeps_dual_stack,
    normalize_cluster_ips,
)
from ferrolb.devserver.service_fields import (
    CLUSTER,
    CLUSTER_IP,
    EXTERNAL_NAME,
    LOAD_BALANCER,
    is_externally_accessible,
    malformed,
    member,
    needs_cluster_ip,
    needs_health_check,
    needs_node_port,
    number,
    ports_of,
    put,
    service_type,
    spec_of,
    text,
    texts,
)
from ferrolb.devserver.service_ports import (
    allocate_node_ports,
    inherit_node_ports,
    node_ports,
)
from ferrolb.devserver.service_validation import (
    validate_load_balancer_status,
    validate_service,
    validate_service_update,
)
from ferrolb.model import JsonObject

CLIENT_IP_AFFINITY_S = 10800
"""Three hours: Kubernetes' own default for `sessionAffinity: ClientIP`."""

_ZERO_FIELDS = (
    "clusterIP",
    "clusterIPs",
    "externalTrafficPolicy",
    "healthCheckNodePort",
    "internalTrafficPolicy",
    "ipFamilies",
    "ipFamilyPolicy",
    "ports",
    "sessionAffinity",
    "sessionAffinityConfig",
    "allocateLoadBalancerNodePorts",
    "type",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """The Service to store, or why it cannot be; `obj` counts only without errors.

    An error of kind INTERNAL means an exhausted range or a health check port that cannot be had:
    Kubernetes answers 500 there.
    """

    obj: JsonObject
    errors: tuple[FieldError, ...]


def prepare_service_create(obj: JsonObject, ranges: ServiceRanges) -> Prepared:
    """Default, allocate and validate a new Service."""
    errors = malformed(obj)
    if errors:
        return Prepared(obj=obj, errors=tuple(errors))
    service = _copied(obj)
    service["status"] = {"loadBalancer": {}}
    default_service(service)
    spec = spec_of(service)
    normalize_cluster_ips(spec, None)
    errors = _allocate(spec, None, ranges) or validate_service(service)
    return Prepared(obj=service, errors=tuple(errors))


def prepare_service_update(obj: JsonObject, old: JsonObject, ranges: ServiceRanges) -> Prepared:
    """Default, allocate and validate an update of everything but the status."""
    errors = malformed(obj)
    if errors:
        return Prepared(obj=obj, errors=tuple(errors))
    service = _copied(obj)
    service["status"] = copied(member(old, "status")) or {"loadBalancer": {}}
    default_service(service)
    spec, before = spec_of(service), spec_of(old)
    inherit_node_ports(spec, before)
    _inherit_cluster_ips(spec, before)
    normalize_cluster_ips(spec, before)
    errors = _allocate(spec, before, ranges)
    if not errors:
        drop_dependent_fields(service, old)
        errors = validate_service_update(service, old)
    return Prepared(obj=service, errors=tuple(errors))


def prepare_service_status(obj: JsonObject, old: JsonObject) -> Prepared:
    """Default and validate an update of the status; metadata may change with it, `spec` not."""
    service = _copied(obj)
    service["spec"] = copied(spec_of(old))
    service["status"] = copied(member(obj, "status"))
    default_ip_mode(service)
    return Prepared(obj=service, errors=tuple(validate_load_balancer_status(service)))


def default_service(service: JsonObject) -> None:
    """Fill in the defaults that need nothing but the Service itself."""
    spec = spec_of(service)
    for field in _ZERO_FIELDS:
        put(spec, field, spec.get(field))
    if spec.get("loadBalancerClass") is None:
        spec.pop("loadBalancerClass", None)
    spec.setdefault("type", CLUSTER_IP)
    _default_affinity(spec)
    for port in ports_of(spec):
        put(port, "nodePort", port.get("nodePort"))
        if not text(port, "protocol"):
            port["protocol"] = "TCP"
        if port.get("targetPort") in (None, 0, ""):
            port["targetPort"] = number(port, "port")
    if is_externally_accessible(spec):
        spec.setdefault("externalTrafficPolicy", CLUSTER)
    if service_type(spec) != EXTERNAL_NAME:
        spec.setdefault("internalTrafficPolicy", CLUSTER)
    if service_type(spec) == LOAD_BALANCER:
        spec.setdefault("allocateLoadBalancerNodePorts", True)
    default_ip_mode(service)


def default_ip_mode(service: JsonObject) -> None:
    """Say of each address in the status of a load balancer that it is a virtual one."""
    if service_type(spec_of(service)) != LOAD_BALANCER:
        return
    ingress = member(member(service, "status"), "loadBalancer").get("ingress")
    for entry in ingress if isinstance(ingress, list) else []:
        if isinstance(entry, dict) and entry.get("ip") and entry.get("ipMode") is None:
            entry["ipMode"] = "VIP"


def drop_dependent_fields(service: JsonObject, old: JsonObject) -> None:
    """Take away what a change of type leaves without meaning, unless the update sets it too."""
    spec, before = spec_of(service), spec_of(old)
    if needs_cluster_ip(before) and not needs_cluster_ip(spec):
        if _is_same(spec, before, "clusterIP") and _is_same(spec, before, "clusterIPs"):
            spec.pop("clusterIP", None)
            spec.pop("clusterIPs", None)
        _drop_unchanged(spec, before, "ipFamilies", "ipFamilyPolicy", "internalTrafficPolicy")
    if (
        needs_node_port(before)
        and not needs_node_port(spec)
        and node_ports(spec) <= node_ports(before)
    ):
        for port in ports_of(spec):
            port.pop("nodePort", None)
    if needs_health_check(before) and not needs_health_check(spec):
        _drop_unchanged(spec, before, "healthCheckNodePort")
    if service_type(spec) != LOAD_BALANCER:
        if service_type(before) == LOAD_BALANCER:
            _drop_unchanged(spec, before, "allocateLoadBalancerNodePorts", "loadBalancerClass")
        service["status"] = {**member(service, "status"), "loadBalancer": {}}
    if is_externally_accessible(before) and not is_externally_accessible(spec):
        _drop_unchanged(spec, before, "externalTrafficPolicy")


def _copied(obj: JsonObject) -> JsonObject:
    service = copied(obj)
    service["spec"] = spec_of(service)
    return service


def _default_affinity(spec: JsonObject) -> None:
    if not text(spec, "sessionAffinity"):
        spec["sessionAffinity"] = "None"
    if text(spec, "sessionAffinity") == "None":
        spec.pop("sessionAffinityConfig", None)
    elif text(spec, "sessionAffinity") == "ClientIP":
        client_ip = member(member(spec, "sessionAffinityConfig"), "clientIP")
        if client_ip.get("timeoutSeconds") is None:
            spec["sessionAffinityConfig"] = {"clientIP": {"timeoutSeconds": CLIENT_IP_AFFINITY_S}}


def _inherit_cluster_ips(spec: JsonObject, before: JsonObject) -> None:
    """Keep the cluster IPs that an update leaves out."""
    if not (needs_cluster_ip(spec) and needs_cluster_ip(before)):
        return
    if not text(spec, "clusterIP"):
        put(spec, "clusterIP", text(before, "clusterIP"))
    if not texts(spec, "clusterIPs"):
        put(spec, "clusterIPs", [*texts(before, "clusterIPs")])


def _allocate(
    spec: JsonObject, before: JsonObject | None, ranges: ServiceRanges
) -> list[FieldError]:
    """Fill in families, cluster IPs and node ports; the first step that fails ends it."""
    errors: list[FieldError] = []
    if needs_cluster_ip(spec) and not keeps_dual_stack(spec, before):
        held = texts(before or {}, "clusterIPs")
        errors = (
            default_families(spec, before, ranges)
            or check_cluster_ips(spec, held, ranges)
            or allocate_cluster_ips(spec, ranges)
        )
    return errors or allocate_node_ports(spec, before, ranges)


def _is_same(spec: JsonObject, before: JsonObject, field: str) -> bool:
    return spec.get(field) == before.get(field)


def _drop_unchanged(spec: JsonObject, before: JsonObject, *fields: str) -> None:
    for field in fields:
        if _is_same(spec, before, field):
            spec.pop(field, None)
