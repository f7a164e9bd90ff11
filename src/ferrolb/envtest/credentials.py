"""Keys, certificates and tokens of one control plane, in files for its programs."""

import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from ferrolb.envtest.flags import ACCOUNTS_KEY, PEOPLE, SERVER_CERT, SERVER_KEY, SERVICE_NAMES
from ferrolb.pki import load_or_make_identity, write_private

TOKEN_BYTES: Final = 24
"""Random bytes of a token made here: 192 bits cannot be guessed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What clients of the API server need."""

    ca_pem: str
    administrator: str
    """Token of the user whom roles do not bind."""
    manager: str
    """Token of the controller manager, which is bound by none either: its controllers are one."""


def prepare_credentials(folder: Path, data_dir: Path | None, names: Iterable[str]) -> Credentials:
    """Write what the programs read into `folder`; what is in `data_dir` stays as it is.

    Raises:
        OSError: a directory cannot be read or written.
    """
    identity = load_or_make_identity(data_dir, [*SERVICE_NAMES, *names], now=datetime.now(UTC))
    found = Credentials(
        ca_pem=identity.ca_pem,
        administrator=_kept(data_dir, "token", _new_token).decode("ascii").strip(),
        manager=_new_token().decode("ascii"),
    )
    people = (
        (found.administrator, "kubernetes-admin"),
        (found.manager, "system:kube-controller-manager"),
    )
    lines = [f'{token},{name},{name},"system:masters"\n' for token, name in people]
    write_private(folder / PEOPLE, "".join(lines).encode("ascii"))
    write_private(folder / SERVER_CERT, identity.server.certificate_pem)
    write_private(folder / SERVER_KEY, identity.server.key_pem)
    write_private(folder / ACCOUNTS_KEY, _kept(data_dir, ACCOUNTS_KEY, _new_key))
    return found


def _kept(data_dir: Path | None, name: str, make: Callable[[], bytes]) -> bytes:
    if data_dir is None:
        return make()
    path = data_dir / name
    if not path.exists():
        write_private(path, make())
    return path.read_bytes()


def _new_token() -> bytes:
    return secrets.token_urlsafe(TOKEN_BYTES).encode("ascii")


def _new_key() -> bytes:
    """Return a private key; programs read its public half from the same file."""
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
