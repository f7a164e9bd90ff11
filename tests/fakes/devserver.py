"""A dev API server of its own for tests, with real kubectl and a plain HTTP client beside it."""

import asyncio
import contextlib
import json
import os
import ssl
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import httpx2

from ferrolb.devserver import DevServerOptions, Endpoint, serve

DEADLINE_S: Final = 30.0
"""For anything to happen; only a broken server comes near it."""


@dataclass(frozen=True)
class Kubectl:
    """Real kubectl on one server; its discovery cache belongs to that server alone."""

    kubeconfig: Path
    home: Path

    @property
    def env(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "KUBECONFIG": str(self.kubeconfig),
            "KUBECACHEDIR": str(self.home / "cache"),
        }

    def run(
        self, *arguments: str, stdin: str | None = None, env: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command, whatever its exit status."""
        return subprocess.run(
            ["kubectl", *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            env={**self.env, **(env or {})},
            timeout=DEADLINE_S,
            check=False,
        )

    def __call__(self, *arguments: str, stdin: str | None = None) -> str:
        """Run a command that must succeed, and return what it prints."""
        done = self.run(*arguments, stdin=stdin)
        assert done.returncode == 0, f"kubectl {' '.join(arguments)}: {done.stderr}"
        return done.stdout

    def fails(self, *arguments: str, stdin: str | None = None) -> str:
        """Run a command that must exit with 1, and return what it complains about."""
        done = self.run(*arguments, stdin=stdin)
        assert done.returncode == 1, f"kubectl {' '.join(arguments)}: {done.stdout}"
        return done.stderr

    def json(self, *arguments: str) -> Any:
        """Return what a command prints with `-o json`."""
        return json.loads(self(*arguments, "-o", "json"))

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a command that goes on."""
        return subprocess.Popen(
            ["kubectl", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=self.env,
        )


@dataclass
class DevServer:
    """A running server."""

    endpoint: Endpoint
    kubectl: Kubectl
    http: httpx2.Client
    _names: Iterator[int] = field(default_factory=lambda: iter(range(10**6)))

    @property
    def kubeconfig(self) -> Path:
        assert self.endpoint.kubeconfig is not None
        return self.endpoint.kubeconfig

    def new_namespace(self) -> str:
        """Make a namespace that no other test uses."""
        name = f"test-{next(self._names)}"
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        assert self.http.post("/api/v1/namespaces", json=body).status_code == 201
        return name


def http_client(endpoint: Endpoint) -> httpx2.Client:
    """Return a client with the administrator's token."""
    return httpx2.Client(
        base_url=endpoint.url,
        headers={"Authorization": f"Bearer {endpoint.token}"},
        verify=ssl.create_default_context(cadata=endpoint.ca_pem),
        timeout=DEADLINE_S,
        trust_env=False,
    )


@contextlib.contextmanager
def run_devserver(directory: Path, options: DevServerOptions | None = None) -> Iterator[DevServer]:
    """Run a server on a thread of this process, with its files in a directory."""
    wanted = options or DevServerOptions()
    wanted = replace(wanted, kubeconfig=directory / "kubeconfig")
    with _served(wanted) as endpoint:
        home = directory / "home"
        home.mkdir(exist_ok=True)
        assert endpoint.kubeconfig is not None
        with http_client(endpoint) as client:
            yield DevServer(endpoint, Kubectl(endpoint.kubeconfig, home), client)


@contextlib.contextmanager
def _served(options: DevServerOptions) -> Iterator[Endpoint]:
    is_ready = threading.Event()
    found: list[Endpoint] = []
    failures: list[BaseException] = []
    loops: list[tuple[asyncio.AbstractEventLoop, asyncio.Task[None]]] = []

    def announce(endpoint: Endpoint) -> None:
        found.append(endpoint)
        is_ready.set()

    async def main() -> None:
        task = asyncio.ensure_future(serve(options, ready=announce))
        loops.append((asyncio.get_running_loop(), task))
        try:
            await task
        except asyncio.CancelledError:
            pass
        except BaseException as error:
            failures.append(error)
            raise
        finally:
            is_ready.set()

    def work() -> None:
        with contextlib.suppress(Exception):
            asyncio.run(main())

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    assert is_ready.wait(DEADLINE_S)
    if failures:
        raise failures[0]
    try:
        yield found[0]
    finally:
        loop, task = loops[0]
        loop.call_soon_threadsafe(task.cancel)
        thread.join(DEADLINE_S)
        assert not thread.is_alive()
