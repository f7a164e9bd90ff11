"""Requests to the API: bytes out and in, errors by status, nothing decoded, nothing retried.

Retrying is the queue's and the reflector's business; only they know whether the request is still
wanted. There is no client-side rate limit: the API server's own fairness decides.
"""

import asyncio
import os
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import httpx2
import msgspec

from ferrolb import __version__
from ferrolb.kube.access import AUTH_ERRORS, Access, load_access
from ferrolb.kube.errors import (
    ApiError,
    BadAnswerError,
    ForbiddenError,
    SilentError,
    UnreachableError,
    error_from_answer,
)
from ferrolb.kube.lanes import Lanes
from ferrolb.kube.resource import ApiPath
from ferrolb.kube.rights import Rights, refused_right
from ferrolb.model import JsonObject

USER_AGENT: Final = f"ferrolb/{__version__}"
"""What the server's audit log shows; up to the slash it is also the field manager's name."""

MAX_WATCH_LINE_BYTES: Final = 32 * 1024 * 1024
"""An event holds one object (etcd keeps at most 1.5 MB by default); beyond, the stream is junk."""

_KEEPALIVE: Final = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 15),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 5),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
    (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 30_000),
)
"""The kernel notices within 30 s that a peer is gone, also on a watch that is silent by right."""

_JSON: Final = "application/json"

_HEADERS: Final = {"user-agent": USER_AGENT, "accept": _JSON, "accept-encoding": "identity"}
"""Compression would cost both sides more time than it saves inside a cluster."""


