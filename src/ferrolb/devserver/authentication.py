"""Who is calling: one administrator, known by a bearer token."""

import hmac
import secrets
from pathlib import Path
from typing import Final

from ferrolb.pki import write_private

CREDENTIAL_FILE: Final = "token"
"""Where the data directory keeps the bearer token."""

CREDENTIAL_BYTES: Final = 24
"""Random bytes of a token made here: 192 bits cannot be guessed."""

USERNAME: Final = "kubernetes-admin"
GROUPS: Final = ("system:masters", "system:authenticated")
"""The only user there is, named as administrators are on other clusters."""


class Authenticator:
    """Checks the bearer token of a request."""

    def __init__(self, token: str) -> None:
        self._expected = token.encode("utf-8")

    def is_known(self, token: str) -> bool:
        """Tell whether a token is the administrator's, in constant time."""
        return hmac.compare_digest(token.encode("utf-8", "surrogateescape"), self._expected)

    def admits(self, authorization: str | None) -> bool:
        """Tell whether an `Authorization` header carries the administrator's token."""
        scheme, _, token = (authorization or "").partition(" ")
        return scheme.lower() == "bearer" and self.is_known(token.strip())


def load_or_make_token(directory: Path | None, given: str | None) -> str:
    """Return the token to expect: the one given, the one kept in a directory, or a new one."""
    if given is not None:
        return given
    kept = None if directory is None else directory / CREDENTIAL_FILE
    if kept is not None and kept.exists():
        return kept.read_text(encoding="utf-8").strip()
    token = secrets.token_urlsafe(CREDENTIAL_BYTES)
    if kept is not None:
        write_private(kept, token.encode("utf-8"))
    return token
