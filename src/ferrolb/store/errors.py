"""What can go wrong with a request to the store."""

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ferrolb.store.key import ObjectKey


class StoreError(Exception):
    """The request was refused and nothing was changed."""


class NotFoundError(StoreError):
    """There is no such object: answer 404."""

    def __init__(self, key: "ObjectKey") -> None:
        super().__init__(f"{key} not found")
        self.key = key


class AlreadyExistsError(StoreError):
    """An object of that name exists: answer 409, reason AlreadyExists."""

    def __init__(self, key: "ObjectKey") -> None:
        super().__init__(f"{key} already exists")
        self.key = key


class Precondition(StrEnum):
    """Which precondition did not hold."""

    UID = "UID"
    RESOURCE_VERSION = "ResourceVersion"


class ConflictError(StoreError):
    """A precondition does not hold: answer 409, reason Conflict; the caller reads and retries."""

    def __init__(
        self, key: "ObjectKey", precondition: Precondition, *, expected: str, actual: str
    ) -> None:
        super().__init__(
            f"precondition failed for {key}: {precondition} in precondition: {expected}, "
            f"{precondition} in object meta: {actual}"
        )
        self.key = key
        self.precondition = precondition
        self.expected = expected
        self.actual = actual


class ExpiredError(StoreError):
    """The history that would answer is gone: answer 410, reason Expired; the caller lists anew.

    `continue_token`, when set, continues the list after the last item delivered, at the
    present state instead of the first page's: Kubernetes' "inconsistent continue".
    """

    def __init__(self, message: str, *, continue_token: str | None = None) -> None:
        super().__init__(message)
        self.continue_token = continue_token


class TooLargeVersionError(StoreError):
    """A state is asked for that lies in the future: answer 504, reason Timeout."""

    def __init__(self, *, requested: int, current: int) -> None:
        super().__init__(f"Too large resource version: {requested}, current: {current}")
        self.requested = requested
        self.current = current


class BadContinueTokenError(StoreError):
    """The continue token is none of ours, or of another list: answer 400."""
