"""Bodies of requests as JSON values, and what an API server says of those it cannot read."""

from dataclasses import dataclass
from typing import Final

import msgspec
import yaml
from typing_extensions import override

from ferrolb.apimachinery import (
    ProtobufError,
    UnsupportedProtobufError,
    find_duplicate_fields,
    json_error_text,
)
from ferrolb.devserver.representations import DECODER
from ferrolb.devserver.schemas import decode_builtin_protobuf
from ferrolb.devserver.statuses import ApiError, bad_request, unsupported_media_type
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
STRATEGIC_PATCH: Final = "application/strategic-merge-patch+json"
BODY_TYPES: Final = ("application/json", "application/yaml", PROTOBUF_TYPE)

_SUMMARY_BYTES: Final = 30
"""Bytes of a body that a refusal repeats, as the API has it."""


class UnreadableBodyError(Exception):
    """A body cannot be read; the text says why, in an API server's words."""


@dataclass(frozen=True, slots=True)
class ParsedBody:
    """A body as JSON values, with what is said of keys that YAML has twice."""

    document: Json
    repeated: tuple[str, ...] = ()


def read_text(body: bytes, content_type: str) -> ParsedBody:
    """Return a body of a media type as JSON values.

    Raises:
        UnreadableBodyError: it is not well formed.
        ApiError: 400, it is nested too deeply or no protobuf; 415, it is in another format.
    """
    if content_type in YAML_TYPES and body[:1] != b"{":
        parsed = _parse_yaml(body)
    elif content_type in YAML_TYPES or is_json(content_type):
        parsed = ParsedBody(_parse_json(body))
    elif content_type == PROTOBUF_TYPE:
        parsed = ParsedBody(_parse_protobuf(body))
    else:
        raise unsupported_media_type(BODY_TYPES)
    if not _is_shallow(parsed.document, MAX_DEPTH):
        raise bad_request(f"the body is nested deeper than {MAX_DEPTH} levels")
    return parsed


def is_json(content_type: str) -> bool:
    """Tell whether bodies of a media type are JSON."""
    return content_type in JSON_TYPES or content_type.endswith("+json")


def repeated_fields(body: bytes, content_type: str) -> list[str]:
    """Return the paths of fields that are twice in a JSON body, which its decoder has seen once."""
    return find_duplicate_fields(body) if is_json(content_type) else []


def unrecognized(kind: str, body: bytes, why: str) -> ApiError:
    """400: the body is no object; `kind` is what it should be."""
    return bad_request(
        f"the object provided is unrecognized (must be of type {kind}): {why} ({_summary(body)})"
    )


def _summary(body: bytes) -> str:
    if not body:
        return "<empty>"
    begin = body[:_SUMMARY_BYTES]
    rest = " ..." if len(body) > _SUMMARY_BYTES else ""
    text = begin.decode("utf-8", "replace") if body[:1] == b"{" else begin.hex()
    return text + rest


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
        why = json_error_text(body) or str(error)
        raise UnreadableBodyError(why) from error
    return document


def _parse_yaml(body: bytes) -> ParsedBody:
    loader = _ApiLoader(body)
    try:
        loaded = loader.get_single_data()
        document: Json = msgspec.to_builtins(loaded, str_keys=True)
    except yaml.MarkedYAMLError as error:
        raise UnreadableBodyError(_yaml_error_text(error)) from error
    except (yaml.YAMLError, RecursionError, ValueError, TypeError) as error:
        raise UnreadableBodyError(f"yaml: {error}") from error
    return ParsedBody(document, tuple(loader.repeated))


def _yaml_error_text(error: yaml.MarkedYAMLError) -> str:
    marks = (error.context_mark, error.problem_mark)
    line = next((mark.line for mark in marks if mark is not None and mark.line), 0)
    if line and isinstance(error, yaml.scanner.ScannerError):
        line += 1
    where = f"line {line}: " if line else ""
    return f"yaml: {where}{error.problem}"


class _ApiLoader(yaml.CSafeLoader):
    """Reads timestamps as the text they are, as the API does, and notes keys that come twice."""

    def __init__(self, stream: bytes) -> None:
        super().__init__(stream)
        self.repeated: list[str] = []

    @override
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[object, object]:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            if key.value in seen:
                line = key.start_mark.line + 1
                self.repeated.append(f'line {line}: key "{key.value}" already set in map')
            seen.add(key.value)
        return dict(super().construct_mapping(node, deep))


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
