"""The report as `docs/benchmarks.md`."""

from pathlib import Path
from typing import Final

from bench.beside import controllers_beside, servers_beside
from bench.figures import SERVER
from bench.layout import TITLES, number, rows, title
from bench.report import Report
from bench.servers import Server

_METHOD: Final = Path(__file__).with_name("method.md")
_METALLB: Final = Path(__file__).with_name("metallb.md")


def to_markdown(report: Report) -> str:
    """Return the page."""
    lines = [
        "# Benchmarks",
        "",
        *_circumstances(report),
        "",
        *_goals(report),
        "",
        _METHOD.read_text(encoding="utf-8"),
    ]
    lines += ["## Figures", "", "Medians, and from the smallest to the largest run.", ""]
    lines += [*controllers_beside(report.results), *servers_beside(report.results)]
    for result in report.results:
        if result.case in SERVER:
            continue
        lines += [f"### {title(result)}", ""]
        runs = "One run." if result.runs == 1 else f"{result.runs} runs."
        lines += [runs, "", "| figure | value | runs |", "|---|---|---|"]
        lines += [f"| {name} | {value} | {span} |" for name, value, span in rows(result)]
        if result.requests:
            counts = [f"{name} {number(one.median)}" for name, one in result.requests.items()]
            lines += ["", f"Requests: {', '.join(counts)}."]
        lines.append("")
    return "\n".join([*lines, _METALLB.read_text(encoding="utf-8")])


def _circumstances(report: Report) -> list[str]:
    machine = report.machine
    versions = ", ".join(f"{name} {version}" for name, version in report.versions.items())
    lines = [
        f"Made by `{report.command}` on {report.date}, in {report.took_s / 60:.0f} minutes.",
        "",
        f"- Machine: {machine['cores']} cores of {machine['cpu']}, {machine['memory_gib']} GiB, "
        f"{machine['kernel']}.",
        f"- Versions: {versions}.",
        f"- Other programs kept {report.others_cores:.2f} cores busy meanwhile, on average.",
        "- Three runs unless said otherwise; from 10,000 Services on and on kube-apiserver, one.",
        *(f"- Left out: {text}" for text in report.left_out),
    ]
    return [*lines, f"- {report.note}"] if report.note else lines


def _goals(report: Report) -> list[str]:
    lines = ["## Goals", "", "| case | Services | goal | measured | |", "|---|---|---|---|---|"]
    for one in report.goals:
        verdict = "met" if one.is_met else "**missed**"
        server = f", on {one.server.label}" if one.server is Server.REAL else ""
        lines.append(
            f"| {TITLES[one.goal.case]}{server} | {one.services:,} | {one.goal.text} ≤ "
            f"{number(one.goal.limit)} | {number(one.value)} | {verdict} |"
        )
    return lines
