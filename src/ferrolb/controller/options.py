"""What the controller is told at its start."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class ControllerOptions:
    """Flags and environment of `ferrolb controller`, resolved."""

    kubeconfig: Path | None = None
    """None: `$KUBECONFIG`, else the Pod's service account."""
    namespace: str
    """Where the custom resources, the memberlist secret and the own Pod are."""
    port: int = 9120
    """Metrics; 0 is off."""
    metrics_host: str = "127.0.0.1"
    """Plain HTTP, so loopback unless told otherwise (C-26)."""
    health_probe_port: int = 17472
    """`/healthz` and `/readyz`; 0 is off."""
    health_probe_host: str = ""
    """Empty: every interface, since kubelet asks from the node."""
    lb_class: str = ""
    """Handle only Services of this loadBalancerClass; empty: only those without one."""
    ml_secret_name: str = ""
    """Memberlist secret to create; empty: none."""
    deployment: str = ""
    """Deployment that owns that secret."""
    pod_name: str = ""
    """Own Pod; it owns the ConfigurationState. Empty, or a Pod that is not there: no owner."""
