import json
import signal
import subprocess
import sys
import textwrap

import pytest


def _run(body, *, signals=()):
    """Run `main()` with this body as a program; send each signal after a line `ready`."""
    source = textwrap.dedent(
        """
        import asyncio, sys
        from ferrolb.runtime import StartupError, run_program
        from ferrolb.telemetry import configure_logging

        configure_logging("info")

        async def main():
        {body}

        sys.exit(run_program(main))
        """
    ).replace("{body}", textwrap.indent(textwrap.dedent(body).strip(), "    "))
    with subprocess.Popen(
        [sys.executable, "-c", source],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        assert process.stderr
        output = ""
        for number in signals:
            while not (line := process.stdout.readline()).startswith("ready"):
                assert line, process.stderr.read()
                output += line
            process.send_signal(number)
        rest, errors = process.communicate(timeout=20)
        return process.returncode, output + rest, errors


def test_a_program_that_returns_ends_with_0():
    assert _run("pass")[0] == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly_with_0(number):
    status, output, _ = _run(
        """
        try:
            print("ready", flush=True)
            await asyncio.Event().wait()
        finally:
            print("tidied up", flush=True)
        """,
        signals=[number],
    )
    assert status == 0
    assert "tidied up" in output


def test_a_second_signal_ends_it_at_once_with_1():
    status, output, _ = _run(
        """
        try:
            print("ready", flush=True)
            await asyncio.Event().wait()
        finally:
            print("ready again", flush=True)
            await asyncio.Event().wait()
        """,
        signals=[signal.SIGTERM, signal.SIGTERM],
    )
    assert status == 1
    assert "by force" not in output


@pytest.mark.slow
def test_a_program_that_does_not_stop_is_ended_by_force():
    status, output, _ = _run(
        """
        try:
            print("ready", flush=True)
            await asyncio.Event().wait()
        finally:
            await asyncio.Event().wait()
        """,
        signals=[signal.SIGTERM],
    )
    assert status == 1
    assert "ending by force" in output


def test_a_failure_is_logged_once_and_gives_1():
    status, output, _ = _run('raise RuntimeError("boom")')
    assert status == 1
    lines = [json.loads(line) for line in output.splitlines()]
    assert [(line["level"], line["error"]) for line in lines] == [("error", "RuntimeError('boom')")]


def test_a_startup_error_is_told_plainly_even_inside_a_task_group():
    status, output, errors = _run(
        """
        async def fail():
            raise StartupError("no cluster here")
        async with asyncio.TaskGroup() as group:
            group.create_task(fail())
        """
    )
    assert (status, output, errors) == (1, "", "error: no cluster here\n")
