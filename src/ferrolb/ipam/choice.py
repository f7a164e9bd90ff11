"""Choosing: of one pool's candidates, and of several pools (families and their policy)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ferrolb.model import Family, IPFamilyPolicy, PoolVerdict, Reason

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ferrolb.ipam.claim import Claim
    from ferrolb.ipam.pools import Candidates, PoolState
    from ferrolb.model import IPAddress, PoolName

_VERSIONS: Final = {Family.IPV4: 4, Family.IPV6: 6}


@dataclass(frozen=True, slots=True)
class Choice:
    """A pool and the addresses to take of it, IPv4 first."""

    pool: "PoolName"
    ips: "tuple[IPAddress, ...]"


def pick(claim: "Claim", found: "Candidates") -> "tuple[IPAddress, ...]":
    """Return what the claim takes of one pool's candidates, nothing if they do not do."""
    has_both = found.ipv4 is not None and found.ipv6 is not None
    match claim.family:
        case Family.IPV4:
            wanted = [found.ipv4]
        case Family.IPV6:
            wanted = [found.ipv6]
        case Family.DUAL if claim.policy == IPFamilyPolicy.REQUIRE_DUAL_STACK:
            wanted = [found.ipv4, found.ipv6] if has_both else []
        case Family.DUAL if claim.policy == IPFamilyPolicy.PREFER_DUAL_STACK:
            wanted = [found.ipv4, found.ipv6]
        case _:
            wanted = []
    return tuple(ip for ip in wanted if ip is not None)


def choose(
    claim: "Claim", states: "Iterable[PoolState]", verdicts: list[PoolVerdict]
) -> Choice | None:
    """Return the first pool, in the order given, that serves the claim best.

    A pool with every family asked for wins at once. Else, where one family will do, the first
    pool with the primary family, then the first with the other. One verdict a pool looked at is
    appended to `verdicts`.
    """
    by_family: dict[Family, Choice] = {}
    considered: list[PoolVerdict] = []
    chosen: Choice | None = None
    for state in states:
        found = state.find(claim.terms)
        ips = pick(claim, found)
        if len(ips) == 2 or (ips and claim.family != Family.DUAL):
            chosen = Choice(state.name, ips)
            break
        if ips:
            family = Family.IPV4 if ips[0].version == 4 else Family.IPV6
            by_family.setdefault(family, Choice(state.name, ips))
        considered.append(why_not(claim, state, found))
    if chosen is None:
        secondary = Family.IPV4 if claim.primary == Family.IPV6 else Family.IPV6
        chosen = by_family.get(claim.primary) or by_family.get(secondary)
    if chosen is None:
        verdicts.extend(considered)
        return None
    verdicts.extend(verdict for verdict in considered if verdict.pool != chosen.pool)
    verdicts.append(PoolVerdict(chosen.pool, Reason.CHOSEN, "first pool that can serve it"))
    return chosen


def why_not(claim: "Claim", state: "PoolState", found: "Candidates") -> PoolVerdict:
    """Say what a pool lacks for this claim; never with a counter, so that repeats are equal."""
    have = {Family.IPV4: found.ipv4, Family.IPV6: found.ipv6}
    wanted = [claim.family] if claim.family in have else list(have)
    absent = [family for family in wanted if _VERSIONS[family] not in state.spaces]
    if absent:
        text = f"has no {_named(absent)} addresses"
        return PoolVerdict(state.name, Reason.NO_ADDRESS_OF_FAMILY, text)
    missing = [family for family in wanted if have[family] is None]
    if missing:
        text = f"no free {_named(missing)} address"
        return PoolVerdict(state.name, Reason.NO_FREE_ADDRESS, text)
    return PoolVerdict(state.name, Reason.FAMILY_MISMATCH, "ipFamilyPolicy asks for one family")


def _named(families: "Iterable[Family]") -> str:
    return " or ".join(f"IPv{_VERSIONS[family]}" for family in families)
