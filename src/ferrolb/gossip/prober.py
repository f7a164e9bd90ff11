"""Failure detection: one member at a time is pinged, then asked for through others and by TCP."""

from dataclasses import dataclass

from ferrolb.gossip.constants import VERSION_CRC, VERSION_NACK, VERSION_TCP_PING
from ferrolb.gossip.context import Context
from ferrolb.gossip.messages import IndirectPing, Ping, Suspect, encode_message
from ferrolb.gossip.relays import send
from ferrolb.gossip.roster import Node, Roster
from ferrolb.gossip.streams import Streams
from ferrolb.gossip.timers import Timer, TimerKind, next_in_phase
from ferrolb.gossip.values import MemberState, SocketAddress
from ferrolb.model import NodeName

_PROBE = Timer(TimerKind.PROBE)
_TIMEOUT = Timer(TimerKind.PROBE_TIMEOUT)
_VERDICT = Timer(TimerKind.PROBE_VERDICT)


@dataclass(slots=True, kw_only=True)
class _Probe:
    name: NodeName
    address: SocketAddress
    incarnation: int
    version_max: int
    sequence: int
    verdict_at: float
    nacks_expected: int = 0
    nacks: int = 0


class Prober:
    """The probes of one member, one at a time."""

    def __init__(self, context: Context, roster: Roster, streams: Streams) -> None:
        self._context = context
        self._roster = roster
        self._streams = streams
        self._phase = 0.0
        self._next = 0
        self._probe: _Probe | None = None
        self._is_overdue = False

    def start(self, *, now: float) -> None:
        """Begin within an interval: members that start together do not probe together."""
        interval = self._context.settings.probe_interval_s
        if interval > 0:
            self._phase = now + self._context.random.random() * interval
            self._context.timers.set(_PROBE, self._phase)

    def stop(self) -> None:
        """Probe no more."""
        self._probe = None
        for timer in (_PROBE, _TIMEOUT, _VERDICT):
            self._context.timers.cancel(timer)

    def on_tick(self, *, now: float) -> None:
        """Probe the next one, or do so once the probe under way is over."""
        interval = self._context.settings.probe_interval_s
        self._context.timers.set(_PROBE, next_in_phase(self._phase, interval, now))
        if self._probe is None:
            self._begin(now=now)
        else:
            self._is_overdue = True

    def on_timeout(self) -> None:
        """Without an ack so far, ask others to try, and try TCP."""
        probe, settings = self._probe, self._context.settings
        if probe is None:
            return
        helpers = self._roster.choose(
            settings.indirect_checks,
            lambda node: node.state is MemberState.ALIVE and node.name != probe.name,
        )
        for helper in helpers:
            wants_nack = helper.version_max >= VERSION_NACK
            probe.nacks_expected += wants_nack
            request = IndirectPing(
                sequence=probe.sequence,
                node=probe.name,
                target=probe.address,
                wants_nack=wants_nack,
                source=self._context.address,
                source_node=self._context.name,
            )
            send(self._context, self._roster, helper.address, encode_message(request))
        if settings.has_tcp_pings and probe.version_max >= VERSION_TCP_PING:
            self._streams.ping(
                probe.address, self._ping(probe.name, probe.sequence), deadline=probe.verdict_at
            )

    def on_ack(self, sequence: int, *, now: float) -> bool:
        """End the probe well; return False if the ack is for nobody here."""
        if self._probe is None or self._probe.sequence != sequence:
            return False
        self._end(-1, now=now)
        return True

    def on_nack(self, sequence: int) -> bool:
        """Count a helper's word; return False if the nack is for nobody here."""
        probe = self._probe
        if probe is None or probe.sequence != sequence:
            return False
        probe.nacks = min(probe.nacks + 1, probe.nacks_expected)
        return True

    def on_verdict(self, *, now: float, due: float) -> None:
        """Suspect who has answered in no way."""
        probe = self._probe
        if probe is None:
            return
        if self._streams.has_acked(probe.sequence):
            self._end(-1, now=now)
            return
        if now - due > self._context.settings.probe_timeout_s:
            # This program stalled: the answer may wait in a socket. Its own health is in doubt.
            self._end(1, now=now)
            return
        suspect = Suspect(incarnation=probe.incarnation, node=probe.name, sender=self._context.name)
        missing = probe.nacks_expected - probe.nacks if probe.nacks_expected else 1
        self._roster.on_suspect(suspect, now=now)
        self._end(missing, now=now)

    def _end(self, health_delta: int, *, now: float) -> None:
        self._probe = None
        self._context.timers.cancel(_TIMEOUT)
        self._context.timers.cancel(_VERDICT)
        self._context.add_health(health_delta)
        if self._is_overdue:
            self._begin(now=now)

    def _begin(self, *, now: float) -> None:
        self._is_overdue = False
        node = self._choose(now=now)
        if node is None:
            return
        settings, timers = self._context.settings, self._context.timers
        interval = settings.probe_interval_s * (1 + self._context.health_score)
        probe = _Probe(
            name=node.name,
            address=node.address,
            incarnation=node.incarnation,
            version_max=node.version_max,
            sequence=self._context.next_sequence(),
            verdict_at=now + interval,
        )
        self._probe = probe
        timers.set(_TIMEOUT, now + min(settings.probe_timeout_s, interval))
        timers.set(_VERDICT, probe.verdict_at)
        ping = encode_message(self._ping(node.name, probe.sequence))
        if node.state is MemberState.ALIVE:
            send(self._context, self._roster, node.address, ping)
            return
        # The suspect shall hear of it, so that it can defend itself.
        suspect = Suspect(incarnation=node.incarnation, node=node.name, sender=self._context.name)
        self._context.outbox.send_bare(
            node.address,
            [ping, encode_message(suspect)],
            has_checksum=node.version_max >= VERSION_CRC,
        )

    def _choose(self, *, now: float) -> Node | None:
        """Return the next one in the order, which is made anew at its end."""
        for _ in range(2):
            order = self._roster.order
            while self._next < len(order):
                node = order[self._next]
                self._next += 1
                if node.name != self._context.name and not node.state.is_gone:
                    return node
            self._roster.reap(now=now)
            self._next = 0
        return None

    def _ping(self, name: NodeName, sequence: int) -> Ping:
        return Ping(
            sequence=sequence,
            node=name,
            source=self._context.address,
            source_node=self._context.name,
        )
