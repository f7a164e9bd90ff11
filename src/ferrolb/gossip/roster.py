"""Who is a member: the rules by which alive, suspect and dead messages change that."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from ferrolb.gossip.broadcasts import transmit_limit
from ferrolb.gossip.constants import INCARNATION_MAX, MEMBERS_MAX, DropReason
from ferrolb.gossip.context import OWN_VERSIONS, Context
from ferrolb.gossip.messages import Alive, Dead, Entry, Message, Suspect, encode_message
from ferrolb.gossip.suspicion import Suspicion, confirmations_expected, min_timeout_s
from ferrolb.gossip.timers import Timer, TimerKind
from ferrolb.gossip.values import (
    Member,
    MemberJoined,
    MemberLeft,
    MemberState,
    MemberUpdated,
    SocketAddress,
)
from ferrolb.model import NodeName

_VERSIONS_BYTES: Final = 6
_NO_VERSIONS: Final = bytes(_VERSIONS_BYTES)


@dataclass(slots=True, kw_only=True)
class Node:
    """What is known of one member."""

    number: int
    """Never used again: names its suspicion timer."""
    name: NodeName
    address: SocketAddress
    incarnation: int
    meta: bytes
    versions: bytes
    state: MemberState
    changed_at: float
    suspected_at: float = 0.0
    suspicion: Suspicion | None = None

    @property
    def version_max(self) -> int:
        """The highest protocol version that it understands."""
        return self.versions[1]

    def member(self) -> Member:
        """Return it as a value."""
        return Member(
            name=self.name,
            address=self.address,
            state=self.state,
            incarnation=self.incarnation,
            meta=self.meta,
        )


class Roster:
    """All members known, this one and the dead ones included."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._nodes: dict[NodeName, Node] = {}
        # The same nodes in the order in which they are probed.
        self._order: list[Node] = []
        self._suspects: dict[int, NodeName] = {}
        self._addresses: Counter[SocketAddress] = Counter()
        self._numbers = 0
        self._members: tuple[Member, ...] | None = None

    def __len__(self) -> int:
        return len(self._nodes)

    @property
    def members(self) -> tuple[Member, ...]:
        """Alive and suspect ones by name."""
        if self._members is None:
            nodes = sorted(self._nodes.values(), key=lambda node: node.name)
            self._members = tuple(node.member() for node in nodes if not node.state.is_gone)
        return self._members

    @property
    def order(self) -> Sequence[Node]:
        """The nodes in the order in which they are probed."""
        return self._order

    @property
    def transmit_limit(self) -> int:
        """How often a broadcast is sent at present."""
        return transmit_limit(self._context.settings.retransmit_mult, len(self._nodes))

    def knows_address(self, address: SocketAddress) -> bool:
        """Tell whether somebody known, dead or alive, has the address."""
        return address in self._addresses

    def has_live(self, address: SocketAddress) -> bool:
        """Tell whether a member has the address."""
        return self.knows_address(address) and any(
            node.address == address and not node.state.is_gone for node in self._order
        )

    def find(self, name: NodeName) -> Node | None:
        """Return the node of that name."""
        return self._nodes.get(name)

    def choose(self, count: int, is_wanted: Callable[[Node], bool]) -> list[Node]:
        """Return up to `count` others, chosen by chance."""
        me = self._context.name
        wanted = [node for node in self._order if node.name != me and is_wanted(node)]
        return self._context.random.sample(wanted, min(count, len(wanted)))

    def entries(self) -> tuple[Entry, ...]:
        """Return all that is known, for another member."""
        return tuple(
            Entry(
                name=node.name,
                address=node.address,
                incarnation=node.incarnation,
                meta=node.meta,
                state=node.state,
                versions=node.versions,
            )
            for node in self._order
        )

    def add_self(self, *, now: float) -> None:
        """Make this member the first one, and gossip it."""
        context = self._context
        alive = Alive(
            incarnation=1,
            node=context.name,
            address=context.address,
            meta=b"",
            versions=OWN_VERSIONS,
        )
        node = self._add(alive, now=now)
        node.state, node.incarnation = MemberState.ALIVE, 1
        self._broadcast(node.name, alive)

    def reap(self, *, now: float) -> None:
        """Forget who has been gone for long, and bring the others into a new order."""
        kept = self._context.settings.gossip_to_the_dead_time_s
        for node in list(self._order):
            is_own = node.name == self._context.name
            if node.state.is_gone and not is_own and now - node.changed_at > kept:
                del self._nodes[node.name]
                self._forget_address(node.address)
                self._context.broadcasts.forget(node.name)
        self._order = list(self._nodes.values())
        self._context.random.shuffle(self._order)

    def on_alive(self, alive: Alive, *, now: float) -> None:
        """Take note that somebody is there."""
        if alive.node == self._context.name:
            self._on_alive_self(alive)
            return
        alive = self._with_port(alive)
        if not _are_versions_valid(alive.versions):
            self._drop(DropReason.BAD_VERSION)
            return
        node = self._nodes.get(alive.node)
        is_moved = False
        if node is None:
            if len(self._nodes) >= MEMBERS_MAX:
                self._drop(DropReason.MEMBERS_FULL)
                return
            node = self._add(alive, now=now)
        elif node.address != alive.address:
            is_moved = node.state is MemberState.LEFT
            if not is_moved:
                self._drop(DropReason.ADDRESS_CONFLICT)
                return
        if alive.incarnation > node.incarnation or is_moved:
            self._revive(node, alive, now=now)

    def on_suspect(self, suspect: Suspect, *, now: float) -> None:
        """Take note that somebody is suspected."""
        node = self._accused(suspect)
        if node is None:
            return
        if node.suspicion is not None:
            if node.suspicion.confirm(suspect.sender):
                self._broadcast(node.name, suspect)
                self._set_timer(node, node.suspected_at + node.suspicion.timeout_s)
            return
        if node.state is not MemberState.ALIVE:
            return
        if node.name == self._context.name:
            self._refute(node, suspect.incarnation)
            return
        self._broadcast(node.name, suspect)
        node.incarnation = suspect.incarnation
        self._change(node, MemberState.SUSPECT, now=now)
        self._begin_suspicion(node, suspect.sender, now=now)

    def on_dead(self, dead: Dead, *, now: float) -> None:
        """Take note that somebody is gone."""
        node = self._accused(dead)
        if node is None or node.state.is_gone:
            return
        is_own = node.name == self._context.name
        if is_own and not self._context.is_leaving:
            self._refute(node, dead.incarnation)
            return
        self._end_suspicion(node)
        self._broadcast(node.name, dead)
        node.incarnation = dead.incarnation
        has_left = dead.sender == dead.node
        self._change(node, MemberState.LEFT if has_left else MemberState.DEAD, now=now)
        if not is_own:
            self._context.tell(MemberLeft(node.member()))

    def on_suspicion_timeout(self, number: int, *, now: float, due: float) -> None:
        """Declare dead who has not defended itself.

        After a stall of this very program the defence may still wait in a socket: a moment more.
        """
        node = self._nodes[self._suspects[number]]
        patience = self._context.settings.probe_timeout_s
        if now - due > patience:
            self._set_timer(node, now + patience)
            return
        self.on_dead(
            Dead(incarnation=node.incarnation, node=node.name, sender=self._context.name), now=now
        )

    def merge(self, entries: Iterable[Entry], *, now: float) -> bool:
        """Take over what another member knows; return False if it speaks another protocol."""
        entries = tuple(entries)
        if not self._are_compatible(entries):
            self._drop(DropReason.BAD_VERSION)
            return False
        for entry in entries:
            self._merge_entry(entry, now=now)
        return True

    def _merge_entry(self, entry: Entry, *, now: float) -> None:
        match entry.state:
            case MemberState.ALIVE:
                alive = Alive(
                    incarnation=entry.incarnation,
                    node=entry.name,
                    address=entry.address,
                    meta=entry.meta,
                    versions=entry.versions,
                )
                self.on_alive(alive, now=now)
            case MemberState.LEFT:
                self.on_dead(
                    Dead(incarnation=entry.incarnation, node=entry.name, sender=entry.name), now=now
                )
            case MemberState.SUSPECT | MemberState.DEAD:
                # Death by hearsay is verified: the accused gets the time to defend itself.
                sender = self._context.name
                self.on_suspect(
                    Suspect(incarnation=entry.incarnation, node=entry.name, sender=sender), now=now
                )
            case _:
                self._drop(DropReason.MALFORMED)

    def _are_compatible(self, entries: Sequence[Entry]) -> bool:
        """Tell whether all current versions lie in what every member that is alive understands."""
        known = [(node.versions, node.state) for node in self._order]
        theirs = [
            (e.versions if len(e.versions) == _VERSIONS_BYTES else _NO_VERSIONS, e.state)
            for e in entries
        ]
        ranges = [v for v, state in known + theirs if state == MemberState.ALIVE and any(v)]
        for least, highest, current in ((0, 1, 2), (3, 4, 5)):
            low = max((versions[least] for versions in ranges), default=0)
            high = min((versions[highest] for versions in ranges), default=255)
            if not all(low <= versions[current] <= high for versions, _ in known + theirs):
                return False
        return True

    def _on_alive_self(self, alive: Alive) -> None:
        node = self._nodes.get(alive.node)
        if node is None or self._context.is_leaving:
            return
        if self._with_port(alive).address != node.address:
            self._drop(DropReason.ADDRESS_CONFLICT)
            return
        is_same = (alive.meta, alive.versions) == (node.meta, node.versions)
        if alive.incarnation < node.incarnation or (
            alive.incarnation == node.incarnation and is_same
        ):
            return
        self._refute(node, alive.incarnation)

    def _refute(self, node: Node, accused_incarnation: int) -> None:
        """Outbid what is said of this member."""
        above = max(node.incarnation, accused_incarnation) + 1
        node.incarnation = min(above, INCARNATION_MAX)
        self._members = None
        self._context.add_health(1)
        alive = Alive(
            incarnation=node.incarnation,
            node=node.name,
            address=node.address,
            meta=node.meta,
            versions=node.versions,
        )
        self._broadcast(node.name, alive)

    def _revive(self, node: Node, alive: Alive, *, now: float) -> None:
        self._end_suspicion(node)
        self._broadcast(node.name, alive)
        was_gone, old_meta = node.state.is_gone, node.meta
        if node.address != alive.address:
            self._forget_address(node.address)
            self._addresses[alive.address] += 1
        node.address, node.meta, node.versions = alive.address, alive.meta, alive.versions
        node.incarnation = alive.incarnation
        self._members = None
        if node.state is not MemberState.ALIVE:
            self._change(node, MemberState.ALIVE, now=now)
        if was_gone:
            self._context.tell(MemberJoined(node.member()))
        elif old_meta != node.meta:
            self._context.tell(MemberUpdated(node.member()))

    def _accused(self, accusation: Suspect | Dead) -> Node | None:
        node = self._nodes.get(accusation.node)
        if node is None:
            self._drop(DropReason.UNKNOWN_NODE)
            return None
        return node if accusation.incarnation >= node.incarnation else None

    def _add(self, alive: Alive, *, now: float) -> Node:
        """Add a node, dead so far, at any place of the order: so that it is soon probed."""
        self._numbers += 1
        node = Node(
            number=self._numbers,
            name=alive.node,
            address=alive.address,
            incarnation=0,
            meta=alive.meta,
            versions=alive.versions,
            state=MemberState.DEAD,
            changed_at=now,
        )
        self._nodes[node.name] = node
        self._addresses[node.address] += 1
        place = self._context.random.randrange(len(self._order) + 1)
        self._order.insert(place, node)
        self._members = None
        return node

    def _forget_address(self, address: SocketAddress) -> None:
        self._addresses[address] -= 1
        if not self._addresses[address]:
            del self._addresses[address]

    def _change(self, node: Node, state: MemberState, *, now: float) -> None:
        node.state, node.changed_at = state, now
        self._members = None

    def _begin_suspicion(self, node: Node, sender: str, *, now: float) -> None:
        settings, count = self._context.settings, len(self._nodes)
        mult = settings.suspicion_mult
        node.suspicion = Suspicion(
            sender,
            expected=confirmations_expected(mult, count),
            shortest_s=min_timeout_s(mult, count, settings.probe_interval_s),
            max_mult=settings.suspicion_max_timeout_mult,
        )
        node.suspected_at = now
        self._suspects[node.number] = node.name
        self._set_timer(node, now + node.suspicion.timeout_s)

    def _end_suspicion(self, node: Node) -> None:
        if node.suspicion is not None:
            node.suspicion = None
            del self._suspects[node.number]
            self._context.timers.cancel(Timer(TimerKind.SUSPICION, node.number))

    def _set_timer(self, node: Node, deadline: float) -> None:
        self._context.timers.set(Timer(TimerKind.SUSPICION, node.number), deadline)

    def _broadcast(self, name: NodeName, message: Message) -> None:
        self._context.broadcasts.queue(name, encode_message(message))

    def _with_port(self, alive: Alive) -> Alive:
        if alive.address.port:
            return alive
        own = self._context.address.port
        return replace(alive, address=SocketAddress(alive.address.ip, own))

    def _drop(self, reason: DropReason) -> None:
        self._context.drops[reason] += 1


def _are_versions_valid(versions: bytes) -> bool:
    return len(versions) == _VERSIONS_BYTES and 0 < versions[0] <= versions[1]
