"""Certificates, keys and kubeconfigs of the API servers that we run for development and tests."""

from ferrolb.pki.certificates import (
    KeyPair,
    ServerIdentity,
    load_or_make_identity,
    make_authority,
    make_server_pair,
    server_context,
    write_private,
)
from ferrolb.pki.kubeconfig import Endpoint, endpoint_at, kubeconfig_text, write_kubeconfig

__all__ = [
    "Endpoint",
    "KeyPair",
    "ServerIdentity",
    "endpoint_at",
    "kubeconfig_text",
    "load_or_make_identity",
    "make_authority",
    "make_server_pair",
    "server_context",
    "write_kubeconfig",
    "write_private",
]
