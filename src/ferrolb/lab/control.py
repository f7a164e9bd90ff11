"""How a client and the supervisor talk: one JSON object a line, each way, over a Unix socket.

A request is `{"do": COMMAND, "with": {...}}`; the answer is `{"value": {...}}`, or
`{"error": TEXT, "reason": WORD}`. A connection carries any number of requests, one at a time.
"""

from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final, Protocol

import msgspec

from ferrolb.lab.errors import LabError, RefusedError
from ferrolb.model import JsonObject

SOCKET_NAME: Final = "control"
"""Name of the socket in the lab's folder."""

MAX_LINE_BYTES: Final = 64 * 1024 * 1024
"""A request or an answer; the longest are the frames of a long observation."""

Command = Callable[[JsonObject], Coroutine[Any, Any, JsonObject]]
"""Carries out one request. A `LabError` that it raises becomes the answer's error."""


class Extension(Protocol):
    """A part of the supervisor that adds commands and has something to run."""

    def commands(self) -> Mapping[str, Command]:
        """Return the commands by name."""

    async def run(self) -> None:
        """Run until cancelled."""


class Request(msgspec.Struct, frozen=True, rename={"arguments": "with"}):
    """One request."""

    do: str
    arguments: dict[str, Any] = {}


class Answer(msgspec.Struct, frozen=True, omit_defaults=True):
    """One answer: a value, or an error."""

    value: dict[str, Any] = {}
    error: str = ""
    reason: str = ""
    """`refused`: the request was wrong; `failed`: it was not, but could not be carried out."""


_requests: Final = msgspec.json.Decoder(Request)
_answers: Final = msgspec.json.Decoder(Answer)


def encode_line(message: Request | Answer) -> bytes:
    """Return the message as one line."""
    return msgspec.json.encode(message) + b"\n"


def decode_request(line: bytes) -> Request:
    """Read a request.

    Raises:
        RefusedError: the line is none.
    """
    try:
        return _requests.decode(line)
    except (msgspec.DecodeError, RecursionError) as error:
        raise RefusedError(f"not a request: {error}") from error


def decode_answer(line: bytes) -> JsonObject:
    """Read an answer and return its value.

    Raises:
        LabError: the answer is an error, or no answer at all.
    """
    try:
        answer = _answers.decode(line)
    except (msgspec.DecodeError, RecursionError) as error:
        raise LabError(f"the supervisor's answer cannot be read: {error}") from error
    if answer.error:
        raise (RefusedError if answer.reason == "refused" else LabError)(answer.error)
    return answer.value


def answer_error(error: LabError) -> Answer:
    """Return the answer that tells a client of an error."""
    reason = "refused" if isinstance(error, RefusedError) else "failed"
    return Answer(error=str(error), reason=reason)
