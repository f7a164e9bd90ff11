"""The API servers that are measured: ours, and a real one where its binaries are."""

import os
from enum import StrEnum

from ferrolb.envtest import EnvtestError, find_binaries


class Server(StrEnum):
    """An API server; the order is the one in which they are shown."""

    DEV = "dev"
    REAL = "real"

    @property
    def label(self) -> str:
        """What it is called in tables."""
        return "dev API server" if self is Server.DEV else "kube-apiserver"

    @property
    def words(self) -> tuple[str, ...]:
        """What follows `python -m` to start it.

        The real one runs without a controller manager: for each Service it would write slices, at
        its own slow pace, into every measurement.
        """
        return (
            ("ferrolb", "devserver")
            if self is Server.DEV
            else ("ferrolb", "envtest", "--controllers=")
        )


def missing(server: Server) -> str:
    """Return why a server cannot be started here, empty if it can."""
    if server is Server.DEV:
        return ""
    try:
        find_binaries(os.environ)
    except EnvtestError as error:
        return str(error)
    return ""
