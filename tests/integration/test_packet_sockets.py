"""Packet sockets, groups and the frame driver in network namespaces, the kernel as client."""

import json
import socket
import sys
from ipaddress import IPv6Address
from pathlib import Path

import pytest
from tests.fakes.filter_frames import ARP_CASES, ND_CASES, arp, nd
from tests.fakes.segment import NODE_MAC, VIP4, VIP6, new_segment

from ferrolb.net import GroupMemberships

PROBE = str(Path(__file__).parent.parent / "fakes" / "frame_probe.py")


@pytest.fixture
def segment():
    with new_segment() as made:
        yield made


def passed(segment, kind, frames):
    """Which frames that the client sends pass the node's socket: through a veth pair inside."""
    segment.node("ip link add inside type veth peer name outside")
    segment.node("ip link set inside up")
    segment.node("ip link set outside up")
    return segment.probe(
        "filter", kind, "inside", "outside", *(frame.hex() for frame in frames), at="node"
    )


def test_c07_arp_frames_through_a_real_socket(segment):
    result = passed(segment, "ARP", [case.frame for case in ARP_CASES])
    expected = [number for number, case in enumerate(ARP_CASES) if case.passes]
    assert result == {"passed": expected, "received": len(expected)}


def test_c07_nd_frames_through_a_real_socket(segment):
    result = passed(segment, "ND", [case.frame for case in ND_CASES])
    expected = [number for number, case in enumerate(ND_CASES) if case.passes]
    assert set(expected) <= set(result["passed"])
    # the kernel's own solicitations on a fresh interface may be among what was received
    assert [n for n in result["passed"] if n not in expected] == []


def test_frames_of_an_unknown_vlan_reach_the_interface_and_are_refused(segment):
    """The kernel hands them over without their tag: only the packet type tells."""
    frame = arp()
    tagged = frame[:12] + b"\x81\0\0\5" + frame[12:]
    priority = frame[:12] + b"\x81\0\xe0\0" + frame[12:]  # VLAN 0 is no VLAN
    to_another = b"\2\0\0\0\0\x99" + frame[6:]
    assert passed(segment, "ARP", [tagged, priority, to_another, frame])["passed"] == [1, 3]


def test_client_resolves_and_has_its_probes_answered(segment):
    responder = segment.responder()
    responder.hold(VIP4)
    assert "Received 2 response" in segment.client(f"arping -c 2 -w 5 -I eth0 {VIP4}")
    assert responder.counts()["responses"] == 2


@pytest.mark.parametrize("ip", [VIP4, VIP6])
def test_kernel_resolves_an_address_that_no_interface_has(segment, ip):
    segment.responder().hold(ip)
    entry = segment.resolve(ip)
    assert entry["lladdr"] == NODE_MAC
    assert entry["state"] == ["REACHABLE"]


@pytest.mark.parametrize("ip", [VIP4, VIP6])
def test_nobody_answers_for_an_address_that_is_not_held(segment, ip):
    responder = segment.responder()
    responder.hold(VIP4, VIP6)
    responder.hold()
    assert "lladdr" not in segment.resolve(ip)
    assert "responses" not in responder.counts()


@pytest.mark.parametrize("ip", [VIP4, VIP6])
def test_w07_unicast_reachability_probe_is_answered(segment, ip):
    """The client's kernel probes a stale entry by unicast before it asks everybody."""
    responder = segment.responder()
    responder.hold(ip)
    family = "ipv4" if ip == VIP4 else "ipv6"
    for name, value in (("delay_first_probe_time", 0), ("mcast_solicit", 0)):
        path = f"/proc/sys/net/{family}/neigh/eth0/{name}"
        segment.world.run("sh", "-c", f"echo {value} > {path}", at="client")
    segment.client(f"ip neigh replace {ip} lladdr {NODE_MAC} dev eth0 nud stale")
    segment.world.run("sh", "-c", f"ping -c1 -W2 {ip} >/dev/null || true", at="client")
    assert segment.neighbour(ip)["state"] == ["REACHABLE"]
    assert responder.counts()["responses"] >= 1


def test_w07_duplicate_address_detection_of_another_host_is_answered(segment):
    """A client that configures the announced address itself finds it taken."""
    segment.responder().hold(VIP6)
    segment.world.run("sh", "-c", "echo 1 > /proc/sys/net/ipv6/conf/eth0/accept_dad", at="client")
    segment.client(f"ip addr add {VIP6}/64 dev eth0")
    state = segment.world.run(
        "sh",
        "-c",
        "for _ in $(seq 100); do"
        f" ip -6 addr show dev eth0 | grep {VIP6} | grep -v tentative && break;"
        f" ip -6 addr show dev eth0 | grep {VIP6} | grep dadfailed && break; sleep 0.05; done",
        at="client",
    )
    assert "dadfailed" in state


def test_another_claimant_is_reported(segment):
    responder = segment.responder()
    responder.hold(VIP4)
    reply = arp(2)
    vip, client = bytes([10, 9, 0, 200]), bytes([10, 9, 0, 1])
    segment.probe("ask", "eth0", "0", reply.replace(client, vip, 1).hex())
    assert responder.read("claimed")["mac"] == "02:00:00:00:00:01"


def test_malformed_frames_get_no_reply_and_the_socket_lives(segment):
    responder = segment.responder()
    responder.hold(VIP4, VIP6)
    segment.world.run(  # nothing of the kernels' own on the wire
        "sh", "-c", "echo 1 > /proc/sys/net/ipv6/conf/eth0/disable_ipv6", at="client"
    )
    good4 = arp()
    good6 = nd()
    bad = [good4[:size] for size in range(14, 42)]
    bad += [good4[:32] + bytes([255]) * 6 + b"\x7f\0\0\1" + bytes(20)]
    bad += [good6[:size] for size in range(14, len(good6))]
    bad += [good6[:56] + bytes([value]) + good6[57:] for value in range(1, 64)]
    bad += [bytes([value]) * 60 for value in range(0, 256, 5)]
    answers = segment.probe("ask", "eth0", "0.3", *(frame.hex() for frame in bad * 3))
    assert [frame for frame in answers if frame[:12] == "020000000001"] == []
    counts = responder.counts()
    assert "responses" not in counts
    assert sum(count for name, count in counts.items() if name.startswith("dropped")) > 100
    assert segment.probe("flood", "eth0", VIP4, "10", "1000")["replies"] == 10


def test_open_loop_of_20000_requests_is_answered_without_loss(segment):
    """What is asked in one second; a receive buffer holds what a busy machine delays."""
    responder = segment.responder()
    responder.hold(VIP4)
    result = segment.probe("flood", "eth0", VIP4, "20000", "20000")
    assert result["replies"] == result["sent"] == 20_000
    counts = responder.counts()
    assert counts["lost"] == 0
    assert counts["responses"] == counts["requests"] == 20_000


ONLY_NET_RAW = ("setpriv", "--bounding-set=-all,+net_raw", "--inh-caps=-all,+net_raw")


def test_cap_net_raw_is_enough(segment):
    """All other capabilities dropped, the same frames come and go."""
    effective = segment.node(" ".join([*ONLY_NET_RAW, "grep CapEff /proc/self/status"]))
    assert int(effective.split()[1], 16) == 1 << 13
    responder = segment.responder(under=ONLY_NET_RAW)
    responder.hold(VIP4, VIP6)
    assert segment.resolve(VIP4)["lladdr"] == NODE_MAC
    assert segment.resolve(VIP6)["lladdr"] == NODE_MAC
    assert responder.health()["is_ok"]


def test_w12_without_cap_net_raw_the_error_names_it(segment):
    script = str(Path(PROBE).parent / "responder.py")
    program = segment.world.start(
        "setpriv", "--bounding-set=-all", "--inh-caps=-all", sys.executable, script, at="node"
    )
    lines = [json.loads(line) for line in program.stdout if line.startswith("{")]
    (error,) = [line for line in lines if line["event"] == "error"]
    assert error["type"] == "MissingCapabilityError"
    assert "CAP_NET_RAW" in error["text"]


def test_more_groups_than_one_socket_takes(segment):
    """2,600 addresses whose groups all differ: an `optmem_max` of 128 kB takes some 2,340."""
    responder = segment.responder()
    responder.hold(*(f"fd00:9::1:{number:x}" for number in range(2600)))
    assert responder.health() == {"event": "health", "is_ok": True, "groups": 0, "sockets": []}
    groups = segment.node("ip -6 maddr show dev eth0")
    assert groups.count("ff02::1:ff01:") == 2600
    responder.hold()
    responder.health()
    assert segment.node("ip -6 maddr show dev eth0").count("ff02::1:ff01:") == 0


def test_join_is_reported_by_mld_on_the_wire(segment):
    responder = segment.responder()
    group = socket.inet_pton(socket.AF_INET6, "ff02::1:ff00:200")
    # an MLDv2 record that changes to "exclude nothing", which is a join
    expectation = segment.expect((b"\4\0\0\0" + group).hex())
    responder.hold(VIP6)
    frame = expectation.met()
    # hop-by-hop header (router alert), then ICMPv6 type 143
    assert (frame[20], frame[62]) == (0, 143)


@pytest.mark.slow
def test_snooping_switch_lets_solicitations_through_because_of_the_join():
    with new_segment(
        bridge="mcast_snooping 1 mcast_querier 1 mcast_startup_query_interval 100"
    ) as made:
        responder = made.responder()
        responder.hold(VIP6)
        script = (
            "for _ in $(seq 300); do bridge -d mdb show | grep -q 'ff02::1:ff00:200'"
            " && bridge -d -s mdb show && exit; sleep 0.1; done; exit 1"
        )
        assert "p-node" in made.world.run("sh", "-c", script)
        entry = made.resolve(VIP6)
        assert entry["lladdr"] == NODE_MAC
        # the control: a group nobody joined is kept back from the node once the querier counts
        made.world.run("sleep", "12")
        before = responder.counts()
        assert "lladdr" not in made.resolve("fd00:9::333")
        assert responder.counts() == before


def test_memberships_are_shared_retried_and_left():
    groups = GroupMemberships()
    lo = socket.if_nametoindex("lo")
    one, two = [(lo, IPv6Address("ff02::1:ff00:1")), (lo, IPv6Address("ff02::1:ff00:2"))]
    gone = (99_999, one[1])
    report = groups.sync({one, gone})
    assert (report.joined, report.left, set(report.failed)) == (1, 0, {gone})
    report = groups.sync({one, two, gone})
    assert (report.joined, report.left, set(report.failed)) == (1, 0, {gone})
    assert groups.joined == {one, two}
    assert groups.sockets == 1
    groups.forget(lo)
    assert (groups.joined, groups.sockets) == (set(), 0)
    assert groups.sync({two}).joined == 1
    groups.close()
    assert groups.sockets == 0
