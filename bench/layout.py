"""How cases and figures are called and written for people."""

from typing import Final

from bench.figures import SERVER, Case, Result, Spread
from bench.servers import Server

TITLES: Final = {
    Case.CREATE_TO_ADDRESS: "Create to address",
    Case.BARE_CLIENT: "Bare client",
    Case.CONTROLLER_FROM_NOTHING: "Controller from nothing",
    Case.CONTROLLER_RESTART: "Controller restart",
    Case.CREATE_AFTER_DELETE: "Create to address, right after a deletion",
    Case.SERVER_START: "API server: start",
    Case.SERVER_CREATE: "API server: Services created on 50 connections",
    Case.SERVER_LIST: "API server: all Services listed, 500 a page",
    Case.SERVER_WATCH: "API server: watches while config maps change",
    Case.ARP_REPLY: "ARP replies",
    Case.NDP_REPLY: "Neighbor advertisements",
    Case.ARP_LOAD: "ARP replies at 20,000 questions/s and 100 API changes/s",
    Case.FAILOVER_KILL: "Failover, the owner's speaker killed",
    Case.FAILOVER_PORT_DOWN: "Failover, the owner's port cut",
    Case.DRAIN: "Drain of the owner",
    Case.SPEAKER_REST: "Speaker at rest",
    Case.SPEAKER_MEMORY: "Speaker's memory",
    Case.SPEAKER_MOVE: "The owner of many addresses dies",
    Case.SPEAKER_START: "Start of all speakers",
}

FIGURES: Final = {
    "wall_s": ("start → last address", "s"),
    "all_s": ("in all", "s"),
    "p50_s": ("start → half of the addresses", "s"),
    "p99_s": ("start → 99 % of the addresses", "s"),
    "writing_s": ("first write → last address", "s"),
    "ready_s": ("start → ready", "s"),
    "settled_s": ("start → nothing left to do", "s"),
    "cpu_s": ("CPU", "s"),
    "created_per_s": ("created a second", ""),
    "server_cpu_s": ("CPU of the API server", "s"),
    "load_cpu_s": ("CPU of the load generator", "s"),
    "peak_rss_mb": ("peak RSS", "MB"),
    "writes_per_service": ("status writes a Service", ""),
    "status_writes": ("status writes to Services and pools", ""),
    "all_writes": ("writes in all", ""),
    "wall_ratio": ("wall, beside the bare client", "x"),
    "writing_ratio": ("first to last write, beside the bare client", "x"),
    "cpu_ratio": ("CPU, beside the bare client", "x"),
    "p50_ms": ("p50", "ms"),
    "p99_ms": ("p99", "ms"),
    "max_ms": ("max", "ms"),
    "post_p50_ms": ("p50 of the answer to the POST", "ms"),
    "p50_us": ("p50", "us"),
    "p99_us": ("p99", "us"),
    "max_us": ("max", "us"),
    "kernel_p50_us": ("p50 of the kernel", "us"),
    "kernel_p99_us": ("p99 of the kernel", "us"),
    "kernel_max_us": ("max of the kernel", "us"),
    "p50_ratio": ("p50, beside the kernel's", "x"),
    "overlap_p50_ms": ("p50 of two answering", "ms"),
    "overlap_p99_ms": ("p99 of two answering", "ms"),
    "overlap_max_ms": ("max of two answering", "ms"),
    "lost": ("lost", ""),
    "resumed": ("watches opened again", ""),
    "rate": ("questions a second", ""),
    "watches": ("watches", ""),
    "asked_per_s": ("changes a second asked for", ""),
    "changes_per_s": ("API changes a second", ""),
    "moved": ("addresses that moved", ""),
    "cpu_share": ("CPU", "%"),
    "rss_mb": ("RSS", "MB"),
    "pss_mb": ("PSS", "MB"),
    "samples": ("samples a run", ""),
}
"""What a figure is, and its unit; in the order in which they are shown."""


def rows(result: Result) -> list[tuple[str, str, str]]:
    """Return name, median and range of each figure that the result has."""
    return [
        (label, _with_unit(result.figures[name].median, unit), _range(result.figures[name], unit))
        for name, (label, unit) in FIGURES.items()
        if name in result.figures
    ]


def title(result: Result) -> str:
    """Say what a result is of."""
    services = f", {result.services:,} Services" if result.services else ""
    is_named = result.server is Server.REAL and result.case not in SERVER
    server = f", on {result.server.label}" if is_named else ""
    return f"{TITLES[result.case]}{services}{server}"


def number(value: float) -> str:
    """Write a number with three digits or so, and thousands apart."""
    if value == int(value) or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def _with_unit(value: float, unit: str) -> str:
    return f"{number(value)} {unit}".strip()


def _range(spread: Spread, unit: str) -> str:
    if spread.min == spread.max:
        return ""
    return _with_unit(spread.min, "") + " to " + _with_unit(spread.max, unit)
