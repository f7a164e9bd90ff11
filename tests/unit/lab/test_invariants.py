"""Both ways: what is right is no violation, what was planted is found."""

from dataclasses import replace
from ipaddress import ip_address

from ferrolb.lab.frames import Kind
from ferrolb.lab.invariants import (
    ALL,
    Bounds,
    Eligibility,
    Evidence,
    FaultPeriod,
    judged_s,
    violations,
)
from ferrolb.lab.probing import Span
from ferrolb.lab.sightings import Sighting
from ferrolb.model import MacAddress, NodeName

IP = ip_address("192.168.100.5")
MAC = MacAddress(b"\x02\xfe\0\0\0\x0b")
N1, N2 = NodeName("n1"), NodeName("n2")
BOUNDS = Bounds(failover_s=10.0)
BOTH = (Eligibility(since=0.0, nodes=frozenset({N1, N2})),)


def span(first, last, *nodes):
    heard = (first + 0.001, last + 0.001) if nodes else (None, None)
    return Span(
        first=first,
        last=last,
        questions=max(1, int((last - first) * 100)),
        nodes=nodes,
        first_answer=heard[0],
        last_answer=heard[1],
    )


def claims(node, *times, kind=Kind.REPLY):
    return [Sighting(t, node, kind, IP, MAC) for t in times]


def evidence(*spans, sightings=(), eligible=BOTH, faults=(), end=100.0):
    return Evidence(
        start=0.0,
        end=end,
        sightings=sorted(sightings, key=lambda one: one.t),
        spans={IP: spans} if spans else {},
        eligible={IP: eligible},
        faults=faults,
    )


def found(case, bounds=BOUNDS):
    return [(str(one.invariant), round(one.at)) for one in violations(case, bounds)]


def fault(kind, start, end=None, node=N1):
    return FaultPeriod(kind=kind, node=node, start=start, end=end)


def test_a_clean_run_has_no_violation():
    sightings = [*claims(N1, 1, 20, 39), *claims(N2, 46, 60, 90)]
    case = evidence(
        span(0, 40, N1),
        span(40, 46),
        span(46, 100, N2),
        sightings=sightings,
        faults=[fault("kill", 40)],
    )
    assert found(case) == []


def test_l1_two_answers_to_one_question_are_found_once_the_bound_has_passed():
    early = evidence(span(0, 5, N1, N2), span(5, 100, N1))
    assert found(early) == []
    late = evidence(span(0, 50, N1), span(50, 51, N1, N2), span(51, 100, N1))
    assert found(late) == [("L1", 50)]
    lasting = evidence(span(0, 100, N1, N2))
    assert found(lasting) == [("L1", 10)]


def test_l1_claims_by_turns_are_found_and_a_handover_is_not():
    handover = [*claims(N1, 48, 49, 50), *claims(N2, 50.1, 51)]
    assert found(evidence(sightings=handover)) == []
    quarrel = [*claims(N1, 50, 50.4), *claims(N2, 50.2)]
    assert found(evidence(sightings=quarrel)) == [("L1", 50)]


def test_l1_counts_from_65_s_after_a_partition_has_healed():
    partition = [fault("gossip-partition", 10, 20)]
    split = evidence(span(0, 84, N1, N2), span(84, 100, N1), faults=partition)
    assert found(split) == []
    longer = evidence(span(0, 90, N1, N2), span(90, 100, N1), faults=partition)
    assert found(longer) == [("L1", 85)]
    # another fault meanwhile does not bring that forward
    also = evidence(
        span(0, 84, N1, N2), span(84, 100, N1), faults=[*partition, fault("kill", 30, 40)]
    )
    assert found(also) == []


def test_l2_silence_past_the_bound_is_found():
    case = evidence(span(0, 40, N1), span(40, 55), span(55, 100, N2), faults=[fault("kill", 40)])
    assert found(case) == [("L2", 50)]
    assert found(case, replace(BOUNDS, failover_s=30.0)) == []


