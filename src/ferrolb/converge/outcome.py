"""What one pass over one Service comes to."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ferrolb.model import EventNote, IPAddress, PoolName, ServiceKey, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One pass over one Service.

    The order for the caller: if `is_changed`, write the status; once that has succeeded call
    `Engine.settle` with the Service as written; unless `is_repeat`, record `events`; queue `wake`.
    A write that fails needs nothing but another pass: it comes to the same addresses.
    """

    key: "ServiceKey"
    addresses: "tuple[IPAddress, ...]"
    """What the status shall hold, IPv4 first; means nothing unless `is_changed`."""
    pool: "PoolName | None"
    """The value of `ip-allocated-from-pool`; None: no such annotation."""
    is_changed: bool
    """Addresses or annotation differ from the Service that was read, or may differ from it now:
    after a write that failed the next one may change nothing but prove that."""
    events: "tuple[EventNote, ...]"
    """What is to be said now; a refusal that still stands is among them in every pass."""
    is_repeat: bool
    """Nothing in `events` is new: the last pass over this Service returned the same."""
    verdict: "Verdict"
    wake: "frozenset[ServiceKey]"
    """Pending Services that this pass made room for."""
