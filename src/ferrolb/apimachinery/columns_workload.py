"""Table cells of nodes, pods and the kinds that make pods."""

from typing import TYPE_CHECKING, Final

from ferrolb.apimachinery.ages import human_duration, parse_time
from ferrolb.apimachinery.document import int_at, object_at, objects_at, text_at
from ferrolb.apimachinery.layout import (
    age_of,
    format_containers,
    format_labels,
    format_selector,
    name_of,
)

if TYPE_CHECKING:
    from datetime import datetime

    from ferrolb.model import Json, JsonObject

_ROLE_PREFIX: Final = "node-role.kubernetes.io/"
_ROLE_LABEL: Final = "kubernetes.io/role"


def deployment_cells(obj: "JsonObject", now: "datetime") -> "list[Json]":
    """Return the cells of a Deployment."""
    return [
        name_of(obj),
        f"{int_at(obj, 'status', 'readyReplicas')}/{int_at(obj, 'spec', 'replicas')}",
        int_at(obj, "status", "updatedReplicas"),
        int_at(obj, "status", "availableReplicas"),
        age_of(obj, now),
        *format_containers(object_at(obj, "spec", "template", "spec")),
        format_selector(object_at(obj, "spec", "selector")),
    ]


def daemon_set_cells(obj: "JsonObject", now: "datetime") -> "list[Json]":
    """Return the cells of a DaemonSet."""
    return [
        name_of(obj),
        int_at(obj, "status", "desiredNumberScheduled"),
        int_at(obj, "status", "currentNumberScheduled"),
        int_at(obj, "status", "numberReady"),
        int_at(obj, "status", "updatedNumberScheduled"),
        int_at(obj, "status", "numberAvailable"),
        format_labels(object_at(obj, "spec", "template", "spec", "nodeSelector")),
        age_of(obj, now),
        *format_containers(object_at(obj, "spec", "template", "spec")),
        format_selector(object_at(obj, "spec", "selector")) or "<none>",
    ]


def node_cells(obj: "JsonObject", now: "datetime") -> "list[Json]":
    """Return the cells of a Node."""
    info = object_at(obj, "status", "nodeInfo")
    return [
        name_of(obj),
        _node_status(obj),
        ",".join(sorted(_node_roles(object_at(obj, "metadata", "labels")))) or "<none>",
        age_of(obj, now),
        text_at(info, "kubeletVersion"),
        _node_address(obj, "InternalIP"),
        _node_address(obj, "ExternalIP"),
        text_at(info, "osImage") or "<unknown>",
        text_at(info, "kernelVersion") or "<unknown>",
        text_at(info, "containerRuntimeVersion") or "<unknown>",
    ]


def _node_status(obj: "JsonObject") -> str:
    ready = _condition(obj, "Ready")
    status = ("Ready" if ready == "True" else "NotReady") if ready else "Unknown"
    is_closed = object_at(obj, "spec").get("unschedulable") is True
    return f"{status},SchedulingDisabled" if is_closed else status


def _node_roles(labels: "JsonObject") -> set[str]:
    roles = {key.removeprefix(_ROLE_PREFIX) for key in labels if key.startswith(_ROLE_PREFIX)} | {
        text_at(labels, _ROLE_LABEL)
    }
    return roles - {""}


def _node_address(obj: "JsonObject", kind: str) -> str:
    for address in objects_at(obj, "status", "addresses"):
        if address.get("type") == kind:
            return text_at(address, "address")
    return "<none>"


