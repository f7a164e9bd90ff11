"""What a pass sets off elsewhere."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ferrolb.model import PoolName, ServiceKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Signals:
    """Where reconcilers hand on what concerns another one."""

    wake: Callable[[Iterable[ServiceKey]], None]
    """These Services must be looked at."""
    pools_touched: Callable[[Iterable[PoolName]], None]
    """The counters of these pools may have changed."""
