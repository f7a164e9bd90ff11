"""`ferrolb controller`: MetalLB's flags and environment, and ours."""

import os
import sys
from typing import Final

import click

from ferrolb.cli.gocommand import GoCommand, hidden_flags
from ferrolb.cli.program_options import program_options, start_log

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
@program_options
@click.option("--health-probe-host", default="", help="Address to serve probes on; empty: all.")
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
def command(ctx: click.Context, /, **_flags: object) -> None:
    """Give LoadBalancer Services their addresses.

    Watches Services and address pools, writes each address into the Service's status, and says in
    an event what it did, or why not. Takes MetalLB's flags and environment variables.
    """
    from ferrolb.controller import ControllerOptions, run_controller
    from ferrolb.runtime import own_namespace, run_program

    start_log(
        ctx,
        without_effect=(*_RETIRED, *_RETIRED_SWITCHES, *_NOT_YET, *_NOT_YET_SWITCHES),
    )
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
