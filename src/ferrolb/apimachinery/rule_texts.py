"""What a validation rule of a definition says besides its expression: message, reason, field."""

import re
from collections.abc import Iterator
from typing import Final

from ferrolb.apimachinery.field_error import FieldError
from ferrolb.apimachinery.schema_view import SchemaView
from ferrolb.model import JsonObject

_REASONS: Final = (
    "FieldValueDuplicate",
    "FieldValueForbidden",
    "FieldValueInvalid",
    "FieldValueRequired",
)
_STEP: Final = re.compile(r"\.([A-Za-z_][A-Za-z0-9_]*)|\['([^']+)'\]")
_LITERAL: Final = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"")
_FIELD_OF_SELF: Final = re.compile(r"\bself\.([A-Za-z_][A-Za-z0-9_]*)(?!\w*\s*\()")
_OF_EVERY_OBJECT: Final = frozenset({"apiVersion", "kind", "metadata"})


def rule_text_errors(rule: JsonObject, schema: SchemaView, path: str) -> Iterator[FieldError]:
    """Give what is wrong with a rule at `path` that holds for the values of `schema`."""
    message = rule.get("message")
    if isinstance(message, str) and message and not message.strip():
        yield FieldError.invalid(f"{path}.message", message, "must be non-empty if specified")
    elif isinstance(message, str) and "\n" in message.strip():
        yield FieldError.invalid(f"{path}.message", message, "must not contain line breaks")
    reason = rule.get("reason")
    if reason and reason not in _REASONS:
        yield FieldError.unsupported(f"{path}.reason", reason, _REASONS)
    field = rule.get("fieldPath")
    if isinstance(field, str) and field and not _leads_somewhere(field, schema):
        yield FieldError.invalid(f"{path}.fieldPath", field, "must be a valid path")


def undefined_field(text: str, schema: SchemaView, names: frozenset[str]) -> str:
    """Return why an expression cannot be compiled for a field that `self` does not have.

    `names` are the fields as expressions spell them. Empty: all that are asked for are there, or
    the schema takes any.
    """
    is_open = schema.additional() is not None or schema.int_or_string or not names
    if is_open or schema.type != "object":
        return ""
    plain = _LITERAL.sub(lambda literal: " " * len(literal[0]), text)
    for found in _FIELD_OF_SELF.finditer(plain):
        if found[1] not in names | _OF_EVERY_OBJECT:
            column = found.start() + len("self")
            return (
                f"compilation failed: ERROR: <input>:1:{column + 1}: undefined field '{found[1]}'\n"
                f" | {text}\n | {'.' * column}^"
            )
    return ""


def _leads_somewhere(field: str, schema: SchemaView) -> bool:
    place = 0
    here: SchemaView | None = schema
    while place < len(field):
        step = _STEP.match(field, place)
        if step is None or here is None:
            return False
        here = here.member(step[1] or step[2])
        place = step.end()
    return here is not None
