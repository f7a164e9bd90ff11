"""Faults on request: what stands before the API and lets requests meet what a cluster may do.

`fault_rules` decides; this carries it out. The rules are read and set at `/ferrolb/faults`, by
administrators only, and the server listens on loopback only while there is a gate.
"""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

import msgspec
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from typing_extensions import override
from uvicorn.protocols.http.h11_impl import H11Protocol

from ferrolb.devserver.app import ON_COLLECTION, ON_OBJECT, read_body
from ferrolb.devserver.authentication import USERNAME, Authenticator
from ferrolb.devserver.calls import Verb, is_set, parse_query
from ferrolb.devserver.fault_rules import (
    MAX_RULES,
    Action,
    Cut,
    Decision,
    FaultRuleError,
    FaultTable,
    Refuse,
    RequestFacts,
    WatchEnd,
    WatchError,
    WatchStall,
    parse_rule,
)
from ferrolb.devserver.paths import parse_resource_path
from ferrolb.devserver.representations import DECODER, ENCODER, json_response
from ferrolb.devserver.statuses import (
    ApiError,
    Refusal,
    Target,
    bad_request,
    conflict,
    forbidden,
    gone,
    internal,
    invalid,
    method_not_allowed,
    not_found,
    too_many_requests,
    unauthorized,
)
from ferrolb.devserver.watching import event_line
from ferrolb.runtime import StartupError

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from ferrolb.model import JsonObject

FAULTS_PATH: Final = "/ferrolb/faults"
"""Where the rules are; one rule is below it, by its id."""

CONNECTION: Final = "ferrolb.connection"
"""Where a request's state has its connection."""

_TARGET: Final = Target(group="ferrolb", resource="faults")
_CAUSE: Final = "a rule of the fault gate says so"
_HALF_A_LINE: Final = b'{"type":"MODIFIED","object":{"kind":'


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who sent a request."""

    name: str
    is_administrator: bool


Identify = Callable[[str | None], Caller | None]
"""Tells whose `Authorization` header it is; None: nobody's."""


class CuttableProtocol(H11Protocol):
    """The HTTP server's protocol, with its connection within the requests' reach."""

    @override
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.app_state = {**self.app_state, CONNECTION: transport}


def check_reach(host: str) -> None:
    """Check that nobody but this machine reaches a server that has a gate.

    Raises:
        StartupError: others might.
    """
    with contextlib.suppress(ValueError):
        if host == "localhost" or ip_address(host).is_loopback:
            return
    raise StartupError(f"faults need a server that listens on loopback only, not on {host!r}")


def gated(app: "ASGIApp", authenticator: Authenticator) -> "FaultGate":
    """Put a gate before the API."""

    def identify(authorization: str | None) -> Caller | None:
        if not authenticator.admits(authorization):
            return None
        return Caller(name=USERNAME, is_administrator=True)

    return FaultGate(app, identify)


