"""One suite for both API servers; `FERROLB_TEST_API` says which is judged in this run.

A case may be left out on one of them only if `docs/devserver.md` says so: `@only_on("real",
"words of that document")`, which the collection checks.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from tests.api_server import ApiServer, running_api_server, wanted_kind
from tests.fakes.devserver import Kubectl

DOCUMENT: Final = Path(__file__).parent.parent.parent / "docs" / "devserver.md"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out what is not for this server, once the document is found to say why."""
    said = " ".join(DOCUMENT.read_text(encoding="utf-8").split())
    for item in items:
        for marker in item.iter_markers("only_on"):
            kind, words = marker.args
            if words not in said:
                raise pytest.UsageError(f"{item.nodeid}: docs/devserver.md does not say {words!r}")
            if kind != wanted_kind():
                item.add_marker(pytest.mark.skip(reason=words))


@pytest.fixture(scope="session")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """The server; each test makes namespaces and names of its own."""
    with running_api_server(tmp_path_factory.mktemp("api")) as server:
        yield server


@pytest.fixture
def kubectl(api: ApiServer) -> Kubectl:
    """Real kubectl on it."""
    return api.kubectl


@pytest.fixture
def namespace(api: ApiServer) -> str:
    """A namespace that no other test uses."""
    return api.new_namespace()
