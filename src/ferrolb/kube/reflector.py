"""Keep a cache equal to what the API holds of one resource: list, watch, resume, start over.

What to ask next is decided by `reconcile.ReflectorState`; this module makes the requests, decodes
object by object, and feeds the cache.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Generic, Protocol, TypeVar

import msgspec

from ferrolb.kube.cache import ApiObject, Cache, ObjectKey, key_of
from ferrolb.kube.client import ApiClient, ListOptions, WatchOptions
from ferrolb.kube.errors import (
    ApiError,
    BadAnswerError,
    BadRequestError,
    ForbiddenError,
    GoneError,
    NotFoundError,
    ServerError,
    SilentError,
    TooManyRequestsError,
    UnreachableError,
    error_from_status,
    status_from,
)
from ferrolb.kube.jitter import half_to_full
from ferrolb.kube.resource import Resource
from ferrolb.reconcile import (
    ListComplete,
    ListPage,
    Page,
    ReflectorState,
    ReflectorTiming,
    Watch,
)
from ferrolb.telemetry import Logger, get_logger

T = TypeVar("T", bound=ApiObject)

Decode = Callable[[msgspec.Raw], T]
"""Decodes one object; raises `msgspec.DecodeError` or `ValueError` when it cannot."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReflectorOptions:
    """What to reflect, and how patiently."""

    namespace: str | None = None
    field_selector: str = ""
    """Where the server refuses it with 400, everything is listed instead: the cache then also
    holds what the selector would have left out."""
    label_selector: str = ""
    optional: bool = False
    """404 and 403 are an empty, complete list, tried again slowly (C-17). Where only the watch is
    not allowed, it is listed as slowly."""
    page_size: int = 500
    """Objects a page: a few MB for the largest kinds, decoded in some 10 ms."""
    silence_s: float = 150.0
    """A server sends a bookmark about every 60 s; two may be missed. That a peer has died, the
    kernel notices sooner (`client.py`); this is for one that lives and says nothing."""
    watch_s: int = 600
    """The longest time a watch may last; spread down to half of it, so that the watches of many
    programs do not end at the same time."""
    timing: ReflectorTiming = field(default_factory=ReflectorTiming)


class ReflectorObserver(Protocol):
    """Told what is worth counting."""

    def relisted(self, resource: Resource) -> None:
        """A complete list was taken, after the first one."""

    def undecodable(self, resource: Resource) -> None:
        """An object was skipped."""


class _ListMeta(msgspec.Struct):
    resourceVersion: str = ""
    continue_from: str | None = msgspec.field(default=None, name="continue")


class _List(msgspec.Struct):
    metadata: _ListMeta = msgspec.field(default_factory=_ListMeta)
    items: list[msgspec.Raw] | None = None


class _Event(msgspec.Struct):
    type: str
    object: msgspec.Raw


class _HeadMeta(msgspec.Struct):
    name: str = ""
    namespace: str = ""
    resourceVersion: str = ""


class _Head(msgspec.Struct):
    """What tells which object it is, whatever the rest looks like."""

    metadata: _HeadMeta = msgspec.field(default_factory=_HeadMeta)


_LIST: Final = msgspec.json.Decoder(_List)
_EVENT: Final = msgspec.json.Decoder(_Event)
_HEAD: Final = msgspec.json.Decoder(_Head)

_DECODE_ERRORS: Final = (msgspec.MsgspecError, ValueError, RecursionError)


