"""What `ferrolb lab` and `ferrolb demo` take alike: which API server, which service proxy."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

if TYPE_CHECKING:
    from collections.abc import Callable

    from ferrolb.lab import ApiKind, ProxyKind

_API: Final = click.option(
    "--api",
    type=click.Choice(["dev", "real"]),
    default="dev",
    show_default=True,
    help="The development API server, or kube-apiserver and etcd.",
)


def api_option(command: "Callable[..., Any]") -> "Callable[..., Any]":
    """Add `--api`."""
    return _API(command)


def find_kube_proxy(api: "ApiKind", kube_proxy: "ProxyKind | None") -> Path | None:
    """Return the real kube-proxy if it is to run; None for `kube_proxy` runs one that is there.

    Raises:
        click.ClickException: a program that is asked for is not there; the text says what to do.
    """
    from ferrolb.envtest import EnvtestError, find_binaries
    from ferrolb.lab import ApiKind, ProxyKind

    if api is ApiKind.DEV and kube_proxy is not ProxyKind.REAL:
        return None
    try:
        binaries = find_binaries(os.environ)
    except EnvtestError as error:
        raise click.ClickException(str(error)) from error
    needed = {
        "kube-controller-manager": (api is ApiKind.REAL, binaries.kube_controller_manager),
        "kube-proxy": (kube_proxy is ProxyKind.REAL, binaries.kube_proxy),
    }
    folder = binaries.kube_apiserver.parent
    for name, (is_needed, path) in needed.items():
        if is_needed and path is None:
            text = f"no {name} in {folder}: `make envtest-build` builds one, into its own folder"
            raise click.ClickException(text)
    return None if kube_proxy is ProxyKind.OWN else binaries.kube_proxy
