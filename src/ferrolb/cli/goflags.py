"""Go's flag syntax in front of click (C-29): one dash or two, `=value` or a following value."""

from collections.abc import Iterable, Sequence
from typing import Final

_TRUE: Final = frozenset({"1", "t", "T", "true", "TRUE", "True"})
_FALSE: Final = frozenset({"0", "f", "F", "false", "FALSE", "False"})


class GoFlagError(ValueError):
    """A boolean flag has a value that Go would refuse; the text names it."""


def normalise(
    arguments: Sequence[str], *, flags: Iterable[str], booleans: Iterable[str]
) -> list[str]:
    """Rewrite Go-style arguments as click expects them; what is not known is left as it is.

    `flags` are the names of all long options without dashes, `booleans` those without a value:
    `--x=false` drops the option, `--x=true` leaves it bare. Everything behind `--` is kept.

    Raises:
        GoFlagError: a boolean flag with a value that is no boolean.
    """
    known, bare = frozenset(flags), frozenset(booleans)
    result: list[str] = []
    for position, argument in enumerate(arguments):
        if argument == "--":
            return result + list(arguments[position:])
        name, equals, value = argument.lstrip("-").partition("=")
        if not argument.startswith("-") or name not in known:
            result.append(argument)
        elif name not in bare:
            result.append(f"--{name}{equals}{value}")
        elif not equals or value in _TRUE:
            result.append(f"--{name}")
        elif value not in _FALSE:
            raise GoFlagError(f"invalid boolean value {value!r} for -{name}: use true or false")
    return result
