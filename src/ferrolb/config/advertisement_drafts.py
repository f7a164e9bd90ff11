"""One L2Advertisement by itself: what it says, before pools and nodes matter."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ferrolb.config.errors import Issue
from ferrolb.config.reading import Reader, object_name
from ferrolb.config.selectors import ParsedSelectors, parse_selectors
from ferrolb.model import Json, JsonObject, LabelSelector, PoolName, quote

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class AdvertisementDraft:
    """One L2Advertisement as written; no selectors mean no restriction."""

    name: str
    pools: tuple[PoolName, ...] = ()
    pool_selectors: tuple[LabelSelector, ...] = ()
    node_selectors: tuple[LabelSelector, ...] = ()
    interfaces: frozenset[str] = frozenset()
    service_selectors: tuple[LabelSelector, ...] = ()
    """Sorted by their text, so that the order in which they are written is no difference."""
    preferred: tuple[tuple[int, LabelSelector], ...] = ()
    """(weight, selector of nodes)."""

    @property
    def selects_every_pool(self) -> bool:
        """Whether neither pools nor selectors of pools are given."""
        return not self.pools and not self.pool_selectors

    def selects_pool(self, labels: "Mapping[str, str]") -> bool:
        """Tell whether a pool with these labels is selected, other than by its name."""
        return self.selects_every_pool or any(one.matches(labels) for one in self.pool_selectors)


def read_l2_advertisement(raw: Json) -> tuple[AdvertisementDraft, list[Issue]]:
    """Parse one L2Advertisement; the draft holds what of it is valid."""
    reader = Reader()
    spec = reader.mapping(reader.mapping(raw, "").get("spec"), "spec")
    name = object_name(raw)[1]
    pools = _pools(spec, reader)
    pool_selectors, nodes, services = (
        parse_selectors(spec.get(key), path=f"spec.{key}", field=key)
        for key in ("ipAddressPoolSelectors", "nodeSelectors", "serviceSelectors")
    )
    for parsed in (pool_selectors, nodes, services):
        reader.issues += parsed.duplicates
    for one in nodes.invalid:
        _report(
            reader, one.issue, f"invalid label selector {one.selector}\n{_failed('node', name)}"
        )
    for one in services.invalid:
        text = f"invalid service selector {one.selector}: {one.issue.message}"
        reader.report(one.issue.path, f"{text}\n{_failed('service', name)}")
    preferred = _preferred(spec, name, reader)
    for one in pool_selectors.invalid:
        _report(reader, one.issue, f"invalid label selector {one.selector}")
    draft = AdvertisementDraft(
        name=name,
        pools=pools,
        pool_selectors=pool_selectors.selectors,
        node_selectors=nodes.selectors,
        interfaces=_interfaces(spec, reader),
        service_selectors=tuple(sorted(services.selectors, key=str)),
        preferred=preferred,
    )
    return draft, reader.issues


def _failed(what: str, name: str) -> str:
    return f"failed to parse {what} selector for {name}"


def _report(reader: Reader, issue: Issue, context: str) -> None:
    reader.report(issue.path, f"{issue.message}\n{context}")


def _pools(spec: JsonObject, reader: Reader) -> tuple[PoolName, ...]:
    found: dict[PoolName, None] = {}
    for where, text in reader.texts(spec.get("ipAddressPools"), "spec.ipAddressPools"):
        if text in found:
            reader.report(where, f"duplicate definition of ipAddressPools {quote(text)}")
        found[PoolName(text)] = None
    return tuple(found)


def _interfaces(spec: JsonObject, reader: Reader) -> frozenset[str]:
    return frozenset(text for _, text in reader.texts(spec.get("interfaces"), "spec.interfaces"))


def _preferred(
    spec: JsonObject, name: str, reader: Reader
) -> tuple[tuple[int, LabelSelector], ...]:
    found: list[tuple[int, LabelSelector]] = []
    path = "spec.preferredNodeSelectors"
    for index, item in enumerate(reader.items(spec.get("preferredNodeSelectors"), path)):
        where = f"{path}[{index}]"
        entry = reader.mapping(item, where)
        weight = reader.integer(entry.get("weight"), f"{where}.weight", default=0)
        parsed = _preference(entry.get("preference"), f"{where}.preference")
        for one in parsed.invalid:
            text = f"invalid preferred node selector {one.selector}"
            _report(
                reader, one.issue, f"{text}\nfailed to parse preferred node selectors for {name}"
            )
        found += [(weight, selector) for selector in parsed.selectors]
    return tuple(found)


def _preference(raw: Json, path: str) -> ParsedSelectors:
    """Parse the one selector at `path`; absent, it matches every node."""
    parsed = parse_selectors([{} if raw is None else raw], path=path, field="preference")
    # it stands alone, so there is no index in its path
    invalid = tuple(
        replace(
            one, issue=replace(one.issue, path=path + one.issue.path.removeprefix(f"{path}[0]"))
        )
        for one in parsed.invalid
    )
    return replace(parsed, invalid=invalid)
