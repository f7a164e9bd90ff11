"""Machines of the control loop, without I/O: queue, backoff, reflector state, event aggregation.

What they have in common is time as an argument and effects as return values; what is reconciled,
and how a request is made, is not known here.
"""

from ferrolb.reconcile.backoff import Backoff, Jitter
from ferrolb.reconcile.errors import ReconcileError
from ferrolb.reconcile.events import (
    Admission,
    EventAggregator,
    EventKey,
    EventLimits,
    EventSubject,
    EventWrite,
)
from ferrolb.reconcile.queue import Queue
from ferrolb.reconcile.reflector import (
    ListComplete,
    ListPage,
    Page,
    ReflectorState,
    ReflectorTiming,
    Request,
    Watch,
)

__all__ = [
    "Admission",
    "Backoff",
    "EventAggregator",
    "EventKey",
    "EventLimits",
    "EventSubject",
    "EventWrite",
    "Jitter",
    "ListComplete",
    "ListPage",
    "Page",
    "Queue",
    "ReconcileError",
    "ReflectorState",
    "ReflectorTiming",
    "Request",
    "Watch",
]
