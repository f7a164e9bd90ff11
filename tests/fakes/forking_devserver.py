"""Dev API servers that start in a moment: processes forked from one that has loaded everything.

Run as `python -m tests.fakes.forking_devserver`. Each line of standard input is a JSON object of
options; a server starts with it as a process of its own, and the lines of standard output say what
becomes of it: `started PID`, `ready PID PORT`, `ended PID STATUS`. One server runs at a time.
"""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

from ferrolb.devserver import DevServerOptions, Endpoint, serve


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for line in sys.stdin:
        options = json.loads(line)
        child = os.fork()
        if not child:
            _serve(Path(options["data"]), int(options["journal_limit_bytes"]))
        _say("started", child)
        _, status = os.waitpid(child, 0)
        _say("ended", child, os.waitstatus_to_exitcode(status))


def _serve(data: Path, journal_limit_bytes: int) -> None:
    def ready(endpoint: Endpoint) -> None:
        _say("ready", os.getpid(), endpoint.port)

    options = DevServerOptions(data_dir=data, journal_limit_bytes=journal_limit_bytes)
    try:
        asyncio.run(serve(options, ready=ready))
    finally:
        os._exit(1)


def _say(*words: object) -> None:
    # one write, so that the lines of parent and child do not mix
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


if __name__ == "__main__":
    main()
