from bench.cases import Plan
from bench.figures import LAYER2, SERVER, Case
from bench.servers import Server

LATENCY = {Case.CREATE_TO_ADDRESS, Case.CREATE_AFTER_DELETE}
PROGRAMS = {Case.BARE_CLIENT, Case.CONTROLLER_FROM_NOTHING, Case.CONTROLLER_RESTART}


def steps(**changes):
    plan = Plan(**{"cases": frozenset(Case), "servers": (Server.DEV,), **changes})
    return [(step.services, set(step.cases)) for step in plan.steps()]


def test_everything_is_measured_three_times_but_the_largest_once():
    assert steps() == [
        *[(10, LATENCY)] * 3,
        *[(1_000, PROGRAMS)] * 3,
        (10_000, LATENCY | PROGRAMS | SERVER),
    ]


def test_a_real_server_is_asked_once_and_the_bare_client_only_where_that_is_soon_done():
    assert steps(servers=(Server.REAL,)) == [
        (10, LATENCY),
        (1_000, PROGRAMS),
        (10_000, (LATENCY | PROGRAMS | SERVER) - {Case.BARE_CLIENT}),
    ]
    both = Plan(cases=frozenset(Case)).steps()
    assert [step.server for step in both] == [Server.DEV] * 7 + [Server.REAL] * 3


def test_servers_are_measured_with_the_most_services_only():
    assert steps(cases=SERVER, services=(30, 20), runs=1) == [(30, set(SERVER))]


def test_sizes_without_a_case_are_left_out():
    only = frozenset({Case.CONTROLLER_RESTART})
    assert steps(cases=only, runs=1) == [(1_000, set(only)), (10_000, set(only))]
    assert steps(cases=frozenset(LATENCY), runs=1) == [(10, LATENCY), (10_000, LATENCY)]


def test_layer_2_is_a_step_of_its_own_if_it_is_asked_for():
    whole = Plan(cases=frozenset(Case)).layer2()
    assert whole is not None
    assert whole.cases == LAYER2
    assert Plan(cases=frozenset(PROGRAMS | LATENCY)).layer2() is None
    assert set(Case) == PROGRAMS | LATENCY | LAYER2 | SERVER
    one = Plan(cases=frozenset({Case.DRAIN})).layer2()
    assert one is not None
    assert one.cases == {Case.DRAIN}
    assert steps(cases=frozenset({Case.DRAIN})) == []
