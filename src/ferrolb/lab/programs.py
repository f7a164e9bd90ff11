"""The programs of a lab: started as a user would start them, each with its log."""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from ferrolb.lab.errors import LabError
from ferrolb.lab.namespaces import exec_argv
from ferrolb.lab.status import ProgramStatus

STOP_S: Final = 3.0
"""Seconds for a program to end after SIGTERM before it is killed; each promises two."""


def ferrolb_argv(*arguments: str) -> list[str]:
    """Return the command that runs `ferrolb` as this process runs it."""
    return [sys.executable, "-m", "ferrolb", *arguments]


class Program:
    """One program, in one namespace or in the host's; started any number of times."""

    def __init__(
        self,
        name: str,
        argv: Sequence[str],
        log: Path,
        *,
        host: str = "",
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self._argv = exec_argv(host, argv) if host else [*argv]
        self._log = log
        self._environment = {**os.environ, **(environment or {})}
        self._process: asyncio.subprocess.Process | None = None
        self._exit_status: int | None = None
        self._is_frozen = False
        self._is_wanted = False
        self._starts = 0

    @property
    def is_running(self) -> bool:
        """Whether the process lives, frozen or not."""
        return self._process is not None and self._process.returncode is None

    @property
    def state(self) -> str:
        """One word, as in `ProgramStatus`."""
        if self.is_running:
            return "frozen" if self._is_frozen else "running"
        return "exited" if self._is_wanted else "stopped"

    def status(self) -> ProgramStatus:
        """Return what is known of it."""
        process = self._process
        if process is not None and process.returncode is not None:
            self._exit_status = process.returncode
        return ProgramStatus(
            name=self.name,
            state=self.state,
            pid=process.pid if process is not None and self.is_running else 0,
            exit_status=self._exit_status,
            starts=self._starts,
            log=str(self._log),
        )

    async def start(self) -> None:
        """Start it, unless it runs."""
        if self.is_running:
            return
        with self._log.open("ab") as sink:
            self._process = await asyncio.create_subprocess_exec(
                *self._argv,
                env=self._environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=sink,
                stderr=asyncio.subprocess.STDOUT,
            )
        self._is_wanted = True
        self._is_frozen = False
        self._starts += 1

    async def stop(self) -> None:
        """End it in order, by force if it takes more than `STOP_S`."""
        self._is_wanted = False
        await self._end(signal.SIGTERM)

    async def kill(self) -> None:
        """End it by SIGKILL."""
        self._is_wanted = False
        await self._end(signal.SIGKILL)

    def freeze(self) -> None:
        """Stop it where it is."""
        self._signal(signal.SIGSTOP)
        self._is_frozen = True

    def thaw(self) -> None:
        """Let it go on; one that is not frozen notices nothing."""
        if self.is_running and self._is_frozen:
            self._signal(signal.SIGCONT)
        self._is_frozen = False

    def last_words(self, lines: int = 10) -> str:
        """Return the end of its log."""
        try:
            text = self._log.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""
        return "\n".join(text.splitlines()[-lines:])

    async def _end(self, number: signal.Signals) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return
        if number == signal.SIGTERM:
            self.thaw()
        self._signal(number)
        try:
            async with asyncio.timeout(STOP_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()

    def _signal(self, number: signal.Signals) -> None:
        if not self.is_running or self._process is None:
            raise LabError(f"{self.name} does not run")
        self._process.send_signal(number)


class Reaper:
    """Takes care of orphans: whatever loses its parent in the lab becomes the supervisor's child.

    A dead child that is nobody's program is taken only when it has been seen twice: one that has
    just been started may not be known yet.
    """

    _EVERY_S: Final = 5.0

    def __init__(self) -> None:
        self._seen = 0

    async def run(self) -> None:
        """Reap for ever."""
        while True:
            await asyncio.sleep(self._EVERY_S)
            self._reap()

    def _reap(self) -> None:
        """Reap the child that was dead already the last time.

        The waiting threads of programs take theirs within moments, so it is an orphan.
        """
        try:
            found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return
        if found is None:
            self._seen = 0
        elif found.si_pid == self._seen:
            os.waitpid(found.si_pid, os.WNOHANG)
            self._seen = 0
        else:
            self._seen = found.si_pid
