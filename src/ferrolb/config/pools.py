"""Address pools of both kinds: read by themselves, then resolved with the namespaces."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from ferrolb.config.addresses import BadEntry, parse_entry
from ferrolb.config.communities import BadCommunity, Community, resolve_community
from ferrolb.config.errors import Issue
from ferrolb.config.overlap import PrefixIndex
from ferrolb.config.reading import Reader, object_name
from ferrolb.config.selectors import ParsedSelectors, parse_selectors
from ferrolb.model import (
    AddressEntry,
    IPNetwork,
    Json,
    JsonArray,
    JsonObject,
    LabelSelector,
    Namespace,
    Pool,
    PoolName,
    ServiceAllocation,
    quote,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

MAX_PREFIXES_PER_POOL: Final = 65_536
"""Prefixes that the lines of one pool may decompose to. An odd IPv6 range means up to 254 of them,
so that an object of a megabyte could ask for gigabytes; nobody has written such a pool by hand."""

_MAX_LENGTH: Final = {4: 32, 6: 128}


@dataclass(frozen=True, slots=True, kw_only=True)
class AllocationDraft:
    """`spec.serviceAllocation` as written; no namespaces and no selectors pin to every Service."""

    priority: int = 0
    namespaces: tuple[str, ...] = ()
    namespace_selectors: tuple[LabelSelector, ...] = ()
    service_selectors: tuple[LabelSelector, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolDraft:
    """One pool object by itself: what it says, before namespaces and other pools matter."""

    name: PoolName
    entries: tuple[AddressEntry, ...] = ()
    auto_assign: bool = True
    avoid_buggy_ips: bool = False
    allocation: AllocationDraft | None = None
    legacy: bool = False
    lines: tuple[int, ...] = field(default=(), compare=False)
    """For each entry its index in `spec.addresses`."""

    def prefixes(self) -> "Iterator[tuple[int, IPNetwork]]":
        """Yield (index of the entry, prefix), in order."""
        for index, entry in enumerate(self.entries):
            for prefix in entry.prefixes:
                yield index, prefix


def read_ip_address_pool(raw: Json) -> tuple[PoolDraft, list[Issue]]:
    """Parse one IPAddressPool; the draft holds what of it is valid."""
    reader = Reader()
    spec = _spec(raw, reader)
    auto_assign = reader.boolean(spec.get("autoAssign"), "spec.autoAssign", default=True)
    avoid = reader.boolean(spec.get("avoidBuggyIPs"), "spec.avoidBuggyIPs", default=False)
    name = PoolName(object_name(raw)[1])
    lines, entries = _entries(spec, name, reader)
    draft = PoolDraft(
        name=name,
        entries=entries,
        auto_assign=auto_assign,
        avoid_buggy_ips=avoid,
        allocation=_allocation(spec.get("serviceAllocation"), name, reader),
        lines=lines,
    )
    return draft, _in_pool(name, reader)


def read_address_pool(
    raw: Json, communities: "Mapping[str, Community]"
) -> tuple[PoolDraft, list[Issue]]:
    """Parse one legacy AddressPool; how it is announced is checked and not kept."""
    reader = Reader()
    spec = _spec(raw, reader)
    auto_assign = reader.boolean(spec.get("autoAssign"), "spec.autoAssign", default=True)
    name = PoolName(object_name(raw)[1])
    lines, entries = _entries(spec, name, reader)
    _check_protocol(spec, entries, communities, reader)
    draft = PoolDraft(name=name, entries=entries, auto_assign=auto_assign, legacy=True, lines=lines)
    return draft, _in_pool(name, reader)


def resolve_pool(
    draft: PoolDraft, matching: "Callable[[LabelSelector], frozenset[Namespace]]"
) -> Pool:
    """Return the pool; `matching` tells which namespaces a selector matches."""
    return Pool(
        name=draft.name,
        entries=draft.entries,
        auto_assign=draft.auto_assign,
        avoid_buggy_ips=draft.avoid_buggy_ips,
        allocation=_resolve_allocation(draft.allocation, matching),
        legacy=draft.legacy,
    )


def _resolve_allocation(
    draft: AllocationDraft | None, matching: "Callable[[LabelSelector], frozenset[Namespace]]"
) -> ServiceAllocation | None:
    if draft is None:
        return None
    namespaces: frozenset[Namespace] | None = None
    if draft.namespaces or draft.namespace_selectors:
        listed = frozenset(Namespace(name) for name in draft.namespaces)
        namespaces = listed.union(*(matching(one) for one in draft.namespace_selectors))
    selectors = draft.service_selectors
    if namespaces is None and not selectors:
        selectors = (LabelSelector(),)
    return ServiceAllocation(
        priority=draft.priority, namespaces=namespaces, service_selectors=selectors
    )


def _in_pool(name: PoolName, reader: Reader) -> list[Issue]:
    return [
        Issue(issue.path, f"parsing address pool {name}: {issue.message}", issue.transient)
        for issue in reader.issues
    ]


def _spec(raw: Json, reader: Reader) -> JsonObject:
    if not object_name(raw)[1]:
        reader.report("metadata.name", "missing pool name")
    return reader.mapping(reader.mapping(raw, "").get("spec"), "spec")


def _entries(
    spec: JsonObject, name: PoolName, reader: Reader
) -> tuple[tuple[int, ...], tuple[AddressEntry, ...]]:
    path = "spec.addresses"
    items = reader.items(spec.get("addresses"), path)
    if not items:
        reader.report(path, "pool has no prefixes defined")
    found: dict[int, AddressEntry] = {}
    prefixes = 0
    for index, item in enumerate(items):
        where = f"{path}[{index}]"
        if not isinstance(item, str):
            reader.mismatch(where, "a string", item)
            continue
        entry = parse_entry(item)
        if isinstance(entry, BadEntry):
            text = f"invalid CIDR {quote(item)} in pool {quote(name)}: {entry.message}"
            reader.report(where, text)
            continue
        prefixes += len(entry.prefixes)
        if prefixes > MAX_PREFIXES_PER_POOL:
            reader.report(where, f"pool has more than {MAX_PREFIXES_PER_POOL} prefixes")
            break
        found[index] = entry
    return tuple(found), tuple(found.values())


def _allocation(raw: Json, name: PoolName, reader: Reader) -> AllocationDraft | None:
    path = "spec.serviceAllocation"
    if raw is None:
        return None
    spec = reader.mapping(raw, path)
    listed: dict[str, None] = {}
    for where, namespace in reader.texts(spec.get("namespaces"), f"{path}.namespaces"):
        if namespace in listed:
            reader.report(where, "duplicate definition in namespaces field")
        listed[namespace] = None
    priority = reader.integer(spec.get("priority"), f"{path}.priority", default=0)
    by_field = {
        field_name: parse_selectors(
            spec.get(field_name), path=f"{path}.{field_name}", field=field_name
        )
        for field_name in ("namespaceSelectors", "serviceSelectors")
    }
    for parsed in by_field.values():
        reader.issues += parsed.duplicates
    namespaces, services = by_field["namespaceSelectors"], by_field["serviceSelectors"]
    _report_invalid("namespace", namespaces, name, reader)
    _report_invalid("service", services, name, reader)
    return AllocationDraft(
        priority=max(priority, 0),
        namespaces=tuple(sorted(listed)),
        namespace_selectors=namespaces.selectors,
        service_selectors=services.selectors,
    )


def _report_invalid(what: str, parsed: ParsedSelectors, name: PoolName, reader: Reader) -> None:
    for one in parsed.invalid:
        context = f"invalid {what} label selector {one.selector} in ip pool {name}"
        reader.report(one.issue.path, f"{one.issue.message}\n{context}")


def _check_protocol(
    spec: JsonObject,
    entries: tuple[AddressEntry, ...],
    communities: "Mapping[str, Community]",
    reader: Reader,
) -> None:
    path = "spec.protocol"
    protocol = reader.text(spec.get("protocol"), path)
    advertisements = reader.items(spec.get("bgpAdvertisements"), "spec.bgpAdvertisements")
    match protocol:
        case "":
            reader.report(path, "address pool is missing the protocol field")
        case "layer2" if advertisements:
            text = "cannot have bgp-advertisements configuration element in a layer2 address pool"
            reader.report("spec.bgpAdvertisements", text)
        case "layer2":
            pass
        case "bgp":
            _check_advertisements(advertisements, entries, communities, reader)
        case _:
            reader.report(path, f"unknown protocol {quote(protocol)}")


def _check_advertisements(
    advertisements: JsonArray,
    entries: tuple[AddressEntry, ...],
    communities: "Mapping[str, Community]",
    outer: Reader,
) -> None:
    for index, item in enumerate(advertisements):
        path = f"spec.bgpAdvertisements[{index}]"
        reader = Reader()
        spec = reader.mapping(item, path)
        references = reader.texts(spec.get("communities"), f"{path}.communities")
        _check_duplicates(references, reader)
        _check_lengths(spec, path, entries, reader)
        reader.integer(spec.get("localPref"), f"{path}.localPref", default=0)
        _check_communities(references, communities, reader)
        for issue in reader.issues:
            text = f"parsing BGP advertisements: {issue.message}"
            outer.report(issue.path, text, transient=issue.transient)


def _check_duplicates(references: list[tuple[str, str]], reader: Reader) -> None:
    seen: set[str] = set()
    for where, text in references:
        if text in seen:
            reader.report(where, f"duplicate definition of community {quote(text)}")
        seen.add(text)


def _check_communities(
    references: list[tuple[str, str]], communities: "Mapping[str, Community]", reader: Reader
) -> None:
    for where, text in references:
        value = resolve_community(text, communities)
        if isinstance(value, BadCommunity):
            context = f"invalid community {quote(text)} in BGP advertisement"
            reader.report(where, f"{value.message}\n{context}", transient=value.may_be_alias)


def _check_lengths(
    spec: JsonObject, path: str, entries: tuple[AddressEntry, ...], reader: Reader
) -> None:
    lengths: dict[int, int] = {}
    for version, key in ((4, "aggregationLength"), (6, "aggregationLengthV6")):
        limit = _MAX_LENGTH[version]
        where = f"{path}.{key}"
        lengths[version] = reader.integer(spec.get(key), where, default=limit)
        if lengths[version] > limit:
            text = f"invalid aggregation length {lengths[version]} for IPv{version}"
            reader.report(where, text)
    for entry in entries:
        shortest = min(prefix.prefixlen for prefix in entry.prefixes)
        version = entry.prefixes[0].version
        if lengths[version] < shortest:
            key = "aggregationLength" if version == 4 else "aggregationLengthV6"
            reader.report(
                f"{path}.{key}",
                f"invalid aggregation length {lengths[4]}: prefix {shortest} in this pool is more "
                f"specific than the aggregation length for addresses {entry.text}",
            )


class PoolLedger:
    """The pools in force so far: names and prefixes that others cannot have."""

    def __init__(self) -> None:
        self._names: set[PoolName] = set()
        self._prefixes = PrefixIndex()

    def conflicts(self, draft: PoolDraft) -> list[Issue]:
        """Return the conflicts with the pools in force and of the draft with itself."""
        issues: list[Issue] = []
        if draft.name in self._names:
            text = f"duplicate definition of pool {quote(draft.name)}"
            issues.append(Issue("metadata.name", text))
        own = PrefixIndex()
        reported: set[int] = set()
        for place, (index, prefix) in enumerate(draft.prefixes()):
            found = self._prefixes.first(prefix) or own.first(prefix)
            if found is None:
                own.add(prefix, (0, place))
            elif index not in reported:
                reported.add(index)
                text = (
                    f"CIDR {quote(prefix)} in pool {quote(draft.name)} overlaps with already "
                    f"defined CIDR {quote(found)}"
                )
                issues.append(Issue(f"spec.addresses[{draft.lines[index]}]", text))
        return issues

    def add(self, draft: PoolDraft, place: int) -> None:
        """Put a draft in force; `place` is that of the object in the order of all."""
        self._names.add(draft.name)
        for index, (_, prefix) in enumerate(draft.prefixes()):
            self._prefixes.add(prefix, (place, index))

    def covers(self, draft: PoolDraft) -> bool:
        """Tell whether name and addresses of `draft` are in force."""
        known = ((self._prefixes.first(prefix), prefix) for _, prefix in draft.prefixes())
        return draft.name in self._names and all(
            found is not None and found.prefixlen <= prefix.prefixlen for found, prefix in known
        )
