"""The election as every node of a cluster holds it."""

from ipaddress import IPv4Address, IPv6Address

from hypothesis import given
from hypothesis import strategies as st

from ferrolb.election import elect
from ferrolb.model import IPAddress, NodeName

NODES = st.lists(st.text("abc-123", min_size=1, max_size=8), min_size=1, max_size=12, unique=True)
ADDRESSES: st.SearchStrategy[IPAddress] = st.one_of(
    st.integers(0, 2**32 - 1).map(IPv4Address), st.integers(0, 2**128 - 1).map(IPv6Address)
)


@st.composite
def elections(draw: st.DrawFn) -> tuple[IPAddress, list[NodeName], dict[NodeName, int]]:
    nodes = [NodeName(name) for name in draw(NODES)]
    scores = draw(st.dictionaries(st.sampled_from(nodes), st.integers(1, 3)))
    return draw(ADDRESSES), nodes, scores


@given(elections(), st.randoms(use_true_random=False))
def test_every_node_comes_to_the_same_order(case, random):
    address, nodes, scores = case
    order = elect(address, nodes, scores=scores)
    assert sorted(order) == sorted(nodes)
    random.shuffle(nodes)
    assert elect(address, nodes, scores=scores) == order


@given(elections(), st.data())
def test_removing_one_moves_nobody_else(case, data):
    address, nodes, scores = case
    order = elect(address, nodes, scores=scores)
    gone = data.draw(st.sampled_from(nodes))
    left = elect(address, [node for node in nodes if node != gone], scores=scores)
    assert left == tuple(node for node in order if node != gone)
