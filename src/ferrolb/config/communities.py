"""BGP communities: their syntax, and the aliases that Community objects define."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from typing_extensions import override

from ferrolb.config.errors import Issue
from ferrolb.config.reading import Reader
from ferrolb.model import Json, quote

if TYPE_CHECKING:
    from collections.abc import Mapping

_LARGE_MARKER: Final = "large"
_LARGE_PARTS: Final = 4
_MAX_16: Final = 2**16 - 1
_MAX_32: Final = 2**32 - 1


@dataclass(frozen=True, slots=True, order=True)
class Community:
    """A community as three numbers; a standard one, A:B, counts as ((A<<16)+B, 0, 0).

    Sorts by these numbers, a standard community before an equal large one.
    """

    first: int
    second: int = 0
    third: int = 0
    is_large: bool = False

    @override
    def __str__(self) -> str:
        if self.is_large:
            return f"{self.first}:{self.second}:{self.third}"
        return f"{self.first >> 16}:{self.first & _MAX_16}"


@dataclass(frozen=True, slots=True)
class BadCommunity:
    """Text that is no community, and why; `may_be_alias` when it looks like a name."""

    message: str
    may_be_alias: bool = False


@dataclass(frozen=True, slots=True)
class CommunityDraft:
    """One Community object: its aliases in order."""

    aliases: tuple[tuple[str, Community], ...] = ()
    lines: tuple[int, ...] = field(default=(), compare=False)
    """For each alias its index in `spec.communities`."""


def parse_community(text: str) -> Community | BadCommunity:
    """Parse `A:B` (16 bits each) or `large:A:B:C` (32 bits each), all decimal."""
    parts = text.split(":")
    if len(parts) == 2:
        numbers = _numbers(parts, text, _MAX_16)
        if isinstance(numbers, BadCommunity):
            return numbers
        return Community((numbers[0] << 16) + numbers[1])
    if len(parts) != _LARGE_PARTS:
        return BadCommunity(f"invalid community format: {text}", may_be_alias=True)
    if parts[0] != _LARGE_MARKER:
        return BadCommunity(
            "invalid community value: invalid marker for large community, expected community to be "
            f"of format large:<uint32>:<uint32>:<uint32> but got {quote(text)} instead"
        )
    numbers = _numbers(parts[1:], text, _MAX_32)
    if isinstance(numbers, BadCommunity):
        return numbers
    return Community(numbers[0], numbers[1], numbers[2], is_large=True)


def resolve_community(text: str, aliases: "Mapping[str, Community]") -> Community | BadCommunity:
    """Return what a reference means: an alias of that exact name first, else the value."""
    return aliases[text] if text in aliases else parse_community(text)


def read_community(raw: Json) -> tuple[CommunityDraft, list[Issue]]:
    """Parse one Community object; the draft holds its valid aliases, the first of each name."""
    reader = Reader()
    spec = reader.mapping(reader.mapping(raw, "").get("spec"), "spec")
    aliases: dict[str, Community] = {}
    lines: list[int] = []
    for index, item in enumerate(reader.items(spec.get("communities"), "spec.communities")):
        path = f"spec.communities[{index}]"
        entry = reader.mapping(item, path)
        name = reader.text(entry.get("name"), f"{path}.name")
        value = parse_community(reader.text(entry.get("value"), f"{path}.value"))
        if isinstance(value, BadCommunity):
            reader.report(f"{path}.value", f"parsing community {quote(name)}: {value.message}")
        elif name in aliases:
            reader.report(f"{path}.name", duplicate_alias(name))
        else:
            aliases[name] = value
            lines.append(index)
    return CommunityDraft(tuple(aliases.items()), tuple(lines)), reader.issues


def duplicate_alias(name: str) -> str:
    """Return the message for an alias that is defined twice."""
    return f"duplicate definition of community {quote(name)}"


def _numbers(parts: list[str], text: str, limit: int) -> list[int] | BadCommunity:
    numbers: list[int] = []
    for part in parts:
        cause = ""
        digits = part.lstrip("0") or "0"
        if not (part.isascii() and part.isdigit()):
            cause = "invalid syntax"
        # int() refuses endless digits by raising, and the limit has ten
        elif len(digits) > len(str(_MAX_32)) or int(digits) > limit:
            cause = "value out of range"
        if cause:
            cause = f"strconv.ParseUint: parsing {quote(part)}: {cause}"
            return BadCommunity(
                f"invalid community value: invalid section {quote(part)} of community "
                f"{quote(text)}, err: {quote(cause)}"
            )
        numbers.append(int(digits))
    return numbers


class CommunityLedger:
    """The aliases in force so far."""

    def __init__(self) -> None:
        self._names: set[str] = set()

    def conflicts(self, draft: CommunityDraft) -> list[Issue]:
        """Return an issue for each alias that is defined already."""
        return [
            Issue(f"spec.communities[{line}].name", duplicate_alias(name))
            for line, (name, _) in zip(draft.lines, draft.aliases, strict=True)
            if name in self._names
        ]

    def add(self, draft: CommunityDraft, place: int) -> None:
        """Put the aliases of `draft` in force; the place is of no matter here."""
        del place
        self._names.update(name for name, _ in draft.aliases)

    def covers(self, draft: CommunityDraft) -> bool:
        """Tell whether all aliases of `draft` are in force."""
        return all(name in self._names for name, _ in draft.aliases)
