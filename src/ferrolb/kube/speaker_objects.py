"""API objects as a speaker needs them: what is not used is not kept, and texts are shared.

A speaker watches every EndpointSlice of the cluster, and every node runs a speaker: an object
here costs some hundred bytes where its JSON has kilobytes. Decoding is as tolerant as in
`kube.objects`; the names of namespaces and nodes, which recur, are interned.
"""

import sys
from typing import TYPE_CHECKING, Final

import msgspec

from ferrolb.kube.objects import Identity
from ferrolb.model import (
    Annotation,
    Endpoints,
    Ingress,
    Node,
    NodeName,
    Service,
    ServiceKey,
    parse_address,
)

if TYPE_CHECKING:
    from collections.abc import Iterable


class LabelledMeta(Identity, frozen=True, gc=False):
    """Metadata of what is selected by labels."""

    uid: str = ""
    labels: dict[str, str] | None = None


class _Condition(msgspec.Struct, frozen=True, gc=False):
    type: str = ""
    status: str = ""


# Nodes


class _NodeStatus(msgspec.Struct, frozen=True, gc=False):
    conditions: tuple[_Condition, ...] | None = None


class _NodeWire(msgspec.Struct, frozen=True, gc=False):
    metadata: LabelledMeta = LabelledMeta()
    status: _NodeStatus | None = None


class NodeObject(msgspec.Struct, frozen=True, gc=False):
    """One Node: labels, and what two of its conditions say."""

    metadata: LabelledMeta
    is_network_unavailable: bool
    is_ready: bool


_node_decoder: Final = msgspec.json.Decoder(_NodeWire)


def decode_node(data: bytes | msgspec.Raw) -> NodeObject:
    """Decode one Node.

    Raises:
        msgspec.DecodeError: not JSON, or a field has a type that the API does not allow.
    """
    wire = _node_decoder.decode(data)
    conditions = wire.status.conditions if wire.status is not None else None
    stated = {condition.type: condition.status for condition in conditions or ()}
    return NodeObject(
        metadata=wire.metadata,
        is_network_unavailable=stated.get("NetworkUnavailable") == "True",
        is_ready=stated.get("Ready") not in ("False", "Unknown"),
    )


def node_from(obj: NodeObject) -> Node:
    """Return the Node as decisions see it."""
    return Node(
        name=NodeName(obj.metadata.name),
        labels=obj.metadata.labels or {},
        is_network_unavailable=obj.is_network_unavailable,
        is_ready=obj.is_ready,
    )


# EndpointSlices


class _SliceLabels(msgspec.Struct, frozen=True, gc=False):
    service: str | None = msgspec.field(default=None, name="kubernetes.io/service-name")


class _SliceMeta(Identity, frozen=True, gc=False):
    labels: _SliceLabels | None = None


class _EndpointConditions(msgspec.Struct, frozen=True, gc=False):
    ready: bool | None = None
    serving: bool | None = None


class _Endpoint(msgspec.Struct, frozen=True, gc=False):
    nodeName: str | None = None
    conditions: _EndpointConditions | None = None


class _SliceWire(msgspec.Struct, frozen=True, gc=False):
    metadata: _SliceMeta = _SliceMeta()
    endpoints: tuple[_Endpoint, ...] | None = None


class EndpointSliceObject(msgspec.Struct, frozen=True, gc=False):
    """One EndpointSlice, summed up."""

    metadata: Identity
    service: str
    """Label `kubernetes.io/service-name`; empty where absent, and then it belongs to nothing."""
    has_usable: bool
    nodes: tuple[str, ...]
    """Nodes with a usable endpoint, each once, sorted."""

    @property
    def key(self) -> ServiceKey | None:
        """The Service it belongs to."""
        return ServiceKey(self.metadata.namespace, self.service) if self.service else None


_slice_decoder: Final = msgspec.json.Decoder(_SliceWire)


def decode_endpoint_slice(data: bytes | msgspec.Raw) -> EndpointSliceObject:
    """Decode one EndpointSlice.

    Raises:
        msgspec.DecodeError: not JSON, or a field has a type that the API does not allow.
    """
    wire = _slice_decoder.decode(data)
    meta, labels = wire.metadata, wire.metadata.labels
    usable = [endpoint for endpoint in wire.endpoints or () if _is_usable(endpoint.conditions)]
    nodes = {sys.intern(endpoint.nodeName) for endpoint in usable if endpoint.nodeName}
    return EndpointSliceObject(
        metadata=Identity(meta.name, sys.intern(meta.namespace), meta.resourceVersion),
        service=(labels.service or "") if labels is not None else "",
        has_usable=bool(usable),
        nodes=tuple(sorted(nodes)),
    )


def _is_usable(conditions: _EndpointConditions | None) -> bool:
    """Tell whether traffic may go there; a pod that drains still serves."""
    if conditions is None or conditions.ready is None:
        return True
    return conditions.ready or conditions.serving is True


