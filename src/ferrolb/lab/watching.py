"""The witness: observer and prober as one small process of a lab, asked over a Unix socket.

A process of its own: neither the supervisor's work nor the backends' delays what it measures.
`python -m ferrolb.lab.watching FOLDER` starts it; its settings are the file `witness.json` there.
"""

import asyncio
import json
import signal
import sys
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from pathlib import Path

from ferrolb.lab.control import Command
from ferrolb.lab.control_server import ControlServer
from ferrolb.lab.errors import RefusedError
from ferrolb.lab.observer import Observer
from ferrolb.lab.prober import Asker, Prober
from ferrolb.lab.sightings import SightingLog
from ferrolb.lab.witness import SETTINGS, WITNESS_SOCKET
from ferrolb.model import IPAddress, Json, JsonObject, MacAddress, NodeName


class _Process:
    """The witness itself."""

    def __init__(self, settings: JsonObject) -> None:
        prefixes = settings["prefixes"]
        self._log = SightingLog(
            prefixes=tuple(
                ip_network(str(one)) for one in (prefixes if isinstance(prefixes, list) else [])
            )
        )
        ports = {port: NodeName(name) for port, name in _texts(settings["ports"]).items()}
        macs = {_mac(mac): NodeName(name) for mac, name in _texts(settings["macs"]).items()}
        asker = Asker(
            mac=_mac(str(settings["mac"])),
            ipv4=IPv4Address(str(settings["ipv4"])),
            ipv6=IPv6Address(str(settings["ipv6"])),
        )
        switch, client, interface = (str(settings[k]) for k in ("switch", "client", "interface"))
        self.observer = Observer(ports, self._log, namespace=switch)
        self.prober = Prober(interface, asker, macs, namespace=client)

    def commands(self) -> dict[str, Command]:
        return {
            "claims": self._claims,
            "probe": self._probe,
            "timeline": self._timeline,
            "pause": self._pause,
            "resume": self._resume,
        }

    async def _claims(self, arguments: JsonObject) -> JsonObject:
        self.observer.read_all()
        ip = arguments.get("ip")
        seen = self._log.since(
            float(str(arguments.get("since", 0.0))), None if ip is None else _address(ip)
        )
        return {
            "claims": [one.to_json() for one in seen],
            "lost": self.observer.lost,
            "whole_since": self._log.whole_since,
        }

    async def _probe(self, arguments: JsonObject) -> JsonObject:
        addresses = arguments.get("addresses")
        try:
            self.prober.probe(
                [_address(one) for one in (addresses if isinstance(addresses, list) else [])],
                interval_s=float(str(arguments.get("interval_s", 0.01))),
            )
        except ValueError as error:
            raise RefusedError(f"cannot probe so: {error}") from error
        return {"interval_s": self.prober.interval_s}

    async def _timeline(self, arguments: JsonObject) -> JsonObject:
        since = float(str(arguments.get("since", 0.0)))
        spans = self.prober.spans(since=since)
        return {"spans": {str(ip): [one.to_json() for one in found] for ip, found in spans.items()}}

    async def _pause(self, _arguments: JsonObject) -> JsonObject:
        self.observer.stop()
        return {}

    async def _resume(self, _arguments: JsonObject) -> JsonObject:
        if not self.observer.is_watching:
            self._log.blind_until(asyncio.get_running_loop().time())
            self.observer.start()
        return {}


async def serve(folder: Path) -> None:
    """Watch, and answer at the socket in `folder`, until SIGTERM."""
    process = _Process(json.loads((folder / SETTINGS).read_text(encoding="utf-8")))
    server = ControlServer()
    server.register(process.commands())
    end = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, end.set)
    process.observer.start()
    await server.open(folder / WITNESS_SOCKET)
    try:
        await end.wait()
    finally:
        server.close()
        process.observer.stop()
        process.prober.stop()


def _texts(value: Json) -> dict[str, str]:
    return {name: str(one) for name, one in value.items()} if isinstance(value, dict) else {}


def _mac(text: str) -> MacAddress:
    return MacAddress(bytes.fromhex(text.replace(":", "")))


def _address(value: Json) -> IPAddress:
    try:
        return ip_address(str(value))
    except ValueError as error:
        raise RefusedError(f"{value!r} is not an address") from error


def main(words: Sequence[str]) -> None:
    """Run the witness of the lab in the folder that is the only argument."""
    asyncio.run(serve(Path(words[0])))


if __name__ == "__main__":
    main(sys.argv[1:])
