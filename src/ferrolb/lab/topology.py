"""The lab's network as values: who is on the segment, under which addresses, and how to build it.

    sw (bridge br0) --- p-client -> client:eth0   10.99.0.1   fd00:99::1
                    --- p-router -> router:eth0   10.99.0.2   fd00:99::2
                    --- p-n1     -> n1:eth0       10.99.0.11  fd00:99::11  pods 10.244.1.0/24
                    --- ...
                    --- p-rogue  -> rogue:eth0    10.99.0.9   fd00:99::9

Everything here is text for `ip -batch` and for files below /proc/sys; nothing is run.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Final

from ferrolb.model import IPAddress, IPNetwork

SWITCH: Final = "sw"
"""The namespace with the bridge; it has no addresses. Frames are seen and dropped there."""
CLIENT: Final = "client"
ROUTER: Final = "router"
ROGUE: Final = "rogue"
"""A host that has no part in the cluster; it answers for an address that is not its own."""

INTERFACE: Final = "eth0"
"""What every host calls its end of the cable."""
BRIDGE: Final = "br0"

SEGMENT: Final = (IPv4Network("10.99.0.0/24"), IPv6Network("fd00:99::/64"))
POD_NETWORKS: Final = (IPv4Network("10.244.0.0/16"), IPv6Network("fd00:244::/32"))

_CLIENT_NUMBER: Final = 1
_ROUTER_NUMBER: Final = 2
_ROGUE_NUMBER: Final = 9
_FIRST_NODE_NUMBER: Final = 11


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """One host on the segment: a namespace of its name with one interface."""

    name: str
    number: int
    """Last byte of its addresses and of its MAC address; unique on the segment."""

    @property
    def ipv4(self) -> IPv4Address:
        """The host's IPv4 address."""
        return SEGMENT[0][self.number]

    @property
    def ipv6(self) -> IPv6Address:
        """The host's IPv6 address; its last digits read like the IPv4 address's."""
        return SEGMENT[1][int(str(self.number), 16)]

    @property
    def mac(self) -> str:
        """The interface's MAC address, known beforehand so that neighbours can be permanent."""
        return f"02:fe:00:00:00:{self.number:02x}"

    @property
    def port(self) -> str:
        """The switch's end of the cable."""
        return f"p-{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeHost(Host):
    """A node of the cluster."""

    ordinal: int
    """1 for n1."""

    @property
    def pods(self) -> tuple[IPv4Network, IPv6Network]:
        """The addresses of the pods on this node."""
        return (
            IPv4Network(f"10.244.{self.ordinal}.0/24"),
            IPv6Network(f"fd00:244:{self.ordinal:x}::/64"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Topology:
    """Who is on the segment."""

    nodes: tuple[NodeHost, ...]
    service_networks: tuple[IPNetwork, ...]
    client: Host = Host(name=CLIENT, number=_CLIENT_NUMBER)
    router: Host = Host(name=ROUTER, number=_ROUTER_NUMBER)
    rogue: Host = Host(name=ROGUE, number=_ROGUE_NUMBER)

    @property
    def hosts(self) -> tuple[Host, ...]:
        """Everybody with a cable, nodes last."""
        return (self.client, self.router, self.rogue, *self.nodes)

    @property
    def namespaces(self) -> tuple[str, ...]:
        """Every network namespace of the lab, the switch first."""
        return (SWITCH, *(host.name for host in self.hosts))

    def host(self, name: str) -> Host | None:
        """Return the host of that name."""
        return next((host for host in self.hosts if host.name == name), None)

    def node(self, name: str) -> NodeHost | None:
        """Return the node of that name."""
        return next((node for node in self.nodes if node.name == name), None)


def plan(nodes: int, service_networks: Sequence[IPNetwork]) -> Topology:
    """Return the topology of a lab with `nodes` nodes, n1 to nN."""
    return Topology(
        nodes=tuple(
            NodeHost(name=f"n{one}", number=_FIRST_NODE_NUMBER + one - 1, ordinal=one)
            for one in range(1, nodes + 1)
        ),
        service_networks=tuple(service_networks),
    )


def switch_batch(topology: Topology) -> str:
    """Return the batch, for the switch's namespace, that makes bridge and cables."""

    def lines() -> Iterator[str]:
        yield (
            f"link add {BRIDGE} address 02:fe:00:00:00:ff type bridge "
            "forward_delay 0 stp_state 0 mcast_snooping 0"
        )
        yield f"link set {BRIDGE} up"
        for host in topology.hosts:
            peer = f"peer name {INTERFACE} address {host.mac} netns {host.name}"
            yield f"link add {host.port} type veth {peer}"
            yield f"link set {host.port} master {BRIDGE} up"

    return _lines(lines())


def host_batch(topology: Topology, host: Host) -> str:
    """Return the batch, for a host's namespace, that gives it addresses, routes, neighbours."""

    def lines() -> Iterator[str]:
        yield "link set lo up"
        yield f"address add {host.ipv4}/{SEGMENT[0].prefixlen} dev {INTERFACE}"
        yield f"address add {host.ipv6}/{SEGMENT[1].prefixlen} dev {INTERFACE} nodad"
        yield f"link set {INTERFACE} up"
        # permanent entries do not count against the table that all namespaces share
        for other in topology.hosts:
            if other != host:
                yield _neighbour(other.ipv4, other.mac)
                yield _neighbour(other.ipv6, other.mac)
        yield from _routes(topology, host)

    return _lines(lines())


def sysctls(host: str) -> dict[str, str]:
    """Return the settings of a namespace, by path below /proc/sys; to be written before links."""
    values = {
        # duplicate address detection would hold back every IPv6 address for 2 s
        "net/ipv6/conf/all/accept_dad": "0",
        "net/ipv6/conf/default/accept_dad": "0",
        "net/ipv6/conf/all/accept_ra": "0",
        "net/ipv6/conf/default/accept_ra": "0",
        # one segment for everything: no host may talk another out of its routes
        "net/ipv4/conf/all/send_redirects": "0",
        "net/ipv4/conf/default/send_redirects": "0",
        "net/ipv4/conf/all/accept_redirects": "0",
        "net/ipv4/conf/default/accept_redirects": "0",
        "net/ipv6/conf/all/accept_redirects": "0",
        "net/ipv6/conf/default/accept_redirects": "0",
    }
    if host in (CLIENT, SWITCH, ROGUE):
        return values
    # forwarding first: turning it on resets other settings of the interfaces
    return {
        "net/ipv4/ip_forward": "1",
        "net/ipv6/conf/all/forwarding": "1",
        **values,
        # a node answers for an address only on the interface that has it (strict ARP)
        "net/ipv4/conf/all/arp_ignore": "1",
        "net/ipv4/conf/all/arp_announce": "2",
    }


def _routes(topology: Topology, host: Host) -> Iterator[str]:
    if host in (topology.client, topology.router):
        for network in topology.service_networks:
            yield f"route add {network} dev {INTERFACE}"
    if host != topology.router:
        yield f"route add default via {topology.router.ipv4}"
        yield f"route add default via {topology.router.ipv6}"
    for node in topology.nodes:
        ipv4, ipv6 = node.pods
        if node == host:
            # every address of the prefix is the node's own: a pod needs no command
            yield f"route add local {ipv4} dev lo"
            yield f"route add local {ipv6} dev lo"
        else:
            yield f"route add {ipv4} via {node.ipv4}"
            yield f"route add {ipv6} via {node.ipv6}"


def _neighbour(address: IPAddress, mac: str) -> str:
    return f"neighbour add {address} lladdr {mac} dev {INTERFACE} nud permanent"


def _lines(lines: Iterator[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
