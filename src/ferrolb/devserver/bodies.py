"""Objects in the bodies of requests: are they of the kind, and which fields does that not have."""

import re
from typing import Final

from ferrolb.apimachinery import (
    FieldError,
    cannot_handle,
    decode_error,
    go_text,
    prune,
    strict_error_text,
    strict_errors,
)
from ferrolb.devserver.body_text import (
    STRATEGIC_PATCH,
    YAML_TYPES,
    ParsedBody,
    UnreadableBodyError,
    is_json,
    read_text,
    repeated_fields,
    unrecognized,
)
from ferrolb.devserver.calls import Call, FieldValidation, Verb
from ferrolb.devserver.representations import DECODER, ENCODER
from ferrolb.devserver.statuses import ApiError, Target, bad_request, invalid, patch_refused
from ferrolb.devserver.strategies import metadata_of
from ferrolb.model import Json, JsonObject, quote

_GO_HEADER: Final = (
    'struct { APIVersion string "json:\\"apiVersion,omitempty\\""; '
    'Kind string "json:\\"kind,omitempty\\"" }'
)
"""What an API server decodes a body into first, to learn its kind."""

SCHEME: Final = 'in scheme "pkg/runtime/scheme.go:110"'


def parse_body(body: bytes, content_type: str) -> Json:
    """Return a body of a media type as JSON values.

    Raises:
        ApiError: 400, it cannot be read; 415, it is in another format.
    """
    try:
        return read_text(body, content_type).document
    except UnreadableBodyError as error:
        raise bad_request(str(error)) from error


def parse_object(call: Call) -> JsonObject:
    """Return the body as an object of the kind that the path names.

    Raises:
        ApiError: 400, it is none, or of another kind or version; 422, it is of another kind, and
            the path names a custom resource.
    """
    document = _header(call, _parsed(call))
    resource = call.resource
    if resource.traits.is_custom:
        _check_custom(call, document)
    else:
        kind = document.get("kind") or resource.kind
        version = document.get("apiVersion") or resource.api_version
        if (kind, version) != (resource.kind, resource.api_version):
            raise _wrong_type(call, str(kind), str(version))
    return {**document, "apiVersion": resource.api_version, "kind": resource.kind}


def parse_applied(call: Call) -> JsonObject:
    """Return the body of a server-side apply, which says its kind itself.

    Raises:
        ApiError: 400, it is no object, or of another kind or version.
    """
    try:
        parsed = read_text(call.body, call.content_type)
    except UnreadableBodyError as error:
        is_text = str(error).startswith("yaml: ")
        why = f"error converting YAML to JSON: {error}" if is_text else str(error)
        raise bad_request(f"error decoding YAML: {why}") from error
    document = parsed.document
    if not isinstance(document, dict):
        text = "error decoding YAML: error unmarshaling JSON: while decoding JSON: "
        raise bad_request(text + not_a_map(document))
    if parsed.repeated and call.field_validation is FieldValidation.STRICT:
        text = "\n  ".join(("yaml: unmarshal errors:", *parsed.repeated))
        raise bad_request(f"error strict decoding YAML: error converting YAML to JSON: {text}")
    if call.field_validation is FieldValidation.WARN:
        call.warnings += parsed.repeated
    given = str(document.get("apiVersion") or ""), str(document.get("kind") or "")
    if given != (call.resource.api_version, call.resource.kind):
        version = given[0] if "/" in given[0] else f"/{given[0]}"
        raise bad_request(f"invalid object type: {version}, Kind={given[1]}")
    return document


def parse_patch(call: Call) -> Json:
    """Return the body of a patch, whatever it says.

    Raises:
        ApiError: 400, it cannot be read.
    """
    try:
        return read_text(call.body, call.content_type).document
    except UnreadableBodyError as error:
        raise bad_request(f"error decoding patch: {error}") from error


def _parsed(call: Call) -> ParsedBody:
    try:
        return read_text(call.body, call.content_type)
    except UnreadableBodyError as error:
        why = str(error)
        if not why.startswith("yaml: "):
            why = f"couldn't get version/kind; json parse error: {why}"
        raise unrecognized(call.resource.kind, call.body, why) from error


def _header(call: Call, parsed: ParsedBody) -> JsonObject:
    """Return the document if it is an object; null is one without any field."""
    document = parsed.document
    if isinstance(document, dict):
        return document
    if document is None:
        return {}
    why = (
        "couldn't get version/kind; json parse error: json: cannot unmarshal "
        f"{_go_name(document)} into Go value of type {_GO_HEADER}"
    )
    raise unrecognized(call.resource.kind, call.body, why)


def not_a_map(value: Json) -> str:
    """Return what Go's decoder says of a value where an object should be."""
    kind = _go_name(value)
    return f"json: cannot unmarshal {kind} into Go value of type map[string]interface {{}}"


