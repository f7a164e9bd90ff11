from dataclasses import replace

from tests.announcing import B_WINS, A, B, ad, ends, make_node, match
from tests.announcing import make_view as view
from tests.builders import make_pool, make_pools, make_service

from ferrolb.announce import Announce, NodeVerdicts, View, decide, is_moved
from ferrolb.announce.view import MAX_STANDINGS
from ferrolb.model import L2Advertisement, NodeName, PoolName, parse_address

SERVICE = make_service(status=B_WINS)


def ips(*texts):
    return tuple(parse_address(text) for text in texts)


def test_an_empty_view_knows_nothing():
    assert View() == View()
    assert View().everybody == ()
    assert View().covered_pools() == frozenset()
    assert NodeVerdicts().leader is None


def test_the_index_goes_along_while_the_pools_are_the_same():
    first = view(ad())
    assert replace(first, members=frozenset({A})).index is first.index
    moved = replace(first, pools=make_pools(make_pool("pool", "10.99.0.0/24")))
    assert moved.index is not first.index
    assert not isinstance(decide(SERVICE, ends(A), moved, node=B), Announce)


def test_addresses_are_found_at_the_ends_of_ranges_and_not_beyond():
    pools = (
        make_pool("a", "10.0.0.3-10.0.0.9", "2001:db8::/127"),
        make_pool("b", "10.0.0.10/32", "10.0.0.1/32"),
    )
    some = view(pools=pools).index
    found = {text: some.pool_of(ips(text)) for text in (
        "10.0.0.0", "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.9", "10.0.0.10", "10.0.0.11",
        "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db8::", "2001:db8::1", "2001:db8::2", "::",
    )}  # fmt: skip
    assert [found[text] for text in found] == [
        None, "b", None, "a", "a", "b", None, None, "a", "a", None, None
    ]  # fmt: skip
    assert some.pool_of(ips("10.0.0.3", "2001:db8::1")) == "a"
    assert some.pool_of(ips("10.0.0.10", "2001:db8::1")) is None
    assert some.pool_of(ips("10.0.0.3", "2001:db8::2")) is None


def test_what_is_remembered_is_bounded_and_stays_true():
    wanted = frozenset({A, B})
    ads = tuple(L2Advertisement(name=f"ad{n}", nodes=wanted) for n in range(MAX_STANDINGS + 5))
    # the view must hold what it remembers
    some = replace(view(), advertisements={PoolName("pool"): ads})
    for one in ads:
        assert some.standing((one,)).candidates == (A, B)
    assert len(some._standings) <= MAX_STANDINGS
    assert some.standing((ads[0],)) is some.standing((ads[0],))


def test_pools_whose_every_service_may_be_announced():
    pools = tuple(make_pool(name, f"10.0.{n}.0/24") for n, name in enumerate("abcde"))
    some = view(
        ad("1", ipAddressPools=["a"]),
        ad("2", ipAddressPools=["b"], serviceSelectors=[match(x="y")]),
        ad("3", ipAddressPools=["c"], on=NodeName("nobody")),
        pools=pools,
    )
    some = replace(some, routed_pools=frozenset({PoolName("e")}))
    assert some.covered_pools() == {"a", "e"}


def test_a_member_without_a_node_is_a_candidate_only_where_it_is_listed():
    nodeless = NodeName("zz")
    some = view(ad(), nodes=(make_node(A),), members=(A, nodeless))
    assert some.everybody == (A, nodeless)
    listing = (L2Advertisement(name="x", nodes=frozenset({nodeless})),)
    assert some.standing(listing).candidates == (nodeless,)


def test_addresses_have_moved_unless_they_are_the_same_in_any_order():
    one, two = ips("10.0.0.1", "2001:db8::1")
    assert not is_moved((one, two), (two, one))
    assert is_moved((one,), (two,))
    assert is_moved((one,), (one, two))
    assert is_moved((one, one), (one,))
