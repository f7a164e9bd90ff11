import pytest
from tests.fakes.api_server import FakeApi


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.fixture
async def api():
    async with FakeApi() as server:
        yield server
