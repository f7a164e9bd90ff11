"""A refusal is a value: the reason, the sentence, and what ruled each pool out."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ferrolb.model import PoolVerdict, Reason, quote, quote_list

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ferrolb.model import Family, IPAddress, PoolName


@dataclass(frozen=True, slots=True)
class Refused:
    """Why an address was not given; `text` is MetalLB's sentence."""

    reason: Reason
    text: str
    pools: tuple[PoolVerdict, ...] = ()


def refuse(reason: Reason, text: str, pool: "PoolName | None" = None) -> Refused:
    """Refuse for a reason that lies in one pool, or in none."""
    verdicts = () if pool is None else (PoolVerdict(pool, reason, text),)
    return Refused(reason, text, verdicts)


def not_in_config(ips: "Sequence[IPAddress]", pools: tuple[PoolVerdict, ...]) -> Refused:
    """Refuse addresses that no pool holds together; one address is printed without brackets."""
    named = quote(ips[0]) if len(ips) == 1 else quote_list(ips)
    return Refused(Reason.NOT_IN_POOL, f"{named} is not allowed in config", pools)


def pool_exhausted(pool: "PoolName") -> Refused:
    """Refuse because a named pool has no address of any family left."""
    return refuse(Reason.NO_FREE_ADDRESS, f"no available IPs in pool {pool}", pool)


def family_missing(pool: "PoolName", family: "Family", reason: Reason) -> Refused:
    """Refuse because a named pool cannot serve this family now."""
    return refuse(reason, f"no available IPs in pool {pool} for {family} IPFamily", pool)