def test_l2_an_address_that_nobody_can_answer_may_be_silent():
    nobody = evidence(span(0, 100), eligible=())
    assert found(nobody) == []
    down = evidence(span(0, 100), faults=[fault("kill", 0), fault("port-down", 0, node=N2)])
    assert found(down) == []
    one_left = evidence(span(0, 100), faults=[fault("kill", 0)])
    assert found(one_left) == [("L2", 10)]


def test_l2_a_single_lost_question_is_no_outage():
    blip = evidence(span(0, 50, N1), span(50, 50.5), span(50.5, 100, N1))
    assert found(blip) == []
    outage = evidence(span(0, 50, N1), span(50, 51.5), span(51.5, 100, N1))
    assert found(outage) == [("L2", 50)]


def test_l3_a_frame_of_a_node_that_may_not_announce_is_found():
    only_n2 = (Eligibility(since=0.0, nodes=frozenset({N2})),)
    for kind in Kind:
        case = evidence(sightings=claims(N1, 1.0, kind=kind), eligible=only_n2)
        assert found(case) == ([("L3", 1)] if kind.is_claim else []), kind


def test_l3_a_node_that_may_no_longer_announce_has_a_moment_to_hear_of_it():
    moved = (*BOTH, Eligibility(since=30.0, nodes=frozenset({N2})))
    assert found(evidence(sightings=claims(N1, 31.5), eligible=moved)) == []
    assert found(evidence(sightings=claims(N1, 33), eligible=moved)) == [("L3", 33)]
    away = [fault("api-stop", 25, 60, node=ALL)]
    assert found(evidence(sightings=claims(N1, 50), eligible=moved, faults=away)) == []
    assert found(evidence(sightings=claims(N1, 70), eligible=moved, faults=away)) == [("L3", 70)]


def test_k1_an_outage_of_the_api_changes_nothing():
    away = [fault("api-stop", 30, 60, node=ALL)]
    assert found(evidence(span(0, 100, N1), faults=away)) == []
    silent = evidence(span(0, 32, N1), span(32, 34), span(34, 100, N1), faults=away)
    assert found(silent) == [("K1", 32)]
    moved = evidence(span(0, 32, N1), span(32, 100, N2), faults=away)
    assert found(moved) == [("K1", 32)]


def test_k1_an_address_given_up_before_the_outage_is_no_matter():
    away = [fault("api-stop", 30, 60, node=ALL)]
    given_up = (*BOTH, Eligibility(since=10.0, nodes=frozenset()))
    case = evidence(span(0, 11, N1), span(11, 100), eligible=given_up, faults=away)
    assert found(case) == []


def test_k1_another_fault_during_the_outage_is_an_excuse():
    both = [fault("api-freeze", 30, 60, node=ALL), fault("kill", 31)]
    moved = evidence(span(0, 31, N1), span(31, 37), span(37, 100, N2), faults=both)
    assert found(moved) == []


def test_bounds_follow_the_number_of_nodes():
    assert Bounds.of(3).failover_s == 10.0
    assert Bounds.of(4).failover_s == 30.0


def test_what_nobody_watched_breaks_nothing():
    silent = (span(0, 20, N1), span(20.01, 39.99), span(40, 100, N1))
    assert found(evidence(*silent)) == [("L2", 20)]
    assert found(replace(evidence(*silent), unseen=[(19.5, 40.5)])) == []
    # what is seen before and after is judged as ever
    assert found(replace(evidence(*silent), unseen=[(25.0, 30.0)])) == [("L2", 20), ("L2", 30)]
    assert found(replace(evidence(*silent), unseen=[(19.5, 25.0), (30.0, 40.5)])) == [("L2", 25)]


def test_a_verdict_tells_for_how_long_there_was_no_excuse():
    calm = evidence(span(0, 100, N1))
    assert judged_s(calm, BOUNDS) == 90
    assert judged_s(replace(calm, unseen=[(5.0, 20.0), (50.0, 60.0)]), BOUNDS) == 70
    assert judged_s(replace(calm, faults=[fault("kill", 30.0, 35.0)]), BOUNDS) == 75
    assert judged_s(replace(calm, faults=[fault("kill", 91.0)]), BOUNDS) == 81
    assert judged_s(replace(calm, unseen=[(0.0, 200.0)]), BOUNDS) == 0
    assert judged_s(evidence(), BOUNDS) == 0
