"""The HTTP endpoints of a program: liveness, readiness, metrics.

They are served from the program's own event loop on purpose: a loop that hangs answers no probe,
and that is the one condition in which a restart helps (C-28). An API outage is none, and neither is
a socket that cannot be opened: `/healthz` stays well through both.
"""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

import uvicorn
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from typing_extensions import override

from ferrolb.runtime.program import StartupError
from ferrolb.telemetry import render

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry
    from starlette.requests import Request
    from starlette.types import ASGIApp

_MAX_CONNECTIONS: Final = 64
"""Open requests at once; kubelet and one scraper need three. Raising it only helps a stranger."""
_KEEP_ALIVE_S: Final = 5
_STOP_S: Final = 1
"""Seconds that open requests are given when the program stops."""


class Health:
    """What `/readyz` says: not ready until the first sync is through, ready after that (C-28).

    After that only what a program itself cannot do makes it unready, as a socket that it cannot
    open; an outage of the API does not. `remarks` are lines to be shown beside either answer.
    """

    def __init__(self, *, remarks: Callable[[], list[str]] = list) -> None:
        self._remarks = remarks
        self._waiting_for: dict[str, None] = {}
        self._failures: dict[str, str] = {}
        self._is_started = False

    def wait_for(self, step: str) -> None:
        """Name a step of the start that must be through before the program is ready."""
        self._waiting_for[step] = None

    def done(self, step: str) -> None:
        """Mark a step as through; later calls change nothing."""
        self._waiting_for.pop(step, None)

    def started(self) -> None:
        """Say that every step has been named."""
        self._is_started = True

    def failing(self, name: str, reason: str) -> None:
        """Say that something does not work now, and why; the newest reason counts."""
        self._failures[name] = reason

    def recovered(self, name: str) -> None:
        """Say that it works again; later calls change nothing."""
        self._failures.pop(name, None)

    @property
    def failures(self) -> dict[str, str]:
        """What does not work now, with why, in the order in which it began."""
        return dict(self._failures)

    @property
    def remarks(self) -> list[str]:
        """What is worth knowing and does not decide."""
        return self._remarks()

    @property
    def missing(self) -> tuple[str, ...]:
        """What readiness still waits for, in the order named."""
        return tuple(self._waiting_for) if self._is_started else ("start", *self._waiting_for)


def health_app(health: Health) -> Starlette:
    """Return `/healthz`, `/livez` and `/readyz`, as plain text."""

    async def live(_request: "Request") -> Response:
        return PlainTextResponse("ok")

    async def ready(_request: "Request") -> Response:
        lines = [f"waiting for {step}" for step in health.missing]
        lines += [f"failing: {name}: {reason}" for name, reason in health.failures.items()]
        if lines:
            text = "".join(f"{line}\n" for line in [*lines, *health.remarks])
            return PlainTextResponse(text, status_code=503)
        return PlainTextResponse("\n".join(["ok", *health.remarks]))

    return Starlette(
        routes=[
            Route("/healthz", live),
            Route("/livez", live),
            Route("/readyz", ready),
        ]
    )


def metrics_app(registry: "CollectorRegistry") -> Starlette:
    """Return `/metrics` for one registry."""

    async def metrics(_request: "Request") -> Response:
        body, content_type = render(registry)
        return Response(body, media_type=content_type)

    return Starlette(routes=[Route("/metrics", metrics)])


def bind_socket(host: str, port: int) -> socket.socket:
    """Return a listening socket; an empty host means every interface, both families.

    Raises:
        StartupError: the address cannot be bound.
    """
    try:
        listener = _listen(host, port)
    except OSError as error:
        text = f"cannot listen on {host or '*'}:{port}: {error.strerror}; choose another port"
        raise StartupError(text) from error
    # asyncio sets it only on sockets whose protocol number is given; without it each answer waits
    # for the client's delayed acknowledgement
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def _listen(host: str, port: int) -> socket.socket:
    if not host and socket.has_dualstack_ipv6():
        return socket.create_server(
            ("", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=128
        )
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=128)


async def serve_http(app: "ASGIApp", listener: socket.socket) -> None:
    """Serve `app` on `listener` until cancelled; then give open requests one second."""
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="off",
        server_header=False,
        limit_concurrency=_MAX_CONNECTIONS,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=_STOP_S,
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        await asyncio.shield(task)
    finally:
        server.should_exit = True
        await task


class _Server(uvicorn.Server):
    """A server that leaves the signals to the program."""

    @contextlib.contextmanager
    @override
    def capture_signals(self) -> Iterator[None]:
        """Change no signal handler."""
        yield
