"""A client and a node on one wire, each a namespace, for tests of frames."""

import json
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.netns import World, new_world

HERE = Path(__file__).parent
VIP4, VIP6 = "10.9.0.200", "fd00:9::200"
NODE_MAC = "02:00:00:00:00:02"


class Responder:
    """The program `responder.py` at a node; a conversation of lines."""

    def __init__(self, world: World, *argv: str, under: tuple[str, ...] = ()):
        script = str(HERE / "responder.py")
        self.program = world.start(*under, sys.executable, script, *argv, at="node")
        assert self.program.stdin
        assert self.program.stdout
        self.stdin, self.stdout = self.program.stdin, self.program.stdout
        self.seen: list[dict[str, Any]] = []

    def read(self, event: str) -> dict[str, Any]:
        """Read on until that event."""
        while True:
            line = self.stdout.readline()
            assert line, f"the responder ended before {event!r}: {self.seen}"
            if not line.startswith("{"):
                continue  # a line of the log
            self.seen.append(json.loads(line))
            if self.seen[-1]["event"] == event:
                return self.seen[-1]

    def tell(self, line: str, event: str) -> dict[str, Any]:
        """Send a command and read its answer."""
        self.stdin.write(line + "\n")
        self.stdin.flush()
        return self.read(event)

    def hold(self, *ips: str) -> None:
        assert self.tell("hold " + " ".join(ips), "held")["count"] == len(ips)

    def counts(self) -> dict[str, Any]:
        return self.tell("counts", "counts")

    def health(self) -> dict[str, Any]:
        return self.tell("health", "health")

    def until(self, event: str, is_wanted) -> dict[str, Any]:
        """Read events of one kind until one fits."""
        while not is_wanted(found := self.read(event)):
            pass
        return found


class Expectation:
    """A frame that must come; listening begins before the constructor returns."""

    def __init__(self, program):
        self.program = program
        assert program.stdout.readline() == "listening\n"

    def met(self) -> bytes:
        """Return the frame; empty if none came in time."""
        return bytes.fromhex(json.loads(self.program.stdout.readline()))


class Segment:
    """`client` eth0 and `node` eth0, joined by a veth pair; addresses 10.9.0.1 and .2, fd00:9::."""

    def __init__(self, world: World, *, bridge: str = ""):
        self.world = world
        for name in ("client", "node"):
            world.run("ip", "netns", "add", name)
            for scope in ("all", "default"):
                path = f"/proc/sys/net/ipv6/conf/{scope}/accept_dad"
                world.run("sh", "-c", f"echo 0 > {path}", at=name)
        if bridge:
            lines = [
                f"link add br0 type bridge {bridge}",
                *(
                    f"link add p-{name} type veth peer name eth0 netns {name}"
                    for name in ("client", "node")
                ),
                "link set p-client master br0 up",
                "link set p-node master br0 up",
                "link set br0 up",
            ]
            world.run("ip", "-batch", "-", stdin="\n".join(lines))
        else:
            pair = "link add eth0 type veth peer name eth0 netns node"
            world.run("ip", "-n", "client", *pair.split())
        for number, name in ((1, "client"), (2, "node")):
            lines = [
                f"link set eth0 address 02:00:00:00:00:0{number}",
                "link set lo up",
                "link set eth0 up",
                f"addr add 10.9.0.{number}/24 dev eth0",
                f"addr add fd00:9::{number}/64 dev eth0 nodad",
            ]
            world.run("ip", "-batch", "-", at=name, stdin="\n".join(lines))

    def probe(self, *argv: str, at: str = "client"):
        """Run `frame_probe.py`."""
        return json.loads(
            self.world.run(sys.executable, str(HERE / "frame_probe.py"), *argv, at=at)
        )

    def client(self, command: str) -> str:
        return self.world.run(*command.split(), at="client")

    def node(self, command: str) -> str:
        return self.world.run(*command.split(), at="node")

    def responder(self, *argv: str, under: tuple[str, ...] = ()) -> Responder:
        """Start a responder and wait until it has eth0 with both families."""
        responder = Responder(self.world, *argv, under=under)
        responder.until("interfaces", lambda event: "eth0" in event["ndp"])
        return responder

    def expect(self, piece: str, seconds: float = 5, interface: str = "eth0") -> "Expectation":
        """Wait at the client for a frame with these bytes (hexadecimal), from now on."""
        return Expectation(
            self.world.start(
                *(sys.executable, str(HERE / "frame_probe.py"), "expect"),
                *(interface, str(seconds), piece),
                at="client",
            )
        )

    def resolve(self, ip: str, interface: str = "eth0") -> dict[str, Any]:
        """Let the client's kernel resolve an address; nobody answers the echo itself."""
        ping = f"ping -c1 -W1 -I {interface} {ip} >/dev/null || true"
        self.world.run("sh", "-c", ping, at="client")
        return self.neighbour(ip, interface)

    def neighbour(self, ip: str, interface: str = "eth0") -> dict[str, Any]:
        """What the client's kernel knows of an address."""
        entries: list[dict[str, Any]] = json.loads(
            self.client(f"ip -json neigh show dev {interface}")
        )
        for entry in entries:
            if entry["dst"] == ip:
                return entry
        return {}


@contextmanager
def new_segment(*, bridge: str = ""):
    with new_world() as world:
        yield Segment(world, bridge=bridge)
