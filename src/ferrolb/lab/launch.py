"""Start a supervisor in namespaces of its own, and notice when it has ended."""

import importlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

from ferrolb.lab.errors import LabError
from ferrolb.lab.folders import make_folder
from ferrolb.lab.machine import check_machine, tool_path, unshare_argv
from ferrolb.lab.options import LabOptions

OPTIONS_NAME: Final = "options"
"""The supervisor's settings, a file in the lab's folder."""

_SOCKET_S: Final = 20.0
"""Seconds until the supervisor listens; Python and its imports take about one."""
_END_S: Final = 5.0
_POLL_S: Final = 0.01


class Launched:
    """A supervisor that this process has started: the `unshare` around it, and its log."""

    def __init__(self, process: "subprocess.Popen[bytes]", log: Path) -> None:
        self._process = process
        self._log = log

    def wait(self, timeout_s: float) -> bool:
        """Wait for its end; False: it has not ended."""
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return False
        return True

    def await_socket(self, path: Path) -> None:
        """Wait until the supervisor listens.

        Raises:
            LabError: it ended before, or took too long.
        """
        deadline = time.monotonic() + _SOCKET_S
        while not path.exists():
            if self._process.poll() is not None:
                raise LabError(self.why_ended())
            if time.monotonic() > deadline:
                raise LabError(f"the lab did not start within {_SOCKET_S:.0f} s")
            time.sleep(_POLL_S)

    def why_ended(self) -> str:
        """Return what the supervisor said last."""
        try:
            lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            lines = []
        return "the lab ended early:\n" + "\n".join(lines[-10:])

    @property
    def failure(self) -> str:
        """Why it ended by itself; empty while it runs, or if it was told to end."""
        return self.why_ended() if self._process.poll() else ""

    def end(self) -> None:
        """Wait for its end, and kill it with all that belongs to it if it does not end."""
        if not self.wait(_END_S):
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()


def launch(options: LabOptions, folder: Path, *, is_owned: bool) -> Launched:
    """Start a supervisor; it is not ready yet.

    Raises:
        LabError: this machine cannot run labs, or the folder cannot be made.
    """
    problems = check_machine()
    if problems:
        raise LabError("\n".join(f"{one.text}: {one.advice}" for one in problems))
    make_folder(folder)
    settings = folder / OPTIONS_NAME
    settings.write_bytes(options.encode())
    # a lab that is owned dies with the thread that started it, whatever kills that
    owned = ["setpriv", "--pdeathsig", "KILL", "--"] if is_owned else []
    supervise = [sys.executable, "-m", "ferrolb", "lab", "supervise", str(folder)]
    log = folder / "supervisor.log"
    with log.open("wb") as sink:
        process = subprocess.Popen(
            [*owned, *unshare_argv(), "--", *supervise],
            env={**os.environ, "PATH": tool_path()},
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is the launcher's; it ends the lab in order
        )
    return Launched(process, log)


def run_supervisor(folder: Path) -> int:
    """Be the supervisor of the lab in `folder`, as PID 1 of its namespace; return the exit status.

    The supervisor's half of this room is loaded here only: a client needs none of it.
    """
    supervise = importlib.import_module("ferrolb.lab.supervisor").supervise
    return int(supervise(LabOptions.decode((folder / OPTIONS_NAME).read_bytes()), folder))
