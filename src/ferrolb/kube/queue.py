"""Work the keys of a `reconcile.Queue`: many at once, one worker a key, failures again later."""

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from dataclasses import dataclass
from typing import Any, Final, Generic, Protocol, TypeVar

from ferrolb.kube.errors import ApiError, ConflictError, ForbiddenError
from ferrolb.kube.jitter import half_to_full
from ferrolb.reconcile import Queue
from ferrolb.telemetry import Logger, get_logger

K = TypeVar("K", bound=Hashable)

DEFAULT_WORKERS: Final = 16
"""As many writes on their way at once as a bare client needs to keep one API server busy."""

DEFAULT_GRACE_S: Final = 1.0
"""Time for running passes at the end; a program has 2 s in all."""


REFUSED_RETRY_S: Final = 10.0
"""Seconds at least until a pass is repeated that the roles did not allow: somebody has to change
them, and sees soon enough that it helped."""


@dataclass(frozen=True, slots=True)
class RequeueAfter:
    """A pass succeeded and wants another one in so many seconds."""

    delay_s: float


Handle = Callable[[K], Coroutine[Any, Any, RequeueAfter | None]]


class QueueObserver(Protocol):
    """Told what is worth counting."""

    def worked(self) -> None:
        """A pass ended, well or not."""

    def failed(self, error: BaseException) -> None:
        """A pass raised; it is tried again."""


class QueueDriver(Generic[K]):
    """Runs one pass a key, up to `workers` at a time.

    A pass that raises is logged, counted and tried again with growing waits, whatever it raised:
    this is the task supervisor of passes. Keys may be added before `run`.
    """

    def __init__(
        self,
        name: str,
        handle: Handle[K],
        *,
        workers: int = DEFAULT_WORKERS,
        grace_s: float = DEFAULT_GRACE_S,
        observer: QueueObserver | None = None,
    ) -> None:
        self._name = name
        self._handle = handle
        self._workers = workers
        self._grace_s = grace_s
        self._observer = observer
        self._queue: Queue[K] = Queue(jitter=half_to_full)
        self._tasks: dict[asyncio.Task[RequeueAfter | None], K] = {}
        self._wake = asyncio.Event()
        self._is_stopping = False
        self.idle = asyncio.Event()
        """Set while no key waits for a worker or is being worked."""
        self.idle.set()
        self._log: Logger = get_logger(queue=name)

    @property
    def pending(self) -> int:
        """How many keys wait for a worker or are being worked; delayed ones do not count."""
        return self._queue.ready + self._queue.running

    def add(self, key: K) -> None:
        """Ask for a pass over `key` as soon as possible."""
        self._queue.add(key)
        self.idle.clear()
        self._wake.set()

    def add_after(self, key: K, delay_s: float) -> None:
        """Ask for a pass over `key` in `delay_s` seconds; the earliest of several wishes counts."""
        self._queue.add_after(key, delay_s, now=_now())
        self._wake.set()

    def stop(self) -> None:
        """Start no more passes; `run` returns when those running have ended or had their grace."""
        self._is_stopping = True
        self._wake.set()

    async def run(self) -> None:
        """Work until `stop` or cancellation; either way, running passes get `grace_s` to end."""
        try:
            while not self._is_stopping:
                self._wake.clear()
                self._start_passes()
                await self._wait()
        finally:
            self._is_stopping = True
            await self._end_passes()

    def _start_passes(self) -> None:
        while len(self._tasks) < self._workers:
            key = self._queue.take(now=_now())
            if key is None:
                return
            task = asyncio.create_task(self._handle(key), name=f"{self._name} {key}")
            self._tasks[task] = key
            self.idle.clear()
            task.add_done_callback(self._take_back)

    async def _wait(self) -> None:
        """Wait for a wake-up or, if a worker is free, for the next deadline."""
        deadline = self._queue.next_deadline() if len(self._tasks) < self._workers else None
        if deadline is None:
            await self._wake.wait()
            return
        timer = asyncio.get_running_loop().call_at(deadline, self._wake.set)
        try:
            await self._wake.wait()
        finally:
            timer.cancel()

    async def _end_passes(self) -> None:
        if not self._tasks:
            return
        _, late = await asyncio.wait(tuple(self._tasks), timeout=self._grace_s)
        for task in late:
            self._log.warning("pass cut off", key=str(self._tasks[task]))
            task.cancel()
        if late:
            await asyncio.wait(late)

    def _take_back(self, task: asyncio.Task[RequeueAfter | None]) -> None:
        key = self._tasks.pop(task)
        error = asyncio.CancelledError() if task.cancelled() else task.exception()
        if error is None:
            self._queue.done(key)
            again = task.result()
            if again is not None:
                self._queue.add_after(key, again.delay_s, now=_now())
        elif task.cancelled() and self._is_stopping:
            # cut off at the end, which has been said: no failure, and nothing to be tried again
            self._queue.done(key)
        else:
            self._fail(key, error)
        if self._observer is not None:
            self._observer.worked()
        if not self.pending:
            self.idle.set()
        self._wake.set()

    def _fail(self, key: K, error: BaseException) -> None:
        is_refused = isinstance(error, ForbiddenError) and error.right is not None
        asked_s = error.retry_after_s if isinstance(error, ApiError) else 0.0
        asked_s = max(asked_s, REFUSED_RETRY_S) if is_refused else asked_s
        delay_s = self._queue.failed(key, now=_now(), at_least_s=asked_s)
        if self._observer is not None:
            self._observer.failed(error)
        fields = {"key": str(key), "error": repr(error), "retry_s": round(delay_s, 3)}
        if isinstance(error, ConflictError):
            # ordinary: the object changed under the pass, which now looks again
            self._log.debug("pass in conflict", **fields)
        elif is_refused:
            # what is missing is said once, by `Rights`
            self._log.debug("pass not allowed", **fields)
        elif isinstance(error, ApiError):
            self._log.warning("pass failed", **fields)
        else:
            self._log.error("pass failed", exc_info=error, **fields)


def _now() -> float:
    return asyncio.get_running_loop().time()
