"""The kubeconfig file by which clients find and trust an API server that we run."""

import base64
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Final

import yaml

from ferrolb.pki.certificates import write_private

CONTEXT_NAME: Final = "ferrolb-dev"
"""Name of cluster, user and context in the file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where and how a running API server is reached."""

    url: str
    host: str
    port: int
    token: str
    ca_pem: str
    kubeconfig: Path | None


def endpoint_at(
    host: str, port: int, *, token: str, ca_pem: str, kubeconfig: Path | None
) -> Endpoint:
    """Return the endpoint by which clients on this machine reach a server that listens there."""
    reachable = reachable_host(host)
    return Endpoint(
        url=f"https://{f'[{reachable}]' if ':' in reachable else reachable}:{port}",
        host=reachable,
        port=port,
        token=token,
        ca_pem=ca_pem,
        kubeconfig=kubeconfig,
    )


def reachable_host(host: str) -> str:
    """Return the address by which clients on this machine reach a server that listens there."""
    if not host:
        return "127.0.0.1"
    try:
        address = ip_address(host)
    except ValueError:
        return host
    if not address.is_unspecified:
        return host
    return "::1" if address.version == 6 else "127.0.0.1"


def kubeconfig_text(endpoint: Endpoint) -> str:
    """Return the kubeconfig of an endpoint, complete in itself."""
    authority = base64.b64encode(endpoint.ca_pem.encode("ascii")).decode("ascii")
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": CONTEXT_NAME,
                "cluster": {"server": endpoint.url, "certificate-authority-data": authority},
            }
        ],
        "users": [{"name": CONTEXT_NAME, "user": {"token": endpoint.token}}],
        "contexts": [
            {
                "name": CONTEXT_NAME,
                "context": {
                    "cluster": CONTEXT_NAME,
                    "user": CONTEXT_NAME,
                    "namespace": "default",
                },
            }
        ],
        "current-context": CONTEXT_NAME,
    }
    return yaml.safe_dump(config, sort_keys=False)


def write_kubeconfig(endpoint: Endpoint) -> None:
    """Write the file the endpoint names, whole and for its owner only; nothing if it names none."""
    if endpoint.kubeconfig is not None:
        write_private(endpoint.kubeconfig, kubeconfig_text(endpoint).encode("utf-8"))
