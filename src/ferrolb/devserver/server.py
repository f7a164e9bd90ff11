"""One running dev API server, from its options to its end."""

import asyncio
import contextlib
import functools
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import uvicorn
from typing_extensions import override

from ferrolb.devserver.account_tokens import (
    DEFAULT_AUDIENCES,
    AccountTokens,
    load_or_make_key,
)
from ferrolb.devserver.aggregation import Aggregator
from ferrolb.devserver.app import make_app
from ferrolb.devserver.authentication import Authenticator, load_or_make_token
from ferrolb.devserver.authorization import Authorizer
from ferrolb.devserver.builtin import DEFINITIONS, ROLES_AND_BINDINGS, SERVICES, register_builtins
from ferrolb.devserver.cluster import Cluster, wall_clock
from ferrolb.devserver.definitions import (
    DefinitionStrategy,
    is_established,
    served_resources,
    storage_of,
)
from ferrolb.devserver.expiry import sweep
from ferrolb.devserver.fault_exchange import CuttableProtocol
from ferrolb.devserver.fault_gate import FaultGate, check_reach, gated
from ferrolb.devserver.garbage import GarbageCollector
from ferrolb.devserver.journal import Journal
from ferrolb.devserver.journal_files import JournalError
from ferrolb.devserver.metrics import Metrics
from ferrolb.devserver.options import DevServerOptions
from ferrolb.devserver.ranges import ServiceRanges
from ferrolb.devserver.reaping import Reaper
from ferrolb.devserver.registry import Registry
from ferrolb.devserver.seeding import seed
from ferrolb.devserver.token_requests import uid_of_account
from ferrolb.devserver.watching import Hub
from ferrolb.pki import (
    Endpoint,
    ServerIdentity,
    endpoint_at,
    load_or_make_identity,
    server_context,
    write_kubeconfig,
)
from ferrolb.runtime import StartupError, bind_socket
from ferrolb.store import ChangeType, Store

if TYPE_CHECKING:
    import ssl

    from starlette.types import ASGIApp

    from ferrolb.store import Change

MAX_CONNECTIONS: Final = 2000
"""Connections at one time: twice the watches that may be open, since HTTP/1.1 needs one each."""

MAX_HEADER_BYTES: Final = 64 * 1024
"""Bytes of a request line with its headers; kubectl sends under 2 kB, selectors may be long."""

KEEP_ALIVE_S: Final = 180
"""An idle connection stays this long: longer than Go's clients keep one (90 s), so that the server
never closes a connection that a client is about to use."""

STORE_DIRECTORY: Final = "objects"
"""Where the data directory keeps the objects; certificates and token lie beside it."""

STOP_S: Final = 1
"""Seconds that requests under way are given when the server stops."""


async def serve(options: DevServerOptions, *, ready: Callable[[Endpoint], None]) -> None:
    """Serve until cancelled; `ready` is called once requests are answered.

    Raises:
        StartupError: the address cannot be bound, or others could reach it and set faults, or the
            data directory cannot be used.
    """
    if options.has_faults:
        check_reach(options.host)
    listener = bind_socket(options.host, options.port)
    try:
        await _serve(options, listener, ready)
    finally:
        listener.close()


async def _serve(
    options: DevServerOptions, listener: socket.socket, ready: Callable[[Endpoint], None]
) -> None:
    identity, token = _credentials(options)
    port = int(listener.getsockname()[1])
    endpoint = endpoint_at(
        options.host,
        port,
        token=token,
        ca_pem=identity.ca_pem,
        kubeconfig=options.kubeconfig,
    )
    with _told_plainly("cannot use the data directory"):
        cluster = make_cluster(options, token)
    app = make_app(cluster, address=f"{endpoint.host}:{port}")

    def announce() -> None:
        with _told_plainly("cannot write the kubeconfig"):
            write_kubeconfig(endpoint)
        ready(endpoint)

    served = gated(app, cluster.authenticator) if options.has_faults else app
    server = _Server(_config(served, server_context(identity.server)), announce)
    async with asyncio.TaskGroup() as tasks, _kept(cluster, options, tasks):
        reaper = Reaper(cluster)
        collector = GarbageCollector(cluster)
        aggregator = Aggregator(cluster)

        def saw(change: "Change") -> None:
            reaper.saw(change)
            collector.saw(change)
            aggregator.saw(change)

        cluster.watch_all(saw)
        await seed(cluster, ranges=options.service_ranges, port=port)
        await aggregator.gather()
        reaper.start()
        collector.start()
        works = (reaper.run(), collector.run(), aggregator.run(), sweep(cluster))
        helpers = [tasks.create_task(work) for work in works]
        try:
            await run_until_cancelled(server, listener, cluster)
        finally:
            for helper in helpers:
                helper.cancel()


