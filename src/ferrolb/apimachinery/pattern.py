"""Regular expressions of schemas: RE2 syntax as the API defines it, on Python's engine."""

import functools
import re
from typing import Final

_POSIX_CLASSES: Final[dict[str, str]] = {
    "[:alnum:]": "0-9A-Za-z",
    "[:alpha:]": "A-Za-z",
    "[:blank:]": r"\t ",
    "[:digit:]": "0-9",
    "[:lower:]": "a-z",
    "[:punct:]": r"!-/:-@\[-`{-~",
    "[:space:]": r"\t\n\v\f\r ",
    "[:upper:]": "A-Z",
    "[:word:]": "0-9A-Za-z_",
    "[:xdigit:]": "0-9A-Fa-f",
}

_TOKEN: Final = re.compile(r"\\.|\[:[a-z]+:\]|\[\^?\]?|.", re.DOTALL)


def compile_pattern(text: str) -> re.Pattern[str] | None:
    """Return the compiled pattern, None where it is none (or uses what Python cannot do)."""
    compiled = _compile(text)
    return None if isinstance(compiled, str) else compiled


def pattern_error(text: str) -> str | None:
    """Return why `text` cannot be compiled, None if it can."""
    compiled = _compile(text)
    return compiled if isinstance(compiled, str) else None


@functools.lru_cache(maxsize=512)
def _compile(text: str) -> re.Pattern[str] | str:
    try:
        return re.compile(_translate(text), re.ASCII)
    except (re.error, OverflowError, RecursionError) as error:
        return str(error)


def _translate(text: str) -> str:
    """Spell the few things differently that RE2 and Python disagree on."""
    parts: list[str] = []
    is_in_class = False
    for piece in _TOKEN.findall(text):
        if not is_in_class:
            is_in_class = piece.startswith("[")
            # Python's $ also matches before a line feed at the end; RE2's does not.
            parts.append({"$": r"\Z", r"\z": r"\Z"}.get(piece, piece))
        elif piece in _POSIX_CLASSES:
            parts.append(_POSIX_CLASSES[piece])
        else:
            is_in_class = not piece.endswith("]") or piece.startswith("\\")
            parts.append("\\" + piece if piece.startswith("[") else piece)
    return "".join(parts)
