"""Lanes: one connection each, the last used first, no more kept than allowed."""

import asyncio
from collections.abc import AsyncIterator

import httpx2
import pytest
from typing_extensions import override

from ferrolb.kube.lanes import Lanes

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Body(httpx2.AsyncByteStream):
    @override
    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield b"answer"


class Lane(httpx2.AsyncBaseTransport):
    """Answers at once, or fails, by path."""

    def __init__(self) -> None:
        self.requests = 0
        self.is_closed = False

    @override
    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        self.requests += 1
        if request.url.path == "/fail":
            raise httpx2.ConnectError("refused")
        return httpx2.Response(200, stream=Body())

    @override
    async def aclose(self) -> None:
        self.is_closed = True


class Bench:
    def __init__(self, *, max_idle: int = 8) -> None:
        self.made: list[Lane] = []
        self.lanes = Lanes(self.new_lane, max_idle=max_idle)
        self.client = httpx2.AsyncClient(transport=self.lanes, base_url="http://test")

    def new_lane(self) -> Lane:
        self.made.append(Lane())
        return self.made[-1]

    async def open(self, path: str = "/") -> httpx2.Response:
        request = self.client.build_request("GET", path)
        return await self.client.send(request, stream=True)


async def test_one_request_after_the_other_needs_one_lane() -> None:
    bench = Bench()
    for _ in range(3):
        assert (await bench.client.get("/")).content == b"answer"
    assert [lane.requests for lane in bench.made] == [3]


async def test_a_response_that_is_open_keeps_its_lane() -> None:
    bench = Bench()
    first = await bench.open()
    await bench.client.get("/")
    assert [lane.requests for lane in bench.made] == [1, 1]
    await first.aclose()
    await bench.client.get("/")
    assert [lane.requests for lane in bench.made] == [2, 1]


async def test_a_request_that_fails_gives_its_lane_back() -> None:
    bench = Bench()
    with pytest.raises(httpx2.ConnectError):
        await bench.client.get("/fail")
    await bench.client.get("/")
    assert [lane.requests for lane in bench.made] == [2]


async def test_lanes_beyond_those_that_may_idle_are_closed() -> None:
    bench = Bench(max_idle=1)
    responses = await asyncio.gather(*(bench.open() for _ in range(3)))
    for response in responses:
        await response.aclose()
        await response.aclose()
    assert [lane.is_closed for lane in bench.made] == [False, True, True]


async def test_closing_ends_idle_and_busy_lanes() -> None:
    bench = Bench()
    busy = await bench.open()
    idle = await bench.open()
    await idle.aclose()
    await bench.lanes.aclose()
    assert [lane.is_closed for lane in bench.made] == [True, True]
    await busy.aclose()
    assert [lane.requests for lane in bench.made] == [1, 1]
