"""The programs of a control plane as children: started, watched, and ended together."""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Final, TypeVar

from ferrolb.envtest.workplace import Workplace
from ferrolb.runtime import StartupError

STOP_S: Final = 1.0
"""Seconds from SIGTERM until a program is killed: requests under way are given as long by the dev
API server. The API server would wait for a minute while a watch is open."""

LAST_LINES: Final = 12
"""Lines of a log shown when its program has ended by itself: a Go panic's reason and some more."""
_LINE_CHARS: Final = 400
"""Of each: a line of kube-apiserver may hold a whole configuration."""
_LOG_TAIL_BYTES: Final = 64 * 1024

_ENTER: Final = 'echo $$ >&0 && exec "$0" "$@" </dev/null'
"""A child tells the janitor of itself before it becomes the program: from its first moment on there
is none that the janitor neither knows nor waits for, since it holds the other end until then."""

_T = TypeVar("_T")


class Crew:
    """The children that work in one place. If one of them ends by itself, that is a failure."""

    def __init__(self, place: Workplace, environment: Mapping[str, str]) -> None:
        self._place = place
        # etcd takes each of its options from the environment as well
        self._environment = {
            name: value for name, value in environment.items() if not name.startswith("ETCD_")
        }
        self._members: dict[str, asyncio.subprocess.Process] = {}
        self._ends = {asyncio.ensure_future(place.janitor.wait()): "janitor"}

    @property
    def folder(self) -> Path:
        """Where they work."""
        return self._place.folder

    def log_of(self, name: str) -> Path:
        """Return where a child's output goes."""
        return self._place.folder / f"{name}.log"

    async def start(self, name: str, argv: Sequence[str]) -> None:
        """Start a child in the folder, with its output in a file there."""
        with self.log_of(name).open("wb") as log:
            member = await asyncio.create_subprocess_exec(
                "/bin/sh",
                "-c",
                _ENTER,
                *argv,
                cwd=self._place.folder,
                env=self._environment,
                stdin=self._place.register,
                stdout=log,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for us; we end them in order
            )
        self._members[name] = member
        self._ends[asyncio.ensure_future(member.wait())] = name

    async def while_working(self, task: Coroutine[object, object, _T]) -> _T:
        """Run something that needs them all.

        Raises:
            StartupError: one has ended; the text shows what it said last.
        """
        work = asyncio.ensure_future(task)
        try:
            await asyncio.wait([work, *self._ends], return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                raise StartupError(self._what_ended())
            return await work
        finally:
            work.cancel()
            await asyncio.wait([work])

    async def end(self) -> None:
        """End them: the store last, so that the others find it while they do."""
        for names in (set(self._members) - {"etcd"}, {"etcd"} & set(self._members)):
            await asyncio.gather(*(_end(self._members[name]) for name in names))
        for waiting in self._ends:
            waiting.cancel()

    def _what_ended(self) -> str:
        name = next(name for waiting, name in self._ends.items() if waiting.done())
        if name == "janitor":
            return "the process that cleans up behind this one was killed"
        status = self._members[name].returncode or 0
        how = f"was killed by signal {-status}" if status < 0 else f"exited with status {status}"
        words = last_lines(self.log_of(name))
        return f"{name} {how}; its last lines:\n{words}" if words else f"{name} {how}"


@contextlib.asynccontextmanager
async def gathered(place: Workplace, environment: Mapping[str, str]) -> AsyncIterator[Crew]:
    """Give a crew without members; end all of them behind."""
    crew = Crew(place, environment)
    try:
        yield crew
    finally:
        await crew.end()


async def _end(member: asyncio.subprocess.Process) -> None:
    if member.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        member.send_signal(signal.SIGTERM)
    try:
        async with asyncio.timeout(STOP_S):
            await member.wait()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            member.kill()
        await member.wait()


def last_lines(log: Path) -> str:
    """Return the end of a log, indented; empty if there is none."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _LOG_TAIL_BYTES))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return ""
    return "\n".join(f"  {line[:_LINE_CHARS]}" for line in text.splitlines()[-LAST_LINES:])
