"""The service proxy's rules as text: Services and endpoints in, one nftables table out.

An address is translated where a packet comes in (or leaves the node's own programs); which
endpoint it goes to is drawn at random. Services with the same endpoints share a chain: maps grow
cheaply in nftables, chains do not.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from ferrolb.lab.topology import NodeHost
from ferrolb.model import IPAddress

TABLE: Final = "ferrolb-proxy"

_MARK: Final = "0x4000"
"""Set on packets whose source becomes the node's."""

_PROTOCOLS: Final = ("TCP", "UDP")


@dataclass(frozen=True, slots=True)
class ProxyEndpoint:
    """Where a connection may go."""

    address: IPAddress
    port: int
    node: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyPort:
    """One port of a Service."""

    protocol: str
    port: int
    endpoints: tuple[ProxyEndpoint, ...] = ()
    """Usable ones, of both families."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyService:
    """One Service, as far as a proxy depends on it."""

    name: str
    internal: tuple[IPAddress, ...] = ()
    """Cluster addresses."""
    external: tuple[IPAddress, ...] = ()
    """Addresses of the load balancer."""
    is_local: bool = False
    """externalTrafficPolicy Local: endpoints of the node itself only, the client's address kept."""
    ports: tuple[ProxyPort, ...] = ()


@dataclass(slots=True)
class _Rules:
    """What collects while Services are gone through."""

    chains: dict[tuple[int, bool, tuple[ProxyEndpoint, ...]], str] = field(default_factory=dict)
    arriving: dict[tuple[IPAddress, str, int], str] = field(default_factory=dict)
    leaving: dict[tuple[IPAddress, str, int], str] = field(default_factory=dict)
    known: set[IPAddress] = field(default_factory=set)

    def chain(self, endpoints: tuple[ProxyEndpoint, ...], *, hides_client: bool) -> str:
        """Return the chain that leads to one of these endpoints, all of one family."""
        key = (endpoints[0].address.version, hides_client, endpoints)
        return self.chains.setdefault(key, f"to-{len(self.chains)}")


def proxy_rules(services: Iterable[ProxyService], node: NodeHost) -> str:
    """Return the table of one node, replacing the one there is in one transaction."""
    rules = _Rules()
    for service in sorted(services, key=lambda one: one.name):
        _add(rules, service, node.name)
    return "".join(f"{line}\n" for line in _lines(rules, node))


def _add(rules: _Rules, service: ProxyService, node: str) -> None:
    for address in (*service.internal, *service.external):
        is_external = address in service.external
        if is_external:
            rules.known.add(address)
        for port in service.ports:
            if port.protocol not in _PROTOCOLS:
                continue
            usable = tuple(one for one in port.endpoints if one.address.version == address.version)
            key = (address, port.protocol.lower(), port.port)
            if usable:
                # a node's own programs reach any endpoint, as themselves
                rules.leaving.setdefault(key, rules.chain(usable, hides_client=False))
            is_local = is_external and service.is_local
            if is_local:
                usable = tuple(one for one in usable if one.node == node)
            if usable:
                hides = is_external and not is_local
                rules.arriving.setdefault(key, rules.chain(usable, hides_client=hides))


def _lines(rules: _Rules, node: NodeHost) -> Iterator[str]:
    yield f"add table inet {TABLE}"
    yield f"delete table inet {TABLE}"
    yield f"table inet {TABLE} {{"
    for (version, hides_client, endpoints), name in rules.chains.items():
        yield from _chain(name, version, endpoints, hides_client=hides_client)
    for version, kind in ((4, "ipv4_addr"), (6, "ipv6_addr")):
        yield from _map(f"arriving{version}", kind, _of(rules.arriving, version))
        yield from _map(f"leaving{version}", kind, _of(rules.leaving, version))
        known = ", ".join(sorted(str(one) for one in rules.known if one.version == version))
        elements = f" elements = {{ {known} }};" if known else ""
        yield f" set known{version} {{ type {kind};{elements} }}"
    yield " chain arrive { type nat hook prerouting priority dstnat; policy accept;"
    yield "  ip daddr . meta l4proto . th dport vmap @arriving4"
    yield "  ip6 daddr . meta l4proto . th dport vmap @arriving6"
    yield " }"
    yield " chain leave { type nat hook output priority -100; policy accept;"
    yield "  ip daddr . meta l4proto . th dport vmap @leaving4"
    yield "  ip6 daddr . meta l4proto . th dport vmap @leaving6"
    yield " }"
    # a pod of the node itself is reached without being forwarded
    yield " chain deliver { type nat hook input priority 100; policy accept;"
    yield f"  meta nfproto ipv4 meta mark and {_MARK} == {_MARK} snat ip to {node.ipv4}"
    yield f"  meta nfproto ipv6 meta mark and {_MARK} == {_MARK} snat ip6 to {node.ipv6}"
    yield " }"
    yield " chain pass { type nat hook postrouting priority srcnat; policy accept;"
    yield f"  meta mark and {_MARK} == {_MARK} masquerade fully-random"
    yield " }"
    # what nobody serves would wander between node and router
    yield " chain refuse { type filter hook forward priority filter; policy accept;"
    yield "  ip daddr @known4 drop"
    yield "  ip6 daddr @known6 drop"
    yield " }"
    yield "}"


def _chain(
    name: str, version: int, endpoints: tuple[ProxyEndpoint, ...], *, hides_client: bool
) -> Iterator[str]:
    family = "ip" if version == 4 else "ip6"
    targets = ", ".join(
        f"{number} : {one.address} . {one.port}" for number, one in enumerate(endpoints)
    )
    choice = f"numgen random mod {len(endpoints)} map {{ {targets} }}"
    yield f" chain {name} {{"
    if hides_client:
        yield f"  meta mark set meta mark or {_MARK}"
    yield f"  meta l4proto {{ tcp, udp }} dnat {family} to {choice}"
    yield " }"


def _of(
    elements: dict[tuple[IPAddress, str, int], str], version: int
) -> dict[tuple[IPAddress, str, int], str]:
    return {key: chain for key, chain in elements.items() if key[0].version == version}


def _map(name: str, kind: str, elements: dict[tuple[IPAddress, str, int], str]) -> Iterator[str]:
    texts = [
        f"{address} . {protocol} . {port} : goto {chain}"
        for (address, protocol, port), chain in elements.items()
    ]
    filled = f" elements = {{ {', '.join(texts)} }};" if texts else ""
    yield f" map {name} {{ type {kind} . inet_proto . inet_service : verdict;{filled} }}"
