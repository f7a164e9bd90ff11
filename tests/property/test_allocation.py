"""Random commands on the allocator and the engine keep the invariants A1 to A5.

The allocator is compared, answer by answer, with a reference that scans every address. The engine
lives in a cluster whose writes may be lost, may land without being seen, and whose caches lag.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
)
from tests.builders import (
    make_key,
    make_pool,
    make_pools,
    make_ports,
    make_selector,
    make_service,
)
from tests.world import written

from ferrolb.converge import Engine
from ferrolb.ipam import Allocator, Assigned, Claim, Terms, claim_of, is_compatible
from ferrolb.model import (
    Annotation,
    BadAddress,
    Family,
    IPAddress,
    IPFamilyPolicy,
    Pool,
    PoolName,
    PoolSet,
    Reason,
    Service,
    ServiceKey,
    family_of,
    is_buggy,
    parse_address,
)

SINGLE, PREFER, REQUIRE = IPFamilyPolicy

BLOCKS = (
    "10.0.0.0/30",
    "10.0.0.254-10.0.1.1",
    "10.0.2.0/31",
    "2001:db8::/127",
    "2001:db8:1::/126",
)
POOL_NAMES = ("a", "b", "c")
NAMES = ("default/s0", "default/s1", "default/s2", "team/s3", "team/s4", "team/s5")
PORTS = ("TCP/80", "TCP/443", "UDP/53")


@st.composite
def pool_sets(draw: st.DrawFn, *, half_bad: bool = True) -> PoolSet:
    """Draw pools of disjoint blocks, of all kinds; some may be invalid."""
    owner = st.sampled_from(("a", "a", "a", "b", "b", "c", None))
    owners = draw(st.lists(owner, min_size=len(BLOCKS), max_size=len(BLOCKS)))
    order = draw(st.permutations(range(5)))
    pools = []
    for name in POOL_NAMES:
        ranges = [BLOCKS[at] for at in order if owners[at] == name]
        if ranges:
            pin: dict[str, Any] = draw(
                st.sampled_from(
                    (
                        {},
                        {},
                        {},
                        {"namespaces": ["team"]},
                        {"selectors": [make_selector(app="x")], "priority": 2},
                        {"priority": 1},
                    )
                )
            )
            pools.append(
                make_pool(
                    name,
                    *ranges,
                    auto_assign=draw(st.sampled_from((True, True, False))),
                    avoid_buggy_ips=draw(st.booleans()),
                    **pin,
                )
            )
    invalid = draw(st.lists(st.sampled_from(POOL_NAMES), max_size=1)) if half_bad else []
    return make_pools(*pools, invalid=draw(st.sampled_from(([], [], invalid))))


ADDRESSES = (
    "10.0.0.0",
    "10.0.0.1",
    "10.0.0.255",
    "10.0.2.1",
    "2001:db8::",
    "2001:db8:1::1",
    "9.9.9.9",
)
terms = st.builds(
    Terms,
    ports=st.lists(st.sampled_from(PORTS), unique=True, max_size=2).map(
        lambda ports: make_ports(*ports)
    ),
    sharing=st.sampled_from(("", "k", "k", "l")),
    backend=st.sampled_from(("", "", "app=x")),
)
claims = st.builds(
    Claim,
    key=st.sampled_from(NAMES).map(make_key),
    labels=st.sampled_from(({}, {"app": "x"})),
    family=st.sampled_from((Family.IPV4, Family.IPV4, Family.IPV6, Family.DUAL)),
    policy=st.sampled_from((SINGLE, PREFER, REQUIRE)),
    primary=st.sampled_from((Family.IPV4, Family.IPV6)),
    terms=terms,
)


def pool_addresses(pool: Pool, version: int | None = None) -> Iterator[IPAddress]:
    for prefix in pool.prefixes:
        if version in (None, prefix.version):
            for ip in prefix:
                if not (pool.avoid_buggy_ips and is_buggy(ip)):
                    yield ip


@dataclass
class Reference:
    """The allocator as section 4 of the specification reads: lists, and scans of them."""

    pools: dict[PoolName, Pool] = field(default_factory=dict)
    held: dict[ServiceKey, tuple[tuple[IPAddress, ...], Terms]] = field(default_factory=dict)

    def owner(self, ips: tuple[IPAddress, ...]) -> PoolName | None:
        for name, pool in self.pools.items():
            if ips and set(ips) <= set(pool_addresses(pool)):
                return name
        return None

    def fits(self, claim: Claim, ip: IPAddress) -> bool:
        for key, (ips, theirs) in self.held.items():
            if key == claim.key or ip not in ips:
                continue
            if not claim.terms.sharing or claim.terms.group != theirs.group:
                return False
            if set(claim.terms.ports) & set(theirs.ports):
                return False
        return True

    def assign(self, claim: Claim, ips: tuple[IPAddress, ...]) -> bool:
        owner = self.owner(ips)
        if owner is None or not is_compatible(self.pools[owner], claim):
            return False
        if len(ips) > 2 or len({ip.version for ip in ips}) < len(ips):
            return False
        if not all(self.fits(claim, ip) for ip in ips):
            return False
        self.held[claim.key] = (tuple(sorted(ips, key=lambda ip: ip.version)), claim.terms)
        return True

    def first(self, claim: Claim, pool: Pool, version: int) -> IPAddress | None:
        ips = pool_addresses(pool, version)
        return next((ip for ip in ips if self.fits(claim, ip)), None)

    def of_pool(self, claim: Claim, pool: Pool) -> tuple[IPAddress, ...]:
        found = {4: self.first(claim, pool, 4), 6: self.first(claim, pool, 6)}
        if claim.family != Family.DUAL:
            one = found[4 if claim.family == Family.IPV4 else 6]
            return () if one is None else (one,)
        ips = tuple(ip for ip in found.values() if ip is not None)
        if claim.policy == SINGLE or (claim.policy == REQUIRE and len(ips) < 2):
            return ()
        return ips

    def allocate(self, claim: Claim) -> tuple[IPAddress, ...]:
        pinned, unpinned = [], []
        for name, pool in self.pools.items():
            if pool.auto_assign and is_compatible(pool, claim):
                if pool.allocation is None:
                    unpinned.append((0, name))
                else:
                    pinned.append((pool.allocation.priority or 99, name))
        for group in (sorted(pinned), sorted(unpinned)):
            if ips := self.of_pools(claim, [self.pools[name] for _, name in group]):
                return ips
        return ()

    def of_pools(self, claim: Claim, pools: list[Pool]) -> tuple[IPAddress, ...]:
        wanted = 2 if claim.family == Family.DUAL else 1
        answers = [self.of_pool(claim, pool) for pool in pools]
        for ips in answers:
            if len(ips) == wanted:
                return ips
        primary = 6 if claim.primary == Family.IPV6 else 4
        for version in (primary, 10 - primary):
            for ips in answers:
                if ips and ips[0].version == version:
                    return ips
        return ()


class AllocatorAgainstReference(RuleBasedStateMachine):
    """Every answer of the allocator is the answer of the reference."""

    def __init__(self) -> None:
        super().__init__()
        self.allocator = Allocator()
        self.reference = Reference()

    @initialize(pools=pool_sets(half_bad=False))
    def start(self, pools: PoolSet) -> None:
        self.set_pools(pools)

    @rule(pools=pool_sets(half_bad=False))
    def set_pools(self, pools: PoolSet) -> None:
        for key in self.allocator.set_pools(pools):
            self.allocator.set_leaving(key, ())  # as if every status had been emptied at once
        self.reference.pools = dict(pools.pools)
        for key, (ips, _) in list(self.reference.held.items()):
            if self.reference.owner(ips) is None:
                del self.reference.held[key]

    @rule(claim=claims, texts=st.lists(st.sampled_from(ADDRESSES), min_size=1, max_size=3))
    def assign(self, claim: Claim, texts: list[str]) -> None:
        ips = tuple(parse(text) for text in texts)
        given_ = self.allocator.assign(claim, ips)
        assert isinstance(given_, Assigned) is self.reference.assign(claim, ips)

    @rule(claim=claims)
    def allocate(self, claim: Claim) -> None:
        held = self.reference.held.get(claim.key)
        given_ = self.allocator.allocate(claim)
        if held is not None:
            assert isinstance(given_, Assigned) is self.reference.assign(claim, held[0])
            return
        self.same(claim, given_, self.reference.allocate(claim))

    @rule(claim=claims, name=st.sampled_from(POOL_NAMES))
    def allocate_from_pool(self, claim: Claim, name: str) -> None:
        self.unassign(claim.key)
        pool = self.reference.pools.get(PoolName(name))
        expected = () if pool is None else self.reference.of_pool(claim, pool)
        if pool is not None and not is_compatible(pool, claim):
            expected = ()
        self.same(claim, self.allocator.allocate_from_pool(claim, PoolName(name)), expected)

    @rule(claim=claims)
    def allocate_additional(self, claim: Claim) -> None:
        held = self.reference.held.get(claim.key)
        if held is None or len(held[0]) != 1:
            return
        owner = self.reference.owner(held[0])
        assert owner is not None
        pool = self.reference.pools[owner]
        extra = self.reference.first(claim, pool, 10 - held[0][0].version)
        given_ = self.allocator.allocate_additional(claim)
        both = () if extra is None else (*held[0], extra)
        is_given = bool(both) and self.reference.assign(claim, both)
        assert isinstance(given_, Assigned) is is_given
        if isinstance(given_, Assigned):
            assert set(given_.ips) == set(both)

    @rule(key=st.sampled_from(NAMES).map(make_key))
    def unassign(self, key: ServiceKey) -> None:
        self.allocator.unassign(key)
        self.reference.held.pop(key, None)

    def same(self, claim: Claim, answer: object, expected: tuple[IPAddress, ...]) -> None:
        assert isinstance(answer, Assigned) is bool(expected), (answer, expected)
        if isinstance(answer, Assigned):
            assert answer.ips == expected
            assert self.reference.assign(claim, expected)

    @invariant()
    def holds_the_same(self) -> None:
        held = {key: (a.ips, a.terms) for key, a in self.allocator.allocations.items()}
        assert held == self.reference.held
        for name, usage in self.allocator.usage().items():
            pool = self.reference.pools[name]
            mine = [
                ips for ips, _ in self.reference.held.values() if self.reference.owner(ips) == name
            ]
            distinct = {ip for ips in mine for ip in ips}
            everything = list(pool_addresses(pool))
            assert usage.services == len(mine)
            assert usage.assigned_ipv4 == sum(ip.version == 4 for ip in distinct)
            assert usage.assigned_ipv6 == sum(ip.version == 6 for ip in distinct)
            assert usage.capacity == len(everything)
            assert usage.capacity_ipv4 == sum(ip.version == 4 for ip in everything)


def parse(text: str) -> IPAddress:
    ip = parse_address(text)
    assert not isinstance(ip, BadAddress)
    return ip


V4, V6 = "10.96.0.1", "fd00::1"
CLUSTER_IPS = (*[V4] * 9, V6, V6, *[f"{V4},{V6}"] * 4, f"{V6},{V4}", "")
services = st.builds(
    make_service,
    st.sampled_from(NAMES),
    cluster_ips=st.sampled_from(CLUSTER_IPS),
    policy=st.sampled_from((SINGLE,) * 4 + (PREFER, PREFER, REQUIRE)),
    sharing=st.sampled_from((None, None, None, "k", "k", "l")),
    ports=st.lists(st.sampled_from(PORTS), unique=True, max_size=2),
    local=st.sampled_from((False, False, True)),
    selector=st.sampled_from(({"app": "x"}, {"app": "y"})),
    labels=st.sampled_from(({}, {"app": "x"})),
    pool=st.sampled_from((None, None, None, *POOL_NAMES)),
    ip=st.sampled_from((*[""] * 8, "10.0.0.1", "10.0.2.0", "2001:db8::", "9.9.9.9", "x")),
    ips=st.sampled_from((None,) * 8 + ("10.0.0.1,2001:db8::", "2001:db8:1::1")),
    load_balancer=st.sampled_from((True,) * 9 + (False,)),
    lb_class=st.sampled_from((None,) * 19 + ("other",)),
    age=st.integers(0, 3),
)
passes = st.lists(
    st.tuples(st.integers(0, 5), st.sampled_from(("lands", "lands", "lost", "unseen"))),
    min_size=1,
    max_size=6,
)
statuses = st.lists(st.sampled_from(ADDRESSES), max_size=2)


def status(service: Service) -> frozenset[object]:
    return frozenset(entry.ip for entry in service.ingress)


def may_share(one: Terms, two: Terms) -> bool:
    return bool(one.sharing) and one.group == two.group and not {*one.ports} & {*two.ports}


class Cluster(RuleBasedStateMachine):
    """Services change, writes are lost, caches lag, controllers restart."""

    keys: Bundle[ServiceKey] = Bundle("keys")

    def __init__(self) -> None:
        super().__init__()
        self.engine = Engine()
        self.pools = make_pools()
        self.engine.set_pools(self.pools)
        self.engine.adopt([])
        self.services: dict[ServiceKey, Service] = {}  # as the API server has them
        self.cache: dict[ServiceKey, Service] = {}  # as the controller has seen them
        self.terms: dict[ServiceKey, Terms] = {}  # on which the engine last judged a Service
        self.queue: set[ServiceKey] = set()

    # users, administrators, and others who write

    @initialize(target=keys, pools=pool_sets(half_bad=False), made=st.lists(services, max_size=6))
    def start(self, pools: PoolSet, made: list[Service]) -> Any:
        self.set_pools(pools)
        for service in made:
            self.apply(service)
        return multiple(*self.services)

    @rule(target=keys, service=services)
    def apply(self, service: Service) -> Any:
        old = self.services.get(service.key)
        if old is not None:
            service = replace(
                written(service, old.ingress, old.allocated_from), created=old.created
            )
        self.services[service.key] = self.cache[service.key] = service
        self.queue.add(service.key)
        return service.key if old is None else multiple()

    @rule(key=consumes(keys))
    def delete(self, key: ServiceKey) -> None:
        for book in (self.services, self.cache, self.terms):
            book.pop(key, None)
        self.queue.discard(key)
        self.wake(self.engine.forget(key))

    @rule(pools=pool_sets())
    def set_pools(self, pools: PoolSet) -> None:
        self.pools = pools
        self.wake(self.engine.set_pools(pools))

    @rule(key=keys, texts=statuses)
    def foreign_write(self, key: ServiceKey, texts: list[str]) -> None:
        changed = written(self.services[key], [parse(text) for text in texts], None)
        self.services[key] = self.cache[key] = changed
        self.step(key, "lands")

    # the controller

    @precondition(lambda self: self.queue)
    @rule(passes=passes)
    def make_passes(self, passes: list[tuple[int, str]]) -> None:
        for at, fate in passes:
            if self.queue:
                self.step(sorted(self.queue)[at % len(self.queue)], fate)

    @rule(key=keys)
    def look_again(self, key: ServiceKey) -> None:
        self.cache[key] = self.services[key]
        self.queue.add(key)

    @rule()
    def restart(self) -> None:
        self.engine = Engine()
        self.engine.set_pools(self.pools)
        self.cache = dict(self.services)
        self.engine.adopt(self.cache.values())
        self.terms = {key: claim_of(service).terms for key, service in self.cache.items()}
        self.queue = set(self.services)

    @rule()
    def come_to_rest(self) -> None:
        self.cache = dict(self.services)
        for _ in range(300):
            if not self.queue:
                break
            self.step(min(self.queue), "lands")
        else:
            raise AssertionError(f"no end of passes: {self.queue}")
        self.check_no_duplicates()
        self.check_no_op_pass()
        self.check_restart_changes_nothing()

    def step(self, key: ServiceKey, fate: str) -> None:
        self.queue.discard(key)
        seen = self.cache[key]
        outcome = self.engine.converge(seen)
        self.terms[key] = claim_of(seen).terms
        self.wake(outcome.wake)
        if not outcome.is_changed:
            return
        if seen is not self.services[key] or fate == "lost":  # a conflict, or an outage
            self.cache[key] = self.services[key]
            self.queue.add(key)
            return
        changed = written(seen, outcome.addresses, outcome.pool)
        self.check_write(seen, changed)
        self.services[key] = changed
        if fate == "unseen":
            self.queue.add(key)
            return
        self.cache[key] = changed
        self.wake(self.engine.settle(changed))

    def wake(self, keys: frozenset[ServiceKey]) -> None:
        self.queue |= keys & self.services.keys()

    # what must hold

    def check_write(self, before: Service, after: Service) -> None:
        """A1, A3: nothing is given that another's status names; A2: nothing legal is taken."""
        for key, other in self.services.items():
            common = (status(after) - status(before)) & status(other)
            if key != after.key and common and other.load_balancer_class is None:
                assert may_share(self.terms[after.key], self.terms[key]), (after, other)
        if status(before) - status(after):
            assert not self.is_legal(before), (before, after)

    def is_legal(self, service: Service) -> bool:
        """Tell, by the specification alone, whether a Service may hold what its status says."""
        claim = claim_of(service)
        if not service.is_load_balancer or service.load_balancer_class or not service.cluster_ips:
            return False
        if claim.policy == REQUIRE and len(service.cluster_ips) < 2:
            return False
        family = family_of(entry.ip for entry in service.ingress if entry.ip is not None)
        if family != claim.family and not (claim.family == Family.DUAL and claim.policy == PREFER):
            return False
        if Family.UNKNOWN in (family, claim.family):
            return False
        for key, other in self.services.items():
            if key != service.key and status(other) & status(service):
                return False  # who keeps a contested address is checked elsewhere
        return self.is_configured(service, claim)

    def is_configured(self, service: Service, claim: Claim) -> bool:
        ips = tuple(entry.ip for entry in service.ingress if entry.ip is not None)
        known = {ip: name for name, pool in self.pools.pools.items() for ip in pool_addresses(pool)}
        covered = {ip for pool in self.pools.pools.values() for p in pool.prefixes for ip in p}
        if self.pools.is_frozen and not set(ips) <= covered:
            return True
        owners = {known.get(ip) for ip in ips}  # type: ignore[arg-type]
        owner = owners.pop()
        if owners or owner is None or not is_compatible(self.pools.pools[owner], claim):
            return False
        wish = [text for text in (service.load_balancer_ip,) if text]
        wish += [
            t for t in service.annotations.get("metallb.io/loadBalancerIPs", "").split(",") if t
        ]
        if "x" in wish or (service.load_balancer_ip and len(wish) > 1):
            return True  # a request that cannot be read takes nothing away
        if wish and {parse(text) for text in wish} != set(ips):
            return False
        pool = service.annotation(Annotation.ADDRESS_POOL)
        return pool not in self.pools.pools or pool == owner

    def check_no_duplicates(self) -> None:
        """A1, strictly, once everything has been looked at."""
        handled = [s for s in self.services.values() if s.load_balancer_class is None]
        for one in handled:
            for two in handled:
                if one.key < two.key and status(one) & status(two):
                    assert may_share(claim_of(one).terms, claim_of(two).terms), (one, two)

    def check_no_op_pass(self) -> None:
        """A4: who is refused is told why; A5: nothing is written or said twice."""
        for service in self.services.values():  # the first look after a write may have news
            self.wake(self.engine.converge(service).wake)
        assert not self.queue
        self.engine.pools_touched()
        for service in self.services.values():
            outcome = self.engine.converge(service)
            assert not outcome.is_changed
            assert outcome.is_repeat or not outcome.events
            assert outcome.wake == frozenset()
            silent = (Reason.NOT_LOAD_BALANCER, Reason.NO_CLUSTER_IP, Reason.OTHER_CLASS)
            if not outcome.verdict.is_assigned and outcome.verdict.reason not in silent:
                assert self.engine.current_events(service.key)
        assert self.engine.pools_touched() == frozenset()

    def check_restart_changes_nothing(self) -> None:
        """A2 over a restart; A4: nobody waits who could be served."""
        engine = Engine()
        engine.set_pools(self.pools)
        engine.adopt(self.services.values())
        assert engine.usage() == self.engine.usage()
        for service in self.services.values():
            outcome = engine.converge(service)
            assert not outcome.is_changed, (service, outcome)


