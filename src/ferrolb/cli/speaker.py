"""`ferrolb speaker`: MetalLB's flags and environment, and ours."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from ferrolb.cli.gocommand import GoCommand, hidden_flags
from ferrolb.cli.program_options import program_options, start_log

if TYPE_CHECKING:
    from ferrolb.speaker import GossipOptions, SpeakerOptions

_RETIRED: Final = ("config", "host", "ml-secret-key")
_RETIRED_SWITCHES: Final = ("disable-epslices", "enable-pprof", "enable-l2-service-status")
"""Flags of MetalLB 0.10 to 0.15 that 0.16 lacks or ignores: accepted, without effect."""

_NOT_YET: Final = (
    "bgp-debounce-timeout",
    "frrk8s-namespace",
    "metrics-cert-dir",
    "pprof-bind-address",
    "tls-cipher-suites",
    "tls-curve-preferences",
    "tls-min-version",
)
_NOT_YET_SWITCHES: Final = ("frrk8s-secret-passthrough",)
"""Flags of BGP, of HTTPS metrics and of profiling: without effect until those exist."""

_MAX_INTERVAL_S: Final = 2**31 - 1


@click.command(
    "speaker",
    cls=GoCommand,
    context_settings={"max_content_width": 100},
    epilog="""\b
Examples:
  ferrolb speaker                                      on a node, as its DaemonSet runs it
  ferrolb speaker --kubeconfig kc --node-name n1       from outside, without gossip
  ferrolb speaker -port=9120 -log-level=debug          MetalLB's way to write flags works too
\b
Needs CAP_NET_RAW and nothing else.
""",
)
@program_options
@click.option(
    "--node-name",
    envvar="METALLB_NODE_NAME",
    default="",
    show_envvar=True,
    help="Name of the Node that this speaker runs on; required.",
)
@click.option(
    "--pod-name",
    envvar="METALLB_POD_NAME",
    default="",
    show_envvar=True,
    help="Own Pod; owns what the speaker writes.",
)
@click.option(
    "--health-probe-host",
    default="127.0.0.1",
    show_default=True,
    help="Address to serve probes on.",
)
@click.option(
    "--ignore-exclude-lb",
    is_flag=True,
    help="Announce also from nodes labelled exclude-from-external-load-balancers.",
)
@click.option(
    "--gratuitous-arp-interval",
    envvar="METALLB_GRATUITOUS_ARP_INTERVAL",
    type=click.IntRange(0, _MAX_INTERVAL_S),
    default=None,
    show_envvar=True,
    help="Seconds between refreshes of an address on the wire, 0 = off.  [default: 240]",
)
@click.option(
    "--ml-bindaddr",
    envvar="METALLB_ML_BIND_ADDR",
    default="",
    show_envvar=True,
    help="Address to gossip on; empty: no gossip.",
)
@click.option(
    "--ml-bindport",
    envvar="METALLB_ML_BIND_PORT",
    default="",
    show_envvar=True,
    help="Port to gossip on.  [default: 7946]",
)
@click.option(
    "--ml-labels",
    envvar="METALLB_ML_LABELS",
    default="",
    show_envvar=True,
    help="Labels of the speakers' Pods; empty: no gossip.",
)
@click.option(
    "--ml-secret-key-path",
    envvar="METALLB_ML_SECRET_KEY_PATH",
    default="",
    show_envvar=True,
    help="Folder with the file `secretkey`; empty: gossip is not encrypted.",
)
@click.option("--ml-wan-config", is_flag=True, help="Gossip with the timing for wide networks.")
@hidden_flags(*_RETIRED, *_NOT_YET)
@hidden_flags(*_RETIRED_SWITCHES, *_NOT_YET_SWITCHES, is_switch=True)
@click.pass_context
def command(ctx: click.Context, /, **_flags: object) -> None:
    """Announce the Services' addresses from this node.

    Answers ARP and Neighbor Discovery for the addresses that this node is elected for, and says in
    an event and in a ServiceL2Status that it does. Takes MetalLB's flags and environment variables.
    """
    from ferrolb.runtime import run_program
    from ferrolb.speaker import run_speaker

    start_log(
        ctx,
        without_effect=(*_RETIRED, *_RETIRED_SWITCHES, *_NOT_YET, *_NOT_YET_SWITCHES),
    )
    options = speaker_options(ctx.params, os.environ)
    sys.exit(run_program(lambda: run_speaker(options)))


def speaker_options(params: Mapping[str, Any], environment: Mapping[str, str]) -> "SpeakerOptions":
    """Return what click has read as the program wants it.

    Raises:
        click.ClickException: a value is missing or makes no sense; ends the command with 1.
    """
    from ferrolb.model import NodeName
    from ferrolb.runtime import own_namespace
    from ferrolb.speaker import DEFAULT_REFRESH_S, SpeakerOptions

    if not params["node_name"]:
        raise click.ClickException(
            "the node's name is needed: give --node-name or METALLB_NODE_NAME"
        )
    interval = params["gratuitous_arp_interval"]
    return SpeakerOptions(
        kubeconfig=params["kubeconfig"],
        namespace=own_namespace(params["namespace"], environment),
        node_name=NodeName(params["node_name"]),
        pod_name=params["pod_name"],
        port=params["port"],
        metrics_host=params["metrics_host"],
        health_probe_port=params["health_probe_port"],
        health_probe_host=params["health_probe_host"],
        lb_class=params["lb_class"],
        ignores_exclude_label=params["ignore_exclude_lb"],
        refresh_s=DEFAULT_REFRESH_S if interval is None else interval,
        gossip=_gossip_options(params),
    )


def _gossip_options(params: Mapping[str, Any]) -> "GossipOptions | None":
    """Return None where the selector or the address is empty: that switches gossip off."""
    from ipaddress import ip_address

    from ferrolb.speaker import DEFAULT_GOSSIP_PORT, GossipOptions

    address, labels = params["ml_bindaddr"], params["ml_labels"]
    port = params["ml_bindport"] or str(DEFAULT_GOSSIP_PORT)
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 1 << 16):
        raise click.ClickException(f"--ml-bindport: {port!r} is not a port number")
    if not address or not labels:
        return None
    try:
        bind_address = ip_address(address)
    except ValueError as error:
        raise click.ClickException(f"--ml-bindaddr: {address!r} is not an IP address") from error
    folder = params["ml_secret_key_path"]
    return GossipOptions(
        bind_address=bind_address,
        bind_port=int(port),
        labels=labels,
        secret_folder=Path(folder) if folder else None,
        is_wan=params["ml_wan_config"],
    )
