"""Answers in plain text, and answers that a client may keep: health, missing pages, entity tags."""

import hashlib
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Final

from starlette.responses import PlainTextResponse, Response

from ferrolb.model import quote

HEALTH_PATHS: Final = ("healthz", "livez", "readyz")
"""Answered without a token, for probes."""

CHECKS: Final = ("ping", "log")
"""What is checked; all hold for as long as the server answers."""

MAX_TAGS: Final = 16
"""Entity tags read from one `If-None-Match`; clients send one."""


def health(segments: Sequence[str], *, is_verbose: bool) -> Response:
    """Answer `/livez` and its like, or one check of it (`/livez/ping`)."""
    name, *rest = segments
    if rest and (len(rest) > 1 or rest[0] not in CHECKS):
        return no_page()
    if not is_verbose or rest:
        return PlainTextResponse("ok")
    lines = [f"[+]{check} ok" for check in CHECKS]
    return PlainTextResponse("\n".join([*lines, f"{name} check passed", ""]))


def no_page() -> Response:
    """Answer a path that is none of the API's."""
    return PlainTextResponse("404 page not found\n", status_code=HTTPStatus.NOT_FOUND)


def internal_page(target: str, why: str) -> Response:
    """Answer a request to a path and query that broke down before it was looked at."""
    text = without_markup(f"Internal Server Error: {quote(target)}: {why}\n")
    return PlainTextResponse(text, status_code=HTTPStatus.INTERNAL_SERVER_ERROR)


def without_markup(text: str) -> str:
    """Return a text that no browser takes for markup, as the API has it."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def tagged_response(
    content: bytes, headers: Mapping[str, str], *, media_type: str = "application/json"
) -> Response:
    """Answer with a document, or with 304 to a client that has it."""
    tag = f'"{hashlib.sha256(content).hexdigest().upper()}"'
    kept = {"etag": tag, "vary": "Accept", "cache-control": "public"}
    known = headers.get("if-none-match", "").split(",", MAX_TAGS)
    if tag in (each.strip() for each in known):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=kept)
    return Response(content, media_type=media_type, headers=kept)
