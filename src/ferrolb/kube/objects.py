"""API objects as received: tolerant Structs that keep what decisions and status writes need.

Every field has a default, unknown fields are skipped, and null stands wherever an API server may
send it for an absent list or map. Field names are the API's. Nothing here is judged: text that is
no address, or an unknown policy, is text until `kube.convert` reads it.

The Structs are kept out of the cyclic garbage collector (`gc=False`): decoded JSON has no cycles,
and tens of thousands of long-lived objects would make each full collection slow.
"""

from typing import Any

import msgspec

from ferrolb.model import Annotation, JsonObject


class Identity(msgspec.Struct, frozen=True, gc=False):
    """What every object has: which one it is, and which state of it."""

    name: str = ""
    namespace: str = ""
    resourceVersion: str = ""


class ObjectMeta(Identity, frozen=True, gc=False):
    """Metadata that every kind needs; annotations are left out, they can be 256 KiB an object."""

    uid: str = ""
    creationTimestamp: str | None = None
    labels: dict[str, str] | None = None


class ServiceAnnotations(msgspec.Struct, frozen=True, gc=False):
    """The annotations of a Service that mean something to us, and no other; None where absent."""

    address_pool: str | None = msgspec.field(default=None, name=Annotation.ADDRESS_POOL.stable)
    address_pool_legacy: str | None = msgspec.field(
        default=None, name=Annotation.ADDRESS_POOL.legacy
    )
    load_balancer_ips: str | None = msgspec.field(
        default=None, name=Annotation.LOAD_BALANCER_IPS.stable
    )
    load_balancer_ips_legacy: str | None = msgspec.field(
        default=None, name=Annotation.LOAD_BALANCER_IPS.legacy
    )
    allow_shared_ip: str | None = msgspec.field(
        default=None, name=Annotation.ALLOW_SHARED_IP.stable
    )
    allow_shared_ip_legacy: str | None = msgspec.field(
        default=None, name=Annotation.ALLOW_SHARED_IP.legacy
    )
    ip_allocated_from_pool: str | None = msgspec.field(
        default=None, name=Annotation.IP_ALLOCATED_FROM_POOL.stable
    )


class ServiceMeta(ObjectMeta, frozen=True, gc=False):
    """Metadata of a Service."""

    annotations: ServiceAnnotations | None = None


class ServicePort(msgspec.Struct, frozen=True, gc=False):
    """One entry of `spec.ports`."""

    port: int = 0
    protocol: str = ""


class ServiceSpec(msgspec.Struct, frozen=True, gc=False):
    """The part of `spec` that allocation and announcement depend on."""

    type: str = ""
    loadBalancerClass: str | None = None
    loadBalancerIP: str = ""
    clusterIP: str = ""
    clusterIPs: tuple[str, ...] | None = None
    ipFamilies: tuple[str, ...] | None = None
    ipFamilyPolicy: str | None = None
    externalTrafficPolicy: str = ""
    selector: dict[str, str] | None = None
    ports: tuple[ServicePort, ...] | None = None


class LoadBalancerStatus(msgspec.Struct, frozen=True, gc=False):
    """`status.loadBalancer`.

    Entries stay JSON objects: a merge patch replaces the whole list, so an entry that is kept has
    to be sent back with every field it came with, those of later API versions included (C-27).
    """

    ingress: tuple[dict[str, Any], ...] | None = None


class ServiceStatus(msgspec.Struct, frozen=True, gc=False):
    """The part of `status` that we own."""

    loadBalancer: LoadBalancerStatus | None = None


class ServiceObject(msgspec.Struct, frozen=True, gc=False):
    """One Service."""

    metadata: ServiceMeta = ServiceMeta()
    spec: ServiceSpec | None = None
    status: ServiceStatus | None = None

    @property
    def ingress(self) -> tuple[JsonObject, ...]:
        """The entries of `status.loadBalancer.ingress`; empty where any part is absent."""
        if self.status is None or self.status.loadBalancer is None:
            return ()
        return self.status.loadBalancer.ingress or ()


class NamespaceObject(msgspec.Struct, frozen=True, gc=False):
    """One Namespace: its name and labels are what pools select by."""

    metadata: ObjectMeta = ObjectMeta()


class RawObject(msgspec.Struct, frozen=True, gc=False):
    """An object of any kind, whole; `metadata` is the typed view of what it also contains."""

    metadata: ObjectMeta
    content: JsonObject


class _MetaOnly(msgspec.Struct, frozen=True, gc=False):
    metadata: ObjectMeta = ObjectMeta()


_service_decoder = msgspec.json.Decoder(ServiceObject)
_namespace_decoder = msgspec.json.Decoder(NamespaceObject)
_meta_decoder = msgspec.json.Decoder(_MetaOnly)
_content_decoder = msgspec.json.Decoder(dict[str, Any])


def decode_service(data: bytes | msgspec.Raw) -> ServiceObject:
    """Decode one Service.

    Raises:
        msgspec.DecodeError: not JSON, or a field has a type that the API does not allow.
    """
    return _service_decoder.decode(data)


def decode_namespace(data: bytes | msgspec.Raw) -> NamespaceObject:
    """Decode one Namespace.

    Raises:
        msgspec.DecodeError: not JSON, or a field has a type that the API does not allow.
    """
    return _namespace_decoder.decode(data)


def decode_raw(data: bytes | msgspec.Raw) -> RawObject:
    """Decode an object of any kind, without `metadata.managedFields`.

    Raises:
        msgspec.DecodeError: not JSON, no object, metadata of a wrong type, or nested too deeply.
    """
    try:
        content: JsonObject = _content_decoder.decode(data)
    except RecursionError as error:
        raise msgspec.DecodeError("nested too deeply") from error
    metadata = content.get("metadata")
    if isinstance(metadata, dict):
        # Often larger than the rest of the object, and nothing reads it.
        metadata.pop("managedFields", None)
    return RawObject(metadata=_meta_decoder.decode(data).metadata, content=content)
