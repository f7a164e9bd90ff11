"""What a lab says of itself: values that travel over the control socket and out of `-o json`."""

from typing import TypeVar

import msgspec

from ferrolb.lab.errors import LabError
from ferrolb.model import JsonObject

S = TypeVar("S", bound=msgspec.Struct)


class ProgramStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One program of the lab."""

    name: str
    """`devserver`, `controller`, `speaker-n1`, ..."""
    state: str
    """`running`, `frozen`, `stopped` (as asked) or `exited`."""
    pid: int = 0
    """As seen inside the lab's own process namespace; 0: not running."""
    exit_status: int | None = None
    """Of the last end; negative: ended by that signal."""
    starts: int = 0
    log: str = ""


class NodeStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One node."""

    name: str
    ipv4: str
    ipv6: str
    mac: str
    port: str
    speaker: str
    """State of its speaker; `none` in a lab without speakers."""
    pods: int = 0
    faults: tuple[str, ...] = ()


class FaultEffect(msgspec.Struct, frozen=True, kw_only=True):
    """A fault that was made or healed."""

    kind: str
    target: str
    is_active: bool
    at: float
    """Monotonic seconds of this machine, read when the change had taken effect."""
    took_s: float = 0.0
    """How long the command took that changed it."""


class LabStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The whole lab."""

    name: str
    folder: str
    kubeconfig: str
    server: str
    """URL of the API server, as the host sees it."""
    is_rootless: bool
    uptime_s: float
    client_ipv4: str
    client_ipv6: str
    nodes: tuple[NodeStatus, ...]
    programs: tuple[ProgramStatus, ...]
    faults: tuple[FaultEffect, ...] = ()


class Completed(msgspec.Struct, frozen=True, kw_only=True):
    """A command that has ended."""

    returncode: int
    """Negative: ended by that signal."""
    stdout: str = ""
    stderr: str = ""


class PodStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A pod whose backend answers."""

    namespace: str
    name: str
    node: str
    ips: tuple[str, ...] = ()
    """IPv4 first."""


def to_json(value: msgspec.Struct) -> JsonObject:
    """Return a value as a JSON object."""
    content = msgspec.to_builtins(value)
    if not isinstance(content, dict):
        raise TypeError(f"{type(value).__name__} is not a JSON object")
    return content


def from_json(content: object, kind: type[S]) -> S:
    """Read a value of this kind.

    Raises:
        LabError: the content is something else; client and supervisor are of different versions.
    """
    try:
        return msgspec.convert(content, kind)
    except msgspec.ValidationError as error:
        raise LabError(f"the supervisor's answer is no {kind.__name__}: {error}") from error
