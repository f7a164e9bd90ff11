"""What the dev API server counts, under the names of a real API server."""

from collections import Counter
from collections.abc import Iterable
from typing import Final, NamedTuple

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from typing_extensions import override

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


class RequestLabels(NamedTuple):
    """What tells requests apart; `resource` is empty for paths that name none."""

    verb: str
    group: str
    version: str
    resource: str
    subresource: str
    scope: str
    dry_run: str
    code: str


class WatchLabels(NamedTuple):
    """What tells watches apart."""

    group: str
    version: str
    resource: str
    scope: str


class Metrics(Collector):
    """Counts requests as they are answered, and the watches that are open.

    A watch counts as a request when its stream begins.
    """

    def __init__(self) -> None:
        self._requests: Counter[RequestLabels] = Counter()
        self._watches: Counter[WatchLabels] = Counter()
        self._events: Counter[WatchLabels] = Counter()

    def count_request(self, labels: RequestLabels) -> None:
        """Count one answered request."""
        self._requests[labels] += 1

    def watch_opened(self, labels: WatchLabels) -> None:
        """Count a watch as open."""
        self._watches[labels] += 1

    def watch_closed(self, labels: WatchLabels) -> None:
        """Count a watch as open no longer."""
        self._watches[labels] -= 1

    def count_events(self, labels: WatchLabels, number: int) -> None:
        """Count events sent to a watcher."""
        self._events[labels] += number

    @property
    def open_watches(self) -> int:
        """How many watches are open."""
        return self._watches.total()

    @override
    def collect(self) -> Iterable[Metric]:
        requests = CounterMetricFamily(
            "apiserver_request_total",
            "Requests answered, for each verb, resource and code.",
            labels=RequestLabels._fields,
        )
        for request, number in self._requests.items():
            requests.add_metric(request, number)
        watches = GaugeMetricFamily(
            "apiserver_longrunning_requests",
            "Watches that are open.",
            labels=("verb", *WatchLabels._fields),
        )
        for watch, number in self._watches.items():
            watches.add_metric(("WATCH", *watch), number)
        events = CounterMetricFamily(
            "apiserver_watch_events_total",
            "Events sent to watchers.",
            labels=WatchLabels._fields,
        )
        for watch, number in self._events.items():
            events.add_metric(watch, number)
        return (requests, watches, events)

    def text(self) -> bytes:
        """Return all figures in Prometheus' text format."""
        registry = CollectorRegistry(auto_describe=False)
        registry.register(self)
        return generate_latest(registry)
