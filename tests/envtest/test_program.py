"""`ferrolb envtest` from its start to its end, whatever the end is."""

import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.cluster import wait_until
from tests.envtest.program import GONE_S, PROGRAMS, running

from ferrolb.envtest import find_binaries


@pytest.fixture
def ready_binaries(tmp_path: Path) -> Path:
    """A folder as `KUBEBUILDER_ASSETS` names one: no controller manager in it."""
    found = find_binaries(os.environ)
    folder = tmp_path / "bin"
    folder.mkdir()
    for binary in (found.etcd, found.kube_apiserver):
        (folder / binary.name).symlink_to(binary)
    return folder


def test_kubeconfig_is_private_and_works_once_the_line_is_out(tmp_path):
    with running(tmp_path) as program:
        program.wait_ready()
        (line,) = program.output.splitlines()
        assert line.startswith("serving on https://127.0.0.1:")
        assert line.endswith(f", kubeconfig {program.kubeconfig}")
        assert stat.S_IMODE(program.kubeconfig.stat().st_mode) == 0o600
        (folder,) = program.temporary.iterdir()
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert sorted(program.processes().values()) == sorted(
            [*PROGRAMS, "janitor", Path(sys.executable).name]
        )
        assert program.kubectl("get", "ipaddresspools", "-A", "-o", "name") == ""
        assert program.kubectl("get", "service", "kubernetes", "-o", "name") == (
            "service/kubernetes\n"
        )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_time_with_watches_open(tmp_path, number):
    with running(tmp_path) as program:
        program.wait_ready()
        watch = program.kubectl.start("get", "namespaces", "--watch", "-o", "name")
        assert watch.stdout is not None
        with watch.stdout:
            watch.stdout.readline()  # the watch is open
            began = time.monotonic()
            program.popen.send_signal(number)
            assert program.popen.wait(GONE_S) == 0
            program.wait_gone()
            assert time.monotonic() - began < GONE_S
            watch.wait(GONE_S)


def test_nothing_outlives_a_killed_program(tmp_path):
    with running(tmp_path) as program:
        program.wait_ready()
        program.popen.kill()
        program.popen.wait()
        assert program.wait_gone() < GONE_S


@pytest.mark.parametrize("name", [*PROGRAMS, "janitor"])
def test_the_end_of_one_child_is_the_end_of_all(tmp_path, name):
    with running(tmp_path) as program:
        program.wait_ready()
        os.kill(program.pid_of(name), signal.SIGKILL)
        assert program.popen.wait(GONE_S) == 1
        program.wait_gone()
        last = program.output.splitlines()[1:]
        if name == "janitor":
            assert last == ["error: the process that cleans up behind this one was killed"]
        else:
            assert last[0] == f"error: {name} was killed by signal 9; its last lines:"
            assert len(last) > 1


@pytest.mark.parametrize("moment_s", [0.1, 0.3, 0.5, 0.7, 1.0, 1.5, 2.5])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_nothing_outlives_a_start_that_is_broken_off(tmp_path, moment_s, number):
    with running(tmp_path) as program:
        with pytest.raises(subprocess.TimeoutExpired):
            program.popen.wait(moment_s)
        program.popen.send_signal(number)
        program.popen.wait(GONE_S)
        assert program.wait_gone() < GONE_S


def test_data_keeps_objects_and_kubeconfig_over_a_kill_and_an_end(tmp_path):
    data = tmp_path / "data"
    arguments = ("--data", str(data), "--name", "192.0.2.7")

    def check(program):
        program.wait_ready()
        assert program.kubeconfig.read_bytes() == kubeconfig
        assert program.kubectl.json("get", "configmap", "kept")["data"] == {"a": "b"}
        whoami = program.kubectl("--token", token, "auth", "whoami", "-o", "name")
        assert "selfsubjectreview" in whoami
        program.popen.terminate()
        assert program.popen.wait(GONE_S) == 0

    with running(tmp_path / "one", *arguments) as first:
        first.wait_ready()
        first.kubectl("create", "configmap", "kept", "--from-literal=a=b")
        token = first.kubectl("create", "token", "default")
        kubeconfig = first.kubeconfig.read_bytes()
        first.popen.kill()
        # at once: it waits until there is no more of the first
        with running(tmp_path / "two", *arguments) as second:
            check(second)
    with running(tmp_path / "three", *arguments) as third:
        check(third)
    assert stat.S_IMODE(data.stat().st_mode) == 0o700


def test_two_do_not_share_data(tmp_path):
    data = str(tmp_path / "data")
    with running(tmp_path / "one", "--data", data) as first:
        first.wait_ready()
        with running(tmp_path / "two", "--data", data) as second:
            assert second.popen.wait(15) == 1
            assert second.output == f"error: another server uses {data}\n"
            assert not list(second.temporary.iterdir())
        assert first.kubectl("get", "namespace", "default", "-o", "name") == "namespace/default\n"


