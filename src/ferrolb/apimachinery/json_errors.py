"""What an API server says of a text that is no JSON."""

import json
from typing import Final

_CONTEXTS: Final[tuple[tuple[str, str], ...]] = (
    ("Extra data", "after top-level value"),
    ("Expecting property name", "looking for beginning of object key string"),
    ("Illegal trailing comma", "looking for beginning of object key string"),
    ("Expecting ':' delimiter", "after object key"),
    ("Expecting ',' delimiter", "after object key:value pair"),
    ("Invalid control character", "in string literal"),
    ("Invalid \\", "in string escape code"),
)
"""What the decoder of the standard library calls what is wrong, and what Go's does."""

_TRUNCATED: Final = "unexpected end of JSON input"


def json_error_text(body: bytes) -> str:
    """Return what is wrong with a JSON text, empty if nothing is."""
    try:
        json.loads(body)
    except json.JSONDecodeError as error:
        return _text(error)
    except UnicodeDecodeError as error:
        return f"invalid character '\\x{body[error.start]:02x}' looking for beginning of value"
    except RecursionError:
        return "exceeded max depth"
    return ""


def _text(error: json.JSONDecodeError) -> str:
    if error.pos >= len(error.doc.rstrip()) or error.msg.startswith("Unterminated string"):
        return _TRUNCATED
    context = next(
        (words for begin, words in _CONTEXTS if error.msg.startswith(begin)),
        "looking for beginning of value",
    )
    return f"invalid character '{error.doc[error.pos]}' {context}"
