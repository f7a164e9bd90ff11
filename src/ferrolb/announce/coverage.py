"""Why nobody announces an address that was given: the commonest silent hole (C-25)."""

from typing import TYPE_CHECKING, Final

from ferrolb.announce.decision import addresses_of, is_shared
from ferrolb.announce.notes import cut
from ferrolb.announce.verdict import NodeRule
from ferrolb.model import EXCLUDE_LABEL, quote, quote_list

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ferrolb.announce.view import Standing, View
    from ferrolb.model import Endpoints, L2Advertisement, PoolName, Service

MAX_NAMES: Final = 10
"""Names listed for one rule; a large cluster has more nodes than fit into an event."""

_WORDS: Final = {
    NodeRule.NOT_SELECTED: "not selected by any of them",
    NodeRule.EXCLUDED_BY_LABEL: f"excluded by the label {EXCLUDE_LABEL}",
    NodeRule.NETWORK_UNAVAILABLE: "network unavailable",
    NodeRule.NOT_A_MEMBER: "no speaker there",
    NodeRule.NO_ENDPOINT: "no usable endpoint there, which the policy Local asks for",
}


def explain_unannounced(
    service: "Service", endpoints: "Endpoints | None", view: "View"
) -> str | None:
    """Return why no node may announce what the Service was given, in at most 1 kB.

    None where some node may, and where nothing is to be announced. Endpoints of None are unknown,
    and then taken to be where they are wanted. The same state always gives the same text.
    """
    if not service.is_load_balancer or not view.handles(service):
        return None
    addresses = addresses_of(service)
    if not addresses:
        return None
    pool = view.pool_of(service, addresses)
    if pool in view.routed_pools:
        return None
    if pool is None:
        why = "no address pool holds them all"
    else:
        found = _explain_pool(service, endpoints, view, pool)
        if found is None:
            return None
        why = found
    return cut(f"no node may announce {quote_list(addresses)}: {why}")


def _explain_pool(
    service: "Service", endpoints: "Endpoints | None", view: "View", pool: "PoolName"
) -> str | None:
    every = view.advertisements_of_pool(pool)
    if not every:
        return f"no advertisement selects the address pool {quote(pool)}"
    selecting = view.advertisements_of(pool, service.labels)
    if not selecting:
        return f"{_listed(every)} of the address pool {quote(pool)}: no service selector matches"
    standing = view.standing(selecting)
    if standing.has_selectors and is_shared(service):
        choosy = [one for one in selecting if one.service_selectors]
        return f"{_listed(choosy)} with service selectors cannot announce a shared address"
    if endpoints is not None and not endpoints.has_usable:
        return "no endpoint is usable"
    return _explain_nodes(service, endpoints, selecting, standing)


def _explain_nodes(
    service: "Service",
    endpoints: "Endpoints | None",
    selecting: "Sequence[L2Advertisement]",
    standing: "Standing",
) -> str | None:
    by_rule = {rule: [one.node for one in standing.excluded if one.rule is rule] for rule in _WORDS}
    if standing.candidates:
        if endpoints is None or not service.is_local:
            return None
        if not endpoints.nodes.isdisjoint(standing.candidates):
            return None
        by_rule[NodeRule.NO_ENDPOINT] = list(standing.candidates)
    told = [f"{_WORDS[rule]}: {_some(nodes)}" for rule, nodes in by_rule.items() if nodes]
    who = _listed(selecting)
    if not (standing.candidates or standing.excluded):
        return "there is no node"
    if not standing.listed:
        return f"no node matches the node selectors of {who}"
    return f"every node of {who} is out of the election: {'; '.join(told)}"


def _listed(advertisements: "Sequence[L2Advertisement]") -> str:
    word = "advertisement" if len(advertisements) == 1 else "advertisements"
    return f"{word} {_some(sorted({one.name for one in advertisements}))}"


def _some(names: "Iterable[str]") -> str:
    shown = list(names)
    rest = len(shown) - MAX_NAMES
    text = " ".join(quote(name) for name in shown[:MAX_NAMES])
    return f"{text} and {rest} more" if rest > 0 else text
