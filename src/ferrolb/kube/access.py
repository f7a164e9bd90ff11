"""Where the API is and how to prove who we are: kubeconfig or in-cluster account, read once.

The only module that knows lightkube's configuration classes. Certificates are handed to OpenSSL
without a file on disk, so a read-only root file system is enough.
"""

import base64
import os
import ssl
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import httpx2
import msgspec
import yaml
from lightkube.config.client_adapter import user_auth
from lightkube.config.kubeconfig import KubeConfig, SingleConfig
from lightkube.config.models import Cluster, User
from lightkube.core.exceptions import ConfigError as LightkubeConfigError

from ferrolb.kube.errors import ConfigError
from ferrolb.model import JsonArray, JsonObject

SERVICE_ACCOUNT_DIR: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where a Pod finds its token and the cluster's certificate authority."""

_NO_CONFIG: Final = (
    "no cluster configuration: give --kubeconfig, set $KUBECONFIG, "
    "or run in a Pod with a service account"
)
_PATHS: Final = {
    "clusters": ("cluster", ("certificate-authority",)),
    "users": ("user", ("client-certificate", "client-key", "tokenFile")),
}
"""Fields of a kubeconfig that name files, relative to the kubeconfig's own directory."""

AUTH_ERRORS: Final = (LightkubeConfigError, OSError, KeyError, ValueError)
"""What getting a token may raise while a request is being made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """One server with the credentials for it; its repr shows no secret."""

    server: str
    auth: httpx2.Auth | None = field(default=None, repr=False)
    tls: ssl.SSLContext | None = field(default=None, repr=False)
    """None for a server spoken to in plain HTTP."""
    namespace: str = ""
    """The namespace of the context or the service account, empty if none is named."""


def load_access(
    kubeconfig: Path | None,
    *,
    environ: Mapping[str, str],
    service_account: Path = SERVICE_ACCOUNT_DIR,
) -> Access:
    """Find the cluster: `kubeconfig`, else `$KUBECONFIG`, else the in-cluster account.

    Raises:
        ConfigError: there is none, or the first one found is not usable.
    """
    if kubeconfig is not None:
        return _from_files([kubeconfig])
    files = [Path(text) for text in environ.get("KUBECONFIG", "").split(os.pathsep) if text]
    if files:
        present = [path for path in files if path.is_file()]
        return _from_files(present or files)
    if "KUBERNETES_SERVICE_HOST" in environ and (service_account / "token").is_file():
        return _from_service_account(service_account)
    raise ConfigError(_NO_CONFIG)


def _from_files(paths: list[Path]) -> Access:
    name = ", ".join(str(path) for path in paths)
    merged: JsonObject = {"clusters": [], "users": [], "contexts": []}
    for path in paths:
        _merge(merged, _read(path), path.absolute().parent)
    try:
        return _access(KubeConfig.from_dict(merged).get())
    except (LightkubeConfigError, ConfigError) as error:
        raise ConfigError(f"kubeconfig {name}: {error}") from error
    except KeyError as error:
        raise ConfigError(f"kubeconfig {name}: {error} is missing") from error
    except (OSError, msgspec.MsgspecError) as error:
        raise ConfigError(f"kubeconfig {name}: {error}") from error
    except (TypeError, ValueError) as error:
        # their texts may quote the file, which holds secrets
        raise ConfigError(f"kubeconfig {name}: malformed ({type(error).__name__})") from None


def _read(path: Path) -> JsonObject:
    try:
        content = yaml.safe_load(path.read_bytes())
    except OSError as error:
        raise ConfigError(f"kubeconfig {path}: {error.strerror}") from error
    except yaml.YAMLError as error:
        # the error's own text quotes the line, which may hold a token
        mark = getattr(error, "problem_mark", None)
        where = f" in line {mark.line + 1}" if mark is not None else ""
        raise ConfigError(f"kubeconfig {path}: not YAML{where}") from None
    if not isinstance(content, dict):
        raise ConfigError(f"kubeconfig {path}: not a mapping")
    return content


def _merge(merged: JsonObject, document: JsonObject, directory: Path) -> None:
    """Add what `merged` does not name yet, as kubectl does with several files."""
    for section in ("clusters", "users", "contexts"):
        known = _entries(merged, section)
        names = {entry.get("name") for entry in known if isinstance(entry, dict)}
        for entry in _entries(document, section):
            if isinstance(entry, dict) and entry.get("name") not in names:
                _make_absolute(section, entry, directory)
                known.append(entry)
    if not merged.get("current-context") and document.get("current-context"):
        merged["current-context"] = document["current-context"]


def _entries(document: JsonObject, section: str) -> JsonArray:
    entries = document.get(section)
    return entries if isinstance(entries, list) else []


def _make_absolute(section: str, entry: JsonObject, directory: Path) -> None:
    if section not in _PATHS:
        return
    inner, names = _PATHS[section]
    body = entry.get(inner)
    if body is None and section == "users":
        # kubectl writes `user: null` for a user without credentials
        entry[inner] = body = {}
    if isinstance(body, dict):
        for name in names:
            value = body.get(name)
            if isinstance(value, str) and value:
                body[name] = str(directory / value)


def _from_service_account(directory: Path) -> Access:
    try:
        return _access(KubeConfig.from_service_account(directory).get())
    except (LightkubeConfigError, KeyError, OSError) as error:
        raise ConfigError(f"in-cluster account {directory}: {error}") from error


def _access(config: SingleConfig | None) -> Access:
    if config is None:  # pragma: no cover - lightkube raises instead when asked without default
        raise ConfigError(_NO_CONFIG)
    return Access(
        server=config.cluster.server.rstrip("/"),
        auth=user_auth(config.user),
        tls=_tls(config.cluster, config.user) if _is_https(config.cluster) else None,
        namespace=config.context.namespace or "",
    )


def _is_https(cluster: Cluster) -> bool:
    scheme, found, _ = cluster.server.partition("://")
    if not found or scheme not in ("http", "https"):
        raise ConfigError(f"server {cluster.server!r} is not an http or https address")
    return scheme == "https"


def _tls(cluster: Cluster, user: User | None) -> ssl.SSLContext:
    context = ssl.create_default_context(
        cafile=cluster.certificate_auth,
        cadata=_pem(cluster.certificate_auth_data).decode() or None,
    )
    if cluster.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if user is not None:
        _load_client_certificate(context, user)
    return context


def _load_client_certificate(context: ssl.SSLContext, user: User) -> None:
    certificate, key = _pem(user.client_cert_data), _pem(user.client_key_data)
    with ExitStack() as stack:
        certfile = _memory_file(stack, certificate) if certificate else user.client_cert
        keyfile = _memory_file(stack, key) if key else user.client_key
        if certfile:
            context.load_cert_chain(certfile, keyfile)


def _pem(data: str | None) -> bytes:
    return base64.b64decode(data) if data else b""


def _memory_file(stack: ExitStack, content: bytes) -> str:
    """Return the name of a file in memory; OpenSSL reads client certificates from files only."""
    descriptor = os.memfd_create("ferrolb-certificate")
    stack.callback(os.close, descriptor)
    os.write(descriptor, content)
    return f"/proc/self/fd/{descriptor}"
