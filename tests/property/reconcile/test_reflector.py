"""Whatever a server does, the cache ends up with the server's state once the server is well."""

import random
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from ferrolb.reconcile import ListPage, Page, ReflectorState, Request, Watch

NAMES = "abcdef"


@dataclass
class Server:
    """Objects with versions, a history that can be compacted, pages of one state."""

    version: int = 10
    objects: dict[str, int] = field(default_factory=dict)
    history: list[tuple[int, str, bool]] = field(default_factory=list)
    oldest: int = 0
    pages: dict[str, tuple[int, dict[str, int]]] = field(default_factory=dict)

    def write(self, name: str) -> None:
        self.version += 1
        self.objects[name] = self.version
        self.history.append((self.version, name, True))

    def delete(self, name: str) -> None:
        if self.objects.pop(name, None) is not None:
            self.version += 1
            self.history.append((self.version, name, False))

    def compact(self) -> None:
        self.oldest = self.version
        self.pages.clear()

    def page(self, request: ListPage) -> tuple[int, dict[str, int], str] | None:
        if request.continue_from and request.continue_from not in self.pages:
            return None
        version, rest = (
            self.pages.pop(request.continue_from)
            if request.continue_from
            else (self.version, dict(self.objects))
        )
        size = 2 if request.is_paged else len(rest)
        names = sorted(rest)
        here = {name: rest[name] for name in names[:size]}
        left = {name: rest[name] for name in names[size:]}
        token = f"t{version}-{len(left)}" if left else ""
        if left:
            self.pages[token] = (version, left)
        return version, here, token


@dataclass
class Follower:
    """What a shell would do around the machine, with its cache."""

    server: Server
    chance: random.Random
    now: float = 0.0
    cache: dict[str, int] = field(default_factory=dict)
    position: int | None = None
    requests: int = 0

    def __post_init__(self) -> None:
        self.state: ReflectorState[str] = ReflectorState(
            jitter=lambda s: s * self.chance.uniform(0.5, 1.0)
        )

    def step(self, fault: str) -> None:
        """Make one request, or go on with the open watch, under a fault ("" for none)."""
        if self.position is not None:
            self.follow(fault)
            return
        request = self.state.request(now=self.now)
        if request is None:
            self.now = self.state.next_deadline()
            return
        self.requests += 1
        if not self.refused(request, fault):
            self.answer(request)

    def refused(self, request: Request, fault: str) -> bool:
        match fault:
            case "down":
                self.state.on_unreachable(now=self.now)
            case "error":
                self.state.on_server_error(now=self.now)
            case "forbidden":
                self.state.on_refused(now=self.now)
            case "absent" if isinstance(request, ListPage):
                self.empty(self.state.on_absent(known=self.cache, now=self.now))
            case _:
                return False
        return True

    def empty(self, complete) -> None:
        for name in complete.vanished if complete is not None else ():
            del self.cache[name]

    def answer(self, request: Request) -> None:
        if isinstance(request, Watch):
            if int(request.resource_version) < self.server.oldest:
                self.state.on_gone(now=self.now)
                return
            self.state.on_open(now=self.now)
            self.position = int(request.resource_version)
            return
        answer = self.server.page(request)
        if answer is None:
            self.state.on_gone(now=self.now)
            return
        version, objects, token = answer
        self.cache.update(objects)
        complete = self.state.on_page(
            Page(keys=frozenset(objects), resource_version=str(version), continue_from=token),
            known=self.cache,
            now=self.now,
        )
        self.empty(complete)

    def follow(self, fault: str) -> None:
        assert self.position is not None
        if fault:
            self.position = None
        match fault:
            case "down" | "error" | "forbidden":
                self.state.on_unreachable(now=self.now)
            case "absent":
                self.state.on_gone(now=self.now)
            case "silent":
                self.now += 150.0
                self.state.on_silence(now=self.now)
            case "cut":
                self.state.on_end(now=self.now)
            case "end":
                self.now += self.chance.choice([0.0, 300.0])
                self.state.on_end(now=self.now)
            case _:
                self.read_event()

    def read_event(self) -> None:
        since = self.position or 0
        event = next((e for e in self.server.history if e[0] > since), None)
        if event is None:
            self.state.on_progress(str(self.server.version), now=self.now)
            return
        self.position, name, exists = event
        if exists:
            self.cache[name] = self.position
        else:
            self.cache.pop(name, None)
        self.state.on_progress(str(self.position), now=self.now)


WRITES = st.tuples(st.sampled_from(["write", "delete"]), st.sampled_from(NAMES))
FAULTS = st.sampled_from(["down", "error", "forbidden", "absent", "silent", "end"])
ACTIONS = st.one_of(
    WRITES, st.just(("compact", "")), st.tuples(st.just("step"), st.one_of(st.just(""), FAULTS))
)


@settings(max_examples=400, deadline=None)
@given(st.lists(ACTIONS, max_size=80), st.integers(0, 1000))
def test_cache_converges_to_the_server(actions: list[tuple[str, str]], seed: int) -> None:
    server = Server(objects={name: 1 + at for at, name in enumerate(NAMES)})
    follower = Follower(server, random.Random(seed))
    for action, argument in actions:
        match action:
            case "write":
                server.write(argument)
            case "delete":
                server.delete(argument)
            case "compact":
                server.compact()
            case _:
                follower.step(argument)
    # from here on the server is well and nothing changes
    for _ in range(len(actions) + 30):
        follower.step("")
    assert follower.cache == server.objects


@settings(max_examples=100, deadline=None)
@given(st.lists(st.booleans(), min_size=1, max_size=5), st.integers(0, 1000))
def test_faults_that_never_end_do_not_make_a_storm(refusals: list[bool], seed: int) -> None:
    follower = Follower(Server(objects={"a": 5, "b": 6}), random.Random(seed))
    step = 0
    while follower.now < 600.0 and follower.requests < 1000:
        # a request is refused, or what it opened ends at once
        follower.step("down" if refusals[step % len(refusals)] else "")
        if follower.position is not None:
            follower.step("cut")
        step += 1
    # the waits reach their cap of 15 s, half of it at least
    assert follower.requests <= 2 * 600 / 7.5 + 40
