"""Cluster IPs and node ports: which are taken, and which one is next.

What is taken follows from the stored Services alone: `ServiceRanges.replace` is told of every
change that was stored, and of nothing else. So a dry run takes nothing, a refused write leaks
nothing, and after a restart the stored Services rebuild everything.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address, ip_network
from typing import Final

from ferrolb.devserver.ip_validation import parse_leniently
from ferrolb.devserver.service_fields import (
    HEADLESS,
    needs_health_check,
    needs_node_port,
    number,
    ports_of,
    spec_of,
    texts,
)
from ferrolb.model import BadAddress, IPAddress, IPNetwork, JsonObject


class IPFamily(StrEnum):
    """An entry of `spec.ipFamilies`."""

    IPV4 = "IPv4"
    IPV6 = "IPv6"

    @property
    def other(self) -> "IPFamily":
        """The other one."""
        return IPFamily.IPV6 if self is IPFamily.IPV4 else IPFamily.IPV4


SERVICE_NETWORKS: Final[tuple[IPNetwork, ...]] = (
    ip_network("10.96.0.0/16"),
    ip_network("fd00:10:96::/112"),
)
"""Where cluster IPs come from: kubeadm's IPv4 default, and an IPv6 range of the same size."""

ALREADY_ALLOCATED: Final = "provided port is already allocated"
"""What a server says of a node port that is in use."""

NODE_PORTS: Final = range(30000, 32768)
"""Kubernetes' own default."""

MAX_ADDRESSES: Final = 65536
"""Addresses used of one network, from its first on: a larger one is not needed here."""

Choose = Callable[[int], int]
"""Picks a number from 0 to below its argument, as `random.randrange` does."""


class _Numbers:
    """Numbers from 0 to below `size`, given from `reserved` on first.

    The lower part is left to those who ask for a certain number, as long as there are others.
    """

    def __init__(self, *, size: int, reserved: int, choose: Choose | None) -> None:
        self._size = size
        self._reserved = reserved
        self._choose = choose
        self._taken: set[int] = set()
        self._next = 0

    def __contains__(self, item: object) -> bool:
        return item in self._taken

    def add(self, item: int) -> None:
        self._taken.add(item)

    def discard(self, item: int) -> None:
        self._taken.discard(item)

    def pick(self, excluded: frozenset[int]) -> int | None:
        """Return a free number, without taking it; None when there is none."""
        upper = self._size - self._reserved
        start = self._choose(upper) if self._choose and upper else self._next
        for step in range(self._size):
            item = self._nth(start, step)
            if item not in self._taken and item not in excluded:
                self._next = (item - self._reserved + 1) % max(upper, 1)
                return item
        return None

    def _nth(self, start: int, step: int) -> int:
        """Return the number looked at after `step` others: the upper part around, then the rest."""
        upper = self._size - self._reserved
        if step < upper:
            return self._reserved + (start + step) % upper
        return step - upper


