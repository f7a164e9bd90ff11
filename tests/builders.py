"""Short ways to write Services and pools in tests: every argument has the usual default."""

import ipaddress
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING

from ferrolb.model import (
    AddressEntry,
    BadAddress,
    Ingress,
    IPFamilyPolicy,
    LabelSelector,
    Namespace,
    Operator,
    Pool,
    PoolName,
    PoolSet,
    Port,
    Requirement,
    Service,
    ServiceAllocation,
    ServiceKey,
    parse_address,
    summarize_range,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
"""`created` of a Service of age 0; a Service of age n is n seconds older."""


def make_key(name: str) -> ServiceKey:
    """Make a key of "namespace/name", or of "name" in the namespace `default`."""
    namespace, _, rest = name.rpartition("/")
    return ServiceKey(namespace or "default", rest)


def make_ports(*ports: "str | int") -> tuple[Port, ...]:
    """Make ports of texts ("TCP/80") or numbers (TCP)."""
    made = []
    for port in ports:
        protocol, _, number = str(port).rpartition("/")
        made.append(Port(protocol or "TCP", int(number)))
    return tuple(made)


def make_service(
    name: str = "svc",
    *,
    cluster_ips: "str | Iterable[str]" = "10.96.0.1",
    status: "str | Iterable[str]" = (),
    hostnames: "Iterable[str]" = (),
    ports: "Iterable[str | int]" = (80,),
    ip: str = "",
    ips: str | None = None,
    pool: str | None = None,
    sharing: str | None = None,
    from_pool: str | None = None,
    annotations: "Mapping[str, str] | None" = None,
    policy: IPFamilyPolicy = IPFamilyPolicy.SINGLE_STACK,
    ip_families: "Iterable[str] | None" = None,
    labels: "Mapping[str, str] | None" = None,
    selector: "Mapping[str, str] | None" = None,
    local: bool = False,
    load_balancer: bool = True,
    lb_class: str | None = None,
    uid: str | None = None,
    age: int = 0,
) -> Service:
    """Make a Service.

    `cluster_ips` and `status` take addresses, in one text parted by commas or as a list; `ip` is
    `spec.loadBalancerIP`, `ips`, `pool`, `sharing` and `from_pool` are annotations under
    `metallb.io/`, `age` is in seconds.
    """
    marks = dict(annotations or {})
    for suffix, value in {
        "address-pool": pool,
        "loadBalancerIPs": ips,
        "allow-shared-ip": sharing,
        "ip-allocated-from-pool": from_pool,
    }.items():
        if value is not None:
            marks["metallb.io/" + suffix] = value
    clusters = tuple(parse_address(text) for text in _texts(cluster_ips))
    if ip_families is None:
        ip_families = [f"IPv{ip.version}" for ip in clusters if not isinstance(ip, BadAddress)]
    key = make_key(name)
    return Service(
        key=key,
        uid=f"uid-{key}" if uid is None else uid,
        created=EPOCH - timedelta(seconds=age),
        is_load_balancer=load_balancer,
        load_balancer_class=lb_class,
        labels=MappingProxyType(dict(labels or {})),
        annotations=MappingProxyType(marks),
        load_balancer_ip=ip,
        cluster_ips=clusters,
        ip_families=tuple(ip_families),
        ip_family_policy=policy,
        is_local=local,
        selector=tuple(sorted((selector or {}).items())),
        ports=make_ports(*ports),
        ingress=(
            *(Ingress(hostname=hostname) for hostname in hostnames),
            *(Ingress(ip=parse_address(text)) for text in _texts(status)),
        ),
    )


def make_selector(**labels: str) -> LabelSelector:
    """Make a selector that wants each label to have exactly the value given."""
    return LabelSelector(
        tuple(Requirement(key, Operator.IN, (value,)) for key, value in sorted(labels.items()))
    )


def make_pool(
    name: str = "pool",
    *addresses: str,
    auto_assign: bool = True,
    avoid_buggy_ips: bool = False,
    priority: int | None = None,
    namespaces: "Iterable[str] | None" = None,
    selectors: "Iterable[LabelSelector]" = (),
    legacy: bool = False,
) -> Pool:
    """Make a pool of CIDRs and ranges ("10.0.0.0/24", "10.0.0.1-10.0.0.9").

    Any of `priority`, `namespaces`, `selectors` makes it a pinned one.
    """
    selectors = tuple(selectors)
    pinned = priority is not None or namespaces is not None or bool(selectors)
    return Pool(
        name=PoolName(name),
        entries=tuple(make_entry(text) for text in addresses or ("10.0.0.0/24",)),
        auto_assign=auto_assign,
        avoid_buggy_ips=avoid_buggy_ips,
        allocation=ServiceAllocation(
            priority=priority or 0,
            namespaces=None
            if namespaces is None
            else frozenset(Namespace(namespace) for namespace in namespaces),
            service_selectors=selectors,
        )
        if pinned
        else None,
        legacy=legacy,
    )


def make_entry(text: str) -> AddressEntry:
    """Make one line of `spec.addresses`."""
    first, dash, last = text.partition("-")
    if not dash:
        return AddressEntry(text=text, prefixes=(ipaddress.ip_network(text, strict=False),))
    prefixes = summarize_range(
        ipaddress.ip_address(first.strip()), ipaddress.ip_address(last.strip())
    )
    return AddressEntry(text=text, prefixes=prefixes)


def make_pools(*pools: Pool, invalid: "Iterable[str]" = ()) -> PoolSet:
    """Make the set of pools in force; `invalid` names pool objects that could not be read."""
    by_name = {pool.name: pool for pool in sorted(pools, key=lambda pool: pool.name)}
    return PoolSet(
        pools=MappingProxyType(by_name), invalid=frozenset(PoolName(name) for name in invalid)
    )


def _texts(value: "str | Iterable[str]") -> list[str]:
    if isinstance(value, str):
        return [text for text in value.split(",") if text]
    return list(value)
