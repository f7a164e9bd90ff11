"""Bodies of requests: their formats, and the fields a kind does not have."""

import re
from typing import Final

import msgspec
import yaml

from ferrolb.apimachinery import (
    ProtobufError,
    UnsupportedProtobufError,
    cannot_handle,
    decode_error,
    find_duplicate_fields,
    prune,
    strict_error_text,
    strict_errors,
)
from ferrolb.devserver.calls import Call, FieldValidation
from ferrolb.devserver.representations import DECODER, ENCODER
from ferrolb.devserver.schemas import decode_builtin_protobuf
from ferrolb.devserver.statuses import bad_request, unsupported_media_type
from ferrolb.model import Json, JsonObject

MAX_BODY_BYTES: Final = 3 * 1024 * 1024
"""Bytes of one request body, as a real server has it: its storage takes 1.5 MiB, and JSON is at
most twice that."""

MAX_DEPTH: Final = 100
"""Levels of nesting in a body. Kinds of the API use under 40; each costs stack frames wherever an
object is walked."""

JSON_TYPES: Final = frozenset({"", "application/json"})
YAML_TYPES: Final = frozenset({"application/yaml", "application/apply-patch+yaml"})
PROTOBUF_TYPE: Final = "application/vnd.kubernetes.protobuf"
BODY_TYPES: Final = ("application/json", "application/yaml", PROTOBUF_TYPE)


def parse_document(call: Call) -> Json:
    """Return the body of a request as JSON values.

    Raises:
        ApiError: 400, it cannot be read; 415, it is in another format.
    """
    return parse_body(call.body, call.content_type)


def parse_body(body: bytes, content_type: str) -> Json:
    """Return a body of a media type as JSON values.

    Raises:
        ApiError: 400, it cannot be read; 415, it is in another format.
    """
    if content_type in YAML_TYPES:
        document = _parse_yaml(body)
    elif content_type in JSON_TYPES or content_type.endswith("+json"):
        document = _parse_json(body)
    elif content_type == PROTOBUF_TYPE:
        document = _parse_protobuf(body)
    else:
        raise unsupported_media_type(BODY_TYPES)
    if not _is_shallow(document, MAX_DEPTH):
        raise bad_request(f"the body is nested deeper than {MAX_DEPTH} levels")
    return document


def _parse_protobuf(body: bytes) -> JsonObject:
    try:
        return decode_builtin_protobuf(body)
    except UnsupportedProtobufError as error:
        raise unsupported_media_type(
            ["application/json", "application/yaml"], str(error)
        ) from error
    except ProtobufError as error:
        raise bad_request(f"the body of the request is not valid protobuf: {error}") from error


def _parse_json(body: bytes) -> Json:
    try:
        document: Json = DECODER.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise bad_request(f"the body of the request is not valid JSON: {error}") from error
    return document


def _parse_yaml(body: bytes) -> Json:
    if body[:1] == b"{":
        return _parse_json(body)
    try:
        loaded = _ApiLoader(body).get_single_data()
        document: Json = msgspec.to_builtins(loaded, str_keys=True)
    except (yaml.YAMLError, RecursionError, ValueError, TypeError) as error:
        raise bad_request(f"the body of the request is not valid YAML: {error}") from error
    return document


class _ApiLoader(yaml.CSafeLoader):
    """Reads timestamps as the text they are, as the API does."""


_ApiLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":timestamp")]
    for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


def _is_shallow(value: Json, depth: int) -> bool:
    if depth == 0:
        return False
    if isinstance(value, dict):
        return all(
            _is_shallow(item, depth - 1) for item in value.values() if isinstance(item, dict | list)
        )
    if isinstance(value, list):
        return all(_is_shallow(item, depth - 1) for item in value if isinstance(item, dict | list))
    return True


