"""Who holds which address: pools, the free-address search, sharing rules, counters.

Here belongs what can be said about addresses alone. What a Service's fields mean, when it is
cleared, and what it is told about it belongs to `converge`.
"""

from ferrolb.ipam.allocator import Allocation, Allocator, Assigned
from ferrolb.ipam.claim import Claim, Terms, claim_of
from ferrolb.ipam.occupancy import AddressChange
from ferrolb.ipam.pools import PoolUsage, is_compatible
from ferrolb.ipam.refusal import Refused

__all__ = [
    "AddressChange",
    "Allocation",
    "Allocator",
    "Assigned",
    "Claim",
    "PoolUsage",
    "Refused",
    "Terms",
    "claim_of",
    "is_compatible",
]
