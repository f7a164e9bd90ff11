"""An API server of our own, the Services on it, and what it has been asked."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, TypeVar

from bench.answers import ServiceList, decode_list
from bench.counts import Requests
from bench.objects import (
    NAMESPACE,
    POOL_NAMESPACE,
    advertisement_object,
    namespace_object,
    node_object,
    pool_object,
    service_name,
    service_object,
    status_patch,
)
from bench.programs import BenchError, Program
from bench.progress import Progress
from bench.servers import Server
from ferrolb.kube import (
    IP_ADDRESS_POOLS,
    L2_ADVERTISEMENTS,
    NAMESPACES,
    NODES,
    SERVICES,
    ApiClient,
    ApiPath,
    ListOptions,
    connect,
)

START_DEADLINE_S: Final = 60.0
"""For the API server to answer."""

STOP_DEADLINE_S: Final = 20.0
"""For it to end with all that it has started; a real one is given time by its own program."""

T = TypeVar("T")

_CONNECTIONS: Final = 16
_POLL_S: Final = 0.02


@dataclass(kw_only=True)
class Cluster:
    """A running API server with a pool, and the Services created on it so far."""

    folder: Path
    kind: Server
    kubeconfig: Path
    server: Program
    ready_s: float
    """How long it took to answer."""
    client: ApiClient
    progress: Progress
    alive: deque[int] = field(default_factory=deque)
    """Numbers of the Services that exist, the oldest first."""
    made: int = 0
    """Numbers below this have been used."""
    programs: list[Program] = field(default_factory=list)

    @property
    def services(self) -> int:
        """How many Services exist."""
        return len(self.alive)

    def next_name(self) -> str:
        """Return the name of the Service that is created next."""
        return service_name(self.made)

    async def create_service(self) -> None:
        """Create one more Service, pending."""
        name = self.next_name()
        self.alive.append(self.made)
        self.made += 1
        await self.client.create(SERVICES.path(NAMESPACE), service_object(name))

    async def create_services(self, count: int) -> None:
        """Create so many Services, pending."""

        async def create(number: int) -> None:
            self.progress.detail(f"{number:,} created")
            await self.create_service()

        await at_once(range(count), create)

    def created_by_load(self, count: int) -> None:
        """Take note of Services that `bench.load` has created, from the first one on."""
        self.alive.extend(range(count))
        self.made = count

    async def clear_statuses(self) -> None:
        """Make all Services pending again."""

        async def clear(number: int) -> None:
            self.progress.detail(f"{number:,} cleared")
            path = SERVICES.path(NAMESPACE, service_name(number), "status")
            await self.client.patch(path, status_patch(None))

        await at_once(tuple(self.alive), clear)

    async def delete_oldest(self) -> None:
        """Delete the oldest Service."""
        await self._delete(self.alive.popleft())

    async def delete_newest(self, count: int) -> None:
        """Delete so many of the newest Services."""
        await at_once([self.alive.pop() for _ in range(count)], self._delete)

    async def _delete(self, number: int) -> None:
        await self.client.delete(SERVICES.path(NAMESPACE, service_name(number)))

    async def requests(self) -> Requests:
        """Return what has been answered so far."""
        text = await self.client.get(ApiPath("/metrics"))
        return Requests.from_metrics(text.decode())

    async def assigned(self) -> int:
        """Return how many Services have an address."""
        return sum(bool(one.ingress) for one in (await self._list()).items)

    async def resource_version(self) -> str:
        """Return where a watch that starts now has to start."""
        return (await self._list(ListOptions(limit=1))).metadata.resourceVersion

    @contextmanager
    def running(self, name: str, *words: str) -> Iterator[Program]:
        """Run `python -m WORDS` beside the server; end it behind the block."""
        log = self.folder / f"{name}-{len(self.programs)}.log"
        program = Program.start(name, words, log)
        self.programs.append(program)
        try:
            yield program
        finally:
            program.stop()

    @contextmanager
    def controller(self) -> Iterator[Program]:
        """Run a controller that serves neither metrics nor probes."""
        options = ("--kubeconfig", str(self.kubeconfig), "--port=0", "--health-probe-port=0")
        with self.running("controller", "ferrolb", "controller", *options) as program:
            yield program

    @contextmanager
    def bare_client(self) -> Iterator[Program]:
        """Run the bare client over all Services."""
        words = ("bench.bare", str(self.kubeconfig), NAMESPACE, str(self.services))
        with self.running("bare-client", *words) as program:
            yield program

    async def _list(self, options: ListOptions | None = None) -> ServiceList:
        return decode_list(await self.client.list_page(SERVICES.path(NAMESPACE), options))


@asynccontextmanager
async def running_cluster(
    folder: Path, progress: Progress, kind: Server = Server.DEV
) -> AsyncIterator[Cluster]:
    """Start an API server with all that the cases need in a new `folder`; end it behind the block.

    Raises:
        BenchError: it does not answer.
    """
    kubeconfig = folder / "kubeconfig"
    server = _start_server(folder, kubeconfig, kind)
    try:
        ready_s = await wait_for("the API server", server, kubeconfig.exists)
        async with connect(kubeconfig) as client:
            await client.create(NAMESPACES.path(), namespace_object())
            await client.create(IP_ADDRESS_POOLS.path(POOL_NAMESPACE), pool_object())
            await client.create(L2_ADVERTISEMENTS.path(POOL_NAMESPACE), advertisement_object())
            await client.create(NODES.path(), node_object())
            yield Cluster(
                folder=folder,
                kind=kind,
                ready_s=ready_s,
                kubeconfig=kubeconfig,
                server=server,
                client=client,
                progress=progress,
            )
    finally:
        server.stop()


def _start_server(folder: Path, kubeconfig: Path, kind: Server) -> Program:
    folder.mkdir()
    words = (*kind.words, "--write-kubeconfig", str(kubeconfig))
    program = Program.start(kind.label, words, folder / "server.log")
    return replace(program, stop_deadline_s=STOP_DEADLINE_S)


async def wait_for(
    what: str, program: Program, is_there: Callable[[], bool], deadline_s: float = START_DEADLINE_S
) -> float:
    """Wait until `is_there()`; return the seconds since the program was started.

    Raises:
        BenchError: the program ended, or the deadline passed.
    """
    while not is_there():
        program.check()
        if time.monotonic() - program.started > deadline_s:
            raise BenchError(f"{what}: nothing within {deadline_s:.0f} s")
        await asyncio.sleep(_POLL_S)
    return time.monotonic() - program.started


async def at_once(numbers: Iterable[T], work: Callable[[T], Awaitable[None]]) -> None:
    """Do the work for each, some at a time."""
    waiting = iter(numbers)

    async def worker() -> None:
        for number in waiting:
            await work(number)

    async with asyncio.TaskGroup() as group:
        for _ in range(_CONNECTIONS):
            group.create_task(worker())
