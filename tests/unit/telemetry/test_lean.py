import os
import subprocess
import sys

import pytest


@pytest.fixture
def run(tmp_path):
    """Run code in a process of its own, in which a library named rich is installed."""
    (tmp_path / "rich.py").write_text("")

    def run(code: str) -> str:
        argv = [sys.executable, "-c", code]
        env = {**os.environ, "PYTHONPATH": str(tmp_path)}
        return subprocess.run(argv, capture_output=True, text=True, check=True, env=env).stdout

    return run


def test_logging_does_not_load_the_library_for_terminals(run):
    loaded = run("import sys, ferrolb.telemetry; print(*sys.modules)").split()
    assert "structlog.dev" in loaded
    assert "rich" not in loaded


def test_who_wants_the_library_for_terminals_gets_it_before_and_after(run):
    for first, second in (("rich", "ferrolb.telemetry"), ("ferrolb.telemetry", "rich")):
        code = f"import {first}, {second}, sys; print(sys.modules['rich'].__name__)"
        assert run(code).strip() == "rich"
