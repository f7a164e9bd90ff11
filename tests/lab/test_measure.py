"""The witness and the asking client, judged by what kernels answer: no speaker takes part."""

import json
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import replace
from ipaddress import ip_address
from typing import Any

import pytest
from tests.cluster import wait_until

from ferrolb.lab import Lab, LabError
from ferrolb.lab.frames import Kind
from ferrolb.lab.invariants import Bounds, Invariant
from ferrolb.lab.judge import Judge
from ferrolb.lab.measure import summary
from ferrolb.lab.stage import Stage

SERVICE_IP = "203.0.113.5"
V4, V6 = ip_address("192.168.100.5"), ip_address("fd00:100::5")
QUICK = Bounds(failover_s=0.3, silence_s=0.2, withdraw_s=0.1)


@pytest.fixture(scope="module")
def lab(start_lab):
    return start_lab(name="measure", nodes=2, has_speakers=False, has_controller=False)


def ask(lab, how, ip, count, **settings):
    stage = Stage(lab=lab, judge=Judge(lab), status=lab.status())
    result: Any = stage.ask(how, ip, count, cpu=0, **settings)
    return result


def own(lab, node, ip, *, verb="add"):
    """Let a node's kernel own an address, or no more."""
    extra = ["nodad"] if (verb, ip.version) == ("add", 6) else []
    words = ["ip", "address", verb, f"{ip}/{ip.max_prefixlen}", "dev", "eth0", *extra]
    done = lab.exec(node, words)
    assert done.returncode == 0, done.stderr


def wait_for_answers(witness, ip, nodes):
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        spans = witness.timeline()[ip]
        if spans and spans[-1].nodes == nodes and spans[-1].questions > 20:
            return
        time.sleep(0.02)
    raise AssertionError(f"not answered by {nodes}: {witness.timeline()[ip]}")


def wait_for_silence(witness, ip):
    wait_until("nobody answers", lambda: not witness.timeline()[ip][-1].nodes)


@pytest.mark.parametrize("ip", [V4, V6], ids=str)
def test_the_witness_sees_who_answers_when(lab, ip):
    witness = Judge(lab).witness
    start = time.monotonic()
    witness.probe([ip])
    try:
        wait_for_answers(witness, ip, ())
        own(lab, "n1", ip)
        wait_for_answers(witness, ip, ("n1",))
        own(lab, "n2", ip)
        wait_for_answers(witness, ip, ("n1", "n2"))
        own(lab, "n1", ip, verb="del")
        wait_for_answers(witness, ip, ("n2",))
    finally:
        own(lab, "n2", ip, verb="del")
    seen = {(one.node, one.kind, one.mac) for one in witness.claims(start, ip)}
    kind = Kind.REPLY if ip.version == 4 else Kind.NA_SOLICITED
    macs = {node.name: bytes.fromhex(node.mac.replace(":", "")) for node in lab.status().nodes}
    assert seen >= {("n1", kind, macs["n1"]), ("n2", kind, macs["n2"])}
    order = [tuple(map(str, span.nodes)) for span in witness.timeline(start)[ip]]
    assert order[0] == ()
    assert order.index(("n1",)) < order.index(("n1", "n2")) < order.index(("n2",))
    witness.probe([])


def test_planted_violations_are_found_on_the_wire(lab):
    judge = Judge(lab)
    judge.expect(V4, ["n1"])
    own(lab, "n1", V4)
    try:
        wait_for_answers(judge.witness, V4, ("n1",))
        time.sleep(QUICK.failover_s)
        assert judge.verdict(QUICK) == []
        own(lab, "n2", V4)
        wait_for_answers(judge.witness, V4, ("n1", "n2"))
        own(lab, "n2", V4, verb="del")
        found = {one.invariant for one in judge.verdict(QUICK)}
        assert found == {Invariant.L1, Invariant.L3}
    finally:
        own(lab, "n1", V4, verb="del")
    wait_for_answers(judge.witness, V4, ())
    time.sleep(QUICK.silence_s)
    assert Invariant.L2 in {one.invariant for one in judge.verdict(QUICK)}
    judge.witness.probe([])


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
def test_the_asking_client_times_every_answer_of_a_kernel(lab, family):
    address = ip_address(getattr(lab.status().nodes[0], family))
    result = ask(lab, "closed", address, 300)
    assert (result["lost"], result["sent"], len(result["times_us"])) == (0, 300, 300)
    assert all(0 < one < 1_000_000 for one in result["times_us"])


