"""Indirect pings for others: ping the target, pass its ack on, or say that there was none."""

from collections import deque
from dataclasses import dataclass

from ferrolb.gossip.constants import RELAYS_MAX, RELAYS_PER_S, DropReason
from ferrolb.gossip.context import Context
from ferrolb.gossip.messages import Ack, IndirectPing, Nack, Ping, encode_message
from ferrolb.gossip.roster import Roster
from ferrolb.gossip.timers import Timer, TimerKind
from ferrolb.gossip.values import SocketAddress


@dataclass(frozen=True, slots=True, kw_only=True)
class _Relay:
    asker: SocketAddress
    sequence: int
    wants_nack: bool


class Relays:
    """Indirect pings under way, by the sequence number of the own ping."""

    def __init__(self, context: Context, roster: Roster) -> None:
        self._context = context
        self._roster = roster
        self._relays: dict[int, _Relay] = {}
        # When the last RELAYS_PER_S of them began.
        self._begun: deque[float] = deque(maxlen=RELAYS_PER_S)

    def __len__(self) -> int:
        return len(self._relays)

    def on_request(self, request: IndirectPing, source: SocketAddress, *, now: float) -> None:
        """Ping the target."""
        is_fast = len(self._begun) == RELAYS_PER_S and now - self._begun[0] < 1.0
        if is_fast or len(self._relays) >= RELAYS_MAX:
            self._context.drops[DropReason.RELAYS_FULL] += 1
            return
        context = self._context
        self._begun.append(now)
        sequence = context.next_sequence()
        self._relays[sequence] = _Relay(
            asker=request.source or source,
            sequence=request.sequence,
            wants_nack=request.wants_nack,
        )
        due = now + context.settings.probe_timeout_s
        context.timers.set(Timer(TimerKind.RELAY, sequence), due)
        ping = Ping(
            sequence=sequence,
            node=request.node,
            source=context.address,
            source_node=context.name,
        )
        port = request.target.port or context.address.port
        send(context, self._roster, SocketAddress(request.target.ip, port), encode_message(ping))

    def on_ack(self, sequence: int) -> bool:
        """Pass an ack on; return False if it is for nobody here."""
        relay = self._relays.pop(sequence, None)
        if relay is None:
            return False
        self._context.timers.cancel(Timer(TimerKind.RELAY, sequence))
        ack = encode_message(Ack(sequence=relay.sequence))
        send(self._context, self._roster, relay.asker, ack)
        return True

    def on_timeout(self, sequence: int) -> None:
        """Say that there was no ack, if that is wanted."""
        relay = self._relays.pop(sequence)
        if relay.wants_nack:
            nack = encode_message(Nack(sequence=relay.sequence))
            send(self._context, self._roster, relay.asker, nack)


def send(context: Context, roster: Roster, to: SocketAddress, message: bytes) -> None:
    """Send a message, with gossip on board if the address is a member's.

    A stranger gets no more than the message: else a short forged ping would make a long datagram.
    """
    if roster.knows_address(to):
        context.outbox.send(to, message, limit=roster.transmit_limit)
    else:
        context.outbox.send_bare(to, [message])