AllocatorAgainstReference.TestCase.settings = settings(
    max_examples=60, stateful_step_count=40, deadline=None
)
Cluster.TestCase.settings = settings(
    max_examples=200,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.filter_too_much],
)
TestAllocatorAgainstReference = AllocatorAgainstReference.TestCase
TestCluster = Cluster.TestCase


@given(
    ranges=st.lists(
        st.sampled_from(("10.0.0.0/15", "10.8.0.250-10.8.2.3", "10.9.0.0/32", "2001:db8::/64")),
        unique=True,
        min_size=1,
    ),
    avoid=st.booleans(),
    skipped=st.integers(0, 600),
)
@settings(deadline=None, max_examples=20)
def test_nth_address_is_the_nth_of_the_list(ranges, avoid, skipped):
    pool = make_pool("p", *ranges, avoid_buggy_ips=avoid)
    version = pool.prefixes[0].version
    family = Family.IPV4 if version == 4 else Family.IPV6
    expected = [
        ip for ip, _ in zip(pool_addresses(pool, version), range(skipped + 1), strict=False)
    ]
    allocator = Allocator()
    allocator.set_pools(make_pools(pool))
    for number, ip in enumerate(expected):
        key = ServiceKey("default", f"s{number}")
        answer = allocator.allocate(Claim(key=key, family=family))
        assert isinstance(answer, Assigned)
        assert answer.ips == (ip,)
