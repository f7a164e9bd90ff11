"""The commands of the control socket, but for those of the observer."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import msgspec

from ferrolb.lab.control import Command
from ferrolb.lab.errors import RefusedError
from ferrolb.lab.folders import KUBECONFIG_NAME
from ferrolb.lab.machine import is_in_user_namespace
from ferrolb.lab.namespaces import exec_argv, run_in
from ferrolb.lab.status import LabStatus, NodeStatus, to_json
from ferrolb.lab.topology import NodeHost, Topology

if TYPE_CHECKING:
    from ferrolb.lab.cluster import ClusterKeeper
    from ferrolb.lab.faults import Faults
    from ferrolb.lab.programs import Program
    from ferrolb.model import JsonObject

S = TypeVar("S", bound=msgspec.Struct)


class _Exec(msgspec.Struct):
    host: str
    argv: list[str]
    timeout_s: float = 30.0
    stdin: str = ""


class _Fault(msgspec.Struct):
    kind: str
    target: str


class _Pod(msgspec.Struct):
    name: str
    node: str = ""
    labels: dict[str, str] = {}
    ports: list[int] = []
    namespace: str = "default"


class Requests:
    """Answers what a client asks of a lab that is up."""

    def __init__(
        self,
        folder: Path,
        *,
        topology: Topology,
        programs: "Mapping[str, Program]",
        faults: "Faults",
        keeper: "ClusterKeeper",
        server: str,
    ) -> None:
        self._folder = folder
        self._topology = topology
        self._programs = programs
        self._faults = faults
        self._keeper = keeper
        self._server = server
        self._began = time.monotonic()

    def commands(self) -> Mapping[str, Command]:
        """Return the commands by name."""
        return {
            "status": self._status,
            "exec": self._exec,
            "enter": self._enter,
            "fault": self._fault,
            "heal": self._heal,
            "add-pod": self._add_pod,
            "delete-pod": self._delete_pod,
        }

    async def _status(self, _arguments: "JsonObject") -> "JsonObject":
        client = self._topology.client
        return to_json(
            LabStatus(
                name=self._folder.name,
                folder=str(self._folder),
                kubeconfig=str(self._folder / KUBECONFIG_NAME),
                server=self._server,
                is_rootless=is_in_user_namespace(),
                uptime_s=time.monotonic() - self._began,
                client_ipv4=str(client.ipv4),
                client_ipv6=str(client.ipv6),
                nodes=tuple(self._node(node) for node in self._topology.nodes),
                programs=tuple(program.status() for program in self._programs.values()),
                faults=self._faults.active(),
            )
        )

    def _node(self, node: NodeHost) -> NodeStatus:
        speaker = self._programs.get(f"speaker-{node.name}")
        return NodeStatus(
            name=node.name,
            ipv4=str(node.ipv4),
            ipv6=str(node.ipv6),
            mac=node.mac,
            port=node.port,
            speaker="none" if speaker is None else speaker.state,
            pods=self._keeper.pods_on(node.name),
            faults=tuple(
                effect.kind for effect in self._faults.active() if effect.target == node.name
            ),
        )

    async def _exec(self, arguments: "JsonObject") -> "JsonObject":
        wanted = _read(arguments, _Exec)
        self._check_host(wanted.host, wanted.argv)
        return to_json(
            await run_in(wanted.host, wanted.argv, stdin=wanted.stdin, timeout_s=wanted.timeout_s)
        )

    async def _enter(self, arguments: "JsonObject") -> "JsonObject":
        wanted = _read(arguments, _Exec)
        self._check_host(wanted.host, wanted.argv)
        return {
            "argv": [*exec_argv(wanted.host, wanted.argv)],
            "is_rootless": is_in_user_namespace(),
        }

    async def _fault(self, arguments: "JsonObject") -> "JsonObject":
        wanted = _read(arguments, _Fault)
        return to_json(await self._faults.make(wanted.kind, wanted.target))

    async def _heal(self, arguments: "JsonObject") -> "JsonObject":
        wanted = _read(arguments, _Fault)
        return to_json(await self._faults.heal(wanted.kind, wanted.target))

    async def _add_pod(self, arguments: "JsonObject") -> "JsonObject":
        wanted = _read(arguments, _Pod)
        if self._topology.node(wanted.node) is None:
            raise RefusedError(f"no node {wanted.node!r}; there are {self._node_names()}")
        pod = await self._keeper.add_pod(
            wanted.namespace,
            wanted.name,
            node=wanted.node,
            labels=wanted.labels,
            ports=wanted.ports or [8080],
        )
        return to_json(pod)

    async def _delete_pod(self, arguments: "JsonObject") -> "JsonObject":
        wanted = _read(arguments, _Pod)
        await self._keeper.delete_pod(wanted.namespace, wanted.name)
        return {}

    def _check_host(self, host: str, argv: list[str]) -> None:
        if host not in self._topology.namespaces:
            known = ", ".join(self._topology.namespaces)
            raise RefusedError(f"no host {host!r} in this lab; there are {known}")
        if not argv:
            raise RefusedError("no command given")

    def _node_names(self) -> str:
        return ", ".join(node.name for node in self._topology.nodes)


def _read(arguments: "JsonObject", kind: type[S]) -> S:
    try:
        return msgspec.convert(arguments, kind)
    except msgspec.ValidationError as error:
        raise RefusedError(f"bad argument: {error}") from error
