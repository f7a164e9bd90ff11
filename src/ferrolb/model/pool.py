"""Address pools as the configuration leaves them: parsed, resolved, in order."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from ferrolb.model.address import IPNetwork
from ferrolb.model.names import Namespace, PoolName
from ferrolb.model.selector import LabelSelector


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressEntry:
    """One line of `spec.addresses`: its text and the prefixes it means, ascending."""

    text: str
    prefixes: tuple[IPNetwork, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceAllocation:
    """`spec.serviceAllocation`, resolved: it pins a pool to some Services.

    `namespaces` is None when neither names nor selectors of namespaces are given (no restriction);
    an empty set means that what is given matches no namespace, so no Service at all.
    """

    priority: int
    """Lower positive numbers first; 0 stands for absent or not positive, and comes last."""
    namespaces: frozenset[Namespace] | None
    service_selectors: tuple[LabelSelector, ...]
    """Any one of them must match the Service's labels; empty: no restriction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """One address pool, of either kind (IPAddressPool, legacy AddressPool)."""

    name: PoolName
    entries: tuple[AddressEntry, ...]
    auto_assign: bool = True
    avoid_buggy_ips: bool = False
    allocation: ServiceAllocation | None = None
    """None: not pinned."""
    legacy: bool = False
    """True for an AddressPool; it has no status of its own."""

    @property
    def prefixes(self) -> tuple[IPNetwork, ...]:
        """Every prefix, in the order of `spec.addresses`."""
        return tuple(prefix for entry in self.entries for prefix in entry.prefixes)


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolSet:
    """The pools in force, and what of the configuration could not be used (C-17)."""

    pools: Mapping[PoolName, Pool] = field(default_factory=lambda: MappingProxyType({}))
    """By name, in name order."""
    invalid: frozenset[PoolName] = frozenset()
    """Pool objects that exist and are invalid; one with a last good version is in `pools` too."""

    @property
    def is_frozen(self) -> bool:
        """True while an address that no pool holds must be kept rather than cleared (C-17)."""
        return bool(self.invalid)

    def exists(self, name: PoolName) -> bool:
        """Tell whether a pool object of that name exists, valid or not."""
        return name in self.pools or name in self.invalid
