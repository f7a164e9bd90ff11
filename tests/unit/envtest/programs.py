"""Stand-ins for the binaries: they behave as those do at their start and their end, no more."""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from ferrolb.envtest import Binaries

SLEEPER: Final = "#!/bin/sh\necho started\nexec sleep 1000\n"

API_SERVER: Final = f"""#!{sys.executable} -IS
import http.server, itertools, json, pathlib, ssl, sys

flags = dict(word[2:].partition("=")[::2] for word in sys.argv[1:])
asked = itertools.count()
DISCOVERY = {{"items": [{{"metadata": {{"name": "metallb.io"}}, "versions": [
    {{"version": version}} for version in ("v1alpha1", "v1beta1", "v1beta2")]}}]}}
OPENAPI = {{"paths": {{f"apis/metallb.io/{{v}}": 1 for v in ("v1alpha1", "v1beta1", "v1beta2")}}}}


class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        is_early = self.path == "/readyz" and next(asked) == 0
        token = self.headers["authorization"].removeprefix("Bearer ")
        known = {{line.split(",")[0] for line in open(flags["token-auth-file"])}}
        status = 401 if token not in known else 503 if is_early else 200
        with open("requests", "a") as file:
            file.write(json.dumps([self.command, self.path, status, body.decode()]) + "\\n")
        found = {{"/apis": DISCOVERY, "/openapi/v3": OPENAPI}}.get(self.path, {{}})
        text = json.dumps(found).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_PATCH = answer

    def log_message(self, *words):
        pass


class Server(http.server.ThreadingHTTPServer):
    allow_reuse_port = "permit-port-sharing" in flags
    daemon_threads = True


print("started", flush=True)
server = Server((flags["bind-address"], int(flags["secure-port"])), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(flags["tls-cert-file"], flags["tls-private-key-file"])
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
"""

SCRIPTS: Final = {
    "etcd": SLEEPER,
    "kube-apiserver": API_SERVER,
    "kube-controller-manager": SLEEPER,
    "kube-proxy": SLEEPER,
}


def write_program(path: Path, text: str) -> None:
    """Make a program that can be run."""
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)


def make_binaries(folder: Path, *, without: Iterable[str] = (), **other: str) -> Binaries:
    """Make the programs in `folder`; `other` scripts by name, with `_` for `-`."""
    folder.mkdir()
    given = {name.replace("_", "-"): text for name, text in other.items()}
    paths = {}
    for name, text in {**SCRIPTS, **given}.items():
        if name not in without:
            paths[name] = folder / name
            write_program(folder / name, text)
    return Binaries(
        kube_apiserver=paths["kube-apiserver"],
        etcd=paths["etcd"],
        kube_controller_manager=paths.get("kube-controller-manager"),
        kube_proxy=paths.get("kube-proxy"),
    )
