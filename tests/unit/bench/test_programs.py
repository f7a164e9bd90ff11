import subprocess
import sys
import time

from bench.programs import Program

PARENT = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "x = b'x' * 50_000_000; print(1); input()"],
    stdin=subprocess.PIPE)
input()
"""


def test_the_whole_cost_is_that_of_all_processes_started(tmp_path):
    log = tmp_path / "log"
    with log.open("wb") as sink:
        popen = subprocess.Popen([sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=sink)
    program = Program(name="parent", popen=popen, log=log, started=time.monotonic())
    try:
        while not program.has_printed("1"):
            program.check()
            time.sleep(0.01)
        alone, whole = program.cost(), program.whole_cost()
        assert whole.rss_mb > alone.rss_mb + 50
        assert whole.peak_rss_mb > alone.peak_rss_mb + 50
    finally:
        popen.communicate(b"\n")
