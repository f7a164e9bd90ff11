"""The process that cleans up behind a killed program."""

import io
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ferrolb.envtest import janitor


@pytest.fixture
def sleeper():
    with subprocess.Popen(["sleep", "1000"]) as process:
        yield process
        process.kill()


def start():
    return subprocess.Popen(
        [sys.executable, "-IS", janitor.__file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_it_lives_as_long_as_its_input_and_takes_the_folder_along(sleeper):
    with start() as process:
        assert process.stdout is not None
        folder = Path(process.stdout.readline().rstrip("\n"))
        assert folder.stat().st_mode & 0o777 == 0o700
        (folder / "deep").mkdir()
        (folder / "deep" / "file").touch()
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.1)
        process.communicate(f"{sleeper.pid}\n")
        assert process.returncode == 0
    assert sleeper.wait(5) == -signal.SIGKILL
    assert not folder.exists()


def test_those_named_are_killed_and_waited_for(sleeper, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    with subprocess.Popen(["true"]) as gone:
        gone.wait()
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{gone.pid}\n{sleeper.pid}\n"))
    assert janitor.main() == 0
    # dead, although nobody has asked for its status yet
    assert os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    folder = Path(capsys.readouterr().out.rstrip("\n"))
    assert folder.parent == tmp_path
    assert not list(tmp_path.iterdir())


def test_one_that_ended_and_was_asked_for_its_status_is_no_trouble():
    with subprocess.Popen(["sleep", "1000"]) as process:
        (worker,) = janitor.workers_from([f"{process.pid}\n"])
        process.kill()
        process.wait()
        janitor.kill([worker])
        os.close(worker)
