"""The speaker program: watches, announces, reports.

What it decides is `announce`'s, what it sends is `l2`'s and `gossip`'s; here is the wiring, the
start, the end, and what users are told.
"""

from ferrolb.speaker.options import (
    DEFAULT_GOSSIP_PORT,
    DEFAULT_REFRESH_S,
    EXCLUDE_FILE,
    TUNING_FILE,
    GossipOptions,
    SpeakerOptions,
)
from ferrolb.speaker.program import run_speaker

__all__ = [
    "DEFAULT_GOSSIP_PORT",
    "DEFAULT_REFRESH_S",
    "EXCLUDE_FILE",
    "TUNING_FILE",
    "GossipOptions",
    "SpeakerOptions",
    "run_speaker",
]
