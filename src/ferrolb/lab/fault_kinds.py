"""The faults of a lab: their names, what each breaks, and which rules of the switch make it."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto
from ipaddress import ip_address
from typing import Final

from ferrolb.lab.errors import RefusedError
from ferrolb.model import IPAddress

GOSSIP_PORT: Final = 7946


class Where(Enum):
    """What a fault is made of."""

    PROCESS = auto()
    """A signal to a program; the target is a node (its speaker) or a program."""
    CABLE = auto()
    """The switch's port, or a rule on it; the target is a host."""
    RELAY = auto()
    """The way to the API server; the target is a node or `all`."""
    ADDRESS = auto()
    """An address on a host's interface; the target is a host."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultKind:
    """One kind of fault."""

    name: str
    where: Where
    says: str
    value: str = ""
    """What follows the name after a colon; empty: nothing."""


FAULT_KINDS: Final[dict[str, FaultKind]] = {
    kind.name: kind
    for kind in (
        FaultKind(name="kill", where=Where.PROCESS, says="SIGKILL the speaker; healed: started"),
        FaultKind(name="stop", where=Where.PROCESS, says="SIGTERM the speaker; healed: started"),
        FaultKind(name="freeze", where=Where.PROCESS, says="SIGSTOP the speaker"),
        FaultKind(name="restart", where=Where.PROCESS, says="SIGTERM, then start again"),
        FaultKind(name="port-down", where=Where.CABLE, says="cut the cable at the switch"),
        FaultKind(name="black-hole", where=Where.CABLE, says="drop every frame; the link stays up"),
        FaultKind(name="one-way-in", where=Where.CABLE, says="drop frames to the host"),
        FaultKind(name="one-way-out", where=Where.CABLE, says="drop frames from the host"),
        FaultKind(
            name="loss", where=Where.CABLE, says="drop so many of a hundred", value="PERCENT"
        ),
        FaultKind(name="gossip-partition", where=Where.CABLE, says="drop port 7946, TCP and UDP"),
        FaultKind(name="api-stop", where=Where.RELAY, says="refuse connections to the API"),
        FaultKind(name="api-freeze", where=Where.RELAY, says="let the API fall silent"),
        FaultKind(
            name="duplicate-address",
            where=Where.ADDRESS,
            says="let the host's kernel answer for an address",
            value="ADDRESS",
        ),
    )
}
"""Every kind by name."""

OPPOSITES: Final = {"start": "kill", "thaw": "freeze", "port-up": "port-down"}
"""Words that heal a fault, for those who think of them first."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault, as asked for."""

    kind: FaultKind
    value: str
    target: str

    @property
    def word(self) -> str:
        """Kind and value as one word, as it was written."""
        return f"{self.kind.name}:{self.value}" if self.value else self.kind.name

    @property
    def table(self) -> str:
        """Name of the table in the switch's namespace that holds the fault's rules."""
        return f"fault-{self.target}-{self.kind.name}"

    @property
    def address(self) -> IPAddress:
        """The value of a fault that takes an address.

        Raises:
            RefusedError: it is none.
        """
        try:
            return ip_address(self.value)
        except ValueError as error:
            raise RefusedError(f"{self.value!r} is not an address") from error

    @property
    def percent(self) -> int:
        """The value of a fault that takes a percentage.

        Raises:
            RefusedError: it is not between 1 and 100.
        """
        if not self.value.isdecimal() or not 1 <= int(self.value) <= 100:
            raise RefusedError(f"{self.value!r} is not a percentage from 1 to 100")
        return int(self.value)


def parse_fault(word: str, target: str) -> Fault:
    """Read `KIND` or `KIND:VALUE`.

    Raises:
        RefusedError: there is no such kind, or its value is missing or bad.
    """
    name, _, value = word.partition(":")
    kind = FAULT_KINDS.get(name)
    if kind is None:
        raise RefusedError(f"no fault {name!r}; there are {', '.join(FAULT_KINDS)}")
    if bool(value) is not bool(kind.value):
        wanted = f"{name}:{kind.value}" if kind.value else name
        raise RefusedError(f"write the fault as {wanted}")
    fault = Fault(kind, value, target)
    if kind.value == "ADDRESS":
        _ = fault.address
    if kind.value == "PERCENT":
        _ = fault.percent
    return fault


def cable_rules(fault: Fault, port: str) -> str:
    """Return the nftables text, for the switch's namespace, that makes a fault of a cable.

    What leaves the host comes in at the switch's port (ingress); what goes to it goes out there.
    """
    rules: dict[str, tuple[str, ...]]
    match fault.kind.name:
        case "black-hole":
            rules = {"ingress": ("counter drop",), "egress": ("counter drop",)}
        case "one-way-in":
            rules = {"egress": ("counter drop",)}
        case "one-way-out":
            rules = {"ingress": ("counter drop",)}
        case "loss":
            drop = f"numgen random mod 100 < {fault.percent} counter drop"
            rules = {"ingress": (drop,), "egress": (drop,)}
        case "gossip-partition":
            gossip = tuple(
                f"meta l4proto {{ tcp, udp }} th {end} {GOSSIP_PORT} counter drop"
                for end in ("sport", "dport")
            )
            rules = {"ingress": gossip, "egress": gossip}
        case _:
            raise RefusedError(f"{fault.kind.name} is not made by rules")
    return "".join(f"{line}\n" for line in _table(fault.table, port, rules))


def _table(name: str, port: str, rules: dict[str, tuple[str, ...]]) -> Iterator[str]:
    yield f"table netdev {name} {{"
    for hook, texts in rules.items():
        yield f" chain {hook} {{"
        yield f'  type filter hook {hook} device "{port}" priority 0; policy accept;'
        for text in texts:
            yield f"  {text}"
        yield " }"
    yield "}"
