"""What can go wrong with sockets."""

from typing import Final

REQUIRED_CAPABILITY: Final = "CAP_NET_RAW"


class NetError(Exception):
    """Base of this room's errors."""


class InterfaceGoneError(NetError):
    """There is no interface of that index (any more); the next list of links says so too."""


class PacketSocketError(NetError):
    """No packet socket could be opened; the reason may pass, so try again later."""


class MissingCapabilityError(PacketSocketError):
    """The program may not open packet sockets; only whoever started it can change that."""

    def __init__(self) -> None:
        super().__init__(
            f"packet sockets need the capability {REQUIRED_CAPABILITY}, which this process lacks"
            " (securityContext.capabilities.add: NET_RAW, effective for uid 0 only)"
        )


class NetlinkError(NetError):
    """The kernel's answer cannot be used; the state must be read anew."""
