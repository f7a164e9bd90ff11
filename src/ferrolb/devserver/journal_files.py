"""The files of a journal: which there are, how they are read and written.

`<n>.snapshot` holds all objects, `<n>.log` the changes after it. A new number begins with an empty
log, then its snapshot appears whole, then the files of lower numbers go, and only then is the log
written to. So at any moment the highest snapshot and the log of its number hold everything.
"""

import fcntl
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ferrolb.devserver.journal_format import (
    HEADER,
    Contents,
    DamagedError,
    decode_changes,
    decode_snapshot,
    encode_snapshot,
    frame,
    read_frames,
)
from ferrolb.store import Snapshot, Store, StoreError

_FILE: Final = re.compile(r"(\d{8})\.(snapshot|log)")
_LOCK: Final = "lock"
_PARTIAL: Final = ".partial"
_ADVICE: Final = (
    "nothing was changed; restore the directory from a copy, or move it away to start empty"
)


class JournalError(Exception):
    """The data directory cannot be used, or no longer; the server cannot go on with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """What a data directory held: for one line of log.

    `torn_bytes` is what the end of the log lost to a crash: writes that nobody was told of.
    """

    is_new: bool
    objects: int
    changes: int
    torn_bytes: int


class Log:
    """A log open for appending; a failed write leaves it unusable."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        self.size_bytes = 0
        self._write(HEADER)

    def append(self, records: Iterable[bytes]) -> None:
        """Write records as one frame; they are on the disk when this returns."""
        self._write(frame(b"\n".join(records)))

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self._file, view) :]
        os.fsync(self._file)
        self.size_bytes += len(data)


class Directory:
    """A data directory that no other server uses as long as this one holds it."""

    def __init__(self, path: Path) -> None:
        """Make the directory if there is none, and lock it.

        Raises:
            JournalError: another server uses it, or it cannot be written.
        """
        self.path = path
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = os.open(path / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise JournalError(f"cannot use data directory {path}: {error}") from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.read(self._lock, 32).decode("ascii", "replace").strip() or "unknown"
            os.close(self._lock)
            raise JournalError(
                f"data directory {path} is in use by another server (process {holder})"
            ) from error
        os.ftruncate(self._lock, 0)
        os.pwrite(self._lock, f"{os.getpid()}\n".encode(), 0)

    def recover(self, store: Store) -> Recovery:
        """Fill an empty store with what the files hold.

        Raises:
            JournalError: a file is missing, or damaged elsewhere than at the end of the log.
        """
        snapshots, logs = self._numbers("snapshot"), self._numbers("log")
        current = max(snapshots, default=0)
        objects = self._load_snapshot(current, store) if current else 0
        changes = torn_bytes = 0
        if current:
            changes, torn_bytes = self._replay(current, store)
        for number in logs:
            if number > current and self._read(self._path(number, "log")).payloads:
                path = self._path(number, "snapshot")
                raise JournalError(f"{path} is missing; {_ADVICE}")
        return Recovery(is_new=not current, objects=objects, changes=changes, torn_bytes=torn_bytes)

    def begin(self, snapshot: Snapshot) -> Log:
        """Start a new number with a snapshot; files of lower numbers go once it is on the disk."""
        numbers = self._numbers("log") + self._numbers("snapshot")
        number = max(numbers, default=0) + 1
        log = Log(self._path(number, "log"))
        self._sync()
        self._write_snapshot(number, snapshot)
        self._sync()
        for path in self.path.iterdir():
            match = _FILE.fullmatch(path.name)
            if (match and int(match[1]) < number) or path.suffix == _PARTIAL:
                path.unlink()
        return log

    def close(self) -> None:
        """Let go of the directory."""
        os.close(self._lock)

    def _path(self, number: int, suffix: str) -> Path:
        return self.path / f"{number:08}.{suffix}"

    def _numbers(self, suffix: str) -> list[int]:
        matches = (_FILE.fullmatch(path.name) for path in self.path.iterdir())
        return sorted(int(match[1]) for match in matches if match and match[2] == suffix)

    def _load_snapshot(self, number: int, store: Store) -> int:
        path = self._path(number, "snapshot")
        try:
            snapshot = decode_snapshot(self._read(path))
        except DamagedError as error:
            raise JournalError(f"{path} is unusable: {error}; {_ADVICE}") from error
        store.restore(snapshot)
        return len(snapshot.objects)

    def _replay(self, number: int, store: Store) -> tuple[int, int]:
        """Replay a log; return how many changes it held, and its torn bytes."""
        path = self._path(number, "log")
        contents = self._read(path)
        count = 0
        try:
            for payload in contents.payloads:
                changes = list(decode_changes(payload))
                store.replay(changes)
                count += len(changes)
        except (DamagedError, StoreError) as error:
            raise JournalError(f"{path} is unusable: {error}; {_ADVICE}") from error
        return count, contents.torn_bytes

    @staticmethod
    def _read(path: Path) -> Contents:
        try:
            return read_frames(path.read_bytes())
        except FileNotFoundError as error:
            raise JournalError(f"{path} is missing; {_ADVICE}") from error
        except DamagedError as error:
            raise JournalError(f"{path} is unusable: {error}; {_ADVICE}") from error

    def _write_snapshot(self, number: int, snapshot: Snapshot) -> None:
        path = self._path(number, "snapshot")
        partial = path.with_suffix(_PARTIAL)
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        with os.fdopen(os.open(partial, flags, 0o600), "wb") as file:
            file.write(HEADER)
            for payload in encode_snapshot(snapshot):
                file.write(frame(payload))
            file.flush()
            os.fsync(file.fileno())
        partial.rename(path)

    def _sync(self) -> None:
        descriptor = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
