"""The program: its files, its signals, what it keeps."""

import base64
import re
import signal
import ssl
import stat
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import httpx2
import yaml
from tests.fakes.devserver import Kubectl


@contextmanager
def program(directory: Path, *options: str):
    """Start `ferrolb devserver`, and give it with kubectl once it has said that it answers."""
    kubeconfig = directory / "kubeconfig"
    kubeconfig.unlink(missing_ok=True)
    command = [sys.executable, "-m", "ferrolb", "devserver", "--write-kubeconfig", str(kubeconfig)]
    with subprocess.Popen(
        [*command, *options], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert re.fullmatch(r"serving on https://127\.0\.0\.1:\d+, kubeconfig .*\n", line)
            yield process, Kubectl(kubeconfig, directory)
        finally:
            process.kill()


def settings(kubeconfig: Path) -> tuple[str, str]:
    config = yaml.safe_load(kubeconfig.read_text())
    return config["clusters"][0]["cluster"]["server"], config["users"][0]["user"]["token"]


def test_c35_kubeconfig_is_private_and_whole_once_the_server_says_it_answers(tmp_path):
    with program(tmp_path) as (_, kubectl):
        assert stat.S_IMODE(kubectl.kubeconfig.stat().st_mode) == 0o600
        assert "default" in kubectl("get", "ns", "-o", "name")
        assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".k")] == []
        context = kubectl("config", "current-context")
        assert context == "ferrolb-dev\n"


def test_sigterm_stops_it_within_two_seconds_although_watches_are_open(tmp_path):
    with program(tmp_path) as (process, kubectl), kubectl.start("get", "svc", "-w") as watch:
        assert watch.stdout is not None
        watch.stdout.readline()
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
        assert time.monotonic() - began < 2
        watch.terminate()


def test_data_survives_kill_9_with_certificates_and_token(tmp_path):
    data = tmp_path / "data"
    with program(tmp_path, "--data", str(data)) as (process, kubectl):
        kubectl("create", "configmap", "kept", "--from-literal=a=b")
        kubectl("create", "service", "clusterip", "web", "--tcp=80")
        kubectl("create", "namespace", "other")
        before = kubectl.json("get", "svc", "web")
        token = settings(kubectl.kubeconfig)[1]
        authority = (data / "ca.crt").read_bytes()
        process.kill()
        process.wait(10)
    with program(tmp_path, "--data", str(data)) as (_, kubectl):
        assert kubectl.json("get", "cm", "kept")["data"] == {"a": "b"}
        assert kubectl.json("get", "svc", "web") == before
        assert settings(kubectl.kubeconfig)[1] == token
        assert (data / "ca.crt").read_bytes() == authority
        taken = kubectl.run(
            "create", "service", "clusterip", "copy", "--tcp=80",
            f"--clusterip={before['spec']['clusterIP']}",
        )  # fmt: skip
        assert "provided IP is already allocated" in taken.stderr
        kubectl("apply", "-n", "metallb-system", "-f", "-", stdin=POOL)
    for name in ("ca.key", "server.key", "token"):
        assert stat.S_IMODE((data / name).stat().st_mode) == 0o600


POOL = """
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {name: p}
spec: {addresses: [192.0.2.0/24]}
"""


def test_what_cannot_be_used_is_said_plainly(tmp_path):
    data = str(tmp_path / "data")
    with program(tmp_path, "--data", data) as (_, kubectl):
        port = settings(kubectl.kubeconfig)[0].rpartition(":")[2]
        command = [sys.executable, "-m", "ferrolb", "devserver"]
        no_directory = str(kubectl.kubeconfig / "x")
        for options in (
            ("--data", data),
            ("--data", no_directory),
            ("--listen", f"127.0.0.1:{port}"),
            ("--write-kubeconfig", no_directory),
        ):
            done = subprocess.run(
                [*command, *options], capture_output=True, text=True, timeout=20, check=False
            )
            assert done.returncode == 1
            assert done.stderr.startswith("error: ")
            assert len(done.stderr.splitlines()) == 1


def test_certificate_names_further_hosts(tmp_path):
    with program(tmp_path, "--name", "lab.example", "--name", "192.0.2.9") as (_, kubectl):
        url, _token = settings(kubectl.kubeconfig)
        config = yaml.safe_load(kubectl.kubeconfig.read_text())
        cluster = config["clusters"][0]["cluster"]
        (tmp_path / "ca.crt").write_bytes(base64.b64decode(cluster["certificate-authority-data"]))
        context = ssl.create_default_context(cafile=tmp_path / "ca.crt")
        for name in ("127.0.0.1", "lab.example", "192.0.2.9", "localhost", "::1"):
            with httpx2.Client(verify=context, trust_env=False) as client:
                answer = client.get(f"{url}/healthz", extensions={"sni_hostname": name})
            assert answer.status_code == 200


def test_listens_on_loopback_only_unless_told_otherwise(tmp_path):
    with program(tmp_path) as (_, kubectl):
        assert settings(kubectl.kubeconfig)[0].startswith("https://127.0.0.1:")
