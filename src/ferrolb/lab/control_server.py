"""The supervisor's end of the control socket."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from ferrolb.lab.control import (
    MAX_LINE_BYTES,
    Answer,
    Command,
    answer_error,
    decode_request,
    encode_line,
)
from ferrolb.lab.errors import LabError, RefusedError
from ferrolb.telemetry import get_logger

_MAX_CONNECTIONS: Final = 64
"""Clients at once; the user's own programs, so only a runaway loop comes near it."""


class ControlServer:
    """Answers requests by the commands registered so far."""

    def __init__(self) -> None:
        self._commands: dict[str, Command] = {}
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    def register(self, commands: Mapping[str, Command]) -> None:
        """Add commands; a later one of the same name replaces an earlier one."""
        self._commands.update(commands)

    async def open(self, path: Path) -> None:
        """Listen at `path`, for this user only (the folder around it is)."""
        self._server = await asyncio.start_unix_server(self._serve, path=path, limit=MAX_LINE_BYTES)

    def close(self) -> None:
        """Break every connection: who asked for the end waits for this."""
        if self._server is not None:
            self._server.close()
        for writer in self._writers:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._writers) >= _MAX_CONNECTIONS:
            writer.transport.abort()
            return
        self._writers.add(writer)
        try:
            while line := await reader.readline():
                writer.write(encode_line(await self._answer(line)))
                await writer.drain()
        except (ConnectionError, ValueError):
            pass  # the client is gone, or its line is longer than any request
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _answer(self, line: bytes) -> Answer:
        try:
            request = decode_request(line)
            return Answer(value=await self._command(request.do)(request.arguments))
        except LabError as error:
            return answer_error(error)
        except Exception as error:  # noqa: BLE001 - one bad request must not end the lab
            get_logger().error("request failed", error=repr(error), exc_info=error)
            return Answer(error=f"the supervisor failed: {error!r}", reason="failed")

    def _command(self, name: str) -> Command:
        if name not in self._commands:
            raise RefusedError(f"no command {name!r} in this lab")
        return self._commands[name]
