"""Connections: each carries one request and at most one answer, and lives for a limited time."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, auto

from ferrolb.gossip.constants import (
    INCOMING_STREAMS_MAX,
    JOIN_CONCURRENCY,
    MEMBERS_MAX,
    STREAM_BUFFERS_MAX_BYTES,
    DropReason,
)
from ferrolb.gossip.context import Context
from ferrolb.gossip.framing import frame, reason_of
from ferrolb.gossip.messages import (
    Ack,
    Ping,
    PushPull,
    RemoteError,
    StreamMessage,
    User,
    encode_stream_message,
)
from ferrolb.gossip.parser import StreamParser
from ferrolb.gossip.roster import Roster
from ferrolb.gossip.timers import Timer, TimerKind
from ferrolb.gossip.values import (
    JoinFailed,
    JoinFailure,
    JoinSucceeded,
    SocketAddress,
    StreamId,
    StreamRequest,
    StreamWrite,
    UserMessage,
)
from ferrolb.wire import WireError


class _Purpose(Enum):
    SERVE = auto()
    JOIN = auto()
    SYNC = auto()
    PING = auto()


@dataclass(slots=True, kw_only=True)
class _Stream:
    purpose: _Purpose
    peer: SocketAddress
    parser: StreamParser
    sequence: int = 0
    request: StreamMessage | None = None
    """What is written once the connection stands; None: what is known then."""


class Streams:
    """All connections, and the peers that are to be joined."""

    def __init__(self, context: Context, roster: Roster) -> None:
        self._context = context
        self._roster = roster
        self._streams: dict[StreamId, _Stream] = {}
        self._last_id = 0
        self._buffered_bytes = 0
        self._requests: list[StreamRequest] = []
        self._writes: list[StreamWrite] = []
        self._acked: set[int] = set()
        self._joining: set[SocketAddress] = set()
        # Peers to be joined later, in their order. None is in _joining.
        self._waiting: dict[SocketAddress, None] = {}

    def __len__(self) -> int:
        return len(self._streams)

    def take_requests(self) -> list[StreamRequest]:
        """Return the connections to be opened, and forget them."""
        requests, self._requests = self._requests, []
        return requests

    def take_writes(self) -> list[StreamWrite]:
        """Return what is to be written, and forget it."""
        writes, self._writes = self._writes, []
        return writes

    def join(self, peers: Iterable[SocketAddress], *, now: float) -> None:
        """Exchange state with peers, `JOIN_CONCURRENCY` at a time."""
        for peer in peers:
            is_known = peer in self._joining or peer == self._context.address
            if is_known or len(self._waiting) >= MEMBERS_MAX:
                continue
            if len(self._joining) < JOIN_CONCURRENCY:
                self._begin_join(peer, now=now)
            else:
                self._waiting[peer] = None

    def sync(self, peer: SocketAddress, *, now: float) -> None:
        """Exchange state with a member."""
        deadline = now + self._context.settings.tcp_timeout_s
        self._open(_Purpose.SYNC, peer, None, deadline=deadline)

    def ping(self, peer: SocketAddress, ping: Ping, *, deadline: float) -> None:
        """Ping by TCP; `has_acked` tells the outcome."""
        stream = self._open(_Purpose.PING, peer, ping, deadline=deadline)
        stream.sequence = ping.sequence

    def has_acked(self, sequence: int) -> bool:
        """Tell, once, whether the TCP ping of that number has been answered."""
        acked = sequence in self._acked
        self._acked.clear()
        return acked

    def on_accepted(self, source: SocketAddress, *, now: float) -> StreamId | None:
        """Serve a connection, if there are not too many."""
        served = sum(s.purpose is _Purpose.SERVE for s in self._streams.values())
        if served >= INCOMING_STREAMS_MAX:
            self._drop(DropReason.STREAMS_FULL)
            return None
        stream = self._stream(_Purpose.SERVE, source, None)
        deadline = now + self._context.settings.tcp_timeout_s
        self._context.timers.set(Timer(TimerKind.STREAM, self._last_id), deadline)
        return self._register(stream)

    def on_opened(self, stream_id: StreamId) -> None:
        """Write the request."""
        stream = self._streams.get(stream_id)
        if stream is None or stream.purpose is _Purpose.SERVE:
            return
        request = stream.request or PushPull(
            is_join=stream.purpose is _Purpose.JOIN, entries=self._roster.entries()
        )
        self._write(stream_id, request, close=False)

    def on_bytes(self, stream_id: StreamId, data: bytes, *, now: float) -> None:
        """Read on; act on the message once it is whole."""
        stream = self._streams.get(stream_id)
        if stream is None:
            return
        before = stream.parser.buffered_bytes
        try:
            message = stream.parser.feed(data)
        except WireError as error:
            self._buffered_bytes += stream.parser.buffered_bytes - before
            self._on_unreadable(stream_id, stream, reason_of(error), now=now)
            return
        self._buffered_bytes += stream.parser.buffered_bytes - before
        if message is None:
            self._make_room(now=now)
        elif stream.purpose is _Purpose.SERVE:
            self._serve(stream_id, stream, message, now=now)
        else:
            self._on_answer(stream_id, stream, message, now=now)

    def on_closed(self, stream_id: StreamId, *, now: float) -> None:
        """Take note that the peer closed, or that the connection failed."""
        stream = self._streams.get(stream_id)
        if stream is None:
            return
        if stream.parser.buffered_bytes:
            self._drop(DropReason.STREAM_CLOSED)
        self._forget(stream_id)
        self._fail_join(stream, JoinFailure.CLOSED, now=now)

    def on_timeout(self, stream_id: StreamId, *, now: float) -> None:
        """Close a connection that has lived too long."""
        stream = self._streams[stream_id]
        if stream.purpose is not _Purpose.PING:
            self._drop(DropReason.STREAM_TIMEOUT)
        self._close(stream_id)
        self._fail_join(stream, JoinFailure.TIMEOUT, now=now)

    def _begin_join(self, peer: SocketAddress, *, now: float) -> None:
        self._waiting.pop(peer, None)
        self._joining.add(peer)
        deadline = now + self._context.settings.tcp_timeout_s
        self._open(_Purpose.JOIN, peer, None, deadline=deadline)

    def _end_join(self, stream: _Stream, *, now: float) -> None:
        """Make place for the peers that wait; who has become a member need not be asked."""
        self._joining.discard(stream.peer)
        while self._waiting and len(self._joining) < JOIN_CONCURRENCY:
            peer = next(iter(self._waiting))
            if self._roster.has_live(peer):
                del self._waiting[peer]
                self._context.tell(JoinSucceeded(peer))
            else:
                self._begin_join(peer, now=now)

    def _fail_join(self, stream: _Stream, reason: JoinFailure, *, now: float) -> None:
        if stream.purpose is _Purpose.JOIN:
            self._context.tell(JoinFailed(stream.peer, reason))
            self._end_join(stream, now=now)

    def _serve(
        self, stream_id: StreamId, stream: _Stream, message: StreamMessage, *, now: float
    ) -> None:
        match message:
            case PushPull():
                state = PushPull(is_join=message.is_join, entries=self._roster.entries())
                self._write(stream_id, state, close=True)
                self._roster.merge(message.entries, now=now)
                return
            case Ping() if message.node in ("", self._context.name):
                self._write(stream_id, Ack(sequence=message.sequence), close=True)
                return
            case Ping():
                self._drop(DropReason.WRONG_NODE)
            case User():
                self._context.tell(UserMessage(stream.peer, message.data))
            case Ack() | RemoteError():
                self._drop(DropReason.UNEXPECTED)
        self._close(stream_id)

    def _on_answer(
        self, stream_id: StreamId, stream: _Stream, message: StreamMessage, *, now: float
    ) -> None:
        self._close(stream_id)
        match message:
            case Ack() if stream.purpose is _Purpose.PING and message.sequence == stream.sequence:
                self._acked.add(message.sequence)
            case PushPull() if stream.purpose is not _Purpose.PING:
                if not self._roster.merge(message.entries, now=now):
                    self._fail_join(stream, JoinFailure.INCOMPATIBLE, now=now)
                elif stream.purpose is _Purpose.JOIN:
                    self._context.tell(JoinSucceeded(stream.peer))
                    self._end_join(stream, now=now)
            case RemoteError():
                self._drop(DropReason.REMOTE_ERROR)
                self._fail_join(stream, JoinFailure.REMOTE_ERROR, now=now)
            case _:
                self._drop(DropReason.UNEXPECTED)
                self._fail_join(stream, JoinFailure.MALFORMED, now=now)

    def _on_unreadable(
        self, stream_id: StreamId, stream: _Stream, reason: DropReason, *, now: float
    ) -> None:
        self._drop(reason)
        if stream.purpose is _Purpose.SERVE:
            self._write(stream_id, RemoteError(text=reason.value), close=True)
            return
        self._close(stream_id)
        self._fail_join(stream, JoinFailure.MALFORMED, now=now)

    def _make_room(self, *, now: float) -> None:
        """Cut the longest of all connections when together they have sent too much."""
        if self._buffered_bytes <= STREAM_BUFFERS_MAX_BYTES:
            return
        longest = max(self._streams, key=lambda i: self._streams[i].parser.buffered_bytes)
        stream = self._streams[longest]
        self._drop(DropReason.STREAMS_FULL)
        self._close(longest)
        self._fail_join(stream, JoinFailure.CLOSED, now=now)

    def _stream(
        self, purpose: _Purpose, peer: SocketAddress, request: StreamMessage | None
    ) -> _Stream:
        self._last_id += 1
        accepts_plain = not self._context.settings.verify_incoming
        parser = StreamParser(self._context.keyring, accepts_plain=accepts_plain)
        return _Stream(purpose=purpose, peer=peer, parser=parser, request=request)

    def _register(self, stream: _Stream) -> StreamId:
        stream_id = StreamId(self._last_id)
        self._streams[stream_id] = stream
        return stream_id

    def _open(
        self,
        purpose: _Purpose,
        peer: SocketAddress,
        request: StreamMessage | None,
        *,
        deadline: float,
    ) -> _Stream:
        stream = self._stream(purpose, peer, request)
        stream_id = self._register(stream)
        self._context.timers.set(Timer(TimerKind.STREAM, stream_id), deadline)
        self._requests.append(StreamRequest(stream_id, peer))
        return stream

    def _write(self, stream_id: StreamId, message: StreamMessage, *, close: bool) -> None:
        settings = self._context.settings
        data = frame(
            encode_stream_message(message),
            compress=settings.has_compression,
            keyring=self._context.keyring if settings.verify_outgoing else None,
        )
        self._writes.append(StreamWrite(stream_id, data, close))
        if close:
            self._forget(stream_id)

    def _close(self, stream_id: StreamId) -> None:
        self._writes.append(StreamWrite(stream_id, b"", close=True))
        self._forget(stream_id)

    def _forget(self, stream_id: StreamId) -> None:
        stream = self._streams.pop(stream_id)
        self._buffered_bytes -= stream.parser.buffered_bytes
        self._context.timers.cancel(Timer(TimerKind.STREAM, stream_id))

    def _drop(self, reason: DropReason) -> None:
        self._context.drops[reason] += 1
