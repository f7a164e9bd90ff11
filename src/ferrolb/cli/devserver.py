"""`ferrolb devserver`."""

import sys
from pathlib import Path

import click

from ferrolb.cli.listen import LISTEN, ListenAddress


@click.command(
    "devserver",
    context_settings={"max_content_width": 100},
    epilog="""\b
Examples:
  ferrolb devserver --write-kubeconfig kc            any free port; kc appears once it answers
  KUBECONFIG=kc kubectl get namespaces               use it with kubectl
  ferrolb devserver --listen 127.0.0.1:6443 --data state    keep the objects over restarts
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
    help="Directory that keeps objects, certificates and token; in memory without it.",
)
@click.option("--name", "names", multiple=True, help="Further name or address for the certificate.")
@click.option("--rbac", is_flag=True, help="Let roles and bindings decide what may be done.")
@click.option("--faults", is_flag=True, help="Let requests fail as /ferrolb/faults says.")
@click.option("--log-level", default="warn", show_default=True, help="all, debug, ... none.")
def command(
    listen: ListenAddress,
    write_kubeconfig: Path | None,
    data: Path | None,
    names: tuple[str, ...],
    *,
    log_level: str,
    **gates: bool,
) -> None:
    """Run a Kubernetes API server for development and tests; never use it in production.

    Real kubectl works with it. It has no nodes and runs no pods, and whoever has its kubeconfig
    may do everything. FerroLB's custom resources are installed.
    """
    try:
        from ferrolb.devserver import DevServerOptions, Endpoint, serve
    except ModuleNotFoundError as error:
        text = f"{error.name} is not installed: pip install 'ferrolb[devserver]'"
        raise click.ClickException(text) from error
    from ferrolb.runtime import run_program
    from ferrolb.telemetry import LogLevelError, configure_logging

    try:
        configure_logging(log_level, stream=sys.stderr)
    except LogLevelError as error:
        raise click.ClickException(str(error)) from error
    options = DevServerOptions(
        host=listen.host,
        port=listen.port,
        kubeconfig=write_kubeconfig,
        data_dir=data,
        extra_names=names,
        is_rbac=gates["rbac"],
        has_faults=gates["faults"],
    )

    def say(endpoint: Endpoint) -> None:
        how = f", kubeconfig {endpoint.kubeconfig}" if endpoint.kubeconfig else ""
        click.echo(f"serving on {endpoint.url}{how}")

    sys.exit(run_program(lambda: serve(options, ready=say)))
