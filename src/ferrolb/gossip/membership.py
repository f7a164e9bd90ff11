"""The machine: one member of a cluster that speaks memberlist's protocol."""

import math
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from ferrolb.gossip.constants import VERSION_CRC, DropReason
from ferrolb.gossip.context import Context
from ferrolb.gossip.errors import MalformedError
from ferrolb.gossip.framing import OpenedDatagram
from ferrolb.gossip.keyring import Keyring
from ferrolb.gossip.messages import (
    Ack,
    Alive,
    Dead,
    IndirectPing,
    Message,
    Nack,
    Ping,
    Suspect,
    User,
    encode_message,
)
from ferrolb.gossip.prober import Prober
from ferrolb.gossip.relays import Relays, send
from ferrolb.gossip.roster import Node, Roster
from ferrolb.gossip.settings import GossipSettings
from ferrolb.gossip.streams import Streams
from ferrolb.gossip.timers import Timer, TimerKind, next_in_phase
from ferrolb.gossip.values import (
    Datagram,
    Event,
    LeaveDone,
    Member,
    MemberState,
    Random,
    SocketAddress,
    StreamId,
    StreamRequest,
    StreamWrite,
    UserMessage,
)
from ferrolb.model import NodeName

_GOSSIP: Final = Timer(TimerKind.GOSSIP)
_PUSH_PULL: Final = Timer(TimerKind.PUSH_PULL)
_LEAVE: Final = Timer(TimerKind.LEAVE)

_PUSH_PULL_SCALE_FROM: Final = 32
"""Members from which on exchanges of all state become rarer (memberlist's threshold)."""


