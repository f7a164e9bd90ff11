"""Which node announces a layer-2 address: MetalLB's order, from the same inputs.

Who may take part is decided in `announce`.
"""

from ferrolb.election.order import address_text, digest, elect

__all__ = ["address_text", "digest", "elect"]
