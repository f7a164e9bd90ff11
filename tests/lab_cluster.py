"""A lab as its users see it: kubectl from outside, arping and curl from the client.

`FERROLB_TEST_API=real` makes it one of a real API server and a real kube-proxy.
"""

import json
import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.api_server import Kind, wanted_kind
from tests.cluster import Kubectl, wait_until

from ferrolb.envtest import find_binaries
from ferrolb.lab import ApiKind, Lab, LabOptions, ProxyKind

FAILOVER_S: Final = 10.0
"""Bound of design.md with three nodes: a crash is detected by gossip alone."""

_ASK: Final = Path(__file__).with_name("lab_ask.py")


def lab_options(**fields: Any) -> LabOptions:
    """Return the options of a lab of the kind that this run is about."""
    if wanted_kind() is Kind.DEV:
        return LabOptions(**fields)
    return real_options(**fields)


def real_options(**fields: Any) -> LabOptions:
    """Return the options of a lab that is real throughout, unless the fields say otherwise."""
    chosen: dict[str, Any] = {"api": ApiKind.REAL, "kube_proxy": ProxyKind.REAL, **fields}
    if chosen["kube_proxy"] is ProxyKind.REAL:
        chosen["kube_proxy_path"] = find_binaries(os.environ).kube_proxy
    return LabOptions(**chosen)


@dataclass(kw_only=True)
class LabCluster(Kubectl):
    """One lab and what tests ask of it."""

    lab: Lab

    def wait_members(self) -> None:
        """Wait until every speaker knows all the others; until then elections may differ."""
        names = [node.name for node in self.lab.status().nodes]
        line = f"ferrolb_gossip_members {len(names)}.0"

        def check() -> bool:
            argv = ["curl", "-sS", "http://127.0.0.1:9120/metrics"]
            return all(line in self.lab.exec(name, argv).stdout for name in names)

        wait_until("every speaker knows all the others", check)

    def nodes_answering(self, ip: str, *, within_s: float = 0.15) -> set[str]:
        """Return the nodes that answer one ARP request, or neighbor solicitation.

        One that is no node's is named by its MAC address.
        """
        by_mac = {node.mac: node.name for node in self.lab.status().nodes}
        done = self.lab.exec("client", [sys.executable, str(_ASK), ip, str(within_s)])
        assert done.returncode == 0, done.stderr
        return {by_mac.get(mac, mac) for mac in json.loads(done.stdout)}

    def wait_owner(self, ip: str, *, among: Iterable[str] = ("n1", "n2", "n3")) -> str:
        """Wait until exactly one node answers, and return it."""
        allowed = set(among)

        def check() -> str:
            found = self.nodes_answering(ip)
            assert found <= allowed, f"{found} answer for {ip}, allowed are {allowed}"
            return found.pop() if len(found) == 1 else ""

        return str(wait_until(f"one of {sorted(allowed)} answers for {ip}", check))

    def wait_silent(self, ip: str) -> None:
        """Wait until nobody answers."""
        wait_until(f"nobody answers for {ip}", lambda: not self.nodes_answering(ip))

    def curl(self, ip: str, *, port: int = 80) -> Any:
        """Return what the pod behind an address says of itself and of its client.

        A connection that was begun before the proxy knew the address never comes to anything, so
        it is tried again: kube-proxy writes its rules once a second.
        """
        host = f"[{ip}]" if ":" in ip else ip
        url = f"http://{host}:{port}/"
        patience = ("--connect-timeout", "1", "--retry", "5", "--retry-all-errors")
        argv = ["curl", "-sS", "--max-time", "5", *patience, "--retry-delay", "1", url]
        done = self.lab.exec("client", argv)
        assert done.returncode == 0, f"curl {url}: {done.stderr}"
        return json.loads(done.stdout)

    def ask_by_udp(self, ip: str, *, port: int = 80) -> Any:
        """Return what the pod behind an address answers to a datagram."""
        source = (
            "import socket, sys\n"
            "family, _, _, _, to = socket.getaddrinfo(sys.argv[1], int(sys.argv[2]))[0]\n"
            "with socket.socket(family, socket.SOCK_DGRAM) as udp:\n"
            "    udp.settimeout(5)\n"
            "    udp.sendto(b'hello', to)\n"
            "    sys.stdout.write(udp.recv(4096).decode())\n"
        )
        done = self.lab.exec("client", [sys.executable, "-c", source, ip, str(port)])
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def statuses(self, service: str) -> list[dict[str, Any]]:
        """Return the `status` of each ServiceL2Status of a Service."""
        found = self.get(
            "servicel2statuses",
            "-n=metallb-system",
            "-l",
            f"metallb.io/service-name={service},metallb.io/service-namespace=default",
        )
        return [item.get("status", {}) for item in found["items"]]

    def wait_status(self, service: str, node: str) -> dict[str, Any]:
        """Wait until exactly one ServiceL2Status names the node, and return it."""

        def check() -> Any:
            found = self.statuses(service)
            return found if [one.get("node") for one in found] == [node] else None

        [status] = wait_until(f"one ServiceL2Status of {service} names {node}", check)
        assert isinstance(status, dict)
        return status

    def metrics(self, node: str) -> str:
        """Return what a speaker exposes."""
        done = self.lab.exec(node, ["curl", "-sS", "http://127.0.0.1:9120/metrics"])
        assert done.returncode == 0, done.stderr
        return done.stdout
