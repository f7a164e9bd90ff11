"""What was seen on the wire, in values that tests, measurements and invariants share."""

from collections import deque
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final, Self

from ferrolb.lab.frames import Kind, Statement
from ferrolb.model import IPAddress, IPNetwork, JsonObject, MacAddress, NodeName

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

SIGHTINGS_KEPT: Final = 200_000
"""About 30 MB; an address that is asked every 10 ms fills it in half an hour."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """A frame about a service address that came out of a node."""

    t: float
    """Monotonic seconds at which the kernel received the frame at the switch."""
    node: NodeName
    """Whose port it came in through."""
    kind: Kind
    ip: IPAddress
    mac: MacAddress

    def to_json(self) -> JsonObject:
        """Return it as a JSON object."""
        return {
            "t": self.t,
            "node": self.node,
            "kind": str(self.kind),
            "ip": str(self.ip),
            "mac": self.mac.hex(":"),
        }

    @classmethod
    def from_json(cls, value: "Mapping[str, object]") -> Self:
        """Read what `to_json` returned."""
        return cls(
            t=float(str(value["t"])),
            node=NodeName(str(value["node"])),
            kind=Kind(str(value["kind"])),
            ip=ip_address(str(value["ip"])),
            mac=MacAddress(bytes.fromhex(str(value["mac"]).replace(":", ""))),
        )


@dataclass(slots=True, kw_only=True)
class SightingLog:
    """The newest sightings of service addresses, oldest first."""

    prefixes: "tuple[IPNetwork, ...]"
    """Only addresses in these are kept."""
    limit: int = SIGHTINGS_KEPT
    whole_since: float = 0.0
    """Earlier sightings were dropped to make room, or not seen at all."""
    _kept: "deque[Sighting]" = field(default_factory=deque)

    def add(self, node: NodeName, statements: "Iterable[Statement]", *, now: float) -> None:
        """Take what a frame from the node says."""
        for one in statements:
            if not any(one.ip.version == p.version and one.ip in p for p in self.prefixes):
                continue
            self._kept.append(Sighting(now, node, one.kind, one.ip, one.mac))
            if len(self._kept) > self.limit:
                self.blind_until(self._kept.popleft().t)

    def blind_until(self, t: float) -> None:
        """Nothing is known of the time before `t`."""
        self.whole_since = max(self.whole_since, t)

    def since(self, t: float, ip: IPAddress | None = None) -> list[Sighting]:
        """Return what was seen from `t` on, of one address or of all."""
        newest_first = []
        for one in reversed(self._kept):
            if one.t < t - _DISORDER_S:
                break
            if one.t >= t and ip in (None, one.ip):
                newest_first.append(one)
        return newest_first[::-1]


_DISORDER_S: Final = 1.0
"""Frames of several ports are read one port after the other; none lags by so much."""
