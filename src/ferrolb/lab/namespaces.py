"""The lab's network namespaces: made, entered, commands run in them."""

import asyncio
import ctypes
import os
import subprocess
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from ferrolb.lab.errors import LabError
from ferrolb.lab.status import Completed
from ferrolb.lab.topology import (
    SWITCH,
    Topology,
    host_batch,
    switch_batch,
    sysctls,
)

T = TypeVar("T")

_CLONE_NEWNET: Final = 0x40000000
_libc: Final = ctypes.CDLL(None, use_errno=True)

_NETNS: Final = Path("/run/netns")
"""Where `ip netns` keeps names; private to the lab, since its /run is."""

MAX_OUTPUT_BYTES: Final = 16 * 1024 * 1024
"""Of a command that a client asks for; more is cut off rather than kept in memory."""


def inside(name: str, work: Callable[[], T]) -> T:
    """Do `work`, which has to be short, in a namespace: sockets that it opens belong there.

    A thread of its own does it and ends: without root's rights there is no way back from a
    namespace into the machine's own, where this process has to stay.

    Raises:
        OSError: the namespace cannot be entered, or whatever `work` raises.
    """

    def enter() -> T:
        with (_NETNS / name).open("rb") as namespace:
            if _libc.setns(namespace.fileno(), _CLONE_NEWNET):
                number = ctypes.get_errno()
                raise OSError(number, f"cannot enter namespace {name}: {os.strerror(number)}")
        return work()

    with ThreadPoolExecutor(max_workers=1) as pool:
        return pool.submit(enter).result()


def keep_private(folders: Sequence[Path], *, staging: Path) -> None:
    """Give this process's mount namespace a /run of its own, with only `folders` as they were.

    Args:
        folders: those that are below /run stay visible there.
        staging: a folder to make; it is of no use afterwards.

    Raises:
        LabError: mounting is not allowed.
    """
    kept = {folder.resolve() for folder in folders}
    staging.mkdir(mode=0o700)
    _run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", str(staging)])
    for folder in sorted(kept):
        if folder.is_relative_to("/run"):
            copy = staging / folder.relative_to("/run")
            copy.mkdir(parents=True, exist_ok=True)
            _run(["mount", "--rbind", str(folder), str(copy)])
    _run(["mount", "--rbind", str(staging), "/run"])


def build_network(topology: Topology) -> None:
    """Make every namespace, the switch and the cables.

    Raises:
        LabError: `ip` refused something.
    """
    _NETNS.mkdir(exist_ok=True)
    for name in topology.namespaces:
        # not `ip netns add`: it goes back to where it was, which needs root's rights
        file = _NETNS / name
        file.touch()
        _run(["unshare", f"--net={file}", "true"])
        inside(name, partial(_write_sysctls, name))
    _run(["ip", "-n", SWITCH, "-batch", "-"], switch_batch(topology))
    for host in topology.hosts:
        _run(["ip", "-n", host.name, "-batch", "-"], host_batch(topology, host))


def exec_argv(name: str, argv: Sequence[str]) -> list[str]:
    """Return the command that runs `argv` in a namespace, with the /sys that belongs to it."""
    return ["ip", "netns", "exec", name, *argv]


async def run_in(
    name: str, argv: Sequence[str], *, stdin: str = "", timeout_s: float = 30.0
) -> Completed:
    """Run a command in a namespace and wait for it.

    Raises:
        LabError: it cannot be started, or does not end in time (it is killed then).
    """
    process = await asyncio.create_subprocess_exec(
        *exec_argv(name, argv),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(timeout_s):
            stdout, stderr = await process.communicate(stdin.encode())
    except TimeoutError as error:
        raise LabError(f"{argv[0]} on {name} did not end in {timeout_s:g} s") from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return Completed(
        returncode=process.returncode or 0,
        stdout=_text(stdout),
        stderr=_text(stderr),
    )


async def must_run(name: str, argv: Sequence[str], *, stdin: str = "") -> None:
    """Run a command in a namespace that has to succeed.

    Raises:
        LabError: it failed; the text has what it said.
    """
    done = await run_in(name, argv, stdin=stdin)
    if done.returncode:
        raise LabError(f"{' '.join(argv)} on {name}: {done.stderr.strip() or done.returncode}")


def _write_sysctls(name: str) -> None:
    # /proc/sys/net shows the namespace of the thread that opens it
    for path, value in sysctls(name).items():
        try:
            (Path("/proc/sys") / path).write_text(value, encoding="ascii")
        except OSError as error:
            raise LabError(f"cannot set {path} to {value}: {error.strerror}") from error


def _run(argv: Sequence[str], stdin: str = "") -> None:
    done = subprocess.run(argv, input=stdin, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LabError(f"{' '.join(argv)}: {done.stderr.strip()}")


def _text(output: bytes) -> str:
    return output[:MAX_OUTPUT_BYTES].decode("utf-8", "replace")
