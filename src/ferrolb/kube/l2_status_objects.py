"""ServiceL2Status as the API has it: who says that it announces which Service, and through what.

Like all that a speaker keeps of the whole cluster, decoded slim (`kube.speaker_objects`).
"""

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec

from ferrolb.kube.objects import Identity
from ferrolb.model import ServiceKey

if TYPE_CHECKING:
    from ferrolb.model import Json, JsonObject

NODE_LABEL: Final = "metallb.io/node"
SERVICE_LABEL: Final = "metallb.io/service-name"
NAMESPACE_LABEL: Final = "metallb.io/service-namespace"


@dataclass(frozen=True, slots=True)
class PodOwner:
    """A Pod that owns objects: they are collected as garbage once it is gone."""

    name: str
    uid: str

    def to_json(self) -> "JsonObject":
        """Return the owner reference; it names no controller."""
        return {"apiVersion": "v1", "kind": "Pod", "name": self.name, "uid": self.uid}


class L2StatusMeta(Identity, frozen=True, gc=False):
    """Metadata of a ServiceL2Status."""

    uid: str = ""


class L2StatusLabels(msgspec.Struct, frozen=True, gc=False):
    """The three labels; an object that lacks one of them has none for us."""

    node: str
    service: str
    namespace: str

    @property
    def key(self) -> ServiceKey:
        """The Service."""
        return ServiceKey(self.namespace, self.service)


class L2StatusContent(msgspec.Struct, frozen=True, gc=False):
    """`status`; the first three fields cannot be changed once they are set."""

    node: str = ""
    serviceName: str = ""
    serviceNamespace: str = ""
    interfaces: tuple[str, ...] = ()
    """Empty: all interfaces."""

    @property
    def key(self) -> ServiceKey:
        """The Service."""
        return ServiceKey(self.serviceNamespace, self.serviceName)

    def to_json(self) -> "JsonObject":
        """Return the status as a merge patch makes it so, whatever it was."""
        entries: list[Json] = [{"name": name} for name in self.interfaces]
        return {
            "node": self.node,
            "serviceName": self.serviceName,
            "serviceNamespace": self.serviceNamespace,
            "interfaces": entries or None,
        }


class L2StatusObject(msgspec.Struct, frozen=True, gc=False):
    """One ServiceL2Status."""

    metadata: L2StatusMeta
    labels: L2StatusLabels | None = None
    owners: tuple[str, ...] = ()
    """The uids of the owner references."""
    status: L2StatusContent = L2StatusContent()

    @property
    def key(self) -> ServiceKey | None:
        """The Service by the labels; None where they are not complete."""
        return self.labels.key if self.labels is not None else None


class _WireLabels(msgspec.Struct, frozen=True, gc=False):
    node: str | None = msgspec.field(default=None, name=NODE_LABEL)
    service: str | None = msgspec.field(default=None, name=SERVICE_LABEL)
    namespace: str | None = msgspec.field(default=None, name=NAMESPACE_LABEL)


class _WireOwner(msgspec.Struct, frozen=True, gc=False):
    uid: str = ""


class _WireMeta(L2StatusMeta, frozen=True, gc=False):
    labels: _WireLabels | None = None
    ownerReferences: tuple[_WireOwner, ...] | None = None


class _WireInterface(msgspec.Struct, frozen=True, gc=False):
    name: str = ""


class _WireStatus(msgspec.Struct, frozen=True, gc=False):
    node: str = ""
    serviceName: str = ""
    serviceNamespace: str = ""
    interfaces: tuple[_WireInterface, ...] | None = None


class _Wire(msgspec.Struct, frozen=True, gc=False):
    metadata: _WireMeta = _WireMeta()
    status: _WireStatus | None = None


_decoder: Final = msgspec.json.Decoder(_Wire)


def decode_l2_status(data: bytes | msgspec.Raw) -> L2StatusObject:
    """Decode one ServiceL2Status.

    Raises:
        msgspec.DecodeError: not JSON, or a field has a type that the schema does not allow.
    """
    wire = _decoder.decode(data)
    meta, status = wire.metadata, wire.status or _WireStatus()
    labels = _labels(meta.labels)
    service = status.serviceName
    return L2StatusObject(
        metadata=L2StatusMeta(
            meta.name, sys.intern(meta.namespace), meta.resourceVersion, uid=meta.uid
        ),
        labels=labels,
        owners=tuple(sys.intern(owner.uid) for owner in meta.ownerReferences or ()),
        status=L2StatusContent(
            node=sys.intern(status.node),
            # one text of the two, which are nearly always equal
            serviceName=labels.service if labels and labels.service == service else service,
            serviceNamespace=sys.intern(status.serviceNamespace),
            interfaces=tuple(sys.intern(one.name) for one in status.interfaces or ()),
        ),
    )


def _labels(wire: _WireLabels | None) -> L2StatusLabels | None:
    if wire is None or wire.node is None or wire.service is None or wire.namespace is None:
        return None
    return L2StatusLabels(sys.intern(wire.node), wire.service, sys.intern(wire.namespace))
