"""What an API server refuses in a Service, in its order and words."""

import re
from collections.abc import Callable, Iterator
from typing import Final

from ferrolb.apimachinery import FieldError
from ferrolb.devserver.ip_validation import cidr_problem, external_ip_problems, ip_problem
from ferrolb.devserver.names import (
    label_value_problems,
    name_problems_label,
    name_problems_subdomain,
    qualified_name_problems,
)
from ferrolb.devserver.service_families import validate_cluster_ips, validate_family_change
from ferrolb.devserver.service_fields import (
    CLUSTER,
    CLUSTER_IP,
    EXTERNAL_NAME,
    LOAD_BALANCER,
    LOCAL,
    NODE_PORT,
    SERVICE_TYPES,
    is_externally_accessible,
    is_headless,
    member,
    needs_health_check,
    needs_node_port,
    number,
    ports_of,
    service_type,
    spec_of,
    text,
    texts,
)
from ferrolb.model import Json, JsonObject

MAX_CLIENT_IP_AFFINITY_S: Final = 86400
"""A day: Kubernetes' own limit."""

PROTOCOLS: Final = ("SCTP", "TCP", "UDP")

_SOURCE_RANGES_ANNOTATION: Final = "service.beta.kubernetes.io/load-balancer-source-ranges"
_ONLY_LOAD_BALANCER: Final = "may only be used when `type` is 'LoadBalancer'"
_IMMUTABLE: Final = "may not change once set"
_DISTRIBUTIONS: Final = ("PreferClose", "PreferSameZone", "PreferSameNode")
_PORT_RANGE: Final = "must be between 1 and 65535, inclusive"


def validate_service(service: JsonObject) -> list[FieldError]:
    """Check a Service with its defaults and allocations; metadata is checked elsewhere."""
    spec = spec_of(service)
    checks: tuple[Callable[[JsonObject], Iterator[FieldError] | list[FieldError]], ...] = (
        _type_rules,
        _ports,
        _selector,
        _session_affinity,
        lambda s: validate_cluster_ips(s) if service_type(s) != EXTERNAL_NAME else [],
        _external_ips,
        _type,
        _node_ports_of_cluster_ip,
        _duplicate_ports,
        lambda s: _source_ranges(s, service),
        _load_balancer_fields,
        _external_traffic_policy,
        _health_check,
        _other_policies,
    )
    return [error for check in checks for error in check(spec)]


def validate_service_update(service: JsonObject, old: JsonObject) -> list[FieldError]:
    """Check an update of a Service, defaults and allocations done."""
    spec, before = spec_of(service), spec_of(old)
    errors = validate_family_change(spec, before)
    was_is = {service_type(spec), service_type(before)}
    if was_is == {LOAD_BALANCER} and spec.get("loadBalancerClass") != before.get(
        "loadBalancerClass"
    ):
        value = spec.get("loadBalancerClass")
        errors.append(FieldError.invalid("spec.loadBalancerClass", value, _IMMUTABLE))
    return [*errors, *_health_check_change(spec, before), *validate_service(service)]


def validate_load_balancer_status(service: JsonObject) -> list[FieldError]:
    """Check `status.loadBalancer` of a Service."""
    path = "status.loadBalancer.ingress"
    ingress = member(member(service, "status"), "loadBalancer").get("ingress")
    if not ingress:
        return []
    if not isinstance(ingress, list):
        return [FieldError.invalid(path, ingress, "must be a list")]
    if service_type(spec_of(service)) != LOAD_BALANCER:
        detail = "may only be used when `spec.type` is 'LoadBalancer'"
        return [FieldError.forbidden(path, detail)]
    return [
        error
        for index, entry in enumerate(ingress)
        for error in _ingress(entry, f"{path}[{index}]")
    ]


def _ingress(entry: Json, path: str) -> Iterator[FieldError]:
    if not isinstance(entry, dict):
        yield FieldError.invalid(path, entry, "must be an object")
        return
    address, mode, hostname = entry.get("ip"), entry.get("ipMode"), entry.get("hostname")
    if address:
        problem = ip_problem(address) if isinstance(address, str) else "must be a string"
        if problem:
            yield FieldError.invalid(f"{path}.ip", address, problem)
    elif mode is not None:
        yield FieldError.forbidden(f"{path}.ipMode", "may not be specified when `ip` is not set")
    if mode is not None and mode not in ("VIP", "Proxy"):
        yield FieldError.unsupported(f"{path}.ipMode", mode, ("Proxy", "VIP"))
    if hostname:
        yield from _hostname(hostname, f"{path}.hostname")


def _hostname(hostname: Json, path: str) -> Iterator[FieldError]:
    name = hostname if isinstance(hostname, str) else ""
    for problem in name_problems_subdomain(name):
        yield FieldError.invalid(path, hostname, problem)
    if name and ip_problem(name) is None:
        yield FieldError.invalid(path, hostname, "must be a DNS name, not an IP address")


