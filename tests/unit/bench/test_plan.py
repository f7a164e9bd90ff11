from bench.cases import Plan
from bench.figures import Case

LATENCY = {Case.CREATE_TO_ADDRESS, Case.CREATE_AFTER_DELETE}
PROGRAMS = {Case.BARE_CLIENT, Case.CONTROLLER_FROM_NOTHING, Case.CONTROLLER_RESTART}


def steps(**changes):
    plan = Plan(**{"cases": frozenset(Case), **changes})
    return [(step.services, set(step.cases)) for step in plan.steps()]


def test_everything_is_measured_three_times_but_the_largest_once():
    assert steps() == [
        *[(10, LATENCY)] * 3,
        *[(1_000, PROGRAMS)] * 3,
        (10_000, LATENCY | PROGRAMS),
    ]


def test_sizes_without_a_case_are_left_out():
    only = frozenset({Case.CONTROLLER_RESTART})
    assert steps(cases=only, runs=1) == [(1_000, set(only)), (10_000, set(only))]
    assert steps(cases=frozenset(LATENCY), runs=1) == [(10, LATENCY), (10_000, LATENCY)]
