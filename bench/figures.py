"""Figures: one measurement, and what several runs of it give together."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import groupby
from statistics import median
from typing import Final

from bench.servers import Server


class Case(StrEnum):
    """What is measured."""

    CREATE_TO_ADDRESS = "create-to-address"
    BARE_CLIENT = "bare-client"
    CONTROLLER_FROM_NOTHING = "controller-from-nothing"
    CONTROLLER_RESTART = "controller-restart"
    CREATE_AFTER_DELETE = "create-to-address-after-delete"
    SERVER_START = "server-start"
    SERVER_CREATE = "server-create"
    SERVER_LIST = "server-list"
    SERVER_WATCH = "server-watch"
    ARP_REPLY = "arp-reply"
    NDP_REPLY = "ndp-reply"
    ARP_LOAD = "arp-load"
    FAILOVER_KILL = "failover-kill"
    FAILOVER_PORT_DOWN = "failover-port-down"
    DRAIN = "drain"
    SPEAKER_REST = "speaker-rest"
    SPEAKER_MEMORY = "speaker-memory"
    SPEAKER_MOVE = "speaker-move"
    SPEAKER_START = "speaker-start"


LAYER2: Final = frozenset(list(Case)[list(Case).index(Case.ARP_REPLY) :])
"""The cases that need a lab."""

SERVER: Final = frozenset(
    {Case.SERVER_START, Case.SERVER_CREATE, Case.SERVER_LIST, Case.SERVER_WATCH}
)
"""The cases that are about an API server, not about what talks to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """What one run of a case gave; the names of figures end in their unit."""

    case: Case
    services: int
    figures: Mapping[str, float]
    requests: Mapping[str, int] = field(default_factory=dict)
    server: Server = Server.DEV


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """One figure over all runs."""

    median: float
    min: float
    max: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """All runs of a case with one number of Services."""

    case: Case
    services: int
    runs: int
    figures: Mapping[str, Spread]
    requests: Mapping[str, Spread]
    server: Server = Server.DEV


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """A limit that a figure's median shall not pass."""

    case: Case
    figure: str
    limit: float
    text: str
    services: int | None = None
    """Only for so many; None: for every number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """A goal beside what was measured."""

    goal: Goal
    services: int
    value: float
    server: Server = Server.DEV

    @property
    def is_met(self) -> bool:
        """Tell whether the figure keeps to the limit."""
        return self.value <= self.goal.limit


GOALS = (
    Goal(
        case=Case.CONTROLLER_FROM_NOTHING,
        figure="wall_ratio",
        limit=1.3,
        text="wall time from process start, beside the bare client's",
    ),
    Goal(
        case=Case.CONTROLLER_FROM_NOTHING,
        figure="writes_per_service",
        limit=1.0,
        text="status writes a Service",
    ),
    Goal(
        case=Case.CONTROLLER_FROM_NOTHING,
        figure="peak_rss_mb",
        limit=150.0,
        text="peak RSS in MB",
    ),
    Goal(
        case=Case.CONTROLLER_RESTART,
        figure="status_writes",
        limit=0.0,
        text="status writes to Services and pools",
    ),
    Goal(
        case=Case.CONTROLLER_RESTART,
        figure="peak_rss_mb",
        limit=150.0,
        text="peak RSS in MB",
    ),
    Goal(
        case=Case.ARP_REPLY,
        figure="p50_ratio",
        limit=3.0,
        text="p50 of the answers, beside the kernel's",
    ),
    Goal(
        case=Case.NDP_REPLY,
        figure="p50_ratio",
        limit=3.0,
        text="p50 of the answers, beside the kernel's",
    ),
    Goal(case=Case.ARP_LOAD, figure="lost", limit=0.0, text="questions without an answer"),
    Goal(case=Case.ARP_LOAD, figure="p99_us", limit=1000.0, text="p99 in us"),
    *(
        Goal(
            case=Case.SPEAKER_MEMORY,
            figure="rss_mb",
            limit=limit,
            text="RSS in MB",
            services=services,
        )
        for services, limit in ((1, 50.0), (1_000, 65.0), (2_000, 75.0))
    ),
)


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that at least `share` of all values do not exceed.

    Raises:
        ValueError: there are no values.
    """
    if not values:
        raise ValueError("no values")
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def combine(measurements: Sequence[Measurement]) -> list[Result]:
    """Put the runs of each case, size and server together, in that order."""
    order, servers = list(Case), list(Server)

    def place(one: Measurement) -> tuple[int, int, int]:
        return order.index(one.case), one.services, servers.index(one.server)

    groups = groupby(sorted(measurements, key=place), key=place)
    return [_combined(list(group)) for _, group in groups]


def judge(results: Sequence[Result]) -> list[Judgement]:
    """Hold each result to the goals for it."""
    return [
        Judgement(
            goal=goal,
            services=result.services,
            value=result.figures[goal.figure].median,
            server=result.server,
        )
        for goal in GOALS
        for result in results
        if result.case is goal.case
        and goal.figure in result.figures
        and goal.services in (None, result.services)
    ]


def _combined(runs: Sequence[Measurement]) -> Result:
    return Result(
        case=runs[0].case,
        services=runs[0].services,
        server=runs[0].server,
        runs=len(runs),
        figures=_spreads([run.figures for run in runs]),
        requests=_spreads([run.requests for run in runs]),
    )


def _spreads(runs: Sequence[Mapping[str, float]]) -> dict[str, Spread]:
    """Return the spread of each name; a run without it counts as 0 of it."""
    names = list(dict.fromkeys(name for run in runs for name in run))
    spreads = {}
    for name in names:
        values = [run.get(name, 0) for run in runs]
        spreads[name] = Spread(median=median(values), min=min(values), max=max(values))
    return spreads