def _type_rules(spec: JsonObject) -> Iterator[FieldError]:
    kind = service_type(spec)
    ports = ports_of(spec)
    if not ports and not is_headless(spec) and kind != EXTERNAL_NAME:
        yield FieldError.required("spec.ports")
    if kind in (LOAD_BALANCER, NODE_PORT) and is_headless(spec):
        detail = f"may not be set to 'None' for {kind} services"
        yield FieldError.invalid("spec.clusterIPs[0]", "None", detail)
    if kind == EXTERNAL_NAME:
        yield from _external_name(spec)


def _external_name(spec: JsonObject) -> Iterator[FieldError]:
    for field in ("clusterIPs", "ipFamilies", "ipFamilyPolicy"):
        if spec.get(field):
            yield FieldError.forbidden(f"spec.{field}", "may not be set for ExternalName services")
    name = text(spec, "externalName").removesuffix(".")
    if not name:
        yield FieldError.required("spec.externalName")
        return
    for problem in name_problems_subdomain(name):
        yield FieldError.invalid("spec.externalName", name, problem)


def _ports(spec: JsonObject) -> Iterator[FieldError]:
    ports = ports_of(spec)
    names: set[str] = set()
    for index, port in enumerate(ports):
        path = f"spec.ports[{index}]"
        name = text(port, "name")
        if name:
            for problem in name_problems_label(name):
                yield FieldError.invalid(f"{path}.name", name, problem)
            if name in names:
                yield FieldError.duplicate(f"{path}.name", name)
            names.add(name)
        elif len(ports) > 1:
            yield FieldError.required(f"{path}.name")
        yield from _port(port, path)


def _port(port: JsonObject, path: str) -> Iterator[FieldError]:
    if not 1 <= number(port, "port") <= 65535:
        yield FieldError.invalid(f"{path}.port", number(port, "port"), _PORT_RANGE)
    protocol = text(port, "protocol")
    if protocol not in PROTOCOLS:
        yield FieldError.unsupported(f"{path}.protocol", protocol, PROTOCOLS)
    target = port.get("targetPort")
    problems = _port_name_problems(target) if isinstance(target, str) else []
    if isinstance(target, int) and not 1 <= target <= 65535:
        problems = [_PORT_RANGE]
    for problem in problems:
        yield FieldError.invalid(f"{path}.targetPort", target, problem)
    application = text(port, "appProtocol")
    if application:
        for problem in qualified_name_problems(application):
            yield FieldError.invalid(f"{path}.appProtocol", application, problem)


def _port_name_problems(name: str) -> list[str]:
    rules = (
        (len(name) > 15, "must be no more than 15 characters"),
        (
            not re.fullmatch("[-a-z0-9]+", name),
            "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)",
        ),
        (not re.search("[a-z]", name), "must contain at least one letter (a-z)"),
        ("--" in name, "must not contain consecutive hyphens"),
        (
            name.startswith("-") or name.endswith("-"),
            "must not begin or end with a hyphen",
        ),
    )
    return [problem for is_broken, problem in rules if is_broken]


def _selector(spec: JsonObject) -> Iterator[FieldError]:
    path = "spec.selector"
    for key, value in member(spec, "selector").items():
        if not isinstance(value, str):
            yield FieldError.invalid(f"{path}.{key}", value, "must be a string")
            continue
        for problem in qualified_name_problems(key):
            yield FieldError.invalid(path, key, problem)
        for problem in label_value_problems(value):
            yield FieldError.invalid(path, value, problem)


def _session_affinity(spec: JsonObject) -> Iterator[FieldError]:
    affinity = text(spec, "sessionAffinity")
    if affinity not in ("ClientIP", "None"):
        yield FieldError.unsupported("spec.sessionAffinity", affinity, ("ClientIP", "None"))
    if affinity != "ClientIP":
        return
    timeout = member(member(spec, "sessionAffinityConfig"), "clientIP").get("timeoutSeconds")
    if not isinstance(timeout, int) or not 0 < timeout <= MAX_CLIENT_IP_AFFINITY_S:
        detail = f"must be greater than 0 and less than {MAX_CLIENT_IP_AFFINITY_S}"
        path = "spec.sessionAffinityConfig.clientIP.timeoutSeconds"
        yield FieldError.invalid(path, timeout, detail)


def _external_ips(spec: JsonObject) -> Iterator[FieldError]:
    for index, item in enumerate(texts(spec, "externalIPs")):
        for problem in external_ip_problems(item):
            yield FieldError.invalid(f"spec.externalIPs[{index}]", item, problem)


