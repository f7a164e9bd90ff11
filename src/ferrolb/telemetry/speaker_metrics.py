"""What a speaker reports: MetalLB's layer-2 series, and ours.

Series by address are kept and written by hand. A counter costs one look-up on the path of an ARP
reply, a scrape of thousands of them some milliseconds, and MetalLB's counters keep their names,
which lack the `_total` that the client library would add.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from prometheus_client import Counter

if TYPE_CHECKING:
    from ferrolb.model import IPAddress, NodeName, ServiceKey
    from ferrolb.telemetry.metrics import Registry

MAX_FORMER: Final = 4096
"""How many addresses keep their counters after this node has ceased to announce them. They stay,
as MetalLB's do, so that rates survive a move to and fro; without a limit a cluster that gives ever
new addresses would make the speaker grow for ever. Each costs some 300 bytes and five lines a
scrape; the one given up first goes first."""


@dataclass(slots=True)
class _Cell:
    """The counters of one address."""

    labels: str
    requests: int = 0
    responses: int = 0
    gratuitous: int = 0
    claims: int = 0
    moves: int = 0


_BY_ADDRESS: Final[tuple[tuple[str, str, Callable[[_Cell], int]], ...]] = (
    (
        "metallb_layer2_requests_received",
        "ARP and neighbor requests for an address announced here",
        lambda cell: cell.requests,
    ),
    (
        "metallb_layer2_responses_sent",
        "ARP and neighbor requests answered",
        lambda cell: cell.responses,
    ),
    (
        "metallb_layer2_gratuitous_sent",
        "Frames sent unasked to claim an address",
        lambda cell: cell.gratuitous,
    ),
    (
        "ferrolb_layer2_claims_total",
        "Number of frames in which another host claimed an address announced here",
        lambda cell: cell.claims,
    ),
    (
        "ferrolb_layer2_address_moves_total",
        "Number of times that an address came to this node or left it",
        lambda cell: cell.moves,
    ),
)


class SpeakerMetrics:
    """Counts for one node. Addresses appear as `str` writes them, IPv6 compressed."""

    def __init__(self, registry: "Registry", *, node: "NodeName") -> None:
        self._node = node
        # one line for each of (service, protocol, address) that is announced
        self._announced: dict[tuple[ServiceKey, str, IPAddress], str] = {}
        self._uses: dict[IPAddress, int] = {}
        self._cells: dict[IPAddress, _Cell] = {}
        # each key has a cell and no use; in the order in which they were given up
        self._former: dict[IPAddress, None] = {}
        self._frame_drops: dict[str, int] = {}
        self._gossip_members: Callable[[], int] = lambda: 0
        self._gossip_drops: Callable[[], Mapping[str, int]] = dict
        self.send_errors = Counter(
            "ferrolb_layer2_send_errors_total",
            "Number of frames that could not be sent",
            registry=registry,
        )
        registry.add_text(self._write)

    def announced(self, service: "ServiceKey", protocol: str, ip: "IPAddress") -> None:
        """A Service's address is announced from here; again changes nothing."""
        key = (service, protocol, ip)
        if key in self._announced:
            return
        self._announced[key] = (
            f'metallb_speaker_announced{{ip="{ip}",node="{self._node}",protocol="{protocol}",'
            f'service="{service}"}} 1.0\n'
        )
        uses = self._uses.get(ip, 0)
        self._uses[ip] = uses + 1
        self._former.pop(ip, None)
        if not uses:
            self._cell(ip).moves += 1

    def not_announced(self, service: "ServiceKey", protocol: str, ip: "IPAddress") -> None:
        """A Service's address is announced from here no longer."""
        if self._announced.pop((service, protocol, ip), None) is None:
            return
        self._uses[ip] -= 1
        if not self._uses[ip]:
            del self._uses[ip]
            self._cell(ip).moves += 1
            self._give_up(ip)

    def request_received(self, ip: "IPAddress") -> None:
        """Somebody asked for an address announced here."""
        self._cell(ip).requests += 1

    def answered(self, ip: "IPAddress") -> None:
        """Somebody asked for an address announced here, and was answered."""
        cell = self._cell(ip)
        cell.requests += 1
        cell.responses += 1

    def gratuitous_sent(self, ip: "IPAddress") -> None:
        """One unasked frame went out."""
        self._cell(ip).gratuitous += 1

    def claimed(self, ip: "IPAddress") -> None:
        """Another host claimed an address announced here."""
        self._cell(ip).claims += 1

    def frame_dropped(self, reason: str) -> None:
        """A frame was not answered; reasons are the few that the code knows."""
        self._frame_drops[reason] = self._frame_drops.get(reason, 0) + 1

    def follow_gossip(
        self, *, members: Callable[[], int], drops: Callable[[], Mapping[str, int]]
    ) -> None:
        """Ask these at each scrape: how many members, and what was dropped by reason."""
        self._gossip_members = members
        self._gossip_drops = drops

    def _cell(self, ip: "IPAddress") -> _Cell:
        try:
            return self._cells[ip]
        except KeyError:
            cell = self._cells[ip] = _Cell(f'{{ip="{ip}"}}')
            if ip not in self._uses:
                self._give_up(ip)
            return cell

    def _give_up(self, ip: "IPAddress") -> None:
        self._former[ip] = None
        if len(self._former) > MAX_FORMER:
            oldest = next(iter(self._former))
            del self._former[oldest], self._cells[oldest]

    def _write(self) -> Iterator[str]:
        cells = self._cells.values()
        for name, text, read in _BY_ADDRESS:
            yield from _head(name, text, "counter")
            for cell in cells:
                yield f"{name}{cell.labels} {read(cell)}.0\n"
        yield from _head(
            "metallb_speaker_announced",
            "Services being announced from this node. "
            "This is desired state, it does not guarantee that the protocol delivers",
            "gauge",
        )
        yield from self._announced.values()
        yield from _by_reason(
            "ferrolb_layer2_dropped_total",
            "Number of frames received and not answered, by reason",
            self._frame_drops,
        )
        yield from _by_reason(
            "ferrolb_gossip_dropped_total",
            "Number of gossip messages received and dropped, by reason",
            self._gossip_drops(),
        )
        name = "ferrolb_gossip_members"
        yield from _head(name, "Number of members of the gossip, alive or suspect", "gauge")
        yield f"{name} {self._gossip_members()}.0\n"


def _head(name: str, text: str, kind: str) -> tuple[str, str]:
    return f"# HELP {name} {text}\n", f"# TYPE {name} {kind}\n"


def _by_reason(name: str, text: str, counts: Mapping[str, int]) -> Iterator[str]:
    yield from _head(name, text, "counter")
    for reason, count in counts.items():
        yield f'{name}{{reason="{reason}"}} {count}.0\n'