def endpoints_from(slices: "Iterable[EndpointSliceObject]") -> Endpoints:
    """Merge all slices of one Service."""
    has_usable = False
    nodes: set[NodeName] = set()
    for one in slices:
        has_usable = has_usable or one.has_usable
        nodes.update(NodeName(name) for name in one.nodes)
    return Endpoints(has_usable=has_usable, nodes=frozenset(nodes))


# Pods


class _PodStatus(msgspec.Struct, frozen=True, gc=False):
    podIP: str = ""


class PodObject(msgspec.Struct, frozen=True, gc=False):
    """One Pod: who it is and where it is reached."""

    metadata: LabelledMeta = LabelledMeta()
    status: _PodStatus | None = None

    @property
    def ip(self) -> str:
        """`status.podIP`; empty until it has one."""
        return self.status.podIP if self.status is not None else ""


_pod_decoder: Final = msgspec.json.Decoder(PodObject)


def decode_pod(data: bytes | msgspec.Raw) -> PodObject:
    """Decode one Pod.

    Raises:
        msgspec.DecodeError: not JSON, or a field has a type that the API does not allow.
    """
    return _pod_decoder.decode(data)


# Services


class _AnnouncedAnnotations(msgspec.Struct, frozen=True, gc=False):
    allow_shared_ip: str | None = msgspec.field(
        default=None, name=Annotation.ALLOW_SHARED_IP.stable
    )
    allow_shared_ip_legacy: str | None = msgspec.field(
        default=None, name=Annotation.ALLOW_SHARED_IP.legacy
    )
    ip_allocated_from_pool: str | None = msgspec.field(
        default=None, name=Annotation.IP_ALLOCATED_FROM_POOL.stable
    )

    def to_mapping(self) -> dict[str, str]:
        """Return those that are there, under their full names."""
        names = zip(self.__struct_fields__, self.__struct_encode_fields__, strict=True)
        values = ((name, getattr(self, attribute)) for attribute, name in names)
        return {name: value for name, value in values if value is not None}


class AnnouncedServiceMeta(LabelledMeta, frozen=True, gc=False):
    """Metadata of a Service, with the annotations that announcing depends on."""

    annotations: _AnnouncedAnnotations | None = None


class _AnnouncedSpec(msgspec.Struct, frozen=True, gc=False):
    type: str = ""
    loadBalancerClass: str | None = None
    externalTrafficPolicy: str = ""


class _IngressEntry(msgspec.Struct, frozen=True, gc=False):
    ip: str = ""
    hostname: str = ""


class _AnnouncedLoadBalancer(msgspec.Struct, frozen=True, gc=False):
    ingress: tuple[_IngressEntry, ...] | None = None


class _AnnouncedStatus(msgspec.Struct, frozen=True, gc=False):
    loadBalancer: _AnnouncedLoadBalancer | None = None


class _ServiceWire(msgspec.Struct, frozen=True, gc=False):
    metadata: AnnouncedServiceMeta = AnnouncedServiceMeta()
    spec: _AnnouncedSpec | None = None
    status: _AnnouncedStatus | None = None


class AnnouncedServiceObject(msgspec.Struct, frozen=True, gc=False):
    """One Service without what only allocation looks at: ports, selector, families, policy."""

    metadata: AnnouncedServiceMeta
    is_load_balancer: bool
    load_balancer_class: str | None
    is_local: bool
    ingress: tuple[_IngressEntry, ...]


_service_decoder: Final = msgspec.json.Decoder(_ServiceWire)


def decode_announced_service(data: bytes | msgspec.Raw) -> AnnouncedServiceObject:
    """Decode one Service.

    Raises:
        msgspec.DecodeError: not JSON, or a field has a type that the API does not allow.
    """
    wire = _service_decoder.decode(data)
    spec = wire.spec or _AnnouncedSpec()
    balancer = wire.status.loadBalancer if wire.status is not None else None
    return AnnouncedServiceObject(
        metadata=wire.metadata,
        is_load_balancer=spec.type == "LoadBalancer",
        load_balancer_class=spec.loadBalancerClass,
        is_local=spec.externalTrafficPolicy == "Local",
        ingress=(balancer.ingress or ()) if balancer is not None else (),
    )


def announced_service_from(obj: AnnouncedServiceObject) -> Service:
    """Return the Service as the decision to announce sees it.

    What allocation alone depends on stands at its default there.
    """
    meta = obj.metadata
    return Service(
        key=ServiceKey(meta.namespace, meta.name),
        uid=meta.uid,
        resource_version=meta.resourceVersion,
        is_load_balancer=obj.is_load_balancer,
        load_balancer_class=obj.load_balancer_class,
        labels=meta.labels or {},
        annotations=meta.annotations.to_mapping() if meta.annotations is not None else {},
        is_local=obj.is_local,
        ingress=tuple(
            Ingress(ip=parse_address(entry.ip) if entry.ip else None, hostname=entry.hostname)
            for entry in obj.ingress
        ),
    )
