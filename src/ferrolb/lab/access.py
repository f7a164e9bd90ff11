"""Kubeconfigs of a lab: the host's, and one a node that names the relay."""

import secrets
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import yaml

from ferrolb.lab.errors import LabError
from ferrolb.lab.relay import RELAY_HOST, RELAY_PORT, Upstream
from ferrolb.model import Json, JsonObject

_FILES: Final = {
    "cluster": ("certificate-authority",),
    "user": ("client-certificate", "client-key", "tokenFile"),
}
"""Fields that name files, relative to the kubeconfig's own folder."""


class Kubeconfig:
    """A kubeconfig that was read."""

    def __init__(self, path: Path) -> None:
        try:
            content = yaml.safe_load(path.read_bytes())
        except (OSError, yaml.YAMLError) as error:
            raise LabError(f"cannot read kubeconfig {path}: {type(error).__name__}") from error
        if not isinstance(content, dict):
            raise LabError(f"kubeconfig {path} is not a mapping")
        self._path = path
        self._content: JsonObject = content
        self._cluster = self._current_cluster()

    @property
    def server(self) -> str:
        """URL of the API server."""
        server = self._cluster.get("server")
        return server if isinstance(server, str) else ""

    @property
    def upstream(self) -> Upstream:
        """Where that is.

        Raises:
            LabError: the URL is none.
        """
        parts = urlsplit(self.server)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise LabError(f"kubeconfig {self._path}: {self.server!r} is no API server's URL")
        return Upstream(parts.hostname, parts.port or (443 if parts.scheme == "https" else 80))

    def write(self, path: Path, *, through_relay: bool) -> None:
        """Write it, for its owner only; the server's certificate must cover the relay's address."""
        server = self.server
        scheme = urlsplit(server).scheme
        for entry, inner in self._bodies():
            for name in _FILES[inner]:
                value = entry.get(name)
                if isinstance(value, str) and value:
                    entry[name] = str(self._path.absolute().parent / value)
        if through_relay:
            self._cluster["server"] = f"{scheme}://{RELAY_HOST}:{RELAY_PORT}"
        write_private(path, yaml.safe_dump(self._content, sort_keys=False).encode())
        self._cluster["server"] = server

    def _current_cluster(self) -> JsonObject:
        contexts = dict(self._named("contexts", "context"))
        clusters = dict(self._named("clusters", "cluster"))
        context = contexts.get(str(self._content.get("current-context")), {})
        try:
            return clusters[str(context.get("cluster"))]
        except KeyError as error:
            raise LabError(f"kubeconfig {self._path}: no cluster {error}") from error

    def _named(self, section: str, inner: str) -> list[tuple[str, JsonObject]]:
        entries = self._content.get(section)
        found: list[tuple[str, JsonObject]] = []
        for entry in entries if isinstance(entries, list) else []:
            body: Json = entry.get(inner) if isinstance(entry, dict) else None
            if isinstance(entry, dict) and isinstance(body, dict):
                found.append((str(entry.get("name")), body))
        return found

    def _bodies(self) -> list[tuple[JsonObject, str]]:
        return [
            (body, inner)
            for section, inner in (("clusters", "cluster"), ("users", "user"))
            for _, body in self._named(section, inner)
        ]


def write_secret(folder: Path) -> None:
    """Write a new gossip key, as the speakers read it, into `folder`."""
    folder.mkdir(mode=0o700)
    write_private(folder / "secretkey", secrets.token_urlsafe(16).encode())


def write_private(path: Path, content: bytes) -> None:
    """Write a file that its owner alone may read."""
    path.touch(mode=0o600)
    path.write_bytes(content)
