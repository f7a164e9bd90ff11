"""Tuning: the LAN and WAN profiles, and MetalLB's JSON file that overrides them."""

import re
from dataclasses import dataclass
from typing import Final

from ferrolb.gossip.errors import SettingsError
from ferrolb.model import Json, JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class GossipSettings:
    """How the protocol runs; the values are those of memberlist's LAN profile."""

    probe_interval_s: float = 1.0
    probe_timeout_s: float = 0.5
    indirect_checks: int = 3
    suspicion_mult: int = 4
    suspicion_max_timeout_mult: int = 6
    gossip_interval_s: float = 0.2
    gossip_nodes: int = 3
    gossip_to_the_dead_time_s: float = 30.0
    push_pull_interval_s: float = 30.0
    tcp_timeout_s: float = 10.0
    retransmit_mult: int = 4
    awareness_max_multiplier: int = 8
    udp_buffer_size: int = 1400
    """Bytes that a datagram is filled to; what comes in may be longer."""
    has_tcp_pings: bool = True
    has_compression: bool = True
    verify_incoming: bool = True
    """With a keyring: what is not encrypted is dropped. Without one there is nothing to verify."""
    verify_outgoing: bool = True
    """With a keyring: what is sent is encrypted."""
    leave_timeout_s: float = 1.0
    """MetalLB waits that long for its leaving to be told."""
    handoff_queue_depth: int = 1024
    queue_check_interval_s: float = 30.0
    """Both are read from the file and unused: messages are handled as they come."""


LAN: Final = GossipSettings()
"""What runs unless something else is asked for."""

WAN: Final = GossipSettings(
    probe_interval_s=5.0,
    probe_timeout_s=3.0,
    suspicion_mult=6,
    gossip_interval_s=0.5,
    gossip_nodes=4,
    gossip_to_the_dead_time_s=60.0,
    push_pull_interval_s=60.0,
    tcp_timeout_s=30.0,
)
"""MetalLB's `--ml-wan-config`."""

_INTEGER_MAX: Final = 65_535
"""Largest integer taken from the file: none of them means anything beyond."""

_UDP_BUFFER_MIN: Final = 512
"""A datagram must hold one message with the longest name and its framing."""

_UNITS_S: Final = {
    "ns": 1e-9,
    "us": 1e-6,
    "µs": 1e-6,
    "μs": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "m": 60.0,
    "h": 3600.0,
}
_PART: Final = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)", re.ASCII)
_DURATION: Final = re.compile(rf"\+?(?:(?:{_PART.pattern})+|0)", re.ASCII)

_DURATION_MAX_CHARS: Final = 64
"""Longer text is no duration that somebody wrote."""


def parse_settings(document: Json) -> GossipSettings:
    """Read MetalLB's tuning file: LAN is where it starts from, and every key must be there.

    Keys are case-insensitive, unknown ones ignored, as MetalLB; but a key that is missing, which
    MetalLB would take for 0 or false, is refused.

    Raises:
        SettingsError: a key is missing or its value cannot be used; the text names the key.
    """
    if not isinstance(document, dict):
        raise SettingsError("memberlist configuration: not a JSON object")
    file = _File(document)
    return GossipSettings(
        probe_interval_s=file.duration("ProbeInterval"),
        probe_timeout_s=file.duration("ProbeTimeout"),
        indirect_checks=file.integer("IndirectChecks"),
        suspicion_mult=file.integer("SuspicionMult"),
        suspicion_max_timeout_mult=file.integer("SuspicionMaxTimeoutMult"),
        gossip_interval_s=file.duration("GossipInterval"),
        gossip_nodes=file.integer("GossipNodes"),
        gossip_to_the_dead_time_s=file.duration("GossipToTheDeadTime"),
        push_pull_interval_s=file.duration("PushPullInterval"),
        tcp_timeout_s=file.duration("TCPTimeout"),
        retransmit_mult=file.integer("RetransmitMult"),
        awareness_max_multiplier=file.integer("AwarenessMaxMultiplier"),
        udp_buffer_size=file.integer("UDPBufferSize", minimum=_UDP_BUFFER_MIN),
        has_tcp_pings=not file.boolean("DisableTcpPings"),
        has_compression=file.boolean("EnableCompression"),
        verify_incoming=file.boolean("GossipVerifyIncoming"),
        verify_outgoing=file.boolean("GossipVerifyOutgoing"),
        handoff_queue_depth=file.integer("HandoffQueueDepth"),
        queue_check_interval_s=file.duration("QueueCheckInterval"),
    )


class _File:
    """The keys of the file, any case."""

    def __init__(self, document: JsonObject) -> None:
        self._values = {key.lower(): value for key, value in document.items()}

    def duration(self, key: str) -> float:
        """Return seconds."""
        value = self._value(key)
        if (
            not isinstance(value, str)
            or len(value) > _DURATION_MAX_CHARS
            or _DURATION.fullmatch(value) is None
        ):
            raise _error(key, f"{value!r} is not a duration such as '200ms' or '1m30s'")
        return sum(float(number) * _UNITS_S[unit] for number, unit in _PART.findall(value))

    def integer(self, key: str, *, minimum: int = 0) -> int:
        """Return an integer that makes sense."""
        value = self._value(key)
        if isinstance(value, bool) or not isinstance(value, int):
            raise _error(key, f"{value!r} is not an integer")
        if not minimum <= value <= _INTEGER_MAX:
            raise _error(key, f"{value} is not from {minimum} to {_INTEGER_MAX}")
        return value

    def boolean(self, key: str) -> bool:
        """Return true or false."""
        value = self._value(key)
        if not isinstance(value, bool):
            raise _error(key, f"{value!r} is not true or false")
        return value

    def _value(self, key: str) -> Json:
        if key.lower() not in self._values:
            raise _error(key, "missing")
        return self._values[key.lower()]


def _error(key: str, problem: str) -> SettingsError:
    return SettingsError(f"memberlist configuration: {key}: {problem}")
