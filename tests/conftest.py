"""Fixtures shared by tests that need an API server."""

from collections.abc import Iterator

import pytest
from tests.fakes.devserver import DevServer, Kubectl, run_devserver


@pytest.fixture(scope="session")
def devserver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevServer]:
    """One dev API server for all tests; each makes namespaces of its own."""
    with run_devserver(tmp_path_factory.mktemp("devserver")) as server:
        yield server


@pytest.fixture
def kubectl(devserver: DevServer) -> Kubectl:
    """Real kubectl on the shared server."""
    return devserver.kubectl


@pytest.fixture
def namespace(devserver: DevServer) -> str:
    """A namespace that no other test uses."""
    return devserver.new_namespace()
