"""The witness: observer and prober as one small process of a lab, asked over a Unix socket.

A process of its own: neither the supervisor's work nor the backends' delays what it measures.
`python -m ferrolb.lab.witness FOLDER` starts it; its settings are the file `witness.json` there.
"""

import asyncio
import json
import signal
import socket
import sys
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from pathlib import Path
from typing import Final

from ferrolb.lab.control import Command, Request, decode_answer, encode_line
from ferrolb.lab.control_server import ControlServer
from ferrolb.lab.errors import LabError, NoLabError, RefusedError
from ferrolb.lab.observer import Observer
from ferrolb.lab.prober import Asker, Prober
from ferrolb.lab.probing import Span, read_spans
from ferrolb.lab.sightings import Sighting, SightingLog
from ferrolb.lab.topology import CLIENT, INTERFACE, SEGMENT, SWITCH, Topology
from ferrolb.model import IPAddress, Json, JsonObject, MacAddress, NodeName

WITNESS_SOCKET: Final = "witness"
"""Name of its socket in the lab's folder."""

_SETTINGS: Final = "witness.json"
_PROBER_NUMBER: Final = 250
"""Last byte of the prober's addresses; nodes end far below."""
_ANSWER_S: Final = 30.0


def witness_argv(folder: Path, topology: Topology) -> list[str]:
    """Write the settings into the lab's folder and return the command that starts the witness."""
    settings: JsonObject = {
        "switch": SWITCH,
        "client": CLIENT,
        "interface": INTERFACE,
        "ports": {node.port: node.name for node in topology.nodes},
        "macs": {node.mac: node.name for node in topology.nodes},
        "prefixes": [str(network) for network in topology.service_networks],
        "mac": f"02:fe:00:00:00:{_PROBER_NUMBER:02x}",
        "ipv4": str(SEGMENT[0][_PROBER_NUMBER]),
        "ipv6": str(SEGMENT[1][_PROBER_NUMBER]),
    }
    (folder / _SETTINGS).write_text(json.dumps(settings), encoding="utf-8")
    return [sys.executable, "-m", "ferrolb.lab.witness", str(folder)]


class Witness:
    """Client of a lab's witness; every request has a connection of its own."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / WITNESS_SOCKET

    def is_there(self) -> bool:
        """Tell whether the witness answers."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(_ANSWER_S)
            return connection.connect_ex(str(self._path)) == 0

    def claims(self, since: float = 0.0, ip: IPAddress | None = None) -> list[Sighting]:
        """Return what came out of the nodes from `since` on, of one address or of all.

        Raises:
            LabError: frames were missed or forgotten, so that the list is not whole.
        """
        answer = self._request("claims", {"since": since, "ip": None if ip is None else str(ip)})
        if answer["lost"] or float(str(answer["whole_since"])) > since:
            raise LabError(f"the witness has missed frames: {answer['lost']} lost")
        found = answer["claims"]
        return [
            Sighting.from_json(one)
            for one in (found if isinstance(found, list) else [])
            if isinstance(one, dict)
        ]

    def probe(self, addresses: Iterable[IPAddress], *, interval_s: float = 0.01) -> None:
        """Ask for these addresses from now on, for no others.

        Raises:
            RefusedError: too many of them, or too often.
        """
        texts: list[Json] = [str(ip) for ip in addresses]
        self._request("probe", {"addresses": texts, "interval_s": interval_s})

    def timeline(self, since: float = 0.0) -> dict[IPAddress, tuple[Span, ...]]:
        """Return by address who answered the questions from `since` on."""
        return read_spans(self._request("timeline", {"since": since})["spans"])

    def pause(self) -> None:
        """See nothing until `resume`, so that a measurement has the machine for itself."""
        self._request("pause", {})

    def resume(self) -> None:
        """See everything again."""
        self._request("resume", {})

    def _request(self, command: str, arguments: JsonObject) -> JsonObject:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(_ANSWER_S)
            try:
                connection.connect(str(self._path))
                connection.sendall(encode_line(Request(do=command, arguments=arguments)))
                with connection.makefile("rb") as stream:
                    line = stream.readline()
            except OSError as error:
                raise NoLabError(f"no witness answers at {self._path}: {error}") from error
        if not line:
            raise NoLabError(f"the witness at {self._path} has ended")
        return decode_answer(line)


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
        self._log.blind_until(asyncio.get_running_loop().time())
        self.observer.start()
        return {}


async def serve(folder: Path) -> None:
    """Watch, and answer at the socket in `folder`, until SIGTERM."""
    process = _Process(json.loads((folder / _SETTINGS).read_text(encoding="utf-8")))
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
