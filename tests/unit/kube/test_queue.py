import asyncio
from contextlib import asynccontextmanager

import pytest
from structlog.testing import capture_logs
from tests.fakes.api_server import running

from ferrolb.kube import (
    ConflictError,
    ForbiddenError,
    QueueDriver,
    RequeueAfter,
    TooManyRequestsError,
)
from ferrolb.rbac import Right

pytestmark = pytest.mark.anyio


class Passes:
    """A handler that notes its passes and blocks on demand."""

    def __init__(self):
        self.started = []
        self.ended = []
        self.now_running = []
        self.most_at_once = 0
        self.results = {}
        self.gate = asyncio.Event()
        self.gate.set()
        self.bell = asyncio.Event()

    async def __call__(self, key):
        assert key not in self.now_running
        self.started.append(key)
        self.now_running.append(key)
        self.most_at_once = max(self.most_at_once, len(self.now_running))
        self.bell.set()
        try:
            await self.gate.wait()
            results = self.results.get(key)
            result = results.pop(0) if results else None
            if isinstance(result, BaseException):
                raise result
            return result
        finally:
            self.now_running.remove(key)
            self.ended.append(key)
            self.bell.set()

    async def until(self, is_reached):
        async with asyncio.timeout(5):
            while not is_reached():
                self.bell.clear()
                await self.bell.wait()


class Observer:
    def __init__(self):
        self.count = 0
        self.errors = []
        self.bell = asyncio.Event()

    def worked(self):
        self.count += 1
        self.bell.set()

    def failed(self, error):
        self.errors.append(error)


@asynccontextmanager
async def driving(**options):
    passes = Passes()
    driver: QueueDriver[str] = QueueDriver("test", passes, **options)
    async with running(driver.run()) as task:
        yield driver, passes, task


async def test_keys_added_before_and_after_the_start_are_worked():
    passes = Passes()
    driver: QueueDriver[str] = QueueDriver("test", passes)
    driver.add("a")
    async with running(driver.run()):
        await passes.until(lambda: passes.ended == ["a"])
        driver.add("b")
        await passes.until(lambda: passes.ended == ["a", "b"])


async def test_many_keys_at_once_but_no_more_than_workers():
    async with driving(workers=3) as (driver, passes, _):
        passes.gate.clear()
        for key in "abcde":
            driver.add(key)
        await passes.until(lambda: len(passes.started) == 3)
        assert driver.pending == 5
        passes.gate.set()
        await passes.until(lambda: len(passes.ended) == 5)
    assert passes.most_at_once == 3


async def test_delayed_key_does_not_spin_while_all_workers_are_busy():
    async with driving(workers=1) as (driver, passes, _):
        passes.gate.clear()
        driver.add("a")
        driver.add_after("b", 0.0)
        await passes.until(lambda: passes.started == ["a"])
        waits = 0
        wait = driver._wait

        async def counted():
            nonlocal waits
            waits += 1
            await wait()

        driver._wait = counted
        for _ in range(50):
            await asyncio.sleep(0)
        assert waits <= 2
        passes.gate.set()
        await passes.until(lambda: passes.ended == ["a", "b"])


async def test_one_key_is_never_worked_twice_at_once():
    async with driving() as (driver, passes, _):
        passes.gate.clear()
        driver.add("a")
        await passes.until(lambda: passes.started == ["a"])
        driver.add("a")
        driver.add("a")
        passes.gate.set()
        await passes.until(lambda: passes.ended == ["a", "a"])
    assert passes.most_at_once == 1


async def test_pass_may_ask_for_another_one_later():
    async with driving() as (driver, passes, _):
        passes.results["a"] = [RequeueAfter(0.01)]
        driver.add("a")
        await passes.until(lambda: passes.ended == ["a", "a"])


async def test_delay_is_kept():
    loop = asyncio.get_running_loop()
    async with driving() as (driver, passes, _):
        start = loop.time()
        driver.add_after("a", 0.03)
        await passes.until(lambda: passes.ended)
        assert loop.time() - start >= 0.03


@pytest.mark.parametrize(
    "error",
    [ConflictError("changed"), TooManyRequestsError("slow", retry_after_s=0.01), ValueError("x")],
)
async def test_failed_pass_is_counted_and_tried_again(error):
    observer = Observer()
    async with driving(observer=observer) as (driver, passes, _):
        observer.bell = passes.bell
        passes.results["a"] = [error]
        driver.add("a")
        await passes.until(lambda: passes.ended == ["a", "a"])
        await passes.until(lambda: observer.count == 2)
    assert observer.errors == [error]


async def test_wait_is_what_the_server_asked_for():
    loop = asyncio.get_running_loop()
    async with driving() as (driver, passes, _):
        passes.results["a"] = [TooManyRequestsError("slow", retry_after_s=0.05)]
        start = loop.time()
        driver.add("a")
        await passes.until(lambda: len(passes.ended) == 2)
        assert loop.time() - start >= 0.05


async def test_a_pass_that_the_roles_refuse_is_not_repeated_at_once(monkeypatch):
    monkeypatch.setattr("ferrolb.kube.queue.REFUSED_RETRY_S", 0.05)
    refusal = ForbiddenError("no")
    refusal.right = Right(resource="services", verb="list")
    loop = asyncio.get_running_loop()
    async with driving() as (driver, passes, _):
        passes.results["a"] = [refusal]
        start = loop.time()
        with capture_logs() as logs:
            driver.add("a")
            await passes.until(lambda: len(passes.ended) == 2)
        assert loop.time() - start >= 0.05
    # an earlier test may have asked for fewer lines than debug
    assert {log["log_level"] for log in logs} <= {"debug"}


async def test_failure_of_one_key_does_not_end_the_others():
    async with driving() as (driver, passes, task):
        passes.results["a"] = [RuntimeError("defect")] * 50
        driver.add("a")
        driver.add("b")
        await passes.until(lambda: "b" in passes.ended and passes.ended.count("a") > 2)
        assert not task.done()


async def test_stop_lets_running_passes_end_and_starts_no_more():
    async with driving(workers=1) as (driver, passes, task):
        passes.gate.clear()
        driver.add("a")
        driver.add("b")
        await passes.until(lambda: passes.started == ["a"])
        driver.stop()
        passes.gate.set()
        await task
        assert passes.ended == ["a"]


async def test_cancellation_lets_running_passes_end():
    async with driving() as (driver, passes, task):
        passes.gate.clear()
        driver.add("a")
        await passes.until(lambda: passes.started == ["a"])
        task.cancel()
        await asyncio.sleep(0)
        passes.gate.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert passes.ended == ["a"]


async def test_pass_that_does_not_end_in_time_is_cut_off():
    async with driving(grace_s=0.01) as (driver, passes, task):
        passes.gate.clear()
        driver.add("a")
        await passes.until(lambda: passes.started == ["a"])
        driver.stop()
        with capture_logs() as logs:
            await task
        assert passes.ended == ["a"]
        assert driver.pending == 0
        assert [(entry["log_level"], entry["event"]) for entry in logs] == [
            ("warning", "pass cut off")
        ]
