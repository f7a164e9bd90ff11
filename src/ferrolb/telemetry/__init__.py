"""Logging and metrics that every program shares.

Log lines carry MetalLB's keys (`ts`, `level`, `caller`, `msg`, `event`, C-30); metrics live in a
registry that the program owns. Nothing here decides anything or talks to the API.
"""

from ferrolb.telemetry.log import LOG_LEVELS, Logger, LogLevelError, configure_logging, get_logger
from ferrolb.telemetry.metrics import (
    ClientMetrics,
    PoolSample,
    PoolSamples,
    Registry,
    new_registry,
    render,
)
from ferrolb.telemetry.speaker_metrics import SpeakerMetrics

__all__ = [
    "LOG_LEVELS",
    "ClientMetrics",
    "LogLevelError",
    "Logger",
    "PoolSample",
    "PoolSamples",
    "Registry",
    "SpeakerMetrics",
    "configure_logging",
    "get_logger",
    "new_registry",
    "render",
]
