"""`ferrolb lab measure`."""

from typing import TYPE_CHECKING

import click

from ferrolb.cli.output import OUTPUT, print_object

if TYPE_CHECKING:
    from ferrolb.model import JsonObject


@click.command(
    "measure",
    epilog="""\b
Examples:
  ferrolb lab measure arp -o json                      10,000 questions, beside the kernel's answers
  ferrolb lab measure l2-failover --nodes 5 --samples 20
  ferrolb lab measure l2-failover --fault port-down
""",
)
@click.argument("what", type=click.Choice(["arp", "ndp", "arp-load", "l2-failover", "drain"]))
@click.option("--nodes", type=click.IntRange(1, 50), help="Default 1 for answers, 3 for failovers.")
@click.option(
    "--samples",
    type=click.IntRange(1, 100_000),
    help="Questions (default 10,000) or failovers (default 10).",
)
@click.option(
    "--fault",
    type=click.Choice(["kill", "port-down"]),
    default="kill",
    show_default=True,
    help="What strikes the owner; only for l2-failover.",
)
@click.option("-o", "--output", type=OUTPUT, default="text", help="text, json or yaml.")
def command(what: str, nodes: int | None, samples: int | None, fault: str, output: str) -> None:
    """Measure in a lab that is made for it: answers by time, failovers, a drain.

    Answers are timed with client and speaker on one CPU, beside the answers of the kernel to the
    same client; the client's own work is in both. Failovers are timed on the wire.

    At the end it is judged by the wire whether each address was answered by one node, and by one
    that may; exit status 1 and a text say what was not so.
    """
    from ferrolb.lab import LabError, Measured, run_measurement

    try:
        found = run_measurement(Measured(what), nodes=nodes or 0, samples=samples or 0, fault=fault)
    except LabError as error:
        raise click.ClickException(str(error)) from error
    if output == "text":
        _print_text(found)
    else:
        print_object(found, output)
    broken = found["violations"]
    if isinstance(broken, list) and broken:
        lines = [_line(one) for one in broken if isinstance(one, dict)]
        raise click.ClickException("the wire showed what must not be:\n  " + "\n  ".join(lines))


def _print_text(found: "JsonObject") -> None:
    unit = found["unit"]
    click.echo(f"{found['name']}: p50 {found['p50']} {unit}, p99 {found['p99']} {unit}")
    click.echo(f"max {found['max']} {unit}, {found['samples']} samples, {found['lost']} lost")
    kernel = found.get("kernel")
    if isinstance(kernel, dict):
        click.echo(f"kernel: p50 {kernel['p50']} {unit}, p99 {kernel['p99']} {unit}")
    if not found["violations"]:
        click.echo(f"L1, L2, L3 and K1 held; {found['judged_s']} s without an excuse were judged")


def _line(violation: "JsonObject") -> str:
    return f"{violation['invariant']} {violation['ip']}: {violation['text']}"
