"""`ferrolb envtest`."""

import os
import sys
from pathlib import Path

import click

from ferrolb.cli.listen import LISTEN, ListenAddress


@click.command(
    "envtest",
    context_settings={"max_content_width": 100},
    epilog="""\b
Examples:
  ferrolb envtest --write-kubeconfig kc              any free port; kc appears once it answers
  KUBECONFIG=kc kubectl get namespaces               use it with kubectl
""",
)
@click.option(
    "--listen",
    type=LISTEN,
    default="127.0.0.1:0",
    show_default=True,
    help="HOST:PORT, or [IPv6]:PORT; port 0 takes any free one.",
)
@click.option(
    "--write-kubeconfig",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to write, whole, once the server answers.",
)
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    help="Directory that keeps objects, certificates and token; gone at the end without it.",
)
@click.option("--name", "names", multiple=True, help="Further name or address for the certificate.")
@click.option(
    "--controllers",
    metavar="LIST",
    help="Controllers to run, separated by commas; empty: none. A few without nodes by default.",
)
@click.option("--log-level", default="warn", show_default=True, help="all, debug, ... none.")
def command(
    listen: ListenAddress,
    write_kubeconfig: Path | None,
    data: Path | None,
    names: tuple[str, ...],
    *,
    controllers: str | None,
    log_level: str,
) -> None:
    """Run a real Kubernetes API server without nodes, for development and tests.

    kube-apiserver, etcd and a controller manager run as children and end with this command, however
    it ends. Roles are enforced. FerroLB's custom resources are installed.
    """
    from ferrolb.envtest import (
        DEFAULT_CONTROLLERS,
        Endpoint,
        EnvtestError,
        EnvtestOptions,
        find_binaries,
        serve,
    )
    from ferrolb.runtime import run_program
    from ferrolb.telemetry import LogLevelError, configure_logging

    try:
        configure_logging(log_level, stream=sys.stderr)
        binaries = find_binaries(os.environ)
    except (LogLevelError, EnvtestError) as error:
        raise click.ClickException(str(error)) from error
    chosen = [name.strip() for name in (controllers or "").split(",")]
    options = EnvtestOptions(
        binaries=binaries,
        host=listen.host,
        port=listen.port,
        kubeconfig=write_kubeconfig,
        data_dir=data,
        extra_names=names,
        controllers=DEFAULT_CONTROLLERS if controllers is None else tuple(filter(None, chosen)),
    )

    def say(endpoint: Endpoint) -> None:
        how = f", kubeconfig {endpoint.kubeconfig}" if endpoint.kubeconfig else ""
        click.echo(f"serving on {endpoint.url}{how}")

    sys.exit(run_program(lambda: serve(options, ready=say)))
