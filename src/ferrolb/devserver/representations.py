"""Objects as they go to the client: whole, as a Table, or as metadata only."""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final

import msgspec
from starlette.responses import Response

from ferrolb.apimachinery import FieldError, IncludeObject, partial_metadata, table
from ferrolb.devserver.negotiation import Form, Representation
from ferrolb.devserver.statuses import bad_request, wrong_form
from ferrolb.model import Json, JsonObject

if TYPE_CHECKING:
    from ferrolb.devserver.calls import Call
    from ferrolb.devserver.registry import ServedResource

JSON_CONTENT: Final = "application/json"

MAX_WARNINGS: Final = 32
MAX_WARNING: Final = 256
"""Warnings of one answer, and characters of each: headers have to fit into what clients read."""

_IDENTITY: Final = re.compile(rb'\{"apiVersion":"[^"\\]*","kind":"[^"\\]*",')
"""How objects begin as the store encodes them: cutting it off is far quicker than decoding."""

ENCODER: Final = msgspec.json.Encoder()
DECODER: Final = msgspec.json.Decoder()


def decode(encoded: bytes) -> JsonObject:
    """Return a stored object, decoded anew."""
    obj: JsonObject = DECODER.decode(encoded)
    return obj


def copied(obj: JsonObject) -> JsonObject:
    """Return a copy that shares nothing with the object; far quicker than a deep copy."""
    return decode(ENCODER.encode(obj))


def json_response(value: Json, *, status: int = 200) -> Response:
    """Return a JSON answer."""
    return encoded_response(ENCODER.encode(value), status=status)


def encoded_response(body: bytes, *, status: int = 200) -> Response:
    """Return an answer whose JSON is encoded already."""
    return Response(body, status_code=status, media_type=JSON_CONTENT)


def add_warnings(response: Response, warnings: Sequence[str]) -> None:
    """Put warnings on an answer; kubectl prints them."""
    for warning in warnings[:MAX_WARNINGS]:
        response.headers.append("warning", f"299 - {_quoted(warning[:MAX_WARNING])}")


def _quoted(text: str) -> str:
    cleaned = text.encode("ascii", "backslashreplace").decode("ascii")
    escaped = cleaned.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{"".join(mark if mark.isprintable() else " " for mark in escaped)}"'


def object_response(call: "Call", encoded: bytes, *, now: datetime, status: int = 200) -> Response:
    """Return a stored object in the representation asked for."""
    if call.representation.form is Form.OBJECT and call.resource.is_stored_version:
        return encoded_response(encoded, status=status)
    obj = call.resource.outgoing(decode(encoded))
    return json_response(shown_object(call, obj, now=now), status=status)


def shown_object(
    call: "Call", obj: JsonObject, *, now: datetime, with_columns: bool = True
) -> JsonObject:
    """Return one object, as served, in the representation asked for."""
    representation = call.representation
    match representation.form:
        case Form.OBJECT:
            return obj
        case Form.TABLE:
            metadata = obj.get("metadata")
            made = table(
                [obj],
                call.resource.table,
                now=now,
                metadata=metadata if isinstance(metadata, dict) else {},
                include=included(call),
                with_columns=with_columns,
            )
            return {**made, "apiVersion": representation.api_version}
        case Form.METADATA:
            return {**partial_metadata(obj), "apiVersion": representation.api_version}
        case Form.METADATA_LIST:
            raise wrong_form(representation.form.value, is_list=False)


def list_response(
    call: "Call", encoded: Sequence[bytes], metadata: JsonObject, *, now: datetime
) -> Response:
    """Return a list in the representation asked for."""
    representation, resource = call.representation, call.resource
    match representation.form:
        case Form.OBJECT:
            return encoded_response(_joined(resource, encoded, metadata))
        case Form.TABLE:
            made = table(
                (resource.outgoing(decode(item)) for item in encoded),
                resource.table,
                now=now,
                metadata=metadata,
                include=included(call),
            )
            return json_response({**made, "apiVersion": representation.api_version})
        case Form.METADATA_LIST:
            return json_response(_metadata_list(representation, encoded, metadata))
        case Form.METADATA:
            raise wrong_form(representation.form.value, is_list=True)


def _metadata_list(
    representation: Representation, encoded: Sequence[bytes], metadata: JsonObject
) -> JsonObject:
    return {
        "kind": Form.METADATA_LIST.value,
        "apiVersion": representation.api_version,
        "metadata": metadata,
        "items": [
            {**partial_metadata(decode(item)), "apiVersion": representation.api_version}
            for item in encoded
        ],
    }


def _joined(resource: "ServedResource", encoded: Sequence[bytes], metadata: JsonObject) -> bytes:
    items = encoded
    if not resource.is_stored_version:
        items = [ENCODER.encode(resource.outgoing(decode(item))) for item in encoded]
    if not resource.traits.is_custom:
        items = [_without_identity(item) for item in items]
    return b'{"kind":%b,"apiVersion":%b,"metadata":%b,"items":[%b]}' % (
        ENCODER.encode(resource.names.of_list),
        ENCODER.encode(resource.api_version),
        ENCODER.encode(metadata),
        b",".join(items),
    )


def _without_identity(encoded: bytes) -> bytes:
    """Return an object without apiVersion and kind, which items of built-in lists do not have."""
    found = _IDENTITY.match(encoded)
    if found is not None:
        return b"{%b" % encoded[found.end() :]
    obj = decode(encoded)
    obj.pop("apiVersion", None)
    obj.pop("kind", None)
    return ENCODER.encode(obj)


def included(call: "Call") -> IncludeObject:
    """Return what the rows of a Table shall bring along.

    Raises:
        ApiError: 400, the parameter is none of the known words.
    """
    text = call.query.get("includeObject", "")
    if not text:
        return IncludeObject.METADATA
    try:
        return IncludeObject(text)
    except ValueError as error:
        why = "must be 'Metadata', 'Object', 'None', or empty"
        field = FieldError.invalid("includeObject", text[:40], why)
        raise bad_request(f"Unable to convert to Table as requested: {field}") from error
