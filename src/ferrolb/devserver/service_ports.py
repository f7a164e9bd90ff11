"""Node ports of a Service: what it gets, and what it may ask for."""

from ferrolb.apimachinery import FieldError, FieldErrorKind
from ferrolb.devserver.ranges import ALREADY_ALLOCATED, ServiceRanges, claimed_ports
from ferrolb.devserver.service_fields import (
    needs_health_check,
    needs_node_port,
    number,
    ports_of,
    text,
    wants_node_ports,
)
from ferrolb.model import JsonObject

_NO_SERVICE: JsonObject = {}


def inherit_node_ports(spec: JsonObject, old: JsonObject) -> None:
    """Keep the node ports that an update leaves out: of the port of the same name."""
    if needs_health_check(spec) and needs_health_check(old):
        _default(spec, "healthCheckNodePort", number(old, "healthCheckNodePort"))
    # a load balancer that gets none by itself may give up those it has
    if not (wants_node_ports(spec) and needs_node_port(old)):
        return
    used = node_ports(spec)
    by_name = {text(port, "name"): number(port, "nodePort") for port in ports_of(old)}
    for port in ports_of(spec):
        inherited = by_name.get(text(port, "name"), 0)
        if inherited not in used:
            _default(port, "nodePort", inherited)


def allocate_node_ports(
    spec: JsonObject, old: JsonObject | None, ranges: ServiceRanges
) -> list[FieldError]:
    """Fill in the node ports that are missing, and check those that the Service does not hold.

    Ports of one number, TCP and UDP for instance, share a node port in a new Service.
    """
    held = claimed_ports(old or _NO_SERVICE)
    errors = _check_node_ports(spec, held, ranges) if needs_node_port(spec) else []
    if not errors and wants_node_ports(spec):
        errors = _fill_node_ports(spec, ranges, is_new=old is None)
    if not errors and needs_health_check(spec):
        errors = _allocate_health_check(spec, held, ranges)
    return errors


def node_ports(spec: JsonObject) -> set[int]:
    """Return the node ports of all ports."""
    return {number(port, "nodePort") for port in ports_of(spec)} - {0}


def _default(obj: JsonObject, field: str, value: int) -> None:
    if value and not number(obj, field):
        obj[field] = value


def _check_node_ports(spec: JsonObject, held: set[int], ranges: ServiceRanges) -> list[FieldError]:
    errors = []
    used: dict[int, int] = {}
    for index, port in enumerate(ports_of(spec)):
        node_port = number(port, "nodePort")
        problem = None if node_port in {0, *held} else ranges.ports.problem(node_port)
        if (
            node_port
            and not held
            and used.setdefault(node_port, number(port, "port")) != number(port, "port")
        ):
            problem = ALREADY_ALLOCATED
        if problem:
            path = f"spec.ports[{index}].nodePort"
            errors.append(FieldError.invalid(path, node_port, problem))
    return errors


def _fill_node_ports(spec: JsonObject, ranges: ServiceRanges, *, is_new: bool) -> list[FieldError]:
    ports = ports_of(spec)
    asked = [port for port in ports if number(port, "nodePort")]
    shared = {number(port, "port"): number(port, "nodePort") for port in reversed(asked)}
    for index, port in enumerate(ports):
        if number(port, "nodePort"):
            continue
        node_port = shared.get(number(port, "port")) if is_new else None
        if node_port is None:
            taken = frozenset(node_ports(spec) | {number(spec, "healthCheckNodePort")})
            node_port = ranges.ports.pick(taken)
        if node_port is None:
            path, detail = f"spec.ports[{index}].nodePort", "range is full"
            return [_internal(path, f"failed to allocate a nodePort: {detail}")]
        port["nodePort"] = shared[number(port, "port")] = node_port
    return []


def _allocate_health_check(
    spec: JsonObject, held: set[int], ranges: ServiceRanges
) -> list[FieldError]:
    path = "spec.healthCheckNodePort"
    asked = number(spec, "healthCheckNodePort")
    if not asked:
        picked = ranges.ports.pick(frozenset(node_ports(spec)))
        if picked is None:
            return [_internal(path, "failed to allocate a HealthCheck NodePort 0: range is full")]
        spec["healthCheckNodePort"] = picked
        return []
    problem = None if asked in held else ranges.ports.problem(asked)
    if asked in node_ports(spec):
        problem = ALREADY_ALLOCATED
    if not problem:
        return []
    detail = f"failed to allocate requested HealthCheck NodePort {asked}: {problem}"
    return [_internal(path, detail)]


def _internal(path: str, detail: str) -> FieldError:
    return FieldError(path, FieldErrorKind.INTERNAL, None, detail)
