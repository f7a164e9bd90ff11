"""Cleans up behind a program that was killed: a process of its own that outlives it by moments.

Run as a script, with nothing but the standard library. It makes a folder and prints its name; then
it reads from standard input the process ids of whoever works there. Standard input ends when the
program that holds the other end does, however it does; then they are killed, and the folder goes.
"""

import contextlib
import os
import select
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from typing import Final

PREFIX: Final = "ferrolb-envtest-"

DEATH_S: Final = 5.0
"""Seconds for killed processes to be gone; a folder cannot be removed below their hands. Only a
process that the kernel holds (a hanging disk) takes longer."""


def main() -> int:
    """Be the janitor of one program."""
    folder = tempfile.mkdtemp(prefix=PREFIX)
    try:
        sys.stdout.write(folder + "\n")
        sys.stdout.flush()
        kill(list(workers_from(sys.stdin)))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


def workers_from(lines: Iterable[str]) -> Iterator[int]:
    """Return handles of the processes that the lines name; one that is gone already has none."""
    for line in lines:
        with contextlib.suppress(ProcessLookupError):
            yield os.pidfd_open(int(line))


def kill(workers: Iterable[int]) -> None:
    """Kill processes by their handles, and wait until they are gone."""
    poll = select.poll()
    living = set(workers)
    for worker in living:
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(worker, signal.SIGKILL)
        poll.register(worker, select.POLLIN)
    deadline = time.monotonic() + DEATH_S
    while living and (left := deadline - time.monotonic()) > 0:
        for worker, _ in poll.poll(left * 1000):
            poll.unregister(worker)
            living.discard(worker)


if __name__ == "__main__":
    sys.exit(main())
