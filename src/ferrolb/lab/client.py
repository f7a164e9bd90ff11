"""`Lab`: the client of a running supervisor, for the command line, tests, demo and measurements."""

import contextlib
import os
import socket
import struct
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from ferrolb.lab.control import SOCKET_NAME, Request, decode_answer, encode_line
from ferrolb.lab.errors import LabError, NoLabError, RefusedError
from ferrolb.lab.folders import KUBECONFIG_NAME, lab_folder, remove_folder
from ferrolb.lab.launch import Launched, launch
from ferrolb.lab.options import DEFAULT_NAME, LabOptions
from ferrolb.lab.status import (
    Completed,
    FaultEffect,
    LabStatus,
    PodStatus,
    from_json,
)
from ferrolb.model import Json, JsonObject

_ANSWER_S: Final = 30.0
"""Seconds for an ordinary answer; the slowest, starting a speaker, takes about one."""
_UP_S: Final = 60.0
"""Seconds for a lab to be ready; 50 nodes on a busy machine take a third of it."""
_DOWN_S: Final = 15.0

Progress = Callable[[str], None]


class Lab:
    """A running lab. Each request has a connection of its own, so any thread may use it."""

    def __init__(self, folder: Path, *, launched: Launched | None = None) -> None:
        self.folder = folder
        """Socket, kubeconfig and logs; gone when the lab has ended in order."""
        self._launched = launched

    @property
    def name(self) -> str:
        """The lab's name."""
        return self.folder.name

    @property
    def kubeconfig(self) -> Path:
        """For `kubectl` on the host, and programs in no namespace."""
        return self.folder / KUBECONFIG_NAME

    @property
    def supervisor_pid(self) -> int:
        """The supervisor's process, as this process sees it.

        Raises:
            NoLabError: there is none.
        """
        with self._connect(_ANSWER_S) as connection:
            size = struct.calcsize("3i")
            peer = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
        pid, _, _ = struct.unpack("3i", peer)
        return int(pid)

    @classmethod
    def up(
        cls,
        options: LabOptions | None = None,
        *,
        progress: Progress | None = None,
        is_owned: bool = True,
    ) -> Self:
        """Start a lab and wait until it is ready.

        Args:
            options: what kind of lab.
            progress: called with one line of text for each step.
            is_owned: the lab ends when this process (more exactly: this thread) does, however it
                ends. False leaves it running.

        Raises:
            LabError: the machine cannot run labs, one of that name is running, or a part of it
                did not start; the text says which.
        """
        options = options or LabOptions()
        options.check()
        folder = lab_folder(options.root, options.name)
        if _is_alive(folder):
            raise LabError(f"lab {options.name} is up already: `ferrolb lab down` ends it")
        lab = cls(folder, launched=launch(options, folder, is_owned=is_owned))
        try:
            lab._await_ready(progress)
        except BaseException:
            lab._end_launched()
            raise
        return lab

    @classmethod
    def attach(cls, name: str = DEFAULT_NAME, *, root: Path | None = None) -> Self:
        """Return the client of a lab that is up.

        Raises:
            NoLabError: there is none of that name.
        """
        lab = cls(lab_folder(root, name))
        lab.request("progress", {"since": 0})
        return lab

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.down()

    def down(self) -> bool:
        """End the lab and wait until it has; False: there was none."""
        found = True
        try:
            with self._connect(_DOWN_S) as connection:
                connection.sendall(encode_line(Request(do="down")))
                with contextlib.suppress(ConnectionError):
                    while connection.recv(4096):
                        pass  # it closes the connection as the last thing it does
        except NoLabError:
            found = False
        except TimeoutError as error:
            raise LabError(f"lab {self.name} did not end in {_DOWN_S:.0f} s") from error
        self._end_launched()
        remove_folder(self.folder)
        return found

    def is_up(self) -> bool:
        """Tell whether the supervisor answers."""
        return _is_alive(self.folder)

    def wait(self, timeout_s: float) -> bool:
        """Wait until the lab that this object has started ends; False: it has not."""
        return self._launched is None or self._launched.wait(timeout_s)

    @property
    def failure(self) -> str:
        """Why a lab that this object has started ended by itself; empty if it was told to."""
        return "" if self._launched is None else self._launched.failure

    def status(self) -> LabStatus:
        """Return what runs, on which addresses, and which faults are active."""
        return from_json(self.request("status"), LabStatus)

    def exec(
        self,
        host: str,
        argv: Sequence[str],
        *,
        timeout_s: float = 30.0,
        stdin: str = "",
    ) -> Completed:
        """Run a command in the namespace of a node, `client`, `router`, `rogue` or `sw`.

        Output is kept up to 16 MiB; a command that takes longer than `timeout_s` is killed.

        Raises:
            RefusedError: there is no such host, or no such program.
            LabError: it did not end in time.
        """
        arguments: JsonObject = {
            "host": host,
            "argv": [*argv],
            "timeout_s": timeout_s,
            "stdin": stdin,
        }
        answer = self.request("exec", arguments, timeout_s=timeout_s + _ANSWER_S)
        return from_json(answer, Completed)

    def enter_argv(self, host: str, argv: Sequence[str]) -> list[str]:
        """Return a command for this process that runs `argv` on a host, on this terminal.

        Raises:
            RefusedError: there is no such host.
        """
        answer = self.request("enter", {"host": host, "argv": [*argv]})
        words = answer.get("argv")
        inner = [str(word) for word in words] if isinstance(words, list) else []
        users = ["--user", "--preserve-credentials"] if answer.get("is_rootless") else []
        target = f"--target={self.supervisor_pid}"
        return ["nsenter", target, *users, "--mount", "--pid", f"--wdns={Path.cwd()}", *inner]

    def fault(self, kind: str, target: str) -> FaultEffect:
        """Make a fault and return when it took effect; see `FAULT_KINDS`.

        Raises:
            RefusedError: there is no such fault, or no such target for it.
        """
        return from_json(self.request("fault", {"kind": kind, "target": target}), FaultEffect)

    def heal(self, kind: str, target: str) -> FaultEffect:
        """Undo a fault exactly; healing what is not broken does nothing."""
        return from_json(self.request("heal", {"kind": kind, "target": target}), FaultEffect)

    def add_pod(
        self,
        name: str,
        node: str,
        *,
        labels: Mapping[str, str],
        ports: Sequence[int] = (8080,),
        namespace: str = "default",
    ) -> PodStatus:
        """Create a Pod on a node and wait until its backend answers on `ports`, TCP and UDP."""
        arguments: JsonObject = {
            "name": name,
            "node": node,
            "labels": dict(labels),
            "ports": [*ports],
            "namespace": namespace,
        }
        return from_json(self.request("add-pod", arguments), PodStatus)

    def delete_pod(self, name: str, *, namespace: str = "default") -> None:
        """Delete a Pod and wait until its backend is silent."""
        self.request("delete-pod", {"name": name, "namespace": namespace})

    def log(self, program: str) -> str:
        """Return what a program has printed: `supervisor`, `controller`, `speaker-n1`, ...

        Raises:
            RefusedError: there is no such program.
        """
        file = self.folder / f"{program}.log"
        try:
            return file.read_text(encoding="utf-8", errors="replace")
        except OSError as error:
            raise RefusedError(f"lab {self.name} has no log of {program!r}") from error

    def request(
        self,
        command: str,
        arguments: Mapping[str, Json] | None = None,
        *,
        timeout_s: float = _ANSWER_S,
    ) -> JsonObject:
        """Send one request and return the answer's value.

        Raises:
            NoLabError: no supervisor answers.
            RefusedError: the request was wrong.
            LabError: it could not be carried out, or not in time.
        """
        with self._connect(timeout_s) as connection:
            try:
                connection.sendall(
                    encode_line(Request(do=command, arguments={**(arguments or {})}))
                )
                with connection.makefile("rb") as stream:
                    line = stream.readline()
            except TimeoutError as error:
                text = f"lab {self.name} did not answer {command!r} in {timeout_s:.0f} s"
                raise LabError(text) from error
            except ConnectionError as error:
                raise NoLabError(f"lab {self.name} has ended") from error
        if not line:
            raise NoLabError(f"lab {self.name} has ended")
        return decode_answer(line)

    def _connect(self, timeout_s: float) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(timeout_s)
        try:
            connection.connect(str(self.folder / SOCKET_NAME))
        except OSError as error:
            connection.close()
            raise NoLabError(
                f"no lab {self.name!r} is up ({self.folder}): `ferrolb lab up` starts one"
            ) from error
        return connection

    def _await_ready(self, progress: Progress | None) -> None:
        if self._launched is None:
            return
        self._launched.await_socket(self.folder / SOCKET_NAME)
        seen = 0
        while True:
            try:
                answer = self.request("progress", {"since": seen}, timeout_s=_UP_S)
            except NoLabError as error:
                raise LabError(self._launched.why_ended()) from error
            lines = answer.get("lines")
            for line in lines if isinstance(lines, list) else []:
                seen += 1
                if progress is not None:
                    progress(str(line))
            if answer.get("error"):
                raise LabError(str(answer["error"]))
            if answer.get("is_ready"):
                return

    def _end_launched(self) -> None:
        if self._launched is not None:
            self._launched.end()


def _is_alive(folder: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(_ANSWER_S)
        return connection.connect_ex(os.fspath(folder / SOCKET_NAME)) == 0
