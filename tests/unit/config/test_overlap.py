import random
from ipaddress import IPv4Network, ip_network

import pytest

from ferrolb.config.overlap import PrefixIndex


def index_of(*texts: str) -> PrefixIndex:
    index = PrefixIndex()
    for place, text in enumerate(texts):
        index.add(ip_network(text), (0, place))
    return index


@pytest.mark.parametrize(
    ("known", "asked", "expected"),
    [
        ((), "10.0.0.0/8", None),
        (("10.0.0.0/8",), "10.0.0.0/8", "10.0.0.0/8"),
        (("10.0.0.0/8",), "10.1.2.3/32", "10.0.0.0/8"),
        (("10.0.0.0/8",), "10.0.0.0/32", "10.0.0.0/8"),
        (("10.0.0.0/8",), "10.255.255.255/32", "10.0.0.0/8"),
        (("10.0.0.0/8",), "11.0.0.0/32", None),
        (("10.0.0.0/8",), "9.255.255.255/32", None),
        (("10.1.0.0/16", "10.0.0.0/16"), "10.0.0.0/8", "10.1.0.0/16"),
        (("11.0.0.0/16", "9.0.0.0/16"), "10.0.0.0/8", None),
        (("0.0.0.0/0",), "255.255.255.255/32", "0.0.0.0/0"),
        (("0.0.0.0/0",), "::/0", None),
        (("::/0",), "ffff::/16", "::/0"),
        (("1::/64",), "1::/63", "1::/64"),
    ],
)
def test_first(known: tuple[str, ...], asked: str, expected: str | None) -> None:
    found = index_of(*known).first(ip_network(asked))
    assert found == (None if expected is None else ip_network(expected))


def test_what_was_asked_before_sees_what_came_later() -> None:
    index = index_of("10.9.0.0/16")
    wide = ip_network("10.0.0.0/8")
    assert index.first(wide) == ip_network("10.9.0.0/16")
    index.add(ip_network("10.8.0.0/16"), (0, 5))
    assert index.first(wide) == ip_network("10.9.0.0/16")
    index.add(ip_network("10.7.0.0/16"), (-1, 0))
    index.add(ip_network("11.0.0.0/8"), (-2, 0))
    assert index.first(wide) == ip_network("10.7.0.0/16")
    assert index.first(ip_network("10.9.0.1/32")) == ip_network("10.9.0.0/16")


@pytest.mark.parametrize("seed", range(20))
def test_it_agrees_with_looking_at_all(seed: int) -> None:
    rng = random.Random(seed)
    index = PrefixIndex()
    known: list[tuple[int, IPv4Network]] = []
    for place in rng.sample(range(1000), 200):
        length = rng.randint(20, 32)
        prefix = IPv4Network((rng.getrandbits(12) & ~((1 << (32 - length)) - 1), length))
        hits = [one for one in known if one[1].overlaps(prefix)]
        assert index.first(prefix) == (min(hits)[1] if hits else None)
        if not hits and length > 25:
            index.add(prefix, (0, place))
            known.append((place, prefix))
    assert len(known) > 20
