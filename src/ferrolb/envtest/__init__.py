"""A real API server on this machine: kube-apiserver, etcd and a controller manager, for tests.

The name is the field's: what controller authors call a control plane without nodes. The binaries
are built by `scripts/build_envtest.sh`, or named by `KUBEBUILDER_ASSETS`. A running one looks like
a dev API server from outside: same start, same kubeconfig, same end.
"""

from ferrolb.envtest.binaries import Binaries, EnvtestError, find_binaries
from ferrolb.envtest.options import DEFAULT_CONTROLLERS, EnvtestOptions
from ferrolb.envtest.server import serve
from ferrolb.pki import Endpoint

__all__ = [
    "DEFAULT_CONTROLLERS",
    "Binaries",
    "Endpoint",
    "EnvtestError",
    "EnvtestOptions",
    "find_binaries",
    "serve",
]
