"""Who the other speakers are: the gossip, and how its members are found."""

import asyncio
import os
import random
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

from ferrolb.gossip import (
    LAN,
    WAN,
    JoinFailed,
    JoinSucceeded,
    Keyring,
    MemberJoined,
    MemberLeft,
    Membership,
    MemberState,
    SettingsError,
    SocketAddress,
    derive_key,
    parse_settings,
)
from ferrolb.kube import ApiError, half_to_full, list_pods
from ferrolb.net import GossipBindError, GossipDriver, Rejoin, aes_gcm
from ferrolb.reconcile import Backoff
from ferrolb.runtime import StartupError
from ferrolb.speaker.files import read_secret, read_tuning
from ferrolb.telemetry import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from ferrolb.gossip import Event, GossipSettings
    from ferrolb.kube import ApiClient, PodObject
    from ferrolb.model import NodeName
    from ferrolb.speaker.options import GossipOptions, SpeakerOptions

JOIN_PATIENCE_S: Final = 2.0
"""How long a starting speaker waits to hear who is there before it elects anybody. A peer that is
up answers in milliseconds; one that starts at the same moment joins us within this time."""

PEERS_RETRY: Final = Backoff(base_s=0.2, cap_s=15.0)
"""Waits of a starting speaker that cannot list the Pods. It announces nothing before it knows who
else may, or before another speaker has found it: two that do not know each other would both answer
for one address."""

PEERS_REFRESH_S: Final = 300.0
"""How often the speakers' Pods are listed (layer2.md section 10.4)."""

_NONCE_BYTES: Final = 12


class Members:
    """Keeps the gossip running and tells who is in it."""

    def __init__(
        self,
        client: "ApiClient",
        options: "SpeakerOptions",
        gossip: "GossipOptions",
        *,
        changed: "Callable[[], None]",
        merged: "Callable[[], None]",
    ) -> None:
        """Make the member; nothing is sent before `run`.

        Args:
            client: lists the speakers' Pods.
            options: the speaker's.
            gossip: where and how to gossip.
            changed: called when somebody came or went.
            merged: called when somebody came back who had been taken for dead: two halves of the
                cluster may have announced the same addresses meanwhile.

        Raises:
            StartupError: secret or tuning cannot be used.
        """
        self._client = client
        self._namespace = options.namespace
        self._labels = gossip.labels
        self._port = gossip.bind_port
        self._changed = changed
        self._merged = merged
        self._dead: set[NodeName] = set()
        self._peers: tuple[SocketAddress, ...] = ()
        self._failure = ""
        self._log = get_logger(component="Memberlist")
        self._membership = Membership(
            _settings(gossip),
            name=options.node_name,
            address=SocketAddress(gossip.bind_address, gossip.bind_port),
            keyring=_keyring(gossip),
            random=random.SystemRandom(),
        )
        self._driver = GossipDriver(self._membership, on_event=self._on_event)
        self._rejoin = Rejoin(self._driver, peers=lambda: self._peers)
        self.joined = asyncio.Event()
        """Set once the others are known, or once they have had their time to be."""

    @property
    def names(self) -> "frozenset[NodeName]":
        """The members alive or suspect, this node included."""
        return frozenset(member.name for member in self._membership.members)

    def count(self) -> int:
        """Return how many members there are."""
        return len(self._membership.members)

    def drops(self) -> "Mapping[str, int]":
        """Return how much of what came in was dropped, by reason."""
        return {reason.value: count for reason, count in self._membership.drops.items()}

    async def run(self) -> None:
        """Gossip until cancelled.

        Raises:
            StartupError: the address cannot be bound.
        """
        try:
            await self._driver.run()
        except GossipBindError as error:
            raise StartupError(str(error)) from error

    async def find(self) -> None:
        """Find and join the others, again and again, until cancelled."""
        async with asyncio.TaskGroup() as group:
            await self._list_until_answered()
            group.create_task(self._rejoin.run(), name="rejoin")
            await self._wait_for_others()
            while True:
                await asyncio.sleep(PEERS_REFRESH_S)
                await self._list_peers()

    def rejoin(self) -> None:
        """Ask those peers who are no members now."""
        self._rejoin.poke()

    async def leave(self) -> None:
        """Tell the others, and wait a second at most until they have been told."""
        await self._driver.leave()

    async def _wait_for_others(self) -> None:
        """Wait for the first peer; a speaker that is alone has nobody to wait for."""
        if self._peers:
            try:
                async with asyncio.timeout(JOIN_PATIENCE_S):
                    await self.joined.wait()
            except TimeoutError:
                self._log.warning("no other speaker has answered, going on", peers=len(self._peers))
        self.joined.set()

    async def _list_until_answered(self) -> None:
        failures = 0
        while not await self._list_peers():
            failures += 1
            await asyncio.sleep(PEERS_RETRY.delay_s(failures, half_to_full))

    async def _list_peers(self) -> bool:
        try:
            pods = await list_pods(
                self._client, namespace=self._namespace, label_selector=self._labels
            )
        except ApiError as error:
            # told when the cause changes, not once a try
            if self._failure != error.message:
                self._log.warning("cannot list the other speakers' pods", error=error.message)
            self._failure = error.message
            return False
        self._failure = ""
        own = self._membership.address
        peers = (peer for peer in _peers(pods, self._port) if peer != own)
        self._peers = tuple(dict.fromkeys(peers))
        return True

    def _on_event(self, event: "Event") -> None:
        match event:
            case MemberJoined(member=member):
                self._log.info("node event - node joined", node=member.name)
                is_back = member.name in self._dead
                self._dead.discard(member.name)
                self.joined.set()
                self._changed()
                if is_back:
                    self._merged()
            case MemberLeft(member=member):
                self._log.info("node event - node left", node=member.name, state=member.state.name)
                if member.state is MemberState.DEAD:
                    self._dead.add(member.name)
                self._changed()
            case JoinSucceeded(peer=peer):
                self._log.info("joined", peer=str(peer))
                self.joined.set()
            case JoinFailed(peer=peer, reason=reason):
                self._log.warning("partial join", peer=str(peer), error=reason.value)
            case _:
                pass


def _peers(pods: "Iterable[PodObject]", port: int) -> "Iterable[SocketAddress]":
    for pod in pods:
        if not pod.ip:
            continue  # not yet scheduled; the next list has it
        try:
            yield SocketAddress(ip_address(pod.ip), port)
        except ValueError:
            continue


def _settings(gossip: "GossipOptions") -> "GossipSettings":
    tuning = read_tuning(gossip.tuning_file)
    if tuning is None:
        return WAN if gossip.is_wan else LAN
    try:
        return parse_settings(tuning)
    except SettingsError as error:
        raise StartupError(f"{gossip.tuning_file}: {error}") from error


def _keyring(gossip: "GossipOptions") -> Keyring | None:
    secret = b"" if gossip.secret_folder is None else read_secret(gossip.secret_folder)
    if not secret:
        get_logger().warning("the gossip is not encrypted: no memberlist secret is given")
        return None
    return Keyring([derive_key(secret)], aead=aes_gcm, nonce=lambda: os.urandom(_NONCE_BYTES))
