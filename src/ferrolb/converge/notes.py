"""The events that a Service is told, worded as MetalLB words them."""

from typing import TYPE_CHECKING, Final

from ferrolb.model import (
    BadAddress,
    EventNote,
    EventType,
    Reason,
    ServiceKey,
    quote,
    quote_list,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ferrolb.ipam import Refused
    from ferrolb.model import IPAddress, PoolName, RequestedAddress

MESSAGE_LIMIT_BYTES: Final = 1024
"""Longest message of an event, in UTF-8: what the API server takes. Texts quote what users wrote,
so any of them could be longer; the tail is lost."""

NO_POOLS_TEXT: Final = "no address pools are configured"
"""Why a Service gets nothing where the configuration has no pool at all."""

_ELLIPSIS: Final = "..."


def allocation_failed(key: ServiceKey, error: str) -> EventNote:
    """Say why no address was given."""
    return _warn("AllocationFailed", f"Failed to allocate IP for {quote(key)}: {error}")


def ip_allocated(ips: "Sequence[IPAddress]") -> EventNote:
    """Say which addresses were given."""
    return _tell("IPAllocated", f"Assigned IP {quote_list(ips)}")


def additional_ip_allocated(ip: "IPAddress") -> EventNote:
    """Say which address was given beside the one held."""
    return _tell("IPAllocated", f"Assigned additional IP {quote(ip)}")


def additional_assign_failed(error: str) -> EventNote:
    """Say why a Service that would like two addresses keeps one."""
    return _tell(
        "AdditionalAssignFailed", f"cannot assign additional IP in PreferDualStack: {error}"
    )


def clear_assignment(key: ServiceKey, error: str) -> EventNote:
    """Say why an address is taken away."""
    return _tell(
        "ClearAssignment",
        f"current IP for {quote(key)} not allowed by config, "
        f"will attempt for new IP assignment: {error}",
    )


def load_balancer_failed(error: str) -> EventNote:
    """Say that the request for an address cannot be read."""
    return _warn("LoadBalancerFailed", f"invalid requested loadbalancer IPs: {error}")


def not_enough_cluster_ips(cluster_ips: "Iterable[RequestedAddress]") -> EventNote:
    """Say that two addresses need two cluster IPs."""
    listed = " ".join(str(ip) for ip in cluster_ips)
    return _warn(
        "not enough clusterips",
        f"Service requires dual stack but not enough clusterips [{listed}]",
    )


def no_family_of_status(ips: "Sequence[RequestedAddress]") -> EventNote:
    """Say that the addresses in the status make no sense together."""
    return _warn(
        "nolbIPsIPFamily",
        f"Failed to retrieve LBIPs IPFamily for {quote_list(ips)}: {family_error(ips)}",
    )


def no_family_of_cluster_ips(ips: "Sequence[RequestedAddress]") -> EventNote:
    """Say that the cluster IPs make no sense together."""
    return _warn(
        "noclusterIPsIPFamily",
        f"Failed to retrieve ClusterIPs IPFamily for {quote_list(ips)} {ips[0]}: "
        f"{family_error(ips)}",
    )


def address_frozen(
    key: ServiceKey, ips: "Sequence[IPAddress]", invalid: "Iterable[PoolName]"
) -> EventNote:
    """Say that an address is kept although no valid pool holds it (decision C-17)."""
    names = ", ".join(sorted(invalid))
    return _warn(
        "AddressFrozen",
        f"Keeping {quote_list(ips)} for {quote(key)}, which no valid address pool holds, "
        f"until these address pools are valid: {names}",
    )


def family_error(ips: "Sequence[RequestedAddress]") -> str:
    """Return why no family can be told of these addresses."""
    if len(ips) not in (1, 2):
        return f"IPFamilyForAddresses: invalid ips length {len(ips)} {quote_list(ips)}"
    if any(isinstance(ip, BadAddress) for ip in ips):
        return f"IPFamilyForAddresses: Invalid address {quote_list(ips)}"
    return f"IPFamilyForAddresses: same address family {quote_list(ips)}"


def search_error(refused: "Refused") -> str:
    """Return the sentence of a refusal; a failed automatic search names every pool (C-18)."""
    if refused.reason != Reason.NO_SUITABLE_POOL:
        return refused.text
    return refused.text + "".join(f"; {pool.pool}: {pool.text}" for pool in refused.pools)


def _tell(reason: str, message: str) -> EventNote:
    return EventNote(EventType.NORMAL, reason, _cut(message))


def _warn(reason: str, message: str) -> EventNote:
    return EventNote(EventType.WARNING, reason, _cut(message))


def _cut(message: str) -> str:
    encoded = message.encode(errors="replace")
    if len(encoded) <= MESSAGE_LIMIT_BYTES:
        return message
    kept = encoded[: MESSAGE_LIMIT_BYTES - len(_ELLIPSIS)]
    return kept.decode(errors="ignore") + _ELLIPSIS
