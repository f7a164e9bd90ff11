"""Refusals as the API words them: `Status` objects, raised where the reason is known."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final

from ferrolb.apimachinery import ApplyConflictError, FieldError, join_errors
from ferrolb.model import Json, JsonObject, quote

FAILURE: Final = "Failure"
SUCCESS: Final = "Success"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a refusal is about: `resource` is the plural, or the kind where the API says so."""

    group: str = ""
    resource: str = ""
    name: str = ""

    @property
    def qualified(self) -> str:
        """The resource with its group: `ipaddresspools.metallb.io`."""
        return f"{self.resource}.{self.group}" if self.group else self.resource

    @property
    def details(self) -> JsonObject:
        """The members of `details` that name the target."""
        named: JsonObject = {"name": self.name, "group": self.group, "kind": self.resource}
        return {key: value for key, value in named.items() if value}


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """The parts of a failure Status."""

    code: int
    reason: str
    message: str
    details: JsonObject | None = None
    """None: left out; where nothing is to be said, some refusals have it empty."""
    headers: Mapping[str, str] = field(default_factory=dict)
    continue_token: str = ""

    @property
    def status(self) -> JsonObject:
        """The Status object to answer with."""
        status: JsonObject = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {"continue": self.continue_token} if self.continue_token else {},
            "status": FAILURE,
            "message": self.message,
        }
        if self.reason:
            status["reason"] = self.reason
        if self.details is not None:
            status["details"] = self.details
        status["code"] = self.code
        return status


