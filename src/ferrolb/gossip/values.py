"""What goes in and out of the machine: members, addresses, datagrams, stream requests, events."""

from collections.abc import MutableSequence, Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import NamedTuple, NewType, Protocol, TypeAlias, TypeVar

from typing_extensions import override

from ferrolb.model import IPAddress, NodeName

_T = TypeVar("_T")

StreamId = NewType("StreamId", int)
"""One connection, from its request or acceptance until either side closes it; never used again."""


class SocketAddress(NamedTuple):
    """Where a member listens, UDP and TCP alike; prints `address:port`."""

    ip: IPAddress
    port: int

    @override
    def __str__(self) -> str:
        return f"[{self.ip}]:{self.port}" if self.ip.version == 6 else f"{self.ip}:{self.port}"


class MemberState(IntEnum):
    """State of a member; the values are those of the wire (push/pull, field `State`)."""

    ALIVE = 0
    SUSPECT = 1
    DEAD = 2
    LEFT = 3

    @property
    def is_gone(self) -> bool:
        """Whether it is no member any more."""
        return self >= MemberState.DEAD


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One member, as it is known here."""

    name: NodeName
    address: SocketAddress
    state: MemberState
    incarnation: int
    meta: bytes = b""


class Random(Protocol):
    """Choices of chance; a `random.Random` or `random.SystemRandom` is one."""

    def random(self) -> float:
        """Return a number from 0 (included) to 1."""

    def randrange(self, stop: int, /) -> int:
        """Return an integer from 0 to `stop`, which is not included."""

    def shuffle(self, x: MutableSequence[_T], /) -> None:
        """Bring a list into any order."""

    def sample(self, population: Sequence[_T], /, k: int) -> list[_T]:
        """Choose `k` different ones."""


@dataclass(frozen=True, slots=True)
class Datagram:
    """One UDP datagram to be sent from the gossip port."""

    to: SocketAddress
    payload: bytes


@dataclass(frozen=True, slots=True)
class StreamRequest:
    """Connect to `to` by TCP, then call `on_stream_opened`, or `on_stream_closed` if it fails."""

    stream: StreamId
    to: SocketAddress


@dataclass(frozen=True, slots=True)
class StreamWrite:
    """Write `data`, which may be empty; with `close`, close the connection once it is written."""

    stream: StreamId
    data: bytes
    close: bool


class JoinFailure(StrEnum):
    """Why a peer could not be joined."""

    CLOSED = "connection failed or closed"
    TIMEOUT = "no answer in time"
    MALFORMED = "unreadable answer, or another key"
    INCOMPATIBLE = "incompatible protocol versions"
    REMOTE_ERROR = "the peer could not read the request: another key"


@dataclass(frozen=True, slots=True)
class MemberJoined:
    """Somebody is a member now, for the first time or again."""

    member: Member


@dataclass(frozen=True, slots=True)
class MemberLeft:
    """Somebody is no member any more: `member.state` tells dead from left."""

    member: Member


@dataclass(frozen=True, slots=True)
class MemberUpdated:
    """The metadata of a member have changed."""

    member: Member


@dataclass(frozen=True, slots=True)
class JoinSucceeded:
    """State has been exchanged with a peer that `join` named."""

    peer: SocketAddress


@dataclass(frozen=True, slots=True)
class JoinFailed:
    """A peer that `join` named could not be asked; asking again is the caller's."""

    peer: SocketAddress
    reason: JoinFailure


@dataclass(frozen=True, slots=True)
class UserMessage:
    """Somebody sent bytes that are not memberlist's; `source` is as the socket saw it."""

    source: SocketAddress
    data: bytes


@dataclass(frozen=True, slots=True)
class LeaveDone:
    """The others have been told, or a second has passed: the sockets can be closed."""


Event: TypeAlias = (
    MemberJoined | MemberLeft | MemberUpdated | JoinSucceeded | JoinFailed | UserMessage | LeaveDone
)
