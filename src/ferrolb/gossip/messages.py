"""The messages: a value each, and their form on the wire (type byte and a map of fields)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Final, TypeAlias

from ferrolb.gossip.constants import (
    INCARNATION_MAX,
    MEMBERS_MAX,
    META_MAX_BYTES,
    NAME_MAX_BYTES,
    USER_MESSAGE_MAX_BYTES,
    DropReason,
    MessageType,
)
from ferrolb.gossip.errors import MalformedError
from ferrolb.gossip.msgpack import (
    FALSE,
    NIL,
    TRUE,
    Scalar,
    pack_map,
    pack_raw,
    pack_signed,
    pack_unsigned,
    read_map,
)
from ferrolb.gossip.values import SocketAddress
from ferrolb.model import IPAddress, NodeName
from ferrolb.wire import Reader

_U16_MAX: Final = 0xFFFF
_U32_MAX: Final = 0xFFFF_FFFF
_TEXT_MAX_BYTES: Final = 1024
"""Of another member's error: it is shown to nobody, and only its presence counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ping:
    """Asks `node` (or whoever reads it, if empty) for an ack, sent to `source` if there is one."""

    sequence: int
    node: str
    source: SocketAddress | None = None
    source_node: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class IndirectPing:
    """Asks a helper to ping `node` at `target` (port 0: the usual one) and to pass the ack on."""

    sequence: int
    node: str
    target: SocketAddress
    wants_nack: bool = False
    source: SocketAddress | None = None
    source_node: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ack:
    """Answer to a ping."""

    sequence: int
    payload: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Nack:
    """A helper's word that it has tried, and heard nothing in time."""

    sequence: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspect:
    """`sender` suspects `node`."""

    incarnation: int
    node: NodeName
    sender: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Dead:
    """`sender` says that `node` is gone; when it says so of itself, it has left."""

    incarnation: int
    node: NodeName
    sender: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Alive:
    """`node` is there; port 0 is the usual one."""

    incarnation: int
    node: NodeName
    address: SocketAddress
    meta: bytes
    versions: bytes
    """Six bytes: least, highest, current protocol version; the same of the delegate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One member in a push/pull; `state` as on the wire, whatever it is."""

    name: NodeName
    address: SocketAddress
    incarnation: int
    meta: bytes
    state: int
    versions: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class PushPull:
    """All that a member knows."""

    is_join: bool
    entries: tuple[Entry, ...]
    user_state: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteError:
    """The peer could not read what it was sent."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """Bytes of somebody who uses memberlist for more than membership."""

    data: bytes


Message: TypeAlias = Ping | IndirectPing | Ack | Nack | Suspect | Dead | Alive | User
"""What a datagram can bring."""

StreamMessage: TypeAlias = Ping | Ack | PushPull | RemoteError | User
"""What a connection can bring."""

_Fields: TypeAlias = Mapping[bytes, Scalar]


def _names(*names: str) -> tuple[bytes, ...]:
    return tuple(pack_raw(name.encode()) for name in names)


(_SEQUENCE, _NODE, _FROM, _INCARNATION, _ADDR, _PORT, _META, _VSN, _NAME, _STATE) = _names(
    "SeqNo", "Node", "From", "Incarnation", "Addr", "Port", "Meta", "Vsn", "Name", "State"
)
(_SOURCE_ADDR, _SOURCE_NODE, _SOURCE_PORT, _NACK, _TARGET, _PAYLOAD) = _names(
    "SourceAddr", "SourceNode", "SourcePort", "Nack", "Target", "Payload"
)
(_JOIN, _NODES, _USER_STATE_LEN, _ERROR, _USER_MSG_LEN) = _names(
    "Join", "Nodes", "UserStateLen", "Error", "UserMsgLen"
)


def encode_message(message: Message) -> bytes:
    """Return a message as it stands in a datagram."""
    match message:
        case Ping():
            return _encode_ping(message)
        case IndirectPing():
            return _encode_indirect_ping(message)
        case Ack():
            payload = NIL if message.payload is None else pack_raw(message.payload)
            fields = _PAYLOAD + payload + _SEQUENCE + pack_unsigned(message.sequence)
            return bytes([MessageType.ACK]) + pack_map(2) + fields
        case Nack():
            return bytes([MessageType.NACK, 0x81]) + _SEQUENCE + pack_unsigned(message.sequence)
        case Suspect():
            return _encode_accusation(MessageType.SUSPECT, message)
        case Dead():
            return _encode_accusation(MessageType.DEAD, message)
        case Alive():
            return _encode_alive(message)
        case User():
            return bytes([MessageType.USER]) + message.data


def encode_stream_message(message: StreamMessage) -> bytes:
    """Return a message as it stands in a connection, before compression and encryption."""
    match message:
        case PushPull():
            return _encode_push_pull(message)
        case RemoteError():
            head = bytes([MessageType.ERROR, 0x81])
            return head + _ERROR + pack_raw(message.text.encode())
        case User():
            head = bytes([MessageType.USER, 0x81])
            return head + _USER_MSG_LEN + pack_signed(len(message.data)) + message.data
        case _:
            return encode_message(message)


def _source_fields(source: SocketAddress | None, source_node: str) -> list[bytes]:
    fields = []
    if source is not None:
        fields.append(_SOURCE_ADDR + pack_raw(source.ip.packed))
    if source_node:
        fields.append(_SOURCE_NODE + pack_raw(source_node.encode()))
    if source is not None:
        fields.append(_SOURCE_PORT + pack_unsigned(source.port))
    return fields


def _encode_ping(ping: Ping) -> bytes:
    fields = [
        _NODE + pack_raw(ping.node.encode()),
        _SEQUENCE + pack_unsigned(ping.sequence),
        *_source_fields(ping.source, ping.source_node),
    ]
    return bytes([MessageType.PING]) + pack_map(len(fields)) + b"".join(fields)


def _encode_indirect_ping(ping: IndirectPing) -> bytes:
    fields = [
        _NACK + (TRUE if ping.wants_nack else FALSE),
        _NODE + pack_raw(ping.node.encode()),
        _PORT + pack_unsigned(ping.target.port),
        _SEQUENCE + pack_unsigned(ping.sequence),
        *_source_fields(ping.source, ping.source_node),
        _TARGET + pack_raw(ping.target.ip.packed),
    ]
    return bytes([MessageType.INDIRECT_PING]) + pack_map(len(fields)) + b"".join(fields)


def _encode_accusation(kind: MessageType, accusation: Suspect | Dead) -> bytes:
    return b"".join(
        [
            bytes([kind, 0x83]),
            _FROM + pack_raw(accusation.sender.encode()),
            _INCARNATION + pack_unsigned(accusation.incarnation),
            _NODE + pack_raw(accusation.node.encode()),
        ]
    )


def _encode_alive(alive: Alive) -> bytes:
    return b"".join(
        [
            bytes([MessageType.ALIVE, 0x86]),
            _ADDR + pack_raw(alive.address.ip.packed),
            _INCARNATION + pack_unsigned(alive.incarnation),
            _META + (pack_raw(alive.meta) if alive.meta else NIL),
            _NODE + pack_raw(alive.node.encode()),
            _PORT + pack_unsigned(alive.address.port),
            _VSN + pack_raw(alive.versions),
        ]
    )


def _encode_push_pull(state: PushPull) -> bytes:
    parts = [
        bytes([MessageType.PUSH_PULL, 0x83]),
        _JOIN + (TRUE if state.is_join else FALSE),
        _NODES + pack_signed(len(state.entries)),
        _USER_STATE_LEN + pack_signed(len(state.user_state)),
    ]
    for entry in state.entries:
        parts += (
            b"\x87" + _ADDR + pack_raw(entry.address.ip.packed),
            _INCARNATION + pack_unsigned(entry.incarnation),
            _META + (pack_raw(entry.meta) if entry.meta else NIL),
            _NAME + pack_raw(entry.name.encode()),
            _PORT + pack_unsigned(entry.address.port),
            _STATE + pack_signed(entry.state),
            _VSN + pack_raw(entry.versions),
        )
    return b"".join(parts) + state.user_state


def decode_message(reader: Reader) -> Message:
    """Read a message of a datagram; what follows it is left, as memberlist does.

    Raises:
        WireError: it is none.
    """
    kind = reader.u8()
    if kind == MessageType.USER:
        return User(data=reader.rest())
    decoder = _DECODERS.get(kind)
    if decoder is None:
        raise MalformedError(DropReason.UNKNOWN_TYPE, f"message type {kind}")
    return decoder(read_map(reader))


def decode_stream_message(reader: Reader) -> StreamMessage:
    """Read the message of a connection.

    Raises:
        WireError: it is none.
    """
    kind = reader.u8()
    fields = read_map(reader)
    match kind:
        case MessageType.PUSH_PULL:
            return _decode_push_pull(fields, reader)
        case MessageType.PING:
            return _decode_ping(fields)
        case MessageType.ACK:
            return _decode_ack(fields)
        case MessageType.USER:
            return User(data=reader.take(sizes_that_follow(kind, fields)[1]))
        case MessageType.ERROR:
            return RemoteError(text=_text(fields, b"Error", _TEXT_MAX_BYTES))
        case _:
            raise MalformedError(DropReason.UNKNOWN_TYPE, f"message type {kind}")


def _integer(fields: _Fields, name: bytes, maximum: int) -> int:
    value = fields.get(name)
    if value is None:
        return 0
    if isinstance(value, bytes | bool):
        raise MalformedError(DropReason.MALFORMED, f"{name!r} is no integer")
    if value > maximum:
        raise MalformedError(DropReason.TOO_LARGE, f"{name!r} is {value}")
    if value < 0:
        raise MalformedError(DropReason.MALFORMED, f"{name!r} is {value}")
    return value


def _raw(fields: _Fields, name: bytes, maximum: int) -> bytes:
    value = fields.get(name)
    if value is None:
        return b""
    if not isinstance(value, bytes):
        raise MalformedError(DropReason.MALFORMED, f"{name!r} is no string")
    if len(value) > maximum:
        raise MalformedError(DropReason.TOO_LARGE, f"{name!r} has {len(value)} bytes")
    return value


def _text(fields: _Fields, name: bytes, maximum: int = NAME_MAX_BYTES) -> str:
    try:
        return _raw(fields, name, maximum).decode()
    except UnicodeDecodeError as error:
        raise MalformedError(DropReason.MALFORMED, f"{name!r} is not UTF-8") from error


def _flag(fields: _Fields, name: bytes) -> bool:
    value = fields.get(name)
    if value is None or isinstance(value, bool):
        return bool(value)
    raise MalformedError(DropReason.MALFORMED, f"{name!r} is neither true nor false")


def _node(fields: _Fields, name: bytes) -> NodeName:
    text = _text(fields, name)
    if not text:
        raise MalformedError(DropReason.MALFORMED, "a member without a name")
    return NodeName(text)


def _ip(packed: bytes) -> IPAddress:
    """Return the address; of an IPv4 one in 16 bytes the IPv4 one."""
    if len(packed) == 4:
        address: IPAddress = IPv4Address(packed)
    elif len(packed) == 16:
        wide = IPv6Address(packed)
        address = wide.ipv4_mapped or wide
    else:
        raise MalformedError(DropReason.BAD_ADDRESS, f"an address of {len(packed)} bytes")
    if address.is_unspecified or address.is_multicast:
        raise MalformedError(DropReason.BAD_ADDRESS, f"{address} is nobody's")
    return address


def _address(fields: _Fields, ip: bytes, port: bytes) -> SocketAddress:
    return SocketAddress(_ip(_raw(fields, ip, 16)), _integer(fields, port, _U16_MAX))


def _source(fields: _Fields) -> SocketAddress | None:
    if not _raw(fields, b"SourceAddr", 16) or not _integer(fields, b"SourcePort", _U16_MAX):
        return None
    return _address(fields, b"SourceAddr", b"SourcePort")


def _decode_ping(fields: _Fields) -> Ping:
    return Ping(
        sequence=_integer(fields, b"SeqNo", _U32_MAX),
        node=_text(fields, b"Node"),
        source=_source(fields),
        source_node=_text(fields, b"SourceNode"),
    )


def _decode_indirect_ping(fields: _Fields) -> IndirectPing:
    return IndirectPing(
        sequence=_integer(fields, b"SeqNo", _U32_MAX),
        node=_text(fields, b"Node"),
        target=_address(fields, b"Target", b"Port"),
        wants_nack=_flag(fields, b"Nack"),
        source=_source(fields),
        source_node=_text(fields, b"SourceNode"),
    )


def _decode_ack(fields: _Fields) -> Ack:
    payload = None if fields.get(b"Payload") is None else _raw(fields, b"Payload", _U16_MAX)
    return Ack(sequence=_integer(fields, b"SeqNo", _U32_MAX), payload=payload)


def _decode_nack(fields: _Fields) -> Nack:
    return Nack(sequence=_integer(fields, b"SeqNo", _U32_MAX))


def _decode_suspect(fields: _Fields) -> Suspect:
    incarnation = _integer(fields, b"Incarnation", INCARNATION_MAX)
    return Suspect(
        incarnation=incarnation, node=_node(fields, b"Node"), sender=_text(fields, b"From")
    )


def _decode_dead(fields: _Fields) -> Dead:
    incarnation = _integer(fields, b"Incarnation", INCARNATION_MAX)
    return Dead(incarnation=incarnation, node=_node(fields, b"Node"), sender=_text(fields, b"From"))


def _decode_alive(fields: _Fields) -> Alive:
    return Alive(
        incarnation=_integer(fields, b"Incarnation", INCARNATION_MAX),
        node=_node(fields, b"Node"),
        address=_address(fields, b"Addr", b"Port"),
        meta=_raw(fields, b"Meta", META_MAX_BYTES),
        versions=_raw(fields, b"Vsn", NAME_MAX_BYTES),
    )


def _decode_entry(fields: _Fields) -> Entry:
    return Entry(
        name=_node(fields, b"Name"),
        address=_address(fields, b"Addr", b"Port"),
        incarnation=_integer(fields, b"Incarnation", INCARNATION_MAX),
        meta=_raw(fields, b"Meta", META_MAX_BYTES),
        state=_integer(fields, b"State", _U16_MAX),
        versions=_raw(fields, b"Vsn", NAME_MAX_BYTES),
    )


def _decode_push_pull(fields: _Fields, reader: Reader) -> PushPull:
    count, user_bytes = sizes_that_follow(MessageType.PUSH_PULL, fields)
    entries = tuple(_decode_entry(read_map(reader)) for _ in range(count))
    return PushPull(
        is_join=_flag(fields, b"Join"), entries=entries, user_state=reader.take(user_bytes)
    )


def sizes_that_follow(kind: int, fields: _Fields) -> tuple[int, int]:
    """Return how many maps, and then bytes, follow the first map of a message on a connection.

    Raises:
        MalformedError: more of either than a member ever sends.
    """
    if kind == MessageType.PUSH_PULL:
        entries = _integer(fields, b"Nodes", MEMBERS_MAX)
        return entries, _integer(fields, b"UserStateLen", USER_MESSAGE_MAX_BYTES)
    if kind == MessageType.USER:
        return 0, _integer(fields, b"UserMsgLen", USER_MESSAGE_MAX_BYTES)
    return 0, 0


_DECODERS: Final[dict[int, Callable[[_Fields], Message]]] = {
    MessageType.PING: _decode_ping,
    MessageType.INDIRECT_PING: _decode_indirect_ping,
    MessageType.ACK: _decode_ack,
    MessageType.NACK: _decode_nack,
    MessageType.SUSPECT: _decode_suspect,
    MessageType.DEAD: _decode_dead,
    MessageType.ALIVE: _decode_alive,
}
