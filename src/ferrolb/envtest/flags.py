"""The command lines of the programs, and the names of the files that these share."""

from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from ferrolb.envtest.options import EnvtestOptions

SERVICE_RANGES: Final = "10.96.0.0/16,fd00:10:96::/112"
"""Cluster addresses, those of the dev API server: the ranges that kubeadm users know."""

SERVICE_NAMES: Final = ("kubernetes.default.svc.cluster.local", "10.96.0.1", "fd00:10:96::1")
"""Names of the API server inside a cluster, besides those that every certificate covers."""

ISSUER: Final = "https://kubernetes.default.svc.cluster.local"
"""Who signs the tokens of ServiceAccounts, as kubeadm names it."""

ADVERTISED: Final = "192.0.2.1"
"""An address of the range for documentation. The API server refuses one of the loopback range, and
without any searches a default route, which a network namespace may lack. It advertises this one to
nobody: its Service gets no endpoint, since no pod can reach a server on the host's loopback."""

MAX_READS: Final = 4000
MAX_WRITES: Final = 2000
"""Requests under way at once, ten times the defaults: measurements are to meet the server's work,
not its queues; the queues themselves (priority and fairness) stay."""

ETCD_SOCKET: Final = "unix://etcd:0"
PEER_SOCKET: Final = "unix://peer:0"
"""Sockets in the working directory, which is ours alone: no port, no certificates. The numbers are
there because etcd wants a port in every address."""

ETCD_DATA: Final = "etcd"
PEOPLE: Final = "people.csv"
"""Token, user, uid, groups of whom the API server knows."""
SERVER_CERT: Final = "server.crt"
SERVER_KEY: Final = "server.key"
ACCOUNTS_KEY: Final = "service-accounts.key"
MANAGER_KUBECONFIG: Final = "controller-manager.kubeconfig"


def etcd_argv(options: "EnvtestOptions", folder: Path) -> list[str]:
    """Return the command of the store, to be run in `folder`."""
    return [
        str(options.binaries.etcd),
        "--name=ferrolb",
        f"--data-dir={(options.data_dir or folder).absolute() / ETCD_DATA}",
        f"--listen-client-urls={ETCD_SOCKET}",
        f"--advertise-client-urls={ETCD_SOCKET}",
        f"--listen-peer-urls={PEER_SOCKET}",
        f"--initial-advertise-peer-urls={PEER_SOCKET}",
        f"--initial-cluster=ferrolb={PEER_SOCKET}",
        "--log-level=warn",
        # what is gone at the end need not survive a power cut
        *([] if options.data_dir else ["--unsafe-no-fsync"]),
    ]


def api_server_argv(
    options: "EnvtestOptions", folder: Path, *, address: str, port: int
) -> list[str]:
    """Return the command of the API server, to be run in `folder`."""
    return [
        str(options.binaries.kube_apiserver),
        f"--etcd-servers={ETCD_SOCKET}",
        f"--bind-address={address}",
        f"--secure-port={port}",
        "--permit-port-sharing",
        f"--advertise-address={ADVERTISED}",
        "--endpoint-reconciler-type=none",
        f"--tls-cert-file={folder / SERVER_CERT}",
        f"--tls-private-key-file={folder / SERVER_KEY}",
        f"--token-auth-file={folder / PEOPLE}",
        "--authorization-mode=RBAC",
        f"--service-account-issuer={ISSUER}",
        f"--service-account-key-file={folder / ACCOUNTS_KEY}",
        f"--service-account-signing-key-file={folder / ACCOUNTS_KEY}",
        f"--service-cluster-ip-range={SERVICE_RANGES}",
        # nothing runs the pods, so nobody need give them tokens
        "--disable-admission-plugins=ServiceAccount",
        "--allow-privileged",
        f"--max-requests-inflight={MAX_READS}",
        f"--max-mutating-requests-inflight={MAX_WRITES}",
    ]


def controller_manager_argv(binary: Path, folder: Path, controllers: tuple[str, ...]) -> list[str]:
    """Return the command of the controller manager, to be run in `folder`."""
    return [
        str(binary),
        f"--kubeconfig={folder / MANAGER_KUBECONFIG}",
        f"--controllers={','.join(controllers)}",
        "--leader-elect=false",
        "--secure-port=0",
    ]
