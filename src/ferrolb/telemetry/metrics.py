"""Prometheus metrics, under MetalLB's names and, for what it lacks, under `ferrolb_`."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from typing_extensions import override


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolSample:
    """The counters of one pool at one moment; numbers of addresses and of Services."""

    pool: str
    total: int
    ipv4_total: int
    ipv6_total: int
    in_use: int
    ipv4_in_use: int
    ipv6_in_use: int
    services: int


_POOL_GAUGES: Final[tuple[tuple[str, str, Callable[[PoolSample], int]], ...]] = (
    ("addresses_total", "Number of usable IP addresses, per pool", lambda s: s.total),
    (
        "ipv4_addresses_total",
        "Number of usable IPv4 addresses, per pool",
        lambda s: s.ipv4_total,
    ),
    (
        "ipv6_addresses_total",
        "Number of usable IPv6 addresses, per pool",
        lambda s: s.ipv6_total,
    ),
    (
        "addresses_in_use_total",
        "Number of distinct IP addresses in use, per pool",
        lambda s: s.in_use,
    ),
    (
        "ipv4_addresses_in_use_total",
        "Number of distinct IPv4 addresses in use, per pool",
        lambda s: s.ipv4_in_use,
    ),
    (
        "ipv6_addresses_in_use_total",
        "Number of distinct IPv6 addresses in use, per pool",
        lambda s: s.ipv6_in_use,
    ),
    (
        "services_allocated_total",
        "Number of services allocated an address, per pool",
        lambda s: s.services,
    ),
)


class PoolSamples(Collector):
    """Reads the allocator at each scrape, so that the series are never older than the scrape."""

    def __init__(self, read: Callable[[], Iterable[PoolSample]]) -> None:
        self._read = read

    @override
    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield the `metallb_allocator_*` gauges, one series a pool."""
        samples = tuple(self._read())
        for name, text, value in _POOL_GAUGES:
            family = GaugeMetricFamily(f"metallb_allocator_{name}", text, labels=["pool"])
            for sample in samples:
                family.add_metric([sample.pool], value(sample))
            yield family


class Registry(CollectorRegistry):
    """A registry of the client library that also takes series which are written by hand."""

    def __init__(self) -> None:
        super().__init__(auto_describe=False)
        self._writers: list[Callable[[], Iterable[str]]] = []

    def add_text(self, write: Callable[[], Iterable[str]]) -> None:
        """Append what `write` returns to each exposition: whole lines of the text format."""
        self._writers.append(write)

    def text(self) -> str:
        """Return the series written by hand."""
        return "".join(piece for write in self._writers for piece in write())


class ClientMetrics:
    """What a program reports of its work with the API: MetalLB's four series and ours."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.updates = Counter(
            "metallb_k8s_client_updates_total",
            "Number of k8s object updates that have been processed",
            registry=registry,
        )
        self.update_errors = Counter(
            "metallb_k8s_client_update_errors_total",
            "Number of k8s object updates that failed for some reason",
            registry=registry,
        )
        self.config_loaded = Gauge(
            "metallb_k8s_client_config_loaded_bool",
            "1 if the configuration was successfully loaded at least once",
            registry=registry,
        )
        self.config_stale = Gauge(
            "metallb_k8s_client_config_stale_bool",
            "1 if running on a stale configuration, because the latest config failed to load",
            registry=registry,
        )
        self.writes = Counter(
            "ferrolb_api_writes_total",
            "Number of writes to the API, by resource and outcome",
            ["resource", "outcome"],
            registry=registry,
        )
        self.relists = Counter(
            "ferrolb_api_relists_total",
            "Number of full lists after the first one, by resource",
            ["resource"],
            registry=registry,
        )
        self.undecodable = Counter(
            "ferrolb_api_undecodable_objects_total",
            "Number of objects skipped because they could not be decoded, by resource",
            ["resource"],
            registry=registry,
        )
        self.events_dropped = Counter(
            "ferrolb_events_dropped_total",
            "Number of Kubernetes events given up, by cause",
            ["cause"],
            registry=registry,
        )
        self.duplicates_resolved = Counter(
            "ferrolb_duplicate_addresses_resolved_total",
            "Number of Services that lost an address which another Service held already",
            registry=registry,
        )
        self.pending = Gauge(
            "ferrolb_services_pending",
            "Number of LoadBalancer Services that wait for an address",
            registry=registry,
        )
        self.leader_election = Gauge(
            "ferrolb_leader_election_enabled",
            "1 if a Lease guards against a second active controller",
            registry=registry,
        )


def new_registry() -> Registry:
    """Return a registry of its own for one program, with the process's own figures."""
    without_created_series: Callable[[], None] = prometheus_client.disable_created_metrics
    without_created_series()
    registry = Registry()
    prometheus_client.ProcessCollector(registry=registry)
    prometheus_client.PlatformCollector(registry=registry)
    return registry


def render(registry: CollectorRegistry) -> tuple[bytes, str]:
    """Return the exposition and its content type (Prometheus text format)."""
    body = prometheus_client.generate_latest(registry)
    if isinstance(registry, Registry):
        body += registry.text().encode()
    return body, prometheus_client.CONTENT_TYPE_LATEST
