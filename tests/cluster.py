"""An API server, ours or a real one, and programs as processes, for tests that judge by kubectl.

Also what such tests measure: the requests that the server has answered.
"""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml
from prometheus_client.parser import text_string_to_metric_families
from tests.api_server import START_S, Kind, argv, wanted_kind

from ferrolb.kube import SERVICES, ApiClient, connect, parse_object

DEADLINE_S: Final = 30.0
"""For anything to happen; only a broken program comes near it."""

_WRITES: Final = ("POST", "PUT", "PATCH", "DELETE", "APPLY")

_OURS: Final = frozenset(
    {
        "services",
        "events",
        "secrets",
        "configmaps",
        "namespaces",
        "nodes",
        "deployments",
        "addresspools",
        "communities",
        "configurationstates",
        "ipaddresspools",
        "l2advertisements",
        "bgpadvertisements",
        "servicel2statuses",
    }
)
"""What the programs or the tests write. A real API server also counts what it writes itself, and
its controllers: leases, flow schemas, cluster roles, EndpointSlices, addresses of Services."""


@dataclass(kw_only=True)
class Process:
    """One `ferrolb` program."""

    name: str
    popen: subprocess.Popen[bytes]
    log: Path

    def stop(self, number: int = signal.SIGTERM) -> int:
        """End it and return its exit status."""
        self.popen.send_signal(number)
        return self.popen.wait(DEADLINE_S)

    def text(self) -> str:
        """Return all it has printed."""
        return self.log.read_text(encoding="utf-8", errors="replace")


def start(name: str, *arguments: str, log: Path, env: dict[str, str] | None = None) -> Process:
    """Start `ferrolb NAME ARGUMENTS`."""
    words = [sys.executable, "-m", "ferrolb", name, *arguments]
    return _start(name, words, log=log, env=env or {})


def _start(name: str, words: Sequence[str], *, log: Path, env: dict[str, str]) -> Process:
    with log.open("ab") as sink:
        popen = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            env={**os.environ, **env},
        )
    return Process(name=name, popen=popen, log=log)


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


def wait_until(what: str, check: Callable[[], Any], *, deadline_s: float = DEADLINE_S) -> Any:
    """Return the first true value of `check()`."""
    end = time.monotonic() + deadline_s
    while True:
        value = check()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {deadline_s:.0f} s: {what}")
        time.sleep(0.02)


