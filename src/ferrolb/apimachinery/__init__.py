"""What an API server does to JSON objects: patches, schemas, selectors, tables, protobuf input.

Functions on values only. Nothing here knows HTTP, stores objects, or says which kinds exist.
"""

from ferrolb.apimachinery.field_error import (
    FieldError,
    FieldErrorKind,
    format_value,
    join_errors,
)
from ferrolb.apimachinery.schema_view import ListType, MapType, SchemaView

__all__ = [
    "FieldError",
    "FieldErrorKind",
    "ListType",
    "MapType",
    "SchemaView",
    "format_value",
    "join_errors",
]
