from collections import Counter

import pytest
from bench.counts import Requests
from bench.figures import Case
from bench.programs import Cost
from bench.servers import Server
from bench.watching import Observation


def observation(*timeline):
    written = Counter({("PATCH", "services/status"): timeline[-1][1]})
    return Observation(
        services=10,
        timeline=timeline,
        settled_s=9.0,
        cost=Cost(cpu_s=1.5, peak_rss_mb=42.0),
        server_cpu_s=2.0,
        requests=Requests(written, Counter()),
        server=Server.REAL,
    )


def test_times_are_those_at_which_a_share_was_written():
    timeline = ((0.0, 0), (1.0, 0), (2.0, 4), (3.0, 5), (4.0, 9), (5.0, 10), (6.0, 10))
    figures = observation(*timeline).measurement(Case.BARE_CLIENT).figures
    assert (figures["p50_s"], figures["p99_s"], figures["wall_s"]) == (3.0, 5.0, 5.0)
    assert figures["writing_s"] == pytest.approx(4.0)
    assert figures["writes_per_service"] == 1.0


def test_a_program_that_writes_too_often_is_not_done_before_its_last_write():
    figures = observation((0.0, 0), (1.0, 10), (2.0, 15)).measurement(Case.BARE_CLIENT).figures
    assert figures["wall_s"] == 2.0
    assert figures["writes_per_service"] == 1.5
