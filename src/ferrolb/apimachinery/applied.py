"""What an apply request may not hold, for nobody could say who owns it."""

from typing import TYPE_CHECKING

from ferrolb.apimachinery.errors import PatchError
from ferrolb.apimachinery.field_error import format_value
from ferrolb.apimachinery.fieldset import Path, field_element, path_text
from ferrolb.apimachinery.schema_view import ListType, SchemaView
from ferrolb.apimachinery.structure import element_of

if TYPE_CHECKING:
    from ferrolb.model import Json, JsonArray


def check_applied(value: "Json", schema: SchemaView) -> None:
    """Refuse an apply request that its schema does not describe.

    Raises:
        PatchError: a field is not in the schema or of another type, or list entries cannot be told
            apart.
    """
    _check(value, schema, ())


def _check(value: "Json", schema: SchemaView | None, path: Path) -> None:
    if value is None:
        return
    if schema is not None:
        _check_type(value, schema, path)
    if isinstance(value, dict):
        for name, item in value.items():
            inner = (*path, field_element(name))
            if schema is not None and not _may_have(schema, name):
                _refuse(inner, "field not declared in schema")
            _check(item, None if schema is None else schema.member(name), inner)
    elif isinstance(value, list):
        if schema is not None and schema.list_type is not ListType.ATOMIC:
            _check_entries(value, schema, path)
        for index, item in enumerate(value):
            inner = (*path, f"i:{index}")
            _check(item, None if schema is None else schema.items(), inner)


def _check_type(value: "Json", schema: SchemaView, path: Path) -> None:
    if schema.int_or_string:
        return
    match schema.type:
        case "array" if not isinstance(value, list):
            _refuse(path, f"expected list, got &{{{_shown(value)}}}")
        case "object" if not isinstance(value, dict):
            _refuse(path, f"expected map, got &{{{_shown(value)}}}")
        case "string" if not isinstance(value, str):
            _refuse(path, f"expected string, got {_unstructured(value)}")
        case "boolean" if not isinstance(value, bool):
            _refuse(path, f"expected boolean, got {_unstructured(value)}")
        case "integer" | "number" if isinstance(value, bool) or not isinstance(value, int | float):
            _refuse(path, "expected numeric (int or float), got *value.valueUnstructured")
        case _:
            pass


def _shown(value: "Json") -> str:
    return value if isinstance(value, str) else format_value(value)


def _unstructured(value: "Json") -> str:
    return f"&value.valueUnstructured{{Value:{format_value(value)}}}"


def _refuse(path: Path, why: str) -> None:
    msg = f"{path_text(path)}: {why}"
    raise PatchError(msg)


def _may_have(schema: SchemaView, name: str) -> bool:
    is_open = schema.preserve_unknown or schema.embedded_resource or not schema.property_names()
    takes_any = schema.raw.get("additionalProperties") is True
    return is_open or takes_any or schema.member(name) is not None


def _check_entries(value: "JsonArray", schema: SchemaView, path: Path) -> None:
    seen: set[str] = set()
    for place, item in enumerate(value):
        element = element_of(item, schema)
        if element is None:
            _refuse(path, f"element {place}: the entry lacks what tells it from others")
        elif element in seen:
            _refuse(path, f"duplicate entries for key {path_text((element,))}")
        else:
            seen.add(element)
