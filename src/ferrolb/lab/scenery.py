"""What measurements need in a lab's API; made by a process, so that a lab's client stays small."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Final

from ferrolb.lab.errors import LabError

SERVICE: Final = "measured"
IPV4: Final = IPv4Address("203.0.113.5")
IPV6: Final = IPv6Address("fd00:100::5")
_END_S: Final = 20.0


def prepare(kubeconfig: Path) -> None:
    """Create pool, advertisement and one Service of both families; wait for its addresses.

    Raises:
        LabError: it has none in time, or the API refused something.
    """
    done = subprocess.run(_argv("prepare", kubeconfig), capture_output=True, text=True, check=False)
    if done.returncode:
        raise LabError(f"the API cannot be prepared: {done.stderr.strip()}")


@contextmanager
def changing(kubeconfig: Path, *, rate: float) -> Iterator[Callable[[], int]]:
    """Change the Service so many times a second, from a process of its own.

    Yields:
        What to call at the end: it returns how many changes there were.
    """
    # it takes the place of clients on other machines, so it gives way to what is measured
    argv = ["chrt", "--idle", "0", *_argv("change", kubeconfig, str(rate))]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE)

    def changes() -> int:
        process.terminate()
        output, _ = process.communicate(timeout=_END_S)
        return int(output or b"0")

    try:
        yield changes
    finally:
        process.kill()
        process.communicate()


def _argv(command: str, kubeconfig: Path, *words: str) -> list[str]:
    return [sys.executable, "-m", "ferrolb.lab.staging", command, str(kubeconfig), *words]
