"""A private world of network namespaces for one test, with rights or without.

`new_world()` starts one process, the holder, as init of PID, mount and network namespaces of its
own (and of a user namespace where the test lacks CAP_SYS_ADMIN), with a private /run. All that a
test starts by the world lives in there, and the kernel ends all of it with the holder, which ends
when its standard input does: no matter how the test ends, nothing stays behind.

The test itself stays outside. Code of ours that needs a socket inside runs as a program in there
(`start(sys.executable, "script.py", ...)`): pipes work across, paths are the same but for /run.
"""

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_CAP_SYS_ADMIN: Final = 1 << 21

_HOLD: Final = """
set -eu
mount -t tmpfs -o mode=755 tmpfs /run
echo 0 > /proc/sys/net/ipv6/conf/all/accept_dad
echo 0 > /proc/sys/net/ipv6/conf/default/accept_dad
ip link set lo up
echo ready
read -r _ || true
"""
"""Duplicate address detection would keep every IPv6 address unusable for two seconds."""

END_S: Final = 10.0
"""For a killed process to be gone; only a broken machine comes near it."""


class World:
    """Namespaces that end with the `with` block of `new_world`."""

    def __init__(self, holder: subprocess.Popen[str], *, is_rootless: bool) -> None:
        init = _only_child(holder.pid)
        user = ["--user", "--preserve-credentials"] if is_rootless else []
        self._enter = ["nsenter", f"--target={init}", "--mount", "--pid", "--net", *user]
        self._programs: list[subprocess.Popen[str]] = []

    def run(self, *argv: str, at: str = "", stdin: str = "") -> str:
        """Run a command that must succeed, in the namespace `at` of `ip netns`; return its output.

        Empty: the world's own namespace.
        """
        done = subprocess.run(
            self._argv(argv, at), input=stdin, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise AssertionError(f"{argv}: status {done.returncode}: {done.stderr or done.stdout}")
        return done.stdout

    def start(
        self,
        *argv: str,
        at: str = "",
        log: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> "subprocess.Popen[str]":
        """Start a program; its standard input and output are pipes, `log` takes its errors.

        The process returned is the one that enters the world and waits: use `kill` for signals.
        The working folder in there is /: name files by absolute paths.
        """
        with (log or Path(os.devnull)).open("a", encoding="utf-8") as errors:
            program = subprocess.Popen(
                self._argv(argv, at),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env={**os.environ, **(env or {})},
            )
        self._programs.append(program)
        return program

    def kill(self, program: "subprocess.Popen[str]", number: int = signal.SIGKILL) -> None:
        """Send a signal to a running program of `start`; SIGKILL waits for its end."""
        os.kill(_only_child(program.pid), number)
        if number == signal.SIGKILL:
            program.wait(END_S)

    def close(self) -> None:
        """Wait for the programs, which end with the holder."""
        for program in self._programs:
            with program:
                program.wait(END_S)

    def _argv(self, argv: Sequence[str], at: str) -> list[str]:
        inside = ["ip", "netns", "exec", at] if at else []
        return [*self._enter, *inside, *argv]


@contextmanager
def new_world() -> Iterator[World]:
    """Make a world with an empty network: `lo` is up, there is nothing else."""
    is_rootless = not _may_unshare()
    user = ["--user", "--map-root-user"] if is_rootless else []
    kinds = ["--mount", "--pid", "--fork", "--net", "--mount-proc", "--kill-child"]
    with subprocess.Popen(
        ["unshare", *user, *kinds, "sh", "-c", _HOLD],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as holder:
        try:
            if holder.stdout is None or holder.stdout.readline() != "ready\n":
                _, errors = holder.communicate(timeout=END_S)
                raise AssertionError(f"no network namespace can be made here: {errors}")
            world = World(holder, is_rootless=is_rootless)
            try:
                yield world
            finally:
                holder.kill()
                world.close()
        finally:
            holder.kill()


def _may_unshare() -> bool:
    """Tell whether this process may make namespaces without a user namespace around them."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith("CapEff:"))
    return bool(int(line.split()[1], 16) & _CAP_SYS_ADMIN)


def _only_child(pid: int) -> int:
    """Return the child of a program that forks once and waits."""
    (child,) = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    return int(child)