class FaultGate:
    """Passes requests on to the API, unless a rule says otherwise."""

    def __init__(self, app: "ASGIApp", identify: Identify) -> None:
        self._app = app
        self._identify = identify
        self._table = FaultTable()
        # in the order in which they were opened
        self._watches: dict[_OpenWatch, None] = {}

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Answer a request, or let the API answer it."""
        request = Request(scope, receive)
        path = request.url.path
        if path == FAULTS_PATH or path.startswith(f"{FAULTS_PATH}/"):
            response = await self._administer(request, path[len(FAULTS_PATH) + 1 :])
            await response(scope, receive, send)
            return
        facts = self._facts(request)
        if facts is None:
            await self._app(scope, receive, send)
            return
        decision = self._table.decide(facts, now=_now())
        if decision.delay_s:
            await asyncio.sleep(decision.delay_s)
        exchange = _Exchange(self._app, request, send)
        match decision.action:
            case Refuse() as refuse:
                await exchange.refuse(_error(refuse, facts))
            case Cut(where="BeforeWork"):
                await exchange.cut()
            case _ if facts.verb == "watch":
                await self._watch(exchange, facts, decision)
            case Cut(where=where):
                await exchange.cut_off(with_half=where == "InBody")
            case _:
                await self._app(scope, receive, send)

    def _facts(self, request: Request) -> RequestFacts | None:
        """Return what rules look at; None for what is no request on a resource."""
        path = parse_resource_path(request.url.path)
        if path is None:
            return None
        verb = (ON_OBJECT if path.name else ON_COLLECTION).get(request.method)
        if verb is None:
            return None
        if verb is Verb.LIST and _is_watch(request):
            verb = Verb.WATCH
        caller = self._identify(request.headers.get("authorization"))
        return RequestFacts(
            verb=verb.value,
            group=path.group,
            resource=path.plural,
            subresource=path.subresource,
            namespace=path.namespace,
            name=path.name,
            user=caller.name if caller is not None else "",
            user_agent=request.headers.get("user-agent", ""),
        )

    async def _watch(self, exchange: "_Exchange", facts: RequestFacts, decision: Decision) -> None:
        watch = _OpenWatch(facts, exchange.send)
        if decision.action is not None:
            watch.meet(decision.action, decision.rule)
        self._watches[watch] = None
        try:
            await exchange.watch(watch)
        finally:
            del self._watches[watch]

    async def _administer(self, request: Request, key: str) -> Response:
        try:
            self._check_caller(request.headers)
            match request.method, key:
                case "GET", "":
                    return json_response(self._table.listing(now=_now()))
                case "GET", _:
                    return json_response(self._shown(key))
                case "POST", "":
                    return await self._add(request)
                case "DELETE", _:
                    return self._delete(key)
                case _:
                    raise method_not_allowed()
        except ApiError as error:
            return _refused(error)

    def _check_caller(self, headers: Headers) -> None:
        caller = self._identify(headers.get("authorization"))
        if caller is None:
            raise unauthorized()
        if not caller.is_administrator:
            raise forbidden(_TARGET, f"user {caller.name!r} is no administrator")

    async def _add(self, request: Request) -> Response:
        body = await read_body(request)
        try:
            rule = parse_rule(DECODER.decode(body))
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
            raise bad_request(f"the body of the request is not valid JSON: {error}") from error
        except FaultRuleError as error:
            raise invalid(Target(resource="FaultRule"), [error.error]) from error
        now = _now()
        key = self._table.add(rule, now=now)
        if key is None:
            raise too_many_requests(f"{MAX_RULES} rules are in force, which is the limit")
        if rule.acts_on_running:
            for watch in tuple(self._watches):
                action = self._table.decide_running(watch.facts, key, now=now)
                if action is not None:
                    watch.meet(action, key)
        return json_response(self._shown(key), status=201)

    def _shown(self, key: str) -> "JsonObject":
        shown = self._table.shown(key, now=_now())
        if shown is None:
            raise not_found(Target(group="ferrolb", resource="faults", name=key[:64]))
        return shown

    def _delete(self, key: str) -> Response:
        keys = (key,) if key else self._table.keys()
        shown = [self._shown(each) for each in keys]
        for each in keys:
            self._table.remove(each)
        for watch in self._watches:
            watch.let_go(keys)
        return json_response({"rules": [*shown]})


class _OpenWatch:
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
class _Exchange:
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
        await _refused(error)(self.request.scope, self.request.receive, self.send)

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

    async def watch(self, watch: _OpenWatch) -> None:
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

    async def _end(self, watch: _OpenWatch) -> None:
        match watch.end:
            case WatchEnd():
                await self.send(_body(b""))
            case WatchError(code=code):
                status = _refusal(code, Target()).status
                await self.send(_body(event_line("ERROR", ENCODER.encode(status))))
            case Cut(where="InBody"):
                await self.send(_body(_HALF_A_LINE, more=True))
                await self.cut()
            case _:
                await self.cut()


def _is_watch(request: Request) -> bool:
    try:
        return is_set(parse_query(request.scope["query_string"]), "watch")
    except ApiError:
        return False


def _error(refuse: Refuse, facts: RequestFacts) -> ApiError:
    target = Target(group=facts.group, resource=facts.resource, name=facts.name)
    return ApiError(_refusal(refuse.code, target, refuse.retry_after_seconds))


def _refusal(code: int, target: Target, retry_after_s: int | None = None) -> Refusal:
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


def _refused(error: ApiError) -> Response:
    response = json_response(error.refusal.status, status=error.refusal.code)
    response.headers.update(error.refusal.headers)
    return response


def _body(content: bytes, *, more: bool = False) -> "Message":
    return {"type": "http.response.body", "body": content, "more_body": more}


def _now() -> float:
    return asyncio.get_running_loop().time()
