"""What a caller may set of the dev API server."""

from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from typing import Final

from ferrolb.devserver.journal import LOG_LIMIT_BYTES
from ferrolb.model import IPNetwork

DEFAULT_SERVICE_RANGES: Final[tuple[IPNetwork, ...]] = (
    ip_network("10.96.0.0/16"),
    ip_network("fd00:10:96::/112"),
)
"""Cluster addresses, the primary family first: the ranges that kubeadm users know, dual-stack."""

DEFAULT_NODE_PORTS: Final = (30000, 32767)
"""First and last node port, both included: the API server's own default."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DevServerOptions:
    """Settings of one dev API server; the defaults listen on the loopback interface only."""

    host: str = "127.0.0.1"
    """Address to listen on. Anything but loopback makes the server reachable by others."""
    port: int = 0
    """TCP port; 0 takes any free one."""
    kubeconfig: Path | None = None
    """Where to write the kubeconfig once the server answers; an existing file is replaced."""
    data_dir: Path | None = None
    """Directory that keeps objects, certificates and token over restarts; None: in memory."""
    journal_limit_bytes: int = LOG_LIMIT_BYTES
    """Bytes of changes in `data_dir` from which on a snapshot takes their place."""
    token: str | None = None
    """Bearer token of the administrator; None: kept in `data_dir`, or made anew."""
    extra_names: tuple[str, ...] = ()
    """Further host names and addresses that the server certificate shall cover."""
    service_ranges: tuple[IPNetwork, ...] = DEFAULT_SERVICE_RANGES
    """One network a family for cluster addresses; the first is the default family."""
    is_rbac: bool = False
    """Whether roles are enforced; without, every account may do everything."""
    has_faults: bool = False
    """Whether administrators may have requests fail, at `/ferrolb/faults`; on loopback only."""
    node_ports: tuple[int, int] = DEFAULT_NODE_PORTS
    """First and last port for Services of type NodePort and LoadBalancer."""
