"""What a decision wants told to the user."""

from dataclasses import dataclass
from enum import StrEnum


class EventType(StrEnum):
    """`Event.type`."""

    NORMAL = "Normal"
    WARNING = "Warning"


@dataclass(frozen=True, slots=True)
class EventNote:
    """Type, reason and message of a Kubernetes Event; source and object are the recorder's."""

    type: EventType
    reason: str
    message: str
