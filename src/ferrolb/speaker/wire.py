"""What the frame driver sees, counted; and, while this node leaves, who has taken over."""

from typing import TYPE_CHECKING

from ferrolb.telemetry import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable

    from ferrolb.l2 import DropReason
    from ferrolb.model import IPAddress, MacAddress
    from ferrolb.telemetry import SpeakerMetrics


class WireObserver:
    """Sink of the frame driver. Its methods are on the path of a reply: they only count."""

    def __init__(
        self, metrics: "SpeakerMetrics", *, claimed: "Callable[[IPAddress], None]"
    ) -> None:
        self._metrics = metrics
        self._claimed = claimed
        self._told: dict[IPAddress, MacAddress] = {}
        self.request_received = metrics.request_received
        self.answered = metrics.answered
        self.gratuitous_sent = metrics.gratuitous_sent

    def dropped(self, reason: "DropReason") -> None:
        """A frame was not answered."""
        self._metrics.frame_dropped(reason.value)

    def send_failed(self, ip: "IPAddress") -> None:
        """A frame could not be sent."""
        self._metrics.send_errors.inc()
        get_logger().debug("frame not sent", ip=str(ip))

    def claimed(self, ip: "IPAddress", mac: "MacAddress") -> None:
        """Another host claims an address that is announced here."""
        self._metrics.claimed(ip)
        self._claimed(ip)
        if self._told.get(ip) != mac:
            self._told[ip] = mac
            get_logger().warning(
                "another host claims an address announced here", ip=str(ip), mac=mac.hex(":")
            )
