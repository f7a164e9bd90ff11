"""What carries faults out on one exchange of request and answer, or on one open watch."""

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from starlette.requests import Request
from starlette.responses import Response
from typing_extensions import override
from uvicorn.protocols.http.h11_impl import H11Protocol

from ferrolb.devserver.app import read_body
from ferrolb.devserver.fault_rules import (
    Action,
    Cut,
    RequestFacts,
    WatchEnd,
    WatchError,
    WatchStall,
)
from ferrolb.devserver.representations import ENCODER, json_response
from ferrolb.devserver.statuses import ApiError, Refusal, Target, conflict, gone, internal
from ferrolb.devserver.watching import event_line

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Send

CONNECTION: Final = "ferrolb.connection"
"""Where a request's state has its connection."""

_CAUSE: Final = "a rule of the fault gate says so"
_HALF_A_LINE: Final = b'{"type":"MODIFIED","object":{"kind":'


class CuttableProtocol(H11Protocol):
    """The HTTP server's protocol, with its connection within the requests' reach."""

    @override
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.app_state = {**self.app_state, CONNECTION: transport}


class OpenWatch:
    """A watch under way, and what it has met."""

    def __init__(self, facts: RequestFacts, send: "Send") -> None:
        self.facts = facts
        self.is_stream = False
        self.end: Action | None = None
        self.changed = asyncio.Event()
        """Set when the head of the answer is sent, or an end has come."""
        self._send = send
        self._stalled_by = ""
        self._released = asyncio.Event()
        self._released.set()

    def meet(self, action: Action, rule: str) -> None:
        """Let it meet a fault; the first one that ends it stays."""
        if isinstance(action, WatchStall):
            self._stall(action, rule)
        elif self.end is None:
            self.end = action
            self.changed.set()

    def let_go(self, rules: tuple[str, ...]) -> None:
        """Go on, if one of these rules has it stalled."""
        if self._stalled_by in rules:
            self._released.set()

    def _stall(self, action: WatchStall, rule: str) -> None:
        self._stalled_by = rule
        self._released.clear()
        if action.seconds is not None:
            asyncio.get_running_loop().call_later(action.seconds, self.let_go, (rule,))

    async def send(self, message: "Message") -> None:
        """Send a part of the answer, once nothing holds it back."""
        if message["type"] == "http.response.start":
            await self._send(message)
            self.is_stream = message["status"] == 200
            self.changed.set()
            return
        await self._released.wait()
        await self._send(message)


@dataclass(slots=True)
class Exchange:
    """One request and its answer."""

    app: "ASGIApp"
    request: Request
    send: "Send"
    _parts: "list[Message]" = field(default_factory=list)

    async def refuse(self, error: ApiError) -> None:
        """Answer with an error, the request having been read and not looked at."""
        try:
            await read_body(self.request)
        except ApiError as too_large:
            error = too_large
        await refused(error)(self.request.scope, self.request.receive, self.send)

    async def cut(self) -> None:
        """Close the connection as it is; return when it is closed."""
        self.request.scope["state"][CONNECTION].abort()
        while (await self.request.receive())["type"] != "http.disconnect":
            pass

    async def cut_off(self, *, with_half: bool) -> None:
        """Let the work be done, and close the connection before the answer, or in its middle."""

        async def keep(message: "Message") -> None:
            self._parts.append(message)

        await self.app(self.request.scope, self.request.receive, keep)
        if with_half:
            await self._send_half()
        await self.cut()

    async def _send_half(self) -> None:
        head, *parts = self._parts
        body = b"".join(part.get("body", b"") for part in parts)
        await self.send(head)
        await self.send(_body(body[: len(body) // 2], more=True))

    async def watch(self, watch: OpenWatch) -> None:
        """Let the API answer a watch until it ends, or meets its end."""
        scope, receive = self.request.scope, self.request.receive
        work = asyncio.ensure_future(self.app(scope, receive, watch.send))
        try:
            while not work.done():
                watch.changed.clear()
                if watch.is_stream and watch.end is not None:
                    break
                change = asyncio.ensure_future(watch.changed.wait())
                await asyncio.wait([work, change], return_when=asyncio.FIRST_COMPLETED)
                change.cancel()
        finally:
            is_over = work.done()
            work.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await work
        if not is_over:
            await self._end(watch)

    async def _end(self, watch: OpenWatch) -> None:
        match watch.end:
            case WatchEnd():
                await self.send(_body(b""))
            case WatchError(code=code):
                status = refusal_of(code, Target()).status
                await self.send(_body(event_line("ERROR", ENCODER.encode(status))))
            case Cut(where="InBody"):
                await self.send(_body(_HALF_A_LINE, more=True))
                await self.cut()
            case _:
                await self.cut()


def refusal_of(code: int, target: Target, retry_after_s: int | None = None) -> Refusal:
    """Return the refusal of a status, as a real server words it where it has words for it."""
    match code:
        case 409:
            return conflict(target).refusal
        case 410:
            return gone("The resourceVersion for the provided watch is too old.").refusal
        case 500:
            return internal(_CAUSE).refusal
        case _:
            seconds = 1 if retry_after_s is None else retry_after_s
            return Refusal(
                code=code,
                reason="TooManyRequests" if code == 429 else "ServiceUnavailable",
                message=_CAUSE,
                details={"retryAfterSeconds": seconds},
                headers={"Retry-After": str(seconds)},
            )


def refused(error: ApiError) -> Response:
    """Return the answer that tells of an error."""
    response = json_response(error.refusal.status, status=error.refusal.code)
    response.headers.update(error.refusal.headers)
    return response


def _body(content: bytes, *, more: bool = False) -> "Message":
    return {"type": "http.response.body", "body": content, "more_body": more}
