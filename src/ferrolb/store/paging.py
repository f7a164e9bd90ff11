"""Pages of a list, and the token that says where the next one begins."""

import base64
import binascii
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec

from ferrolb.store.codec import decode
from ferrolb.store.errors import BadContinueTokenError

if TYPE_CHECKING:
    from ferrolb.model import JsonObject

_AT_PRESENT: Final = -1
"""In a token: go on at the state of the moment, as the API's "inconsistent continue" does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Some objects of a list, in the order of namespace and name.

    `resource_version` is the state that this page shows, the same for all pages of one list;
    `continue_token` is None on the last page; `remaining` counts the objects after this page and
    is None when objects were chosen by content.
    """

    encoded: tuple[bytes, ...]
    resource_version: int
    continue_token: str | None
    remaining: int | None

    @property
    def items(self) -> "list[JsonObject]":
        """The objects, decoded anew for the caller."""
        return [decode(encoded) for encoded in self.encoded]


class Position(msgspec.Struct, frozen=True, kw_only=True, rename={"resource_version": "rv"}):
    """What a token holds: the state to show, and the namespace and name to go on after."""

    resource_version: int
    after: tuple[str, str]
    scope: str

    @property
    def is_at_present(self) -> bool:
        """Whether the list goes on at the state of the moment."""
        return self.resource_version == _AT_PRESENT

    def at_present(self) -> "Position":
        """Return the same place in the state of the moment."""
        return Position(resource_version=_AT_PRESENT, after=self.after, scope=self.scope)

    def token(self) -> str:
        """Write the token, safe in a URL."""
        return base64.urlsafe_b64encode(msgspec.json.encode(self)).decode().rstrip("=")


def position_of(token: str, *, scope: str) -> Position:
    """Read a token that `Position.token` wrote for a list of the same scope.

    Raises:
        BadContinueTokenError: it is none, or belongs to another list.
    """
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        position = msgspec.json.decode(raw, type=Position)
    except (binascii.Error, ValueError) as error:
        raise BadContinueTokenError("continue key is not valid") from error
    if position.scope != scope:
        raise BadContinueTokenError("continue key belongs to another list")
    return position
