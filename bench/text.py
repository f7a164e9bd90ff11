"""The report as plain text."""

from bench.figures import SERVER
from bench.layout import TITLES, number, rows, title
from bench.report import Report
from bench.servers import Server


def to_text(report: Report) -> str:
    """Return the report for a terminal."""
    machine = report.machine
    lines = [
        f"{report.date}, {report.took_s:.0f} s, {machine['cores']} cores, "
        f"other programs kept {report.others_cores:.1f} of them busy",
    ]
    lines += [f"left out: {text}" for text in report.left_out]
    for result in report.results:
        runs = "1 run" if result.runs == 1 else f"median of {result.runs} runs"
        server = f", on {result.server.label}" if result.case in SERVER else ""
        lines += ["", f"{title(result)}{server}, {runs}"]
        lines += [
            f"  {name:<46} {value:>12}  {span}".rstrip() for name, value, span in rows(result)
        ]
    if report.goals:
        lines += ["", "Goals"]
    for one in report.goals:
        verdict = "met" if one.is_met else "MISSED"
        server = f", on {one.server.label}" if one.server is Server.REAL else ""
        lines.append(
            f"  {verdict:<7} {TITLES[one.goal.case]}, {one.services:,}{server}: {one.goal.text}: "
            f"{number(one.value)} (at most {number(one.goal.limit)})"
        )
    return "\n".join(lines)
