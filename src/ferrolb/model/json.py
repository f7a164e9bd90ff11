"""The type of a decoded JSON document."""

from typing import TypeAlias, Union

Json: TypeAlias = Union["JsonObject", "JsonArray", str, int, float, bool, None]
JsonObject: TypeAlias = dict[str, Json]
JsonArray: TypeAlias = list[Json]
