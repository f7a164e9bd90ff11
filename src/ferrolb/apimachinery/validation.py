"""Validation of custom resources by their structural schema, in an API server's words."""

from collections.abc import Iterator
from typing import Final, TypeAlias

from ferrolb.apimachinery.document import equal_json
from ferrolb.apimachinery.field_error import FieldError, FieldErrorKind, format_value
from ferrolb.apimachinery.formats import is_format
from ferrolb.apimachinery.pattern import compile_pattern
from ferrolb.apimachinery.schema_view import ListType, SchemaView
from ferrolb.apimachinery.schema_walk import (
    ABSENT,
    Absent,
    canonical_text,
    children,
    entry_key,
    join_path,
)
from ferrolb.model import Json, JsonArray, JsonObject, quote

Errors: TypeAlias = Iterator[FieldError]


NO_FIELD: Final = "<nil>"
"""What stands for the field in errors that an API server ties to none."""

BLOCKING: Final = frozenset(
    {
        FieldErrorKind.NOT_SUPPORTED,
        FieldErrorKind.REQUIRED,
        FieldErrorKind.TOO_LONG,
        FieldErrorKind.TOO_MANY,
        FieldErrorKind.TYPE_INVALID,
    }
)
"""After an error of these kinds validation rules are not evaluated: they rely on the types."""


def validate(
    obj: JsonObject, schema: SchemaView, old: JsonObject | None = None
) -> list[FieldError]:
    """Return what is wrong with a custom resource, in the schema's order.

    With `old`, the object before this update, values that have not changed pass: a definition
    that became stricter does not block unrelated changes. The API's own types (metadata) are not
    checked here but by `decode_error`.
    """
    before: Json | Absent = ABSENT if old is None else old
    errors = list(_check(obj, before, schema, ""))
    errors.extend(_check_uniqueness(obj, before, schema, ""))
    return errors


def validate_part(
    value: Json, schema: SchemaView, old: Json | Absent = ABSENT, *, field: str
) -> list[FieldError]:
    """Return what is wrong with a part of an object, which stands at `field` of it.

    As an API server tells it: fields are named in full, but in messages from the part on.
    """
    found = [*_check(value, old, schema, ""), *_check_uniqueness(value, old, schema, "")]
    return [
        FieldError(
            error.field if error.field == NO_FIELD else _below(field, error.field),
            error.kind,
            error.value,
            error.detail,
        )
        for error in found
    ]


def _below(field: str, path: str) -> str:
    return field + path if not path or path.startswith("[") else f"{field}.{path}"


def _check(value: Json, old: Json | Absent, schema: SchemaView, path: str) -> Errors:
    if schema.is_builtin or (old is not ABSENT and equal_json(value, old)):
        return
    yield from _check_type(value, schema, path)
    if value is not None:
        yield from _check_junctors(value, schema, path)
    match value:
        case str():
            yield from _check_string(value, schema, path)
        case bool():
            pass
        case int() | float():
            yield from _check_number(value, schema, path)
        case list():
            yield from _check_array(value, old, schema, path)
        case _:
            pass
    yield from _check_enum(value, schema, path)
    if isinstance(value, dict):
        yield from _check_object(value, old, schema, path)


def _check_type(value: Json, schema: SchemaView, path: str) -> Errors:
    allowed = ("integer", "string") if schema.int_or_string else (schema.type,)
    if not allowed[0] or (value is None and schema.nullable):
        return
    actual = json_type(value)
    if isinstance(value, int) and not -_INTEGERS <= value < _INTEGERS:
        actual = "number"
    if actual in allowed or (actual == "integer" and "number" in allowed):
        return
    if isinstance(value, float) and value.is_integer() and "integer" in allowed:
        return
    expected, shown = ",".join(allowed), actual
    format_name = schema.raw.get("format")
    if isinstance(format_name, str) and value is not None and not isinstance(value, str | list):
        expected, shown = format_name, _GO_FORMATS.get(actual, "")
    yield FieldError(
        path,
        FieldErrorKind.TYPE_INVALID,
        shown,
        f"{path} in body must be of type {expected}: {quote(shown)}",
    )


_INTEGERS: Final = 2**63
"""What an API server reads as an integer ends here; beyond are numbers of limited precision."""

_GO_FORMATS: Final[dict[str, str]] = {"integer": "int64", "number": "float64"}


def json_type(value: Json) -> str:
    """Return the name of a value's JSON type, whole numbers apart from others."""
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
        case dict():
            return "object"


def _check_junctors(value: Json, schema: SchemaView, path: str) -> Errors:
    yield from _check_any_of(value, schema, path)
    yield from _check_one_of(value, schema, path)
    all_of = [list(_check(value, ABSENT, each, path)) for each in schema.branches("allOf")]
    for errors in all_of:
        yield from errors
    if any(all_of):
        tail = ". None validated" if all(all_of) else ""
        yield _composite(f"{quote(path)} must validate all the schemas (allOf){tail}")
    negated = schema.negated()
    if negated is not None and not any(_check(value, ABSENT, negated, path)):
        yield _composite(f"{quote(path)} must not validate the schema (not)")


def _check_any_of(value: Json, schema: SchemaView, path: str) -> Errors:
    results = [list(_check(value, ABSENT, each, path)) for each in schema.branches("anyOf")]
    if results and all(results):
        yield _composite(f"{quote(path)} must validate at least one schema (anyOf)")
        yield from min(results, key=len)


