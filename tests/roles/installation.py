"""One controller and two speakers on two nodes, each with the rights of its service account.

The controller runs beside the API server, the speakers in network namespaces that one cable joins.
Every request goes through a recorder.
"""

import base64
import json
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml
from tests.cluster import (
    Cluster,
    Process,
    advertisement,
    free_port,
    node,
    pool,
    running_cluster,
    start,
    wait_until,
)
from tests.netns import World, new_world
from tests.roles.recording import Recorder, recording

NAMESPACE: Final = "metallb-system"
NODES: Final = ("node-a", "node-b")
PROBES: Final = 17472
_API_PORT: Final = 8443
_RELAY: Final = Path(__file__).with_name("relay.py")
_LABELS: Final = {"app": "metallb", "component": "speaker"}


@dataclass
class Installation:
    """What a test drives, and what it asks."""

    cluster: Cluster
    recorder: Recorder
    world: World
    folder: Path
    controller: Process | None = None
    speakers: dict[str, "subprocess.Popen[str]"] = field(default_factory=dict)
    _generations: dict[str, int] = field(default_factory=dict)
    _probes: int = 0

    def prepare(self, manifests: Sequence[dict[str, Any]]) -> None:
        """Apply roles and everything that does not need the programs."""
        self.cluster.apply(*manifests)
        self.cluster.apply(
            *(node(name) for name in NODES),
            _deployment(),
            pool("p", "10.0.0.128/28"),
            pool("unheard", "192.0.2.0/28", autoAssign=False),
            advertisement("all", ipAddressPools=["p"]),
        )
        for name in NODES:
            self._write_kubeconfig("speaker", name, f"http://127.0.0.1:{_API_PORT}")
            path = self.folder / f"{name}.sock"
            self.recorder.listen_unix("speaker", path)
            argv = (sys.executable, str(_RELAY), str(_API_PORT), str(path))
            self.world.start(*argv, at=name, log=self.folder / f"relay-{name}.log")
        self._write_kubeconfig("controller", "controller", self.recorder.listen_tcp("controller"))

    def start_controller(self, *, wait: bool = True) -> Process:
        """Start the controller as a new Pod; wait until it works."""
        name = self._new_pod("controller", {"app": "metallb", "component": "controller"})
        self._probes = free_port()
        environment = {
            "METALLB_ML_SECRET_NAME": "memberlist",
            "METALLB_DEPLOYMENT": "controller",
            "KUBECONFIG": str(self.folder / "controller.kubeconfig"),
        }
        words = (f"--pod-name={name}", "--port=0", "--health-probe-host=127.0.0.1")
        self.controller = start(
            "controller",
            *words,
            f"--health-probe-port={self._probes}",
            log=self.folder / f"{name}.log",
            env=environment,
        )
        if wait:
            process = self.controller
            wait_until("the controller has started", lambda: '"msg": "started"' in process.text())
        return self.controller

    def stop_controller(self) -> None:
        """End the controller in order."""
        assert self.controller is not None
        assert self.controller.stop() == 0

    def start_speaker(self, at: str) -> Path:
        """Start the speaker of a node as a new Pod; return its log."""
        ip = address(at)
        name = self._new_pod(f"speaker-{at}", _LABELS, ip=ip)
        log = self.folder / f"{name}.log"
        words = [
            sys.executable,
            "-m",
            "ferrolb",
            "speaker",
            f"--kubeconfig={self.folder / at}.kubeconfig",
            f"--node-name={at}",
            f"--pod-name={name}",
            "--port=0",
            f"--health-probe-port={PROBES}",
            f"--ml-bindaddr={ip}",
            "--ml-labels=app=metallb,component=speaker",
            f"--ml-secret-key-path={self.folder}",
        ]
        shell = ("sh", "-c", 'log=$1; shift; exec "$@" >> "$log" 2>&1', "sh", str(log))
        environment = {"METALLB_NAMESPACE": NAMESPACE}
        self.speakers[at] = self.world.start(*shell, *words, at=at, env=environment)
        return log

    def stop_speaker(self, at: str) -> None:
        """End a node's speaker in order."""
        speaker = self.speakers.pop(at)
        self.world.kill(speaker, signal.SIGTERM)
        assert speaker.wait(10) == 0

    def controller_readiness(self) -> str:
        """Return what the controller's `/readyz` says."""
        return _asked(["curl", "-sS", f"http://127.0.0.1:{self._probes}/readyz"])

    def speaker_readiness(self, at: str) -> str:
        """Return what a speaker's `/readyz` says."""
        return self.world.run("curl", "-sS", f"http://127.0.0.1:{PROBES}/readyz", at=at)

    def answers(self, ip: str, *, to: str) -> bool:
        """Tell whether somebody on the cable answers for an address."""
        try:
            self.world.run("arping", "-c1", "-w1", "-I", "eth0", ip, at=to)
        except AssertionError:
            return False
        return True

    def endpoints(self, name: str) -> dict[str, Any]:
        """Return an EndpointSlice with a ready endpoint on each node."""
        return {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {
                "name": f"{name}-by-hand",
                "namespace": "default",
                "labels": {"kubernetes.io/service-name": name},
            },
            "addressType": "IPv4",
            "endpoints": [
                {
                    "addresses": [f"10.244.{number}.1"],
                    "conditions": {"ready": True},
                    "nodeName": at,
                }
                for number, at in enumerate(NODES)
            ],
            "ports": [{"name": "", "port": 8080, "protocol": "TCP"}],
        }

    def logs(self) -> str:
        """Return all that the programs have said."""
        return "".join(path.read_text() for path in sorted(self.folder.glob("*-pod-*.log")))

    def save_memberlist_key(self) -> None:
        """Do what kubelet does with the secret that the controller has made."""
        secret = self.cluster.get("secret", "memberlist", "-n", NAMESPACE)
        (self.folder / "secretkey").write_bytes(base64.b64decode(secret["data"]["secretkey"]))

    def _new_pod(self, program: str, labels: dict[str, str], *, ip: str = "") -> str:
        # the one before stays: with it would go what it owns
        number = self._generations.get(program, 0)
        self._generations[program] = number + 1
        name = f"{program}-pod-{number}"
        self.cluster.apply(
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": name, "namespace": NAMESPACE, "labels": labels},
                "spec": {"containers": [{"name": "c", "image": "i"}]},
            }
        )
        if ip:
            status = {"podIP": ip, "podIPs": [{"ip": ip}], "phase": "Running"}
            change = json.dumps({"status": status})
            where = ("-n", NAMESPACE, "--subresource=status", "--type=merge")
            self.cluster.kubectl("patch", "pod", name, *where, "-p", change)
        return name

    def _write_kubeconfig(self, account: str, name: str, server: str) -> None:
        token = self.cluster.kubectl("create", "token", account, "-n", NAMESPACE).strip()
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "c", "cluster": {"server": server}}],
            "users": [{"name": "u", "user": {"token": token}}],
            "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
            "current-context": "x",
        }
        (self.folder / f"{name}.kubeconfig").write_text(yaml.safe_dump(content))


