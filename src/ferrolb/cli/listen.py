"""The type of `--listen`."""

from dataclasses import dataclass
from typing import Final

import click
from typing_extensions import override


@dataclass(frozen=True, slots=True)
class ListenAddress:
    """Where to listen; port 0 is any free one."""

    host: str
    port: int


class _Listen(click.ParamType[ListenAddress]):
    name = "host:port"

    @override
    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> ListenAddress:
        if isinstance(value, ListenAddress):
            return value
        host, colon, port = str(value).rpartition(":")
        is_bare_ipv6 = ":" in host and not (host.startswith("[") and host.endswith("]"))
        if not host or not colon or not port.isdecimal() or int(port) > 65535 or is_bare_ipv6:
            text = f"{value!r} is not HOST:PORT, for example 127.0.0.1:6443 or [::1]:0"
            self.fail(text, param, ctx)
        return ListenAddress(host.removeprefix("[").removesuffix("]"), int(port))


LISTEN: Final = _Listen()
