"""Structured logs: one JSON object a line on standard output, with MetalLB's keys (C-30)."""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, TextIO, TypeAlias, cast

from typing_extensions import override

from ferrolb.telemetry.lean import FilteringBoundLogger, structlog

if TYPE_CHECKING:
    from structlog.typing import EventDict, WrappedLogger

Logger: TypeAlias = FilteringBoundLogger

_NONE: Final = logging.CRITICAL
LOG_LEVELS: Final[dict[str, int]] = {
    "all": logging.DEBUG,
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "error": logging.ERROR,
    "none": _NONE,
}
"""Values of `--log-level`, as MetalLB spells them."""


class LogLevelError(ValueError):
    """The log level is none of `LOG_LEVELS`; end the program with the text."""

    def __init__(self, level: str) -> None:
        super().__init__(
            f"failed to initialize logging: failed to parse log level: {level} "
            f"(use one of {', '.join(LOG_LEVELS)})"
        )


def configure_logging(level: str, *, stream: TextIO | None = None) -> None:
    """Send every log line of the process, the libraries' included, to `stream` (standard output).

    Raises:
        LogLevelError: `level` is not known.
    """
    if level not in LOG_LEVELS:
        raise LogLevelError(level)
    target = stream or sys.stdout
    threshold = LOG_LEVELS[level]
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts"),
            structlog.processors.CallsiteParameterAdder(
                [
                    structlog.processors.CallsiteParameter.FILENAME,
                    structlog.processors.CallsiteParameter.LINENO,
                ]
            ),
            structlog.processors.format_exc_info,
            structlog.processors.EventRenamer("msg", replace_by="_event"),
            _metallb_keys,
            structlog.processors.JSONRenderer(default=str),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.WriteLoggerFactory(target),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(target)
    handler.setFormatter(_LibraryLines())
    logging.basicConfig(handlers=[handler], level=max(threshold, logging.WARNING), force=True)


class _LibraryLines(logging.Formatter):
    """Prints what libraries log through the standard module in the same shape as our lines."""

    @override
    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC).isoformat()
        line = {
            "ts": moment.replace("+00:00", "Z"),
            "level": "warn" if record.levelno == logging.WARNING else record.levelname.lower(),
            "caller": f"{record.filename}:{record.lineno}",
            "logger": record.name,
            "msg": record.getMessage(),
        }
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line)


def get_logger(**fields: object) -> Logger:
    """Return a logger whose lines all carry `fields`; an `_event` field is printed as `event`."""
    return cast("Logger", structlog.get_logger(**fields))


def _metallb_keys(_logger: "WrappedLogger", _name: str, line: "EventDict") -> "EventDict":
    """Fold file and line into `caller`, spell the level as MetalLB does, and order the keys."""
    caller = f"{line.pop('filename', '?')}:{line.pop('lineno', 0)}"
    level = "warn" if line["level"] == "warning" else line["level"]
    head: EventDict = {"ts": line.pop("ts"), "level": level, "caller": caller}
    line.pop("level")
    return {**head, **line}
