"""What an API server does to objects: patches, apply, schemas, selectors, tables.

Functions on JSON objects; none knows HTTP, storage, or which kinds are served. Requests, status
codes and discovery belong to `devserver`, versions and watches to `store`.
"""

from ferrolb.apimachinery.ages import human_duration, parse_time
from ferrolb.apimachinery.apply import Writer, apply, track_update
from ferrolb.apimachinery.cel import (
    RuleSet,
    compile_rules,
    tolerated_rules,
    validate_resource,
    validate_status,
)
from ferrolb.apimachinery.columns import Column, TableFormat, table_format
from ferrolb.apimachinery.decoding import cannot_handle, decode_error, find_duplicate_fields
from ferrolb.apimachinery.errors import (
    ApiMachineryError,
    ApplyConflictError,
    Conflict,
    MalformedPatchError,
    ManagedFieldsError,
    PatchError,
    SelectorError,
    TooManyOperationsError,
)
from ferrolb.apimachinery.field_error import (
    FieldError,
    FieldErrorKind,
    format_value,
    go_text,
    join_errors,
)
from ferrolb.apimachinery.field_selectors import (
    FieldLabels,
    FieldSelector,
    field_labels,
    parse_field_selector,
)
from ferrolb.apimachinery.grants import RBAC_GROUP, Decision, Grants, HeldRules, join_reasons
from ferrolb.apimachinery.json_errors import json_error_text
from ferrolb.apimachinery.jsonpath import JsonPath, JsonPathError
from ferrolb.apimachinery.patch import json_patch, merge_patch
from ferrolb.apimachinery.protobuf import ProtobufError, UnsupportedProtobufError, decode_protobuf
from ferrolb.apimachinery.rbac import (
    SERVICE_ACCOUNT_PREFIX,
    PathRequest,
    ResourceRequest,
    Rule,
    User,
    is_allowed,
    is_subject,
    missing_rules,
    parse_rules,
)
from ferrolb.apimachinery.rbac_cover import quoted_list, uncovered
from ferrolb.apimachinery.schema import (
    apply_defaults,
    custom_resource_schema,
    prune,
    strict_error_text,
    strict_errors,
)
from ferrolb.apimachinery.schema_view import ListType, MapType, SchemaView
from ferrolb.apimachinery.selectors import parse_label_selector
from ferrolb.apimachinery.strategic import strategic_patch
from ferrolb.apimachinery.structural import check_structural
from ferrolb.apimachinery.tables import IncludeObject, custom_format, partial_metadata, table
from ferrolb.apimachinery.validation import validate

__all__ = [
    "RBAC_GROUP",
    "SERVICE_ACCOUNT_PREFIX",
    "ApiMachineryError",
    "ApplyConflictError",
    "Column",
    "Conflict",
    "Decision",
    "FieldError",
    "FieldErrorKind",
    "FieldLabels",
    "FieldSelector",
    "Grants",
    "HeldRules",
    "IncludeObject",
    "JsonPath",
    "JsonPathError",
    "ListType",
    "MalformedPatchError",
    "ManagedFieldsError",
    "MapType",
    "PatchError",
    "PathRequest",
    "ProtobufError",
    "ResourceRequest",
    "Rule",
    "RuleSet",
    "SchemaView",
    "SelectorError",
    "TableFormat",
    "TooManyOperationsError",
    "UnsupportedProtobufError",
    "User",
    "Writer",
    "apply",
    "apply_defaults",
    "cannot_handle",
    "check_structural",
    "compile_rules",
    "custom_format",
    "custom_resource_schema",
    "decode_error",
    "decode_protobuf",
    "field_labels",
    "find_duplicate_fields",
    "format_value",
    "go_text",
    "human_duration",
    "is_allowed",
    "is_subject",
    "join_errors",
    "join_reasons",
    "json_error_text",
    "json_patch",
    "merge_patch",
    "missing_rules",
    "parse_field_selector",
    "parse_label_selector",
    "parse_rules",
    "parse_time",
    "partial_metadata",
    "prune",
    "quoted_list",
    "strategic_patch",
    "strict_error_text",
    "strict_errors",
    "table",
    "table_format",
    "tolerated_rules",
    "track_update",
    "uncovered",
    "validate",
    "validate_resource",
    "validate_status",
]
