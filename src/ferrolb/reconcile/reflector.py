"""What a reflector asks the API for next, from what came of its last request.

The machine knows nothing of objects, only of keys, versions and time. Requests go out as values;
what happened comes in by one `on_…` method for each thing that can happen.
"""

from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final, Generic, TypeAlias, TypeVar

from ferrolb.reconcile.backoff import Backoff, Jitter
from ferrolb.reconcile.errors import ReconcileError

K = TypeVar("K", bound=Hashable)


class State(Enum):
    """What the next request is."""

    LIST = auto()
    """The first page."""
    PAGE = auto()
    """A further page."""
    WATCH = auto()


class Input(Enum):
    """What can come of a request."""

    PAGE_MORE = auto()
    """A page with more behind it."""
    PAGE_LAST = auto()
    GONE = auto()
    """410: version or page token too old."""
    REFUSED = auto()
    """Another answer that repeating the same request will not change."""
    ABSENT = auto()
    """The resource, or a watch of it, does not exist here or is not for us; that is allowed."""
    UNREACHABLE = auto()
    """No answer, a broken connection, or "later"."""
    PROGRESS = auto()
    """A line of a watch that carries a version."""
    ENDED = auto()
    """A watch that worked ended in order."""
    ENDED_EARLY = auto()
    """A watch ended in order at once: something between us closes it."""
    STRIKE = auto()
    """The watch could be resumed but brought nothing for too long, or the server failed."""
    STRUCK_OUT = auto()
    """The last strike allowed: perhaps the server does not know our version."""


class Pause(Enum):
    """How long to wait before the next request."""

    NONE = auto()
    BACKOFF = auto()
    ABSENT = auto()


TRANSITIONS: Final[dict[tuple[State, Input], tuple[State, Pause]]] = {
    (State.LIST, Input.PAGE_MORE): (State.PAGE, Pause.NONE),
    (State.LIST, Input.PAGE_LAST): (State.WATCH, Pause.NONE),
    (State.LIST, Input.GONE): (State.LIST, Pause.BACKOFF),
    (State.LIST, Input.REFUSED): (State.LIST, Pause.BACKOFF),
    (State.LIST, Input.ABSENT): (State.LIST, Pause.ABSENT),
    (State.LIST, Input.UNREACHABLE): (State.LIST, Pause.BACKOFF),
    (State.PAGE, Input.PAGE_MORE): (State.PAGE, Pause.NONE),
    (State.PAGE, Input.PAGE_LAST): (State.WATCH, Pause.NONE),
    (State.PAGE, Input.GONE): (State.LIST, Pause.BACKOFF),
    (State.PAGE, Input.REFUSED): (State.LIST, Pause.BACKOFF),
    (State.PAGE, Input.ABSENT): (State.LIST, Pause.ABSENT),
    (State.PAGE, Input.UNREACHABLE): (State.PAGE, Pause.BACKOFF),
    (State.WATCH, Input.GONE): (State.LIST, Pause.BACKOFF),
    (State.WATCH, Input.REFUSED): (State.LIST, Pause.BACKOFF),
    (State.WATCH, Input.ABSENT): (State.LIST, Pause.ABSENT),
    (State.WATCH, Input.UNREACHABLE): (State.WATCH, Pause.BACKOFF),
    (State.WATCH, Input.PROGRESS): (State.WATCH, Pause.NONE),
    (State.WATCH, Input.ENDED): (State.WATCH, Pause.NONE),
    (State.WATCH, Input.ENDED_EARLY): (State.WATCH, Pause.BACKOFF),
    (State.WATCH, Input.STRIKE): (State.WATCH, Pause.BACKOFF),
    (State.WATCH, Input.STRUCK_OUT): (State.LIST, Pause.BACKOFF),
}
"""A pair not listed cannot happen: `ReconcileError`."""

DEFAULT_BACKOFF: Final = Backoff(base_s=0.2, cap_s=15.0)
"""Waits stay about as long as the outage has lasted; 15 s bounds how late its end is noticed. A
thousand speakers at the cap are some hundred requests a second on a server that comes back."""

