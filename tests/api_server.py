"""The API server that tests run against: the dev API server, or a real one, with nothing but the
environment to tell them apart (`FERROLB_TEST_API=dev|real`).

What a test may ask is the same on both: HTTP with the administrator's token, real `kubectl`, a
namespace of its own, and accounts with exactly the roles that it names.
"""

import base64
import contextlib
import os
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import httpx2
import yaml
from tests.fakes.devserver import Kubectl

START_S: Final = 60.0
"""Seconds for a server to answer; a real one takes four on an idle machine."""
REQUEST_S: Final = 30.0
END_S: Final = 15.0


class Kind(StrEnum):
    """Which server."""

    DEV = "dev"
    REAL = "real"


def wanted_kind() -> Kind:
    """Return the server that this run is about."""
    return Kind(os.environ.get("FERROLB_TEST_API", Kind.DEV))


@dataclass
class ApiServer:
    """A running API server."""

    kind: Kind
    kubeconfig: Path
    folder: Path
    kubectl: Kubectl
    http: httpx2.Client
    """With the administrator's token; relative URLs."""
    popen: "subprocess.Popen[bytes]"
    _names: Iterator[int] = field(default_factory=lambda: iter(range(10**6)))

    @property
    def url(self) -> str:
        return str(self.http.base_url)

    def new_name(self, prefix: str = "test") -> str:
        """Return a name that no other test uses."""
        return f"{prefix}-{next(self._names)}"

    def new_namespace(self) -> str:
        """Make a namespace that no other test uses."""
        name = self.new_name()
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        assert self.http.post("/api/v1/namespaces", json=body).status_code == 201
        return name

    def client(self, token: str | None, **headers: str) -> httpx2.Client:
        """Return a client for another account; None: without any token."""
        return _client(self.kubeconfig, token, headers)


def argv(kind: Kind, *arguments: str) -> list[str]:
    """Return the command that runs a server: both are started, told to end, and seen alike."""
    words = {Kind.DEV: ["devserver", "--rbac"], Kind.REAL: ["envtest"]}[kind]
    return [sys.executable, "-m", "ferrolb", *words, *arguments]


@contextlib.contextmanager
def running_api_server(
    folder: Path, *arguments: str, kind: Kind | None = None
) -> Iterator[ApiServer]:
    """Start a server with its files in `folder`; end it behind."""
    chosen = kind or wanted_kind()
    kubeconfig = folder / "kubeconfig"
    home = folder / "home"
    home.mkdir()
    with (folder / "server.log").open("ab") as log:
        popen = subprocess.Popen(
            argv(chosen, "--write-kubeconfig", str(kubeconfig), *arguments),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        _await(kubeconfig, popen, folder / "server.log")
        with _client(kubeconfig, _user(kubeconfig)["token"], {}) as http:
            yield ApiServer(
                kind=chosen,
                kubeconfig=kubeconfig,
                folder=folder,
                kubectl=Kubectl(kubeconfig, home),
                http=http,
                popen=popen,
            )
    finally:
        popen.terminate()
        try:
            popen.wait(END_S)
        except subprocess.TimeoutExpired:
            popen.kill()
            popen.wait()
            raise


def _await(kubeconfig: Path, popen: "subprocess.Popen[bytes]", log: Path) -> None:
    end = time.monotonic() + START_S
    while not kubeconfig.exists():
        assert popen.poll() is None, log.read_text()
        assert time.monotonic() < end, log.read_text()
        time.sleep(0.02)


def _user(kubeconfig: Path) -> dict[str, Any]:
    return dict(yaml.safe_load(kubeconfig.read_text())["users"][0]["user"])


def _client(kubeconfig: Path, token: str | None, headers: dict[str, str]) -> httpx2.Client:
    cluster = yaml.safe_load(kubeconfig.read_text())["clusters"][0]["cluster"]
    authority = base64.b64decode(cluster["certificate-authority-data"]).decode("ascii")
    own = {"Authorization": f"Bearer {token}"} if token is not None else {}
    return httpx2.Client(
        base_url=cluster["server"],
        headers={**own, **headers},
        verify=ssl.create_default_context(cadata=authority),
        timeout=REQUEST_S,
        trust_env=False,
    )
