"""The witness of a lab, as its client sees it; the process is `watching`."""

import json
import socket
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from ferrolb.lab.control import Request, decode_answer, encode_line
from ferrolb.lab.errors import LabError, NoLabError
from ferrolb.lab.probing import Span, read_spans
from ferrolb.lab.sightings import Sighting
from ferrolb.lab.topology import CLIENT, INTERFACE, SEGMENT, SWITCH, Topology
from ferrolb.model import IPAddress, Json, JsonObject

WITNESS_SOCKET: Final = "witness"
"""Name of its socket in the lab's folder."""

SETTINGS: Final = "witness.json"
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
    (folder / SETTINGS).write_text(json.dumps(settings), encoding="utf-8")
    return [sys.executable, "-m", "ferrolb.lab.watching", str(folder)]


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