class Reflector(Generic[T]):
    """Feeds one cache. `run` it as a task; it ends by cancellation only."""

    def __init__(
        self,
        client: ApiClient,
        resource: Resource,
        cache: Cache[T],
        *,
        decode: Decode[T],
        options: ReflectorOptions | None = None,
        observer: ReflectorObserver | None = None,
    ) -> None:
        self._client = client
        self._resource = resource
        self._cache = cache
        self._decode = decode
        self._options = options or ReflectorOptions()
        self._observer = observer
        self._path = resource.path(self._options.namespace)
        self._field_selector = self._options.field_selector
        self._state: ReflectorState[ObjectKey] = ReflectorState(
            jitter=half_to_full, timing=self._options.timing
        )
        self._log: Logger = get_logger(resource=resource.plural)
        self._failure = ""
        self._is_polling = False

    async def run(self) -> None:
        """List and watch for ever."""
        loop = asyncio.get_running_loop()
        while True:
            now = loop.time()
            request = self._state.request(now=now)
            if request is None:
                await asyncio.sleep(self._state.next_deadline() - now)
            elif isinstance(request, ListPage):
                await self._list(request)
            else:
                await self._watch(request)

    async def _list(self, request: ListPage) -> None:
        try:
            body = await self._client.list_page(
                self._path,
                ListOptions(
                    limit=self._options.page_size if request.is_paged else 0,
                    continue_from=request.continue_from,
                    field_selector=self._field_selector,
                    label_selector=self._options.label_selector,
                ),
            )
            page = _page(body)
        except BadRequestError as error:
            if not self._field_selector or request.continue_from:
                self._on_error(error)
            else:
                self._log.info("field selector refused, listing all", error=error.message)
                self._field_selector = ""
        except (NotFoundError, ForbiddenError) as error:
            if self._options.optional:
                self._on_absent(error)
            else:
                self._on_error(error)
        except ApiError as error:
            self._on_error(error)
        else:
            self._take_page(request, page)

    def _take_page(self, request: ListPage, page: _List) -> None:
        if not request.continue_from:
            self._cache.start_list(page.metadata.resourceVersion)
        keys = {key for raw in page.items or () if (key := self._take(raw)[0]) is not None}
        complete = self._state.on_page(
            Page(
                keys=frozenset(keys),
                resource_version=page.metadata.resourceVersion,
                continue_from=page.metadata.continue_from or "",
            ),
            known=self._cache.known(),
            now=_now(),
        )
        if complete is not None:
            self._cache.is_absent = False
            self._on_complete(complete)

    def _on_absent(self, error: ApiError) -> None:
        complete = self._state.on_absent(known=self._cache.known(), now=_now())
        if complete is None:
            return
        if not self._cache.is_absent:
            self._log.info("resource absent or not allowed, taken as empty", reason=error.reason)
        self._cache.is_absent = True
        self._on_complete(complete)

    def _on_complete(self, complete: ListComplete[ObjectKey]) -> None:
        for key in complete.vanished:
            self._cache.remove(key, complete.resource_version)
        if self._cache.synced.is_set() and not self._cache.is_absent:
            level = "debug" if self._is_polling else "info"
            getattr(self._log, level)("listed again", objects=len(self._cache))
            if self._observer is not None:
                self._observer.relisted(self._resource)
        self._cache.synced.set()

    async def _watch(self, request: Watch) -> None:
        options = WatchOptions(
            resource_version=request.resource_version,
            timeout_s=max(1, round(half_to_full(self._options.watch_s))),
            silence_s=self._options.silence_s,
            field_selector=self._field_selector,
            label_selector=self._options.label_selector,
        )
        try:
            async with self._client.stream_watch(self._path, options) as lines:
                self._state.on_open(now=_now())
                async for line in lines:
                    self._take_event(line)
                    self._on_success()
        except ForbiddenError as error:
            if self._options.optional and error.right is not None:
                self._on_unwatchable()
            else:
                self._on_error(error)
        except ApiError as error:
            self._on_error(error)
        else:
            self._state.on_end(now=_now())
            self._on_success()

    def _on_unwatchable(self) -> None:
        self._state.on_unwatchable(now=_now())
        if not self._is_polling:
            self._log.info("watch not allowed, listed from time to time")
        self._is_polling = True

    def _take_event(self, line: bytes) -> None:
        try:
            event = _EVENT.decode(line)
        except _DECODE_ERRORS as error:
            raise BadAnswerError(f"not a watch event: {error}") from error
        match event.type:
            case "ADDED" | "MODIFIED":
                _, version = self._take(event.object)
            case "DELETED":
                key, version = _head(event.object)
                if key is not None:
                    self._cache.remove(key, version)
            case "BOOKMARK":
                _, version = _head(event.object)
            case "ERROR":
                status = status_from(bytes(event.object))
                raise error_from_status(status.code or 500, status)
            case _:
                raise BadAnswerError(f"a watch event of type {event.type[:40]!r}")
        self._cache.advance(version)
        self._state.on_progress(version, now=_now())

    def _take(self, raw: msgspec.Raw) -> tuple[ObjectKey | None, str]:
        """Put an object into the cache; return its key, if it has one, and its version."""
        try:
            obj = self._decode(raw)
        except _DECODE_ERRORS as error:
            return self._take_unreadable(raw, str(error))
        if not obj.metadata.name:
            return self._take_unreadable(raw, "without a name")
        self._cache.put(obj)
        return key_of(obj), obj.metadata.resourceVersion

    def _take_unreadable(self, raw: msgspec.Raw, reason: str) -> tuple[ObjectKey | None, str]:
        key, version = _head(raw)
        if key is None or self._cache.put_unreadable(key, reason):
            self._log.error("object skipped, not readable", object=str(key), error=reason)
            if self._observer is not None:
                self._observer.undecodable(self._resource)
        return key, version

    def _on_error(self, error: ApiError) -> None:
        now = _now()
        match error:
            case GoneError():
                self._state.on_gone(now=now)
            case SilentError():
                self._state.on_silence(now=now)
            case UnreachableError() | TooManyRequestsError():
                self._state.on_unreachable(now=now, at_least_s=error.retry_after_s)
            case ServerError() | BadAnswerError():
                self._state.on_server_error(now=now, at_least_s=error.retry_after_s)
            case _:
                self._state.on_refused(now=now)
        if isinstance(error, (GoneError, SilentError)):
            self._log.info("watch lost", error=error.message, reason=error.reason)
            return
        # told when the cause changes, not once a try; a missing right is told by `Rights`
        is_refused = isinstance(error, ForbiddenError) and error.right is not None
        if self._failure != error.message and not is_refused:
            self._log.warning("cannot follow", error=error.message, reason=error.reason)
        self._failure = error.message

    def _on_success(self) -> None:
        """Note that a watch works: a list alone may succeed beside watches that all fail."""
        if self._failure or self._is_polling:
            self._log.info("following again", objects=len(self._cache))
        self._failure = ""
        self._is_polling = False


def _page(body: bytes) -> _List:
    try:
        return _LIST.decode(body)
    except _DECODE_ERRORS as error:
        raise BadAnswerError(f"the answer is not a list: {error}") from error


def _head(raw: msgspec.Raw) -> tuple[ObjectKey | None, str]:
    """Read key and version of any object; a bookmark has only the latter."""
    try:
        metadata = _HEAD.decode(raw).metadata
    except _DECODE_ERRORS:
        return None, ""
    key = ObjectKey(metadata.namespace, metadata.name) if metadata.name else None
    return key, metadata.resourceVersion


def _now() -> float:
    return asyncio.get_running_loop().time()
