"""The folder that a control plane works in: ours alone, watched over, gone at the end."""

import asyncio
import contextlib
import fcntl
import os
import shutil
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ferrolb.envtest import janitor
from ferrolb.runtime import StartupError

LOCK_FILE: Final = ".lock"
LOCK_S: Final = 6.0
"""Seconds to wait for a data directory. A program that was killed just now has its janitor at work
there, which takes `janitor.DEATH_S` at most."""
_POLL_S: Final = 0.02

JANITOR_S: Final = 0.3
"""Seconds for the janitor to end when it has nothing left to do; it does so without us as well."""


@dataclass(frozen=True, slots=True)
class Workplace:
    """A folder, and the process that tidies up if we cannot."""

    folder: Path
    register: int
    """Handle: whoever starts to work here writes its process id as a line."""
    janitor: asyncio.subprocess.Process


@contextlib.asynccontextmanager
async def open_workplace(
    data_dir: Path | None, *, wait_s: float = LOCK_S
) -> AsyncIterator[Workplace]:
    """Make a folder, and hold the data directory, if any, for as long.

    Raises:
        StartupError: another server uses the data directory, or no folder can be made.
    """
    async with _locked(data_dir, wait_s) as locks, _watched_over(locks) as (process, register):
        folder = await _folder_of(process)
        try:
            yield Workplace(folder, register, process)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


@contextlib.asynccontextmanager
async def _watched_over(
    locks: tuple[int, ...],
) -> AsyncIterator[tuple[asyncio.subprocess.Process, int]]:
    """Start a janitor; tell it behind, by closing its input, that its time has come."""
    reading, register = os.pipe()
    process = None
    try:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-IS",
            janitor.__file__,
            stdin=reading,
            stdout=asyncio.subprocess.PIPE,
            pass_fds=locks,  # held until the last of us has ended
            start_new_session=True,  # what kills our process group is not to kill it as well
        )
        yield process, register
    finally:
        os.close(reading)
        os.close(register)
        if process is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(JANITOR_S):
                    await process.wait()


async def _folder_of(process: asyncio.subprocess.Process) -> Path:
    line = b"" if process.stdout is None else await process.stdout.readline()
    if not line:
        raise StartupError("cannot make a folder for temporary files: is TMPDIR a directory?")
    return Path(os.fsdecode(line.rstrip(b"\n")))


@contextlib.asynccontextmanager
async def _locked(data_dir: Path | None, wait_s: float) -> AsyncIterator[tuple[int, ...]]:
    """Hold a directory, made if need be; the handles hold it in other processes too."""
    if data_dir is None:
        yield ()
        return
    with _opened(data_dir / LOCK_FILE) as handle:
        await _lock(handle, data_dir, wait_s)
        yield (handle,)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[int]:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        yield handle
    finally:
        os.close(handle)


async def _lock(handle: int, data_dir: Path, wait_s: float) -> None:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + wait_s
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if loop.time() > deadline:
                raise StartupError(f"another server uses {data_dir}") from error
            await asyncio.sleep(_POLL_S)
        else:
            return
