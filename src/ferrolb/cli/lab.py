"""`ferrolb lab`: up, down, status, exec, fault."""

import contextlib
import os
import shlex
import signal
import sys
from collections.abc import Iterator, Sequence
from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from ferrolb.cli.lab_measure import command as measure
from ferrolb.cli.lab_options import api_option, find_kube_proxy
from ferrolb.cli.output import OUTPUT, print_object

if TYPE_CHECKING:
    from ferrolb.lab import FaultEffect, Lab, LabStatus
    from ferrolb.model import Json

_NAME: Final = "default"
_POLL_S: Final = 0.2

_name_option = click.option(
    "--name", default=_NAME, show_default=True, help="Which lab; several run side by side."
)
_output_option = click.option(
    "-o", "--output", type=OUTPUT, default="text", help="text, json or yaml."
)


@click.group(
    "lab",
    context_settings={"max_content_width": 100},
    epilog="""\b
Examples:
  ferrolb lab up                         three nodes, until Ctrl-C
  ferrolb lab up --nodes 5 --detach      five, in the background
  ferrolb lab exec client -- curl -s http://192.168.100.5
  ferrolb lab fault port-down n1         cut n1's cable
  ferrolb lab fault port-down n1 --clear
  ferrolb lab down
""",
)
def command() -> None:
    """Run a cluster's network on this machine: nodes, switch, router and client.

    Each is a network namespace; real frames go through real interfaces. One supervisor owns all of
    it, and everything ends with it. Works as root, and without where user namespaces are allowed.
    """


command.add_command(measure)


@command.command(
    epilog="""\b
Examples:
  ferrolb lab up                                 in the foreground, Ctrl-C ends it
  ferrolb lab up --detach -o json                in the background, prints what is up
  ferrolb lab up --api real --kube-proxy real    with kube-apiserver, etcd and kube-proxy
  ferrolb lab up --kubeconfig ~/.kube/config     with another API server
"""
)
@click.option("--nodes", type=int, default=3, show_default=True, help="How many: n1, n2, ...")
@click.option(
    "--kubeconfig",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="API server to use; else one of the lab's own.",
)
@api_option
@click.option(
    "--kube-proxy",
    type=click.Choice(["own", "real"]),
    default="own",
    show_default=True,
    help="What serves Services on the nodes: the lab itself, or kube-proxy.",
)
@click.option("--detach", is_flag=True, help="Return once it is up and leave it running.")
@_name_option
@click.option(
    "--service-cidr",
    "service_networks",
    multiple=True,
    metavar="NETWORK",
    help="Network that client and router look for on the segment; repeatable.",
)
@click.option("--log-level", default="info", show_default=True, help="Of controller and speakers.")
@click.option("--no-controller", is_flag=True, help="Start no controller.")
@click.option("--no-speakers", is_flag=True, help="Start no speakers.")
@click.option("--speaker-command", default="", hidden=True)
@click.option("--speaker-arguments", default="", hidden=True)
@_output_option
@click.pass_context
def up(ctx: click.Context, /, **_flags: object) -> None:
    """Start a lab.

    It has an API server, a controller, and a speaker on each node. Everything ends with this
    command, however it ends; with --detach, by `ferrolb lab down`. The real programs are those
    that `make envtest-build` has built.
    """
    from ferrolb.lab import DEFAULT_SERVICE_NETWORKS, ApiKind, Lab, LabOptions, ProxyKind

    params = ctx.params
    if params["kubeconfig"] is not None and params["api"] == ApiKind.REAL:
        raise click.UsageError("--api real and --kubeconfig exclude each other", ctx)
    api, kube_proxy = ApiKind(params["api"]), ProxyKind(params["kube_proxy"])
    networks = []
    for text in params["service_networks"]:
        try:
            networks.append(ip_network(text))
        except ValueError as error:
            raise click.BadParameter(f"--service-cidr: {error}") from error
    options = LabOptions(
        name=params["name"],
        nodes=params["nodes"],
        kubeconfig=params["kubeconfig"],
        api=api,
        kube_proxy=kube_proxy,
        kube_proxy_path=find_kube_proxy(api, kube_proxy),
        service_networks=tuple(networks) or DEFAULT_SERVICE_NETWORKS,
        speaker_command=tuple(shlex.split(params["speaker_command"])),
        speaker_arguments=tuple(shlex.split(params["speaker_arguments"])),
        has_controller=not params["no_controller"],
        has_speakers=not params["no_speakers"],
        log_level=params["log_level"],
    )
    _interrupt_on_sigterm()
    try:
        with _errors_told():
            is_text = params["output"] == "text"
            lab = Lab.up(
                options, progress=click.echo if is_text else None, is_owned=not params["detach"]
            )
            _tell_up(lab, params["output"], is_detached=params["detach"])
            if not params["detach"]:
                _stay(lab)
    except KeyboardInterrupt:
        sys.exit(130)


