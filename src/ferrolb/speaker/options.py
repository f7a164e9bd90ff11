"""What the speaker is told at its start."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ferrolb.model import IPAddress, NodeName

DEFAULT_REFRESH_S: Final = 240
"""Seconds between the refreshes of an address: below the 300 s after which switches commonly
forget where a station is (C-11)."""

DEFAULT_GOSSIP_PORT: Final = 7946
EXCLUDE_FILE: Final = Path("/etc/metallb/excludel2.yaml")
TUNING_FILE: Final = Path("/etc/metallb/memberlist/config.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class GossipOptions:
    """How to find and understand the other speakers."""

    bind_address: IPAddress
    bind_port: int = DEFAULT_GOSSIP_PORT
    labels: str
    """Label selector of the speakers' Pods."""
    secret_folder: Path | None = None
    """Folder with the file `secretkey`; None: no encryption."""
    is_wan: bool = False
    tuning_file: Path = TUNING_FILE
    """Timing of memberlist; absent: defaults."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeakerOptions:
    """Flags and environment of `ferrolb speaker`, resolved."""

    kubeconfig: Path | None = None
    """None: `$KUBECONFIG`, else the Pod's service account."""
    namespace: str
    """Where the custom resources and the speakers' Pods are."""
    node_name: NodeName
    pod_name: str = ""
    """Own Pod: owner of what this speaker writes. Empty, or a Pod that is not there: no owner."""
    port: int = 9120
    """Metrics; 0 is off."""
    metrics_host: str = "127.0.0.1"
    """Plain HTTP, so loopback unless told otherwise (C-26)."""
    health_probe_port: int = 17472
    """`/healthz` and `/readyz`; 0 is off."""
    health_probe_host: str = "127.0.0.1"
    """Speakers share the network of their node, so nothing else may ask."""
    lb_class: str = ""
    """Handle only Services of this loadBalancerClass; empty: only those without one."""
    ignores_exclude_label: bool = False
    refresh_s: int = DEFAULT_REFRESH_S
    """Seconds between refreshes of an address on the wire; 0: none."""
    exclude_file: Path = EXCLUDE_FILE
    """Interfaces that nothing is announced through; absent: none excluded."""
    gossip: GossipOptions | None = None
    """None: no membership, every node is taken for a speaker."""
