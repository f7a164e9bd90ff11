"""The supervisor: owns every namespace, process and socket of one lab; all of it ends with it."""

import asyncio
import contextlib
import signal
import sys
from pathlib import Path
from typing import Final

from ferrolb.kube import ApiClient, ApiError, ConfigError, connect
from ferrolb.lab.access import Kubeconfig, write_secret
from ferrolb.lab.cluster import ClusterKeeper
from ferrolb.lab.commands import NODE_KUBECONFIG, SECRET_FOLDER, SERVERS, Commands
from ferrolb.lab.control import SOCKET_NAME
from ferrolb.lab.control_server import ControlServer
from ferrolb.lab.errors import LabError
from ferrolb.lab.faults import Faults
from ferrolb.lab.folders import KUBECONFIG_NAME
from ferrolb.lab.kube_proxy import await_serving, prepare_nodes, program_name
from ferrolb.lab.namespaces import build_network, keep_private
from ferrolb.lab.options import ApiKind, LabOptions, ProxyKind
from ferrolb.lab.population import populate
from ferrolb.lab.programs import Program, Reaper
from ferrolb.lab.progress import ProgressLog
from ferrolb.lab.proxy import NftProxy
from ferrolb.lab.relay import ApiRelay
from ferrolb.lab.requests import Requests
from ferrolb.lab.topology import SWITCH, plan
from ferrolb.lab.witness import WITNESS_SOCKET, witness_argv
from ferrolb.model import JsonObject
from ferrolb.telemetry import configure_logging, get_logger

_POLL_S: Final = 0.02
_SERVER_S: Final = 50.0
"""Seconds for the API server to answer; a real one takes four on an idle machine."""
_FAREWELL_S: Final = 2.0
"""How long a supervisor that could not start waits to be asked why."""
_RESOLVER: Final = Path("/etc/resolv.conf")


def supervise(options: LabOptions, folder: Path) -> int:
    """Run the lab in `folder` until it is told to end; return the exit status."""
    configure_logging("info", stream=sys.stdout)
    visible = [folder, Path(sys.prefix), Path(__file__).parent, Path.cwd()]
    named = (options.kubeconfig, options.kube_proxy_path)
    visible += [path.absolute().parent for path in named if path is not None]
    if _RESOLVER.exists():
        visible.append(_RESOLVER.resolve().parent)
    try:
        keep_private(visible, staging=folder / "run")
    except LabError as error:
        sys.stdout.write(f"{error}\n")
        return 1
    return asyncio.run(_Supervisor(options, folder).run())


