"""The benchmarks run and report everything; how fast anything is, no test judges."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent

CONVERGENCE = {
    "p50_s",
    "p99_s",
    "wall_s",
    "writing_s",
    "settled_s",
    "cpu_s",
    "server_cpu_s",
    "peak_rss_mb",
    "writes_per_service",
}
SPREAD = {"p50_ms", "p99_ms", "max_ms"}
LATENCY = {*SPREAD, "post_p50_ms", "samples"}
COST = {"server_cpu_s", "load_cpu_s", "rss_mb"}


def bench(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "bench", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    page = tmp_path_factory.mktemp("bench") / "benchmarks.md"
    done = bench("--quick", "-o", "json", "--page", str(page), "--note", "A smoke test.")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return json.loads(done.stdout), page.read_text()


def test_every_case_has_all_its_figures(run):
    report, _ = run
    assert {one["case"]: set(one["figures"]) for one in report["results"]} == {
        "create-to-address": LATENCY,
        "bare-client": CONVERGENCE,
        "controller-from-nothing": {*CONVERGENCE, "wall_ratio", "writing_ratio", "cpu_ratio"},
        "controller-restart": {
            "ready_s",
            "settled_s",
            "cpu_s",
            "server_cpu_s",
            "peak_rss_mb",
            "status_writes",
            "all_writes",
        },
        "create-to-address-after-delete": LATENCY,
        "server-start": {"ready_s", "server_cpu_s", "rss_mb"},
        "server-create": {"all_s", "created_per_s", *SPREAD, *COST},
        "server-list": {"all_s", *SPREAD, *COST},
        "server-watch": {
            "watches",
            "asked_per_s",
            "changes_per_s",
            "lost",
            "resumed",
            *SPREAD,
            *COST,
        },
    }
    for result in report["results"]:
        assert result["runs"] == 1
        for spread in result["figures"].values():
            assert spread["min"] == spread["median"] == spread["max"]


def test_counts_are_the_servers_own(run):
    report, _ = run
    by_case = {one["case"]: one for one in report["results"]}
    for case in ("bare-client", "controller-from-nothing"):
        assert by_case[case]["services"] == 20
        assert by_case[case]["requests"]["PATCH services/status"]["median"] == 20
    assert "PATCH services/status" not in by_case["controller-restart"]["requests"]


def test_every_watch_has_seen_every_change(run):
    report, _ = run
    [result] = [one for one in report["results"] if one["case"] == "server-watch"]
    assert result["figures"]["watches"]["median"] == 3
    assert result["figures"]["lost"]["median"] == 0


def test_what_cannot_be_measured_here_is_said(monkeypatch, tmp_path):
    monkeypatch.setenv("FERROLB_ENVTEST_DIR", str(tmp_path))
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    arguments = ("--quick", "--server", "real", "--case", "controller-restart", "-o", "json")
    done = bench(*arguments)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["results"] == []
    [line] = report["left_out"]
    assert line.startswith("kube-apiserver: ")


def test_goals_and_circumstances_are_told(run):
    report, _ = run
    assert len(report["goals"]) == 5
    for goal in report["goals"]:
        assert goal["met"] is (goal["value"] <= goal["limit"])
    assert report["command"].startswith("python -m bench --quick")
    assert set(report["machine"]) == {"cores", "memory_gib", "cpu", "kernel"}
    assert {"python", "ferrolb"} <= set(report["versions"])


def test_the_page_has_every_part(run):
    report, page = run
    assert page.startswith("# Benchmarks\n")
    assert "A smoke test." in page
    for title in ("Goals", "What is measured", "Figures", "MetalLB, another run on another server"):
        assert page.count(f"## {title}\n") == 1
    assert page.count("\n### ") == len(report["results"])


def test_one_case_measures_nothing_else():
    done = bench("--quick", "--case", "controller-restart", "-o", "json")
    assert done.returncode == 0, done.stderr
    assert [one["case"] for one in json.loads(done.stdout)["results"]] == ["controller-restart"]
