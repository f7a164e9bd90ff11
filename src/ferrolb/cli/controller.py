"""`ferrolb controller`: MetalLB's flags and environment, and ours."""

import os
import sys
from pathlib import Path
from typing import Final

import click

from ferrolb.cli.gocommand import GoCommand
from ferrolb.telemetry import LOG_LEVELS

_RETIRED: Final = ("config", "disable-epslices", "enable-pprof")
"""Flags of MetalLB 0.10 to 0.15 that 0.16 lacks: accepted, without effect, logged once."""

_NOT_YET: Final = (
    "disable-cert-rotation",
    "cert-dir",
    "cert-service-name",
    "webhook-mode",
    "webhook-secret",
    "webhook-http2",
    "tls-min-version",
    "tls-cipher-suites",
    "tls-curve-preferences",
    "metrics-cert-dir",
    "pprof-bind-address",
)
"""Flags that belong to the webhooks and to HTTPS metrics; without effect until those exist."""


@click.command(
    "controller",
    cls=GoCommand,
    retired=_RETIRED,
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
@click.option("--port", type=click.IntRange(0, 65535), default=9120, help="Metrics port, 0 = off.")
@click.option("--metrics-host", default="127.0.0.1", help="Address to serve metrics on.")
@click.option(
    "--health-probe-port",
    type=click.IntRange(0, 65535),
    default=17472,
    help="Port of /healthz and /readyz, 0 = off.",
)
@click.option("--health-probe-host", default="", help="Address to serve probes on; empty: all.")
@click.option("--log-level", default="info", help=f"One of {', '.join(LOG_LEVELS)}.")
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
@click.option("--disable-cert-rotation", is_flag=True, help="For the webhooks; no effect yet.")
@click.option("--cert-dir", default="/tmp/k8s-webhook-server/serving-certs", hidden=True)  # noqa: S108 - MetalLB's default
@click.option("--cert-service-name", default="metallb-webhook-service", hidden=True)
@click.option(
    "--webhook-mode",
    type=click.Choice(["enabled", "disabled", "onlywebhook"]),
    default="enabled",
    help="For the webhooks; no effect yet.",
)
@click.option("--webhook-secret", default="metallb-webhook-cert", hidden=True)
@click.option("--webhook-http2", is_flag=True, hidden=True)
@click.option("--tls-min-version", default="", hidden=True)
@click.option("--tls-cipher-suites", default="", hidden=True)
@click.option("--tls-curve-preferences", default="", hidden=True)
@click.option("--metrics-cert-dir", default="", hidden=True)
@click.option("--pprof-bind-address", default="", hidden=True)
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
    for name in (*_RETIRED, *_NOT_YET):
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
