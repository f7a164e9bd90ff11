"""A small cluster for tests of announcing: nodes, advertisements and Services in short."""

from typing import TYPE_CHECKING

from tests.builders import make_pool, make_pools, make_service
from tests.config_objects import NAMESPACE

from ferrolb.announce import Announce, View, Withhold, decide
from ferrolb.config import AcceptedAdvertisements, AdvertisementObjects, parse_advertisements
from ferrolb.model import EXCLUDE_LABEL, Endpoints, Node, NodeName, Pool

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ferrolb.model import Json, JsonObject, Service

A, B, C = NodeName("iris1"), NodeName("iris2"), NodeName("iris3")
"""The first two are those of the specification's vectors."""

B_WINS, A_WINS = "10.20.30.1", "10.20.30.2"
"""Addresses that the hash gives to B and to A, of these two."""


def make_node(name: NodeName, *, out: bool = False, excluded: bool = False, **labels: str) -> Node:
    """Make a node with its name as label `node`; `out` is NetworkUnavailable."""
    marks = {"node": str(name), **labels, **({EXCLUDE_LABEL: ""} if excluded else {})}
    return Node(name=name, labels=marks, is_network_unavailable=out)


_NODES = (make_node(A), make_node(B))
_POOLS = (make_pool("pool", "10.20.30.0/24", "2001:db8::/64"),)


def match(**labels: str) -> "JsonObject":
    """Make a label selector as it is written in an object."""
    return {"matchLabels": dict(labels)}


def ad(name: str = "ad", *, on: "NodeName | None" = None, **spec: "Json") -> "JsonObject":
    """Make an L2Advertisement, `on` one node or on all."""
    if on is not None:
        spec["nodeSelectors"] = [match(node=on)]
    return {
        "apiVersion": "metallb.io/v1beta1",
        "kind": "L2Advertisement",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": spec,
    }


def prefer(*weights: "tuple[Json, JsonObject]") -> "list[Json]":
    """Make `preferredNodeSelectors` of weights and selectors."""
    return [{"weight": weight, "preference": selector} for weight, selector in weights]


def ends(*nodes: NodeName, anywhere: bool = False) -> Endpoints:
    """Make endpoints that are usable on these nodes, or `anywhere` outside of all."""
    return Endpoints(bool(nodes) or anywhere, frozenset(nodes))


def make_view(
    *ads: "Json",
    nodes: "Iterable[Node]" = _NODES,
    members: "Iterable[NodeName] | None" = None,
    pools: "Iterable[Pool]" = _POOLS,
    invalid: "Iterable[str]" = (),
    ignores: bool = False,
    lb_class: str = "",
) -> View:
    """Make a view; the members are all nodes unless given."""
    by_name = {node.name: node for node in nodes}
    in_force = make_pools(*pools, invalid=invalid)
    names = [*in_force.pools, *in_force.invalid]
    config = parse_advertisements(
        AdvertisementObjects(
            l2_advertisements=ads,
            pools=[{"metadata": {"name": name, "labels": {"pool": name}}} for name in names],
            nodes=by_name,
        ),
        accepted=AcceptedAdvertisements(),
    )
    assert config.is_valid, config.errors
    return View(
        pools=in_force,
        advertisements=config.by_pool,
        default_advertisements=config.defaults,
        nodes=by_name,
        members=frozenset(by_name if members is None else members),
        ignores_exclude_label=ignores,
        lb_class=lb_class,
    )


def answers(
    view: View,
    service: "Service | None" = None,
    endpoints: "Endpoints | None" = None,
) -> dict[str, str]:
    """Return what each node does: "announces", or why not."""
    if service is None:
        service = make_service(status=B_WINS)
    if endpoints is None:
        endpoints = ends(*view.nodes)
    found: dict[str, str] = {}
    for node in view.everybody:
        match decide(service, endpoints, view, node=node):
            case Announce():
                found[node] = "announces"
            case Withhold(reason=reason):
                found[node] = reason.value
    return found


def leader(
    view: View, service: "Service | None" = None, endpoints: "Endpoints | None" = None
) -> str | None:
    """Return the node that announces, None if nobody does."""
    told = answers(view, service, endpoints)
    found = [node for node, answer in told.items() if answer == "announces"]
    assert len(found) <= 1, told
    return found[0] if found else None


def rules_of(view: View, service: "Service", endpoints: Endpoints) -> "Mapping[str, str]":
    """Return the rule that excludes each node; the verdict is that of any node."""
    verdict = decide(service, endpoints, view, node=view.everybody[0]).verdict
    return {one.node: one.rule.value for one in verdict.excluded}
