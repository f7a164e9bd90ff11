"""The Service reconciler: one pass over one Service, one write at most."""

from typing import TYPE_CHECKING, Final

from ferrolb.kube import SERVICES, NotFoundError, Origin, service_from
from ferrolb.model import ServiceKey
from ferrolb.reconcile import EventSubject
from ferrolb.telemetry import get_logger

if TYPE_CHECKING:
    from ferrolb.controller.signals import Signals
    from ferrolb.converge import Engine, Outcome
    from ferrolb.kube import Cache, Change, EventRecorder, RequeueAfter, ServiceObject, StatusWriter
    from ferrolb.model import EventNote
    from ferrolb.telemetry import ClientMetrics

_NONE_HELD: Final[frozenset[str]] = frozenset()


class ServiceReconciler:
    """Puts the engine's decision about a Service into effect.

    The engine decides at once and in memory; the write follows. Until the write has landed the
    engine gives an address that the Service leaves to nobody else, so that no two Services name
    one address at any time.
    """

    def __init__(
        self,
        *,
        services: "Cache[ServiceObject]",
        engine: "Engine",
        writer: "StatusWriter",
        recorder: "EventRecorder",
        metrics: "ClientMetrics",
        signals: "Signals",
    ) -> None:
        self._services = services
        self._engine = engine
        self._writer = writer
        self._recorder = recorder
        self._metrics = metrics
        self._signals = signals
        self._log = get_logger(controller="ServiceReconciler")
        # reasons of the events that are said again while they last, by Service
        self._held: dict[ServiceKey, frozenset[str]] = {}
        self._pending: set[ServiceKey] = set()
        # what the last pass over these would have said, had its write been answered by a success
        self._unsaid: dict[ServiceKey, Outcome] = {}
        # Services whose status is being written, with the last version that the watch showed of
        # each meanwhile: the echo of the write often comes before its answer
        self._writing: dict[ServiceKey, str] = {}
        self._resolved = 0

    def on_change(self, change: "Change[ServiceObject]") -> None:
        """Ask for a pass over a Service that somebody else changed."""
        key = ServiceKey(*change.key)
        if change.new is not None and key in self._writing:
            self._writing[key] = change.new.metadata.resourceVersion
        elif change.origin is not Origin.WRITE:
            self._signals.wake([key])

    async def reconcile(self, key: tuple[str, str]) -> "RequeueAfter | None":
        """Make one pass; an error of the API is raised, and the pass repeated later."""
        service_key = ServiceKey(*key)
        self._metrics.updates.inc()
        obj = self._services.get(key)
        if obj is None:
            self._forget(service_key)
            return None
        outcome = self._engine.converge(service_from(obj))
        self._signals.wake(outcome.wake)
        self._signals.pools_touched(self._engine.pools_touched())
        self._count_resolved()
        unsaid = self._unsaid.get(service_key)
        if outcome.is_changed:
            self._unsaid[service_key] = outcome
            await self._write(obj, outcome)
        self._unsaid.pop(service_key, None)
        self._tell(obj, outcome, unsaid)
        return None

    def _forget(self, key: ServiceKey) -> None:
        self._signals.wake(self._engine.forget(key))
        self._signals.pools_touched(self._engine.pools_touched())
        for reason in self._held.pop(key, _NONE_HELD):
            self._recorder.release((key, reason))
        self._unsaid.pop(key, None)
        self._count_pending(key, is_pending=False)
        self._log.debug("service deleted", _event="serviceDeleted", service=str(key))

    async def _write(self, obj: "ServiceObject", outcome: "Outcome") -> None:
        self._writing[outcome.key] = ""
        try:
            written = await self._writer.write_service(obj, outcome.addresses, outcome.pool)
        except NotFoundError:
            return  # it was deleted since; the watch says so, and the pass over that releases
        finally:
            seen = self._writing.pop(outcome.key)
        if seen not in ("", written.metadata.resourceVersion):
            self._signals.wake([outcome.key])
        self._services.put_written(written)
        self._signals.wake(self._engine.settle(service_from(written)))
        self._log.info(
            "updated service object",
            _event="serviceUpdated",
            service=str(outcome.key),
            ips=[str(ip) for ip in outcome.addresses],
            pool=outcome.pool,
            reason=outcome.verdict.reason.value,
        )

    def _tell(self, obj: "ServiceObject", outcome: "Outcome", unsaid: "Outcome | None") -> None:
        """Say what is new, and keep saying what lasts (C-10)."""
        subject = subject_of(obj)
        for note in _missed(obj, outcome, unsaid):
            self._recorder.record(subject, note)
        if unsaid is not None or not outcome.is_repeat:
            for note in outcome.events:
                self._recorder.record(subject, note)
            if outcome.verdict.text:
                self._metrics.update_errors.inc()
                self._log.warning(
                    "no address for service",
                    _event="allocationFailed",
                    service=str(outcome.key),
                    error=outcome.verdict.text,
                )
        self._hold(outcome.key, subject, self._engine.current_events(outcome.key))
        is_pending = bool(outcome.verdict.text) and not outcome.verdict.is_assigned
        self._count_pending(outcome.key, is_pending=is_pending)

    def _hold(self, key: ServiceKey, subject: EventSubject, notes: "tuple[EventNote, ...]") -> None:
        reasons = frozenset(note.reason for note in notes)
        for reason in self._held.pop(key, _NONE_HELD) - reasons:
            self._recorder.release((key, reason))
        for note in notes:
            self._recorder.hold((key, note.reason), subject, note)
        if reasons:
            self._held[key] = reasons

    def _count_resolved(self) -> None:
        resolved = self._engine.duplicates_resolved
        self._metrics.duplicates_resolved.inc(resolved - self._resolved)
        self._resolved = resolved

    def _count_pending(self, key: ServiceKey, *, is_pending: bool) -> None:
        if is_pending:
            self._pending.add(key)
        else:
            self._pending.discard(key)
        self._metrics.pending.set(len(self._pending))


def _missed(
    obj: "ServiceObject", outcome: "Outcome", unsaid: "Outcome | None"
) -> "list[EventNote]":
    """Return what was not said because the answer to a write was lost that had been done."""
    if unsaid is None:
        return []
    standing = tuple(entry.ip for entry in service_from(obj).ingress)
    if (outcome.addresses if outcome.is_changed else standing) != unsaid.addresses:
        return []
    return [note for note in unsaid.events if note not in outcome.events]


def subject_of(obj: "ServiceObject") -> EventSubject:
    """Return what an event about a Service refers to."""
    return EventSubject(
        api_version=SERVICES.api_version,
        kind=SERVICES.kind,
        namespace=obj.metadata.namespace,
        name=obj.metadata.name,
        uid=obj.metadata.uid,
        resource_version=obj.metadata.resourceVersion,
    )
