"""The HTTP application: who asks for what, and what is answered."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ferrolb.apimachinery import PathRequest, ResourceRequest
from ferrolb.devserver.asking import asked_of, named_verb
from ferrolb.devserver.authentication import ANONYMOUS, bearer_token, spacing_warnings
from ferrolb.devserver.body_text import MAX_BODY_BYTES
from ferrolb.devserver.call_options import check_options
from ferrolb.devserver.calls import Call, Verb, parse_query
from ferrolb.devserver.deleting import delete_collection, delete_object
from ferrolb.devserver.documents import Documents
from ferrolb.devserver.impersonation import NobodyToActAsError, acting_user
from ferrolb.devserver.metrics import RequestLabels
from ferrolb.devserver.negotiation import negotiate
from ferrolb.devserver.paths import ResourcePath, parse_resource_path
from ferrolb.devserver.plain import internal_page
from ferrolb.devserver.reading import get_object, list_objects, watch_objects
from ferrolb.devserver.representations import add_warnings, json_response
from ferrolb.devserver.reviews import REVIEWS, review
from ferrolb.devserver.statuses import (
    ApiError,
    Target,
    internal,
    method_not_allowed,
    no_such_path,
    not_found,
    too_large,
)
from ferrolb.devserver.token_requests import request_token
from ferrolb.devserver.writing import create_object, patch_object, update_object

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from ferrolb.apimachinery import User
    from ferrolb.devserver.cluster import Cluster
    from ferrolb.devserver.registry import ServedResource

Handler = Callable[["Cluster", Call], Awaitable[Response]]

HANDLERS: Final[dict[Verb, Handler]] = {
    Verb.GET: get_object,
    Verb.LIST: list_objects,
    Verb.WATCH: watch_objects,
    Verb.CREATE: create_object,
    Verb.UPDATE: update_object,
    Verb.PATCH: patch_object,
    Verb.APPLY: patch_object,
    Verb.DELETE: delete_object,
    Verb.DELETE_COLLECTION: delete_collection,
}

OPEN_PATHS: Final = frozenset({"/healthz", "/livez", "/readyz"})
"""Answered without a token, for probes."""


def make_app(cluster: "Cluster", *, address: str) -> Starlette:
    """Return the application; `address` is how clients reach it."""
    api = _Api(cluster, Documents(cluster, address=address))

    async def failed(_request: Request, error: Exception) -> Response:
        cluster.metrics.count_request(_plain_labels("", 500))
        return json_response(internal(type(error).__name__).refusal.status, status=500)

    # A failure that nobody foresaw: answered here, logged by the HTTP server, which sees it next.
    return Starlette(
        routes=[Route("/{path:path}", api)],
        exception_handlers={Exception: failed},
    )


class _Api:
    """Answers every path."""

    def __init__(self, cluster: "Cluster", documents: Documents) -> None:
        self._cluster = cluster
        self._documents = documents

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        request = Request(scope, receive)
        response = await self._answer(request)
        add_warnings(response, spacing_warnings(request.headers.get("authorization")))
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        path = request.url.path
        try:
            user = acting_user(self._identify(request), request.headers, self._cluster.authorizer)
            resource_path = parse_resource_path(path)
            if resource_path is not None:
                query = parse_query(request.scope["query_string"])
                self._authorize(user, asked_of(request.method, resource_path, query))
                return await self._answer_resource(request, resource_path, user)
            self._authorize(user, PathRequest(verb=request.method.lower(), path=path))
            query = parse_query(request.scope["query_string"])
            response = self._documents.answer(path, request.method, request.headers, query=query)
        except ApiError as error:
            self._cluster.metrics.count_request(_plain_labels(request.method, error.refusal.code))
            return _refused(error)
        except NobodyToActAsError as error:
            response = internal_page(_target_of(request), str(error))
        self._cluster.metrics.count_request(_plain_labels(request.method, response.status_code))
        return response

    def _identify(self, request: Request) -> "User":
        path = request.url.path
        is_open = path in OPEN_PATHS or path.startswith(("/livez/", "/readyz/", "/healthz/"))
        if is_open and bearer_token(request.headers.get("authorization")) is None:
            return ANONYMOUS
        return self._cluster.authenticator.identify(request.headers)

    def _authorize(self, user: "User", asked: ResourceRequest | PathRequest) -> None:
        self._cluster.authorizer.check(user, asked)

    async def _answer_resource(
        self, request: Request, path: ResourcePath, user: "User"
    ) -> Response:
        resource = self._cluster.registry.find(path.group, path.version, path.plural)
        if resource is None:
            return await self._answer_review(request, path, user)
        if request.method in ("POST", "DELETE") and _lacks_namespace(path, resource):
            if resource.traits.is_custom:
                return self._documents.nothing_at(request.url.path)
            raise method_not_allowed()
        call = self._call(request, path, resource, user)
        try:
            if request.method != "GET":
                call.body = await read_body(request)
            handle = request_token if path.subresource == "token" else HANDLERS[call.verb]
            response = await handle(self._cluster, call)
        except ApiError as error:
            response = _refused(error)
        add_warnings(response, call.warnings)
        self._cluster.metrics.count_request(call.request_labels(response.status_code))
        return response

    async def _answer_review(self, request: Request, path: ResourcePath, user: "User") -> Response:
        kind = REVIEWS.get((path.group, path.version, path.plural))
        if kind is None or path.name:
            return self._documents.nothing_at(request.url.path)
        if request.method != "POST":
            raise method_not_allowed()
        body = await read_body(request)
        reviewed = (kind, path.namespace)
        return review(self._cluster, reviewed, body, headers=request.headers, user=user)

    def _call(
        self, request: Request, path: ResourcePath, resource: "ServedResource", user: "User"
    ) -> Call:
        query = parse_query(request.scope["query_string"])
        _check_place(path, resource)
        verb = _verb_of(request, path, query)
        served = Verb.PATCH if verb is Verb.APPLY else verb
        if served not in resource.verbs_at(path.subresource):
            raise method_not_allowed()
        call = Call(
            verb=verb,
            resource=resource,
            path=path,
            query=query,
            headers=request.headers,
            user=user,
            representation=negotiate(request.headers.get("accept", "")),
        )
        check_options(call)
        if resource.deprecation:
            call.warnings.append(resource.deprecation)
        return call


def _lacks_namespace(path: ResourcePath, resource: "ServedResource") -> bool:
    return resource.is_namespaced and not path.namespace and not path.name


def _check_place(path: ResourcePath, resource: "ServedResource") -> None:
    """Check that a resource is addressed as its scope and its subresources allow.

    Raises:
        ApiError: 404, it is not; 405, an object is addressed that has no namespace.
    """
    if path.subresource and path.subresource not in resource.subresources:
        if resource.traits.is_custom:
            raise not_found(Target(group=path.group, resource=path.plural, name=path.name))
        raise no_such_path()
    if path.namespace and not resource.is_namespaced:
        raise no_such_path()
    if path.name and resource.is_namespaced and not path.namespace:
        raise no_such_path()


def _verb_of(request: Request, path: ResourcePath, query: dict[str, str]) -> Verb:
    verb = named_verb(request.method, path, query)
    if verb is None or (path.subresource and verb is Verb.DELETE):
        raise method_not_allowed()
    if verb is Verb.PATCH and request.headers.get("content-type", "").startswith(
        "application/apply-patch"
    ):
        return Verb.APPLY
    return verb


async def read_body(request: Request) -> bytes:
    """Return the body of a request.

    Raises:
        ApiError: 413, it is over the limit.
    """
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > MAX_BODY_BYTES:
            raise too_large(MAX_BODY_BYTES)
        chunks.append(chunk)
    return b"".join(chunks)


def _target_of(request: Request) -> str:
    """Return path and query as they were sent."""
    url = request.url
    return f"{url.path}?{url.query}" if url.query else url.path


def _refused(error: ApiError) -> Response:
    refusal = error.refusal
    response = json_response(refusal.status, status=refusal.code)
    response.headers.update(refusal.headers)
    return response


def _plain_labels(method: str, code: int) -> RequestLabels:
    known = method if method in ("GET", "POST", "PUT", "PATCH", "DELETE") else ""
    return RequestLabels(
        verb=known,
        group="",
        version="",
        resource="",
        subresource="",
        scope="",
        dry_run="",
        code=str(code),
    )
