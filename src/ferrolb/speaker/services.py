"""One pass over one Service: decide, hand it to the wire, and only then tell about it."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from ferrolb.announce import (
    Announce,
    WithholdReason,
    announce_failed,
    decide,
    is_moved,
    node_assigned,
    unusable,
)
from ferrolb.kube import SERVICES, announced_service_from
from ferrolb.model import EventNote, InterfaceRule, ServiceKey
from ferrolb.reconcile import EventSubject
from ferrolb.telemetry import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from ferrolb.announce import View, Withhold
    from ferrolb.kube import (
        AnnouncedServiceObject,
        Cache,
        EndpointIndex,
        RequeueAfter,
    )
    from ferrolb.l2 import Announcer
    from ferrolb.model import IPAddress, NodeName
    from ferrolb.telemetry import ClientMetrics, SpeakerMetrics

PROTOCOL: Final = "layer2"

_NO_INTERFACE: Final = "noInterface"
"""Reason of a withdrawal that no decision about the Service has: none of the interfaces is here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Announced:
    """What this node announces for one Service."""

    addresses: tuple["IPAddress", ...]
    """Only those that an interface exists for."""
    interfaces: InterfaceRule
    uid: str = ""
    """Of the Service: one that was deleted and made again under its name is another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """The announcer, and who has to hear that it was changed."""

    announcer: "Announcer"
    now: "Callable[[], float]"
    changed: "Callable[[], None]"

    def hold(
        self, key: ServiceKey, addresses: tuple["IPAddress", ...], rule: InterfaceRule
    ) -> None:
        """Announce exactly these addresses for a Service; none withdraws it."""
        if self.announcer.announce(key, dict.fromkeys(addresses, rule), now=self.now()):
            self.changed()


class ServiceAnnouncer:
    """Keeps the wire, the metrics and the events equal to what `announce.decide` says.

    A pass does no I/O and never waits, so no Service delays another one, and the same again sends
    nothing and says nothing. Before the view is known nothing is announced or withdrawn.
    """

    def __init__(
        self,
        *,
        node: "NodeName",
        services: "Cache[AnnouncedServiceObject]",
        endpoints: "EndpointIndex",
        wire: Wire,
        reports: "Reports",
    ) -> None:
        self._node = node
        self._services = services
        self._endpoints = endpoints
        self._wire = wire
        self._reports = reports
        self._announced: dict[ServiceKey, Announced] = {}
        self.view: View | None = None
        """Everything a decision needs besides the Service; None until all of it is known."""
        self.interface_names: Collection[str] = frozenset()
        """Interfaces of this node that are not excluded, whether up or not."""

    @property
    def announced(self) -> Mapping[ServiceKey, Announced]:
        """What this node announces now."""
        return self._announced

    async def reconcile(self, key: tuple[str, str]) -> "RequeueAfter | None":
        """Make one pass."""
        service_key = ServiceKey(*key)
        self._reports.counted()
        view = self.view
        if view is None:
            return None
        obj = self._services.get(key)
        service = None if obj is None else announced_service_from(obj)
        decision = decide(service, self._endpoints.endpoints(service_key), view, node=self._node)
        if isinstance(decision, Announce) and obj is not None:
            self._announce(service_key, obj, decision)
        elif not isinstance(decision, Announce):
            self._withhold(service_key, decision)
        return None

    def _announce(self, key: ServiceKey, obj: "AnnouncedServiceObject", decision: Announce) -> None:
        rule = decision.interfaces
        if missing := unusable(decision.addresses, rule, self.interface_names):
            # Nothing goes out and nothing is reported as going out; nobody takes over, since
            # interfaces do not take part in the election.
            self._withdraw(key, _NO_INTERFACE)
            notes = [announce_failed(ip, self._node) for ip in missing]
            self._reports.failed(key, _subject_of(obj), notes)
            return
        before = self._announced.get(key)
        now = Announced(addresses=decision.addresses, interfaces=rule, uid=obj.metadata.uid)
        if before is not None and is_moved(before.addresses, now.addresses):
            self._log_withdrawn(key, before, WithholdReason.LOAD_BALANCER_IP_CHANGED)
        self._wire.hold(key, now.addresses, rule)
        self._announced[key] = now
        self._reports.announced(key, _subject_of(obj), before=before, now=now)
        if before != now:
            get_logger().info(
                "service has IP, announcing",
                _event="serviceAnnounced",
                service=str(key),
                ips=[str(ip) for ip in now.addresses],
                pool=decision.pool,
                protocol=PROTOCOL,
            )

    def _withhold(self, key: ServiceKey, decision: "Withhold") -> None:
        self._reports.not_failed(key)
        self._withdraw(key, decision.reason)

    def _withdraw(self, key: ServiceKey, reason: str) -> None:
        self._wire.hold(key, (), InterfaceRule())
        before = self._announced.pop(key, None)
        if before is None:
            return
        self._reports.withdrawn(key, before)
        self._log_withdrawn(key, before, reason)

    def _log_withdrawn(self, key: ServiceKey, before: Announced, reason: str) -> None:
        get_logger().info(
            "withdrawing service announcement",
            _event="serviceWithdrawn",
            service=str(key),
            ip=[str(ip) for ip in before.addresses],
            protocol=PROTOCOL,
            reason=str(reason),
        )


class Recorder(Protocol):
    """Takes events; `kube.EventRecorder` is one."""

    def record(self, subject: EventSubject, note: EventNote) -> None:
        """Say it once, soon."""

    def hold(self, key: Hashable, subject: EventSubject, note: EventNote) -> None:
        """Say it again before it expires, until `release(key)`."""

    def release(self, key: Hashable) -> None:
        """The condition ended."""


class Reports:
    """What users are told of announcements: metrics, events, ServiceL2Status. Only of changes."""

    def __init__(
        self,
        *,
        node: "NodeName",
        metrics: "SpeakerMetrics",
        client_metrics: "ClientMetrics",
        recorder: Recorder,
        status_changed: "Callable[[ServiceKey], None]",
        is_reported: "Callable[[ServiceKey], bool]",
    ) -> None:
        """Take over the sinks.

        Args:
            node: name of the own node.
            metrics: the speaker's own series.
            client_metrics: what is counted of passes.
            recorder: takes the events.
            status_changed: asks for a pass over the ServiceL2Status of a Service.
            is_reported: whether a ServiceL2Status of this node tells of the Service already: an
                earlier run of this speaker announced it, so nothing has moved.
        """
        self._node = node
        self._metrics = metrics
        self._client_metrics = client_metrics
        self._recorder = recorder
        self._status_changed = status_changed
        self._is_reported = is_reported
        # messages of the announceFailed events that stand, by Service
        self._failed: dict[ServiceKey, tuple[EventNote, ...]] = {}

    def counted(self) -> None:
        """One pass began."""
        self._client_metrics.updates.inc()

    def announced(
        self, key: ServiceKey, subject: EventSubject, *, before: Announced | None, now: Announced
    ) -> None:
        """The Service is announced from here."""
        if before == now:
            return
        self.not_failed(key)
        note = node_assigned(self._node)
        is_new = before is None or before.uid != now.uid
        if is_new and not self._is_reported(key):
            self._recorder.record(subject, note)
        self._recorder.hold((key, note.reason), subject, note)
        gone = set(before.addresses if before else ()) - set(now.addresses)
        come = set(now.addresses) - set(before.addresses if before else ())
        for ip in gone:
            self._metrics.not_announced(key, PROTOCOL, ip)
        for ip in come:
            self._metrics.announced(key, PROTOCOL, ip)
        self._status_changed(key)

    def withdrawn(self, key: ServiceKey, before: Announced) -> None:
        """The Service is not announced from here any more."""
        for ip in before.addresses:
            self._metrics.not_announced(key, PROTOCOL, ip)
        self._recorder.release((key, node_assigned(self._node).reason))
        self._status_changed(key)

    def failed(self, key: ServiceKey, subject: EventSubject, notes: list[EventNote]) -> None:
        """The Service should be announced from here and cannot be."""
        if self._failed.get(key) == tuple(notes):
            return
        self.not_failed(key)
        self._failed[key] = tuple(notes)
        for note in notes:
            self._recorder.record(subject, note)
            self._recorder.hold((key, note.message), subject, note)

    def not_failed(self, key: ServiceKey) -> None:
        """What failed before stands no longer."""
        for note in self._failed.pop(key, ()):
            self._recorder.release((key, note.message))


def _subject_of(obj: "AnnouncedServiceObject") -> EventSubject:
    return EventSubject(
        api_version=SERVICES.api_version,
        kind=SERVICES.kind,
        namespace=obj.metadata.namespace,
        name=obj.metadata.name,
        uid=obj.metadata.uid,
        resource_version=obj.metadata.resourceVersion,
    )
