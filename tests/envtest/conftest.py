"""Tests of `ferrolb envtest` with the real programs; collected by `make envtest` alone."""

import os
from collections.abc import Iterator

import pytest
from tests.api_server import ApiServer, Kind, running_api_server

collect_ignore_glob = [] if os.environ.get("FERROLB_TEST_API") == Kind.REAL else ["test_*.py"]


@pytest.fixture(scope="session")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """One real API server; each test makes namespaces and names of its own."""
    with running_api_server(tmp_path_factory.mktemp("api"), kind=Kind.REAL) as server:
        yield server


@pytest.fixture
def namespace(api: ApiServer) -> str:
    """A namespace that no other test uses."""
    return api.new_namespace()
