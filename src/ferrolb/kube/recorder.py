"""Kubernetes Events: queued by `record`, written in the background, never in the caller's way.

`create` and `patch` are enough rights (C-20). The event's name follows from what it says, so a
program that has just started finds the events of the one before it: its create is answered with
AlreadyExists, and the count goes on from there.
"""

import asyncio
import time
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from ferrolb.kube.client import parse_object
from ferrolb.kube.errors import (
    AlreadyExistsError,
    ApiError,
    BadRequestError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    UnreachableError,
)
from ferrolb.kube.resource import EVENTS
from ferrolb.reconcile import Admission, EventAggregator, EventLimits
from ferrolb.telemetry import get_logger

if TYPE_CHECKING:
    from ferrolb.kube.client import ApiClient
    from ferrolb.model import EventNote, Json, JsonObject
    from ferrolb.reconcile import EventKey, EventSubject, EventWrite
    from ferrolb.telemetry import ClientMetrics

CLUSTER_SCOPED_NAMESPACE: Final = "default"
"""Where the API wants the events about objects without a namespace."""

_HOPELESS: Final = (BadRequestError, ForbiddenError, InvalidError, NotFoundError)
_TERMINATING: Final = "being terminated"


class DropCause(StrEnum):
    """Why an event was not written; the label `cause` of `ferrolb_events_dropped_total`."""

    THROTTLED = "throttled"
    OVERFLOW = "overflow"
    NAMESPACE_GONE = "namespace_gone"
    REFUSED = "refused"
    UNAVAILABLE = "unavailable"
    SHUTDOWN = "shutdown"


_SILENT: Final = (DropCause.THROTTLED, DropCause.NAMESPACE_GONE)
"""Part of normal life, not worth a log line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecorderSettings:
    """Who speaks, and limits."""

    component: str
    """`source.component`: what kubectl shows as From."""
    instance: str = ""
    """`reportingInstance`. Not `source.host`, which kubectl would print after the component."""
    senders: int = 4
    """Requests under way at once: telling of thousands of Services must not take minutes, nor
    crowd out the writes that matter."""
    retry_delays_s: tuple[float, ...] = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 30.0, 30.0)
    """Waits between tries of one event: an API server that restarts is back in two minutes."""
    patience_s: float = 1.0
    """How long an event gives way to more urgent work. Each sender then sends one all the same, so
    that what users read is late in a burst, and never missing."""
    flush_s: float = 1.0
    """How long `run` goes on once it is cancelled; a program has 1.8 s to end."""
    limits: EventLimits = field(default_factory=EventLimits)


@dataclass(frozen=True, slots=True)
class _Doubt:
    """A write that was not answered: if it was done, the event counts `total`."""

    total: int
    own: int
    """How many of them are this program's."""
    created_at: str = ""
    """The `firstTimestamp` of a creation: an event of somebody else may count as much."""


def _utc_now() -> datetime:
    return datetime.now(UTC)


