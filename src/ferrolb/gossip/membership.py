"""The machine: one member of a cluster that speaks memberlist's protocol."""

from collections.abc import Iterable, Mapping

from ferrolb.gossip.constants import DropReason
from ferrolb.gossip.keyring import Keyring
from ferrolb.gossip.settings import GossipSettings
from ferrolb.gossip.values import (
    Datagram,
    Event,
    Member,
    Random,
    SocketAddress,
    StreamId,
    StreamRequest,
    StreamWrite,
)
from ferrolb.model import NodeName


class Membership:
    """One member. Bytes and time come in as arguments; bytes and events go out.

    After each call that takes something in, do what `datagrams_to_send`, `streams_to_open` and
    `stream_writes` return, in that order, and set one timer to `next_deadline`. Read the sockets
    before `on_deadline`: what waits there may contradict what the timer is about to conclude.
    """

    def __init__(
        self,
        settings: GossipSettings,
        *,
        name: NodeName,
        address: SocketAddress,
        keyring: Keyring | None,
        random: Random,
    ) -> None:
        """Make a member that is not started; `address` is what the others are told."""
        raise NotImplementedError

    @property
    def address(self) -> SocketAddress:
        """Where this member listens, UDP and TCP, as it tells the others."""
        raise NotImplementedError

    @property
    def members(self) -> tuple[Member, ...]:
        """Alive and suspect ones, itself included, by name."""
        raise NotImplementedError

    @property
    def drops(self) -> Mapping[DropReason, int]:
        """How often something that came in had no effect; reasons not seen yet are absent."""
        raise NotImplementedError

    @property
    def health_score(self) -> int:
        """0: well; higher: the own probes fail so often that the fault may be here."""
        raise NotImplementedError

    def start(self, *, now: float) -> None:
        """Begin to probe and to gossip; once."""
        raise NotImplementedError

    def join(self, peers: Iterable[SocketAddress], *, now: float) -> None:
        """Exchange state with each of the peers, several at a time.

        One `JoinSucceeded` or `JoinFailed` each, except for peers that need not be asked: the
        own address, one being asked already, one that another peer's answer has made known.
        """
        raise NotImplementedError

    def leave(self, *, now: float) -> None:
        """Tell the others, and stop probing; `LeaveDone` comes from a later call."""
        raise NotImplementedError

    def send_user(self, to: SocketAddress, data: bytes) -> bool:
        """Send bytes of our own in one datagram; memberlist without a delegate ignores them.

        Returns:
            Whether it fits a datagram; if not, nothing is sent.
        """
        raise NotImplementedError

    def on_datagram(self, data: bytes, source: SocketAddress, *, now: float) -> list[Event]:
        """Take a datagram in, whatever it holds."""
        raise NotImplementedError

    def on_deadline(self, *, now: float) -> list[Event]:
        """Do what is due; harmless when early."""
        raise NotImplementedError

    def next_deadline(self) -> float | None:
        """Return when `on_deadline` has to be called; None before `start`."""
        raise NotImplementedError

    def datagrams_to_send(self) -> list[Datagram]:
        """Return, once, the datagrams to be sent."""
        raise NotImplementedError

    def streams_to_open(self) -> list[StreamRequest]:
        """Return, once, the connections to be opened."""
        raise NotImplementedError

    def stream_writes(self) -> list[StreamWrite]:
        """Return, once, what is to be written to connections, and which of them to close."""
        raise NotImplementedError

    def on_stream_accepted(self, source: SocketAddress, *, now: float) -> StreamId | None:
        """Take note of an incoming connection; None: close it at once."""
        raise NotImplementedError

    def on_stream_opened(self, stream: StreamId, *, now: float) -> list[Event]:
        """Take note that a connection of `streams_to_open` stands."""
        raise NotImplementedError

    def on_stream_bytes(self, stream: StreamId, data: bytes, *, now: float) -> list[Event]:
        """Take what a connection has received, in any slices; ignored after its closing write."""
        raise NotImplementedError

    def on_stream_closed(self, stream: StreamId, *, now: float) -> list[Event]:
        """Take note that the peer closed, or that connecting, reading or writing failed."""
        raise NotImplementedError
