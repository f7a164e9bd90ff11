"""Having a server forget the past, each in its own way."""

import base64
from pathlib import Path
from typing import Final

import httpx2
from tests.api_server import ApiServer, Kind
from tests.contract.reading import Things
from tests.contract.waiting import wait_for

COMPACTED: Final = "compact_rev_key"
"""Where API servers tell each other up to what the store has been compacted."""


def forget(things: Things, name: str, token: str) -> None:
    """Have a server forget the state that a continue token is of, by changes of one object.

    The dev API server forgets by the size of what it keeps. Of a real one the store is compacted,
    as it is every five minutes; its copies in memory go within 15 seconds after that.
    """
    if things.api.kind is Kind.DEV:
        for number in range(36):
            things.patch(name, {"data": {"large": str(number % 10) * (1024 * 1024 - 100)}})
        return
    for number in range(2):
        version = things.patch(name, {"data": {"number": str(number)}})
    compact(things.api, version)
    wait_for(lambda: things.get(**{"continue": token}).status_code == 410)


def compact(api: ApiServer, version: str) -> None:
    """Compact the store of a real server of ours."""
    socket = etcd_folder(api) / "etcd:0"
    with httpx2.Client(
        transport=httpx2.HTTPTransport(uds=str(socket)), base_url="http://etcd"
    ) as etcd:
        told = {"key": encoded(COMPACTED), "value": encoded(version)}
        assert etcd.post("/v3/kv/put", json=told).status_code == 200
        done = etcd.post("/v3/kv/compaction", json={"revision": version, "physical": True})
        assert done.status_code == 200, done.text


def etcd_folder(api: ApiServer) -> Path:
    """Return where the store of a server works: it is a child of ours, no other is looked at."""
    children = Path(f"/proc/{api.popen.pid}/task/{api.popen.pid}/children").read_text().split()
    for child in children:
        program = Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")[0]
        if program.endswith(b"/etcd"):
            return Path(f"/proc/{child}/cwd").readlink()
    raise AssertionError(f"no etcd among {children}")


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode("ascii")
