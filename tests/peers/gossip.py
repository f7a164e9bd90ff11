"""Gossip members as programs on a segment of namespaces: memberlist's (Go) and ours."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.netns import World, new_world

_FOLDER: Final = Path(__file__).parent
_SOURCES: Final = _FOLDER / "memberlist"
_OURS: Final = _FOLDER / "gossip_member.py"

DEADLINE_S: Final = 30.0
"""For anything to happen that has no bound of its own."""

PORT: Final = 7946


def build_memberlist() -> Path | None:
    """Return the Go program, built once for each state of its sources; None: there is no Go."""
    go = shutil.which("go")
    if go is None:
        return None
    sources = b"".join((_SOURCES / name).read_bytes() for name in ("main.go", "go.mod", "go.sum"))
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ferrolb"
    program = cache / f"memberlist-{hashlib.sha256(sources).hexdigest()[:16]}"
    if not program.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as scratch:
            built = Path(scratch) / "memberlist"
            command = [go, "build", "-trimpath", "-buildvcs=false", "-o", str(built), "."]
            subprocess.run(command, cwd=_SOURCES, check=True)
            built.replace(program)
    return program


@dataclass(kw_only=True)
class Peer:
    """One running member; what it prints is kept, with the time it arrived at."""

    name: str
    world: World
    program: "subprocess.Popen[str]"
    address: str
    """`host:port`."""
    lines: list[tuple[float, dict[str, Any]]] = field(default_factory=list)
    _news: threading.Condition = field(default_factory=threading.Condition)

    def __post_init__(self) -> None:
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        if self.program.stdout is None:
            raise ValueError("no standard output")
        for line in self.program.stdout:
            with self._news:
                self.lines.append((time.monotonic(), json.loads(line)))
                self._news.notify_all()

    def command(self, line: str) -> int:
        """Give a command; return how many lines had been printed before it."""
        if self.program.stdin is None:
            raise ValueError("no standard input")
        mark = len(self.lines)
        self.program.stdin.write(line + "\n")
        self.program.stdin.flush()
        return mark

    def find(self, event: str, about: str = "", *, mark: int = 0) -> tuple[float, Any] | None:
        """Return time and content of the first such line after `mark`."""
        for at, line in self.lines[mark:]:
            if line["event"] == event and about in ("", line.get("member", {}).get("name")):
                return at, line
        return None

    def wait(
        self, event: str, about: str = "", *, mark: int = 0, deadline_s: float = DEADLINE_S
    ) -> tuple[float, Any]:
        """Wait for such a line."""
        with self._news:
            found = self._news.wait_for(lambda: self.find(event, about, mark=mark), deadline_s)
        assert found, f"{self.name}: no {event} {about} in {deadline_s:.0f} s: {self.lines[mark:]}"
        return found

    def members(self) -> set[str]:
        """Ask who is a member, suspected ones included."""
        return {member["name"] for member in self.status()["members"]}

    def status(self) -> dict[str, Any]:
        """Ask for everything that `members` prints."""
        _, line = self.wait("members", mark=self.command("members"))
        return dict(line)

    def join(self, other: "Peer") -> dict[str, Any]:
        """Join another member; return what came of it."""
        _, line = self.wait("joined", mark=self.command(f"join {other.address}"))
        return dict(line)

    def kill(self) -> float:
        """End it without a word, and return when."""
        self.world.kill(self.program, signal.SIGKILL)
        return time.monotonic()


class Segment:
    """Hosts `n1`, `n2`, ... on one bridge, with an address of each family."""

    def __init__(self, world: World, count: int, *, memberlist: Path, logs: Path) -> None:
        self.world = world
        self._memberlist = memberlist
        self._logs = logs
        names = [f"n{host}" for host in range(1, count + 1)]
        batch = [f"netns add {name}" for name in names]
        batch += ["link add br0 type bridge forward_delay 0 stp_state 0 mcast_snooping 0"]
        batch += ["link set br0 up"]
        for name in names:
            batch += [f"link add p-{name} type veth peer name eth0 netns {name}"]
            batch += [f"link set p-{name} master br0", f"link set p-{name} up"]
        world.run("ip", "-batch", "-", stdin="\n".join(batch) + "\n")
        for host, name in enumerate(names, start=1):
            inside = [
                "link set lo up",
                f"addr add {ipv4(host)}/24 dev eth0",
                f"addr add {ipv6(host)}/64 dev eth0 nodad",
                "link set eth0 up",
            ]
            world.run("ip", "-batch", "-", at=name, stdin="\n".join(inside) + "\n")

    def go(self, host: int, *flags: str, is_ipv6: bool = False, port: int = PORT) -> Peer:
        """Start memberlist itself on a host; its name is `goN`."""
        return self._start([str(self._memberlist)], f"go{host}", host, flags, is_ipv6, port)

    def ours(self, host: int, *flags: str, is_ipv6: bool = False, port: int = PORT) -> Peer:
        """Start a member of ours on a host; its name is `oursN`."""
        command = [sys.executable, str(_OURS)]
        return self._start(command, f"ours{host}", host, flags, is_ipv6, port)

    def _start(
        self,
        command: list[str],
        name: str,
        host: int,
        flags: Iterable[str],
        is_ipv6: bool,
        port: int,
    ) -> Peer:
        address = ipv6(host) if is_ipv6 else ipv4(host)
        program = self.world.start(
            *command, f"-name={name}", f"-bind={address}", f"-port={port}", *flags,
            at=f"n{host}", log=self._logs / f"{name}-{port}.log",
        )  # fmt: skip
        peer = Peer(
            name=name,
            world=self.world,
            program=program,
            address=f"[{address}]:{port}" if is_ipv6 else f"{address}:{port}",
        )
        peer.wait("started")
        return peer

    def part(self, left: Iterable[int], right: Iterable[int], *, only: str = "") -> None:
        """Let nothing pass between hosts of one side and of the other; `only` is an nft match."""
        sides = (", ".join(map(ipv4, left)), ", ".join(map(ipv4, right)))
        rules = [
            f"ip saddr {{ {one} }} ip daddr {{ {other} }} {only} counter drop"
            for one, other in (sides, sides[::-1])
        ]
        self.world.run("nft", "-f", "-", stdin=_FILTER.format(rules="\n".join(rules)))

    def heal(self) -> None:
        """Let everything pass again; fails if nothing has been stopped meanwhile."""
        counted = self.world.run("nft", "list", "table", "bridge", "parted")
        assert "counter packets 0" not in counted, counted
        self.world.run("nft", "delete", "table", "bridge", "parted")


_FILTER: Final = """
table bridge parted {{
 chain forward {{
  type filter hook forward priority 0; policy accept;
  {rules}
 }}
}}
"""


def ipv4(host: int) -> str:
    """Return the host's IPv4 address."""
    return f"10.77.0.{host}"


def ipv6(host: int) -> str:
    """Return the host's IPv6 address."""
    return f"fd00:77::{host}"


@contextmanager
def new_segment(count: int, *, memberlist: Path, logs: Path) -> Iterator[Segment]:
    """Make a segment that ends with the block, and all its members with it."""
    with new_world() as world:
        yield Segment(world, count, memberlist=memberlist, logs=logs)


def wait_for_members(
    peers: Iterable[Peer], names: Iterable[str], *, deadline_s: float = 10
) -> None:
    """Wait until each of the peers has exactly these members."""
    wanted = set(names)
    end = time.monotonic() + deadline_s
    for peer in peers:
        while (members := peer.members()) != wanted:
            late = time.monotonic() > end
            assert not late, f"{peer.name} has {members}, not {wanted}, after {deadline_s:.0f} s"
            time.sleep(0.05)
