"""What an API server does to objects: patches, apply, schemas, selectors, tables.

Functions on JSON objects; none knows HTTP, storage, or which kinds are served. Requests, status
codes and discovery belong to `devserver`, versions and watches to `store`.
"""

from ferrolb.apimachinery.ages import human_duration
from ferrolb.apimachinery.columns import Column, TableFormat, table_format
from ferrolb.apimachinery.errors import (
    ApiMachineryError,
    ApplyConflictError,
    Conflict,
    MalformedPatchError,
    ManagedFieldsError,
    PatchError,
    SelectorError,
)
from ferrolb.apimachinery.field_error import FieldError, FieldErrorKind, join_errors
from ferrolb.apimachinery.field_selectors import (
    FieldLabels,
    FieldSelector,
    field_labels,
    parse_field_selector,
)
from ferrolb.apimachinery.jsonpath import JsonPath, JsonPathError
from ferrolb.apimachinery.patch import json_patch, merge_patch
from ferrolb.apimachinery.schema_view import ListType, MapType, SchemaView
from ferrolb.apimachinery.selectors import parse_label_selector
from ferrolb.apimachinery.strategic import strategic_patch
from ferrolb.apimachinery.tables import IncludeObject, custom_format, partial_metadata, table

__all__ = [
    "ApiMachineryError",
    "ApplyConflictError",
    "Column",
    "Conflict",
    "FieldError",
    "FieldErrorKind",
    "FieldLabels",
    "FieldSelector",
    "IncludeObject",
    "JsonPath",
    "JsonPathError",
    "ListType",
    "MalformedPatchError",
    "ManagedFieldsError",
    "MapType",
    "PatchError",
    "SchemaView",
    "SelectorError",
    "TableFormat",
    "custom_format",
    "field_labels",
    "human_duration",
    "join_errors",
    "json_patch",
    "merge_patch",
    "parse_field_selector",
    "parse_label_selector",
    "partial_metadata",
    "strategic_patch",
    "table",
    "table_format",
]
