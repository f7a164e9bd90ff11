"""Datagrams on their way out: gossip on board, layers around, encryption outermost."""

from collections.abc import Sequence
from typing import Final

from ferrolb.gossip.broadcasts import Broadcasts
from ferrolb.gossip.constants import COMPRESS_MIN_BYTES
from ferrolb.gossip.framing import (
    COMPOUND_HEAD_BYTES,
    COMPOUND_PART_BYTES,
    COMPOUND_PARTS_MAX,
    compound,
    compressed,
    with_checksum,
)
from ferrolb.gossip.keyring import OVERHEAD_BYTES, Keyring
from ferrolb.gossip.settings import GossipSettings
from ferrolb.gossip.values import Datagram, SocketAddress

_NO_AAD: Final = b""
"""Datagrams have no label, which is what would be authenticated beside them."""


class Outbox:
    """Datagrams made and not yet taken."""

    def __init__(
        self, settings: GossipSettings, keyring: Keyring | None, broadcasts: Broadcasts
    ) -> None:
        self._settings = settings
        self._keyring = keyring if settings.verify_outgoing else None
        self._broadcasts = broadcasts
        self._datagrams: list[Datagram] = []
        sealing = OVERHEAD_BYTES if self._keyring is not None else 0
        self._room_bytes = settings.udp_buffer_size - COMPOUND_HEAD_BYTES - sealing

    @property
    def room_bytes(self) -> int:
        """What one datagram has room for, lengths of the parts included."""
        return self._room_bytes

    def send(self, to: SocketAddress, message: bytes, *, limit: int) -> None:
        """Send a message, and gossip with it as far as there is room."""
        room = self._room_bytes - COMPOUND_PART_BYTES - len(message)
        self.send_bare(to, [message, *self._gossip(room, limit)])

    def gossip(self, to: SocketAddress, *, limit: int, has_checksum: bool) -> bool:
        """Send gossip alone; return whether there was any."""
        messages = self._gossip(self._room_bytes, limit)
        if messages:
            self.send_bare(to, messages, has_checksum=has_checksum)
        return bool(messages)

    def send_bare(
        self, to: SocketAddress, messages: Sequence[bytes], *, has_checksum: bool = False
    ) -> None:
        """Send messages in one datagram, and nothing else with them."""
        content = messages[0] if len(messages) == 1 else compound(messages)
        if self._settings.has_compression and len(content) >= COMPRESS_MIN_BYTES:
            content = min(compressed(content), content, key=len)
        if has_checksum:
            content = with_checksum(content)
        if self._keyring is not None:
            content = self._keyring.seal(content, _NO_AAD)
        self._datagrams.append(Datagram(to, content))

    def drain(self) -> list[Datagram]:
        """Return the datagrams, and forget them."""
        datagrams, self._datagrams = self._datagrams, []
        return datagrams

    def _gossip(self, room: int, limit: int) -> list[bytes]:
        messages = self._broadcasts.take(room, overhead_bytes=COMPOUND_PART_BYTES, limit=limit)
        return messages[: COMPOUND_PARTS_MAX - 1]
