from ipaddress import ip_address, ip_network

import pytest

from ferrolb.lab.topology import (
    CLIENT,
    ROGUE,
    ROUTER,
    SEGMENT,
    SWITCH,
    host_batch,
    plan,
    switch_batch,
    sysctls,
)

NETWORKS = (ip_network("192.168.100.0/24"), ip_network("fd00:100::/64"))


def test_every_host_has_its_own_addresses_mac_and_port():
    topology = plan(50, NETWORKS)
    hosts = topology.hosts
    assert len(hosts) == 53
    for values in (
        {host.ipv4 for host in hosts},
        {host.ipv6 for host in hosts},
        {host.mac for host in hosts},
        {host.port for host in hosts},
    ):
        assert len(values) == 53
    assert all(host.ipv4 in SEGMENT[0] and host.ipv6 in SEGMENT[1] for host in hosts)
    assert all(len(host.port) <= 15 for host in hosts)


def test_a_node_is_found_by_name_and_reads_alike_in_both_families():
    node = plan(3, NETWORKS).node("n2")
    assert node is not None
    assert (str(node.ipv4), str(node.ipv6)) == ("10.99.0.12", "fd00:99::12")
    assert [str(network) for network in node.pods] == ["10.244.2.0/24", "fd00:244:2::/64"]
    assert plan(3, NETWORKS).node(CLIENT) is None
    assert plan(3, NETWORKS).host(CLIENT) is not None
    assert plan(3, NETWORKS).host("n4") is None


def test_pod_networks_of_all_nodes_are_disjoint():
    pods = [network for node in plan(50, NETWORKS).nodes for network in node.pods]
    assert len(set(pods)) == 100
    assert not any(a.overlaps(b) for a in pods for b in pods if a.version == b.version and a != b)


def test_the_switch_gets_one_cable_a_host_with_the_mac_known_beforehand():
    topology = plan(2, NETWORKS)
    batch = switch_batch(topology)
    assert batch.count("type veth") == 5
    assert (
        "link add p-n1 type veth peer name eth0 address 02:fe:00:00:00:0b netns n1\n"
        "link set p-n1 master br0 up\n"
    ) in batch


def test_neighbours_on_the_segment_are_permanent_and_services_are_not_among_them():
    topology = plan(2, NETWORKS)
    lines = host_batch(topology, topology.nodes[0]).splitlines()
    permanent = [line for line in lines if line.startswith("neighbour")]
    assert len(permanent) == 2 * (len(topology.hosts) - 1)
    assert all(line.endswith("nud permanent") for line in permanent)
    assert "neighbour add 10.99.0.12 lladdr 02:fe:00:00:00:0c dev eth0 nud permanent" in permanent
    assert not any("10.99.0.11 " in line for line in permanent)


@pytest.mark.parametrize("name", [CLIENT, ROUTER])
def test_client_and_router_look_for_services_on_the_segment(name):
    topology = plan(1, NETWORKS)
    host = topology.host(name)
    assert host is not None
    batch = host_batch(topology, host)
    for network in NETWORKS:
        assert f"route add {network} dev eth0\n" in batch


def test_a_node_owns_its_pods_network_and_reaches_the_others_by_their_node():
    topology = plan(2, NETWORKS)
    batch = host_batch(topology, topology.nodes[0])
    assert "route add local 10.244.1.0/24 dev lo\n" in batch
    assert "route add local fd00:244:1::/64 dev lo\n" in batch
    assert "route add 10.244.2.0/24 via 10.99.0.12\n" in batch
    assert "route add fd00:244:2::/64 via fd00:99::12\n" in batch
    # a node does not have Services on its link, or it would ask for them itself
    assert "192.168.100.0/24" not in batch
    assert "route add default via 10.99.0.2\n" in batch


def test_only_nodes_and_router_forward():
    forwarding = {
        name: sysctls(name).get("net/ipv4/ip_forward") for name in (SWITCH, CLIENT, ROGUE, "n1")
    }
    assert forwarding == {SWITCH: None, CLIENT: None, ROGUE: None, "n1": "1"}
    assert sysctls(ROUTER)["net/ipv6/conf/all/forwarding"] == "1"
    for name in (SWITCH, CLIENT, "n1"):
        assert sysctls(name)["net/ipv6/conf/default/accept_dad"] == "0"
    assert sysctls("n1")["net/ipv4/conf/all/arp_ignore"] == "1"


def test_addresses_are_values_of_the_segment():
    client = plan(1, NETWORKS).client
    assert (client.ipv4, client.ipv6) == (ip_address("10.99.0.1"), ip_address("fd00:99::1"))
