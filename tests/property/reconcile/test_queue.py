"""Every key that is asked for is handed out in time, and never to two workers at once."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from typing_extensions import override

from ferrolb.reconcile import Backoff, Queue

KEYS = st.sampled_from("abcde")
DELAYS = st.sampled_from([0.0, 0.5, 1.0, 7.0])


class QueueModel(RuleBasedStateMachine):
    """The queue beside plain sets: what is owed, since when, and who is out."""

    def __init__(self) -> None:
        super().__init__()
        self.queue: Queue[str] = Queue(jitter=lambda s: s, backoff=Backoff(base_s=1.0, cap_s=4.0))
        self.now = 0.0
        self.out: set[str] = set()
        # owed now, in no particular order
        self.owed: set[str] = set()
        # owed from a time on
        self.owed_from: dict[str, float] = {}
        self.failures: dict[str, int] = {}

    @rule(key=KEYS)
    def add(self, key: str) -> None:
        self.queue.add(key)
        self.owed.add(key)

    @rule(key=KEYS, delay=DELAYS)
    def add_after(self, key: str, delay: float) -> None:
        self.queue.add_after(key, delay, now=self.now)
        self._owe_after(key, delay)

    @rule(step=DELAYS)
    def pass_time(self, step: float) -> None:
        self.now += step

    @rule()
    def take(self) -> None:
        self._come_due()
        key = self.queue.take(now=self.now)
        if key is None:
            assert not self.owed - self.out
            return
        assert key not in self.out
        assert key in self.owed
        self.owed.remove(key)
        self.out.add(key)

    @precondition(lambda self: self.out)
    @rule(data=st.data())
    def done(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.out)))
        self.out.remove(key)
        self.queue.done(key)
        self.failures.pop(key, None)

    @precondition(lambda self: self.out)
    @rule(data=st.data())
    def failed(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.out)))
        self.out.remove(key)
        delay = self.queue.failed(key, now=self.now)
        self.failures[key] = self.failures.get(key, 0) + 1
        assert delay == min(2.0 ** (self.failures[key] - 1), 4.0)
        self._owe_after(key, delay)

    @invariant()
    def counts_agree(self) -> None:
        assert self.queue.running == len(self.out)
        # a key that is due but was not taken yet still counts as delayed
        waiting = set(self.owed_from) | (self.owed - self.out)
        assert self.queue.ready + self.queue.delayed >= len(waiting)
        assert self.queue.ready <= len(self.owed - self.out)

    @invariant()
    def deadline_is_the_earliest(self) -> None:
        assert self.queue.next_deadline() == min(self.owed_from.values(), default=None)

    @override
    def teardown(self) -> None:
        """Whatever is owed is handed out once everything has come back and time has passed."""
        for out in sorted(self.out):
            self.queue.done(out)
        self.out.clear()
        self.now += 100.0
        self._come_due()
        while (key := self.queue.take(now=self.now)) is not None:
            self.owed.remove(key)
            self.queue.done(key)
        assert self.owed == set()
        assert self.queue.next_deadline() is None

    def _owe_after(self, key: str, delay: float) -> None:
        due = self.now + delay
        self.owed_from[key] = min(self.owed_from.get(key, due), due)

    def _come_due(self) -> None:
        for key, due in sorted(self.owed_from.items()):
            if due <= self.now:
                self.owed.add(key)
                del self.owed_from[key]


TestQueue = QueueModel.TestCase
TestQueue.settings = settings(max_examples=200, stateful_step_count=60, deadline=None)
