"""Many connections to one server, each found in constant time.

The HTTP library's pool looks at every connection it has for every request, and asks the kernel
about each idle one. With some twenty connections that costs more than the request itself. A lane is
a transport of the library with one connection; the lane used last is used next, so that a quiet
program keeps few of them open.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import cast

import httpx2
from typing_extensions import override


class Lanes(httpx2.AsyncBaseTransport):
    """Sends each request over a lane that nobody uses, or over a new one."""

    def __init__(self, new_lane: Callable[[], httpx2.AsyncBaseTransport], *, max_idle: int) -> None:
        self._new_lane = new_lane
        self._max_idle = max_idle
        self._idle: list[httpx2.AsyncBaseTransport] = []
        self._busy: set[httpx2.AsyncBaseTransport] = set()

    @override
    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send one request; the lane is free again once its response is closed."""
        lane = self._idle.pop() if self._idle else self._new_lane()
        self._busy.add(lane)
        try:
            response = await lane.handle_async_request(request)
        except BaseException:
            await self._leave(lane)
            raise
        # an asynchronous transport has no other
        stream = cast("httpx2.AsyncByteStream", response.stream)
        response.stream = _LaneStream(stream, lambda: self._leave(lane))
        return response

    @override
    async def aclose(self) -> None:
        """Close every connection, also those in use."""
        lanes = [*self._idle, *self._busy]
        self._idle.clear()
        self._busy.clear()
        for lane in lanes:
            await lane.aclose()

    async def _leave(self, lane: httpx2.AsyncBaseTransport) -> None:
        if lane not in self._busy:
            return
        self._busy.discard(lane)
        if len(self._idle) < self._max_idle:
            self._idle.append(lane)
        else:
            await lane.aclose()


class _LaneStream(httpx2.AsyncByteStream):
    """A response's body that says when it is closed."""

    def __init__(
        self, inner: httpx2.AsyncByteStream, closed: Callable[[], Awaitable[None]]
    ) -> None:
        self._inner = inner
        self._closed = closed

    @override
    def __aiter__(self) -> AsyncIterator[bytes]:
        return aiter(self._inner)

    @override
    async def aclose(self) -> None:
        try:
            await self._inner.aclose()
        finally:
            await self._closed()
