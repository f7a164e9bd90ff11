"""Objects as a `meta.k8s.io/v1` Table, which is what `kubectl get` asks for."""

from dataclasses import dataclass
from enum import StrEnum
from math import isfinite
from typing import TYPE_CHECKING, Final

from ferrolb.apimachinery.ages import INVALID, age, parse_time
from ferrolb.apimachinery.columns import DEFAULT_FORMAT, Column, TableFormat
from ferrolb.apimachinery.columns import NAME as NAME_COLUMN
from ferrolb.apimachinery.document import int_at, object_at, text_at
from ferrolb.apimachinery.field_error import format_value
from ferrolb.apimachinery.jsonpath import JsonPath, JsonPathError
from ferrolb.apimachinery.layout import name_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from ferrolb.model import Json, JsonObject

_META: Final = "meta.k8s.io/v1"

_LIST_METADATA: Final = ("resourceVersion", "continue", "remainingItemCount")


class IncludeObject(StrEnum):
    """What each row brings along of its object (`?includeObject=`)."""

    NONE = "None"
    METADATA = "Metadata"
    OBJECT = "Object"


def table(
    objects: "Iterable[JsonObject]",
    layout: TableFormat,
    *,
    now: "datetime",
    metadata: "JsonObject",
    include: IncludeObject = IncludeObject.METADATA,
    with_columns: bool = True,
) -> "JsonObject":
    """Return the Table of `objects`, with the version and continuation of `metadata`.

    `metadata` is that of the list, or of the object where there is one only. A watch sends the
    columns with its first event, and leaves them out (`with_columns`) of all others.
    """
    kept = {key: metadata[key] for key in _LIST_METADATA if metadata.get(key)}
    columns: list[Json] = [column.to_json() for column in layout.columns]
    return {
        "kind": "Table",
        "apiVersion": _META,
        "metadata": kept,
        "columnDefinitions": columns if with_columns else None,
        "rows": [_row(obj, layout, now, include) for obj in objects],
    }


def partial_metadata(obj: "JsonObject") -> "JsonObject":
    """Return the PartialObjectMetadata of `obj`; it shares the metadata with `obj`."""
    return {
        "kind": "PartialObjectMetadata",
        "apiVersion": _META,
        "metadata": object_at(obj, "metadata"),
    }


def _row(
    obj: "JsonObject", layout: TableFormat, now: "datetime", include: IncludeObject
) -> "JsonObject":
    row: JsonObject = {"cells": layout.cells(obj, now), "object": None}
    if include is IncludeObject.METADATA:
        row["object"] = partial_metadata(obj)
    elif include is IncludeObject.OBJECT:
        row["object"] = obj
    condition = _completed(obj)
    if condition is not None:
        row["conditions"] = [condition]
    return row


def _completed(obj: "JsonObject") -> "JsonObject | None":
    """Return the condition by which kubectl tells a pod that is done from one that runs."""
    phase = text_at(obj, "status", "phase")
    if obj.get("kind") != "Pod" or phase not in ("Succeeded", "Failed"):
        return None
    how = "completed successfully" if phase == "Succeeded" else "failed"
    return {
        "type": "Completed",
        "status": "True",
        "reason": phase,
        "message": f"The pod has {how}.",
    }


@dataclass(frozen=True, slots=True)
class _PrinterColumn:
    """A column of a custom resource: its definition, and where its cells come from."""

    column: Column
    path: JsonPath | None

    @classmethod
    def of(cls, definition: "JsonObject") -> "_PrinterColumn":
        column = Column(
            text_at(definition, "name"),
            text_at(definition, "description"),
            type=text_at(definition, "type"),
            format=text_at(definition, "format"),
            priority=int_at(definition, "priority"),
        )
        try:
            return cls(column, JsonPath.parse(text_at(definition, "jsonPath")))
        except JsonPathError:
            # Empty cells tell more than a list that cannot be shown.
            return cls(column, None)

    def cell(self, obj: "JsonObject", now: "datetime") -> "Json":
        found = self.path.find(obj) if self.path is not None else []
        return _custom_cell(found[0], self.column.type, now) if found else None


def custom_format(printer_columns: "Iterable[JsonObject]") -> TableFormat:
    """Return the columns of a custom resource, from its `additionalPrinterColumns`."""
    columns = [_PrinterColumn.of(definition) for definition in printer_columns]
    if not columns:
        return DEFAULT_FORMAT

    def cells(obj: "JsonObject", now: "datetime") -> "list[Json]":
        return [name_of(obj), *(column.cell(obj, now) for column in columns)]

    return TableFormat((NAME_COLUMN, *(column.column for column in columns)), cells)


def _custom_cell(value: "Json", kind: str, now: "datetime") -> "Json":
    """Return `value` as a cell of the column's type, null where it is of another type."""
    match kind:
        case "string":
            return value if isinstance(value, str) else _written(value)
        case "date":
            return _date_cell(value, now)
        case "boolean":
            return value if isinstance(value, bool) else None
        case "integer":
            return int(value) if _is_number(value) and isinstance(value, int | float) else None
        case "number":
            return value if _is_number(value) else None
        case _:
            return None


def _written(value: "Json") -> str:
    return "<nil>" if value is None else format_value(value)


def _date_cell(value: "Json", now: "datetime") -> "Json":
    if not isinstance(value, str):
        return None
    return INVALID if parse_time(value) is None else age(value, now)


def _is_number(value: "Json") -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)
