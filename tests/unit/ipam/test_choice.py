import ipaddress

import pytest
from tests.builders import make_key, make_pool

from ferrolb.ipam import Claim
from ferrolb.ipam.choice import choose, pick, why_not
from ferrolb.ipam.pools import Candidates, PoolState
from ferrolb.model import Family, IPFamilyPolicy, PoolVerdict, Reason

SINGLE, PREFER, REQUIRE = IPFamilyPolicy
V4, V6 = ipaddress.ip_address("10.0.0.0"), ipaddress.ip_address("1000::")
BOTH = Candidates(V4, V6)


def claim(family, policy=SINGLE, primary=Family.IPV4) -> Claim:
    return Claim(key=make_key("svc"), family=family, policy=policy, primary=primary)


def state(name, *ranges) -> PoolState:
    return PoolState(make_pool(name, *ranges))


@pytest.mark.parametrize(
    ("family", "policy", "found", "taken"),
    [
        (Family.IPV4, SINGLE, BOTH, (V4,)),
        (Family.IPV4, REQUIRE, BOTH, (V4,)),
        (Family.IPV4, SINGLE, Candidates(None, V6), ()),
        (Family.IPV6, PREFER, BOTH, (V6,)),
        (Family.IPV6, SINGLE, Candidates(V4, None), ()),
        (Family.DUAL, REQUIRE, BOTH, (V4, V6)),
        (Family.DUAL, REQUIRE, Candidates(V4, None), ()),
        (Family.DUAL, PREFER, BOTH, (V4, V6)),
        (Family.DUAL, PREFER, Candidates(V4, None), (V4,)),
        (Family.DUAL, PREFER, Candidates(None, V6), (V6,)),
        (Family.DUAL, SINGLE, BOTH, ()),
        (Family.UNKNOWN, SINGLE, BOTH, ()),
    ],
)
def test_what_is_taken_of_one_pools_candidates(family, policy, found, taken):
    assert pick(claim(family, policy), found) == taken


@pytest.mark.parametrize(
    ("primary", "ranges", "chosen"),
    [
        (Family.IPV4, ["1000::/64", "10.0.0.0/24"], "p1"),
        (Family.IPV6, ["10.0.0.0/24", "1000::/64"], "p1"),
        (Family.IPV4, ["10.0.0.0/24", "10.1.0.0/24"], "p0"),
        (Family.IPV6, ["10.0.0.0/24", "10.1.0.0/24"], "p0"),
    ],
)
def test_among_single_stack_pools_the_primary_family_is_preferred(primary, ranges, chosen):
    verdicts: list[PoolVerdict] = []
    pools = [state(f"p{number}", text) for number, text in enumerate(ranges)]
    choice = choose(claim(Family.DUAL, PREFER, primary), pools, verdicts)
    assert choice is not None
    assert choice.pool == chosen
    assert verdicts[-1].reason == Reason.CHOSEN
    assert sorted(verdict.pool for verdict in verdicts) == ["p0", "p1"]


def test_a_dual_pool_wins_at_once():
    verdicts: list[PoolVerdict] = []
    pools = [state("four", "10.0.0.0/24"), state("dual", "10.1.0.0/24", "1000::/64")]
    choice = choose(claim(Family.DUAL, PREFER), pools, verdicts)
    assert choice is not None
    assert choice.pool == "dual"
    assert [verdict.text for verdict in verdicts] == [
        "has no IPv6 addresses",
        "first pool that can serve it",
    ]


@pytest.mark.parametrize(
    ("family", "ranges", "found", "text"),
    [
        (Family.IPV4, ["1000::/64"], Candidates(None, V6), "has no IPv4 addresses"),
        (Family.IPV6, ["1000::/64"], Candidates(None, None), "no free IPv6 address"),
        (Family.DUAL, ["1.0.0.0/8"], Candidates(V4, None), "has no IPv6 addresses"),
        (Family.DUAL, ["1.0.0.0/8", "1::/64"], Candidates(None, V6), "no free IPv4 address"),
        (
            Family.DUAL,
            ["1.0.0.0/8", "1::/64"],
            Candidates(None, None),
            "no free IPv4 or IPv6 address",
        ),
        (Family.DUAL, ["1.0.0.0/8", "1::/64"], BOTH, "ipFamilyPolicy asks for one family"),
    ],
)
def test_what_a_pool_lacks(family, ranges, found, text):
    assert why_not(claim(family), state("p", *ranges), found).text == text
