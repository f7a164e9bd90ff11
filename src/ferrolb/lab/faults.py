"""Makes and heals faults; healing leaves no trace."""

import asyncio
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from ferrolb.lab.errors import RefusedError
from ferrolb.lab.fault_kinds import OPPOSITES, Fault, Where, cable_rules, parse_fault
from ferrolb.lab.namespaces import must_run, run_in
from ferrolb.lab.status import FaultEffect
from ferrolb.lab.topology import INTERFACE, SWITCH, Host, Topology

if TYPE_CHECKING:
    from ferrolb.lab.programs import Program
    from ferrolb.lab.relay import ApiRelay

ALL: Final = "all"
"""Target of a relay's fault: every node."""


class Faults:
    """The faults of a lab; one of a kind a target."""

    def __init__(
        self,
        topology: Topology,
        *,
        programs: Mapping[str, "Program"],
        relays: Mapping[str, "ApiRelay"],
    ) -> None:
        self._topology = topology
        self._programs = programs
        self._relays = relays
        # by kind's name and target: those that are active, with when they took effect
        self._active: dict[tuple[str, str], tuple[Fault, FaultEffect]] = {}
        self._lock = asyncio.Lock()

    def active(self) -> tuple[FaultEffect, ...]:
        """Return the faults in force, the oldest first."""
        return tuple(effect for _, effect in self._active.values())

    async def make(self, word: str, target: str) -> FaultEffect:
        """Make a fault; one that is in force already stays as it is.

        Raises:
            RefusedError: there is no such fault, or no such target for it.
            LabError: it could not be made.
        """
        if word in OPPOSITES:
            return await self.heal(OPPOSITES[word], target)
        fault = parse_fault(word, target)
        async with self._lock:
            key = (fault.kind.name, target)
            if key in self._active:
                known, effect = self._active[key]
                if known == fault:
                    return effect
                raise RefusedError(f"{known.word} is in force on {target}: clear it first")
            began = time.monotonic()
            await self._make(fault)
            # the command itself takes milliseconds: what counts is when it was through
            effect = _effect(fault, began, is_active=fault.kind.name != "restart")
            if effect.is_active:
                self._active[key] = (fault, effect)
            return effect

    async def heal(self, word: str, target: str) -> FaultEffect:
        """Undo a fault; nothing happens if it is not in force.

        Raises:
            RefusedError: there is no such fault.
            LabError: it could not be undone.
        """
        name = OPPOSITES.get(word, word).partition(":")[0]
        async with self._lock:
            began = time.monotonic()
            if name == "kill":
                # whoever starts a speaker wants it to run, however it came to an end
                self._active.pop(("stop", target), None)
                await self._program(target).start()
            fault, _ = self._active.get((name, target), (None, None))
            if fault is None:
                kind = parse_fault(word if ":" in word else _with_value(name), target)
                return _effect(kind, began, is_active=False)
            await self._heal(fault)
            del self._active[name, target]
            return _effect(fault, began, is_active=False)

    async def _make(self, fault: Fault) -> None:
        match fault.kind.where:
            case Where.PROCESS:
                await self._signal(fault)
            case Where.CABLE:
                await self._cut(fault, self._host(fault.target))
            case Where.RELAY:
                for relay in self._chosen_relays(fault.target):
                    await (relay.close() if fault.kind.name == "api-stop" else _freeze(relay))
            case Where.ADDRESS:
                await self._address(fault, "add")

    async def _heal(self, fault: Fault) -> None:
        match fault.kind.where:
            case Where.PROCESS:
                program = self._program(fault.target)
                program.thaw()
                await program.start()
            case Where.CABLE:
                await self._mend(fault, self._host(fault.target))
            case Where.RELAY:
                for relay in self._chosen_relays(fault.target):
                    relay.thaw()
                    await relay.open()
            case Where.ADDRESS:
                await self._address(fault, "delete")

    async def _signal(self, fault: Fault) -> None:
        program = self._program(fault.target)
        match fault.kind.name:
            case "kill":
                await program.kill()
            case "freeze":
                program.freeze()
            case "stop":
                await program.stop()
            case _:
                await program.stop()
                await program.start()
                for name in ("kill", "stop", "freeze"):
                    self._active.pop((name, fault.target), None)

    async def _cut(self, fault: Fault, host: Host) -> None:
        if fault.kind.name == "port-down":
            await must_run(SWITCH, ["ip", "link", "set", host.port, "down"])
        else:
            await must_run(SWITCH, ["nft", "-f", "-"], stdin=cable_rules(fault, host.port))

    async def _mend(self, fault: Fault, host: Host) -> None:
        if fault.kind.name == "port-down":
            await must_run(SWITCH, ["ip", "link", "set", host.port, "up"])
        else:
            await must_run(SWITCH, ["nft", "delete", "table", "netdev", fault.table])

    async def _address(self, fault: Fault, verb: str) -> None:
        host = self._host(fault.target)
        address = fault.address
        nodad = ["nodad"] if address.version == 6 and verb == "add" else []
        prefix = f"{address}/{address.max_prefixlen}"
        argv = ["ip", "address", verb, prefix, "dev", INTERFACE, *nodad]
        if verb == "add":
            await must_run(host.name, argv)
        else:
            # a test may have taken it away itself
            await run_in(host.name, argv)

    def _program(self, target: str) -> "Program":
        for name in (f"speaker-{target}", target):
            if name in self._programs:
                return self._programs[name]
        known = ", ".join(self._programs)
        raise RefusedError(f"no program for {target!r}; there are {known} (n1 is speaker-n1)")

    def _host(self, target: str) -> Host:
        host = self._topology.host(target)
        if host is None:
            known = ", ".join(host.name for host in self._topology.hosts)
            raise RefusedError(f"no host {target!r} on the segment; there are {known}")
        return host

    def _chosen_relays(self, target: str) -> list["ApiRelay"]:
        if target == ALL:
            return list(self._relays.values())
        if target not in self._relays:
            known = ", ".join(self._relays)
            raise RefusedError(f"no node {target!r}; there are {known}, and {ALL!r} for each")
        return [self._relays[target]]


async def _freeze(relay: "ApiRelay") -> None:
    relay.freeze()


def _with_value(name: str) -> str:
    """Return a word that can be parsed for a kind whose value does not matter any more."""
    return {"loss": "loss:1", "duplicate-address": "duplicate-address:0.0.0.0"}.get(name, name)


def _effect(fault: Fault, began: float, *, is_active: bool) -> FaultEffect:
    now = time.monotonic()
    return FaultEffect(
        kind=fault.word, target=fault.target, is_active=is_active, at=now, took_s=now - began
    )
