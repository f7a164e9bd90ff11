"""Tables of results that are to be read beside each other."""

from collections.abc import Mapping, Sequence
from typing import Final

from bench.figures import SERVER, Case, Result
from bench.layout import TITLES, number, rows
from bench.servers import Server

METALLB: Final[dict[tuple[Case, int], str]] = {
    (
        Case.CONTROLLER_FROM_NOTHING,
        1_000,
    ): "10.6 to 12.2 s, 4.3 to 4.8 s CPU, 82 to 86 MB; 2,000 status "
    "writes to Services, ~950 to pools, 1,000 events",
    (
        Case.CONTROLLER_FROM_NOTHING,
        10_000,
    ): "252 s (half at 93 s), 159 s CPU, 263 MB; 20,000 status "
    "writes to Services, ~10,200 to pools, 10,000 events",
    (Case.CONTROLLER_RESTART, 1_000): "8.5 s, 2.2 s CPU, 77 MB; 1,999 status writes to Services",
    (
        Case.CONTROLLER_RESTART,
        10_000,
    ): "70 and 81 s, 23 to 27 s CPU, 208 MB; 16,338 and 20,000 status "
    "writes to Services, 7,700 to pools",
    (Case.CREATE_TO_ADDRESS, 10): "p50 13.7 to 14.5 ms, p99 35 to 50 ms",
    (Case.CREATE_TO_ADDRESS, 10_000): "p50 52 ms, p99 75 ms",
    (Case.CREATE_AFTER_DELETE, 10_000): "p50 37 to 39 s",
}
"""MetalLB v0.16.1 as measured in another run; `metallb.md` has the whole of it."""


def servers_beside(results: Sequence[Result]) -> list[str]:
    """Return a table for each case that is about API servers, one column a server."""
    lines: list[str] = []
    for case in (case for case in Case if case in SERVER):
        found = {result.server: result for result in results if result.case is case}
        if not found:
            continue
        size = max(result.services for result in found.values())
        lines += [f"### {TITLES[case]}" + (f", {size:,} Services" if size else ""), ""]
        lines += _columns({server.label: rows(result) for server, result in found.items()})
        lines.append("")
    return lines


def controllers_beside(results: Sequence[Result]) -> list[str]:
    """Return FerroLB's and MetalLB's controllers on kube-apiserver, as far as measured."""
    lines = []
    for result in results:
        theirs = METALLB.get((result.case, result.services), "")
        if result.server is Server.REAL and result.case not in SERVER and theirs:
            name = f"{TITLES[result.case]}, {result.services:,} Services"
            lines.append(f"| {name} | {_ours(result)} | {theirs} |")
    if not lines:
        return []
    head = ["| case | FerroLB, this run | MetalLB, another run |", "|---|---|---|"]
    return ["### FerroLB's controller on kube-apiserver", "", *head, *lines, ""]


def _columns(columns: Mapping[str, Sequence[tuple[str, str, str]]]) -> list[str]:
    names = list(dict.fromkeys(name for found in columns.values() for name, _, _ in found))
    values = {label: {name: value for name, value, _ in found} for label, found in columns.items()}
    lines = [f"| figure | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]
    for name in names:
        cells = [values[label].get(name, "") for label in columns]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


def _ours(result: Result) -> str:
    figures = {name: spread.median for name, spread in result.figures.items()}
    requests = {name: spread.median for name, spread in result.requests.items()}
    if "p50_ms" in figures:
        shown = [f"{name} {number(figures[f'{name}_ms'])} ms" for name in ("p50", "p99", "max")]
        return ", ".join(shown)
    statuses = number(requests.get("PATCH services/status", 0))
    pools = number(requests.get("PATCH ipaddresspools/status", 0))
    events = number(requests.get("POST events", 0))
    ended = figures.get("wall_s", figures.get("settled_s", 0.0))
    half = f" (half at {number(figures['p50_s'])} s)" if "p50_s" in figures else ""
    return (
        f"{number(ended)} s{half}, {number(figures['cpu_s'])} s CPU, "
        f"{number(figures['peak_rss_mb'])} MB; {statuses} status writes to Services, {pools} to "
        f"pools, {events} events"
    )
