"""The kubeconfig file by which clients find and trust the dev API server."""

import base64
from typing import Final

import yaml

from ferrolb.devserver.options import Endpoint
from ferrolb.devserver.tls import write_private

CONTEXT_NAME: Final = "ferrolb-dev"
"""Name of cluster, user and context in the file."""


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
