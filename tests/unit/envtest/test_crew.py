"""Children that end together."""

import asyncio
import contextlib
import os
import signal
from pathlib import Path

import pytest
from tests.unit.envtest.programs import write_program

from ferrolb.envtest.crew import LAST_LINES, STOP_S, gathered, last_lines
from ferrolb.envtest.workplace import open_workplace
from ferrolb.runtime import StartupError


@pytest.fixture(autouse=True)
def temporary(tmp_path, monkeypatch):
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


@pytest.fixture
def program(tmp_path):
    """Make a program from the lines of a shell script."""

    def make(*lines, name="program"):
        write_program(tmp_path / name, "\n".join(["#!/bin/sh", *lines, ""]))
        return [str(tmp_path / name)]

    return make


@contextlib.asynccontextmanager
async def crew_of(**environment):
    async with (
        open_workplace(None) as place,
        gathered(place, {**os.environ, **environment}) as crew,
    ):
        yield crew


async def forever():
    await asyncio.Event().wait()


async def has_line(log, line):
    loop = asyncio.get_running_loop()
    seen = loop.create_future()

    def look():
        if line in log.read_text(encoding="utf-8").splitlines():
            seen.set_result(None)
        else:
            loop.call_later(0.01, look)

    look()
    await seen


def is_alive(pid):
    return Path(f"/proc/{pid}").exists()


def test_child_works_in_the_folder_with_its_words_in_a_log(program, temporary):
    async def scenario():
        async with crew_of(ETCD_NAME="other", KEPT="kept") as crew:
            argv = program("pwd", 'echo "$KEPT-$ETCD_NAME-$*"', "cat", "echo end >&2", "sleep 1000")
            await crew.start("one", [*argv, "a b", "c"])
            await crew.while_working(has_line(crew.log_of("one"), "end"))
            assert crew.folder.parent == temporary
            assert crew.log_of("one").read_text(encoding="utf-8").splitlines() == [
                str(crew.folder),
                "kept--a b c",
                "end",
            ]

    asyncio.run(scenario())
    assert not list(temporary.iterdir())


def test_work_that_is_done_first_gives_its_result(program):
    async def work():
        return 7

    async def scenario():
        async with crew_of() as crew:
            await crew.start("one", program("exec sleep 1000"))
            assert await crew.while_working(work()) == 7

    asyncio.run(scenario())


def test_failure_of_the_work_is_passed_on(program):
    async def work():
        raise KeyError("mine")

    async def scenario():
        async with crew_of() as crew:
            with pytest.raises(KeyError, match="mine"):
                await crew.while_working(work())

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        (["echo why", "exit 3"], "one exited with status 3; its last lines:\n  why"),
        (["exit 0"], "one exited with status 0"),
        (["kill -9 $$"], "one was killed by signal 9"),
    ],
)
def test_child_that_ends_by_itself_is_a_failure_that_says_why(program, lines, text):
    async def scenario():
        async with crew_of() as crew:
            await crew.start("one", program(*lines))
            with pytest.raises(StartupError) as failure:
                await crew.while_working(forever())
            assert str(failure.value) == text

    asyncio.run(scenario())


def test_program_that_cannot_be_run_is_a_child_that_ended(tmp_path):
    async def scenario():
        async with crew_of() as crew:
            await crew.start("one", [str(tmp_path / "absent")])
            with pytest.raises(StartupError, match=r"one exited with status 127; .*\n.*absent"):
                await crew.while_working(forever())

    asyncio.run(scenario())


def test_a_killed_janitor_is_a_failure_too(program):
    async def scenario():
        async with open_workplace(None) as place, gathered(place, os.environ) as crew:
            await crew.start("one", program("exec sleep 1000"))
            place.janitor.send_signal(signal.SIGKILL)
            with pytest.raises(StartupError, match="cleans up behind this one was killed"):
                await crew.while_working(forever())

    asyncio.run(scenario())


def test_the_store_ends_after_the_others(program, tmp_path):
    lines = (f"trap 'echo $0 >> {tmp_path}/ends; exit' TERM", "echo ready", "while :; do :; done")

    async def scenario():
        async with crew_of() as crew:
            for name in ("etcd", "other"):
                await crew.start(name, program(*lines, name=name))
                await crew.while_working(has_line(crew.log_of(name), "ready"))

    asyncio.run(scenario())
    ends = (tmp_path / "ends").read_text(encoding="utf-8").split()
    assert ends == [str(tmp_path / "other"), str(tmp_path / "etcd")]


def test_child_that_does_not_heed_is_killed_soon(program, tmp_path):
    async def scenario():
        async with crew_of() as crew:
            argv = program("trap '' TERM", f"echo $$ > {tmp_path}/pid", "echo ready", "sleep 9")
            await crew.start("one", argv)
            await crew.while_working(has_line(crew.log_of("one"), "ready"))
            began = asyncio.get_running_loop().time()
        assert STOP_S <= asyncio.get_running_loop().time() - began < STOP_S + 1

    asyncio.run(scenario())
    assert not is_alive(int((tmp_path / "pid").read_text(encoding="utf-8")))


def test_long_lines_and_logs_are_cut(tmp_path):
    log = tmp_path / "log"
    log.write_text("x" * 100_000 + "".join(f"\nline {n}" for n in range(30)), encoding="utf-8")
    lines = last_lines(log).splitlines()
    assert lines == [f"  line {n}" for n in range(30 - LAST_LINES, 30)]
    log.write_text("x" * 100_000, encoding="utf-8")
    assert 0 < len(last_lines(log)) < 1000


def test_no_log_has_no_last_lines(tmp_path):
    assert last_lines(tmp_path / "absent") == ""
