"""A small cluster for tests: Services with their statuses, and one engine that decides on them.

It does what the controller does, without its I/O: queues keys, runs passes, writes outcomes into
the statuses, records events, queues whom an outcome wakes.
"""

from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from tests.builders import make_key, make_pools

from ferrolb.converge import Engine, Outcome
from ferrolb.ipam import PoolUsage
from ferrolb.model import (
    Annotation,
    EventNote,
    Ingress,
    IPAddress,
    Pool,
    PoolName,
    PoolSet,
    Service,
    ServiceKey,
    parse_address,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

POOL_MARK = Annotation.IP_ALLOCATED_FROM_POOL.stable


@dataclass
class World:
    """Services as the API server has them, under one engine."""

    lb_class: str = ""
    pools: PoolSet | None = None
    services: dict[ServiceKey, Service] = field(default_factory=dict)
    queue: set[ServiceKey] = field(default_factory=set)
    events: list[tuple[ServiceKey, EventNote]] = field(default_factory=list)
    writes: list[ServiceKey] = field(default_factory=list)
    passes: list[ServiceKey] = field(default_factory=list)
    outcomes: dict[ServiceKey, Outcome] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.engine = Engine(lb_class=self.lb_class)

    # what users and administrators do

    def apply(self, *services: Service) -> "World":
        """Create Services, or change all but the status of existing ones; then run."""
        for service in services:
            self.put(service)
        return self.run()

    def put(self, service: Service) -> None:
        """As `apply`, without running. A new Service may bring a status with it."""
        old = self.services.get(service.key)
        if old is not None:
            service = written(service, old.ingress, old.allocated_from)
            service = replace(service, created=old.created, uid=old.uid)
        self.services[service.key] = service
        self.queue.add(service.key)

    def delete(self, *names: str) -> "World":
        for name in names:
            key = make_key(name)
            del self.services[key]
            self.queue.discard(key)
            self.queue |= self.engine.forget(key)
        return self.run()

    def set_pools(self, *pools: Pool, invalid: "Iterable[str]" = ()) -> "World":
        """Put pools in force; the first time this is the start of the controller."""
        is_start = self.pools is None
        self.pools = make_pools(*pools, invalid=invalid)
        concerned = self.engine.set_pools(self.pools)
        if is_start:
            self.engine.adopt(self.services.values())
            self.queue |= self.services.keys()
        self.queue |= concerned & self.services.keys()
        return self.run()

    def foreign_write(self, name: str, *ips: str) -> "World":
        """Let somebody else write a status."""
        key = make_key(name)
        self.services[key] = replace(
            self.services[key], ingress=tuple(Ingress(ip=parse_address(ip)) for ip in ips)
        )
        self.queue.add(key)
        return self.run()

    def restart(self) -> "World":
        """Start a controller anew, with nothing but what the API server has."""
        self.engine = Engine(lb_class=self.lb_class)
        if self.pools is not None:
            self.engine.set_pools(self.pools)
            self.engine.adopt(self.services.values())
        self.queue = set(self.services)
        return self.run()

    # what the controller does

    def run(self) -> "World":
        for _ in range(20 * len(self.services) + 20):
            if not self.queue:
                return self
            self.step(min(self.queue))
        raise AssertionError(f"no end of passes: {sorted(self.queue)}")

    def step(self, key: ServiceKey, *, is_lost: bool = False) -> Outcome:
        """Make one pass; a lost write changes nothing and is tried again later."""
        self.queue.discard(key)
        self.passes.append(key)
        outcome = self.engine.converge(self.services[key])
        self.outcomes[key] = outcome
        self.queue |= outcome.wake
        if is_lost:
            self.queue.add(key)
            return outcome
        if outcome.is_changed:
            self.writes.append(key)
            changed = written(self.services[key], outcome.addresses, outcome.pool)
            self.services[key] = changed
            self.queue |= self.engine.settle(changed) & self.services.keys()
        if not outcome.is_repeat:
            self.events.extend((key, event) for event in outcome.events)
        return outcome

    # what a user sees

    def ips(self, name: str = "svc") -> list[str]:
        return [str(entry.ip) for entry in self.services[make_key(name)].ingress]

    def mark(self, name: str = "svc") -> str | None:
        """Return the annotation that names the pool."""
        return self.services[make_key(name)].allocated_from

    def told(self, name: str = "svc") -> list[str]:
        """Return the events of one Service, each as "Type Reason Message"."""
        key = make_key(name)
        return [f"{e.type} {e.reason} {e.message}" for at, e in self.events if at == key]

    def usage(self, pool: str) -> PoolUsage:
        """Return the counters of one pool."""
        return self.engine.usage()[PoolName(pool)]

    def reasons(self, name: str = "svc") -> list[str]:
        return [event.split()[1] for event in self.told(name)]

    def last(self, name: str = "svc") -> Outcome:
        return self.outcomes[make_key(name)]

    def forget_history(self) -> "World":
        self.events.clear()
        self.writes.clear()
        self.passes.clear()
        return self

    def rerun(self) -> "World":
        """Look at every Service once more."""
        self.queue |= self.services.keys()
        return self.run()


def written(
    service: Service, ingress: "Iterable[Ingress | IPAddress]", pool: str | None
) -> Service:
    """Return the Service with this status and this pool annotation."""
    entries = tuple(e if isinstance(e, Ingress) else Ingress(ip=e) for e in ingress)
    marks = {name: value for name, value in service.annotations.items() if name != POOL_MARK}
    if pool is not None:
        marks[POOL_MARK] = pool
    return replace(service, ingress=entries, annotations=MappingProxyType(marks))
