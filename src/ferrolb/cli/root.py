"""`ferrolb` itself and its small commands."""

import importlib
import sys
from typing import Final

import click
from typing_extensions import override

import ferrolb
from ferrolb.cli.output import OUTPUT, print_object

_COMMANDS: Final[dict[str, tuple[str, str]]] = {
    "controller": ("ferrolb.cli.controller", "Give LoadBalancer Services their addresses."),
    "speaker": ("ferrolb.cli.speaker", "Announce the addresses from a node."),
    "devserver": (
        "ferrolb.cli.devserver",
        "Run a Kubernetes API server for development and tests.",
    ),
    "envtest": ("ferrolb.cli.envtest", "Run a real Kubernetes API server for tests."),
    "lab": ("ferrolb.cli.lab", "Run a cluster's network on this machine."),
    "demo": ("ferrolb.cli.demo", "Show the main job from end to end."),
}
"""Programs: the module that holds the click command `command`, and its line in the help."""


class _Group(click.Group):
    """Loads a program's command, and with it the program, only when it is asked for."""

    @override
    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*super().list_commands(ctx), *_COMMANDS])

    @override
    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return super().get_command(ctx, cmd_name)
        command = importlib.import_module(_COMMANDS[cmd_name][0]).command
        return command if isinstance(command, click.Command) else None

    @override
    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        own = [(name, command.get_short_help_str(70)) for name, command in self.commands.items()]
        programs = [(name, text) for name, (_, text) in _COMMANDS.items()]
        with formatter.section("Programs"):
            formatter.write_dl(programs)
        with formatter.section("Commands"):
            formatter.write_dl(own)


@click.group(
    cls=_Group,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="""\b
Examples:
  ferrolb demo                                   see what it does, in half a minute
  ferrolb devserver --write-kubeconfig kc        a cluster to try things on
  ferrolb controller --kubeconfig kc             give addresses there
  ferrolb crds | kubectl apply -f -              install the custom resources
""",
)
def root() -> None:
    """FerroLB, a load balancer for bare-metal Kubernetes: MetalLB's resources, in Python."""


@root.command()
@click.option("-o", "--output", type=OUTPUT, default="text", help="text, json or yaml.")
def version(output: str) -> None:
    """Print the version."""
    if output == "text":
        click.echo(f"ferrolb {ferrolb.__version__}")
    else:
        python = ".".join(str(part) for part in sys.version_info[:3])
        print_object({"version": ferrolb.__version__, "python": python}, output)


@root.command(
    epilog="""\b
Examples:
  ferrolb crds | kubectl apply -f -
  ferrolb crds ipaddresspools.metallb.io -o json
"""
)
@click.option("-o", "--output", type=click.Choice(["yaml", "json"]), default="yaml")
@click.argument("names", nargs=-1, metavar="[NAME]...")
def crds(output: str, names: tuple[str, ...]) -> None:
    """Print the custom resource definitions, all or those named."""
    from ferrolb.crds import crd_names, crd_text, load_crds

    unknown = set(names) - set(crd_names())
    if unknown:
        known = ", ".join(crd_names())
        raise click.BadParameter(f"no such definition: {sorted(unknown)[0]}; there are {known}")
    chosen = [name for name in crd_names() if not names or name in names]
    if output == "yaml":
        click.echo("---\n".join(crd_text(name) for name in chosen), nl=False)
        return
    by_name = dict(zip(crd_names(), load_crds(), strict=True))
    print_object(
        {"apiVersion": "v1", "kind": "List", "items": [by_name[n] for n in chosen]}, "json"
    )


@root.command(
    epilog="""\b
Examples:
  source <(ferrolb completion bash)
  ferrolb completion fish > ~/.config/fish/completions/ferrolb.fish
"""
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script for a shell."""
    from click.shell_completion import get_completion_class

    found = get_completion_class(shell)
    if found is None:
        raise click.ClickException(f"no completion for {shell}")
    click.echo(found(root, {}, "ferrolb", "_FERROLB_COMPLETE").source())


def main() -> None:
    """Run the command line; the process ends with its exit status."""
    root(prog_name="ferrolb")
