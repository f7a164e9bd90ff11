"""Who waits for what: a change wakes those whom it may help, and nobody else."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ferrolb.ipam import AddressChange
    from ferrolb.model import IPAddress, PoolName, ServiceKey

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Waits:
    """What one Service waits for: any of these addresses, or one of any of these pools."""

    addresses: "frozenset[IPAddress]" = frozenset()
    pools: "frozenset[PoolName]" = frozenset()
    sharing: str = ""
    """Its sharing key: an address that is still in use helps it only under the same."""


NOTHING: Final = Waits()


class WaitingRoom:
    """The Services that wait, found by what they wait for."""

    def __init__(self) -> None:
        self._waits: dict[ServiceKey, Waits] = {}
        # every key of these is a key of _waits, and the other way round
        self._by_address: dict[IPAddress, set[ServiceKey]] = {}
        self._by_pool: dict[PoolName, set[ServiceKey]] = {}

    def put(self, key: "ServiceKey", waits: Waits) -> None:
        """Replace what the Service waits for; `NOTHING` takes it out of the room."""
        before = self._waits.pop(key, NOTHING)
        if before == waits:
            if waits != NOTHING:
                self._waits[key] = waits
            return
        for address in before.addresses:
            _discard(self._by_address, address, key)
        for pool in before.pools:
            _discard(self._by_pool, pool, key)
        for address in waits.addresses:
            self._by_address.setdefault(address, set()).add(key)
        for pool in waits.pools:
            self._by_pool.setdefault(pool, set()).add(key)
        if waits != NOTHING:
            self._waits[key] = waits

    def woken_by(self, changes: "Iterable[AddressChange]") -> "set[ServiceKey]":
        """Return those whom the changes may help."""
        woken: set[ServiceKey] = set()
        for change in changes:
            keys = set(self._by_address.get(change.address, ()))
            if change.pool is not None:
                keys.update(
                    key
                    for key in self._by_pool.get(change.pool, ())
                    if change.is_free or (change.sharing == self._waits[key].sharing != "")
                )
            if change.only_for is not None:
                keys &= {change.only_for}
            woken |= keys
        return woken


def _discard(index: "dict[_T, set[ServiceKey]]", at: _T, key: "ServiceKey") -> None:
    index[at].discard(key)
    if not index[at]:
        del index[at]