@contextlib.asynccontextmanager
async def _kept(
    cluster: Cluster, options: DevServerOptions, tasks: asyncio.TaskGroup
) -> AsyncIterator[None]:
    """Keep what is stored in a directory while this lasts, and take over what is there.

    A failing disk ends the task group: what is shown must not differ from what is kept.

    Raises:
        StartupError: the directory cannot be used.
    """
    if options.data_dir is None:
        yield
        return
    directory = options.data_dir / STORE_DIRECTORY
    try:
        journal = Journal(directory, cluster.store, log_limit_bytes=options.journal_limit_bytes)
    except JournalError as error:
        raise StartupError(str(error)) from error
    cluster.keep_in(journal)
    cluster.restored()
    writing = tasks.create_task(journal.run())
    try:
        yield
    finally:
        writing.cancel()
        await asyncio.wait([writing])
        journal.close()


def _credentials(options: DevServerOptions) -> tuple[ServerIdentity, str]:
    names = [name for name in (options.host, *options.extra_names) if name]
    with _told_plainly("cannot use the data directory"):
        identity = load_or_make_identity(options.data_dir, names, now=datetime.now(UTC))
        return identity, load_or_make_token(options.data_dir, options.token)


@contextlib.contextmanager
def _told_plainly(what: str) -> Iterator[None]:
    """Turn a failure of the file system into one line for the user."""
    try:
        yield
    except OSError as error:
        raise StartupError(f"{what}: {error.filename or ''}: {error.strerror}") from error


def make_cluster(options: DevServerOptions, token: str) -> Cluster:
    """Return a cluster with the built-in resources and nothing in it.

    Raises:
        OSError: the key of its accounts can be neither read nor kept.
    """
    store = Store()
    registry = Registry()
    first, last = options.node_ports
    ranges = ServiceRanges(options.service_ranges, range(first, last + 1))
    tokens = AccountTokens(
        load_or_make_key(options.data_dir),
        uid_of=functools.partial(uid_of_account, store),
        now=wall_clock,
    )
    cluster = Cluster(
        store=store,
        hub=Hub(store=store, published=store.resource_version),
        registry=registry,
        metrics=Metrics(),
        # nobody is let in without a token where the authorizer refuses nothing
        authenticator=Authenticator(
            token,
            recognize=tokens.recognize,
            audiences=DEFAULT_AUDIENCES,
            has_anonymous=options.is_rbac,
        ),
        account_tokens=tokens,
        authorizer=Authorizer(is_enforced=options.is_rbac),
    )
    register_builtins(
        registry, ranges=ranges, definitions=DefinitionStrategy(registry, cluster.now)
    )

    def service_changed(change: "Change") -> None:
        after = None if change.type is ChangeType.DELETED else change.obj
        ranges.replace(change.previous, after)

    def definition_changed(change: "Change") -> None:
        definition = change.obj
        if change.type is ChangeType.DELETED or not is_established(definition):
            registry.remove(storage_of(definition))
        else:
            registry.replace(storage_of(definition), served_resources(definition))

    cluster.on_change(SERVICES, service_changed)
    cluster.on_change(DEFINITIONS, definition_changed)
    for resource in ROLES_AND_BINDINGS:
        cluster.on_change(resource, cluster.authorizer.changed)
    return cluster


async def run_until_cancelled(
    server: uvicorn.Server, listener: socket.socket, cluster: Cluster
) -> None:
    """Run the HTTP server; when cancelled end the watches, then wait for the rest briefly."""
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        await asyncio.shield(task)
    finally:
        cluster.hub.close()
        server.should_exit = True
        await task


def _config(app: "ASGIApp", context: "ssl.SSLContext") -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=CuttableProtocol if isinstance(app, FaultGate) else "h11",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        ssl_context_factory=lambda _config, _default: context,
        limit_concurrency=MAX_CONNECTIONS,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=STOP_S,
        h11_max_incomplete_event_size=MAX_HEADER_BYTES,
    )


class _Server(uvicorn.Server):
    """A server that leaves the signals to the program and says when it answers."""

    def __init__(self, config: uvicorn.Config, announce: Callable[[], None]) -> None:
        super().__init__(config)
        self._announce = announce

    @override
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self._announce()

    @contextlib.contextmanager
    @override
    def capture_signals(self) -> Iterator[None]:
        """Change no signal handler."""
        yield
