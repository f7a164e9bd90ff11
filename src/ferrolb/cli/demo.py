"""`ferrolb demo`."""

import signal
import sys

import click


@click.command(
    "demo",
    epilog="""\b
Examples:
  ferrolb demo            walk through the chapter, about ten seconds
  ferrolb demo --keep     leave the cluster up and say how to use it
""",
)
@click.option("--keep", is_flag=True, help="Stay up at the end, until Ctrl-C.")
def command(*, keep: bool) -> None:
    """Show the main job: Services get their addresses, on an API server of its own.

    Starts the development API server and the controller on loopback, applies the Services of the
    OpenShift documentation's chapter on MetalLB with kubectl, and shows what kubectl shows.
    """
    from ferrolb.demo import DemoError, run_demo

    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)
    try:
        run_demo(keep=keep, say=_say)
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
