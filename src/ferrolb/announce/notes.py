"""The events that a Service is told about being announced, worded as MetalLB words them."""

from typing import TYPE_CHECKING, Final

from ferrolb.model import EventNote, EventType, quote

if TYPE_CHECKING:
    from ferrolb.model import IPAddress, NodeName

MESSAGE_LIMIT_BYTES: Final = 1024
"""Longest message of an event, in UTF-8: what the API server takes."""

_ELLIPSIS: Final = "..."


def node_assigned(node: "NodeName") -> EventNote:
    """Say which node announces; readers look for the name in double quotes (C-3)."""
    return EventNote(EventType.NORMAL, "nodeAssigned", f"announcing from node {quote(node)}")


def announce_failed(address: "IPAddress", node: "NodeName") -> EventNote:
    """Say that none of the interfaces is there that the address may be announced through."""
    return EventNote(
        EventType.WARNING,
        "announceFailed",
        f"the interfaces specified by LB IP {quote(address)} doesn't exist in assigned node "
        f'{quote(node)} with protocol "layer2"',
    )


def not_announced(explanation: str) -> EventNote:
    """Say that nobody may announce what was given; the text is `explain_unannounced`'s."""
    return EventNote(EventType.WARNING, "notAnnounced", explanation)


def cut(message: str) -> str:
    """Return the message within the limit, the tail being lost."""
    encoded = message.encode(errors="replace")
    if len(encoded) <= MESSAGE_LIMIT_BYTES:
        return message
    kept = encoded[: MESSAGE_LIMIT_BYTES - len(_ELLIPSIS)]
    return kept.decode(errors="ignore") + _ELLIPSIS
