"""`ferrolb envtest`."""

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
@click.option("--log-level", default="warn", show_default=True, help="all, debug, ... none.")
def command(
    listen: ListenAddress,
    write_kubeconfig: Path | None,
    data: Path | None,
    names: tuple[str, ...],
    log_level: str,
) -> None:
    """Run a real Kubernetes API server without nodes, for development and tests.

    kube-apiserver, etcd and a controller manager run as children and end with this command, however
    it ends. Roles are enforced. FerroLB's custom resources are installed.
    """
    _ = (listen, write_kubeconfig, data, names, log_level)
    raise click.ClickException("not here yet")
