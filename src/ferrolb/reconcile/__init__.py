"""Machines of the control loop, without I/O: queue, backoff, reflector state, event aggregation.

What they have in common is time as an argument and effects as return values; what is reconciled,
and how a request is made, is not known here.
"""

from ferrolb.reconcile.events import (
    Admission,
    EventAggregator,
    EventKey,
    EventLimits,
    EventSubject,
    EventWrite,
)

__all__ = [
    "Admission",
    "EventAggregator",
    "EventKey",
    "EventLimits",
    "EventSubject",
    "EventWrite",
]
