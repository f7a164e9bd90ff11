"""What a lab runs: the commands of its programs, as a user or a DaemonSet would give them."""

import socket
from pathlib import Path
from typing import Final

from ferrolb.lab.errors import LabError
from ferrolb.lab.folders import KUBECONFIG_NAME
from ferrolb.lab.options import ApiKind, LabOptions
from ferrolb.lab.population import SPEAKER_LABELS, speaker_pod
from ferrolb.lab.programs import ferrolb_argv
from ferrolb.lab.topology import POD_NETWORKS, NodeHost
from ferrolb.runtime import DEFAULT_NAMESPACE

NODE_KUBECONFIG: Final = "kubeconfig-node"
SECRET_FOLDER: Final = "memberlist"  # noqa: S105 - the name of a folder

SERVERS: Final = {ApiKind.DEV: "devserver", ApiKind.REAL: "envtest"}
"""What `ferrolb` calls each API server, and a lab the program."""


class Commands:
    """The commands of one lab."""

    def __init__(self, options: LabOptions, folder: Path) -> None:
        self._options = options
        self._folder = folder

    def server(self) -> list[str]:
        """Return the API server's."""
        # a fixed port and a folder: a server that is killed comes back as it was
        return ferrolb_argv(
            SERVERS[self._options.api],
            f"--listen=127.0.0.1:{_free_port()}",
            f"--data={self._folder / 'api'}",
            f"--write-kubeconfig={self._folder / KUBECONFIG_NAME}",
        )

    def controller(self) -> list[str]:
        """Return the controller's."""
        return ferrolb_argv(
            "controller",
            f"--kubeconfig={self._folder / KUBECONFIG_NAME}",
            f"--namespace={DEFAULT_NAMESPACE}",
            f"--log-level={self._options.log_level}",
            "--port=0",
            "--health-probe-port=0",
        )

    def speaker(self, node: NodeHost) -> tuple[list[str], dict[str, str]]:
        """Return the speaker's command and environment, as its DaemonSet would give them."""
        labels = ",".join(f"{name}={value}" for name, value in SPEAKER_LABELS.items())
        environment = {
            "METALLB_NODE_NAME": node.name,
            "METALLB_POD_NAME": speaker_pod(node),
            "METALLB_HOST": str(node.ipv4),
            "METALLB_NAMESPACE": DEFAULT_NAMESPACE,
            "METALLB_ML_BIND_ADDR": str(node.ipv4),
            "METALLB_ML_LABELS": labels,
            "METALLB_ML_SECRET_KEY_PATH": str(self._folder / SECRET_FOLDER),
            "KUBECONFIG": str(self._folder / NODE_KUBECONFIG),
        }
        arguments = [
            f"--kubeconfig={self._folder / NODE_KUBECONFIG}",
            f"--namespace={DEFAULT_NAMESPACE}",
            f"--node-name={node.name}",
            f"--pod-name={speaker_pod(node)}",
            f"--ml-bindaddr={node.ipv4}",
            f"--ml-labels={labels}",
            f"--ml-secret-key-path={self._folder / SECRET_FOLDER}",
            f"--log-level={self._options.log_level}",
            *self._options.speaker_arguments,
        ]
        command = [*self._options.speaker_command] or ferrolb_argv("speaker")
        return [*command, *arguments], environment

    def kube_proxy(self, node: NodeHost) -> list[str]:
        """Return a node's kube-proxy's, as a cluster's DaemonSet would give it.

        Raises:
            LabError: nobody has said where it is.
        """
        if self._options.kube_proxy_path is None:
            raise LabError("nobody has said where kube-proxy is")
        is_dev = self._options.api is ApiKind.DEV
        return [
            str(self._options.kube_proxy_path),
            "--proxy-mode=nftables",
            f"--kubeconfig={self._folder / NODE_KUBECONFIG}",
            f"--hostname-override={node.name}",
            f"--cluster-cidr={','.join(map(str, POD_NETWORKS))}",
            "--detect-local-mode=ClusterCIDR",
            # the limits of the machine's connection tracking are not a namespace's to set
            "--conntrack-max-per-core=0",
            "--conntrack-tcp-timeout-established=0",
            "--conntrack-tcp-timeout-close-wait=0",
            "--healthz-bind-address=127.0.0.1:10256",
            "--metrics-bind-address=127.0.0.1:10249",
            # of everything on the machine it would else be the last to go when memory is short
            "--oom-score-adj=0",
            # the development API server speaks JSON alone
            *(["--kube-api-content-type=application/json"] if is_dev else []),
        ]


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
