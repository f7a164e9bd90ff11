"""Errors of single fields, worded as the Kubernetes API words them."""

import json
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final

from typing_extensions import override

from ferrolb.model import Json, JsonObject, quote

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class FieldErrorKind(Enum):
    """What is wrong with a field; the value is the reason in `Status.details.causes`."""

    NOT_FOUND = "FieldValueNotFound"
    REQUIRED = "FieldValueRequired"
    DUPLICATE = "FieldValueDuplicate"
    INVALID = "FieldValueInvalid"
    NOT_SUPPORTED = "FieldValueNotSupported"
    FORBIDDEN = "FieldValueForbidden"
    TOO_LONG = "FieldValueTooLong"
    TOO_MANY = "FieldValueTooMany"
    INTERNAL = "InternalError"
    TYPE_INVALID = "FieldValueTypeInvalid"

    @property
    def text(self) -> str:
        """The words a message starts with, `Required value` for instance."""
        return _TEXTS[self]


_TEXTS: Final[dict[FieldErrorKind, str]] = {
    FieldErrorKind.NOT_FOUND: "Not found",
    FieldErrorKind.REQUIRED: "Required value",
    FieldErrorKind.DUPLICATE: "Duplicate value",
    FieldErrorKind.INVALID: "Invalid value",
    FieldErrorKind.NOT_SUPPORTED: "Unsupported value",
    FieldErrorKind.FORBIDDEN: "Forbidden",
    FieldErrorKind.TOO_LONG: "Too long",
    FieldErrorKind.TOO_MANY: "Too many",
    FieldErrorKind.INTERNAL: "Internal error",
    FieldErrorKind.TYPE_INVALID: "Invalid value",
}

_WITHOUT_VALUE: Final = frozenset(
    {
        FieldErrorKind.REQUIRED,
        FieldErrorKind.FORBIDDEN,
        FieldErrorKind.TOO_LONG,
        FieldErrorKind.INTERNAL,
    }
)

_HTML_ESCAPES: Final = {ord("<"): "\\u003c", ord(">"): "\\u003e", ord("&"): "\\u0026"}


@dataclass(frozen=True, slots=True)
class FieldError:
    """One field that an object may not have, or not with this value."""

    field: str
    kind: FieldErrorKind
    value: Json = None
    detail: str = ""

    @property
    def body(self) -> str:
        """The message without the field's path."""
        text = self.kind.text
        if self.kind not in _WITHOUT_VALUE:
            text = f"{text}: {format_value(self.value)}"
        return f"{text}: {self.detail}" if self.detail else text

    @property
    def cause(self) -> JsonObject:
        """The entry of `Status.details.causes`."""
        return {"reason": self.kind.value, "message": self.body, "field": self.field}

    @override
    def __str__(self) -> str:
        return f"{self.field}: {self.body}"

    @classmethod
    def required(cls, field: str, detail: str = "") -> "FieldError":
        """A field that must be there is not."""
        return cls(field, FieldErrorKind.REQUIRED, "", detail)

    @classmethod
    def invalid(cls, field: str, value: Json, detail: str) -> "FieldError":
        """A value that breaks a rule said in `detail`."""
        return cls(field, FieldErrorKind.INVALID, value, detail)

    @classmethod
    def unsupported(cls, field: str, value: Json, allowed: "Iterable[Json]") -> "FieldError":
        """A value outside an enumeration."""
        names = ", ".join(
            quote(item if isinstance(item, str) else format_value(item)) for item in allowed
        )
        detail = f"supported values: {names}" if names else ""
        return cls(field, FieldErrorKind.NOT_SUPPORTED, value, detail)

    @classmethod
    def forbidden(cls, field: str, detail: str) -> "FieldError":
        """A value that may not be there in these circumstances."""
        return cls(field, FieldErrorKind.FORBIDDEN, "", detail)

    @classmethod
    def duplicate(cls, field: str, value: Json) -> "FieldError":
        """A value that may be there once only."""
        return cls(field, FieldErrorKind.DUPLICATE, value)

    @classmethod
    def too_many(cls, field: str, count: int, limit: int) -> "FieldError":
        """A list or map with more than `limit` entries."""
        noun = "item" if limit == 1 else "items"
        return cls(field, FieldErrorKind.TOO_MANY, count, f"must have at most {limit} {noun}")

    @classmethod
    def too_long(cls, field: str, limit: int) -> "FieldError":
        """A string longer than `limit`; the value is left out of the message."""
        noun = "byte" if limit == 1 else "bytes"
        detail = f"may not be more than {limit} {noun}"
        return cls(field, FieldErrorKind.TOO_LONG, "<value omitted>", detail)


def format_value(value: Json) -> str:
    """Return `value` as it stands in an API server's messages: quoted strings, compact JSON."""
    match value:
        case str():
            return quote(value)
        case float():
            return _format_float(value)
        case _:
            return json.dumps(
                value, ensure_ascii=False, separators=(",", ":"), sort_keys=True
            ).translate(_HTML_ESCAPES)


def go_text(value: Json) -> str:
    """Return `value` as Go prints it without being asked for any format."""
    match value:
        case None:
            return "<nil>"
        case bool():
            return "true" if value else "false"
        case dict():
            return f"map[{' '.join(f'{key}:{go_text(value[key])}' for key in sorted(value))}]"
        case list():
            return f"[{' '.join(map(go_text, value))}]"
        case str():
            return value
        case _:
            return format_value(value)


def join_errors(errors: "Sequence[FieldError]") -> str:
    """Return one text for all `errors`: alone, or in brackets with duplicates left out."""
    texts = list(dict.fromkeys(str(error) for error in errors))
    return texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"


def _format_float(value: float) -> str:
    if value.is_integer() and abs(value) < 1e21:
        return str(int(value))
    return repr(value).replace("inf", "+Inf").replace("-+Inf", "-Inf").replace("nan", "NaN")