def _type(spec: JsonObject) -> Iterator[FieldError]:
    if service_type(spec) not in SERVICE_TYPES:
        yield FieldError.unsupported("spec.type", service_type(spec), SERVICE_TYPES)


def _node_ports_of_cluster_ip(spec: JsonObject) -> Iterator[FieldError]:
    if service_type(spec) != CLUSTER_IP:
        return
    for index, port in enumerate(ports_of(spec)):
        if number(port, "nodePort"):
            yield FieldError.forbidden(
                f"spec.ports[{index}].nodePort", "may not be used when `type` is 'ClusterIP'"
            )


def _duplicate_ports(spec: JsonObject) -> Iterator[FieldError]:
    ports = ports_of(spec)
    for field in ("nodePort", "port"):
        seen: set[tuple[str, int]] = set()
        for index, port in enumerate(ports):
            protocol, value = text(port, "protocol"), number(port, field)
            path = f"spec.ports[{index}]"
            if (protocol, value) in seen and field == "port":
                yield FieldError.duplicate(path, _place(protocol, value))
            elif (protocol, value) in seen and value:
                yield FieldError.duplicate(f"{path}.nodePort", value)
            seen.add((protocol, value))


def _place(protocol: str, port: int) -> JsonObject:
    """Return what a refusal shows of two ports alike: a port with nothing else in it."""
    return {
        "Name": "",
        "Protocol": protocol,
        "AppProtocol": None,
        "Port": port,
        "TargetPort": 0,
        "NodePort": 0,
    }


def _source_ranges(spec: JsonObject, service: JsonObject) -> Iterator[FieldError]:
    path = "spec.LoadBalancerSourceRanges"
    ranges = texts(spec, "loadBalancerSourceRanges")
    annotations = member(member(service, "metadata"), "annotations")
    annotation = text(annotations, _SOURCE_RANGES_ANNOTATION).strip()
    if not ranges and not annotation:
        return
    if not ranges:
        path = f"metadata.annotations[{_SOURCE_RANGES_ANNOTATION}]"
    if service_type(spec) != LOAD_BALANCER:
        yield FieldError.forbidden(path, _ONLY_LOAD_BALANCER)
    for index, item in enumerate(ranges):
        problem = cidr_problem(item.strip())
        if problem:
            yield FieldError.invalid(f"{path}[{index}]", item, problem)
    for item in [] if ranges else annotation.split(","):
        problem = cidr_problem(item.strip())
        if problem:
            yield FieldError.invalid(path, annotation, problem)


def _load_balancer_fields(spec: JsonObject) -> Iterator[FieldError]:
    name = text(spec, "loadBalancerClass")
    if service_type(spec) == LOAD_BALANCER:
        if spec.get("loadBalancerClass") is not None:
            for problem in qualified_name_problems(name):
                yield FieldError.invalid("spec.loadBalancerClass", name, problem)
        return
    for field in ("allocateLoadBalancerNodePorts", "loadBalancerClass"):
        if spec.get(field) is not None:
            yield FieldError.forbidden(f"spec.{field}", _ONLY_LOAD_BALANCER)


def _external_traffic_policy(spec: JsonObject) -> Iterator[FieldError]:
    path = "spec.externalTrafficPolicy"
    policy = text(spec, "externalTrafficPolicy")
    if is_externally_accessible(spec):
        if policy not in (CLUSTER, LOCAL):
            yield FieldError.unsupported(path, policy, (CLUSTER, LOCAL))
    elif policy:
        detail = "may only be set for externally-accessible services"
        yield FieldError.invalid(path, policy, detail)


def _health_check(spec: JsonObject) -> Iterator[FieldError]:
    path = "spec.healthCheckNodePort"
    port = number(spec, "healthCheckNodePort")
    if port and not needs_health_check(spec):
        detail = (
            "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"
        )
        yield FieldError.invalid(path, port, detail)


def _health_check_change(spec: JsonObject, before: JsonObject) -> Iterator[FieldError]:
    field = "healthCheckNodePort"
    is_needed = needs_health_check(spec) and needs_health_check(before)
    if is_needed and number(spec, field) != number(before, field):
        yield FieldError.forbidden(f"spec.{field}", "field is immutable")


def _other_policies(spec: JsonObject) -> Iterator[FieldError]:
    policy = text(spec, "internalTrafficPolicy")
    is_needed = needs_node_port(spec) or service_type(spec) == CLUSTER_IP
    if policy not in (CLUSTER, LOCAL) and (policy or is_needed):
        yield FieldError.unsupported("spec.internalTrafficPolicy", policy, (CLUSTER, LOCAL))
    distribution = text(spec, "trafficDistribution")
    if distribution not in ("", *_DISTRIBUTIONS):
        yield FieldError.unsupported("spec.trafficDistribution", distribution, _DISTRIBUTIONS)