@dataclass(kw_only=True)
class Kubectl:
    """A cluster as `kubectl` shows it."""

    folder: Path
    """Where kubectl may keep what it has discovered."""
    kubeconfig: Path

    @property
    def environment(self) -> dict[str, str]:
        """What kubectl needs; the discovery cache is this server's alone."""
        return {"KUBECONFIG": str(self.kubeconfig), "KUBECACHEDIR": str(self.folder / "cache")}

    def kubectl(self, *arguments: str, stdin: str = "", ok: bool = True) -> str:
        """Run kubectl; return what it printed, on failure (`ok=False` expects one) the error."""
        done = subprocess.run(
            ["kubectl", *arguments],
            env={**os.environ, **self.environment},
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (done.returncode == 0) is ok, f"kubectl {arguments}: {done.stdout}{done.stderr}"
        return done.stdout if ok else done.stderr

    def apply(self, *objects: dict[str, Any] | str) -> str:
        """Apply objects, or YAML texts, with kubectl."""
        texts = [one if isinstance(one, str) else yaml.safe_dump(one) for one in objects]
        return self.kubectl("apply", "-f", "-", stdin="---\n".join(texts))

    def get(self, *arguments: str) -> Any:
        """Return what `kubectl get ARGUMENTS -o json` prints."""
        return json.loads(self.kubectl("get", *arguments, "-o", "json"))

    def address(self, service: str, namespace: str = "default") -> str:
        """Return the Service's addresses, comma-separated, "" while pending."""
        found = self.get("service", service, "-n", namespace)
        return ",".join(e.get("ip", "") for e in _ingress(found))

    def wait_address(self, service: str, address: str = "", namespace: str = "default") -> str:
        """Wait until the Service has this address, or any."""

        def check() -> str:
            found = self.address(service, namespace)
            return found if not address or found == address else ""

        return str(wait_until(f"{service} has address {address or '(any)'}", check))

    def events(self, service: str, namespace: str = "default") -> list[dict[str, Any]]:
        """Return our events about a Service, the oldest first; a real API server has its own."""
        selector = f"involvedObject.kind=Service,involvedObject.name={service}"
        items = self.get("events", "-n", namespace, f"--field-selector={selector}")["items"]
        ours = [item for item in items if item["source"]["component"].startswith("metallb-")]
        return sorted(ours, key=lambda event: str(event["firstTimestamp"]))

    def wait_event(self, service: str, reason: str, message: str = "", **where: str) -> Any:
        """Wait for an event of this reason and, if given, exactly this message."""

        def check() -> Any:
            for event in self.events(service, **where):
                if event["reason"] == reason and message in ("", event["message"]):
                    return event
            return None

        return wait_until(f"{service} has event {reason} {message}", check)


@dataclass(kw_only=True)
class Cluster(Kubectl):
    """A running API server, and the controllers started on it."""

    kind: Kind
    server: Process
    arguments: tuple[str, ...] = ()
    controllers: list[Process] = field(default_factory=list)

    def kill_server(self) -> None:
        """End the API server as a power cut would."""
        self.server.stop(signal.SIGKILL)

    def restart_server(self) -> None:
        """Start the API server again after it was killed; needs `--data` and a fixed port."""
        self.kubeconfig.unlink()
        self.server = _start_server(self.kind, self.kubeconfig, self.folder, self.arguments)

    def start_controller(self, *arguments: str, env: dict[str, str] | None = None) -> Process:
        """Start a controller and wait until it has taken over what there is."""
        log = self.folder / f"controller-{len(self.controllers)}.log"
        fixed = ("--kubeconfig", str(self.kubeconfig), "--health-probe-port=0")
        ports = () if any("-port" in word for word in arguments) else ("--port=0",)
        process = start("controller", *fixed, *ports, *arguments, log=log, env=env)
        self.controllers.append(process)
        wait_until(
            "the controller has started",
            lambda: '"msg": "started"' in process.text() or process.popen.poll() is not None,
        )
        assert process.popen.poll() is None, process.text()
        return process

    def writes(self) -> Counter[str]:
        """Return how many of our writes were answered, by `resource` or `resource/subresource`."""
        counts: Counter[str] = Counter()
        for family in text_string_to_metric_families(self.kubectl("get", "--raw", "/metrics")):
            for sample in family.samples:
                if sample.name != "apiserver_request_total":
                    continue
                if sample.labels["verb"] in _WRITES and sample.labels["resource"] in _OURS:
                    name = "/".join(
                        filter(None, map(sample.labels.get, ("resource", "subresource")))
                    )
                    counts[name] += int(sample.value)
        return counts

    def quiet_writes(self, *, quiet_s: float = 1.5) -> Counter[str]:
        """Return `writes()` once none has come for `quiet_s`: nothing more is to be expected."""
        before = self.writes()
        while True:
            time.sleep(quiet_s)
            after = self.writes()
            if after == before:
                return after
            before = after

    def bulk(self, services: Sequence[dict[str, Any]], *, connections: int = 32) -> None:
        """Create many Services at once, without kubectl."""
        asyncio.run(_create_all(self.kubeconfig, services, connections))

    def services(self) -> list[dict[str, Any]]:
        """Return all Services, read in one request without kubectl."""
        return asyncio.run(_list_services(self.kubeconfig))

    def assigned(self) -> int:
        """Return how many Services have an address."""
        return sum(bool(_ingress(service)) for service in self.services())

    def close(self) -> None:
        """End whatever still runs."""
        for process in [*self.controllers, self.server]:
            if process.popen.poll() is None:
                process.stop()


@contextmanager
def running_cluster(folder: Path, *arguments: str, kind: Kind | None = None) -> Iterator[Cluster]:
    """Start an API server in `folder`, with these arguments; end everything behind it."""
    chosen = kind or wanted_kind()
    kubeconfig = folder / "kubeconfig"
    server = _start_server(chosen, kubeconfig, folder, arguments)
    cluster = Cluster(
        folder=folder, kubeconfig=kubeconfig, kind=chosen, server=server, arguments=arguments
    )
    try:
        yield cluster
    finally:
        cluster.close()


def _start_server(kind: Kind, kubeconfig: Path, folder: Path, arguments: Sequence[str]) -> Process:
    words = argv(kind, "--write-kubeconfig", str(kubeconfig), *arguments)
    process = _start("server", words, log=folder / "server.log", env={})
    wait_until(
        "the API server answers",
        lambda: kubeconfig.exists() or process.popen.poll() is not None,
        deadline_s=START_S,
    )
    assert process.popen.poll() is None, process.text()
    return process


def pool(name: str, *addresses: str, **spec: Any) -> dict[str, Any]:
    """Return an IPAddressPool."""
    return {
        "apiVersion": "metallb.io/v1beta1",
        "kind": "IPAddressPool",
        "metadata": {"name": name, "namespace": "metallb-system"},
        "spec": {"addresses": list(addresses), **spec},
    }


def advertisement(name: str = "everything", **spec: Any) -> dict[str, Any]:
    """Return an L2Advertisement, of all pools unless it says otherwise."""
    return {
        "apiVersion": "metallb.io/v1beta1",
        "kind": "L2Advertisement",
        "metadata": {"name": name, "namespace": "metallb-system"},
        "spec": spec,
    }


def node(name: str = "node-a", **labels: str) -> dict[str, Any]:
    """Return a Node."""
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels}}


def service(
    name: str,
    *,
    annotations: dict[str, str] | None = None,
    ports: Sequence[dict[str, Any]] = ({"port": 80},),
    **spec: Any,
) -> dict[str, Any]:
    """Return a Service of type LoadBalancer in the namespace default, without node ports."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "default", "annotations": annotations or {}},
        "spec": {
            "type": "LoadBalancer",
            "allocateLoadBalancerNodePorts": False,
            "selector": {"app": name},
            "ports": list(ports),
            **spec,
        },
    }


def _ingress(found: dict[str, Any]) -> list[dict[str, Any]]:
    entries = found.get("status", {}).get("loadBalancer", {}).get("ingress", [])
    assert isinstance(entries, list)
    return entries


async def _create_all(
    kubeconfig: Path, services: Sequence[dict[str, Any]], connections: int
) -> None:
    waiting = list(reversed(services))

    async def work(client: ApiClient) -> None:
        while waiting:
            body = waiting.pop()
            await client.create(SERVICES.path(body["metadata"]["namespace"]), body)

    async with connect(kubeconfig) as client, asyncio.TaskGroup() as group:
        for _ in range(connections):
            group.create_task(work(client))


async def _list_services(kubeconfig: Path) -> list[dict[str, Any]]:
    async with connect(kubeconfig) as client:
        items = parse_object(await client.list_page(SERVICES.path()))["items"]
    assert isinstance(items, list)
    return items  # type: ignore[return-value]
