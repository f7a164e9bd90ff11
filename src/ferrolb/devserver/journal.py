"""Keeps the objects of the dev API server over a restart and a kill -9.

Every change is appended in the same step as it enters the store, and acknowledged when `commit`
returns: then it is on the disk. Writes that wait at the same time share one fsync, which runs in a
thread of its own. Watchers may see a change a moment before it is on the disk; should a crash take
it back, the resourceVersion that it had is never used again (`RESTART_GAP`).
"""

import asyncio
from collections import deque
from pathlib import Path
from typing import Final

from ferrolb.devserver.journal_files import Directory, JournalError, Log, Recovery
from ferrolb.devserver.journal_format import encode_change
from ferrolb.store import Change, Snapshot, Store

LOG_LIMIT_BYTES: Final = 32 * 1024 * 1024
"""A log beyond this makes room for a new snapshot and log. Some 20,000 changes of Services; a
larger one takes longer to read at the start. Commits wait while a snapshot is written: some 0.1 s
for 10,000 Services."""

RESTART_GAP: Final = 10_000
"""Versions skipped at each start: more than changes that can wait for the disk at one time."""


class Journal:
    """Writes the changes of one store to a data directory.

    `run` has to run as long as `commit` is used. After a failed write every `commit` raises, and
    the server has to stop: what it shows is no longer what it keeps.
    """

    def __init__(self, path: Path, store: Store, *, log_limit_bytes: int = LOG_LIMIT_BYTES) -> None:
        """Lock the directory and fill the store, which must be empty, with what is there.

        Raises:
            JournalError: another server uses the directory, or what is in it is damaged.
        """
        self._store = store
        self._log_limit_bytes = log_limit_bytes
        self._pending: list[bytes] = []
        self._appended = 0
        self._durable = 0
        self._waiters: deque[tuple[int, asyncio.Future[None]]] = deque()
        self._wake = asyncio.Event()
        self._failure: BaseException | None = None
        self._directory = Directory(path)
        try:
            self.recovered: Recovery = self._directory.recover(store)
            if not self.recovered.is_new:
                store.skip_to(store.resource_version + RESTART_GAP)
            self._log: Log = self._directory.begin(store.snapshot())
        except OSError as error:
            self._directory.close()
            raise JournalError(f"cannot use data directory {path}: {error}") from error
        except JournalError:
            self._directory.close()
            raise

    def append(self, change: Change) -> None:
        """Queue a change for the disk, in the same step as the store made it."""
        self._pending.append(encode_change(change))
        self._appended += 1

    async def commit(self) -> None:
        """Return when all changes appended so far are on the disk.

        Raises:
            JournalError: they are not, and never will be.
        """
        if self._failure is not None:
            raise JournalError(f"the journal has failed: {self._failure}") from self._failure
        if self._durable >= self._appended:
            return
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append((self._appended, waiter))
        self._wake.set()
        await waiter

    async def run(self) -> None:
        """Write what is committed, until cancelled.

        Raises:
            JournalError: a write has failed.
        """
        while True:
            await self._wake.wait()
            self._wake.clear()
            # what waits was appended before, and is in the store: a snapshot now covers it
            records, self._pending = self._pending, []
            if not records:
                continue
            target = self._appended
            is_full = self._log.size_bytes > self._log_limit_bytes
            snapshot = self._store.snapshot() if is_full else None
            write = asyncio.ensure_future(asyncio.to_thread(self._write, records, snapshot))
            try:
                await asyncio.wait([write])
            finally:
                # the thread goes on when this task is cancelled, and its files must stay open
                await asyncio.wait([write])
                self._settle(write.exception(), target)

    def close(self) -> None:
        """Write what is left and let go of the directory; `run` has ended before.

        Raises:
            JournalError: what is left cannot be written.
        """
        try:
            if self._pending and self._failure is None:
                self._log.append(self._pending)
                self._acknowledge(self._appended)
        except OSError as error:
            raise JournalError(f"cannot write the journal: {error}") from error
        finally:
            self._log.close()
            self._directory.close()

    def _write(self, records: list[bytes], snapshot: Snapshot | None) -> None:
        """Make the records durable: by a snapshot that holds them, or in the log."""
        if snapshot is None:
            self._log.append(records)
            return
        old, self._log = self._log, self._directory.begin(snapshot)
        old.close()

    def _settle(self, failure: BaseException | None, target: int) -> None:
        """Tell those who wait what became of the changes up to `target`."""
        if failure is None:
            self._acknowledge(target)
            return
        self._failure = failure
        message = f"cannot write the journal: {failure}"
        for _, waiter in self._waiters:
            if not waiter.done():
                waiter.set_exception(JournalError(message))
        self._waiters.clear()
        raise JournalError(message) from failure

    def _acknowledge(self, target: int) -> None:
        self._durable = target
        while self._waiters and self._waiters[0][0] <= target:
            waiter = self._waiters.popleft()[1]
            if not waiter.done():
                waiter.set_result(None)
