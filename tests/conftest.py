"""Settings of all tests, and fixtures shared by those that need an API server."""

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings
from tests.fakes.devserver import DevServer, Kubectl, run_devserver

# The same examples in every run; `HYPOTHESIS_PROFILE=random make test` looks for new ones.
settings.register_profile("fixed", derandomize=True, database=None, deadline=None)
settings.register_profile("random", deadline=None, max_examples=1000, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fixed"))


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