class ApiError(Exception):
    """A request is refused: answer with `refusal`."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


def _error(
    code: HTTPStatus, reason: str, message: str, details: JsonObject | None = None
) -> ApiError:
    return ApiError(Refusal(code=code.value, reason=reason, message=message, details=details))


def bad_request(message: str) -> ApiError:
    """400: the request cannot be understood."""
    return _error(HTTPStatus.BAD_REQUEST, "BadRequest", message)


def unauthorized() -> ApiError:
    """401: no token, or an unknown one."""
    return _error(HTTPStatus.UNAUTHORIZED, "Unauthorized", "Unauthorized")


def forbidden(target: Target, why: str, causes: Sequence[JsonObject] = ()) -> ApiError:
    """403: the rules of the server forbid it, whoever asks."""
    details = _with_causes(target, causes)
    message = f'{target.qualified} "{target.name}" is forbidden: {why}'
    return _error(HTTPStatus.FORBIDDEN, "Forbidden", message, details)


def not_allowed(target: Target, why: str) -> ApiError:
    """403: no role of the user allows it; the target may have no name, and no resource either."""
    about = f"{target.qualified} " if target.resource else ""
    if target.resource and target.name:
        about += f"{quote(target.name)} "
    message = f"{about}is forbidden: {why}" if about else f"forbidden: {why}"
    return _error(HTTPStatus.FORBIDDEN, "Forbidden", message, target.details)


def not_found(target: Target) -> ApiError:
    """404: no such object."""
    message = f'{target.qualified} "{target.name}" not found'
    return _error(HTTPStatus.NOT_FOUND, "NotFound", message, target.details)


def no_such_path() -> ApiError:
    """404: there is no such resource among those of a group."""
    message = "the server could not find the requested resource"
    return _error(HTTPStatus.NOT_FOUND, "NotFound", message, {})


def method_not_allowed() -> ApiError:
    """405: the resource has no such verb."""
    message = "the server does not allow this method on the requested resource"
    return _error(HTTPStatus.METHOD_NOT_ALLOWED, "MethodNotAllowed", message, {})


def not_acceptable(accepted: Sequence[str]) -> ApiError:
    """406: no media type the client accepts; the message says which there are."""
    message = f"406: Not Acceptable\n\nAvailable representations: {', '.join(accepted)}"
    return _error(HTTPStatus.NOT_ACCEPTABLE, "NotAcceptable", message, {})


def no_such_form(accepted: Sequence[str]) -> ApiError:
    """406: the media type is served, but not with the parameters that the client asks for."""
    message = f"only the following media types are accepted: {', '.join(accepted)}"
    return _error(HTTPStatus.NOT_ACCEPTABLE, "NotAcceptable", message)


def wrong_form(asked: str, *, is_list: bool) -> ApiError:
    """406: metadata of one object is asked for where a list is, or the other way round."""
    found = "a list" if is_list else "not a list"
    message = f"you requested {asked}, but the requested object is {found}"
    return _error(HTTPStatus.NOT_ACCEPTABLE, "NotAcceptable", message)


def already_exists(
    target: Target, *, is_going: bool = False, is_generated: bool = False
) -> ApiError:
    """409: the name is taken; by an object that is being deleted, or although it was made up."""
    message = f'{target.qualified} "{target.name}" already exists'
    details = target.details
    if is_going:
        message = f"object is being deleted: {message}"
    if is_generated:
        message += ", the server was not able to generate a unique name for the object"
        details["retryAfterSeconds"] = 1
    return _error(HTTPStatus.CONFLICT, "AlreadyExists", message, details)


def conflict(target: Target, why: str = "") -> ApiError:
    """409: the object is not, or no longer, what the client thinks."""
    why = why or (
        "the object has been modified; please apply your changes to the latest version and "
        "try again"
    )
    message = f'Operation cannot be fulfilled on {target.qualified} "{target.name}": {why}'
    return _error(HTTPStatus.CONFLICT, "Conflict", message, target.details)


def apply_conflict(error: ApplyConflictError) -> ApiError:
    """409: server-side apply met fields of other managers."""
    causes: list[Json] = [
        {
            "reason": "FieldManagerConflict",
            "message": f"conflict with {found.manager}",
            "field": found.field,
        }
        for found in error.conflicts
    ]
    return _error(HTTPStatus.CONFLICT, "Conflict", str(error), {"causes": causes})


def gone(message: str, *, continue_token: str = "") -> ApiError:
    """410: the resourceVersion or continue token is older than what is kept."""
    refusal = Refusal(
        code=HTTPStatus.GONE.value,
        reason="Expired",
        message=message,
        continue_token=continue_token,
    )
    return ApiError(refusal)


def too_large(limit_bytes: int) -> ApiError:
    """413: the body is over the limit."""
    message = f"Request entity too large: limit is {limit_bytes}"
    return _error(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "RequestEntityTooLarge", message)


def unsupported_media_type(accepted: Sequence[str], hint: str = "") -> ApiError:
    """415: the body is in a format that is not understood here."""
    message = (
        "the body of the request was in an unknown format - accepted media types include: "
        f"{', '.join(accepted)}"
    )
    if hint:
        message = f"{message} ({hint})"
    return _error(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "UnsupportedMediaType", message)


def invalid(target: Target, errors: Sequence[FieldError]) -> ApiError:
    """422: fields are missing or wrong; here `target.resource` is the kind."""
    unique = list(dict.fromkeys(map(str, errors)))
    by_text = {str(error): error for error in errors}
    details = _with_causes(target, [by_text[text].cause for text in unique])
    message = f'{target.qualified} "{target.name}" is invalid: {join_errors(errors)}'
    return _error(HTTPStatus.UNPROCESSABLE_ENTITY, "Invalid", message, details)


def unsupported_patch() -> ApiError:
    """415: the body is no patch of any kind."""
    message = "415: Unsupported Media Type"
    return _error(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "UnsupportedMediaType", message, {})


def patch_rejected() -> ApiError:
    """422: an operation of a JSON patch does not apply; which one is not said."""
    message = "the server rejected our request due to an error in our request"
    return _error(HTTPStatus.UNPROCESSABLE_ENTITY, "Invalid", message, {})


def patch_refused(patched: str, why: str) -> ApiError:
    """422: what a patch makes of the object, or the patch itself, is no object of the kind."""
    return invalid(Target(), [FieldError.invalid("patch", patched, why)])


def too_many_requests(message: str) -> ApiError:
    """429: a limit of the server is reached; ask again."""
    refusal = Refusal(
        code=HTTPStatus.TOO_MANY_REQUESTS.value,
        reason="TooManyRequests",
        message=message,
        details={"retryAfterSeconds": 1},
        headers={"Retry-After": "1"},
    )
    return ApiError(refusal)


def unreadable_watch_version(message: str) -> ApiError:
    """500 without a reason: what the API answers to a watch from what is no resourceVersion."""
    return _error(HTTPStatus.INTERNAL_SERVER_ERROR, "", message)


def internal(message: str) -> ApiError:
    """500: a fault of the server."""
    return _error(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "InternalError",
        f"Internal error occurred: {message}",
        {"causes": [{"message": message}]},
    )


def unexplained(message: str) -> ApiError:
    """500 without a reason: what the API answers where it passes an error on as it is."""
    return _error(HTTPStatus.INTERNAL_SERVER_ERROR, "", message)


def too_many_operations(message: str) -> ApiError:
    """413: a JSON patch is too long."""
    return _error(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "RequestEntityTooLarge", message)


def version_ahead(asked: int, current: int) -> ApiError:
    """504: the client asks for a resourceVersion that does not exist yet."""
    details: JsonObject = {
        "causes": [
            {
                "reason": "ResourceVersionTooLarge",
                "message": "Too large resource version",
            }
        ],
        "retryAfterSeconds": 1,
    }
    message = f"Timeout: Too large resource version: {asked}, current: {current}"
    return _error(HTTPStatus.GATEWAY_TIMEOUT, "Timeout", message, details)


def success(target: Target, uid: str) -> JsonObject:
    """The Status that a finished deletion answers with."""
    details = target.details
    details["uid"] = uid
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": SUCCESS,
        "details": details,
    }


def _with_causes(target: Target, causes: Sequence[JsonObject]) -> JsonObject:
    details = target.details
    if causes:
        details["causes"] = list(causes)
    return details