MAX_STRIKES: Final = 2
"""A server restored from a backup accepts our version, which lies in its future, and says nothing
for ever. More strikes notice that later; fewer make a server without bookmarks list oftener."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReflectorTiming:
    """Waits of a reflector, in seconds."""

    backoff: Backoff = DEFAULT_BACKOFF
    healthy_after_s: float = 5.0
    """A watch that lasted this long worked, although it brought nothing."""
    absent_retry_s: float = 60.0
    """How soon a resource that comes into being is noticed; each try is one small request."""
    absent_grace_s: float = 30.0
    """How long objects are kept while their resource seems absent: servers that start, or roles
    that are being replaced, answer so for a moment."""


@dataclass(frozen=True, slots=True)
class ListPage:
    """Ask for a page: the first one with an empty token; everything at once if not `is_paged`."""

    continue_from: str
    is_paged: bool


@dataclass(frozen=True, slots=True)
class Watch:
    """Watch from this version on."""

    resource_version: str


Request: TypeAlias = ListPage | Watch


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[K]):
    """What a page of a list brought."""

    keys: frozenset[K]
    resource_version: str
    continue_from: str = ""


@dataclass(frozen=True, slots=True)
class ListComplete(Generic[K]):
    """A list is complete; `vanished` are the known keys that it does not hold any more."""

    resource_version: str
    vanished: frozenset[K] = field(default_factory=frozenset)


class ReflectorState(Generic[K]):
    """One reflector: `request`, then tell what happened, and again from the start."""

    def __init__(self, *, jitter: Jitter, timing: ReflectorTiming | None = None) -> None:
        self._jitter = jitter
        self._timing = timing or ReflectorTiming()
        self._state = State.LIST
        self._not_before = 0.0
        self._failures = 0
        self._strikes = 0
        self._is_paged = True
        self._token = ""
        self._version = ""
        self._seen: set[K] = set()
        self._opened_at: float | None = None
        self._has_progress = False
        self._absent_since: float | None = None

    @property
    def resource_version(self) -> str:
        """The version up to which everything has been seen, empty before the first page."""
        return self._version

    def next_deadline(self) -> float:
        """Return from when on the next request may be made."""
        return self._not_before

    def request(self, *, now: float) -> Request | None:
        """Return the request to make, None before `next_deadline`."""
        if now < self._not_before:
            return None
        if self._state is State.WATCH:
            self._opened_at = None
            self._has_progress = False
            return Watch(self._version)
        if self._state is State.LIST:
            self._seen.clear()
            self._token = ""
        return ListPage(self._token, self._is_paged)

    def on_page(self, page: Page[K], *, known: Iterable[K], now: float) -> ListComplete[K] | None:
        """Take a page; after the last one, return the outcome of the whole list."""
        self._absent_since = None
        if self._state is State.LIST:
            # an inconsistent later page may be newer: what it missed comes again by the watch
            self._version = page.resource_version
        self._seen |= page.keys
        self._token = page.continue_from
        if page.continue_from:
            self._enter(Input.PAGE_MORE, now)
            return None
        self._enter(Input.PAGE_LAST, now)
        vanished = frozenset(known) - self._seen
        self._seen.clear()
        self._is_paged = True
        self._strikes = 0
        return ListComplete(self._version, vanished)

    def on_absent(self, *, known: Iterable[K], now: float) -> ListComplete[K] | None:
        """The list was answered by "no such resource" or "forbidden", and that is allowed.

        It counts as an empty list: at once if nothing is known, else after the grace time.
        """
        gone = frozenset(known)
        if self._absent_since is None:
            self._absent_since = now
        if gone and now - self._absent_since < self._timing.absent_grace_s:
            self._enter(Input.REFUSED, now)
            return None
        self._enter(Input.ABSENT, now)
        return ListComplete("", gone)

    def on_gone(self, *, now: float) -> None:
        """410, as status of a list or a watch or as an ERROR event of a watch."""
        if self._state is State.PAGE:
            # listing takes longer than the server keeps versions: take it in one piece
            self._is_paged = False
        self._enter(Input.GONE, now)

    def on_refused(self, *, now: float) -> None:
        """The server answered, and would answer the same again."""
        self._enter(Input.REFUSED, now)

    def on_unwatchable(self, *, now: float) -> None:
        """The roles grant lists but no watch, and that is allowed: list again slowly."""
        self._enter(Input.ABSENT, now)

    def on_unreachable(self, *, now: float, at_least_s: float = 0.0) -> None:
        """No answer, a connection that broke, or a server that asks for `at_least_s` of rest."""
        self._forgive(now)
        self._enter(Input.UNREACHABLE, now, at_least_s=at_least_s)

    def on_server_error(self, *, now: float, at_least_s: float = 0.0) -> None:
        """The server answered that it could not."""
        if self._state is State.WATCH:
            self._strike(now, at_least_s=at_least_s)
        else:
            self._enter(Input.UNREACHABLE, now, at_least_s=at_least_s)

    def on_open(self, *, now: float) -> None:
        """The watch was accepted."""
        self._opened_at = now

    def on_progress(self, resource_version: str, *, now: float) -> None:
        """The watch brought an object or a bookmark of this version."""
        self._has_progress = True
        self._failures = 0
        self._strikes = 0
        self._version = resource_version or self._version
        self._enter(Input.PROGRESS, now)

    def on_end(self, *, now: float) -> None:
        """The server ended the watch in order."""
        is_healthy = self._has_progress or self._has_lasted(now)
        self._forgive(now)
        self._enter(Input.ENDED if is_healthy else Input.ENDED_EARLY, now)

    def on_silence(self, *, now: float) -> None:
        """The watch brought nothing for longer than bookmarks are apart."""
        self._strike(now)

    def _strike(self, now: float, *, at_least_s: float = 0.0) -> None:
        self._strikes += 1
        struck_out = self._strikes >= MAX_STRIKES
        self._enter(Input.STRUCK_OUT if struck_out else Input.STRIKE, now, at_least_s=at_least_s)

    def _has_lasted(self, now: float) -> bool:
        opened_at = self._opened_at
        return opened_at is not None and now - opened_at >= self._timing.healthy_after_s

    def _forgive(self, now: float) -> None:
        if self._has_lasted(now):
            self._failures = 0

    def _enter(self, happened: Input, now: float, *, at_least_s: float = 0.0) -> None:
        transition = TRANSITIONS.get((self._state, happened))
        if transition is None:
            raise ReconcileError(f"{happened.name} cannot happen in {self._state.name}")
        self._state, pause = transition
        if pause is Pause.NONE:
            self._not_before = now
        elif pause is Pause.ABSENT:
            self._failures = 0
            self._not_before = now + self._jitter(self._timing.absent_retry_s)
        else:
            self._failures += 1
            delay = self._timing.backoff.delay_s(self._failures, self._jitter)
            self._not_before = now + max(delay, at_least_s)