def _band(size: int, *, step: int, most: int) -> int:
    """Return how many numbers at the start are left to explicit requests (KEP-3070, KEP-3668)."""
    least = 16
    return 0 if size <= least else min(max(size // step, least), most)


class AddressRange:
    """The cluster IPs of one family."""

    def __init__(self, network: IPNetwork, *, choose: Choose | None = None) -> None:
        self.network = network
        self.family = IPFamily.IPV4 if network.version == 4 else IPFamily.IPV6
        size = min(network.num_addresses, MAX_ADDRESSES)
        # neither the network's own address nor an IPv4 broadcast address is given
        size = max(size - (2 if network.version == 4 else 1), 0)
        self._size = size
        self._first = int(network.network_address) + 1
        self._numbers = _Numbers(size=size, reserved=_band(size, step=16, most=256), choose=choose)

    def problem(self, address: IPAddress) -> str | None:
        """Return why the address cannot be had, or None."""
        if not self._covers(address):
            return "the provided network does not match the current range"
        if int(address) - self._first in self._numbers:
            return "provided IP is already allocated"
        return None

    def pick(self) -> IPAddress | None:
        """Return a free address without taking it, or None when the range is full."""
        item = self._numbers.pick(frozenset())
        if item is None:
            return None
        cls = IPv4Address if self.family is IPFamily.IPV4 else IPv6Address
        return cls(self._first + item)

    def add(self, address: IPAddress) -> None:
        """Note that the address is taken; one outside the range is none of ours."""
        if self._covers(address):
            self._numbers.add(int(address) - self._first)

    def discard(self, address: IPAddress) -> None:
        """Note that the address is free again."""
        self._numbers.discard(int(address) - self._first)

    def _covers(self, address: IPAddress) -> bool:
        return (
            address.version == self.network.version and 0 <= int(address) - self._first < self._size
        )


class PortRange:
    """The node ports."""

    def __init__(self, ports: range = NODE_PORTS, *, choose: Choose | None = None) -> None:
        self.ports = ports
        size = len(ports)
        self._numbers = _Numbers(size=size, reserved=_band(size, step=32, most=128), choose=choose)

    def problem(self, port: int) -> str | None:
        """Return why the port cannot be had, or None."""
        if port not in self.ports:
            valid = f"{self.ports.start}-{self.ports.stop - 1}"
            return f"provided port is not in the valid range. The range of valid ports is {valid}"
        if port - self.ports.start in self._numbers:
            return ALREADY_ALLOCATED
        return None

    def pick(self, excluded: frozenset[int]) -> int | None:
        """Return a free port that is not excluded without taking it, or None when all are taken."""
        item = self._numbers.pick(frozenset(port - self.ports.start for port in excluded))
        return None if item is None else self.ports.start + item

    def add(self, port: int) -> None:
        """Note that the port is taken; one outside the range is none of ours."""
        if port in self.ports:
            self._numbers.add(port - self.ports.start)

    def discard(self, port: int) -> None:
        """Note that the port is free again."""
        self._numbers.discard(port - self.ports.start)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """What one Service occupies."""

    addresses: frozenset[IPAddress] = frozenset()
    ports: frozenset[int] = frozenset()


def claims_of(service: JsonObject | None) -> Claims:
    """Return what a stored Service occupies; nothing when there is none."""
    if service is None:
        return Claims()
    spec = spec_of(service)
    parsed = [parse_leniently(item) for item in texts(spec, "clusterIPs") if item != HEADLESS]
    addresses = frozenset(item for item in parsed if not isinstance(item, BadAddress))
    return Claims(addresses=addresses, ports=frozenset(claimed_ports(spec)))


def claimed_ports(spec: JsonObject) -> set[int]:
    """Return the node ports that a Service occupies.

    An ExternalName may name node ports, but has none.
    """
    ports: set[int] = set()
    if needs_node_port(spec):
        ports |= {number(port, "nodePort") for port in ports_of(spec)}
    if needs_health_check(spec):
        ports.add(number(spec, "healthCheckNodePort"))
    return ports - {0}


class ServiceRanges:
    """All that Services share out: the cluster IPs of one or two families, and node ports."""

    def __init__(
        self,
        networks: Sequence[IPNetwork] = SERVICE_NETWORKS,
        node_ports: range = NODE_PORTS,
        *,
        choose: Choose | None = None,
    ) -> None:
        ranges = [AddressRange(network, choose=choose) for network in networks]
        self.addresses = {item.family: item for item in ranges}
        self.default_family = ranges[0].family
        self.ports = PortRange(node_ports, choose=choose)

    def replace(self, before: JsonObject | None, after: JsonObject | None) -> None:
        """Take what the Service occupies after a stored change, free what it did before it.

        Tell it each Service with `before` None at the start, and `after` None when one is gone.
        """
        old, new = claims_of(before), claims_of(after)
        for address in old.addresses - new.addresses:
            for held in self.addresses.values():
                held.discard(address)
        for address in new.addresses - old.addresses:
            for held in self.addresses.values():
                held.add(address)
        for port in old.ports - new.ports:
            self.ports.discard(port)
        for port in new.ports - old.ports:
            self.ports.add(port)


def family_of_address(item: str) -> IPFamily:
    """Return the family of a valid address; ::ffff:a.b.c.d is IPv4."""
    address = parse_leniently(item)
    is_ipv6 = not isinstance(address, BadAddress) and address.version == 6
    return IPFamily.IPV6 if is_ipv6 else IPFamily.IPV4
