"""The programs of the main job, started as a user would start them, and `kubectl` to use them."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Final

from ferrolb.lab import ApiKind, Judge, Lab, LabError, LabOptions

START_DEADLINE_S: Final = 50.0
"""Seconds for the API server to answer; a real one takes four on an idle machine."""
STOP_DEADLINE_S: Final = 5.0
"""Seconds for a program to end after SIGTERM before it is killed; each promises two."""
_POLL_S: Final = 0.05


class DemoError(Exception):
    """The main job cannot go on; the text says why and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """A running API server and controller, and a lab of nodes where the machine allows one."""

    folder: Path
    """Kubeconfig and logs; gone with the cluster."""
    kubeconfig: Path
    programs: tuple["Program", ...]
    """What was started beside the lab."""
    lab: Lab | None = None
    judge: Judge | None = None
    """Watches the lab's wire; told of every address before it is asked for, and of every fault."""

    def kubectl(self, *arguments: str) -> str:
        """Run `kubectl` and return what it prints.

        Raises:
            DemoError: it failed, or one of the programs has ended.
        """
        self.check()
        environment = {
            **os.environ,
            "KUBECONFIG": str(self.kubeconfig),
            "KUBECACHEDIR": str(self.folder / "cache"),
        }
        done = subprocess.run(
            ["kubectl", *arguments],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        if done.returncode:
            self.check()
            raise DemoError(f"kubectl {' '.join(arguments)} failed: {done.stderr.strip()}")
        return done.stdout

    def check(self) -> None:
        """Raise DemoError with the end of its log if a program has ended."""
        if self.lab is not None and not self.lab.is_up():
            raise DemoError("the network lab has ended early")
        for program in self.programs:
            if program.process.poll() is not None:
                raise DemoError(f"{program.name} ended early:\n{program.log_tail()}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """One running `ferrolb` program and its log."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def log_tail(self) -> str:
        """Return the last lines of the log."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(lines[-10:])


@contextmanager
def running_lab(
    folder: Path, options: LabOptions, *, progress: Callable[[str], None]
) -> Iterator[Cluster]:
    """Start a network lab with API server, controller and a speaker a node; stop all at the end."""
    _need_kubectl()
    try:
        lab = Lab.up(replace(options, name=f"demo-{os.getpid()}"), progress=progress)
    except LabError as error:
        raise DemoError(f"the network lab did not start: {error}") from error
    try:
        yield Cluster(
            folder=folder, kubeconfig=lab.kubeconfig, programs=(), lab=lab, judge=Judge(lab)
        )
    finally:
        lab.down()


@contextmanager
def running_cluster(folder: Path, api: ApiKind) -> Iterator[Cluster]:
    """Start API server and controller in `folder`; stop both at the end."""
    _need_kubectl()
    server = {ApiKind.DEV: "devserver", ApiKind.REAL: "envtest"}[api]
    kubeconfig = folder / "kubeconfig"
    programs: list[Program] = []
    try:
        with (folder / f"{server}.log").open("wb") as log:
            options = ["--listen", "127.0.0.1:0", "--write-kubeconfig", str(kubeconfig)]
            programs.append(_start(server, options, log))
        _wait_for(kubeconfig, programs[0])
        with (folder / "controller.log").open("wb") as log:
            options = ["--kubeconfig", str(kubeconfig), "--port=0", "--health-probe-port=0"]
            programs.append(_start("controller", options, log))
        yield Cluster(folder=folder, kubeconfig=kubeconfig, programs=tuple(programs))
    finally:
        for program in reversed(programs):
            _stop(program.process)


def _need_kubectl() -> None:
    if shutil.which("kubectl") is None:
        raise DemoError("kubectl is not on the PATH: run `make setup`, which installs one")


def _start(name: str, options: Sequence[str], log: IO[bytes]) -> Program:
    process = subprocess.Popen(
        [sys.executable, "-m", "ferrolb", name, *options],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    return Program(name=name, process=process, log=Path(log.name))


def _wait_for(file: Path, program: Program) -> None:
    """Wait until `program` has written `file`, which it does once it answers."""
    deadline = time.monotonic() + START_DEADLINE_S
    while not file.exists():
        if program.process.poll() is not None:
            raise DemoError(f"{program.name} did not start:\n{program.log_tail()}")
        if time.monotonic() > deadline:
            raise DemoError(f"{program.name} did not answer within {START_DEADLINE_S:.0f} s")
        time.sleep(_POLL_S)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_DEADLINE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
