"""The subset of JSONPath that printer columns use.

Fields (`.spec.x`, `['x']`), indexes (`[0]`, `[-1]`), all (`[*]`, `.*`) and filters
(`[?(@.type=="Ready")]`). Slices, unions and recursive descent are not read.
"""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from ferrolb.apimachinery.document import equal_json
from ferrolb.apimachinery.errors import ApiMachineryError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ferrolb.model import Json

MAX_STEPS: Final = 64
"""Steps in one path; real ones take under ten, and each makes a pass over what was found."""

_QUOTED: Final = r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\""
_STEP: Final = re.compile(
    rf"""
    \.(?P<field>(?:[^.\[\]\s\\'"*]|\\.)+)
    | (?P<all>\.\*|\[\*\])
    | \[\s*(?P<quoted>{_QUOTED})\s*\]
    | \[(?P<index>-?\d{{1,9}})\]
    | \[\?\(\s*(?P<filter>@(?:{_QUOTED}|[^'")])*)\)\]
    """,
    re.VERBOSE,
)
_FILTER: Final = re.compile(
    rf"""
    @(?P<path>(?:\[(?:{_QUOTED}|[^\]])*\]|[^\s=!<>\[])*)
    \s*(?:(?P<operator>==|!=|<=|>=|<|>)\s*(?P<literal>{_QUOTED}|[^\s'"]+)\s*)?
    """,
    re.VERBOSE,
)
_ESCAPE: Final = re.compile(r"\\(.)")


class JsonPathError(ApiMachineryError):
    """The path is not in the subset that is read."""


@dataclass(frozen=True, slots=True)
class _Field:
    name: str

    def step(self, value: "Json") -> "Iterable[Json]":
        return (value[self.name],) if isinstance(value, dict) and self.name in value else ()


@dataclass(frozen=True, slots=True)
class _Index:
    index: int

    def step(self, value: "Json") -> "Iterable[Json]":
        is_there = isinstance(value, list) and -len(value) <= self.index < len(value)
        return (value[self.index],) if isinstance(value, list) and is_there else ()


@dataclass(frozen=True, slots=True)
class _All:
    def step(self, value: "Json") -> "Iterable[Json]":
        if isinstance(value, dict):
            return value.values()
        return value if isinstance(value, list) else ()


@dataclass(frozen=True, slots=True)
class _Filter:
    path: "JsonPath"
    operator: str
    literal: "Json"

    def step(self, value: "Json") -> "Iterable[Json]":
        return [item for item in value if self._holds(item)] if isinstance(value, list) else ()

    def _holds(self, item: "Json") -> bool:
        found = self.path.find(item)
        if not self.operator:
            return bool(found)
        return any(_compare(value, self.operator, self.literal) for value in found)


_Step: TypeAlias = _Field | _Index | _All | _Filter


@dataclass(frozen=True, slots=True)
class JsonPath:
    """A path that has been read and can be asked of any number of objects."""

    steps: tuple[_Step, ...]

    @classmethod
    def parse(cls, text: str) -> "JsonPath":
        """Read a path such as `.status.conditions[?(@.type=="Ready")].status`.

        Raises:
            JsonPathError: `text` is no path of the subset.
        """
        return cls(tuple(_parse_steps(text.removeprefix("$"))))

    def find(self, value: "Json") -> "list[Json]":
        """Return what the path leads to in `value`, in document order; nothing is no error."""
        found = [value]
        for step in self.steps:
            found = [result for item in found for result in step.step(item)]
        return found


def _parse_steps(text: str) -> "list[_Step]":
    steps: list[_Step] = []
    position = 0
    while position < len(text):
        found = _STEP.match(text, position)
        if found is None or len(steps) >= MAX_STEPS:
            msg = f"cannot read the JSON path {text[:200]!r} at {text[position : position + 20]!r}"
            raise JsonPathError(msg)
        steps.append(_parse_step(found))
        position = found.end()
    return steps


def _parse_step(found: "re.Match[str]") -> _Step:
    if found["field"] is not None:
        return _Field(_ESCAPE.sub(r"\1", found["field"]))
    if found["quoted"] is not None:
        return _Field(_unquote(found["quoted"]))
    if found["index"] is not None:
        return _Index(int(found["index"]))
    if found["all"] is not None:
        return _All()
    return _parse_filter(found["filter"])


def _parse_filter(text: str) -> _Filter:
    found = _FILTER.fullmatch(text)
    if found is None:
        msg = f"cannot read the filter {text[:200]!r} of a JSON path"
        raise JsonPathError(msg)
    path = JsonPath(tuple(_parse_steps(found["path"])))
    literal = found["literal"]
    return _Filter(path, found["operator"] or "", None if literal is None else _literal(literal))


def _literal(text: str) -> "Json":
    if text[0] in "'\"":
        return _unquote(text)
    if text in ("true", "false"):
        return text == "true"
    try:
        return float(text)
    except ValueError:
        msg = f"cannot read the value {text[:200]!r} in a JSON path"
        raise JsonPathError(msg) from None


def _unquote(text: str) -> str:
    return _ESCAPE.sub(r"\1", text[1:-1])


def _compare(value: "Json", operator: str, literal: "Json") -> bool:
    if operator == "==":
        return equal_json(value, literal)
    if operator == "!=":
        return not equal_json(value, literal)
    order = _order(value, literal)
    if order is None:
        return False
    return order in {"<": (-1,), "<=": (-1, 0), ">": (1,), ">=": (0, 1)}[operator]


def _order(left: "Json", right: "Json") -> int | None:
    """Return -1, 0 or 1, or None where the two have no order."""
    if isinstance(left, str) and isinstance(right, str):
        return (left > right) - (left < right)
    if isinstance(left, int | float) and isinstance(right, int | float):
        return (left > right) - (left < right)
    return None
