"""What ConfigurationState objects say: conditions, result, summary (values; nothing is written)."""

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from ferrolb.config.reading import Reader
from ferrolb.model import Json

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ferrolb.config.errors import ConfigError

POOL_CONDITION: Final = "poolReconcilerValid"
"""Type of the condition of the controller's pool reconciler."""

SPEAKER_CONDITION: Final = "configReconcilerValid"
"""Type of the condition of a speaker's configuration reconciler."""

FIELD_CONDITION: Final = "ferrolb.io/fieldsValid"
"""Type of our own condition, which has object and field path of every error."""

RIGHTS_CONDITION: Final = "ferrolb.io/rightsGranted"
"""Type of our own condition that says which rights the roles lack."""

MAX_CONDITION_CHARS: Final = 32_768
"""Longest message of a condition that the schema of ConfigurationState admits."""

_PREFIX: Final = "configuration error: "


class ConfigurationResult(StrEnum):
    """`status.result` of a ConfigurationState."""

    UNKNOWN = "Unknown"
    VALID = "Valid"
    INVALID = "Invalid"


class ConditionReason(StrEnum):
    """`reason` of a condition; only a configuration error makes the result Invalid."""

    RECONCILED = "Reconciled"
    CONFIGURATION_ERROR = "ConfigurationError"
    UNKNOWN_ERROR = "UnknownError"
    FIELD_ERRORS = "FieldErrors"
    MISSING_RIGHTS = "MissingRights"


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One entry of `status.conditions`, without the time, which belongs to who writes it."""

    type: str
    is_true: bool
    reason: str
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigurationStatus:
    """`status` of a ConfigurationState."""

    result: ConfigurationResult
    error_summary: str
    conditions: tuple[Condition, ...]


def pool_condition(errors: "Sequence[ConfigError]") -> Condition:
    """Return what the pool reconciler reports: all messages, the first as MetalLB words it."""
    return _configuration_condition(POOL_CONDITION, errors)


def speaker_condition(errors: "Sequence[ConfigError]") -> Condition:
    """Return what a speaker reports: all messages, the first as MetalLB words it."""
    return _configuration_condition(SPEAKER_CONDITION, errors)


def _configuration_condition(condition_type: str, errors: "Sequence[ConfigError]") -> Condition:
    if not errors:
        return Condition(type=condition_type, is_true=True, reason=ConditionReason.RECONCILED)
    return Condition(
        type=condition_type,
        is_true=False,
        reason=ConditionReason.CONFIGURATION_ERROR,
        message=_fitting(_PREFIX + errors[0].message, [error.message for error in errors[1:]]),
    )


def field_condition(errors: "Sequence[ConfigError]") -> Condition:
    """Return our own condition beside it: `<kind> <namespace>/<name> <path>: <message>` a line."""
    if not errors:
        return Condition(type=FIELD_CONDITION, is_true=True, reason=ConditionReason.RECONCILED)
    lines = [f"{error.object} {error.path}".rstrip() + f": {error.message}" for error in errors]
    return Condition(
        type=FIELD_CONDITION,
        is_true=False,
        reason=ConditionReason.FIELD_ERRORS,
        message=_fitting(lines[0], lines[1:]),
    )


def rights_condition(lines: "Sequence[str]") -> Condition:
    """Return our own condition about the roles: a line for each right that they lack.

    It does not make the result Invalid, which is about the configuration.
    """
    if not lines:
        return Condition(type=RIGHTS_CONDITION, is_true=True, reason=ConditionReason.RECONCILED)
    return Condition(
        type=RIGHTS_CONDITION,
        is_true=False,
        reason=ConditionReason.MISSING_RIGHTS,
        message=_fitting(lines[0], list(lines[1:])),
    )


def handler_condition(condition_type: str) -> Condition:
    """Return what is reported when a valid configuration could not be put to work."""
    return Condition(
        type=condition_type,
        is_true=False,
        reason=ConditionReason.CONFIGURATION_ERROR,
        message=_PREFIX + "general handler sync state error",
    )


def unknown_condition(condition_type: str, message: str) -> Condition:
    """Return what is reported when the configuration could not be read at all."""
    return Condition(
        type=condition_type,
        is_true=False,
        reason=ConditionReason.UNKNOWN_ERROR,
        message=_fitting(message, []),
    )


def configuration_status(conditions: "Iterable[Condition]") -> ConfigurationStatus:
    """Return the status that these conditions, one a type, amount to."""
    listed = tuple(conditions)
    failed = [
        one.message
        for one in listed
        if not one.is_true and one.reason == ConditionReason.CONFIGURATION_ERROR
    ]
    result = ConfigurationResult.INVALID if failed else ConfigurationResult.VALID
    return ConfigurationStatus(
        result=result if listed else ConfigurationResult.UNKNOWN,
        error_summary="\n".join(failed),
        conditions=listed,
    )


def read_conditions(raw: Json) -> tuple[Condition, ...]:
    """Read `status.conditions` of a ConfigurationState object; what is malformed is left out."""
    reader = Reader()
    status = reader.mapping(reader.mapping(raw, "").get("status"), "status")
    found: dict[str, Condition] = {}
    for item in reader.items(status.get("conditions"), "status.conditions"):
        entry = reader.mapping(item, "")
        kind = reader.text(entry.get("type"), "type")
        if kind:
            found[kind] = Condition(
                type=kind,
                is_true=entry.get("status") == "True",
                reason=reader.text(entry.get("reason"), "reason"),
                message=reader.text(entry.get("message"), "message"),
            )
    return tuple(found.values())


def _fitting(first: str, others: list[str]) -> str:
    """Join lines by newlines; of what does not fit say only how much it is."""
    lines = [first[:MAX_CONDITION_CHARS]]
    # room for the last line that tells how many were left out
    room = MAX_CONDITION_CHARS - len(lines[0]) - 40
    for index, line in enumerate(others):
        room -= len(line) + 1
        if room < 0:
            left_out = len(others) - index
            return "\n".join([*lines, f"and {left_out} more"])[:MAX_CONDITION_CHARS]
        lines.append(line)
    return "\n".join(lines)
