"""What a caller may set of a real API server."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ferrolb.envtest.binaries import Binaries

DEFAULT_CONTROLLERS: Final = (
    "endpointslice-controller",
    "namespace-controller",
    "garbage-collector-controller",
    "serviceaccount-controller",
    "clusterrole-aggregation-controller",
)
"""What tests of controllers need: slices from Pods, an end for Namespaces, owners that count, the
account `default` in each Namespace, for which tokens are asked, and the rules of roles that are
gathered from others. Whatever would make or judge Pods and Nodes is left out: tests write those
themselves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvtestOptions:
    """Settings of one real API server; the defaults listen on the loopback interface only."""

    binaries: Binaries
    """What to run; without a controller manager none runs."""
    host: str = "127.0.0.1"
    """Address to listen on. Anything but loopback makes the server reachable by others."""
    port: int = 0
    """TCP port; 0 takes the one in use last time with `data_dir`, or any free one."""
    kubeconfig: Path | None = None
    """Where to write the kubeconfig once the server answers; an existing file is replaced."""
    data_dir: Path | None = None
    """Directory that keeps objects, certificates, token and port; None: gone at the end."""
    extra_names: tuple[str, ...] = ()
    """Further host names and addresses that the server certificate shall cover."""
    controllers: tuple[str, ...] = DEFAULT_CONTROLLERS
    """Controllers by the names that kube-controller-manager gives them; empty: it does not run."""
