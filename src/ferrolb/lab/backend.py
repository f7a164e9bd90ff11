"""What answers at a pod's addresses: small servers, opened in the node's namespace."""

import asyncio
import json
import socket
from collections.abc import Sequence
from ipaddress import ip_address
from typing import Final, cast

from typing_extensions import override

from ferrolb.lab.namespaces import inside
from ferrolb.lab.status import PodStatus

_IPV6_FREEBIND: Final = 78
"""A pod's IPv6 address is on no interface, only in the table of local routes."""

_MAX_HEAD_BYTES: Final = 16 * 1024
"""Of a request; curl's is a hundred."""
_REQUEST_S: Final = 10.0
_SEPARATOR: Final = b"\r\n\r\n"


class Backend:
    """One pod's servers: HTTP over TCP, and UDP, on every port at every address.

    Each answers with a JSON object: which pod on which node it is, and whom it sees.
    """

    def __init__(self, pod: PodStatus, ports: Sequence[tuple[str, int]]) -> None:
        self.pod = pod
        self._ports = tuple(ports)
        self._servers: list[asyncio.Server] = []
        self._transports: list[asyncio.DatagramTransport] = []

    async def open(self) -> None:
        """Listen at every address and port.

        Raises:
            OSError: an address cannot be bound.
        """
        loop = asyncio.get_running_loop()
        try:
            for ip in self.pod.ips:
                for protocol, port in self._ports:
                    if protocol == "TCP":
                        listener = self._bind(ip, port, socket.SOCK_STREAM)
                        server = await asyncio.start_server(
                            self._serve, sock=listener, limit=_MAX_HEAD_BYTES
                        )
                        self._servers.append(server)
                    elif protocol == "UDP":
                        transport, _ = await loop.create_datagram_endpoint(
                            lambda: _Echo(self), sock=self._bind(ip, port, socket.SOCK_DGRAM)
                        )
                        self._transports.append(transport)
        except OSError:
            self.close()
            raise

    def close(self) -> None:
        """Be silent at once."""
        for server in self._servers:
            server.close()
        for transport in self._transports:
            transport.abort()
        self._servers.clear()
        self._transports.clear()

    def answer(self, client: tuple[str, int]) -> bytes:
        """Return what this pod says to a client."""
        content = {
            "pod": self.pod.name,
            "namespace": self.pod.namespace,
            "node": self.pod.node,
            "client": client[0],
        }
        return json.dumps(content).encode() + b"\n"

    def _bind(self, ip: str, port: int, kind: socket.SocketKind) -> socket.socket:
        is_ipv6 = ip_address(ip).version == 6
        family = socket.AF_INET6 if is_ipv6 else socket.AF_INET
        opened = inside(self.pod.node, lambda: socket.socket(family, kind))
        try:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if is_ipv6:
                opened.setsockopt(socket.IPPROTO_IPV6, _IPV6_FREEBIND, 1)
            opened.setblocking(False)  # noqa: FBT003 - the standard library's only form
            opened.bind((ip, port))
        except OSError:
            opened.close()
            raise
        return opened

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_REQUEST_S):
                await reader.readuntil(_SEPARATOR)
                peer: tuple[str, int] = writer.get_extra_info("peername")
                body = self.answer(peer)
                head = (
                    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                    f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
                )
                writer.write(head.encode() + body)
                await writer.drain()
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # a client that does not speak HTTP, or has gone
        finally:
            writer.close()


class _Echo(asyncio.DatagramProtocol):
    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._transport: asyncio.DatagramTransport | None = None

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # not to be checked: before Python 3.12 the loop's own is no instance of the class
        self._transport = cast("asyncio.DatagramTransport", transport)

    @override
    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if self._transport is not None:
            self._transport.sendto(self._backend.answer(addr), addr)