def not_operations(value: Json) -> str:
    """Return what Go's decoder says of a value where operations of a JSON patch should be."""
    return f"json: cannot unmarshal {_go_name(value)} into Go value of type []handlers.jsonPatchOp"


def _go_name(value: Json) -> str:
    match value:
        case dict():
            return "object"
        case str():
            return "string"
        case bool():
            return "bool"
        case list():
            return "array"
        case _:
            return "number"


def _wrong_type(call: Call, kind: str, version: str) -> ApiError:
    shown = version.rpartition("/")[2]
    expected = call.resource.kind
    why = f"no kind {quote(kind)} is registered for version {quote(version)} {SCHEME}"
    return bad_request(f"{kind} in version {quote(shown)} cannot be handled as a {expected}: {why}")


def _check_custom(call: Call, document: JsonObject) -> None:
    resource = call.resource
    if not document.get("kind"):
        body = call.body.decode("utf-8", "replace")
        raise unrecognized(resource.kind, call.body, f"Object 'Kind' is missing in '{body}'")
    version = document.get("apiVersion") or ""
    if version != resource.api_version:
        raise bad_request(
            f"the API version in the data ({version}) does not match the expected API version "
            f"({resource.api_version})"
        )
    check_kind(call, document)


def check_kind(call: Call, document: JsonObject) -> None:
    """Check that a custom resource is still one of its kind and version.

    Raises:
        ApiError: 422, it is not.
    """
    resource = call.resource
    kind, version = str(document.get("kind") or ""), str(document.get("apiVersion") or "")
    errors = []
    if kind != resource.kind:
        errors.append(FieldError.invalid("kind", kind, f"must be {resource.kind}"))
    if version != resource.api_version:
        text = f"must be {resource.api_version}"
        errors.append(FieldError.invalid("apiVersion", version, text))
    if errors:
        name = str(metadata_of(document).get("name") or "")
        group = version.rpartition("/")[0]
        raise invalid(Target(group=group, resource=kind, name=name), errors)


def known_fields(call: Call, obj: JsonObject, old: JsonObject | None = None) -> JsonObject:
    """Return the object without the fields its kind does not have.

    Those are refused or warned about, as the client asked for; so are fields that are twice in
    the body, which the decoder has seen once. Parts that `old`, the object before a patch, has as
    well are known to be good.

    Raises:
        ApiError: 400, a field has another type, or strict validation finds something; 422, the
            same of an object that a patch has made.
    """
    schema = call.resource.schema
    if schema is None:
        return obj
    changed = obj if old is None else _changed(obj, old)
    problem = decode_error(changed, schema)
    if problem is not None:
        raise _undecodable(call, obj, old, problem)
    kept, unknown = prune(changed, schema)
    pruned = kept if old is None else _without(obj, changed, kept)
    mode = call.field_validation
    if mode is FieldValidation.IGNORE:
        return pruned
    repeated, duplicates = _repeated(call)
    found = [*repeated, *strict_errors(unknown, duplicates)]
    if found and mode is FieldValidation.STRICT:
        if repeated:
            text = "\n  ".join(("yaml: unmarshal errors:", *repeated))
            found = [text, *found[len(repeated) :]]
        raise _undecodable(call, obj, old, strict_error_text(found))
    call.warnings += found
    return pruned


def _undecodable(call: Call, obj: JsonObject, old: JsonObject | None, why: str) -> ApiError:
    if old is not None and call.content_type == STRATEGIC_PATCH:
        return patch_refused(go_text(DECODER.decode(call.body)), why)
    if old is not None:
        return patch_refused(ENCODER.encode(obj).decode(), why)
    return bad_request(cannot_handle(call.resource.kind, call.resource.version, why))


def _changed(obj: JsonObject, old: JsonObject) -> JsonObject:
    """Return the members of an object that differ from the old one's, two levels deep."""
    changed: JsonObject = {}
    for name, value in obj.items():
        before = old.get(name)
        if isinstance(value, dict) and value and isinstance(before, dict):
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


def _repeated(call: Call) -> tuple[tuple[str, ...], list[str]]:
    """Return what is said of keys that YAML has twice, and the fields that JSON has twice.

    Compact JSON, as programs send it, has as many marks of a name as its objects have names: then
    none is there twice, and the text need not be read again.
    """
    if call.verb is Verb.APPLY:
        return (), []
    if call.content_type in YAML_TYPES:
        return read_text(call.body, call.content_type).repeated, []
    if not is_json(call.content_type):
        return (), []
    is_compact = _SPACED_NAME.search(call.body) is None
    if is_compact and call.body.count(b'":') == _count_names(DECODER.decode(call.body)):
        return (), []
    return (), repeated_fields(call.body, call.content_type)


_SPACED_NAME: Final = re.compile(rb'"\s+:')


def _count_names(value: Json) -> int:
    if isinstance(value, dict):
        return len(value) + sum(_count_names(item) for item in value.values())
    if isinstance(value, list):
        return sum(_count_names(item) for item in value)
    return 0
