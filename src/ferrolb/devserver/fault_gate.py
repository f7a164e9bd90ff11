"""Faults on request: what stands before the API and lets requests meet what a cluster may do.

`fault_rules` decides; this carries it out. The rules are read and set at `/ferrolb/faults`, by
administrators only, and the server listens on loopback only while there is a gate.
"""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

import msgspec
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response

from ferrolb.devserver.app import read_body
from ferrolb.devserver.asking import named_verb
from ferrolb.devserver.authentication import MASTERS, Authenticator, bearer_token
from ferrolb.devserver.calls import Verb, is_set, parse_query
from ferrolb.devserver.fault_exchange import (
    Exchange,
    OpenWatch,
    refusal_of,
    refused,
)
from ferrolb.devserver.fault_rules import (
    MAX_RULES,
    Cut,
    Decision,
    FaultRuleError,
    FaultTable,
    Refuse,
    RequestFacts,
    parse_rule,
)
from ferrolb.devserver.paths import parse_resource_path
from ferrolb.devserver.representations import DECODER, json_response
from ferrolb.devserver.statuses import (
    ApiError,
    Target,
    bad_request,
    forbidden,
    invalid,
    method_not_allowed,
    not_found,
    too_many_requests,
    unauthorized,
)
from ferrolb.runtime import StartupError

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from ferrolb.model import JsonObject

FAULTS_PATH: Final = "/ferrolb/faults"
"""Where the rules are; one rule is below it, by its id."""

_TARGET: Final = Target(group="ferrolb", resource="faults")


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who sent a request."""

    name: str
    is_administrator: bool


Identify = Callable[[str | None], Caller | None]
"""Tells whose `Authorization` header it is; None: nobody's."""


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
        token = bearer_token(authorization)
        user = None if token is None else authenticator.user_of(token)
        if user is None:
            return None
        return Caller(name=user.name, is_administrator=MASTERS in user.groups)

    return FaultGate(app, identify)


class FaultGate:
    """Passes requests on to the API, unless a rule says otherwise."""

    def __init__(self, app: "ASGIApp", identify: Identify) -> None:
        self._app = app
        self._identify = identify
        self._table = FaultTable()
        # in the order in which they were opened
        self._watches: dict[OpenWatch, None] = {}

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
        exchange = Exchange(self._app, request, send)
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
        verb = named_verb(request.method, path, {})
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

    async def _watch(self, exchange: "Exchange", facts: RequestFacts, decision: Decision) -> None:
        watch = OpenWatch(facts, exchange.send)
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
            return refused(error)

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


def _is_watch(request: Request) -> bool:
    try:
        return is_set(parse_query(request.scope["query_string"]), "watch")
    except ApiError:
        return False


def _error(refuse: Refuse, facts: RequestFacts) -> ApiError:
    target = Target(group=facts.group, resource=facts.resource, name=facts.name)
    return ApiError(refusal_of(refuse.code, target, refuse.retry_after_seconds))


def _now() -> float:
    return asyncio.get_running_loop().time()
