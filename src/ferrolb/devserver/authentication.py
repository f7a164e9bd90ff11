"""Who is calling: the administrator, known by a bearer token, or nobody in particular."""

import hmac
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ferrolb.apimachinery import User
from ferrolb.devserver.statuses import unauthorized
from ferrolb.pki import write_private

CREDENTIAL_FILE: Final = "token"
"""Where the data directory keeps the bearer token."""

CREDENTIAL_BYTES: Final = 24
"""Random bytes of a token made here: 192 bits cannot be guessed."""

AUTHENTICATED: Final = "system:authenticated"
"""The group of everybody who has shown who they are."""

UNAUTHENTICATED: Final = "system:unauthenticated"
"""The group of everybody else."""

MASTERS: Final = "system:masters"
"""The group that no role binds."""

ADMINISTRATOR: Final = User(
    name="kubernetes-admin", uid="kubernetes-admin", groups=(MASTERS, AUTHENTICATED)
)
"""Named as administrators are on other clusters."""

ANONYMOUS: Final = User(name="system:anonymous", groups=(UNAUTHENTICATED,))
"""Who shows no token."""


@dataclass(frozen=True, slots=True)
class Recognized:
    """Whose a token is, and for which of the audiences asked about."""

    user: User
    audiences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Unrecognized:
    """A token is nobody's here; `why` is what the API says of it, empty for nothing in particular.

    Reviews show it, refusals do not.
    """

    why: str = ""


Recognize = Callable[[str, Sequence[str]], Recognized | Unrecognized]
"""Tells whose a token is, if it is for one of some audiences; none are the server's own."""


def recognize_nobody(_token: str, _audiences: Sequence[str]) -> Unrecognized:
    """Know no account."""
    return Unrecognized()


class Authenticator:
    """Tells users by the bearer tokens of their requests."""

    def __init__(
        self,
        token: str,
        *,
        recognize: Recognize = recognize_nobody,
        audiences: Sequence[str] = (),
        has_anonymous: bool = False,
    ) -> None:
        """Take `token` for the administrator's; `recognize` knows all others.

        `audiences` are the server's own, which the administrator's token is for.
        """
        self._expected = token.encode("utf-8")
        self._recognize = recognize
        self._audiences = tuple(audiences)
        self._has_anonymous = has_anonymous

    def identify(self, headers: Mapping[str, str]) -> User:
        """Return who sends a request.

        Raises:
            ApiError: 401, its token is nobody's, or it has none where one is needed.
        """
        authorization = headers.get("authorization")
        token = bearer_token(authorization)
        if token is None:
            if self._has_anonymous:
                return ANONYMOUS
            raise unauthorized()
        user = self.user_of(token)
        if user is None:
            raise unauthorized()
        return user

    def user_of(self, token: str) -> User | None:
        """Return whose token it is; None: nobody's, or not for this server."""
        found = self.review(token)
        return found.user if isinstance(found, Recognized) else None

    def review(self, token: str, audiences: Sequence[str] = ()) -> Recognized | Unrecognized:
        """Return whose token it is, if it is for one of the audiences; none: for this server."""
        if not self.is_known(token):
            return self._recognize(token, audiences)
        met = tuple(each for each in audiences or self._audiences if each in self._audiences)
        return Recognized(ADMINISTRATOR, met) if met or not audiences else Unrecognized()

    def is_known(self, token: str) -> bool:
        """Tell whether a token is the administrator's, in constant time."""
        return hmac.compare_digest(token.encode("utf-8", "surrogateescape"), self._expected)


def bearer_token(authorization: str | None) -> str | None:
    """Return the token of an `Authorization` header; None where it carries none.

    What follows the token is ignored, and a second space before it makes it none.
    """
    scheme, *rest = (authorization or "").strip().split(" ", 2)
    token = rest[0] if rest else ""
    return token if scheme.lower() == "bearer" and token else None


def spacing_warnings(authorization: str | None) -> list[str]:
    """Return what a client is told whose token is ignored for the space before it."""
    match (authorization or "").strip().split(" ", 2):
        case [scheme, "", _] if scheme.lower() == "bearer":
            return [
                "the provided Authorization header contains extra space before the bearer token, "
                "and is ignored"
            ]
        case _:
            return []


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
