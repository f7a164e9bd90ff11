"""What a Service asks for: addresses, a pool."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ferrolb.converge.notes import family_error
from ferrolb.model import (
    Annotation,
    BadAddress,
    Family,
    PoolName,
    family_of,
    parse_address,
    quote,
)

if TYPE_CHECKING:
    from ferrolb.model import IPAddress, Service


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A request, read; where `error` is not empty the addresses asked for cannot be read."""

    ips: "tuple[IPAddress, ...]" = ()
    """As written, not sorted; empty: any."""
    pool: PoolName | None = None
    error: str = ""


def wish_of(service: "Service") -> Wish:
    """Read a Service's request; addresses come from the annotation or from the spec."""
    pool = PoolName(service.annotation(Annotation.ADDRESS_POOL)) or None
    listed = service.annotation(Annotation.LOAD_BALANCER_IPS)
    single = service.load_balancer_ip
    if listed and single:
        both = f"{Annotation.LOAD_BALANCER_IPS.stable} and svc.Spec.LoadBalancerIP"
        return Wish(pool=pool, error=f"service can not have both {both}")
    if single:
        ip = parse_address(single)
        if isinstance(ip, BadAddress):
            return Wish(pool=pool, error=f"invalid spec.loadBalancerIP {quote(single)}")
        return Wish(pool=pool, ips=(ip,))
    if not listed:
        return Wish(pool=pool)
    parsed = [parse_address(text.strip()) for text in listed.split(",")]
    ips = tuple(ip for ip in parsed if not isinstance(ip, BadAddress))
    if len(ips) < len(parsed):
        name = Annotation.LOAD_BALANCER_IPS.stable
        return Wish(pool=pool, error=f"invalid {name}: {quote(listed)}")
    if family_of(ips) == Family.UNKNOWN:
        return Wish(pool=pool, error=family_error(ips))
    return Wish(pool=pool, ips=ips)
