"""Walking an object and its schema together, with what the object was before."""

import json
from collections.abc import Iterator
from enum import Enum
from typing import Final

from ferrolb.apimachinery.schema_view import ListType, SchemaView
from ferrolb.model import Json, JsonObject


class Absent(Enum):
    """The place of an earlier value where there is none."""

    ABSENT = "absent"


ABSENT: Final = Absent.ABSENT


def children(
    value: Json, old: Json | Absent, schema: SchemaView, path: str
) -> Iterator[tuple[Json, Json | Absent, SchemaView, str]]:
    """Give each part that the schema describes, with what it was before, its schema and path."""
    if isinstance(value, dict):
        for key, item in value.items():
            member = schema.member(key)
            if member is not None:
                before = old.get(key, ABSENT) if isinstance(old, dict) else ABSENT
                yield item, before, member, join_path(path, key)
    elif isinstance(value, list):
        items = schema.items()
        if items is not None:
            earlier = _earlier_entries(old, schema)
            for index, item in enumerate(value):
                before = earlier.get(_key_text(item, schema), ABSENT) if earlier else ABSENT
                yield item, before, items, f"{path}[{index}]"


def _earlier_entries(old: Json | Absent, schema: SchemaView) -> dict[str, Json]:
    """Return earlier entries by their keys: only in lists of type map do entries have any."""
    if isinstance(old, list) and schema.list_type is ListType.MAP:
        return {_key_text(item, schema): item for item in old}
    return {}


def entry_key(item: Json, schema: SchemaView) -> JsonObject:
    """Return the fields that identify `item` in the list of type map that `schema` describes."""
    if not isinstance(item, dict):
        return {}
    return {key: item[key] for key in schema.list_map_keys if key in item}


def _key_text(item: Json, schema: SchemaView) -> str:
    return canonical_text(entry_key(item, schema))


def canonical_text(value: Json) -> str:
    """Return a text that equal values have in common."""
    return json.dumps(value, sort_keys=True)


def join_path(path: str, name: str) -> str:
    """Return the path of field `name` below `path`."""
    return f"{path}.{name}" if path else name
