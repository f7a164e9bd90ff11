"""How far a lab's start is, for the client that waits for it."""

import asyncio

from ferrolb.model import JsonObject


class ProgressLog:
    """Lines of text, and in the end `ready` or an error."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._error = ""
        self._is_ready = False
        self._news = asyncio.Event()

    def say(self, line: str) -> None:
        """Add a line."""
        self._lines.append(line)
        self._tell()

    def ready(self) -> None:
        """Say that the lab is up."""
        self._is_ready = True
        self._tell()

    def fail(self, error: str) -> None:
        """Say that it never will be, or is no longer."""
        self._error = error
        self._tell()

    async def answer(self, arguments: JsonObject) -> JsonObject:
        """Wait until there is more than the client has seen, and return it."""
        since = arguments.get("since")
        seen = since if isinstance(since, int) else 0
        while len(self._lines) <= seen and not self._is_ready and not self._error:
            await self._news.wait()
        return {
            "lines": [*self._lines[seen:]],
            "is_ready": self._is_ready,
            "error": self._error,
        }

    def _tell(self) -> None:
        # wakes who waits now; whoever comes later waits for the next one
        self._news.set()
        self._news = asyncio.Event()
