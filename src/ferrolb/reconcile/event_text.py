"""What an Event is called, and how long its message may be."""

import hashlib
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from ferrolb.model import EventNote

MAX_MESSAGE_BYTES: Final = 1024
"""Longer messages are cut: a message may quote an annotation, which may have 256 KiB."""

MAX_NAME: Final = 253
"""Characters of a DNS subdomain, which an object's name has to be."""

_HASH_BYTES: Final = 8
_ELLIPSIS: Final = b"..."
_NOT_IN_NAME: Final = re.compile(r"[^a-z0-9.-]")


def event_digest(uid: str, note: "EventNote") -> bytes:
    """Return what tells events about the object `uid` apart, in every program and run (C-20)."""
    digest = hashlib.blake2b(digest_size=_HASH_BYTES)
    for text in (uid, note.type.value, note.reason, note.message):
        data = text.encode("utf-8", "replace")
        # The length keeps two neighbours from trading characters.
        digest.update(len(data).to_bytes(4))
        digest.update(data)
    return digest.digest()


def event_name(name: str, digest: bytes) -> str:
    """Return a name for the Event: a DNS subdomain that begins with the object's name."""
    suffix = digest.hex()
    text = _NOT_IN_NAME.sub("-", name.lower())[: MAX_NAME - len(suffix) - 1]
    labels = (label.strip("-") for label in text.split("."))
    return ".".join([*(label for label in labels if label), suffix])


def cut_message(message: str) -> str:
    """Return the message, cut between two characters if it is too long."""
    data = message.encode("utf-8", "replace")
    if len(data) <= MAX_MESSAGE_BYTES:
        return data.decode("utf-8")
    kept = data[: MAX_MESSAGE_BYTES - len(_ELLIPSIS)]
    return (kept + _ELLIPSIS).decode("utf-8", "ignore")
