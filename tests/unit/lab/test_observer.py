from ipaddress import ip_address, ip_network

from ferrolb.lab.frames import Kind, Statement
from ferrolb.lab.sightings import Sighting, SightingLog
from ferrolb.model import MacAddress, NodeName

MAC = MacAddress(bytes.fromhex("02fe0000000b"))
N1, N2 = NodeName("n1"), NodeName("n2")
V4, V6 = ip_address("192.168.100.5"), ip_address("fd00:100::5")


def log(**settings):
    prefixes = (ip_network("192.168.100.0/24"), ip_network("fd00:100::/64"))
    return SightingLog(prefixes=prefixes, **settings)


def say(ip, kind=Kind.REPLY):
    return (Statement(kind, ip, MAC),)


def test_only_service_addresses_are_kept():
    seen = log()
    for ip in (V4, V6, ip_address("10.99.0.11"), ip_address("fd00:99::11")):
        seen.add(N1, say(ip), now=1.0)
    assert [one.ip for one in seen.since(0.0)] == [V4, V6]


def test_sightings_are_told_since_a_time_and_for_an_address():
    seen = log()
    for t in (1.0, 2.0, 3.0):
        seen.add(N1, say(V4), now=t)
    seen.add(N2, say(V6), now=2.5)
    assert [(one.t, one.node) for one in seen.since(2.0)] == [
        (2.0, N1),
        (3.0, N1),
        (2.5, N2),
    ]
    assert [one.t for one in seen.since(2.0, V6)] == [2.5]


def test_the_oldest_make_room_and_that_is_told():
    seen = log(limit=2)
    for t in (1.0, 2.0, 3.0):
        seen.add(N1, say(V4), now=t)
    assert [one.t for one in seen.since(0.0)] == [2.0, 3.0]
    assert seen.whole_since == 1.0
    seen.blind_until(0.5)
    assert seen.whole_since == 1.0


def test_a_sighting_survives_its_way_over_the_socket():
    for ip, kind in ((V4, Kind.GRATUITOUS_REQUEST), (V6, Kind.NA_SOLICITED)):
        one = Sighting(1.25, N1, kind, ip, MAC)
        assert Sighting.from_json(one.to_json()) == one
