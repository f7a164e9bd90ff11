"""A Service as the decisions see it: what is asked for, and what the status says."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from typing_extensions import override

from ferrolb.model.address import RequestedAddress
from ferrolb.model.names import ServiceKey

_STABLE_PREFIX: Final = "metallb.io/"
_LEGACY_PREFIX: Final = "metallb.universe.tf/"


class Annotation(StrEnum):
    """Annotations read or written on a Service, without their prefix."""

    ADDRESS_POOL = "address-pool"
    LOAD_BALANCER_IPS = "loadBalancerIPs"
    ALLOW_SHARED_IP = "allow-shared-ip"
    IP_ALLOCATED_FROM_POOL = "ip-allocated-from-pool"

    @property
    def stable(self) -> str:
        """The name under `metallb.io/`; the only one that is written."""
        return _STABLE_PREFIX + self.value

    @property
    def legacy(self) -> str:
        """The name under `metallb.universe.tf/`, read where the stable one is absent."""
        return _LEGACY_PREFIX + self.value


class IPFamilyPolicy(StrEnum):
    """`spec.ipFamilyPolicy`."""

    SINGLE_STACK = "SingleStack"
    PREFER_DUAL_STACK = "PreferDualStack"
    REQUIRE_DUAL_STACK = "RequireDualStack"


@dataclass(frozen=True, slots=True, order=True)
class Port:
    """One port of a Service: the protocol is part of its identity. Prints `TCP/80`."""

    protocol: str
    port: int

    @override
    def __str__(self) -> str:
        return f"{self.protocol}/{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingress:
    """One entry of `status.loadBalancer.ingress`; `ip` is None where only a hostname stands."""

    ip: RequestedAddress | None = None
    hostname: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One Service, parsed once at the border; text that is no address is kept as `BadAddress`."""

    key: ServiceKey
    uid: str = ""
    created: datetime | None = None
    """Of two Services that hold one address at start the older keeps it (C-19)."""
    resource_version: str = ""
    is_load_balancer: bool = True
    load_balancer_class: str | None = None
    labels: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    annotations: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Only those of `Annotation`, under their full names as written."""
    load_balancer_ip: str = ""
    """`spec.loadBalancerIP` as written."""
    cluster_ips: tuple[RequestedAddress, ...] = ()
    """`spec.clusterIPs`, else `spec.clusterIP`; without "None" and empty texts."""
    ip_families: tuple[str, ...] = ()
    """`spec.ipFamilies` as written: "IPv4", "IPv6"."""
    ip_family_policy: IPFamilyPolicy = IPFamilyPolicy.SINGLE_STACK
    is_local: bool = False
    """`externalTrafficPolicy: Local`."""
    selector: tuple[tuple[str, str], ...] = ()
    """`spec.selector`, sorted by key."""
    ports: tuple[Port, ...] = ()
    ingress: tuple[Ingress, ...] = ()

    def annotation(self, name: Annotation) -> str:
        """Return the value: the stable name wins, even with an empty value; absent is ""."""
        if name.stable in self.annotations:
            return self.annotations[name.stable]
        return self.annotations.get(name.legacy, "")

    @property
    def allocated_from(self) -> str | None:
        """The annotation `metallb.io/ip-allocated-from-pool`, None where absent."""
        return self.annotations.get(Annotation.IP_ALLOCATED_FROM_POOL.stable)
