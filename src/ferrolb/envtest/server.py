"""One running control plane, from its options to its end."""

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final

from ferrolb.envtest.credentials import Credentials, prepare_credentials
from ferrolb.envtest.crew import Crew, gathered
from ferrolb.envtest.flags import (
    MANAGER_KUBECONFIG,
    api_server_argv,
    controller_manager_argv,
    etcd_argv,
)
from ferrolb.envtest.options import EnvtestOptions
from ferrolb.envtest.seeding import starting
from ferrolb.envtest.workplace import open_workplace
from ferrolb.pki import Endpoint, endpoint_at, write_kubeconfig, write_private
from ferrolb.runtime import StartupError, bind_socket
from ferrolb.telemetry import get_logger

PORT_FILE: Final = "port"
"""Where the data directory keeps the port, so that kubeconfigs go on working after a restart."""


async def serve(options: EnvtestOptions, *, ready: Callable[[Endpoint], None]) -> None:
    """Serve until cancelled; `ready` is called once requests are answered.

    Raises:
        StartupError: a program cannot run or has ended by itself, the address cannot be bound, or
            the data directory cannot be used.
    """
    with _told_plainly():
        async with open_workplace(options.data_dir) as place:
            with _reserved(options) as (address, port):
                names = [name for name in (options.host, *options.extra_names) if name]
                credentials = prepare_credentials(place.folder, options.data_dir, names)
                endpoint = endpoint_at(
                    options.host,
                    port,
                    token=credentials.administrator,
                    ca_pem=credentials.ca_pem,
                    kubeconfig=options.kubeconfig,
                )
                etcd = etcd_argv(options, place.folder)
                api_server = api_server_argv(options, place.folder, address=address, port=port)
                async with gathered(place, os.environ) as crew:
                    await crew.start("etcd", etcd)
                    await crew.start("kube-apiserver", api_server)
                    await _run(options, crew, endpoint, credentials, ready)


async def _run(
    options: EnvtestOptions,
    crew: Crew,
    endpoint: Endpoint,
    credentials: Credentials,
    ready: Callable[[Endpoint], None],
) -> None:
    async with starting(endpoint) as steps:
        await crew.while_working(steps.answers())
        await _start_manager(options, crew, replace(endpoint, token=credentials.manager))
        await crew.while_working(steps.seeded())
    if options.data_dir is not None:
        write_private(options.data_dir / PORT_FILE, str(endpoint.port).encode("ascii"))
    write_kubeconfig(endpoint)
    ready(endpoint)
    await crew.while_working(asyncio.Event().wait())


async def _start_manager(options: EnvtestOptions, crew: Crew, endpoint: Endpoint) -> None:
    binary = options.binaries.kube_controller_manager
    if not options.controllers:
        return
    if binary is None:
        get_logger().warning(
            "no kube-controller-manager beside kube-apiserver: deleted namespaces stay, "
            "no endpoint slices, no garbage collection",
            binaries=str(options.binaries.kube_apiserver.parent),
        )
        return
    kubeconfig = crew.folder / MANAGER_KUBECONFIG
    write_kubeconfig(replace(endpoint, kubeconfig=kubeconfig))
    argv = controller_manager_argv(binary, crew.folder, options.controllers)
    await crew.start("kube-controller-manager", argv)


@contextlib.contextmanager
def _reserved(options: EnvtestOptions) -> Iterator[tuple[str, int]]:
    """Hold the address to listen on: nobody is given its port before the API server listens there.

    Raises:
        StartupError: it is in use.
    """
    with _listening(options) as listener:
        address, port = listener.getsockname()[:2]
        family = listener.family
    with socket.socket(family) as held:
        # not listening, so no connection ends here; the API server listens beside it
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        held.bind((address, port))
        yield str(address), int(port)


def _listening(options: EnvtestOptions) -> socket.socket:
    """Listen for a moment, which tells whether the port is free, also from those who share."""
    kept = _kept_port(options)
    if kept:
        try:
            return bind_socket(options.host, kept)
        except StartupError:
            get_logger().warning("the port of last time is in use, taking another", port=kept)
    return bind_socket(options.host, options.port)


def _kept_port(options: EnvtestOptions) -> int:
    """Return the port of last time if any port will do, else 0."""
    if options.port or options.data_dir is None:
        return 0
    try:
        return int((options.data_dir / PORT_FILE).read_text(encoding="ascii"))
    except (FileNotFoundError, ValueError):
        return 0


@contextlib.contextmanager
def _told_plainly() -> Iterator[None]:
    """Turn a failure of the operating system into one line for the user."""
    try:
        yield
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        raise StartupError(f"cannot run an API server: {where}{error.strerror}") from error
