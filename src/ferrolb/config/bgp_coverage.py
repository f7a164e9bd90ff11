"""Which pools some BGPAdvertisement selects; all else about it belongs to the room of BGP."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from ferrolb.config.reading import Reader, label_map, object_name
from ferrolb.config.selectors import parse_selectors
from ferrolb.model import Json, PoolName

if TYPE_CHECKING:
    from ferrolb.model import LabelSelector

_BGP: Final = "bgp"


def pools_with_bgp(
    advertisements: Sequence[Json], *, pools: Sequence[Json], legacy_pools: Sequence[Json]
) -> frozenset[PoolName]:
    """Return the pools that routers may be told of.

    In doubt a pool is one of them: an advertisement that cannot be read counts for all.
    """
    found = {PoolName(object_name(raw)[1]) for raw in legacy_pools if _protocol(raw) == _BGP}
    named: set[str] = set()
    selectors: list[LabelSelector] = []
    is_everywhere = False
    for raw in advertisements:
        reader = Reader()
        spec = reader.mapping(reader.mapping(raw, "").get("spec"), "spec")
        names = reader.texts(spec.get("ipAddressPools"), "spec.ipAddressPools")
        path = "spec.ipAddressPoolSelectors"
        parsed = parse_selectors(
            spec.get("ipAddressPoolSelectors"), path=path, field="ipAddressPoolSelectors"
        )
        named.update(name for _, name in names)
        selectors += parsed.selectors
        is_unreadable = bool(reader.issues or parsed.invalid)
        is_everywhere |= is_unreadable or not (names or parsed.selectors)
    for raw in pools:
        name, labels = object_name(raw)[1], label_map(raw)
        if is_everywhere or name in named or any(one.matches(labels) for one in selectors):
            found.add(PoolName(name))
    return frozenset(found)


def _protocol(raw: Json) -> Json:
    spec = raw.get("spec") if isinstance(raw, dict) else None
    return spec.get("protocol") if isinstance(spec, dict) else None
