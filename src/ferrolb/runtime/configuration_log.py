"""What a program says of its configuration, in its log and its metrics; only of changes."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ferrolb.config import ConfigError
    from ferrolb.telemetry import ClientMetrics, Logger


class ConfigurationLog:
    """Remembers what was wrong last."""

    def __init__(self, log: "Logger", metrics: "ClientMetrics") -> None:
        self._log = log
        self._metrics = metrics
        self._told: tuple[str, ...] = ()

    def loaded(self, errors: "Sequence[ConfigError]") -> None:
        """Say what is wrong with the configuration now in force."""
        self._metrics.config_stale.set(1 if errors else 0)
        if not errors:
            self._metrics.config_loaded.set(1)
        messages = tuple(error.message for error in errors)
        if messages == self._told:
            return
        self._told = messages
        for error in errors:
            self._metrics.update_errors.inc()
            self._log.error(
                "configuration error",
                object=str(error.object),
                path=error.path,
                error=error.message,
            )
        if not messages:
            self._log.info("configuration loaded", _event="configLoaded")
