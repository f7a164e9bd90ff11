"""Addresses as sockets tell them."""

from functools import lru_cache
from ipaddress import ip_address
from typing import Final

from ferrolb.gossip import SocketAddress

_CACHED: Final = 1024
"""Addresses kept parsed. Members are few and write often; strangers' replace one another."""


def socket_address(address: tuple[str, int] | tuple[str, int, int, int]) -> SocketAddress:
    """Return the address of a peer, as `recvfrom` or a transport gives it."""
    return _parsed(address[0], address[1])


@lru_cache(maxsize=_CACHED)
def _parsed(host: str, port: int) -> SocketAddress:
    return SocketAddress(ip_address(host.partition("%")[0]), port)