class PatchType(StrEnum):
    """Content types of a PATCH."""

    MERGE = "application/merge-patch+json"
    JSON = "application/json-patch+json"
    STRATEGIC = "application/strategic-merge-patch+json"
    APPLY = "application/apply-patch+yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSettings:
    """Limits of one client."""

    request_timeout_s: float = 10.0
    """Until a request has been answered in full. C-19: a new leader waits this long for the old."""
    list_timeout_s: float = 60.0
    """The same for a page of a list; a page of large objects takes a busy server seconds."""
    max_idle_connections: int = 64
    """Kept for the next burst; each costs the server a few kB."""
    idle_s: float = 60.0
    """Below the 90 s after which an API server closes an idle connection itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListOptions:
    """What a page of a list shall hold. A `limit` of 0 asks for everything at once."""

    limit: int = 0
    continue_from: str = ""
    field_selector: str = ""
    label_selector: str = ""

    def params(self) -> dict[str, str]:
        """Return the query parameters."""
        return _without_empty(
            {
                "limit": str(self.limit or ""),
                "continue": self.continue_from,
                "fieldSelector": self.field_selector,
                "labelSelector": self.label_selector,
            }
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchOptions:
    """Which watch to open, and how long it may last and be silent."""

    resource_version: str
    timeout_s: int
    """After this the server ends the watch by itself."""
    silence_s: float
    """After this without a byte, the watch counts as dead."""
    field_selector: str = ""
    label_selector: str = ""

    def params(self) -> dict[str, str]:
        """Return the query parameters; bookmarks are always asked for."""
        return _without_empty(
            {
                "watch": "true",
                "allowWatchBookmarks": "true",
                "resourceVersion": self.resource_version,
                "timeoutSeconds": str(self.timeout_s),
                "fieldSelector": self.field_selector,
                "labelSelector": self.label_selector,
            }
        )


class ApiClient:
    """A connection pool to one API server. Use `async with`, or end it with `aclose`.

    `rights`, if given, is told what the roles refuse, and what they grant again.
    """

    def __init__(
        self,
        access: Access,
        settings: ClientSettings | None = None,
        *,
        rights: Rights | None = None,
    ) -> None:
        self._settings = settings or ClientSettings()
        self._rights = rights
        self._access = access
        self._http = httpx2.AsyncClient(
            base_url=access.server,
            auth=access.auth,
            trust_env=False,
            timeout=httpx2.Timeout(self._settings.request_timeout_s, pool=None),
            headers=_HEADERS,
            transport=Lanes(self._new_lane, max_idle=self._settings.max_idle_connections),
        )

    def _new_lane(self) -> httpx2.AsyncHTTPTransport:
        """Return a transport with one connection."""
        return httpx2.AsyncHTTPTransport(
            verify=self._access.tls or False,
            trust_env=False,
            http2=False,
            limits=httpx2.Limits(
                max_connections=1,
                max_keepalive_connections=1,
                keepalive_expiry=self._settings.idle_s,
            ),
            socket_options=_KEEPALIVE,
        )

    @property
    def server(self) -> str:
        """The address of the API server."""
        return self._access.server

    @property
    def namespace(self) -> str:
        """The namespace that the configuration names, empty if none."""
        return self._access.namespace

    @property
    def settings(self) -> ClientSettings:
        """The limits in force."""
        return self._settings

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close every connection."""
        await self._http.aclose()

    async def get(self, path: ApiPath) -> bytes:
        """Read one object.

        Raises:
            ApiError: as for every method here, a child of it by status.
        """
        return await self._send(self._http.build_request("GET", path))

    async def list_page(self, path: ApiPath, options: ListOptions | None = None) -> bytes:
        """Read one page of a collection."""
        params = (options or ListOptions()).params()
        request = self._http.build_request("GET", path, params=params)
        return await self._send(request, timeout_s=self._settings.list_timeout_s)

    async def create(self, path: ApiPath, body: JsonObject | bytes) -> bytes:
        """Create an object in a collection; return it as stored."""
        return await self._write("POST", path, body)

    async def update(self, path: ApiPath, body: JsonObject | bytes) -> bytes:
        """Replace an object; return it as stored."""
        return await self._write("PUT", path, body)

    async def patch(
        self,
        path: ApiPath,
        body: JsonObject | bytes,
        *,
        content_type: PatchType = PatchType.MERGE,
        params: Mapping[str, str] | None = None,
    ) -> bytes:
        """Change an object; return it as stored."""
        return await self._write("PATCH", path, body, content_type=content_type, params=params)

    async def delete(
        self,
        path: ApiPath,
        *,
        uid: str = "",
        resource_version: str = "",
        grace_s: int | None = None,
    ) -> bytes:
        """Delete an object; with `uid` or `resource_version` only that very one.

        With `grace_s` a Pod goes after so many seconds, with 0 at once.
        """
        wanted = {"uid": uid, "resourceVersion": resource_version}
        body: JsonObject = {"kind": "DeleteOptions", "apiVersion": "v1"}
        if grace_s is not None:
            body["gracePeriodSeconds"] = grace_s
        if uid or resource_version:
            body["preconditions"] = {name: value for name, value in wanted.items() if value}
        return await self._write("DELETE", path, body)

    @asynccontextmanager
    async def stream_watch(
        self, path: ApiPath, options: WatchOptions
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """Open a watch; inside the block, iterate over its lines, one event each.

        The iterator ends when the server ends the watch in order. It raises `SilentError` after
        `silence_s` without a byte, and `UnreachableError` when the connection breaks, also in the
        middle of a line.
        """
        request = self._http.build_request(
            "GET",
            path,
            params=options.params(),
            timeout=httpx2.Timeout(
                self._settings.request_timeout_s, read=options.silence_s, pool=None
            ),
        )
        response = await self._open(request, self._settings.request_timeout_s)
        try:
            if response.status_code >= 300:
                raise self._error(response, await response.aread())
            self._granted(request)
            async with aclosing(_lines(response)) as lines:
                yield lines
        finally:
            await response.aclose()

    async def _write(
        self,
        method: str,
        path: ApiPath,
        body: JsonObject | bytes,
        *,
        content_type: str = _JSON,
        params: Mapping[str, str] | None = None,
    ) -> bytes:
        # as `build_request` does it, without merging what is always the same
        request = httpx2.Request(
            method,
            self._access.server + path,
            content=body if isinstance(body, bytes) else msgspec.json.encode(body),
            params=params,
            headers={**_HEADERS, "content-type": content_type},
            extensions={"timeout": self._http.timeout.as_dict()},
        )
        return await self._send(request)

    async def _send(self, request: httpx2.Request, *, timeout_s: float = 0.0) -> bytes:
        timeout_s = timeout_s or self._settings.request_timeout_s
        try:
            async with asyncio.timeout(timeout_s):
                response = await self._open(request, timeout_s)
                try:
                    content = await response.aread()
                finally:
                    await response.aclose()
        except TimeoutError as error:
            raise UnreachableError(_told(request, f"no answer in {timeout_s:g} s")) from error
        except httpx2.HTTPError as error:
            raise UnreachableError(_told(request, type(error).__name__)) from error
        if response.status_code >= 300:
            raise self._error(response, content)
        self._granted(request)
        return content

    def _error(self, response: httpx2.Response, content: bytes) -> ApiError:
        error = error_from_answer(response.status_code, content, response.headers)
        if isinstance(error, ForbiddenError):
            request = response.request
            error.right = refused_right(request.method, str(request.url), error)
            if error.right is not None and self._rights is not None:
                self._rights.on_refused(error.right)
        return error

    def _granted(self, request: httpx2.Request) -> None:
        if self._rights is not None and self._rights.missing:
            self._rights.on_granted(request.method, str(request.url))

    async def _open(self, request: httpx2.Request, timeout_s: float) -> httpx2.Response:
        """Send the request and wait for the head of the answer."""
        try:
            async with asyncio.timeout(timeout_s):
                return await self._http.send(request, stream=True)
        except TimeoutError as error:
            raise UnreachableError(_told(request, f"no answer in {timeout_s:g} s")) from error
        except httpx2.HTTPError as error:
            text = f"{type(error).__name__} {error}".strip()
            raise UnreachableError(_told(request, text)) from error
        except AUTH_ERRORS as error:
            text = f"no credentials: {type(error).__name__}"
            raise UnreachableError(_told(request, text)) from error


def connect(
    kubeconfig: Path | None,
    settings: ClientSettings | None = None,
    *,
    rights: Rights | None = None,
) -> ApiClient:
    """Make a client for the cluster that the arguments and the environment name.

    Nothing is sent yet.

    Raises:
        ConfigError: no configuration was found, or it cannot be used; the text is for the user.
    """
    return ApiClient(load_access(kubeconfig, environ=os.environ), settings, rights=rights)


def parse_object(body: bytes) -> JsonObject:
    """Decode an answer that is to be one JSON object, whole.

    Raises:
        BadAnswerError: it is something else.
    """
    try:
        content = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError) as error:
        raise BadAnswerError(f"the answer is not JSON: {error}") from error
    if not isinstance(content, dict):
        raise BadAnswerError("the answer is not a JSON object")
    return content


async def _lines(response: httpx2.Response) -> AsyncGenerator[bytes, None]:
    """Split at newline bytes only: U+2028 and its like may stand unescaped in JSON strings."""
    pending: list[bytes] = []
    size = 0
    try:
        async with aclosing(response.aiter_raw()) as chunks:
            async for chunk in chunks:
                *ended, rest = chunk.split(b"\n")
                for piece in ended:
                    line = b"".join([*pending, piece])
                    pending, size = [], 0
                    if line.strip():
                        yield line
                if rest:
                    pending.append(rest)
                    size += len(rest)
                if size > MAX_WATCH_LINE_BYTES:
                    raise BadAnswerError(f"a watch event of more than {MAX_WATCH_LINE_BYTES} bytes")
    except httpx2.ReadTimeout as error:
        raise SilentError(_told(response.request, "the watch is silent")) from error
    except httpx2.HTTPError as error:
        raise UnreachableError(_told(response.request, type(error).__name__)) from error
    if pending:
        raise UnreachableError(_told(response.request, "the watch ended inside a line"))


def _told(request: httpx2.Request, text: str) -> str:
    return f"{request.method} {request.url.path}: {text}"


def _without_empty(params: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in params.items() if value}
