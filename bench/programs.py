"""Programs as processes: start them, see what they cost, end exactly those."""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

ROOT: Final = Path(__file__).parent.parent
"""Where `bench` can be imported from."""

STOP_DEADLINE_S: Final = 5.0
"""For a program to end after SIGTERM before it is killed; each promises two seconds."""

_TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")


class BenchError(Exception):
    """Nothing can be measured; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a process has used since it started."""

    cpu_s: float
    peak_rss_mb: float
    """Highest resident memory so far, in units of 1,000,000 bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """One running program, and the file that holds what it prints."""

    name: str
    popen: subprocess.Popen[bytes]
    log: Path
    started: float
    """`time.monotonic()` right before the process was made."""

    @classmethod
    def start(cls, name: str, words: Sequence[str], log: Path) -> Self:
        """Run `python -m WORDS`."""
        with log.open("wb") as sink:
            started = time.monotonic()
            popen = subprocess.Popen(
                [sys.executable, "-m", *words],
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                cwd=ROOT,
            )
        return cls(name=name, popen=popen, log=log, started=started)

    def check(self) -> None:
        """Raise BenchError with the end of the log if the program has ended."""
        if self.popen.poll() is not None:
            raise BenchError(f"{self.name} ended early:\n{self._log_tail()}")

    def has_printed(self, text: str) -> bool:
        """Tell whether `text` stands in what it has printed."""
        return text in self._printed()

    def cost(self) -> Cost:
        """Read what the process has used so far.

        Raises:
            BenchError: it has ended.
        """
        self.check()
        folder = Path("/proc", str(self.popen.pid))
        try:
            # the command's name, in parentheses, may hold blanks
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            status = (folder / "status").read_text().splitlines()
        except OSError as error:
            raise BenchError(f"{self.name}: no figures in {folder}: {error}") from error
        user, system = int(fields[11]), int(fields[12])
        peak_kib = [int(line.split()[1]) for line in status if line.startswith("VmHWM:")]
        return Cost(
            cpu_s=(user + system) / _TICKS_PER_S,
            peak_rss_mb=sum(peak_kib) * 1024 / 1e6,
        )

    def stop(self) -> None:
        """End it: SIGTERM, then SIGKILL."""
        if self.popen.poll() is not None:
            return
        self.popen.terminate()
        try:
            self.popen.wait(STOP_DEADLINE_S)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()

    def _printed(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")

    def _log_tail(self) -> str:
        return "\n".join(self._printed().splitlines()[-10:])
