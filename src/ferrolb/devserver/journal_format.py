"""The bytes of a journal: frames, records of changes and of snapshots.

A file is a header line and frames. A frame is `_MAGIC`, the length and the CRC-32 of its payload,
and the payload. All that one fsync covers is one frame, so a crash leaves at most one damaged
frame, the last; a damaged frame with an intact one behind it is no work of a crash.
"""

import struct
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from ferrolb.store import Change, ChangeType, ObjectKey, ResourceId, Snapshot

HEADER: Final = b"ferrolb-journal 1\n"
"""First bytes of each file; the number is the version of this format."""

_HEADER_START: Final = b"ferrolb-journal "
_MAGIC: Final = b"\xf5\xfe\xb1\x0a"
"""Starts a frame. 0xf5 and 0xfe are in no UTF-8 text, so no payload holds it."""

_FRAME: Final = struct.Struct("<4sII")
_OBJECTS_A_FRAME: Final = 1000
"""Objects of a snapshot in one frame: some 1.5 MB of Services."""


class DamagedError(Exception):
    """The bytes are not what was written; `offset` is where that shows."""

    def __init__(self, offset: int, reason: str) -> None:
        super().__init__(f"damaged at byte {offset}: {reason}")
        self.offset = offset


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """The payloads of a file, and how many bytes at its end were not written to the end."""

    payloads: Sequence[bytes]
    torn_bytes: int


class _Record(msgspec.Struct, frozen=True, array_like=True):
    """One change or, with type None, one object of a snapshot."""

    type: ChangeType | None
    group: str
    resource: str
    namespace: str
    name: str
    resource_version: int
    obj: msgspec.Raw


class _SnapshotStart(msgspec.Struct, frozen=True, array_like=True):
    resource_version: int
    objects: int


_ENCODER: Final = msgspec.json.Encoder()


def frame(payload: bytes) -> bytes:
    """Wrap a payload; an empty one is none."""
    return _FRAME.pack(_MAGIC, len(payload), zlib.crc32(payload)) + payload


def read_frames(data: bytes) -> Contents:
    """Read a whole file, tolerating a last frame or header that was not written to its end.

    Raises:
        DamagedError: the damage is not at the end, or the file is of another format.
    """
    if not data.startswith(HEADER):
        return _without_header(data)
    payloads = []
    offset = len(HEADER)
    while offset < len(data):
        payload = _payload_at(data, offset)
        if payload is None:
            intact = _next_intact(data, offset + 1)
            if intact is not None:
                raise DamagedError(offset, f"an intact record follows at byte {intact}")
            break
        payloads.append(payload)
        offset += _FRAME.size + len(payload)
    return Contents(payloads=payloads, torn_bytes=len(data) - offset)


def encode_change(change: Change) -> bytes:
    """Encode one change; several, joined by newlines, are a payload."""
    return _record(change.type, change.key, change.resource_version, change.encoded)


def decode_changes(payload: bytes) -> Iterator[Change]:
    """Decode a payload of changes; what was there before them is not kept.

    Raises:
        DamagedError: it holds something else.
    """
    for record in _records(payload):
        if record.type is None:
            raise DamagedError(0, "an object where a change should be")
        yield Change(
            type=record.type,
            key=_key(record),
            resource_version=record.resource_version,
            encoded=bytes(record.obj),
            encoded_previous=None,
        )


def encode_snapshot(snapshot: Snapshot) -> Iterator[bytes]:
    """Encode a snapshot as the payloads of one file."""
    start = _SnapshotStart(snapshot.resource_version, len(snapshot.objects))
    yield _ENCODER.encode(start)
    for index in range(0, len(snapshot.objects), _OBJECTS_A_FRAME):
        yield b"\n".join(
            _record(None, key, 0, encoded)
            for key, encoded in snapshot.objects[index : index + _OBJECTS_A_FRAME]
        )


def decode_snapshot(contents: Contents) -> Snapshot:
    """Decode what `encode_snapshot` wrote.

    Raises:
        DamagedError: it is not whole.
    """
    if contents.torn_bytes or not contents.payloads:
        raise DamagedError(0, "the snapshot is not complete")
    try:
        start = msgspec.json.decode(contents.payloads[0], type=_SnapshotStart)
    except msgspec.MsgspecError as error:
        raise DamagedError(0, str(error)) from error
    objects = tuple(
        (_key(record), bytes(record.obj))
        for payload in contents.payloads[1:]
        for record in _records(payload)
    )
    if len(objects) != start.objects:
        raise DamagedError(0, f"the snapshot has {len(objects)} of {start.objects} objects")
    return Snapshot(resource_version=start.resource_version, objects=objects)


def _record(
    kind: ChangeType | None, key: ObjectKey, resource_version: int, encoded: bytes
) -> bytes:
    return _ENCODER.encode(
        _Record(
            kind,
            key.resource.group,
            key.resource.resource,
            key.namespace,
            key.name,
            resource_version,
            msgspec.Raw(encoded),
        )
    )


def _records(payload: bytes) -> "Iterable[_Record]":
    decoder = msgspec.json.Decoder(_Record)
    try:
        return [decoder.decode(line) for line in payload.split(b"\n")]
    except msgspec.MsgspecError as error:
        raise DamagedError(0, str(error)) from error


def _key(record: _Record) -> ObjectKey:
    return ObjectKey(ResourceId(record.group, record.resource), record.namespace, record.name)


def _without_header(data: bytes) -> Contents:
    if HEADER.startswith(data):
        return Contents(payloads=(), torn_bytes=len(data))
    if data.startswith(_HEADER_START):
        line = data[len(_HEADER_START) : len(_HEADER_START) + 20].split(b"\n")[0]
        version = line.decode("ascii", "replace")
        raise DamagedError(0, f"format {version!r} is not one this version of FerroLB reads")
    raise DamagedError(0, "this is no FerroLB journal")


def _payload_at(data: bytes, offset: int) -> bytes | None:
    """Return the payload of the frame that starts there, None when it is not intact."""
    start = offset + _FRAME.size
    if start > len(data):
        return None
    magic, length, checksum = _FRAME.unpack_from(data, offset)
    payload = data[start : start + length]
    is_intact = magic == _MAGIC and 0 < length == len(payload) and zlib.crc32(payload) == checksum
    return payload if is_intact else None


def _next_intact(data: bytes, offset: int) -> int | None:
    """Return where the first intact frame at or after `offset` starts, None when there is none."""
    while (offset := data.find(_MAGIC, offset)) >= 0:
        if _payload_at(data, offset) is not None:
            return offset
        offset += 1
    return None
