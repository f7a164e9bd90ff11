"""From the Structs of the API to the values of `model`: the border where text is parsed once."""

from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from ferrolb.kube.objects import ServiceAnnotations, ServicePort, ServiceSpec
from ferrolb.model import (
    Ingress,
    IPFamilyPolicy,
    Port,
    RequestedAddress,
    Service,
    ServiceKey,
    parse_address,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ferrolb.kube.objects import ServiceObject
    from ferrolb.model import JsonObject

_HEADLESS: Final = "None"
_DEFAULT_PROTOCOL: Final = "TCP"
_NO_SPEC: Final = ServiceSpec()
_NOTHING: Final[MappingProxyType[str, str]] = MappingProxyType({})
_POLICIES: Final = MappingProxyType({policy.value: policy for policy in IPFamilyPolicy})
_ANNOTATION_FIELDS: Final = tuple(
    zip(
        ServiceAnnotations.__struct_fields__,
        ServiceAnnotations.__struct_encode_fields__,
        strict=True,
    )
)


def service_from(obj: "ServiceObject") -> Service:
    """Return the Service as decisions see it; never raises, whatever the texts say."""
    meta, spec = obj.metadata, obj.spec or _NO_SPEC
    return Service(
        key=ServiceKey(meta.namespace, meta.name),
        uid=meta.uid,
        created=_timestamp(meta.creationTimestamp),
        resource_version=meta.resourceVersion,
        is_load_balancer=spec.type == "LoadBalancer",
        load_balancer_class=spec.loadBalancerClass,
        labels=_view(meta.labels),
        annotations=_annotations(meta.annotations),
        load_balancer_ip=spec.loadBalancerIP,
        cluster_ips=_cluster_ips(spec),
        ip_families=spec.ipFamilies or (),
        ip_family_policy=_POLICIES.get(spec.ipFamilyPolicy or "", IPFamilyPolicy.SINGLE_STACK),
        is_local=spec.externalTrafficPolicy == "Local",
        selector=tuple(sorted((spec.selector or {}).items())),
        ports=tuple(_port(port) for port in spec.ports or ()),
        ingress=tuple(_ingress(entry) for entry in obj.ingress),
    )


def allocated_from(obj: "ServiceObject") -> str | None:
    """Return the annotation `metallb.io/ip-allocated-from-pool`, None where absent."""
    annotations = obj.metadata.annotations
    return annotations.ip_allocated_from_pool if annotations is not None else None


def _timestamp(text: str | None) -> datetime | None:
    try:
        value = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    # Comparing an aware with a naive time raises; RFC 3339 always has an offset.
    return value if value.tzinfo is not None else None


def _view(entries: "dict[str, str] | None") -> "Mapping[str, str]":
    return MappingProxyType(entries) if entries else _NOTHING


def _annotations(annotations: ServiceAnnotations | None) -> "Mapping[str, str]":
    if annotations is None:
        return _NOTHING
    values = ((name, getattr(annotations, field)) for field, name in _ANNOTATION_FIELDS)
    return _view({name: value for name, value in values if value is not None})


def _cluster_ips(spec: ServiceSpec) -> tuple[RequestedAddress, ...]:
    return _addresses(spec.clusterIPs or ()) or _addresses((spec.clusterIP,))


def _addresses(texts: "Iterable[str]") -> tuple[RequestedAddress, ...]:
    return tuple(parse_address(text) for text in texts if text not in ("", _HEADLESS))


def _port(port: ServicePort) -> Port:
    return Port(protocol=port.protocol or _DEFAULT_PROTOCOL, port=port.port)


def _ingress(entry: "JsonObject") -> Ingress:
    ip, hostname = entry.get("ip"), entry.get("hostname")
    return Ingress(
        ip=parse_address(ip) if isinstance(ip, str) and ip else None,
        hostname=hostname if isinstance(hostname, str) else "",
    )
