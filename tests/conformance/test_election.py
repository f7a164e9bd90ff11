"""MetalLB's order of the nodes: the vectors of layer2.md section 6.3."""

from ipaddress import IPv6Address, ip_address

import pytest

from ferrolb.election import digest, elect
from ferrolb.model import NodeName

VECTORS = [
    ("10.0.0.1", "node-a node-b node-c", {}, "node-b node-a node-c"),
    ("10.0.0.2", "node-a node-b node-c", {}, "node-b node-c node-a"),
    ("10.20.30.1", "iris1 iris2", {}, "iris2 iris1"),
    ("10.20.30.2", "iris1 iris2", {}, "iris1 iris2"),
    ("10.20.30.1", "edge-a edge-b worker-a worker-b", {}, "edge-b worker-a edge-a worker-b"),
    (
        "10.20.30.1",
        "edge-a edge-b worker-a worker-b",
        {"edge-a": 100},
        "edge-a edge-b worker-a worker-b",
    ),
    (
        "10.20.30.1",
        "edge-a edge-b worker-a",
        {"edge-a": 100, "edge-b": 100},
        "edge-b edge-a worker-a",
    ),
    ("2001:db8::1", "node-a node-b node-c", {}, "node-b node-a node-c"),
    ("fd00:0:0:1::10", "node-a node-b node-c", {}, "node-a node-c node-b"),
]


def names(text: str) -> tuple[NodeName, ...]:
    return tuple(NodeName(name) for name in text.split())


@pytest.mark.parametrize(("ip", "nodes", "scores", "order"), VECTORS)
def test_order_of_the_vectors(ip: str, nodes: str, scores: dict[str, int], order: str) -> None:
    by_node = {NodeName(node): score for node, score in scores.items()}
    for candidates in (names(nodes), tuple(reversed(names(nodes)))):
        assert elect(ip_address(ip), candidates, scores=by_node) == names(order)


def test_digests_of_the_specification() -> None:
    assert digest(NodeName("node-b"), "10.0.0.1").hex() == (
        "2acae88581fd8b477d8abf5bd882a2094b0c9631507ebc7770a5682a13cd71f1"
    )
    assert digest(NodeName("node-a"), "2001:db8::1").hex() == (
        "3c9f88a7e2ef52a1c015be314124ea3ab99785b842ce9ee37afdf6470837efbe"
    )


def test_an_ipv4_mapped_address_is_elected_for_as_ipv4() -> None:
    mapped, nodes = IPv6Address("::ffff:10.0.0.2"), names("node-a node-b node-c")
    assert elect(mapped, nodes, scores={}) == names("node-b node-c node-a")


def test_text_of_an_ipv6_address_is_that_of_rfc_5952() -> None:
    long = IPv6Address("FD00:0000:0:0001:0:0:0:0010")
    assert elect(long, names("node-a node-b node-c"), scores={}) == names("node-a node-c node-b")