def address(at: str) -> str:
    """Return the address of a node on the cable."""
    return f"10.0.0.{1 + NODES.index(at)}"


@contextmanager
def new_installation(
    folder: Path, manifests: Sequence[dict[str, Any]], *arguments: str
) -> Iterator[Installation]:
    """Start API server, recorder and network; end all behind it."""
    with (
        running_cluster(folder, *arguments) as cluster,
        recording(cluster.kubeconfig) as recorder,
        new_world() as world,
    ):
        _cable(world)
        made = Installation(cluster, recorder, world, folder)
        try:
            made.prepare(manifests)
            yield made
        finally:
            if made.controller is not None and made.controller.popen.poll() is None:
                made.controller.stop()


def _cable(world: World) -> None:
    for name in NODES:
        world.run("ip", "netns", "add", name)
    first, second = NODES
    world.run(
        *f"ip -n {first} link add eth0 type veth peer name eth0 netns {second}".split(),
    )
    for name in NODES:
        world.run("ip", "-n", name, "addr", "add", f"{address(name)}/24", "dev", "eth0")
        for link in ("lo", "eth0"):
            world.run("ip", "-n", name, "link", "set", link, "up")


def _deployment() -> dict[str, Any]:
    labels = {"app": "metallb", "component": "controller"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "controller", "namespace": NAMESPACE},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "c", "image": "i"}]},
            },
        },
    }


def _asked(argv: list[str]) -> str:
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout
