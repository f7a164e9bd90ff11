"""Links that come, go and change, as rtnetlink tells of them; frames follow."""

import signal

import pytest
from tests.fakes.segment import NODE_MAC, VIP4, VIP6, Responder, new_segment


@pytest.fixture
def segment():
    with new_segment() as made:
        yield made


def has(name, kind="names"):
    return lambda event: name in event[kind]


def add_second_wire(segment):
    segment.world.run(
        *[
            "ip",
            "-n",
            "client",
            "link",
            "add",
            "eth1",
            "type",
            "veth",
            "peer",
            "name",
            "eth1",
            "netns",
            "node",
        ]
    )
    segment.client("ip link set eth1 up")
    segment.client("ip addr add fd00:8::1/64 dev eth1 nodad")
    segment.client("ip addr add 10.8.0.1/24 dev eth1")
    segment.node("ip link set eth1 address 02:00:00:00:00:12")
    segment.node("ip link set eth1 up")


def test_w08_an_interface_that_appears_later_answers_and_is_announced_through(segment):
    responder = segment.responder()
    responder.hold("10.8.0.200", "fd00:8::200")
    add_second_wire(segment)
    responder.until("interfaces", has("eth1", "ndp"))
    assert segment.resolve("10.8.0.200", "eth1")["lladdr"] == "02:00:00:00:00:12"
    assert segment.resolve("fd00:8::200", "eth1")["lladdr"] == "02:00:00:00:00:12"
    assert "ff02::1:ff00:200" in segment.node("ip -6 maddr show dev eth1")
    assert responder.health()["is_ok"]


def test_w08_a_link_that_gets_its_carrier_back_announces(segment):
    responder = segment.responder()
    responder.hold(VIP4)
    segment.client("ip link set eth0 down")
    responder.until("interfaces", lambda event: event["names"] == [])
    segment.client("ip link set eth0 up")
    responder.until("interfaces", has("eth0"))
    expectation = segment.expect("0a0900c8")  # rounds go on for more than four seconds
    assert expectation.met()[:12].hex() == "ffffffffffff020000000002"
    assert segment.resolve(VIP4)["lladdr"] == NODE_MAC


def test_w09_answers_carry_a_changed_mac_at_once(segment):
    responder = segment.responder()
    responder.hold(VIP4, VIP6)
    assert segment.resolve(VIP4)["lladdr"] == NODE_MAC
    segment.node("ip link set eth0 address 02:00:00:00:00:77")
    responder.until("interfaces", lambda event: event["macs"].get("eth0", "").endswith("77"))
    segment.client("ip neigh flush dev eth0")
    assert segment.resolve(VIP4)["lladdr"] == "02:00:00:00:00:77"
    assert segment.resolve(VIP6)["lladdr"] == "02:00:00:00:00:77"


def test_w09_down_and_up_again_answers_with_the_same_sockets(segment):
    responder = segment.responder()
    responder.hold(VIP4, VIP6)
    segment.node("ip link set eth0 down")
    responder.until("interfaces", lambda event: event["names"] == [])
    segment.node("ip link set eth0 up")
    responder.until("interfaces", has("eth0", "ndp"))
    assert segment.resolve(VIP4)["lladdr"] == NODE_MAC
    assert segment.resolve(VIP6)["lladdr"] == NODE_MAC
    assert responder.health()["is_ok"]


def test_an_interface_made_anew_under_its_old_index_is_served(segment):
    responder = segment.responder()
    responder.hold(VIP4, VIP6)
    index = segment.node("cat /sys/class/net/eth0/ifindex").strip()
    lines = [
        "link del eth0",
        f"link add eth0 index {index} address {NODE_MAC} type veth peer name eth0 netns client",
        "link set eth0 up",
    ]
    segment.world.run("ip", "-batch", "-", at="node", stdin="\n".join(lines))
    lines = [
        "link set eth0 address 02:00:00:00:00:01",
        "link set eth0 up",
        "addr add 10.9.0.1/24 dev eth0",
        "addr add fd00:9::1/64 dev eth0 nodad",
    ]
    segment.world.run("ip", "-batch", "-", at="client", stdin="\n".join(lines))
    responder.until("interfaces", has("eth0", "ndp"))
    assert segment.node("cat /sys/class/net/eth0/ifindex").strip() == index
    assert segment.resolve(VIP4)["lladdr"] == NODE_MAC
    assert segment.resolve(VIP6)["lladdr"] == NODE_MAC
    assert "ff02::1:ff00:200" in segment.node("ip -6 maddr show dev eth0")
    assert responder.health()["is_ok"]


def test_w07_a_tentative_link_local_address_is_not_used(segment):
    for scope in ("all", "default"):
        path = f"/proc/sys/net/ipv6/conf/{scope}/accept_dad"
        segment.world.run("sh", "-c", f"echo 1 > {path}", at="node")
    responder = segment.responder()
    add_second_wire(segment)
    first = responder.until("interfaces", has("eth1"))
    assert "eth1" not in first["ndp"]
    responder.until("interfaces", has("eth1", "ndp"))
    assert "tentative" not in segment.node("ip -6 addr show dev eth1")


def test_an_enslaved_interface_has_no_responder(segment):
    responder = segment.responder()
    responder.hold(VIP4)
    segment.node("ip link add br0 type bridge")
    segment.node("ip link set eth0 master br0")
    responder.until("interfaces", lambda event: "eth0" not in event["names"])
    assert "lladdr" not in segment.resolve(VIP4)
    segment.node("ip link set eth0 nomaster")
    responder.until("interfaces", has("eth0"))
    assert segment.resolve(VIP4)["lladdr"] == NODE_MAC


def test_an_excluded_interface_stays_silent(segment):
    responder = Responder(segment.world, "^eth0$")
    add_second_wire(segment)
    responder.until("interfaces", has("eth1", "ndp"))
    responder.hold(VIP4)
    assert "lladdr" not in segment.resolve(VIP4)
    names = [event["names"] for event in responder.seen if event["event"] == "interfaces"]
    assert [found for found in names if "eth0" in found] == []


def test_more_changes_than_the_buffer_takes_end_in_the_true_state(segment):
    """While the program does not run, the kernel must drop messages; all is read anew then."""
    responder = segment.responder()
    responder.hold(VIP4)
    segment.world.kill(responder.program, signal.SIGSTOP)
    up_and_down = "link set eth0 mtu 1400\nlink set eth0 mtu 1500\n" * 3000
    segment.world.run("ip", "-batch", "-", at="node", stdin=up_and_down)
    segment.node("ip link set eth0 address 02:00:00:00:00:55")
    segment.world.kill(responder.program, signal.SIGCONT)
    responder.program.send_signal(signal.SIGCONT)  # nsenter stops itself along with its child
    responder.until("interfaces", lambda event: event["macs"].get("eth0", "").endswith("55"))
    assert responder.counts()["restarts"] >= 1
    assert segment.resolve(VIP4)["lladdr"] == "02:00:00:00:00:55"
