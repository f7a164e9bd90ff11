"""What the parts of one machine have in common."""

from collections import Counter
from typing import Final

from ferrolb.gossip.broadcasts import Broadcasts
from ferrolb.gossip.constants import (
    PROTOCOL_VERSION,
    PROTOCOL_VERSION_MAX,
    PROTOCOL_VERSION_MIN,
    SEQUENCE_MODULUS,
    DropReason,
)
from ferrolb.gossip.keyring import Keyring
from ferrolb.gossip.outbox import Outbox
from ferrolb.gossip.settings import GossipSettings
from ferrolb.gossip.timers import Timers
from ferrolb.gossip.values import Event, Random, SocketAddress
from ferrolb.model import NodeName

OWN_VERSIONS: Final = bytes([PROTOCOL_VERSION_MIN, PROTOCOL_VERSION_MAX, PROTOCOL_VERSION, 0, 0, 0])
"""Least, highest and current version; those of the delegate, which there is none of."""


class Context:
    """Who this member is, and what every part of it uses: settings, chance, timers, counters."""

    def __init__(
        self,
        settings: GossipSettings,
        *,
        name: NodeName,
        address: SocketAddress,
        keyring: Keyring | None,
        random: Random,
    ) -> None:
        self.settings = settings
        self.name = name
        self.address = address
        self.keyring = keyring
        self.random = random
        self.timers = Timers()
        self.broadcasts = Broadcasts()
        self.outbox = Outbox(settings, keyring, self.broadcasts)
        self.drops: Counter[DropReason] = Counter()
        self.is_leaving = False
        self.health_score = 0
        self._events: list[Event] = []
        # Begun anywhere, so that a stranger who sees no datagram cannot make up an ack.
        self._sequence = random.randrange(SEQUENCE_MODULUS)

    def next_sequence(self) -> int:
        """Return a number for a ping that no other ping under way has."""
        self._sequence = (self._sequence + 1) % SEQUENCE_MODULUS
        return self._sequence

    def add_health(self, delta: int) -> None:
        """Make the score worse (positive) or better, within its bounds."""
        top = max(0, self.settings.awareness_max_multiplier - 1)
        self.health_score = max(0, min(top, self.health_score + delta))

    def tell(self, event: Event) -> None:
        """Return an event from the call that is under way."""
        self._events.append(event)

    def take_events(self) -> list[Event]:
        """Return the events, and forget them."""
        events, self._events = self._events, []
        return events
