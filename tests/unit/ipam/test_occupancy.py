import ipaddress

from tests.builders import make_key, make_pool, make_pools, make_ports

from ferrolb.ipam import AddressChange, Allocator, Assigned, Claim, Refused, Terms
from ferrolb.model import PoolName, PoolSet

IP = ipaddress.ip_address("10.0.0.5")
KEY_A, KEY_B = make_key("a"), make_key("b")


def claim(name: str, *, sharing: str = "", ports=(80,)) -> Claim:
    return Claim(key=make_key(name), terms=Terms(sharing=sharing, ports=make_ports(*ports)))


def allocator() -> Allocator:
    made = Allocator()
    made.set_pools(make_pools(make_pool("p", "10.0.0.0/24")))
    made.changes()
    return made


def change(*, is_free: bool, sharing: str = "", only_for=None) -> tuple[AddressChange, ...]:
    pool = PoolName("p")
    return (
        AddressChange(address=IP, pool=pool, sharing=sharing, is_free=is_free, only_for=only_for),
    )


def test_taking_an_address_helps_nobody():
    a = allocator()
    a.assign(claim("a"), [IP])
    assert a.changes() == ()


def test_leaving_an_address_frees_it():
    a = allocator()
    a.assign(claim("a"), [IP])
    a.changes()
    a.unassign(KEY_A)
    assert a.changes() == change(is_free=True)
    assert a.changes() == ()


def test_leaving_and_coming_back_is_no_change():
    a = allocator()
    a.assign(claim("a"), [IP])
    a.changes()
    a.unassign(KEY_A)
    a.assign(claim("a"), [IP])
    assert a.changes() == ()


def test_change_of_the_sharing_key_is_a_change():
    a = allocator()
    a.assign(claim("a"), [IP])
    a.changes()
    a.assign(claim("a", sharing="k"), [IP])
    assert a.changes() == change(is_free=False, sharing="k")


def test_one_of_two_users_leaving_is_a_change():
    a = allocator()
    a.assign(claim("a", sharing="k", ports=[80]), [IP])
    a.assign(claim("b", sharing="k", ports=[443]), [IP])
    a.changes()
    a.unassign(KEY_B)
    assert a.changes() == change(is_free=False, sharing="k")


def test_address_in_a_status_is_closed_to_everybody_else():
    a = allocator()
    a.set_leaving(KEY_A, [IP])
    assert isinstance(a.assign(claim("b"), [IP]), Refused)
    first = a.allocate(claim("b"))
    assert isinstance(first, Assigned)
    assert first.ips != (IP,)
    assert isinstance(a.assign(claim("a"), [IP]), Assigned)


def test_shared_address_is_closed_to_newcomers_while_one_is_leaving():
    a = allocator()
    a.assign(claim("a", sharing="k", ports=[80]), [IP])
    a.set_leaving(KEY_B, [IP])
    newcomer = claim("c", sharing="k", ports=[443])
    refused = a.assign(newcomer, [IP])
    assert isinstance(refused, Refused)
    assert refused.text.endswith("also in use by default/a,default/b")
    assert isinstance(a.assign(claim("a", sharing="k", ports=[81]), [IP]), Assigned)
    a.changes()
    a.set_leaving(KEY_B, [])
    assert a.changes() == change(is_free=False, sharing="k")
    assert isinstance(a.assign(newcomer, [IP]), Assigned)


def test_address_that_only_one_may_have_back_is_for_that_one():
    a = allocator()
    a.assign(claim("a"), [IP])
    a.set_leaving(KEY_B, [IP])
    a.changes()
    a.unassign(KEY_A)
    assert a.changes() == change(is_free=True, only_for=KEY_B)


def test_address_that_two_are_leaving_helps_nobody_yet():
    a = allocator()
    a.assign(claim("c"), [IP])
    a.set_leaving(KEY_A, [IP])
    a.set_leaving(KEY_B, [IP])
    a.changes()
    a.unassign(make_key("c"))
    assert a.changes() == ()
    a.set_leaving(KEY_A, [])
    a.changes()
    a.set_leaving(KEY_B, [])
    assert a.changes() == change(is_free=True)


def test_repeating_what_is_being_left_changes_nothing():
    a = allocator()
    a.set_leaving(KEY_A, [IP])
    a.set_leaving(KEY_A, [IP])
    assert a.leaving(KEY_A) == (IP,)
    a.set_leaving(KEY_A, [])
    assert a.leaving(KEY_A) == ()
    assert isinstance(a.assign(claim("b"), [IP]), Assigned)


def test_held_addresses_follow_new_pools():
    a = allocator()
    a.assign(claim("a", sharing="k"), [IP])
    a.set_leaving(KEY_B, [ipaddress.ip_address("10.0.0.0")])
    assert a.set_pools(make_pools(make_pool("q", "10.0.0.5/32", "10.0.0.0/32"))) == {KEY_A}
    assert a.usage()[PoolName("q")].assigned == 1
    joined = a.allocate(claim("c", sharing="k", ports=[443]))
    assert isinstance(joined, Assigned)
    assert joined.ips == (IP,)


def test_address_outside_every_pool_can_be_kept_and_is_closed():
    a = Allocator()
    a.set_pools(PoolSet(invalid=frozenset({PoolName("p")})))
    assert a.is_uncovered([IP])
    assert a.hold(claim("a"), [IP]) is None
    assert isinstance(a.hold(claim("b"), [IP]), Refused)
    assert a.allocations[KEY_A].pool is None
    refused = a.allocate_additional(claim("a"))
    assert isinstance(refused, Refused)
    assert refused.text == '"10.0.0.5" is not allowed in config'
    half_bad = make_pools(make_pool("q", "10.1.0.0/24"), invalid=["p"])
    assert a.set_pools(half_bad) == frozenset()
    assert a.set_pools(make_pools(make_pool("p", "10.0.0.0/24"))) == {KEY_A}
    assert a.allocations[KEY_A].pool == "p"
    a.set_pools(half_bad)
    assert a.allocations[KEY_A].pool is None
    assert a.set_pools(make_pools(make_pool("q", "10.1.0.0/24"))) == {KEY_A}
    assert KEY_A not in a.allocations
