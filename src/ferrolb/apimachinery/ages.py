"""Ages as `kubectl get` shows them: `45s`, `5m`, `3d4h`."""

from datetime import datetime
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from ferrolb.model import Json

UNKNOWN: Final = "<unknown>"
INVALID: Final = "<invalid>"

_MINUTE: Final = 60
_HOUR: Final = 60 * _MINUTE
_DAY: Final = 24 * _HOUR
_YEAR: Final = 365 * _DAY

_SCALE: Final = (
    (2 * _MINUTE, 1, "s", 0, ""),
    (10 * _MINUTE, _MINUTE, "m", 1, "s"),
    (3 * _HOUR, _MINUTE, "m", 0, ""),
    (8 * _HOUR, _HOUR, "h", _MINUTE, "m"),
    (2 * _DAY, _HOUR, "h", 0, ""),
    (8 * _DAY, _DAY, "d", _HOUR, "h"),
    (2 * _YEAR, _DAY, "d", 0, ""),
    (8 * _YEAR, _YEAR, "y", _DAY, "d"),
)
"""Below how many seconds which unit is shown, and which smaller one after it; two to three digits
of precision in all."""


def age(timestamp: "Json", now: datetime) -> str:
    """Return the time since `timestamp` (RFC 3339), or `<unknown>` where it is not set."""
    if timestamp is None or timestamp == "":
        return UNKNOWN
    moment = parse_time(timestamp)
    return INVALID if moment is None else human_duration((now - moment).total_seconds())


def parse_time(timestamp: "Json") -> datetime | None:
    """Return the moment an RFC 3339 text names, None for anything else."""
    if not isinstance(timestamp, str):
        return None
    try:
        moment = datetime.fromisoformat(timestamp)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None


def human_duration(seconds: float) -> str:
    """Return a duration in at most two units; clocks may differ by two seconds."""
    whole = int(seconds)
    if whole < -1:
        return INVALID
    whole = max(whole, 0)
    for bound, unit, name, rest_unit, rest_name in _SCALE:
        if whole < bound:
            rest = whole % unit // rest_unit if rest_unit else 0
            return f"{whole // unit}{name}" + (f"{rest}{rest_name}" if rest else "")
    return f"{whole // _YEAR}y"
