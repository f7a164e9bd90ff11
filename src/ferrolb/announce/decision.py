"""Whether this node announces a Service: layer2.md sections 4 and 6, step by step."""

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from ferrolb.announce.verdict import NodeRule, NodeVerdict, NodeVerdicts
from ferrolb.announce.view import interfaces_of
from ferrolb.election import elect
from ferrolb.model import (
    Annotation,
    BadAddress,
    InterfaceRule,
    IPAddress,
    NodeName,
    PoolName,
    Service,
)

if TYPE_CHECKING:
    from collections.abc import Collection

    from ferrolb.announce.view import Standing, View
    from ferrolb.model import Endpoints


class WithholdReason(StrEnum):
    """Why this node does not announce a Service; the words are MetalLB's."""

    SERVICE_DELETED = "serviceDeleted"
    NOT_LOAD_BALANCER = "notLoadBalancer"
    CLASS_NOT_HANDLED = "classNotHandled"
    """Ours: the loadBalancerClass is somebody else's; MetalLB would go on announcing."""
    NO_IP_ALLOCATED = "noIPAllocated"
    INVALID_IP = "invalidIP"
    IP_NOT_ALLOWED = "ipNotAllowed"
    INTERNAL_ERROR = "internalError"
    """MetalLB's for a pool that vanished meanwhile; a view is of one moment, so nobody gives it."""
    LOAD_BALANCER_IP_CHANGED = "loadBalancerIPChanged"
    """The announcer's: what is held has moved (`is_moved`); the new addresses follow at once."""
    NOT_OWNER = "notOwner"
    SHARED_IP_WITH_SERVICE_SELECTOR = "sharedIPWithServiceSelector"
    NO_MATCHING_ADVERTISEMENT = "noMatchingAdvertisement"


_UNJUDGED: Final = NodeVerdicts()


@dataclass(frozen=True, slots=True, kw_only=True)
class Announce:
    """This node announces these addresses through these interfaces."""

    addresses: tuple[IPAddress, ...]
    """In the order of the status."""
    pool: PoolName | None
    interfaces: InterfaceRule
    verdict: NodeVerdicts = _UNJUDGED


@dataclass(frozen=True, slots=True, kw_only=True)
class Withhold:
    """This node announces nothing of the Service; what it announced before is withdrawn."""

    reason: WithholdReason
    verdict: NodeVerdicts = _UNJUDGED


def decide(
    service: Service | None, endpoints: "Endpoints", view: "View", *, node: NodeName
) -> Announce | Withhold:
    """Return what `node` does about a Service, None being one that is gone.

    Every node comes to the same verdict from the same view, so at most one of them announces.
    """
    if service is None:
        return Withhold(reason=WithholdReason.SERVICE_DELETED)
    unfit = _unfit(service, view)
    if unfit is not None:
        return Withhold(reason=unfit)
    addresses = addresses_of(service)
    pool = view.pool_of(service, addresses)
    if pool is None:
        return Withhold(reason=WithholdReason.IP_NOT_ALLOWED)
    if not endpoints.has_usable:
        verdicts = tuple(NodeVerdict(one, NodeRule.NO_ENDPOINT) for one in view.everybody)
        return Withhold(reason=WithholdReason.NOT_OWNER, verdict=NodeVerdicts((), verdicts))
    advertisements = view.advertisements_of(pool, service.labels)
    standing = view.standing(advertisements)
    if standing.has_selectors and is_shared(service):
        return Withhold(reason=WithholdReason.SHARED_IP_WITH_SERVICE_SELECTOR)
    verdict = _elect(service, addresses[0], endpoints, standing)
    if verdict.leader != node:
        return Withhold(reason=_lost(node, standing), verdict=verdict)
    return Announce(
        addresses=addresses,
        pool=pool,
        interfaces=interfaces_of(advertisements, node),
        verdict=verdict,
    )


def is_moved(held: "Collection[IPAddress]", wanted: "Collection[IPAddress]") -> bool:
    """Tell whether a Service that is announced has other addresses now; order is no matter."""
    return len(held) != len(wanted) or set(held) != set(wanted)


def addresses_of(service: Service) -> tuple[IPAddress, ...]:
    """Return the addresses of the status; nothing if one of the entries has none."""
    found: list[IPAddress] = []
    for entry in service.ingress:
        if entry.ip is None or isinstance(entry.ip, BadAddress):
            return ()
        found.append(entry.ip)
    return tuple(found)


def is_shared(service: Service) -> bool:
    """Tell whether the Service may share its address: the annotation is there, whatever it says."""
    name = Annotation.ALLOW_SHARED_IP
    return name.stable in service.annotations or name.legacy in service.annotations


def _unfit(service: Service, view: "View") -> WithholdReason | None:
    """Return why the Service is nobody's to announce, whatever is configured."""
    if not service.is_load_balancer:
        return WithholdReason.NOT_LOAD_BALANCER
    if not view.handles(service):
        return WithholdReason.CLASS_NOT_HANDLED
    if not service.ingress:
        return WithholdReason.NO_IP_ALLOCATED
    if not addresses_of(service):
        return WithholdReason.INVALID_IP
    return None


def _lost(node: NodeName, standing: "Standing") -> WithholdReason:
    if node in standing.listed:
        return WithholdReason.NOT_OWNER
    return WithholdReason.NO_MATCHING_ADVERTISEMENT


def _elect(
    service: Service, first: IPAddress, endpoints: "Endpoints", standing: "Standing"
) -> NodeVerdicts:
    candidates, excluded = standing.candidates, standing.excluded
    if service.is_local:
        homes = endpoints.nodes
        without = [NodeVerdict(n, NodeRule.NO_ENDPOINT) for n in candidates if n not in homes]
        if without:
            candidates = tuple(n for n in candidates if n in homes)
            excluded = tuple(sorted((*excluded, *without), key=lambda one: one.node))
    return NodeVerdicts(elect(first, candidates, scores=standing.scores), excluded)