def test_a_question_without_an_answer_is_lost(lab):
    result = ask(lab, "open", V4, 50, rate=1000.0)
    assert (result["lost"], result["times_us"]) == (50, [])


def test_a_summary_counts_what_was_lost():
    assert summary([3.0, 1.0, 2.0], 2) == {"samples": 3, "p50": 2, "p99": 3, "max": 3, "lost": 2}
    assert summary([], 1)["p50"] is None


def test_what_a_paused_judge_did_not_see_is_no_breach(lab):
    bounds = replace(QUICK, silence_s=1.5)
    judge = Judge(lab)
    judge.expect(V4, ["n1"])
    own(lab, "n1", V4)
    try:
        wait_for_answers(judge.witness, V4, ("n1",))
        time.sleep(QUICK.failover_s)
        # silent on both sides of the pause, but not for as long as a breach lasts
        own(lab, "n1", V4, verb="del")
        wait_for_silence(judge.witness, V4)
        judge.pause()
        time.sleep(bounds.silence_s)
        judge.resume()
        own(lab, "n1", V4)
        wait_for_answers(judge.witness, V4, ("n1",))
        assert judge.verdict(bounds) == []
        assert judge.judged_s(QUICK) > 0
        own(lab, "n1", V4, verb="del")
        time.sleep(2 * QUICK.silence_s)
        assert {one.invariant for one in judge.verdict(QUICK)} == {Invariant.L2}
    finally:
        judge.witness.probe([])


@contextmanager
def measuring(*words):
    """Run `ferrolb lab measure`; yields the process, and its lab once that answers."""
    argv = [sys.executable, "-m", "ferrolb", "lab", "measure", *words]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            yield process, wait_until("its lab is up", lambda: its_lab(process))
        finally:
            process.kill()


def its_lab(process):
    assert process.poll() is None, process.stderr.read().decode()
    try:
        lab = Lab.attach(f"measure-{process.pid}")
        return lab if lab.status().nodes else None
    except LabError:
        return None


def wait_for_fault(lab, kind):
    """Wait until such a fault has been made, and healed."""
    wait_until(f"{kind} is made", lambda: kind in {one.kind for one in lab.status().faults})
    wait_until(f"{kind} is healed", lambda: not lab.status().faults)


def test_l1_l2_a_measurement_of_speakers_that_do_well_ends_with_a_clean_verdict():
    with measuring("drain", "--nodes=2", "--samples=1", "--output=json") as (process, _):
        output, errors = process.communicate(timeout=90)
    assert (process.returncode, errors) == (0, b"")
    report = json.loads(output)
    assert report["violations"] == []
    assert report["judged_s"] > 1
    assert {"name", "unit", "samples", "p50", "p99", "max", "lost", "versions"} <= report.keys()


def test_l1_a_second_answerer_fails_a_measurement():
    with measuring("drain", "--nodes=2", "--samples=1", "--output=json") as (process, lab):
        wait_for_fault(lab, "stop")
        lab.fault(f"duplicate-address:{SERVICE_IP}", "rogue")
        output, errors = process.communicate(timeout=90)
    assert process.returncode == 1
    found = {(one["invariant"], one["ip"]) for one in json.loads(output)["violations"]}
    assert found == {("L1", SERVICE_IP)}
    text = errors.decode()
    assert "the wire showed what must not be" in text
    assert f"L1 {SERVICE_IP}: ? and n" in text
