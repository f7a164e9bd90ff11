import json

import pytest

from ferrolb.kube import (
    AlreadyExistsError,
    ApiError,
    BadRequestError,
    ConflictError,
    ForbiddenError,
    GoneError,
    InvalidError,
    NotFoundError,
    ServerError,
    TooManyRequestsError,
    UnauthorizedError,
)
from ferrolb.kube.errors import MAX_MESSAGE_CHARS, error_from_answer


@pytest.mark.parametrize(
    ("code", "reason", "kind"),
    [
        (400, "BadRequest", BadRequestError),
        (401, "Unauthorized", UnauthorizedError),
        (403, "Forbidden", ForbiddenError),
        (404, "NotFound", NotFoundError),
        (409, "Conflict", ConflictError),
        (409, "AlreadyExists", AlreadyExistsError),
        (410, "Expired", GoneError),
        (422, "Invalid", InvalidError),
        (429, "TooManyRequests", TooManyRequestsError),
        (500, "InternalError", ServerError),
        (504, "Timeout", ServerError),
        (415, "UnsupportedMediaType", ApiError),
        (302, "", ApiError),
    ],
)
def test_class_follows_status_and_reason(code, reason, kind):
    body = json.dumps({"kind": "Status", "message": "because", "reason": reason}).encode()
    error = error_from_answer(code, body, {})
    assert type(error) is kind
    assert (error.code, error.reason, str(error)) == (code, reason, "because")


def test_existing_object_is_not_taken_for_a_conflict():
    assert not issubclass(AlreadyExistsError, ConflictError)


@pytest.mark.parametrize(
    ("headers", "details", "expected"),
    [
        ({"retry-after": "3"}, None, 3.0),
        ({"retry-after": "Fri, 31 Dec 1999 23:59:59 GMT"}, None, 0.0),
        ({}, {"retryAfterSeconds": 2}, 2.0),
        ({"retry-after": "1"}, {"retryAfterSeconds": 2}, 2.0),
        ({}, {}, 0.0),
        ({}, None, 0.0),
    ],
)
def test_wait_is_the_longest_that_the_server_asks_for(headers, details, expected):
    body = json.dumps({"message": "x", "details": details}).encode()
    assert error_from_answer(429, body, headers).retry_after_s == expected


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "the server answered 502"),
        (b"<html>\n bad   gateway</html>", "<html> bad gateway</html>"),
        (b"[1]", "[1]"),
        (b'{"message": 7}', '{"message": 7}'),
        (b"\xff\xfe", "\ufffd\ufffd"),
        (b"x" * 9999, "x" * MAX_MESSAGE_CHARS),
    ],
)
def test_body_that_is_no_status_is_quoted_in_part(body, message):
    error = error_from_answer(502, body, {})
    assert isinstance(error, ServerError)
    assert error.message == message


def test_reason_is_there_although_the_body_has_none():
    assert error_from_answer(404, b"404 page not found", {}).reason == "NotFound"
