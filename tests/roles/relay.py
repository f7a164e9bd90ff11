"""From a TCP port inside a network namespace to a Unix socket: `relay.py PORT SOCKET`."""

import asyncio
import sys


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


async def _main(port: int, path: str) -> None:
    async def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answers, there = await asyncio.open_unix_connection(path)
        await asyncio.gather(_pass_on(reader, there), _pass_on(answers, writer))

    server = await asyncio.start_server(accepted, "127.0.0.1", port)
    await server.serve_forever()


asyncio.run(_main(int(sys.argv[1]), sys.argv[2]))
