"""What a caller may choose of a lab."""

import json
import re
from dataclasses import asdict, dataclass
from enum import StrEnum
from ipaddress import ip_network
from pathlib import Path
from typing import Final, Self

from ferrolb.lab.errors import LabError
from ferrolb.model import IPNetwork

DEFAULT_NAME: Final = "default"

MAX_NODES: Final = 50
"""Every node is a speaker process of some 40 MB, and every broadcast wakes all of them; the
host's neighbour table (1,024 entries, all namespaces together) is spared by permanent entries."""

DEFAULT_SERVICE_NETWORKS: Final[tuple[IPNetwork, ...]] = (
    ip_network("192.168.100.0/24"),
    ip_network("172.31.249.0/24"),
    ip_network("203.0.113.0/24"),
    ip_network("fd00:100::/64"),
)
"""Where client and router look for Services on the segment: the pools of the requirement's chapter
and of the demo, and one prefix for IPv6."""

_NAME: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?")
"""Part of a path and of messages; short, since a Unix socket's path has at most 107 bytes."""


class ApiKind(StrEnum):
    """Which API server a lab starts."""

    DEV = "dev"
    """The development API server; the lab makes the EndpointSlices."""
    REAL = "real"
    """kube-apiserver, etcd and kube-controller-manager, which makes them."""


class ProxyKind(StrEnum):
    """What serves Services on the nodes."""

    OWN = "own"
    """One nftables table a node, written by the supervisor."""
    REAL = "real"
    """kube-proxy in nftables mode, one process a node."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabOptions:
    """Settings of one lab; the defaults are what `ferrolb lab up` takes."""

    name: str = DEFAULT_NAME
    """Several labs run side by side under different names."""
    nodes: int = 3
    kubeconfig: Path | None = None
    """An API server to use; None: one of the lab's own."""
    api: ApiKind = ApiKind.DEV
    """Which one that is."""
    kube_proxy: ProxyKind = ProxyKind.OWN
    kube_proxy_path: Path | None = None
    """The real kube-proxy; whoever builds the options finds it."""
    service_networks: tuple[IPNetwork, ...] = DEFAULT_SERVICE_NETWORKS
    """Networks that are on the client's and the router's link."""
    root: Path | None = None
    """Folder in which labs have their folders; None: `default_root()`."""
    speaker_command: tuple[str, ...] = ()
    """What to run on a node instead of `ferrolb speaker`; the speaker's arguments follow it."""
    speaker_arguments: tuple[str, ...] = ()
    """Further arguments for every speaker."""
    has_controller: bool = True
    """False: the API server's own controller, or none, gives the addresses."""
    has_speakers: bool = True
    """False: nothing announces, so that a test may play the speaker itself."""
    log_level: str = "info"
    """Of controller and speakers."""

    def check(self) -> None:
        """Raise LabError if a setting is out of range."""
        if not _NAME.fullmatch(self.name):
            raise LabError(
                f"{self.name!r} is no name for a lab: lower-case letters, digits and '-', "
                "at most 32 of them"
            )
        if not 1 <= self.nodes <= MAX_NODES:
            raise LabError(f"a lab has 1 to {MAX_NODES} nodes, not {self.nodes}")
        if self.kubeconfig is not None and not self.kubeconfig.is_file():
            raise LabError(f"kubeconfig {self.kubeconfig} is not a file")
        if self.kubeconfig is not None and self.api is ApiKind.REAL:
            raise LabError("a lab that is given a kubeconfig starts no API server of its own")
        if self.kube_proxy is ProxyKind.REAL and self.kube_proxy_path is None:
            raise LabError("there is no kube-proxy: `make envtest-build` builds it")

    def encode(self) -> bytes:
        """Return the settings as text, for another process."""
        return json.dumps(asdict(self), default=str).encode()

    @classmethod
    def decode(cls, text: bytes) -> Self:
        """Read what `encode` has written."""
        fields = json.loads(text)
        return cls(
            **{
                **fields,
                "kubeconfig": _path(fields["kubeconfig"]),
                "api": ApiKind(fields["api"]),
                "kube_proxy": ProxyKind(fields["kube_proxy"]),
                "kube_proxy_path": _path(fields["kube_proxy_path"]),
                "root": _path(fields["root"]),
                "service_networks": tuple(map(ip_network, fields["service_networks"])),
                "speaker_command": tuple(fields["speaker_command"]),
                "speaker_arguments": tuple(fields["speaker_arguments"]),
            }
        )


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text)