def parse_object(call: Call) -> JsonObject:
    """Return the body as an object of the kind that the path names.

    Raises:
        ApiError: 400, it is none, or of another kind or version.
    """
    document = parse_document(call)
    if not isinstance(document, dict):
        raise bad_request("the body of the request is not an object")
    resource = call.resource
    given_kind = document.get("kind") or resource.kind
    given_version = document.get("apiVersion") or resource.api_version
    if given_version != resource.api_version:
        raise bad_request(
            f"the API version in the data ({given_version}) does not match the expected API "
            f"version ({resource.api_version})"
        )
    if given_kind != resource.kind:
        raise bad_request(
            f"the kind in the data ({given_kind}) does not match the expected kind "
            f"({resource.kind})"
        )
    return {**document, "apiVersion": resource.api_version, "kind": resource.kind}


def known_fields(call: Call, obj: JsonObject, old: JsonObject | None = None) -> JsonObject:
    """Return the object without the fields its kind does not have.

    Those are refused or warned about, as the client asked for; so are fields that are twice in
    the body, which the decoder has seen once. Parts that `old`, the object before a patch, has as
    well are known to be good.

    Raises:
        ApiError: 400, a field has another type, or strict validation finds something.
    """
    schema = call.resource.schema
    if schema is None:
        return obj
    changed = obj if old is None else _changed(obj, old)
    problem = decode_error(changed, schema)
    if problem is not None:
        raise bad_request(cannot_handle(call.resource.kind, call.resource.version, problem))
    kept, unknown = prune(changed, schema)
    pruned = kept if old is None else _without(obj, changed, kept)
    mode = call.field_validation
    if mode is FieldValidation.IGNORE:
        return pruned
    found = strict_errors(unknown, _duplicates(call))
    if found and mode is FieldValidation.STRICT:
        text = strict_error_text(found)
        raise bad_request(cannot_handle(call.resource.kind, call.resource.version, text))
    call.warnings += found
    return pruned


def _changed(obj: JsonObject, old: JsonObject) -> JsonObject:
    """Return the members of an object that differ from the old one's, two levels deep."""
    changed: JsonObject = {}
    for name, value in obj.items():
        before = old.get(name)
        if isinstance(value, dict) and isinstance(before, dict):
            inner = {
                key: item
                for key, item in value.items()
                if key not in before or not _is_same(item, before[key])
            }
            if inner:
                changed[name] = inner
        elif name not in old or not _is_same(value, before):
            changed[name] = value
    return changed


def _is_same(value: Json, before: Json) -> bool:
    return ENCODER.encode(value) == ENCODER.encode(before)


def _without(obj: JsonObject, changed: JsonObject, kept: JsonObject) -> JsonObject:
    """Return an object whose changed members are replaced by what was kept of them."""
    result = dict(obj)
    for name, value in changed.items():
        remains = kept.get(name)
        whole = obj.get(name)
        if name not in kept:
            del result[name]
        elif isinstance(value, dict) and isinstance(whole, dict) and isinstance(remains, dict):
            unchanged = {key: item for key, item in whole.items() if key not in value}
            result[name] = {**unchanged, **remains}
        else:
            result[name] = remains
    return result


def _duplicates(call: Call) -> list[str]:
    """Return the fields that are twice in the body.

    Compact JSON, as programs send it, has as many marks of a name as its objects have names: then
    none is there twice, and the text need not be read again.
    """
    if call.content_type not in JSON_TYPES and not call.content_type.endswith("+json"):
        return []
    is_compact = _SPACED_NAME.search(call.body) is None
    if is_compact and call.body.count(b'":') == _count_names(DECODER.decode(call.body)):
        return []
    return find_duplicate_fields(call.body)


_SPACED_NAME: Final = re.compile(rb'"\s+:')


def _count_names(value: Json) -> int:
    if isinstance(value, dict):
        return len(value) + sum(_count_names(item) for item in value.values())
    if isinstance(value, list):
        return sum(_count_names(item) for item in value)
    return 0
