"""Which Service holds which address, and through which interfaces it may be announced."""

from collections.abc import Mapping, Set
from types import MappingProxyType

from ferrolb.model import InterfaceRule, IPAddress, ServiceKey


class Holdings:
    """The addresses of each Service; several may hold one address, each with its own rule."""

    def __init__(self) -> None:
        self._by_key: dict[ServiceKey, dict[IPAddress, InterfaceRule]] = {}
        # the same pairs, the other way round; no inner dictionary is empty
        self._by_ip: dict[IPAddress, dict[ServiceKey, InterfaceRule]] = {}
        # the sizes of those
        self._counts: dict[IPAddress, int] = {}

    @property
    def counts(self) -> Mapping[IPAddress, int]:
        """How many Services hold each address; a live view."""
        return MappingProxyType(self._counts)

    def put(self, key: ServiceKey, holdings: Mapping[IPAddress, InterfaceRule]) -> Set[IPAddress]:
        """Replace what a Service holds, and return the addresses for which that changes anything.

        Empty holdings are those of a Service that holds nothing.
        """
        before = self._by_key.get(key, {})
        touched = {ip for ip in before.keys() | holdings if before.get(ip) != holdings.get(ip)}
        for ip in touched:
            self._put_one(key, ip, holdings.get(ip))
        if holdings:
            self._by_key[key] = dict(holdings)
        else:
            self._by_key.pop(key, None)
        return touched

    def admits(self, ip: IPAddress, name: str) -> bool:
        """Tell whether the rule of any Service that holds the address admits the interface."""
        return any(rule.admits(name) for rule in self._by_ip.get(ip, {}).values())

    def _put_one(self, key: ServiceKey, ip: IPAddress, rule: InterfaceRule | None) -> None:
        holders = self._by_ip.setdefault(ip, {})
        if rule is None:
            del holders[key]
        else:
            holders[key] = rule
        if holders:
            self._counts[ip] = len(holders)
        else:
            del self._by_ip[ip], self._counts[ip]