def push_pull_interval_s(interval_s: float, member_count: int) -> float:
    """Return how often to exchange all state among that many members."""
    if member_count <= _PUSH_PULL_SCALE_FROM:
        return interval_s
    return interval_s * (math.ceil(math.log2(member_count) - math.log2(_PUSH_PULL_SCALE_FROM)) + 1)


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
        self._context = Context(
            settings, name=name, address=address, keyring=keyring, random=random
        )
        self._roster = Roster(self._context)
        self._streams = Streams(self._context, self._roster)
        self._relays = Relays(self._context, self._roster)
        self._prober = Prober(self._context, self._roster, self._streams)
        self._gossip_phase = 0.0

    @property
    def address(self) -> SocketAddress:
        """Where this member listens, UDP and TCP, as it tells the others."""
        return self._context.address

    @property
    def members(self) -> tuple[Member, ...]:
        """Alive and suspect ones, itself included, by name."""
        return self._roster.members

    @property
    def drops(self) -> Mapping[DropReason, int]:
        """How often something that came in had no effect; reasons not seen yet are absent."""
        return MappingProxyType(self._context.drops)

    @property
    def health_score(self) -> int:
        """0: well; higher: the own probes fail so often that the fault may be here."""
        return self._context.health_score

    def start(self, *, now: float) -> None:
        """Begin to probe and to gossip; once."""
        context, settings = self._context, self._context.settings
        self._roster.add_self(now=now)
        self._prober.start(now=now)
        self._gossip_phase = now + context.random.random() * settings.gossip_interval_s
        if settings.push_pull_interval_s > 0:
            first = (1 + context.random.random()) * settings.push_pull_interval_s
            context.timers.set(_PUSH_PULL, now + first)
        self._arm_gossip(now=now)

    def join(self, peers: Iterable[SocketAddress], *, now: float) -> None:
        """Exchange state with each of the peers, several at a time.

        One `JoinSucceeded` or `JoinFailed` each, except for peers that need not be asked: the
        own address, one being asked already, one that another peer's answer has made known.
        """
        self._streams.join(peers, now=now)

    def leave(self, *, now: float) -> None:
        """Tell the others, and stop probing; `LeaveDone` comes from a later call."""
        context = self._context
        if context.is_leaving:
            return
        context.is_leaving = True
        self._prober.stop()
        context.timers.cancel(_PUSH_PULL)
        me = self._roster.find(context.name)
        if me is not None:
            self._roster.on_dead(
                Dead(incarnation=me.incarnation, node=me.name, sender=me.name), now=now
            )
        is_alone = not self._roster.members
        context.timers.set(_LEAVE, now if is_alone else now + context.settings.leave_timeout_s)
        self._gossip(now=now)
        self._arm_gossip(now=now)

    def send_user(self, to: SocketAddress, data: bytes) -> bool:
        """Send bytes of our own in one datagram; memberlist without a delegate ignores them.

        Returns:
            Whether it fits a datagram; if not, nothing is sent.
        """
        message = encode_message(User(data=data))
        if len(message) > self._context.outbox.room_bytes:
            return False
        self._context.outbox.send_bare(to, [message])
        return True

    def on_datagram(self, data: bytes, source: SocketAddress, *, now: float) -> list[Event]:
        """Take a datagram in, whatever it holds."""
        content = self._decrypted(data)
        if content is not None:
            opened = OpenedDatagram(content)
            self._context.drops.update(opened.drops)
            for message in opened.messages:
                self._on_message(message, source, now=now)
        return self._settle(now=now)

    def on_deadline(self, *, now: float) -> list[Event]:
        """Do what is due; harmless when early."""
        while (due := self._context.timers.pop_due(now)) is not None:
            timer, deadline = due
            self._on_timer(timer, now=now, due=deadline)
        return self._settle(now=now)

    def next_deadline(self) -> float | None:
        """Return when `on_deadline` has to be called; None before `start`."""
        return self._context.timers.next_deadline()

    def datagrams_to_send(self) -> list[Datagram]:
        """Return, once, the datagrams to be sent."""
        return self._context.outbox.drain()

    def streams_to_open(self) -> list[StreamRequest]:
        """Return, once, the connections to be opened."""
        return self._streams.take_requests()

    def stream_writes(self) -> list[StreamWrite]:
        """Return, once, what is to be written to connections, and which of them to close."""
        return self._streams.take_writes()

    def on_stream_accepted(self, source: SocketAddress, *, now: float) -> StreamId | None:
        """Take note of an incoming connection; None: close it at once."""
        return self._streams.on_accepted(source, now=now)

    def on_stream_opened(self, stream: StreamId, *, now: float) -> list[Event]:
        """Take note that a connection of `streams_to_open` stands."""
        self._streams.on_opened(stream)
        return self._settle(now=now)

    def on_stream_bytes(self, stream: StreamId, data: bytes, *, now: float) -> list[Event]:
        """Take what a connection has received, in any slices; ignored after its closing write."""
        self._streams.on_bytes(stream, data, now=now)
        return self._settle(now=now)

    def on_stream_closed(self, stream: StreamId, *, now: float) -> list[Event]:
        """Take note that the peer closed, or that connecting, reading or writing failed."""
        self._streams.on_closed(stream, now=now)
        return self._settle(now=now)

    def _decrypted(self, data: bytes) -> bytes | None:
        context = self._context
        if context.keyring is None:
            return data
        try:
            return context.keyring.open(data, b"")
        except MalformedError as error:
            if not context.settings.verify_incoming:
                return data
            context.drops[error.reason] += 1
            return None

    def _on_message(self, message: Message, source: SocketAddress, *, now: float) -> None:
        match message:
            case Ping():
                self._on_ping(message, source)
            case IndirectPing():
                self._relays.on_request(message, source, now=now)
            case Ack() | Nack():
                if not self._on_probe_answer(message, now=now):
                    self._drop(DropReason.UNEXPECTED)
            case Suspect():
                self._roster.on_suspect(message, now=now)
            case Dead():
                self._roster.on_dead(message, now=now)
            case Alive():
                self._roster.on_alive(message, now=now)
            case User():
                self._context.tell(UserMessage(source, message.data))

    def _on_probe_answer(self, answer: Ack | Nack, *, now: float) -> bool:
        if isinstance(answer, Nack):
            return self._prober.on_nack(answer.sequence)
        return self._prober.on_ack(answer.sequence, now=now) or self._relays.on_ack(answer.sequence)

    def _on_ping(self, ping: Ping, source: SocketAddress) -> None:
        if ping.node not in ("", self._context.name):
            self._drop(DropReason.WRONG_NODE)
            return
        ack = encode_message(Ack(sequence=ping.sequence))
        send(self._context, self._roster, ping.source or source, ack)

    def _on_timer(self, timer: Timer, *, now: float, due: float) -> None:
        match timer.kind:
            case TimerKind.STREAM:
                self._streams.on_timeout(StreamId(timer.subject), now=now)
            case TimerKind.RELAY:
                self._relays.on_timeout(timer.subject)
            case TimerKind.PROBE_TIMEOUT:
                self._prober.on_timeout()
            case TimerKind.PROBE_VERDICT:
                self._prober.on_verdict(now=now, due=due)
            case TimerKind.SUSPICION:
                self._roster.on_suspicion_timeout(timer.subject, now=now, due=due)
            case TimerKind.PROBE:
                self._prober.on_tick(now=now)
            case _:
                self._on_round(timer.kind, now=now)

    def _on_round(self, kind: TimerKind, *, now: float) -> None:
        if kind is TimerKind.PUSH_PULL:
            self._push_pull(now=now)
        elif kind is TimerKind.GOSSIP:
            self._gossip(now=now)
        else:
            self._end_leaving()

    def _push_pull(self, *, now: float) -> None:
        interval = self._context.settings.push_pull_interval_s
        due = now + push_pull_interval_s(interval, len(self._roster))
        self._context.timers.set(_PUSH_PULL, due)
        for node in self._roster.choose(1, lambda node: node.state is MemberState.ALIVE):
            self._streams.sync(node.address, now=now)

    def _gossip(self, *, now: float) -> None:
        settings = self._context.settings

        def is_listener(node: Node) -> bool:
            if node.state is MemberState.DEAD:
                return now - node.changed_at <= settings.gossip_to_the_dead_time_s
            return node.state is not MemberState.LEFT

        for node in self._roster.choose(settings.gossip_nodes, is_listener):
            has_checksum = node.version_max >= VERSION_CRC
            limit = self._roster.transmit_limit
            if not self._context.outbox.gossip(
                node.address, limit=limit, has_checksum=has_checksum
            ):
                break

    def _end_leaving(self) -> None:
        self._context.timers.cancel(_LEAVE)
        self._context.broadcasts.forget(self._context.name)
        self._context.tell(LeaveDone())

    def _arm_gossip(self, *, now: float) -> None:
        """Set the gossip timer if there is anything to tell and anybody to hear it."""
        context = self._context
        interval = context.settings.gossip_interval_s
        has_news = len(context.broadcasts) > 0 and len(self._roster) > 1
        if has_news and interval > 0 and not context.timers.is_set(_GOSSIP):
            context.timers.set(_GOSSIP, next_in_phase(self._gossip_phase, interval, now))

    def _settle(self, *, now: float) -> list[Event]:
        """Return the events of a call, after what every call has to look at."""
        self._arm_gossip(now=now)
        context = self._context
        if context.timers.is_set(_LEAVE) and context.name not in context.broadcasts:
            self._end_leaving()
        return context.take_events()

    def _drop(self, reason: DropReason) -> None:
        self._context.drops[reason] += 1
