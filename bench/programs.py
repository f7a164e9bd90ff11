"""Programs as processes: start them, see what they cost, end exactly those."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
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
    rss_mb: float = 0.0
    """Resident memory now."""

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(
            cpu_s=self.cpu_s + other.cpu_s,
            peak_rss_mb=self.peak_rss_mb + other.peak_rss_mb,
            rss_mb=self.rss_mb + other.rss_mb,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """One running program, and the file that holds what it prints."""

    name: str
    popen: subprocess.Popen[bytes]
    log: Path
    started: float
    """`time.monotonic()` right before the process was made."""
    stop_deadline_s: float = STOP_DEADLINE_S

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
        try:
            return _cost_of(self.popen.pid)
        except OSError as error:
            raise BenchError(f"{self.name}: no figures: {error}") from error

    def whole_cost(self) -> Cost:
        """Read what the process and all that it started have used so far, and still run.

        Raises:
            BenchError: it has ended.
        """
        cost = self.cost()
        for pid in _descendants(self.popen.pid):
            with suppress(OSError):
                cost += _cost_of(pid)
        return cost

    def stop(self) -> None:
        """End it: SIGTERM, then SIGKILL."""
        if self.popen.poll() is not None:
            return
        self.popen.terminate()
        try:
            self.popen.wait(self.stop_deadline_s)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()

    def _printed(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")

    def _log_tail(self) -> str:
        return "\n".join(self._printed().splitlines()[-10:])


def _cost_of(pid: int) -> Cost:
    folder = Path("/proc", str(pid))
    # the command's name, in parentheses, may hold blanks
    fields = (folder / "stat").read_text().rpartition(")")[2].split()
    user, system = int(fields[11]), int(fields[12])
    kib = dict.fromkeys(("VmHWM", "VmRSS"), 0)
    for line in (folder / "status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name in kib:
            kib[name] = int(value.split()[0])
    return Cost(
        cpu_s=(user + system) / _TICKS_PER_S,
        peak_rss_mb=kib["VmHWM"] * 1024 / 1e6,
        rss_mb=kib["VmRSS"] * 1024 / 1e6,
    )


def _descendants(pid: int) -> Iterator[int]:
    for child in _children(pid):
        yield child
        yield from _descendants(child)


def _children(pid: int) -> list[int]:
    found = []
    for folder in Path("/proc", str(pid), "task").iterdir():
        with suppress(OSError):
            found += [int(text) for text in (folder / "children").read_text().split()]
    return found
