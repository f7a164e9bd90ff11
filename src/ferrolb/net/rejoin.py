"""Finds the members that have been lost: asks, again and again, those peers who are none."""

import asyncio
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ferrolb.gossip import SocketAddress
    from ferrolb.net.gossip import GossipDriver

REJOIN_S: Final = 60.0
"""MetalLB's pace. Dead members are not probed, so after a partition this is what reunites."""


class Rejoin:
    """Joins, at the start, on demand and at intervals, all peers that are no members."""

    def __init__(
        self,
        driver: "GossipDriver",
        *,
        peers: "Callable[[], Iterable[SocketAddress]]",
        interval_s: float = REJOIN_S,
    ) -> None:
        """Make it.

        Args:
            driver: runs the member.
            peers: returns where the others should be now; the own address may be among them.
            interval_s: pause between two rounds; at most so long lasts a healed partition.
        """
        self._driver = driver
        self._peers = peers
        self._interval_s = interval_s
        self._poked = asyncio.Event()

    def poke(self) -> None:
        """Begin a round soon; several pokes before it are one."""
        self._poked.set()

    async def run(self) -> None:
        """Begin a round at once, at each interval and at each poke, until cancelled."""
        while True:
            self._poked.clear()
            self._round()
            try:
                async with asyncio.timeout(self._interval_s):
                    await self._poked.wait()
            except TimeoutError:
                continue

    def _round(self) -> None:
        """Ask those at whose address there is no live member, all of them side by side."""
        present = {member.address.ip for member in self._driver.membership.members}
        missing = [peer for peer in self._peers() if peer.ip not in present]
        if missing:
            self._driver.join(missing)
