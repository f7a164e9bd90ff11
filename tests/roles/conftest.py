"""Roles need accounts that show who they are; `docs/devserver.md` says whether ours has them."""

from pathlib import Path
from typing import Final

import pytest
from tests.api_server import Kind, wanted_kind

DOCUMENT: Final = Path(__file__).parent.parent.parent / "docs" / "devserver.md"
WORDS: Final = "no service account tokens"
"""As long as the document says so, nothing can be shown on the dev API server."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave the tests of roles to the real server while ours knows no accounts."""
    if wanted_kind() is not Kind.DEV or WORDS not in DOCUMENT.read_text(encoding="utf-8"):
        return
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.skip(reason=f"docs/devserver.md: {WORDS}"))
