"""One `ferrolb envtest` that a test may kill, and what is left of it on this machine."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml
from tests.cluster import DEADLINE_S, wait_until
from tests.fakes.devserver import Kubectl

GONE_S: Final = 4.0
"""Within these seconds nothing may be left, whatever the end was."""

PROGRAMS: Final = ("etcd", "kube-apiserver", "kube-controller-manager")


@dataclass(frozen=True)
class Program:
    """A program, running or ended, all of whose files and processes can be told by its folder."""

    popen: "subprocess.Popen[bytes]"
    folder: Path

    @property
    def temporary(self) -> Path:
        """Where it makes its own temporary folder."""
        return self.folder / "tmp"

    @property
    def kubeconfig(self) -> Path:
        return self.folder / "kubeconfig"

    @property
    def output(self) -> str:
        return (self.folder / "output").read_text(encoding="utf-8")

    @property
    def kubectl(self) -> Kubectl:
        home = self.folder / "home"
        home.mkdir(exist_ok=True)
        return Kubectl(self.kubeconfig, home)

    @property
    def token(self) -> str:
        return str(yaml.safe_load(self.kubeconfig.read_text())["users"][0]["user"]["token"])

    def wait_ready(self) -> None:
        wait_until("an API server", self._is_ready, deadline_s=90)

    def _is_ready(self) -> bool:
        assert self.popen.poll() is None, self.output
        return "serving on" in self.output

    def processes(self) -> dict[int, str]:
        """Return process id -> program, of all that have inherited this one's TMPDIR."""
        mark = f"TMPDIR={self.temporary}".encode()
        found = {}
        for process in Path("/proc").iterdir():
            if process.name.isdecimal():
                with contextlib.suppress(OSError):
                    if mark in (process / "environ").read_bytes().split(b"\0"):
                        found[int(process.name)] = _program(process / "cmdline")
        return found

    def pid_of(self, name: str) -> int:
        (pid,) = (pid for pid, program in self.processes().items() if program == name)
        return pid

    def wait_gone(self) -> float:
        """Wait until neither process nor file is left; return the seconds that it took."""
        began = time.monotonic()
        wait_until(
            "nothing left",
            lambda: not self.processes() and not list(self.temporary.iterdir()),
            deadline_s=DEADLINE_S,
        )
        return time.monotonic() - began


def _program(cmdline: Path) -> str:
    words = cmdline.read_bytes().split(b"\0")
    names = [Path(os.fsdecode(word)).name for word in words if word]
    return "janitor" if "janitor.py" in names else names[0] if names else ""


@contextlib.contextmanager
def running(
    folder: Path,
    *arguments: str,
    env: Mapping[str, str] | None = None,
    before: Sequence[str] = (),
) -> Iterator[Program]:
    """Start a program with its files in `folder`; see that nothing is left of it behind."""
    (folder / "tmp").mkdir(parents=True, exist_ok=True)
    words = [sys.executable, "-m", "ferrolb", "envtest", *arguments]
    with (folder / "output").open("wb") as output:
        popen = subprocess.Popen(
            [*before, *words, "--write-kubeconfig", str(folder / "kubeconfig")],
            env={**os.environ, "TMPDIR": str(folder / "tmp"), **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    program = Program(popen, folder)
    try:
        yield program
        popen.kill()
        popen.wait()
        program.wait_gone()
    finally:
        for pid in program.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        popen.wait()
