"""Table columns of the built-in kinds, with the cells that `kubectl get` shows.

Every row has the cells of all its columns, those of `-o wide` too; kubectl leaves out the columns
with a priority.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final, TypeAlias

from ferrolb.apimachinery.ages import age
from ferrolb.apimachinery.columns_workload import (
    daemon_set_cells,
    deployment_cells,
    node_cells,
    pod_cells,
)
from ferrolb.apimachinery.document import array_at, int_at, object_at, objects_at, text_at
from ferrolb.apimachinery.layout import age_of, format_labels, join_host_port, limited, name_of
from ferrolb.model import Json, JsonObject

if TYPE_CHECKING:
    from collections.abc import Iterator

Cells: TypeAlias = Callable[[JsonObject, datetime], list[Json]]


@dataclass(frozen=True, slots=True)
class Column:
    """The definition of a column; priority 0 is shown always, others in wide output."""

    name: str
    description: str
    type: str = "string"
    format: str = ""
    priority: int = 0

    def to_json(self) -> JsonObject:
        """Return the `TableColumnDefinition`."""
        return {
            "name": self.name,
            "type": self.type,
            "format": self.format,
            "description": self.description,
            "priority": self.priority,
        }


@dataclass(frozen=True, slots=True)
class TableFormat:
    """How objects of one kind become rows: columns, and a cell for each."""

    columns: tuple[Column, ...]
    cells: Cells


NAME: Final = Column("Name", "Name of the object, unique in its namespace.", format="name")
AGE: Final = Column("Age", "Time since the object was created.")
_CONTAINERS: Final = Column("Containers", "Names of the containers in the template.", priority=1)
_IMAGES: Final = Column("Images", "Images of the containers in the template.", priority=1)
_SELECTOR: Final = Column("Selector", "Labels of the pods that belong to it.", priority=1)


def _wide(name: str, description: str, type_: str = "string") -> Column:
    return Column(name, description, type=type_, priority=1)


def _number(name: str, description: str) -> Column:
    return Column(name, description, type="integer")


def _service_cells(obj: JsonObject, now: datetime) -> list[Json]:
    return [
        name_of(obj),
        text_at(obj, "spec", "type"),
        text_at(obj, "spec", "clusterIP") or "<none>",
        _external_ip(obj),
        ",".join(_port_text(port) for port in objects_at(obj, "spec", "ports")) or "<none>",
        age_of(obj, now),
        format_labels(object_at(obj, "spec", "selector")),
    ]


def _external_ip(obj: JsonObject) -> str:
    external = [str(address) for address in array_at(obj, "spec", "externalIPs")]
    match text_at(obj, "spec", "type"):
        case "ClusterIP" | "NodePort":
            return ",".join(external) or "<none>"
        case "LoadBalancer":
            ingress = objects_at(obj, "status", "loadBalancer", "ingress")
            given = {text_at(entry, "ip") or text_at(entry, "hostname") for entry in ingress}
            return ",".join([*sorted(given - {""}), *external]) or "<pending>"
        case "ExternalName":
            return text_at(obj, "spec", "externalName")
        case _:
            return "<unknown>"


def _port_text(port: JsonObject) -> str:
    node_port = int_at(port, "nodePort")
    protocol = text_at(port, "protocol") or "TCP"
    return f"{int_at(port, 'port')}{f':{node_port}' if node_port > 0 else ''}/{protocol}"


def _endpoints_cells(obj: JsonObject, now: datetime) -> list[Json]:
    subsets = objects_at(obj, "subsets")
    shown = limited(list(_endpoints(subsets))) if subsets else "<none>"
    return [name_of(obj), shown, age_of(obj, now)]


def _endpoints(subsets: list[JsonObject]) -> "Iterator[str]":
    for subset in subsets:
        addresses = [text_at(address, "ip") for address in objects_at(subset, "addresses")]
        ports = objects_at(subset, "ports")
        if not ports:
            yield from addresses
        for port in ports:
            for address in addresses:
                yield join_host_port(address, int_at(port, "port"))


def _endpoint_slice_cells(obj: JsonObject, now: datetime) -> list[Json]:
    endpoints = objects_at(obj, "endpoints")
    addresses = [str(text) for endpoint in endpoints for text in array_at(endpoint, "addresses")]
    ports = [_slice_port(port) for port in objects_at(obj, "ports")]
    return [
        name_of(obj),
        text_at(obj, "addressType"),
        limited(ports) or "<unset>",
        limited(addresses) or "<unset>",
        age_of(obj, now),
    ]


def _slice_port(port: JsonObject) -> str:
    if port.get("port") is not None:
        return str(port["port"])
    return text_at(port, "name") if port.get("name") is not None else "*"


def _namespace_cells(obj: JsonObject, now: datetime) -> list[Json]:
    return [name_of(obj), text_at(obj, "status", "phase"), age_of(obj, now)]


def _secret_cells(obj: JsonObject, now: datetime) -> list[Json]:
    return [name_of(obj), text_at(obj, "type"), len(object_at(obj, "data")), age_of(obj, now)]


def _config_map_cells(obj: JsonObject, now: datetime) -> list[Json]:
    count = len(object_at(obj, "data")) + len(object_at(obj, "binaryData"))
    return [name_of(obj), count, age_of(obj, now)]


def _service_account_cells(obj: JsonObject, now: datetime) -> list[Json]:
    return [name_of(obj), len(array_at(obj, "secrets")), age_of(obj, now)]


def _lease_cells(obj: JsonObject, now: datetime) -> list[Json]:
    return [name_of(obj), text_at(obj, "spec", "holderIdentity"), age_of(obj, now)]


def _crd_cells(obj: JsonObject, _now: datetime) -> list[Json]:
    return [name_of(obj), text_at(obj, "metadata", "creationTimestamp")]


def _default_cells(obj: JsonObject, now: datetime) -> list[Json]:
    return [name_of(obj), age_of(obj, now)]


def _event_cells(obj: JsonObject, now: datetime) -> list[Json]:
    involved = object_at(obj, "involvedObject") or object_at(obj, "regarding")
    series = object_at(obj, "series")
    first = obj.get("firstTimestamp") or obj.get("deprecatedFirstTimestamp") or obj.get("eventTime")
    last = obj.get("lastTimestamp") or obj.get("deprecatedLastTimestamp") or first
    count = int_at(obj, "count") or int_at(obj, "deprecatedCount") or 1
    if series:
        # The event that the series grew from is not in the series' own count.
        last, count = series.get("lastObservedTime"), int_at(series, "count") + 1
    name, kind = text_at(involved, "name"), text_at(involved, "kind").lower()
    return [
        age(last, now),
        text_at(obj, "type"),
        text_at(obj, "reason"),
        f"{kind}/{name}" if name else kind,
        text_at(involved, "fieldPath"),
        _event_source(obj),
        (text_at(obj, "message") or text_at(obj, "note")).strip(),
        age(first, now),
        count,
        name_of(obj),
    ]


def _event_source(obj: JsonObject) -> str:
    source = object_at(obj, "source") or object_at(obj, "deprecatedSource")
    reporter = text_at(obj, "reportingComponent") or text_at(obj, "reportingController")
    component = text_at(source, "component") or reporter
    host = text_at(source, "host") or text_at(obj, "reportingInstance")
    return ", ".join(part for part in (component, host) if part)


_EVENT: Final = TableFormat(
    (
        Column("Last Seen", "Time since it was last seen."),
        Column("Type", "Normal or Warning."),
        Column("Reason", "Why it happened, one word."),
        Column("Object", "What it happened to."),
        _wide("Subobject", "The part of the object."),
        _wide("Source", "Who reported it."),
        Column("Message", "What happened."),
        _wide("First Seen", "Time since it was first seen."),
        _wide("Count", "How often it was seen."),
        Column("Name", NAME.description, format="name", priority=1),
    ),
    _event_cells,
)

DEFAULT_FORMAT: Final = TableFormat((NAME, AGE), _default_cells)
"""For kinds without columns of their own."""

FORMATS: Final[Mapping[tuple[str, str], TableFormat]] = {
    ("", "Service"): TableFormat(
        (
            NAME,
            Column("Type", "How the Service is reached."),
            Column("Cluster-IP", "Address inside the cluster."),
            Column("External-IP", "Addresses outside the cluster."),
            Column("Port(s)", "Port, node port and protocol of each port."),
            AGE,
            _SELECTOR,
        ),
        _service_cells,
    ),
    ("", "Endpoints"): TableFormat(
        (NAME, Column("Endpoints", "Addresses and ports behind the Service."), AGE),
        _endpoints_cells,
    ),
    ("discovery.k8s.io", "EndpointSlice"): TableFormat(
        (
            NAME,
            Column("AddressType", "IPv4, IPv6 or FQDN."),
            Column("Ports", "Ports of every endpoint."),
            Column("Endpoints", "Addresses of the endpoints."),
            AGE,
        ),
        _endpoint_slice_cells,
    ),
    ("", "Namespace"): TableFormat(
        (NAME, Column("Status", "Active or Terminating."), AGE), _namespace_cells
    ),
    ("", "Node"): TableFormat(
        (
            NAME,
            Column("Status", "Whether the node is ready and takes pods."),
            Column("Roles", "Roles from the node's labels."),
            AGE,
            Column("Version", "Version of the kubelet."),
            _wide("Internal-IP", "Address inside the cluster."),
            _wide("External-IP", "Address outside the cluster."),
            _wide("OS-Image", "Operating system."),
            _wide("Kernel-Version", "Version of the kernel."),
            _wide("Container-Runtime", "Name and version of the container runtime."),
        ),
        node_cells,
    ),
    ("", "Pod"): TableFormat(
        (
            NAME,
            Column("Ready", "Containers that are ready, of all."),
            Column("Status", "What the pod's containers are at."),
            Column("Restarts", "How often containers were restarted."),
            AGE,
            _wide("IP", "Address of the pod."),
            _wide("Node", "Node the pod runs on."),
            _wide("Nominated Node", "Node that is being freed for the pod."),
            _wide("Readiness Gates", "Further conditions that are true, of all."),
        ),
        pod_cells,
    ),
    ("", "Secret"): TableFormat(
        (NAME, Column("Type", "What the secret is for."), Column("Data", "Number of keys."), AGE),
        _secret_cells,
    ),
    ("", "ConfigMap"): TableFormat(
        (NAME, Column("Data", "Number of keys."), AGE), _config_map_cells
    ),
    ("", "ServiceAccount"): TableFormat(
        (NAME, Column("Secrets", "Number of secrets."), AGE), _service_account_cells
    ),
    ("", "Event"): _EVENT,
    ("events.k8s.io", "Event"): _EVENT,
    ("coordination.k8s.io", "Lease"): TableFormat(
        (NAME, Column("Holder", "Who holds the lease."), AGE), _lease_cells
    ),
    ("apps", "Deployment"): TableFormat(
        (
            NAME,
            Column("Ready", "Pods that are ready, of those wanted."),
            Column("Up-to-date", "Pods of the newest template."),
            Column("Available", "Pods ready for long enough."),
            AGE,
            _CONTAINERS,
            _IMAGES,
            _SELECTOR,
        ),
        deployment_cells,
    ),
    ("apps", "DaemonSet"): TableFormat(
        (
            NAME,
            _number("Desired", "Nodes that should run the pod."),
            _number("Current", "Nodes that run the pod and should."),
            _number("Ready", "Nodes where the pod is ready."),
            _number("Up-to-date", "Nodes with the newest template."),
            _number("Available", "Nodes where the pod is ready for long enough."),
            Column("Node Selector", "Labels of the nodes."),
            AGE,
            _CONTAINERS,
            _IMAGES,
            _SELECTOR,
        ),
        daemon_set_cells,
    ),
    ("apiextensions.k8s.io", "CustomResourceDefinition"): TableFormat(
        (NAME, Column("Created At", "When the object was created.", type="date")), _crd_cells
    ),
}
"""By group and kind."""


def table_format(group: str, kind: str) -> TableFormat:
    """Return the columns of a built-in kind, name and age where it has none of its own."""
    return FORMATS.get((group, kind), DEFAULT_FORMAT)
