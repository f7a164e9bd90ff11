"""What is to be gossiped: one message a member, each sent a limited number of times."""

import math
from typing import Final

from ferrolb.model import NodeName

_SMALLEST_BYTES: Final = 32
"""No broadcast is shorter; with less room than that nothing is looked for."""


def transmit_limit(mult: int, member_count: int) -> int:
    """Return how often a message is sent among that many members, so that it reaches them all."""
    return mult * math.ceil(math.log10(member_count + 1))


class Broadcasts:
    """The queue. It never holds more messages than there are members' names."""

    def __init__(self) -> None:
        # _tiers[n] has the messages sent n times, oldest first; a name is in one tier at most.
        self._tiers: dict[int, dict[NodeName, bytes]] = {}
        self._tier_of: dict[NodeName, int] = {}

    def __len__(self) -> int:
        return len(self._tier_of)

    def __contains__(self, name: object) -> bool:
        return name in self._tier_of

    def queue(self, name: NodeName, message: bytes) -> None:
        """Gossip a message about a member, in place of an older one about it."""
        self.forget(name)
        self._put(0, name, message)

    def forget(self, name: NodeName) -> None:
        """Gossip nothing more about a member."""
        tier = self._tier_of.pop(name, None)
        if tier is not None:
            self._remove(tier, name)

    def take(self, room_bytes: int, *, overhead_bytes: int, limit: int) -> list[bytes]:
        """Return messages that fit the room: those sent least, of these the newest, come first."""
        taken: list[tuple[int, NodeName, bytes]] = []
        for tier in sorted(self._tiers):
            for name in reversed(self._tiers[tier]):
                if room_bytes < _SMALLEST_BYTES:
                    break
                message = self._tiers[tier][name]
                if overhead_bytes + len(message) <= room_bytes:
                    room_bytes -= overhead_bytes + len(message)
                    taken.append((tier, name, message))
        for tier, name, message in taken:
            self._remove(tier, name)
            del self._tier_of[name]
            if tier + 1 < limit:
                self._put(tier + 1, name, message)
        return [message for _, _, message in taken]

    def _put(self, tier: int, name: NodeName, message: bytes) -> None:
        self._tiers.setdefault(tier, {})[name] = message
        self._tier_of[name] = tier

    def _remove(self, tier: int, name: NodeName) -> None:
        del self._tiers[tier][name]
        if not self._tiers[tier]:
            del self._tiers[tier]
