"""`ferrolb controller`: MetalLB's flags and environment, and ours."""

import os
import sys
from pathlib import Path
from typing import Final

import click

from ferrolb.cli.gocommand import GoCommand, hidden_flags
from ferrolb.telemetry import LOG_LEVELS

_RETIRED: Final = ("config",)
_RETIRED_SWITCHES: Final = ("disable-epslices", "enable-pprof")
"""Flags of MetalLB 0.10 to 0.15 that 0.16 lacks: accepted, without effect."""

_NOT_YET: Final = (
    "cert-dir",
    "cert-service-name",
    "metrics-cert-dir",
    "pprof-bind-address",
    "tls-cipher-suites",
    "tls-curve-preferences",
    "tls-min-version",
    "webhook-mode",
    "webhook-secret",
)
_NOT_YET_SWITCHES: Final = ("disable-cert-rotation", "webhook-http2")
"""Flags of the webhooks, of HTTPS metrics and of profiling: without effect until those exist."""


@click.command(
    "controller",
    cls=GoCommand,
    context_settings={"max_content_width": 100},
    epilog="""\b
Examples:
  ferrolb controller                                   in a cluster, as its Deployment runs it
  ferrolb controller --kubeconfig ~/.kube/config       against a cluster, from outside
  ferrolb controller -port=9120 -log-level=debug       MetalLB's way to write flags works too
""",
)
@click.option(
    "--kubeconfig",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Cluster to use; else $KUBECONFIG, else the Pod's service account.",
)
@click.option(
    "--namespace", default="", help="Where the custom resources are.  [$METALLB_NAMESPACE]"
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=9120,
    show_default=True,
    help="Metrics port, 0 = off.",
)
@click.option(
    "--metrics-host", default="127.0.0.1", show_default=True, help="Address to serve metrics on."
)
@click.option(
    "--health-probe-port",
    type=click.IntRange(0, 65535),
    default=17472,
    show_default=True,
    help="Port of /healthz and /readyz, 0 = off.",
)
@click.option("--health-probe-host", default="", help="Address to serve probes on; empty: all.")
@click.option(
    "--log-level", default="info", show_default=True, help=f"One of {', '.join(LOG_LEVELS)}."
)
@click.option("--lb-class", default="", help="Handle only Services of this loadBalancerClass.")
@click.option(
    "--ml-secret-name",
    envvar="METALLB_ML_SECRET_NAME",
    default="",
    show_envvar=True,
    help="Memberlist secret to create.",
)
@click.option(
    "--deployment",
    envvar="METALLB_DEPLOYMENT",
    default="",
    show_envvar=True,
    help="Deployment that owns that secret.",
)
@click.option(
    "--pod-name",
    envvar="METALLB_POD_NAME",
    default="",
    show_envvar=True,
    help="Own Pod; owns the ConfigurationState.",
)
@hidden_flags(*_RETIRED, *_NOT_YET)
@hidden_flags(*_RETIRED_SWITCHES, *_NOT_YET_SWITCHES, is_switch=True)
@click.pass_context
def command(ctx: click.Context, /, **flags: object) -> None:
    """Give LoadBalancer Services their addresses.

    Watches Services and address pools, writes each address into the Service's status, and says in
    an event what it did, or why not. Takes MetalLB's flags and environment variables.
    """
    from ferrolb.controller import ControllerOptions, run_controller
    from ferrolb.runtime import own_namespace, run_program
    from ferrolb.telemetry import LogLevelError, configure_logging, get_logger

    try:
        configure_logging(str(flags["log_level"]))
    except LogLevelError as error:
        raise click.ClickException(str(error)) from error
    log = get_logger()
    for name in (*_RETIRED, *_RETIRED_SWITCHES, *_NOT_YET, *_NOT_YET_SWITCHES):
        parameter = name.replace("-", "_")
        if ctx.get_parameter_source(parameter) is click.core.ParameterSource.COMMANDLINE:
            log.warning("flag has no effect", flag=f"--{name}")
    options = ControllerOptions(
        kubeconfig=ctx.params["kubeconfig"],
        namespace=own_namespace(ctx.params["namespace"], os.environ),
        port=ctx.params["port"],
        metrics_host=ctx.params["metrics_host"],
        health_probe_port=ctx.params["health_probe_port"],
        health_probe_host=ctx.params["health_probe_host"],
        lb_class=ctx.params["lb_class"],
        ml_secret_name=ctx.params["ml_secret_name"],
        deployment=ctx.params["deployment"],
        pod_name=ctx.params["pod_name"],
    )
    sys.exit(run_program(lambda: run_controller(options)))