class _Supervisor:
    """Builds the lab step by step, tells how far it is, and waits for the end."""

    def __init__(self, options: LabOptions, folder: Path) -> None:
        self._options = options
        self._folder = folder
        self._commands = Commands(options, folder)
        self._topology = plan(options.nodes, options.service_networks)
        self._programs: dict[str, Program] = {}
        self._relays: dict[str, ApiRelay] = {}
        self._control = ControlServer()
        self._progress = ProgressLog()
        self._end = asyncio.Event()

    async def run(self) -> int:
        """Live until told to end; return the exit status."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._end.set)
        self._control.register({"progress": self._progress.answer, "down": self._down})
        await self._control.open(self._folder / SOCKET_NAME)
        life = loop.create_task(self._live(), name="lab")
        end = loop.create_task(self._end.wait(), name="end")
        await asyncio.wait((life, end), return_when=asyncio.FIRST_COMPLETED)
        error = self._why(life) if life.done() else ""
        if error:
            get_logger().error("the lab failed", error=error)
            self._progress.fail(error)
            await asyncio.sleep(_FAREWELL_S)
        life.cancel()
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await life
        await asyncio.gather(*(program.stop() for program in self._programs.values()))
        self._control.close()
        return 1 if error else 0

    async def _live(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(Reaper().run(), name="reaper")
            if self._options.kubeconfig is None:
                await self._add(SERVERS[self._options.api], self._commands.server())
            # while the server starts
            await asyncio.to_thread(build_network, self._topology)
            nodes = len(self._topology.nodes)
            # in a namespace of the lab's, so that it may go from there to the others and back
            await self._add("witness", witness_argv(self._folder, self._topology), SWITCH)
            self._progress.say(f"network: switch, router, client and {nodes} nodes")
            access = await self._reach_server()
            self._progress.say(f"API server: {access.server}")
            async with connect(self._folder / KUBECONFIG_NAME) as client:
                await populate(client, self._topology.nodes)
                keeper = self._keeper(client)
                await asyncio.gather(keeper.start(group), self._start_kube_proxies())
                self._progress.say("nodes registered, pods and services served")
                # before the first frame of a speaker
                await self._await_file(self._folder / WITNESS_SOCKET, self._programs["witness"])
                await self._start_programs()
                self._register(access, keeper)
                self._progress.ready()
                await asyncio.Event().wait()  # until cancelled: the client lives as long

    def _keeper(self, client: ApiClient) -> ClusterKeeper:
        is_proxy = self._options.kube_proxy is ProxyKind.OWN
        return ClusterKeeper(
            client,
            self._topology,
            makes_slices=self._options.api is ApiKind.DEV,
            proxies={node.name: NftProxy(node) for node in self._topology.nodes if is_proxy},
        )

    async def _start_kube_proxies(self) -> None:
        if self._options.kube_proxy is ProxyKind.OWN:
            return
        nodes = self._topology.nodes
        await prepare_nodes(nodes)
        for node in nodes:
            await self._add(program_name(node), self._commands.kube_proxy(node), node.name)
        await await_serving({node: self._programs[program_name(node)] for node in nodes})

    async def _reach_server(self) -> Kubeconfig:
        """Return the access to the API server once it answers; every node gets its own way."""
        path = self._folder / KUBECONFIG_NAME
        if self._options.kubeconfig is not None:
            Kubeconfig(self._options.kubeconfig).write(path, through_relay=False)
        else:
            await self._await_file(path, self._programs[SERVERS[self._options.api]])
        access = Kubeconfig(path)
        access.write(self._folder / NODE_KUBECONFIG, through_relay=True)
        for node in self._topology.nodes:
            self._relays[node.name] = ApiRelay(node.name, access.upstream)
            await self._relays[node.name].open()
        return access

    async def _await_file(self, path: Path, program: Program) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _SERVER_S
        while not await asyncio.to_thread(path.exists):
            if not program.is_running:
                raise LabError(f"{program.name} did not start:\n{program.last_words()}")
            if loop.time() > deadline:
                raise LabError(f"{program.name} did not answer within {_SERVER_S:.0f} s")
            await asyncio.sleep(_POLL_S)

    async def _start_programs(self) -> None:
        options = self._options
        if options.has_controller:
            await self._add("controller", self._commands.controller())
        if options.has_speakers:
            write_secret(self._folder / SECRET_FOLDER)
            for node in self._topology.nodes:
                argv, environment = self._commands.speaker(node)
                await self._add(f"speaker-{node.name}", argv, node.name, environment)
            what = " ".join(options.speaker_command) or "ferrolb speaker"
            self._progress.say(f"{what} started on {len(self._topology.nodes)} nodes")

    async def _add(
        self,
        name: str,
        argv: list[str],
        host: str = "",
        environment: dict[str, str] | None = None,
    ) -> None:
        log = self._folder / f"{name}.log"
        self._programs[name] = Program(name, argv, log, host=host, environment=environment)
        await self._programs[name].start()

    def _register(self, access: Kubeconfig, keeper: ClusterKeeper) -> None:
        faults = Faults(self._topology, programs=self._programs, relays=self._relays)
        requests = Requests(
            self._folder,
            topology=self._topology,
            programs=self._programs,
            faults=faults,
            keeper=keeper,
            server=access.server,
        )
        self._control.register(requests.commands())

    async def _down(self, _arguments: JsonObject) -> JsonObject:
        self._end.set()
        return {}

    def _why(self, life: "asyncio.Task[None]") -> str:
        """Return why the lab's life ended by itself."""
        error: BaseException | None = life.exception()
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        if isinstance(error, (LabError, ApiError, ConfigError)):
            return str(error)
        return f"the supervisor failed: {error!r}"
