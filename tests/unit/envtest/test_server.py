"""A control plane of stand-ins, from its start to its end."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import structlog
import yaml
from tests.unit.envtest.programs import make_binaries

from ferrolb.crds import crd_names
from ferrolb.envtest import EnvtestOptions, serve
from ferrolb.envtest.seeding import starting
from ferrolb.runtime import StartupError

NOBODY = "n" * 8


@pytest.fixture(autouse=True)
def temporary(tmp_path, monkeypatch):
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


@pytest.fixture
def options(tmp_path):
    return EnvtestOptions(
        binaries=make_binaries(tmp_path / "bin"), kubeconfig=tmp_path / "kubeconfig"
    )


@contextlib.asynccontextmanager
async def serving(options):
    """Give the endpoint of a server that has said that it is ready; cancel it behind."""
    ready = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(serve(options, ready=ready.set_result))
    await asyncio.wait([task, ready], return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        await task
    try:
        yield ready.result(), task
    finally:
        task.cancel()
        await asyncio.wait([task])


def running_in(temporary):
    """Return process id -> words of what works in the one folder there."""
    (folder,) = temporary.iterdir()
    found = {}
    for process in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if process.name.isdecimal() and (process / "cwd").readlink() == folder:
                found[int(process.name)] = (process / "cmdline").read_bytes().decode()
    return found


def are_gone(pids):
    """Tell whether none of them runs; one that waits for its parent to ask has no words."""
    for pid in pids:
        with contextlib.suppress(OSError):
            if (Path("/proc") / str(pid) / "cmdline").read_bytes():
                return False
    return True


def requests_in(temporary):
    (folder,) = temporary.iterdir()
    text = (folder / "requests").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def test_everything_is_there_when_it_says_so_and_nothing_afterwards(options, temporary):
    async def scenario():
        async with serving(options) as (endpoint, task):
            assert endpoint.url == f"https://127.0.0.1:{endpoint.port}"
            user = yaml.safe_load(options.kubeconfig.read_text(encoding="utf-8"))["users"][0]
            assert user["user"]["token"] == endpoint.token
            assert stat.S_IMODE(options.kubeconfig.stat().st_mode) == 0o600
            (folder,) = temporary.iterdir()
            assert sorted(path.name for path in folder.glob("*.log")) == [
                "etcd.log",
                "kube-apiserver.log",
                "kube-controller-manager.log",
            ]
            processes = running_in(temporary)
            assert len(processes) == 3
        assert task.cancelled()
        assert are_gone(processes)

    asyncio.run(scenario())
    assert not list(temporary.iterdir())


def test_our_definitions_and_namespace_are_applied_once_it_answers(options, temporary):
    async def scenario():
        async with serving(options):
            return requests_in(temporary)

    requests = asyncio.run(scenario())
    assert requests[:2] == [["GET", "/readyz", 503, ""], ["GET", "/readyz", 200, ""]]
    applied = [
        (json.loads(body)["metadata"]["name"], path.partition("?")[2])
        for method, path, _, body in requests
        if method == "PATCH"
    ]
    how = "fieldManager=ferrolb-envtest&force=true"
    assert applied == [(name, how) for name in ("metallb-system", *crd_names())]
    asked = {path for method, path, *_ in requests if method == "GET"}
    assert {
        "/api/v1/namespaces/kube-node-lease",
        "/api/v1/namespaces/default/services/kubernetes",
        "/apis/metallb.io/v1beta2/bgppeers?limit=1",
        "/apis",
        "/openapi/v3",
    } <= asked


def test_data_keeps_token_and_port(options, tmp_path):
    kept = replace(options, data_dir=tmp_path / "data")

    async def scenario():
        async with serving(kept) as (first, _):
            pass
        async with serving(kept) as (second, _):
            pass
        assert second == first
        other = socket.create_server(("127.0.0.1", first.port))
        with other, structlog.testing.capture_logs() as logs:
            async with serving(kept) as (third, _):
                pass
        assert third.port != first.port
        assert [log["event"] for log in logs] == ["the port of last time is in use, taking another"]
        (kept.data_dir / "port").write_text("nonsense", encoding="ascii")
        async with serving(kept) as (fourth, _):
            assert (kept.data_dir / "port").read_text(encoding="ascii") == str(fourth.port)

    asyncio.run(scenario())


def test_only_data_that_is_kept_is_synced(options, tmp_path, temporary):
    async def commands(chosen):
        async with serving(chosen):
            (folder,) = temporary.iterdir()
            return folder, (folder / "etcd.log").read_text(encoding="utf-8")

    words = "#!/bin/sh\necho $*\nexec sleep 1000\n"
    spoken = replace(options, binaries=make_binaries(tmp_path / "other", etcd=words))
    folder, passing = asyncio.run(commands(spoken))
    assert "--unsafe-no-fsync" in passing
    assert f"--data-dir={folder}/etcd" in passing
    _, lasting = asyncio.run(commands(replace(spoken, data_dir=tmp_path / "data")))
    assert "--unsafe-no-fsync" not in lasting
    assert f"--data-dir={tmp_path}/data/etcd" in lasting


@pytest.mark.parametrize(
    ("controllers", "expected"),
    [(("one-controller", "two-controller"), "one-controller,two-controller"), ((), None)],
)
def test_controllers_are_those_asked_for(options, tmp_path, temporary, controllers, expected):
    words = "#!/bin/sh\necho $*\nexec sleep 1000\n"
    binaries = make_binaries(tmp_path / "other", kube_controller_manager=words)

    async def scenario():
        async with serving(replace(options, binaries=binaries, controllers=controllers)):
            (folder,) = temporary.iterdir()
            log = folder / "kube-controller-manager.log"
            return log.read_text(encoding="utf-8").split() if log.exists() else None

    said = asyncio.run(scenario())
    if expected is None:
        assert said is None
    else:
        assert said is not None
        assert f"--controllers={expected}" in said
        assert "--leader-elect=false" in said


def test_no_controller_manager_is_said_and_no_failure(options, tmp_path, temporary):
    binaries = make_binaries(tmp_path / "other", without=["kube-controller-manager"])

    async def scenario():
        with structlog.testing.capture_logs() as logs:
            async with serving(replace(options, binaries=binaries)):
                return len(running_in(temporary)), logs

    count, (log,) = asyncio.run(scenario())
    assert count == 2
    assert log["log_level"] == "warning"
    assert log["event"].startswith("no kube-controller-manager")
    assert log["binaries"] == str(tmp_path / "other")


@pytest.mark.parametrize("name", ["etcd", "kube_apiserver"])
def test_start_of_a_broken_program_fails_with_its_words(options, tmp_path, temporary, name):
    broken = "#!/bin/sh\necho broken\nexit 4\n"
    binaries = make_binaries(tmp_path / "other", **{name: broken})

    async def scenario():
        async with serving(replace(options, binaries=binaries)):
            pass

    with pytest.raises(StartupError) as failure:
        asyncio.run(scenario())
    told = f"{name.replace('_', '-')} exited with status 4; its last lines:\n  broken"
    assert str(failure.value) == told
    assert not options.kubeconfig.exists()
    assert not list(temporary.iterdir())


def test_end_of_one_is_the_end_of_all(options, temporary):
    async def scenario():
        async with serving(options) as (_, task):
            processes = running_in(temporary)
            (api_server,) = (pid for pid, words in processes.items() if "kube-apiserver" in words)
            os.kill(api_server, signal.SIGKILL)
            with pytest.raises(StartupError, match="kube-apiserver was killed by signal 9"):
                await task
        assert are_gone(processes)

    asyncio.run(scenario())
    assert not list(temporary.iterdir())


def test_port_in_use_starts_nothing(options, temporary):
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = replace(options, port=other.getsockname()[1])

        async def scenario():
            async with serving(taken):
                pass

        with pytest.raises(StartupError, match=r"cannot listen on 127\.0\.0\.1:"):
            asyncio.run(scenario())
    assert not list(temporary.iterdir())


def test_directory_that_cannot_be_used_is_told_plainly(options, tmp_path):
    (tmp_path / "file").touch()

    async def scenario():
        async with serving(replace(options, data_dir=tmp_path / "file" / "data")):
            pass

    with pytest.raises(StartupError) as failure:
        asyncio.run(scenario())
    told = f"cannot run an API server: {tmp_path}/file/data: Not a directory"
    assert str(failure.value) == told


def test_start_that_takes_too_long_tells_the_last_answer(options):
    async def scenario():
        async with (
            serving(options) as (endpoint, _),
            starting(replace(endpoint, token=NOBODY), within_s=0.3) as steps,
        ):
            await steps.answers()

    with pytest.raises(StartupError, match=r"not ready within 0 s; .* GET .*/readyz: 401 "):
        asyncio.run(scenario())


def program(tmp_path, *arguments, **environment):
    return subprocess.Popen(
        [sys.executable, "-m", "ferrolb", "envtest", *arguments],
        env={**os.environ, "KUBEBUILDER_ASSETS": str(tmp_path / "bin"), **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.parametrize("arguments", [[], ["--write-kubeconfig", "kc"]])
def test_command_says_where_it_serves_and_ends_on_sigterm(
    tmp_path, temporary, options, monkeypatch, arguments
):
    monkeypatch.chdir(tmp_path)
    with program(tmp_path, *arguments, "--controllers", "a, b") as popen:
        assert popen.stdout is not None
        line = popen.stdout.readline()
        assert line.startswith("serving on https://127.0.0.1:")
        assert line.endswith(", kubeconfig kc\n") == bool(arguments)
        assert (tmp_path / "kc").exists() == bool(arguments)
        popen.terminate()
        assert popen.stdout.read() == ""
        assert popen.wait() == 0
    assert not list(temporary.iterdir())


def test_killed_command_leaves_nothing(tmp_path, temporary, options):
    with program(tmp_path) as popen:
        assert popen.stdout is not None
        popen.stdout.readline()
        processes = running_in(temporary)
        assert len(processes) == 3
        popen.kill()
        # the janitor has the output too: it ends when that is through
        assert popen.stdout.read() == ""
    assert are_gone(processes)
    assert not list(temporary.iterdir())


@pytest.mark.parametrize("arguments", [("--log-level", "loud"), ()])
def test_command_refuses_what_it_cannot_do(tmp_path, arguments):
    with program(tmp_path, *arguments, KUBEBUILDER_ASSETS=str(tmp_path)) as popen:
        assert popen.stdout is not None
        text = popen.stdout.read()
    assert popen.returncode == 1
    expected = (
        "failed to parse log level: loud" if arguments else f"no kube-apiserver in {tmp_path}"
    )
    assert expected in text
