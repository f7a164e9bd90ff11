import pytest

from ferrolb.lab.errors import RefusedError
from ferrolb.lab.fault_kinds import FAULT_KINDS, OPPOSITES, Where, cable_rules, parse_fault


def _rules(word):
    return cable_rules(parse_fault(word, "n1"), "p-n1")


def test_a_black_hole_drops_both_ways_and_leaves_the_link_up():
    text = _rules("black-hole")
    assert text.startswith("table netdev fault-n1-black-hole {\n")
    for hook in ("ingress", "egress"):
        assert f'  type filter hook {hook} device "p-n1" priority 0; policy accept;\n' in text
    assert text.count("counter drop") == 2


@pytest.mark.parametrize(
    ("word", "hook", "other"),
    [("one-way-in", "egress", "ingress"), ("one-way-out", "ingress", "egress")],
)
def test_one_way_faults_use_one_side_of_the_port(word, hook, other):
    assert f"hook {hook} " in _rules(word)
    assert f"hook {other} " not in _rules(word)


def test_loss_drops_its_percentage_each_way():
    assert _rules("loss:20").count("numgen random mod 100 < 20 counter drop") == 2


def test_a_gossip_partition_drops_the_gossip_port_alone():
    text = _rules("gossip-partition")
    assert text.count("meta l4proto { tcp, udp } th dport 7946 counter drop") == 2
    assert text.count("meta l4proto { tcp, udp } th sport 7946 counter drop") == 2
    assert text.count("drop") == 4


@pytest.mark.parametrize(
    "word",
    [
        "nothing",
        "loss",
        "loss:0",
        "loss:101",
        "loss:x",
        "kill:1",
        "duplicate-address",
        "duplicate-address:x",
        "",
    ],
)
def test_a_bad_fault_is_refused(word):
    with pytest.raises(RefusedError):
        parse_fault(word, "n1")


def test_a_fault_reads_back_as_it_was_written():
    for word in ("kill", "loss:20", "duplicate-address:fd00:100::7"):
        assert parse_fault(word, "n1").word == word


def test_rules_exist_for_every_fault_of_a_cable_but_cutting_it():
    cables = [kind.name for kind in FAULT_KINDS.values() if kind.where is Where.CABLE]
    assert len(cables) == 6
    for name in cables:
        word = f"{name}:5" if FAULT_KINDS[name].value else name
        if name == "port-down":
            with pytest.raises(RefusedError):
                _rules(word)
        else:
            assert "drop" in _rules(word)


def test_opposites_undo_kinds_that_exist():
    assert set(OPPOSITES.values()) <= set(FAULT_KINDS)
    assert not set(OPPOSITES) & set(FAULT_KINDS)
