"""The log library, loaded without what it would bring along for terminals.

structlog takes rich for its console output wherever rich is installed, as it is beside many
development tools. Our lines are JSON: a program does without its 3 MB.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from types import ModuleType


@contextmanager
def _absent(name: str) -> Iterator[None]:
    """Let imports of a library fail meanwhile, unless it is loaded already."""
    if name in sys.modules:
        yield
        return
    modules = cast("dict[str, ModuleType | None]", sys.modules)
    modules[name] = None
    try:
        yield
    finally:
        del modules[name]


with _absent("rich"):
    import structlog
    from structlog.typing import FilteringBoundLogger

__all__ = ["FilteringBoundLogger", "structlog"]