class EventRecorder:
    """Writes the events of one source, while a task is in `run`.

    While `turn` is given and not set, more urgent work is waiting, and events give way to it.

    Methods neither wait nor raise because of the API. What is dropped is counted in the metrics,
    and logged once a cause.
    """

    def __init__(
        self,
        client: "ApiClient",
        settings: RecorderSettings,
        *,
        metrics: "ClientMetrics",
        turn: asyncio.Event | None = None,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], datetime] = _utc_now,
    ) -> None:
        self._client = client
        self._settings = settings
        self._metrics = metrics
        self._turn = turn
        self._clock = clock
        self._wall = wall
        self._log = get_logger(source=settings.component)
        self._machine = EventAggregator(settings.limits)
        self._has_work = asyncio.Event()
        self._has_hold = asyncio.Event()
        self._told: set[DropCause] = set()
        # what may have become of writes that were not answered; gone with the next answer
        self._doubts: dict[EventKey, set[_Doubt]] = {}

    def record(self, subject: "EventSubject", note: "EventNote") -> None:
        """Say it once, soon."""
        self._admit(self._machine.record(subject, note, now=self._clock(), wall=self._wall()))

    def hold(self, key: Hashable, subject: "EventSubject", note: "EventNote") -> None:
        """Say it again before it expires, until `release(key)`; `record` it first (C-10).

        Holding the same note again changes nothing; another note takes its place.
        """
        if not self._machine.hold(key, subject, note, now=self._clock()):
            self._drop(DropCause.OVERFLOW)
        self._has_hold.set()

    def release(self, key: Hashable) -> None:
        """The condition ended, or never was."""
        self._machine.release(key)

    async def run(self) -> None:
        """Send until cancelled, and then for `flush_s` what still waits."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._refresh())
                for _ in range(self._settings.senders):
                    group.create_task(self._send_forever())
        finally:
            await self._flush()

    async def _flush(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self._settings.flush_s), asyncio.TaskGroup() as group:
                for _ in range(self._settings.senders):
                    group.create_task(self._send_waiting())
        for _ in range(self._machine.pending):
            self._drop(DropCause.SHUTDOWN)

    async def _refresh(self) -> None:
        while True:
            self._has_hold.clear()
            deadline = self._machine.next_deadline()
            with suppress(TimeoutError):
                async with asyncio.timeout(
                    None if deadline is None else max(0.0, deadline - self._clock())
                ):
                    await self._has_hold.wait()
            admission = self._machine.on_deadline(now=self._clock(), wall=self._wall())
            if admission is not None:
                self._admit(admission)

    async def _send_forever(self) -> None:
        while True:
            if self._machine.pending:
                await self._give_way()
                await self._send_next()
            else:
                self._has_work.clear()
                await self._has_work.wait()

    async def _give_way(self) -> None:
        """Wait for our turn, but no longer than our patience."""
        if self._turn is not None and not self._turn.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(self._settings.patience_s):
                    await self._turn.wait()

    async def _send_waiting(self) -> None:
        while await self._send_next():
            pass

    async def _send_next(self) -> bool:
        """Send the next event; False where none waits."""
        write = self._machine.take()
        if write is not None:
            await self._send(write)
        return write is not None

    async def _send(self, write: "EventWrite") -> None:
        try:
            earlier = await self._deliver(write)
        except asyncio.CancelledError:
            self._machine.on_interrupted(write.key)
            raise
        except ApiError as error:
            self._machine.on_dropped(write.key)
            self._drop(_cause(error), error=error)
        else:
            self._machine.on_written(write.key, earlier=earlier)

    async def _deliver(self, write: "EventWrite") -> int:
        """Write the event, with retries; return the count it had from before this program."""
        delays_s = self._settings.retry_delays_s
        for delay_s in delays_s:
            try:
                return await self._create_or_patch(write)
            except _HOPELESS:
                raise
            except ApiError as error:
                await asyncio.sleep(max(delay_s, min(error.retry_after_s, delays_s[-1])))
        return await self._create_or_patch(write)

    async def _create_or_patch(self, write: "EventWrite") -> int:
        if not write.is_new:
            with suppress(NotFoundError):  # it expired
                await self._patch(write, {**_last_said(write), "count": write.count})
                return 0
        try:
            with self._doubting(
                write.key, _Doubt(write.count, write.count, _timestamp(write.first))
            ):
                await self._client.create(EVENTS.path(_namespace(write)), self._body(write))
        except AlreadyExistsError:
            return await self._count_on(write)
        self._doubts.pop(write.key, None)
        return 0

    async def _count_on(self, write: "EventWrite") -> int:
        """The event is there already: add to its count, which we may not read.

        It is an earlier program's, or what came of a write of ours whose answer was lost.
        """
        found = await self._patch(write, _last_said(write))
        count = found.get("count")
        counted = count if isinstance(count, int) else 1
        first = found.get("firstTimestamp")
        earlier = counted
        for doubt in self._doubts.get(write.key, ()):
            if doubt.total == counted and doubt.created_at in ("", first):
                earlier = doubt.total - doubt.own
        total = earlier + write.count
        if total != counted:
            with self._doubting(write.key, _Doubt(total, write.count)):
                await self._patch(write, {"count": total})
        self._doubts.pop(write.key, None)
        return earlier

    @contextmanager
    def _doubting(self, key: "EventKey", doubt: "_Doubt") -> Iterator[None]:
        """Remember what a write would have left, if nobody says how it ended."""
        try:
            yield
        except (UnreachableError, asyncio.CancelledError):
            self._doubts.setdefault(key, set()).add(doubt)
            if len(self._doubts) > self._settings.limits.known:
                del self._doubts[next(iter(self._doubts))]
            raise

    async def _patch(self, write: "EventWrite", change: "JsonObject") -> "JsonObject":
        path = EVENTS.path(_namespace(write), write.key.name)
        return parse_object(await self._client.patch(path, change))

    def _body(self, write: "EventWrite") -> "JsonObject":
        subject = write.subject
        involved: dict[str, Json] = {
            "apiVersion": subject.api_version,
            "kind": subject.kind,
            "namespace": subject.namespace,
            "name": subject.name,
            "uid": subject.uid,
            "resourceVersion": subject.resource_version,
        }
        return {
            "apiVersion": EVENTS.api_version,
            "kind": EVENTS.kind,
            "metadata": {"namespace": _namespace(write), "name": write.key.name},
            "involvedObject": {name: value for name, value in involved.items() if value},
            "type": write.note.type.value,
            "reason": write.note.reason,
            "message": write.note.message,
            "source": {"component": self._settings.component},
            "reportingComponent": self._settings.component,
            "reportingInstance": self._settings.instance,
            "firstTimestamp": _timestamp(write.first),
            "lastTimestamp": _timestamp(write.last),
            "count": write.count,
        }

    def _admit(self, admission: Admission) -> None:
        if admission is Admission.QUEUED:
            self._has_work.set()
        else:
            self._drop(DropCause(admission.value))

    def _drop(self, cause: DropCause, *, error: ApiError | None = None) -> None:
        self._metrics.events_dropped.labels(cause=cause.value).inc()
        if cause in _SILENT or cause in self._told:
            return
        self._told.add(cause)
        text = str(error) if error is not None else ""
        self._log.warning("events are dropped, said once", cause=cause.value, error=text)


def _cause(error: ApiError) -> DropCause:
    if isinstance(error, NotFoundError) or (
        isinstance(error, ForbiddenError) and _TERMINATING in error.message
    ):
        return DropCause.NAMESPACE_GONE
    return DropCause.REFUSED if isinstance(error, _HOPELESS) else DropCause.UNAVAILABLE


def _namespace(write: "EventWrite") -> str:
    return write.key.namespace or CLUSTER_SCOPED_NAMESPACE


def _last_said(write: "EventWrite") -> "JsonObject":
    change: JsonObject = {"lastTimestamp": _timestamp(write.last)}
    if write.is_combined:
        change["message"] = write.note.message
    return change


def _timestamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