@command.command()
@_name_option
@_output_option
def down(name: str, output: str) -> None:
    """End a lab; there need be none."""
    from ferrolb.lab import Lab, lab_folder

    with _errors_told():
        was_up = Lab(lab_folder(None, name)).down()
    if output != "text":
        print_object({"name": name, "wasUp": was_up}, output)
    else:
        click.echo(f"lab {name} has ended" if was_up else f"lab {name} is not up")


@command.command(
    epilog="""\b
Examples:
  ferrolb lab status
  ferrolb lab status -o json | jq '.programs[] | {name, state, pid}'
"""
)
@_name_option
@_output_option
def status(name: str, output: str) -> None:
    """Show what runs, on which addresses, and what is broken on purpose."""
    from ferrolb.lab import Lab, to_json

    with _errors_told():
        found = Lab.attach(name).status()
    if output == "text":
        _print_status(found)
    else:
        print_object(to_json(found), output)


@command.command(
    "exec",
    context_settings={"ignore_unknown_options": True},
    epilog="""\b
Examples:
  ferrolb lab exec n1 -- ip neigh
  ferrolb lab exec client -- ping -c 3 10.99.0.11
  ferrolb lab exec n1 -- bash
  ferrolb lab exec sw -o json -- bridge link
""",
)
@_name_option
@_output_option
@click.argument("host")
@click.argument("words", nargs=-1, required=True, metavar="-- COMMAND [ARGUMENT]...")
def exec_(name: str, output: str, host: str, words: tuple[str, ...]) -> None:
    """Run a command on a node, `client`, `router`, `rogue` or the switch, `sw`.

    It has this terminal, and its exit status is this command's. With -o json or yaml its output is
    collected instead.
    """
    from ferrolb.lab import Lab, to_json

    with _errors_told():
        lab = Lab.attach(name)
        if output == "text":
            argv = lab.enter_argv(host, words)
            sys.stdout.flush()
            os.execvp(argv[0], argv)  # noqa: S606 - the user's own command, on the user's terminal
        done = lab.exec(host, words, timeout_s=600)
    print_object(to_json(done), output)
    sys.exit(done.returncode if done.returncode >= 0 else 128 - done.returncode)


@command.command(
    epilog="""\b
Examples:
  ferrolb lab fault --list
  ferrolb lab fault kill n1                          the speaker of n1; `start` brings it back
  ferrolb lab fault black-hole n2                    drop every frame, the link stays up
  ferrolb lab fault loss:20 n2                       one frame in five
  ferrolb lab fault duplicate-address:192.168.100.5 rogue
  ferrolb lab fault black-hole n2 --clear
"""
)
@_name_option
@_output_option
@click.option("--clear", is_flag=True, help="Undo the fault.")
@click.option("--list", "is_list", is_flag=True, help="List the kinds of faults, and those made.")
@click.argument("kind", required=False)
@click.argument("target", required=False, metavar="[NODE]")
@click.pass_context
def fault(ctx: click.Context, /, **_flags: object) -> None:
    """Break something on purpose, or mend it.

    NODE is a node; for signals also `controller`, `devserver` (`envtest` with a real API server)
    or `kube-proxy-n1`, for cables any host, for the API `all`. The words `start`, `thaw` and
    `port-up` undo `kill`, `freeze` and `port-down`.
    """
    from ferrolb.lab import Lab, to_json

    params = ctx.params
    if params["is_list"]:
        _list_faults(params["name"], params["output"])
        return
    if not params["kind"] or not params["target"]:
        raise click.UsageError("give KIND and NODE, or --list", ctx)
    with _errors_told():
        lab = Lab.attach(params["name"])
        change = lab.heal if params["clear"] else lab.fault
        effect = change(params["kind"], params["target"])
    if params["output"] == "text":
        _print_effect(effect)
    else:
        print_object(to_json(effect), params["output"])


