from dataclasses import replace

import pytest
from bench.figures import Case, Measurement, Result, Spread, combine, judge, percentile


def restart(services, **figures):
    return Measurement(case=Case.CONTROLLER_RESTART, services=services, figures=figures)


def test_percentile_is_a_value_that_was_measured():
    values = [float(n) for n in range(100, 0, -1)]
    assert percentile(values, 0.5) == 50
    assert percentile(values, 0.99) == 99
    assert percentile(values, 1.0) == 100
    assert percentile([1.0, 2.0, 3.0], 0.5) == 2
    assert percentile(values[:50], 0.99) == 100
    assert percentile([7.0], 0.01) == 7


def test_percentile_of_nothing_is_refused():
    with pytest.raises(ValueError, match="no values"):
        percentile([], 0.5)


def test_runs_of_one_case_and_size_are_put_together():
    runs = [restart(10, cpu_s=3.0), restart(20, cpu_s=9.0), restart(10, cpu_s=1.0)]
    small, large = combine([*runs, restart(10, cpu_s=2.5)])
    assert (small.services, small.runs) == (10, 3)
    assert small.figures == {"cpu_s": Spread(median=2.5, min=1.0, max=3.0)}
    assert (large.services, large.runs) == (20, 1)


def test_a_request_that_one_run_did_not_make_counts_as_none():
    def run(requests):
        return Measurement(
            case=Case.BARE_CLIENT, services=1, figures={"cpu_s": 1.0}, requests=requests
        )

    (result,) = combine([run({"PATCH services/status": 4}), run({})])
    assert result.requests == {"PATCH services/status": Spread(median=2, min=0, max=4)}


def result(case, **figures):
    spreads = {name: Spread(median=one, min=one, max=one) for name, one in figures.items()}
    return Result(case=case, services=5, runs=1, figures=spreads, requests={})


def test_a_goal_holds_up_to_its_limit():
    (at_limit,) = judge([result(Case.CONTROLLER_FROM_NOTHING, wall_ratio=1.3)])
    (beyond,) = judge([result(Case.CONTROLLER_FROM_NOTHING, wall_ratio=1.31)])
    assert at_limit.is_met
    assert not beyond.is_met


def test_a_figure_that_was_not_measured_is_not_judged():
    assert judge([result(Case.CONTROLLER_FROM_NOTHING, wall_s=1.0)]) == []
    assert judge([result(Case.BARE_CLIENT, peak_rss_mb=1000.0)]) == []


def test_a_goal_for_a_number_of_services_judges_no_other():
    def memory(services, rss_mb):
        return replace(result(Case.SPEAKER_MEMORY, rss_mb=rss_mb), services=services)

    limits = {one.services: one.goal.limit for one in judge([memory(n, 1.0) for n in (1, 1_000)])}
    assert limits == {1: 50.0, 1_000: 65.0}
    assert judge([memory(20, 1.0)]) == []
