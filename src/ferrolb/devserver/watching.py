"""Watches: a cursor in the store's history for each watcher, woken when there is more."""

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

import msgspec

from ferrolb.devserver.statuses import gone
from ferrolb.model import JsonObject
from ferrolb.store import Change, ExpiredError, ResourceId, Store, project

MAX_WATCHES: Final = 1000
"""Watches open at one time; each holds a connection and a few kB. A test cluster of three nodes
has some 60."""

MAX_BATCH: Final = 256
"""Events written to a watcher at once, so that one far behind does not hold up the others."""

KEPT_ENCODINGS: Final = 1024
"""Encoded events kept for further watchers of the same change. They are woken together, so this
need only cover what one burst of writes brings."""

BOOKMARK_INTERVAL_S: Final = 30.0
"""A watcher that asked for bookmarks gets one this often: twice as often as a real server sends
them, so that a resumed watch rarely meets a forgotten version."""

MIN_TIMEOUT_S: Final = 1800
"""A watch without timeoutSeconds ends after between one and two times this, as on a real server."""

INITIAL_EVENTS_END: Final = "k8s.io/initial-events-end"
"""Annotation of the bookmark that follows the initial events of a streamed list."""

_ENCODER: Final = msgspec.json.Encoder()


class Encode(Protocol):
    """Makes the `object` of an event, in the representation that the watcher asked for."""

    def __call__(self, change: Change, *, is_first: bool) -> bytes:
        """Encode; the first event is told apart because a Table names its columns there only."""
        ...


class MakeBookmark(Protocol):
    """Makes the `object` of a bookmark."""

    def __call__(self, version: int, *, ends_initial: bool) -> JsonObject:
        """Return the bookmark at a version, which may be the one that ends the initial events."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchRequest:
    """What a watcher wants to see, and from where."""

    resource: ResourceId
    namespace: str | None
    matches: "Callable[[JsonObject], bool] | None"
    since: int
    initial: Sequence[Change]
    """Objects to send as added before the changes after `since`."""
    marks_initial_end: bool
    bookmarks: bool
    timeout_s: float
    encoding: str
    """Names the representation: watchers with the same one share encoded events."""
    encode: Encode
    is_first_different: bool
    """Whether the first event is encoded otherwise than those that follow."""
    bookmark: MakeBookmark


@dataclass(slots=True)
class Hub:
    """Wakes watchers, and keeps encoded events for those that follow."""

    store: Store
    published: int = 0
    """Changes up to this version may be shown: they are as durable as they will get."""
    is_closed: bool = False
    open_watches: int = 0
    _waiting: dict[ResourceId, set[asyncio.Event]] = field(default_factory=dict)
    _encoded: OrderedDict[tuple[int, str, str], bytes] = field(default_factory=OrderedDict)

    def publish(self, version: int) -> None:
        """Show all changes up to a version to the watchers."""
        previous, self.published = self.published, max(self.published, version)
        for resource, events in self._waiting.items():
            if events and self.store.latest(resource) > previous:
                for event in events:
                    event.set()

    def close(self) -> None:
        """End all watches, and let no new one begin."""
        self.is_closed = True
        for events in self._waiting.values():
            for event in events:
                event.set()

    @contextlib.contextmanager
    def subscribed(self, resource: ResourceId) -> Iterator[asyncio.Event]:
        """Return an event that is set whenever there may be more of a resource."""
        event = asyncio.Event()
        events = self._waiting.setdefault(resource, set())
        events.add(event)
        self.open_watches += 1
        try:
            yield event
        finally:
            self.open_watches -= 1
            events.discard(event)

    def encoded(self, change: Change, request: WatchRequest) -> bytes:
        """Return the line of a change, made once for all watchers of one representation."""
        place = (change.resource_version, change.type.value, request.encoding)
        line = self._encoded.get(place)
        if line is None:
            line = event_line(change.type.value, request.encode(change, is_first=False))
            self._encoded[place] = line
            if len(self._encoded) > KEPT_ENCODINGS:
                self._encoded.popitem(last=False)
        return line


def event_line(kind: str, encoded: bytes) -> bytes:
    """Return one event as it goes over the wire."""
    return b'{"type":"%b","object":%b}\n' % (kind.encode("ascii"), encoded)


def bookmark_line(request: WatchRequest, version: int, *, ends_initial: bool = False) -> bytes:
    """Return a bookmark at a version."""
    return event_line(
        "BOOKMARK", _ENCODER.encode(request.bookmark(version, ends_initial=ends_initial))
    )


def expired_line(reason: str) -> bytes:
    """Return the event that ends a watch whose next change is forgotten."""
    return event_line("ERROR", _ENCODER.encode(gone(reason).refusal.status))


async def stream(hub: Hub, request: WatchRequest) -> AsyncGenerator[bytes, None]:
    """Send what a watcher asked for until it times out, the server stops, or it is cancelled."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + request.timeout_s
    cursor = _Cursor(hub, request)
    with hub.subscribed(request.resource) as more:
        for lines in cursor.initial():
            yield lines
        bookmark_at = loop.time() + BOOKMARK_INTERVAL_S
        while not hub.is_closed:
            more.clear()
            lines = cursor.advance()
            if lines:
                yield lines
            if cursor.is_expired or loop.time() >= deadline:
                break
            if cursor.is_behind:
                continue
            if request.bookmarks and loop.time() >= bookmark_at:
                bookmark_at = loop.time() + BOOKMARK_INTERVAL_S
                yield bookmark_line(request, cursor.position)
            await _wait(more, min(bookmark_at, deadline) if request.bookmarks else deadline)
        if request.bookmarks and not cursor.is_expired:
            yield bookmark_line(request, cursor.position)


async def _wait(event: asyncio.Event, deadline: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout_at(deadline):
            await event.wait()


class _Cursor:
    """How far one watcher has come."""

    def __init__(self, hub: Hub, request: WatchRequest) -> None:
        self._hub = hub
        self._request = request
        self.position = request.since
        self.is_expired = False
        self.is_behind = False
        self._is_first = request.is_first_different

    def initial(self) -> Iterator[bytes]:
        """Return the initial events, a batch at a time, with the bookmark that ends them."""
        changes = self._request.initial
        for start in range(0, len(changes), MAX_BATCH):
            batch = changes[start : start + MAX_BATCH]
            yield b"".join(self._line(change) for change in batch)
        if self._request.marks_initial_end:
            yield bookmark_line(self._request, self.position, ends_initial=True)

    def advance(self) -> bytes:
        """Return the lines of the next changes, empty when there are none to show."""
        request, hub = self._request, self._hub
        self.is_behind = False
        try:
            changes = hub.store.changes_since(request.resource, request.namespace, self.position)
        except ExpiredError as error:
            self.is_expired = True
            return expired_line(str(error))
        lines: list[bytes] = []
        for change in changes:
            if change.resource_version > hub.published:
                return b"".join(lines)
            if len(lines) >= MAX_BATCH:
                self.is_behind = True
                return b"".join(lines)
            self.position = change.resource_version
            seen = change if request.matches is None else project(change, request.matches)
            if seen is not None:
                lines.append(self._line(seen))
        self.position = max(self.position, hub.published)
        return b"".join(lines)

    def _line(self, change: Change) -> bytes:
        is_shared = bool(change.resource_version) and not self._is_first
        if is_shared:
            return self._hub.encoded(change, self._request)
        encoded = self._request.encode(change, is_first=self._is_first)
        self._is_first = False
        return event_line(change.type.value, encoded)