@command.command(hidden=True)
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
def supervise(folder: Path) -> None:
    """Be the supervisor of a lab; `up` starts it where it has to run."""
    from ferrolb.lab import run_supervisor

    if os.getpid() != 1:
        raise click.ClickException("started by `ferrolb lab up` only")
    sys.exit(run_supervisor(folder))


def _tell_up(lab: "Lab", output: str, *, is_detached: bool) -> None:
    from ferrolb.lab import to_json

    if output != "text":
        print_object(to_json(lab.status()), output)
        return
    name = "" if lab.name == _NAME else f" --name {lab.name}"
    click.echo(
        f"\nThe lab is up. {'' if is_detached else 'In another terminal:'}\n\n"
        f"  export KUBECONFIG={lab.kubeconfig}\n"
        f"  kubectl get nodes\n"
        f"  ferrolb lab status{name}\n"
        f"  ferrolb lab exec{name} client -- ping -c 3 10.99.0.11\n"
        f"  ferrolb lab fault{name} --list\n\n"
        + (f"`ferrolb lab down{name}` ends it." if is_detached else "Ctrl-C ends it.")
    )


def _stay(lab: "Lab") -> None:
    """Wait for the lab's end; a signal ends it in order."""
    try:
        while not lab.wait(_POLL_S):
            pass
    except KeyboardInterrupt:
        click.echo("ending the lab")
        lab.down()
        return
    # asked for by `ferrolb lab down`, or broken: the client knows which
    if lab.folder.exists() and lab.failure:
        raise click.ClickException(lab.failure)


def _print_status(found: "LabStatus") -> None:
    click.echo(f"lab {found.name}, up for {found.uptime_s:.0f} s")
    click.echo(f"KUBECONFIG={found.kubeconfig}\n")
    rows: list[tuple[str, ...]] = [("NODE", "ADDRESS", "IPV6", "SPEAKER", "PODS", "FAULTS")]
    rows += [
        (one.name, one.ipv4, one.ipv6, one.speaker, str(one.pods), " ".join(one.faults))
        for one in found.nodes
    ]
    _print_table(rows)
    click.echo()
    _print_table(
        [("PROGRAM", "STATE", "STARTS", "LOG")]
        + [(one.name, one.state, str(one.starts), one.log) for one in found.programs]
    )


def _print_table(rows: Sequence[tuple[str, ...]]) -> None:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        click.echo("  ".join(cells).rstrip())


def _print_effect(effect: "FaultEffect") -> None:
    what = "is in force" if effect.is_active else "is not in force any more"
    if effect.kind == "restart":
        what = "done"
    click.echo(f"{effect.kind} on {effect.target} {what} ({effect.took_s * 1000:.0f} ms)")


def _list_faults(name: str, output: str) -> None:
    from ferrolb.lab import FAULT_KINDS, Lab, NoLabError, to_json

    try:
        active = Lab.attach(name).status().faults
    except NoLabError:
        active = ()
    words = [(f"{k.name}:{k.value}" if k.value else k.name, k.says) for k in FAULT_KINDS.values()]
    if output != "text":
        kinds: list[Json] = [{"kind": word, "says": says} for word, says in words]
        print_object({"kinds": kinds, "active": [to_json(one) for one in active]}, output)
        return
    _print_table([("KIND", "WHAT IT DOES"), *words])
    if active:
        click.echo()
        _print_table([("IN FORCE", "ON"), *((one.kind, one.target) for one in active)])


def _interrupt_on_sigterm() -> None:
    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)


@contextlib.contextmanager
def _errors_told() -> Iterator[None]:
    from ferrolb.lab import LabError

    try:
        yield
    except LabError as error:
        raise click.ClickException(str(error)) from error
