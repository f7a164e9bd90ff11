"""All nodes of random clusters decide alone, and agree."""

from dataclasses import dataclass, replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from tests.announcing import ad, make_node, match
from tests.announcing import make_view as view
from tests.builders import make_service

from ferrolb.announce import (
    Announce,
    NodeVerdicts,
    View,
    Withhold,
    WithholdReason,
    decide,
    explain_unannounced,
)
from ferrolb.model import EXCLUDE_LABEL, Endpoints, NodeName, Service

NAMES = tuple(NodeName(f"node-{letter}") for letter in "abcde")
RACKS = ("1", "2")
APPS = ("x", "y")


@dataclass(frozen=True)
class Cluster:
    specs: tuple[Any, ...]
    view: View
    service: Service
    endpoints: Endpoints

    @property
    def speakers(self) -> tuple[NodeName, ...]:
        return self.view.everybody

    def decisions(self) -> dict[NodeName, Announce | Withhold]:
        return {
            node: decide(self.service, self.endpoints, self.view, node=node)
            for node in self.speakers
        }

    def leaders(self) -> list[NodeName]:
        return [node for node, one in self.decisions().items() if isinstance(one, Announce)]

    def may(self, node: NodeName) -> bool:
        """Tell from the objects, by rules put another way, whether a node may announce."""
        found = self.view.nodes.get(node)
        if found is None or found.is_network_unavailable:
            return False
        if EXCLUDE_LABEL in found.labels and not self.view.ignores_exclude_label:
            return False
        if self.view.members is not None and node not in self.view.members:
            return False
        mine = [
            spec for spec in self.specs if selects(spec, "serviceSelectors", self.service.labels)
        ]
        if "metallb.io/allow-shared-ip" in self.service.annotations and any(
            spec["serviceSelectors"] for spec in mine
        ):
            return False
        if not any(selects(spec, "nodeSelectors", found.labels) for spec in mine):
            return False
        if self.service.is_local:
            return node in self.endpoints.nodes
        return self.endpoints.has_usable


def selects(spec, key, labels):
    wanted = [selector["matchLabels"] for selector in spec[key]]
    return not wanted or any(one.items() <= dict(labels).items() for one in wanted)


@st.composite
def advertisements(draw: st.DrawFn) -> Any:
    racks = st.sampled_from(RACKS).map(lambda rack: match(rack=rack))
    apps = st.sampled_from(APPS).map(lambda app: match(app=app))
    return {
        "nodeSelectors": draw(st.lists(racks, max_size=1)),
        "serviceSelectors": draw(st.lists(apps, max_size=1)),
        "interfaces": draw(st.lists(st.sampled_from(["eth0", "eth1"]), unique=True)),
        "preferredNodeSelectors": [
            {"weight": draw(st.integers(1, 100)), "preference": selector}
            for selector in draw(st.lists(racks, max_size=2))
        ],
    }


@st.composite
def clusters(draw: st.DrawFn) -> Cluster:
    specs = tuple(draw(st.lists(advertisements(), min_size=1, max_size=3)))
    objects = [ad(f"ad{number}", **spec) for number, spec in enumerate(specs)]
    nodes = [
        make_node(
            name,
            out=draw(st.booleans()) and draw(st.booleans()),
            excluded=draw(st.booleans()) and draw(st.booleans()),
            rack=draw(st.sampled_from(RACKS)),
        )
        for name in draw(st.lists(st.sampled_from(NAMES), min_size=1, unique=True))
    ]
    members = draw(st.none() | st.none() | st.frozensets(st.sampled_from(NAMES), min_size=2))
    made = view(*objects, nodes=nodes, ignores=draw(st.booleans()))
    homes = draw(st.frozensets(st.sampled_from(NAMES)))
    service = make_service(
        status=f"10.20.30.{draw(st.integers(1, 254))}",
        local=draw(st.booleans()),
        labels={"app": draw(st.sampled_from(APPS))},
        sharing=draw(st.none() | st.none() | st.just("key")),
    )
    return Cluster(
        specs=specs,
        view=replace(made, members=members),
        service=service,
        endpoints=Endpoints(bool(homes) or draw(st.booleans()), homes),
    )


@given(clusters())
def test_l1_at_most_one_node_announces(cluster):
    assert len(cluster.leaders()) <= 1


@given(clusters())
def test_l2_exactly_one_announces_where_one_may(cluster):
    eligible = [node for node in cluster.speakers if cluster.may(node)]
    assert len(cluster.leaders()) == min(1, len(eligible))


@given(clusters())
def test_l3_who_may_not_does_not(cluster):
    assert all(cluster.may(node) for node in cluster.leaders())


@given(clusters())
def test_every_node_comes_to_the_same_verdict_on_every_node(cluster):
    decisions = cluster.decisions()
    verdicts = {decision.verdict for decision in decisions.values()}
    assert len(verdicts) == min(1, len(decisions))
    is_shared = any(
        isinstance(one, Withhold) and one.reason is WithholdReason.SHARED_IP_WITH_SERVICE_SELECTOR
        for one in decisions.values()
    )
    for verdict in verdicts:
        assert sorted(verdict.order) == [node for node in cluster.speakers if cluster.may(node)]
        if is_shared:
            assert verdict == NodeVerdicts()
            continue
        excluded = [one.node for one in verdict.excluded]
        assert excluded == sorted(excluded)
        assert sorted([*verdict.order, *excluded]) == list(cluster.speakers)


@given(clusters())
def test_c25_silence_is_explained_exactly_where_nobody_announces(cluster):
    why = explain_unannounced(cluster.service, cluster.endpoints, cluster.view)
    assert (why is None) == bool(cluster.leaders())
    assert why is None or len(why.encode()) <= 1024


@given(clusters(), st.data())
def test_a_node_that_does_not_lead_is_not_missed(cluster, data):
    leaders = cluster.leaders()
    others = [node for node in cluster.speakers if node not in leaders]
    if leaders and others:
        gone = data.draw(st.sampled_from(others))
        members = (
            frozenset(cluster.speakers) if cluster.view.members is None else (cluster.view.members)
        )
        left = replace(cluster.view, members=members - {gone})
        assert replace(cluster, view=left).leaders() == leaders
