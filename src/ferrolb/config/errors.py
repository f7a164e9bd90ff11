"""What is wrong with the configuration: collected, never raised."""

from dataclasses import dataclass
from typing import Final

from ferrolb.model import ObjectRef

MAX_MESSAGE_CHARS: Final = 1024
"""Longest message of one error. MetalLB's texts with legal values have under 300 characters; the
rest is somebody's megabyte of nonsense, quoted twice."""

MAX_PATH_CHARS: Final = 256
"""Longest field path of one error; label keys of any length occur in it."""

MAX_ERRORS_PER_OBJECT: Final = 50
"""Errors kept of one object: a pool of 10,000 bad addresses needs no 10,000 lines to be mended."""


@dataclass(frozen=True, slots=True)
class Issue:
    """One thing wrong inside an object: where, what, and whether another object may mend it."""

    path: str
    message: str
    transient: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigError:
    """One thing wrong with the configuration.

    `message` is MetalLB's where MetalLB has one. `transient` means that the object may become
    valid without being changed, because what it refers to may still arrive.
    """

    object: ObjectRef
    path: str
    message: str
    transient: bool = False


def errors_of(ref: ObjectRef, issues: list[Issue]) -> tuple[ConfigError, ...]:
    """Return the issues of one object as errors, within the limits above."""
    errors = [
        ConfigError(
            object=ref,
            path=_clip(issue.path, MAX_PATH_CHARS),
            message=_clip(issue.message, MAX_MESSAGE_CHARS),
            transient=issue.transient,
        )
        for issue in issues[:MAX_ERRORS_PER_OBJECT]
    ]
    left_out = len(issues) - len(errors)
    if left_out:
        text = _clip(f"{ref}: {left_out} more errors", MAX_MESSAGE_CHARS)
        errors.append(ConfigError(object=ref, path="", message=text))
    return tuple(errors)


def _clip(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"
