"""The command line of the benchmarks."""

import asyncio
import json
import shlex
import signal
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click

from bench.cases import Plan, compile_programs
from bench.figures import LAYER2, Case, Measurement, combine, judge
from bench.machine import BusyTime, machine, versions
from bench.markdown import to_markdown
from bench.programs import ROOT, BenchError
from bench.progress import Progress
from bench.report import Report
from bench.server_cases import WatchLoad
from bench.servers import Server, missing
from bench.text import to_text

PAGE: Final = ROOT / "docs" / "benchmarks.md"

_SIZE: Final = click.IntRange(min=1, max=100_000)


@click.command(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="""\b
Examples:
  python -m bench                                       everything; writes docs/benchmarks.md
  python -m bench --quick -o json                       see that it works, in half a minute
  python -m bench --case controller-restart --services 2000 --runs 5
""",
)
@click.option(
    "--case",
    "cases",
    type=click.Choice([str(case) for case in Case if case is not Case.CREATE_AFTER_DELETE]),
    multiple=True,
    help="Measure only this, may be repeated. A ratio needs the bare client as well.",
)
@click.option("--services", type=_SIZE, multiple=True, help="Size; default 1000 and 10000.")
@click.option(
    "--existing", type=_SIZE, multiple=True, help="Size for latencies; default 10 and 10000."
)
@click.option(
    "--server",
    "servers",
    type=click.Choice([str(server) for server in Server]),
    multiple=True,
    help="On which API server; default both, if the real one's binaries are there.",
)
@click.option("--samples", type=click.IntRange(1, 10_000), default=50, show_default=True)
@click.option("--runs", type=click.IntRange(1, 100), default=3, show_default=True)
@click.option(
    "--quick",
    is_flag=True,
    help="Tiny sizes, one run, our own server, no layer 2, unless an option names the others: "
    "shows that it works, no more.",
)
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text")
@click.option(
    "--page",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Markdown page to write; default docs/benchmarks.md, if everything is measured.",
)
@click.option("--note", default="", help="A sentence on the circumstances, for the page.")
@click.pass_context
def main(ctx: click.Context, /, *, output: str, page: Path | None, note: str, **_: object) -> None:
    """Measure controller, speakers and the API servers under them, beside a bare client."""
    plan = _plan(ctx.params)
    is_whole = plan == Plan(cases=frozenset(Case))
    left_out = {server: why for server in plan.servers if (why := missing(server))}
    plan = replace(plan, servers=tuple(one for one in plan.servers if one not in left_out))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    date, before = datetime.now(UTC), BusyTime.now()
    try:
        measurements = asyncio.run(_measure(plan))
    except* BenchError as failures:
        raise click.ClickException(str(_first(failures))) from None
    after = BusyTime.now()
    results = combine(measurements)
    report = Report(
        command=_command(note),
        date=f"{date:%Y-%m-%d %H:%M} UTC",
        took_s=after.at - before.at,
        machine=machine(),
        versions=versions(),
        others_cores=after.others_share(before),
        note=note,
        left_out=[f"{server.label}: {why}" for server, why in left_out.items()],
        results=results,
        goals=judge(results),
    )
    _publish(report, output, page or (PAGE if is_whole else None))


def _plan(flags: Mapping[str, Any]) -> Plan:
    chosen = {Case(name) for name in flags["cases"]} or set(Case)
    if Case.CREATE_TO_ADDRESS in chosen:
        chosen.add(Case.CREATE_AFTER_DELETE)
    default = Plan(cases=frozenset(chosen))
    if flags["servers"]:
        default = replace(default, servers=tuple(Server(name) for name in flags["servers"]))
    if flags["quick"]:
        # a lab a case takes more than the half minute that is promised
        cases = frozenset(chosen if flags["cases"] else chosen - LAYER2)
        return replace(
            default,
            cases=cases,
            services=(20,),
            existing=(5,),
            speaker_sizes=(10, 20),
            samples=3,
            runs=1,
            servers=default.servers if flags["servers"] else (Server.DEV,),
            watch_load=WatchLoad(watches=3, rate=50, seconds=1, objects=10),
        )
    return replace(
        default,
        services=flags["services"] or default.services,
        existing=flags["existing"] or default.existing,
        samples=flags["samples"],
        runs=flags["runs"],
    )


async def _measure(plan: Plan) -> list[Measurement]:
    found: list[Measurement] = []
    progress = Progress()
    progress.step("compiling")
    compile_programs()
    try:
        with tempfile.TemporaryDirectory(prefix="ferrolb-bench-") as folder:
            for number, step in enumerate(plan.steps()):
                found += await step.measure(Path(folder, str(number)), progress)
            if (layer2 := plan.layer2()) is not None:
                found += await layer2.measure(Path(folder), progress)
    finally:
        progress.end()
    return found


def _command(note: str) -> str:
    """Return what was called, without the note, which the report shows by itself."""
    words = [word for word in sys.argv[1:] if word not in ("--note", note, f"--note={note}")]
    return shlex.join(["python", "-m", "bench", *words])


def _first(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    leaf: BaseException = failures
    while isinstance(leaf, BaseExceptionGroup):
        leaf = leaf.exceptions[0]
    return leaf


def _publish(report: Report, output: str, page: Path | None) -> None:
    if page is not None:
        page.write_text(to_markdown(report), encoding="utf-8")
    click.echo(to_text(report) if output == "text" else json.dumps(report.to_json(), indent=2))


if __name__ == "__main__":
    main(prog_name="python -m bench")
