"""`ferrolb demo`."""

import signal
import sys

import click

from ferrolb.cli.lab_options import api_option, find_kube_proxy


@click.command(
    "demo",
    epilog="""\b
Examples:
  ferrolb demo               walk through the chapter, about ten seconds
  ferrolb demo --keep        leave the cluster up and say how to use it
  ferrolb demo --api real    on kube-apiserver and etcd, with kube-proxy on the nodes
""",
)
@click.option("--keep", is_flag=True, help="Stay up at the end, until Ctrl-C.")
@api_option
def command(*, keep: bool, api: str) -> None:
    """Show the main job: Services get their addresses, on an API server of its own.

    Starts an API server and the controller on loopback, applies the Services of the OpenShift
    documentation's chapter on MetalLB with kubectl, and shows what kubectl shows. The real API
    server is the one that `make envtest-build` has built.
    """
    from ferrolb.demo import DemoError, run_demo
    from ferrolb.lab import ApiKind, LabOptions, ProxyKind

    kind = ApiKind(api)
    path = find_kube_proxy(kind, None)
    options = LabOptions(
        api=kind,
        kube_proxy=ProxyKind.OWN if path is None else ProxyKind.REAL,
        kube_proxy_path=path,
    )

    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)
    try:
        run_demo(options, keep=keep, say=_say)
    except DemoError as error:
        raise click.ClickException(str(error)) from error
    except KeyboardInterrupt:
        sys.exit(130)


def _say(text: str) -> None:
    """Print; headings and commands stand out on a terminal (click drops the colours elsewhere)."""
    for line in text.splitlines(keepends=True):
        if line.startswith("== "):
            click.secho(line, bold=True, nl=False)
        elif line.startswith("$ "):
            click.secho(line, fg="cyan", nl=False)
        else:
            click.echo(line, nl=False)
