"""What one Service claims of the allocator."""

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from ferrolb.model import Annotation, Family, IPFamilyPolicy, Port, ServiceKey, family_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ferrolb.model import Service


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """On what terms an address is held: who else may hold it follows from them."""

    ports: tuple[Port, ...] = ()
    sharing: str = ""
    """The sharing key; "" shares with nobody."""
    backend: str = ""
    """Which pods get the traffic, where that matters (`externalTrafficPolicy: Local`)."""

    @property
    def group(self) -> tuple[str, str]:
        """What two Services must have in common to share an address."""
        return self.sharing, self.backend


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """Who asks for an address, of which families, on what terms."""

    key: ServiceKey
    labels: "Mapping[str, str]" = field(default_factory=lambda: MappingProxyType({}))
    family: Family = Family.IPV4
    """Of the Service's cluster IPs."""
    policy: IPFamilyPolicy = IPFamilyPolicy.SINGLE_STACK
    primary: Family = Family.IPV4
    """The family preferred where only one can be had."""
    terms: Terms = field(default_factory=Terms)


def claim_of(service: "Service") -> Claim:
    """Return what a Service claims."""
    local = ",".join(f"{name}={value}" for name, value in service.selector)
    return Claim(
        key=service.key,
        labels=service.labels,
        family=family_of(service.cluster_ips),
        policy=service.ip_family_policy,
        primary=Family.IPV6 if service.ip_families[:1] == ("IPv6",) else Family.IPV4,
        terms=Terms(
            ports=service.ports,
            sharing=service.annotation(Annotation.ALLOW_SHARED_IP),
            backend=local if service.is_local else "",
        ),
    )