def _check_one_of(value: Json, schema: SchemaView, path: str) -> Errors:
    results = [list(_check(value, ABSENT, each, path)) for each in schema.branches("oneOf")]
    valid = sum(not errors for errors in results)
    if not results or valid == 1:
        return
    found = f"Found {valid} valid alternatives" if valid else "Found none valid"
    yield _composite(f"{quote(path)} must validate one and only one schema (oneOf). {found}")
    if not valid:
        yield from min(results, key=len)


def _composite(detail: str) -> FieldError:
    return FieldError.invalid(NO_FIELD, "", detail)


def _check_string(value: str, schema: SchemaView, path: str) -> Errors:
    longest, shortest = _limit(schema, "maxLength"), _limit(schema, "minLength")
    pattern = schema.raw.get("pattern")
    if longest is not None and len(value) > longest:
        yield FieldError.too_long(path, int(longest))
    elif shortest is not None and len(value) < shortest:
        yield FieldError.invalid(
            path, value, f"{path} in body should be at least {shortest} chars long"
        )
    elif isinstance(pattern, str):
        compiled = compile_pattern(pattern)
        if compiled is not None and compiled.search(value) is None:
            yield FieldError.invalid(path, value, f"{path} in body should match '{pattern}'")
    name = schema.raw.get("format")
    if isinstance(name, str) and not is_format(name, value):
        detail = f"{path} in body must be of type {name}: {quote(value)}"
        yield FieldError(path, FieldErrorKind.TYPE_INVALID, value, detail)


def _check_number(value: float, schema: SchemaView, path: str) -> Errors:
    factor = _limit(schema, "multipleOf")
    if factor is not None and factor > 0 and value % factor != 0:
        yield _out_of_range(path, value, "be a multiple of", factor)
    least, most = _limit(schema, "minimum"), _limit(schema, "maximum")
    if least is not None:
        is_exclusive = schema.raw.get("exclusiveMinimum") is True
        if value < least or (is_exclusive and value == least):
            words = "be greater than" if is_exclusive else "be greater than or equal to"
            yield _out_of_range(path, value, words, least)
    if most is not None:
        is_exclusive = schema.raw.get("exclusiveMaximum") is True
        if value > most or (is_exclusive and value == most):
            words = "be less than" if is_exclusive else "be less than or equal to"
            yield _out_of_range(path, value, words, most)


def _out_of_range(path: str, value: float, words: str, limit: float) -> FieldError:
    return FieldError.invalid(path, value, f"{path} in body should {words} {format_value(limit)}")


def _check_array(value: JsonArray, old: Json | Absent, schema: SchemaView, path: str) -> Errors:
    for child in children(value, old, schema, path):
        yield from _check(*child)
    fewest, most = _limit(schema, "minItems"), _limit(schema, "maxItems")
    if fewest is not None and len(value) < fewest:
        yield FieldError.invalid(
            path, len(value), f"{path} in body should have at least {fewest} items"
        )
    if most is not None and len(value) > most:
        yield FieldError.too_many(path, len(value), int(most))
    if schema.raw.get("uniqueItems") is True and _repeated(value):
        yield FieldError.invalid(path, "", f"{path} in body shouldn't contain duplicates")


def _check_enum(value: Json, schema: SchemaView, path: str) -> Errors:
    allowed = schema.raw.get("enum")
    if (
        isinstance(allowed, list)
        and allowed
        and not any(equal_json(value, each) for each in allowed)
    ):
        yield FieldError.unsupported(path, value, allowed)


def _check_object(value: JsonObject, old: Json | Absent, schema: SchemaView, path: str) -> Errors:
    fewest, most = _limit(schema, "minProperties"), _limit(schema, "maxProperties")
    if fewest is not None and len(value) < fewest:
        yield FieldError.invalid(
            path, len(value), f"{path} in body should have at least {fewest} properties"
        )
    if most is not None and len(value) > most:
        yield FieldError.too_many(path, len(value), int(most))
    for child in children(value, old, schema, path):
        yield from _check(*child)
    required = schema.raw.get("required")
    for name in required if isinstance(required, list) else []:
        if isinstance(name, str) and name not in value:
            yield FieldError.required(join_path(path, name))


def _check_uniqueness(value: Json, old: Json | Absent, schema: SchemaView, path: str) -> Errors:
    """Entries of lists of type set or map that occur twice."""
    if schema.is_builtin or (old is not ABSENT and equal_json(value, old)):
        return
    if isinstance(value, list) and schema.list_type is ListType.SET:
        for index in _repeated(value):
            yield FieldError.duplicate(f"{path}[{index}]", value[index])
    elif isinstance(value, list) and schema.list_type is ListType.MAP:
        yield from _check_list_map(value, schema, path)
    for child in children(value, old, schema, path):
        yield from _check_uniqueness(*child)


def _check_list_map(value: JsonArray, schema: SchemaView, path: str) -> Errors:
    for index, item in enumerate(value):
        if item is not None and not isinstance(item, dict):
            detail = "must be an object for an array of list-type map"
            yield FieldError.invalid(f"{path}[{index}]", item, detail)
            return
    keys: JsonArray = [entry_key(item, schema) for item in value]
    for index in _repeated(keys):
        yield FieldError.duplicate(f"{path}[{index}]", keys[index])


def _repeated(values: JsonArray) -> list[int]:
    """Return where a value occurs the second time; third ones say nothing new."""
    seen: dict[str, int] = {}
    repeated: list[int] = []
    for index, value in enumerate(values):
        text = canonical_text(value)
        seen[text] = seen.get(text, 0) + 1
        if seen[text] == 2:
            repeated.append(index)
    return repeated


def _limit(schema: SchemaView, keyword: str) -> float | None:
    limit = schema.raw.get(keyword)
    return limit if isinstance(limit, int | float) and not isinstance(limit, bool) else None
