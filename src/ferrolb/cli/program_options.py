"""What controller and speaker take alike: the options, and what is done with the log's."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

import click

from ferrolb.telemetry import LOG_LEVELS, LogLevelError, configure_logging, get_logger

_OPTIONS: Final = (
    click.option(
        "--kubeconfig",
        type=click.Path(dir_okay=False, path_type=Path),
        help="Cluster to use; else $KUBECONFIG, else the Pod's service account.",
    ),
    click.option(
        "--namespace", default="", help="Where the custom resources are.  [$METALLB_NAMESPACE]"
    ),
    click.option(
        "--port",
        type=click.IntRange(0, 65535),
        default=9120,
        show_default=True,
        help="Metrics port, 0 = off.",
    ),
    click.option(
        "--metrics-host",
        default="127.0.0.1",
        show_default=True,
        help="Address to serve metrics on.",
    ),
    click.option(
        "--health-probe-port",
        type=click.IntRange(0, 65535),
        default=17472,
        show_default=True,
        help="Port of /healthz and /readyz, 0 = off.",
    ),
    click.option(
        "--log-level",
        default="info",
        show_default=True,
        help=f"One of {', '.join(LOG_LEVELS)}.",
    ),
    click.option("--lb-class", default="", help="Handle only Services of this loadBalancerClass."),
)


def program_options(function: Callable[..., None]) -> Callable[..., None]:
    """Add the options that every program has."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def start_log(ctx: click.Context, *, without_effect: Iterable[str]) -> None:
    """Log as asked for, and say which of the flags given have no effect.

    Raises:
        click.ClickException: there is no such level; ends the command with 1.
    """
    try:
        configure_logging(ctx.params["log_level"])
    except LogLevelError as error:
        raise click.ClickException(str(error)) from error
    for name in without_effect:
        parameter = name.replace("-", "_")
        if ctx.get_parameter_source(parameter) is click.core.ParameterSource.COMMANDLINE:
            get_logger().warning("flag has no effect", flag=f"--{name}")
