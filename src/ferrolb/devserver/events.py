"""Events in their two spellings, core/v1 and events.k8s.io/v1, which share one storage."""

from typing import Final

from ferrolb.model import JsonObject

_RENAMED: Final = {
    "involvedObject": "regarding",
    "message": "note",
    "reportingComponent": "reportingController",
    "source": "deprecatedSource",
    "firstTimestamp": "deprecatedFirstTimestamp",
    "lastTimestamp": "deprecatedLastTimestamp",
    "count": "deprecatedCount",
}
"""Fields of core/v1 with their names in events.k8s.io/v1; all others are called the same."""

_BACK: Final = {new: old for old, new in _RENAMED.items()}


def events_from_core(event: JsonObject) -> JsonObject:
    """Return a core/v1 Event as events.k8s.io/v1 shows it."""
    return {_RENAMED.get(field, field): value for field, value in event.items()}


def core_from_events(event: JsonObject) -> JsonObject:
    """Return an events.k8s.io/v1 Event as core/v1 stores it."""
    return {_BACK.get(field, field): value for field, value in event.items()}