def test_port_in_use_is_told_before_anything_starts(tmp_path):
    with (
        socket.create_server(("127.0.0.1", 0)) as other,
        running(tmp_path, "--listen", f"127.0.0.1:{other.getsockname()[1]}") as program,
    ):
        assert program.popen.wait(GONE_S) == 1
        assert "cannot listen on 127.0.0.1:" in program.output
        assert not program.kubeconfig.exists()
        assert not list(program.temporary.iterdir())


def test_port_of_another_one_is_in_use(tmp_path):
    with running(tmp_path / "one") as first:
        first.wait_ready()
        address = first.output.split()[2].removeprefix("https://").removesuffix(",")
        with running(tmp_path / "two", "--listen", address) as second:
            assert second.popen.wait(GONE_S) == 1
            assert "cannot listen on" in second.output


def test_ipv6_and_names_are_in_the_certificate(tmp_path):
    with running(tmp_path, "--listen", "[::1]:0", "--name", "api.example") as program:
        program.wait_ready()
        assert "serving on https://[::1]:" in program.output
        for name in ("api.example", "kubernetes.default.svc.cluster.local", "10.96.0.1"):
            answer = program.kubectl("--tls-server-name", name, "get", "--raw", "/readyz")
            assert answer == "ok"


def test_ready_binaries_without_controller_manager_run_and_say_so(tmp_path, ready_binaries):
    env = {"KUBEBUILDER_ASSETS": str(ready_binaries)}
    with running(tmp_path, env=env) as program:
        program.wait_ready()
        warning, line = program.output.splitlines()
        assert "no kube-controller-manager" in warning
        assert "deleted namespaces stay" in warning
        assert line.startswith("serving on ")
        assert "kube-controller-manager" not in program.processes().values()
        assert program.kubectl("create", "namespace", "here") == "namespace/here created\n"


def test_other_controllers_run_when_asked_for(tmp_path):
    with running(tmp_path, "--controllers", "replicaset-controller") as program:
        program.wait_ready()
        program.kubectl("create", "-f", "-", stdin=REPLICA_SET)
        wait_until("a pod", lambda: program.kubectl("get", "pods", "-o", "name"))
        assert program.kubectl("get", "serviceaccounts", "-A", "-o", "name") == ""


def test_it_needs_no_route_to_anywhere(tmp_path):
    enter = ["unshare", "-rn", "--", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
    with running(tmp_path, before=enter) as program:
        program.wait_ready()
        program.popen.terminate()
        assert program.popen.wait(GONE_S) == 0
        program.wait_gone()


@pytest.mark.parametrize("name", ["etcd", "kube-apiserver"])
def test_missing_binary_is_told_with_what_to_do(tmp_path, ready_binaries, name):
    (ready_binaries / name).unlink()
    for variable, advice in [
        ("KUBEBUILDER_ASSETS", "KUBEBUILDER_ASSETS names the folder"),
        ("FERROLB_ENVTEST_DIR", "make envtest-build builds it"),
    ]:
        env = {"KUBEBUILDER_ASSETS": "", variable: str(ready_binaries)}
        with running(tmp_path, env=env) as program:
            assert program.popen.wait(GONE_S) == 1
            assert program.output == f"Error: no {name} in {ready_binaries}: {advice}\n"


@pytest.mark.parametrize("name", ["etcd", "kube-apiserver"])
def test_broken_binary_shows_what_it_said(tmp_path, ready_binaries, name):
    (ready_binaries / name).unlink()
    (ready_binaries / name).write_text("#!/bin/sh\necho this is not it >&2\nexit 3\n")
    (ready_binaries / name).chmod(0o755)
    with running(tmp_path, env={"KUBEBUILDER_ASSETS": str(ready_binaries)}) as program:
        assert program.popen.wait(15) == 1
        assert program.output.endswith(
            f"error: {name} exited with status 3; its last lines:\n  this is not it\n"
        )
        program.wait_gone()


def test_damaged_data_shows_what_the_store_said(tmp_path):
    data = tmp_path / "data"
    with running(tmp_path, "--data", str(data)) as program:
        program.wait_ready()
        program.popen.terminate()
        program.popen.wait(GONE_S)
    shutil.rmtree(data / "etcd" / "member" / "wal")
    (data / "etcd" / "member" / "snap" / "db").write_bytes(b"not a database")
    with running(tmp_path, "--data", str(data)) as program:
        assert program.popen.wait(15) == 1
        assert "error: etcd exited with status" in program.output
        program.wait_gone()


REPLICA_SET = """\
apiVersion: apps/v1
kind: ReplicaSet
metadata: {name: one}
spec:
  replicas: 1
  selector: {matchLabels: {app: one}}
  template:
    metadata: {labels: {app: one}}
    spec: {containers: [{name: c, image: i}]}
"""