def pod_cells(obj: "JsonObject", now: "datetime") -> "list[Json]":
    """Return the cells of a Pod."""
    statuses = objects_at(obj, "status", "containerStatuses")
    init = objects_at(obj, "status", "initContainerStatuses")
    init_reason = _init_reason(obj, init)
    counted = statuses if init_reason is None else init
    ready = 0 if init_reason is not None else sum(map(_is_running, statuses))
    addresses = objects_at(obj, "status", "podIPs")
    return [
        name_of(obj),
        f"{ready}/{len(objects_at(obj, 'spec', 'containers'))}",
        _pod_status(obj, init_reason),
        _restarts(counted, now),
        age_of(obj, now),
        (text_at(addresses[0], "ip") if addresses else "") or "<none>",
        text_at(obj, "spec", "nodeName") or "<none>",
        text_at(obj, "status", "nominatedNodeName") or "<none>",
        _readiness_gates(obj),
    ]


def _pod_status(obj: "JsonObject", init_reason: str | None) -> str:
    reason = text_at(obj, "status", "reason")
    if object_at(obj, "metadata").get("deletionTimestamp"):
        return "Unknown" if reason == "NodeLost" else "Terminating"
    if init_reason is not None:
        return init_reason
    return _containers_reason(obj) or reason or _phase(obj)


def _phase(obj: "JsonObject") -> str:
    for condition in objects_at(obj, "status", "conditions"):
        is_gated = text_at(condition, "reason") == "SchedulingGated"
        if text_at(condition, "type") == "PodScheduled" and is_gated:
            return "SchedulingGated"
    return text_at(obj, "status", "phase")


def _init_reason(obj: "JsonObject", statuses: "list[JsonObject]") -> str | None:
    """Return what the first init container that has not succeeded is at, None if all have."""
    for position, status in enumerate(statuses):
        state = object_at(status, "state")
        if "terminated" in state:
            if int_at(state, "terminated", "exitCode") == 0:
                continue
            return f"Init:{_terminated(object_at(state, 'terminated'))}"
        waiting = text_at(state, "waiting", "reason")
        if waiting and waiting != "PodInitializing":
            return f"Init:{waiting}"
        return f"Init:{position}/{len(objects_at(obj, 'spec', 'initContainers'))}"
    return None


def _containers_reason(obj: "JsonObject") -> str:
    statuses = objects_at(obj, "status", "containerStatuses")
    reasons = [reason for reason in map(_container_reason, statuses) if reason]
    if not reasons:
        return ""
    if reasons[0] == "Completed" and any(map(_is_running, statuses)):
        return "Running" if _condition(obj, "Ready") == "True" else "NotReady"
    return reasons[0]


def _container_reason(status: "JsonObject") -> str:
    waiting = text_at(status, "state", "waiting", "reason")
    terminated = object_at(status, "state").get("terminated")
    return waiting or (_terminated(terminated) if isinstance(terminated, dict) else "")


def _terminated(state: "JsonObject") -> str:
    signal = int_at(state, "signal")
    ended = f"Signal:{signal}" if signal else f"ExitCode:{int_at(state, 'exitCode')}"
    return text_at(state, "reason") or ended


def _is_running(status: "JsonObject") -> bool:
    is_ready = status.get("ready") is True
    return is_ready and "running" in object_at(status, "state") and not _container_reason(status)


def _restarts(statuses: "list[JsonObject]", now: "datetime") -> str:
    count = sum(int_at(status, "restartCount") for status in statuses)
    ends = (
        parse_time(object_at(status, "lastState", "terminated").get("finishedAt"))
        for status in statuses
    )
    last = max((end for end in ends if end is not None), default=None)
    if not count or last is None:
        return str(count)
    return f"{count} ({human_duration((now - last).total_seconds())} ago)"


def _readiness_gates(obj: "JsonObject") -> str:
    gates = objects_at(obj, "spec", "readinessGates")
    met = [gate for gate in gates if _condition(obj, text_at(gate, "conditionType")) == "True"]
    return f"{len(met)}/{len(gates)}" if gates else "<none>"


def _condition(obj: "JsonObject", kind: str) -> str:
    """Return the status of a condition, "" where it is not there."""
    for condition in objects_at(obj, "status", "conditions"):
        if text_at(condition, "type") == kind:
            return text_at(condition, "status")
    return ""
