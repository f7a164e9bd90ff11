"""What can go wrong between us and the API, by HTTP status; the HTTP library's errors are causes.

No text here carries a token: messages come from the API's Status object or name an error class.
"""

from typing import TYPE_CHECKING, ClassVar, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ferrolb.rbac import Right


class KubeError(Exception):
    """Base of this room's errors."""


class ConfigError(KubeError):
    """There is no usable cluster configuration: tell the user and end."""


class ApiError(KubeError):
    """A request did not succeed: retry later unless a child of this says otherwise."""

    default_reason: ClassVar[str] = ""

    def __init__(
        self,
        message: str,
        *,
        code: int = 0,
        reason: str = "",
        retry_after_s: float = 0.0,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        """HTTP status, 0 when there was no answer."""
        self.reason = reason or self.default_reason
        """`Status.reason`, as `NotFound`."""
        self.retry_after_s = retry_after_s
        """Seconds the server asks to wait, 0 if it did not say."""


class UnreachableError(ApiError):
    """No answer, or none in time; a write may still have been done: look before repeating it."""

    default_reason = "Unreachable"


class SilentError(UnreachableError):
    """A watch brought nothing for longer than the server promises: open it again."""

    default_reason = "Silent"


class BadAnswerError(ApiError):
    """The answer is not what the API promises: retry, something between us may be broken."""

    default_reason = "BadAnswer"


class BadRequestError(ApiError):
    """400: the request has a form that this server does not understand; repeating is useless."""

    default_reason = "BadRequest"


class UnauthorizedError(ApiError):
    """401, after the token was read again: the credentials are not valid."""

    default_reason = "Unauthorized"


class ForbiddenError(ApiError):
    """403: the roles do not allow it, or admission refused it."""

    default_reason = "Forbidden"
    right: "Right | None" = None
    """What the roles do not grant; None where admission refused it."""


class NotFoundError(ApiError):
    """404: the object, or the whole resource, does not exist."""

    default_reason = "NotFound"


class ConflictError(ApiError):
    """409: the object changed since it was read; look again."""

    default_reason = "Conflict"


class AlreadyExistsError(ApiError):
    """409 on create: there is an object of this name."""

    default_reason = "AlreadyExists"


class GoneError(ApiError):
    """410: the resourceVersion or page token is too old; list from the start."""

    default_reason = "Expired"


class InvalidError(ApiError):
    """422: the object breaks a rule of its schema or of admission; repeating is useless."""

    default_reason = "Invalid"


class TooManyRequestsError(ApiError):
    """429: wait `retry_after_s`, then repeat."""

    default_reason = "TooManyRequests"


class ServerError(ApiError):
    """5xx: the server could not; repeat later, after `retry_after_s` if it said so."""

    default_reason = "InternalError"


ERROR_BY_CODE: Final[dict[int, type[ApiError]]] = {
    400: BadRequestError,
    401: UnauthorizedError,
    403: ForbiddenError,
    404: NotFoundError,
    409: ConflictError,
    410: GoneError,
    422: InvalidError,
    429: TooManyRequestsError,
}
"""The class for a status; any other below 500 is a plain `ApiError`, the rest `ServerError`."""

MAX_MESSAGE_CHARS: Final = 2048
"""How much of a foreign answer an error keeps: enough for any API message, not for a web page."""


class StatusDetails(msgspec.Struct):
    """`Status.details`, as far as we read it."""

    retryAfterSeconds: float = 0.0


class Status(msgspec.Struct):
    """The API's `Status` object, tolerantly."""

    message: str = ""
    reason: str = ""
    code: int = 0
    details: StatusDetails | None = None


_STATUS: Final = msgspec.json.Decoder(Status)


def error_from_answer(code: int, body: bytes, headers: "Mapping[str, str]") -> ApiError:
    """Make the error for an HTTP answer with a status of 400 or above."""
    return error_from_status(code, status_from(body), retry_after_s=_retry_after(headers))


def error_from_status(code: int, status: Status, *, retry_after_s: float = 0.0) -> ApiError:
    """Make the error for a `Status`, which may also stand in an ERROR event of a watch."""
    if status.details is not None:
        retry_after_s = max(retry_after_s, status.details.retryAfterSeconds)
    message = status.message[:MAX_MESSAGE_CHARS] or f"the server answered {code}"
    return _error_class(code, status.reason)(
        message, code=code, reason=status.reason, retry_after_s=retry_after_s
    )


def status_from(body: bytes) -> Status:
    """Read a `Status`; of a body that is none, keep the beginning as its message."""
    try:
        return _STATUS.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        text = body[:MAX_MESSAGE_CHARS].decode(errors="replace")
        return Status(message=" ".join(text.split()))


def _error_class(code: int, reason: str) -> type[ApiError]:
    if code == 409 and reason == AlreadyExistsError.default_reason:
        return AlreadyExistsError
    return ERROR_BY_CODE.get(code, ServerError if code >= 500 else ApiError)


def _retry_after(headers: "Mapping[str, str]") -> float:
    # the other form of Retry-After, a date, is not used by API servers
    text = headers.get("retry-after", "")
    return float(text) if text.isascii() and text.isdigit() else 0.0
