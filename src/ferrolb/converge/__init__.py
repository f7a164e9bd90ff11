"""What becomes of a Service: its addresses, what it is told, and whom that wakes.

Here belong the rules of section 5 of the controller's specification: requests, legality, order of
steps, event texts. Who holds which address is `ipam`'s; reading and writing is the controller's.
"""

from ferrolb.converge.engine import Engine
from ferrolb.converge.notes import MESSAGE_LIMIT_BYTES
from ferrolb.converge.outcome import Outcome

__all__ = ["MESSAGE_LIMIT_BYTES", "Engine", "Outcome"]
