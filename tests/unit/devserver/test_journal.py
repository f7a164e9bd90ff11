"""What the journal keeps: over a restart, a crash at any byte, a failing disk."""

import asyncio
import errno
import os
import signal
import subprocess
import sys
import textwrap
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ferrolb.devserver.journal import RESTART_GAP, Journal
from ferrolb.devserver.journal_files import JournalError
from ferrolb.devserver.journal_format import HEADER, DamagedError, frame, read_frames
from ferrolb.store import ExpiredError, ObjectKey, ResourceId, Store

NOW = datetime(2026, 3, 1, tzinfo=UTC)
THINGS = ResourceId("x.io", "things")


def key(name: str) -> ObjectKey:
    return ObjectKey(THINGS, "default", name)


def put(store: Store, journal: Journal, name: str, value: Any = None) -> None:
    """Create an object or change it, and append the change."""
    if any(item["metadata"]["name"] == name for item in things(store)):
        write = store.update(key(name), {"value": value})
    else:
        write = store.create(key(name), {"value": value}, uid=f"uid-{name}", now=NOW)
    assert write.change is not None
    journal.append(write.change)


def remove(store: Store, journal: Journal, name: str) -> None:
    write = store.delete(key(name), now=NOW)
    assert write.change is not None
    journal.append(write.change)


def things(store: Store) -> list[Any]:
    return list(store.list(THINGS).items)


def names(store: Store) -> list[str]:
    return [item["metadata"]["name"] for item in things(store)]


def opened(path: Path, **options: Any) -> tuple[Store, Journal]:
    store = Store()
    return store, Journal(path, store, **options)


async def write_batches(store: Store, journal: Journal, *batches: list[str]) -> None:
    """Create objects, each batch by one commit."""
    async with asyncio.TaskGroup() as group:
        writer = group.create_task(journal.run())
        for batch in batches:
            for name in batch:
                put(store, journal, name, name * 3)
            await journal.commit()
        writer.cancel()


def filled(path: Path, *batches: list[str]) -> None:
    """Make a directory that holds some objects, each batch by one commit."""
    store, journal = opened(path)
    asyncio.run(write_batches(store, journal, *batches))
    journal.close()


def only_log(path: Path) -> Path:
    [log] = path.glob("*.log")
    return log


def test_new_directory_is_private_and_empty(tmp_path):
    store, journal = opened(tmp_path / "a" / "b")
    assert journal.recovered.is_new
    assert store.resource_version == 1
    journal.close()
    assert (tmp_path / "a" / "b").stat().st_mode & 0o777 == 0o700
    for path in (tmp_path / "a" / "b").iterdir():
        assert path.stat().st_mode & 0o777 == 0o600, path


def test_objects_and_versions_survive_a_restart(tmp_path):
    store, journal = opened(tmp_path)
    put(store, journal, "a")
    put(store, journal, "b", {"text": "\u00fc\n\u2028"})
    put(store, journal, "a", 2)
    put(store, journal, "c")
    remove(store, journal, "c")
    journal.close()

    again, second = opened(tmp_path)
    assert things(again) == things(store)
    recovered = second.recovered
    assert (recovered.is_new, recovered.objects, recovered.changes) == (False, 0, 5)
    assert recovered.torn_bytes == 0
    put(again, second, "d")
    second.close()

    third, journal = opened(tmp_path)
    assert names(third) == ["a", "b", "d"]
    assert (journal.recovered.objects, journal.recovered.changes) == (2, 1)
    journal.close()


def test_versions_continue_and_none_is_used_twice(tmp_path):
    store, journal = opened(tmp_path)
    asyncio.run(write_batches(store, journal, ["a"]))
    put(store, journal, "never-on-disk")
    seen = store.resource_version
    lose(journal)

    again, second = opened(tmp_path)
    assert names(again) == ["a"]
    assert again.resource_version == seen - 1 + RESTART_GAP
    with pytest.raises(ExpiredError):
        again.changes_since(THINGS, None, seen)
    lose(second)
    third, journal = opened(tmp_path)
    assert third.resource_version == seen - 1 + 2 * RESTART_GAP
    journal.close()


def lose(journal: Journal) -> None:
    """End as a crash does: what was not committed is gone, the lock is free."""
    journal._pending.clear()
    journal.close()


def test_closing_writes_what_was_not_committed(tmp_path):
    store, journal = opened(tmp_path)
    put(store, journal, "a")
    journal.close()
    again, journal = opened(tmp_path)
    assert names(again) == ["a"]
    journal.close()


def test_log_cut_at_every_byte_loses_only_the_torn_batch(tmp_path, monkeypatch):
    # some thousand syncs, and no crash here that they would matter to
    monkeypatch.setattr("ferrolb.devserver.journal_files.os.fsync", lambda descriptor: None)
    batches = [["a"], ["b", "c"], ["d"]]
    filled(tmp_path, *batches)
    log = only_log(tmp_path)
    whole = log.read_bytes()
    snapshot = log.with_suffix(".snapshot")
    snapshot_bytes = snapshot.read_bytes()
    ends = [len(HEADER)]
    for payload in read_frames(whole).payloads:
        ends.append(ends[-1] + len(frame(payload)))
    assert ends[-1] == len(whole)
    complete = [[], ["a"], ["a", "b", "c"], ["a", "b", "c", "d"]]
    for length in range(len(whole) + 1):
        case = tmp_path / f"cut-{length}"
        case.mkdir()
        (case / log.name).write_bytes(whole[:length])
        (case / snapshot.name).write_bytes(snapshot_bytes)
        store, journal = opened(case)
        frames = sum(end <= length for end in ends[1:])
        assert names(store) == complete[frames], length
        assert journal.recovered.torn_bytes == length - (ends[frames] if length >= ends[0] else 0)
        put(store, journal, "e")
        journal.close()
        again, journal = opened(case)
        assert names(again) == [*complete[frames], "e"], length
        assert journal.recovered.torn_bytes == 0
        journal.close()


def test_any_damage_before_the_last_record_refuses_to_start(tmp_path):
    filled(tmp_path, ["a"], ["b"], ["c"])
    log = only_log(tmp_path)
    whole = log.read_bytes()
    last = len(whole) - len(frame(read_frames(whole).payloads[-1]))
    for offset in range(last):
        damaged = bytearray(whole)
        damaged[offset] ^= 0x40
        with pytest.raises(DamagedError):
            read_frames(bytes(damaged))
    damaged = bytearray(whole)
    damaged[len(HEADER) + 20] ^= 1
    damaged[last - 1] ^= 1
    log.write_bytes(damaged)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(JournalError) as refused:
        opened(tmp_path)
    text = str(refused.value)
    assert text.startswith(f"{log} is unusable: damaged at byte {len(HEADER)}: an intact record")
    assert "restore the directory from a copy, or move it away to start empty" in text
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_damage_in_the_last_record_is_taken_for_a_crash(tmp_path):
    filled(tmp_path, ["a"], ["b"])
    log = only_log(tmp_path)
    damaged = bytearray(log.read_bytes())
    damaged[-3] ^= 1
    log.write_bytes(damaged)
    store, journal = opened(tmp_path)
    assert names(store) == ["a"]
    assert journal.recovered.torn_bytes > 0
    journal.close()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"#!/bin/sh\n", "this is no FerroLB journal"),
        (b"ferrolb-journal 2\nxyz", "format '2' is not one this version of FerroLB reads"),
        (HEADER + frame(b"{}"), "Expected `array`"),
        (HEADER + frame(b'[null,"","","","",0,{}]'), "an object where a change should be"),
        (
            HEADER + frame(b'["MODIFIED","","things","","a",99,{}]'),
            "MODIFIED of things a at 99 does not fit the state at 2",
        ),
    ],
)
def test_foreign_log_refuses_to_start(tmp_path, data, reason):
    filled(tmp_path, ["a"])
    opened(tmp_path)[1].close()
    log = only_log(tmp_path)
    log.write_bytes(data)
    with pytest.raises(JournalError) as refused:
        opened(tmp_path)
    expected = reason.replace("at 2", f"at {2 + RESTART_GAP}")
    assert expected in str(refused.value)


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:-1],
        lambda data: data[: len(HEADER)],
        lambda data: data[: len(HEADER)] + frame(b"{}"),
        lambda data: data[: data.rindex(b"\xf5")],
        lambda data: b"other",
    ],
)
def test_damaged_snapshot_refuses_to_start(tmp_path, damage):
    filled(tmp_path, ["a", "b"])
    opened(tmp_path)[1].close()
    [snapshot] = tmp_path.glob("*.snapshot")
    snapshot.write_bytes(damage(snapshot.read_bytes()))
    with pytest.raises(JournalError, match=r"\.snapshot is unusable"):
        opened(tmp_path)


@pytest.mark.parametrize("suffix", ["log", "snapshot"])
def test_missing_file_refuses_to_start(tmp_path, suffix):
    filled(tmp_path, ["a"])
    [path] = tmp_path.glob(f"*.{suffix}")
    path.unlink()
    with pytest.raises(JournalError, match=rf"{path.name} is missing; nothing was changed"):
        opened(tmp_path)


def test_start_that_died_before_its_snapshot_is_taken_up(tmp_path):
    filled(tmp_path, ["a"], ["b"])
    log = only_log(tmp_path)
    log.write_bytes(log.read_bytes()[:-1])
    for rest in (b"", HEADER[:5], HEADER):
        (tmp_path / "00000007.log").write_bytes(rest)
        (tmp_path / "00000007.partial").write_bytes(b"half")
        store, journal = opened(tmp_path)
        assert names(store) == ["a"]
        journal.close()
        assert sorted(path.suffix for path in tmp_path.iterdir()) == ["", ".log", ".snapshot"]


def test_second_server_is_refused(tmp_path):
    _, journal = opened(tmp_path)
    with pytest.raises(JournalError) as refused:
        opened(tmp_path)
    assert str(refused.value) == (
        f"data directory {tmp_path} is in use by another server (process {os.getpid()})"
    )
    journal.close()
    opened(tmp_path)[1].close()


def test_unusable_directory_is_an_error(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(JournalError, match="cannot use data directory"):
        opened(tmp_path / "file")
    (tmp_path / "00000001.log").mkdir()
    with pytest.raises(JournalError, match="cannot use data directory"):
        opened(tmp_path)


def test_full_log_makes_room_for_a_snapshot(tmp_path):
    store, journal = opened(tmp_path, log_limit_bytes=2_000)

    async def write() -> None:
        async with asyncio.TaskGroup() as group:
            writer = group.create_task(journal.run())
            for number in range(100):
                put(store, journal, f"n{number % 7}", number)
                await journal.commit()
                assert len(list(tmp_path.glob("*.log"))) == 1
            writer.cancel()

    asyncio.run(write())
    assert only_log(tmp_path).name > "00000003.log"
    assert only_log(tmp_path).stat().st_size < 4_000
    before = things(store)
    journal.close()
    again, journal = opened(tmp_path)
    assert things(again) == before
    assert journal.recovered.objects == 7
    journal.close()


class Disk:
    """Counts syncs, and lets tests hold or fail them."""

    def __init__(self, monkeypatch: Any) -> None:
        self.syncs = 0
        self.fails = False
        self._fsync = os.fsync
        monkeypatch.setattr("ferrolb.devserver.journal_files.os.fsync", self.fsync)

    def fsync(self, descriptor: int) -> None:
        self.syncs += 1
        if self.fails:
            raise OSError(errno.ENOSPC, "No space left on device")
        self._fsync(descriptor)


def test_writers_of_one_moment_share_a_sync(tmp_path, monkeypatch):
    store, journal = opened(tmp_path)
    disk = Disk(monkeypatch)

    async def write(number: int) -> None:
        put(store, journal, f"n{number}")
        await journal.commit()

    async def write_all() -> None:
        async with asyncio.TaskGroup() as group:
            runner = group.create_task(journal.run())
            async with asyncio.TaskGroup() as writers:
                for number in range(200):
                    writers.create_task(write(number))
            runner.cancel()

    asyncio.run(write_all())
    assert 1 <= disk.syncs <= 3
    journal.close()
    again, journal = opened(tmp_path)
    assert len(names(again)) == 200
    journal.close()


def test_commit_with_nothing_new_returns_at_once(tmp_path, monkeypatch):
    _, journal = opened(tmp_path)
    disk = Disk(monkeypatch)
    asyncio.run(journal.commit())
    assert disk.syncs == 0
    journal.close()


def test_commit_during_a_write_waits_for_it_and_writes_nothing_more(tmp_path, monkeypatch):
    store, journal = opened(tmp_path)
    disk = Disk(monkeypatch)

    async def write() -> None:
        async with asyncio.TaskGroup() as group:
            runner = group.create_task(journal.run())
            put(store, journal, "a")
            first = group.create_task(journal.commit())
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert not journal._pending, "the write is under way"
            await journal.commit()
            assert first.done()
            await asyncio.sleep(0)
            runner.cancel()

    asyncio.run(write())
    assert disk.syncs == 1
    journal.close()
    again, journal = opened(tmp_path)
    assert names(again) == ["a"]
    journal.close()


def test_writer_that_goes_away_harms_nobody(tmp_path):
    store, journal = opened(tmp_path)

    async def write() -> None:
        async with asyncio.TaskGroup() as group:
            runner = group.create_task(journal.run())
            put(store, journal, "a")
            gone = group.create_task(journal.commit())
            await asyncio.sleep(0)
            gone.cancel()
            put(store, journal, "b")
            await journal.commit()
            runner.cancel()

    asyncio.run(write())
    journal.close()
    again, journal = opened(tmp_path)
    assert names(again) == ["a", "b"]
    journal.close()


def test_cancelled_run_finishes_its_write(tmp_path):
    store, journal = opened(tmp_path)

    async def write() -> None:
        runner = asyncio.create_task(journal.run())
        put(store, journal, "a")
        waiting = asyncio.create_task(journal.commit())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        runner.cancel()
        with pytest.raises(asyncio.CancelledError):
            await runner
        await waiting

    asyncio.run(write())
    journal.close()


def test_failing_disk_acknowledges_nothing_and_ends_the_server(tmp_path, monkeypatch):
    store, journal = opened(tmp_path)
    disk = Disk(monkeypatch)
    disk.fails = True

    async def write() -> None:
        runner = asyncio.create_task(journal.run())
        put(store, journal, "a")
        gone = asyncio.create_task(journal.commit())
        waiting = asyncio.create_task(journal.commit())
        await asyncio.sleep(0)
        gone.cancel()
        with pytest.raises(JournalError, match="No space left"):
            await waiting
        with pytest.raises(JournalError, match="No space left"):
            await runner
        put(store, journal, "b")
        with pytest.raises(JournalError, match="the journal has failed"):
            await journal.commit()

    asyncio.run(write())
    journal.close()


def test_failing_disk_at_the_end_is_an_error(tmp_path, monkeypatch):
    store, journal = opened(tmp_path)
    disk = Disk(monkeypatch)
    put(store, journal, "a")
    disk.fails = True
    with pytest.raises(JournalError, match="No space left"):
        journal.close()
    disk.fails = False
    opened(tmp_path)[1].close()


WRITER = textwrap.dedent(
    """
    import asyncio, sys
    from datetime import UTC, datetime
    from pathlib import Path
    from ferrolb.devserver.journal import Journal
    from ferrolb.store import ObjectKey, ResourceId, Store

    NOW = datetime(2026, 3, 1, tzinfo=UTC)
    store = Store()
    journal = Journal(Path(sys.argv[1]), store, log_limit_bytes=20_000)
    start = len(store.list(ResourceId("x.io", "things")).items)

    async def write(offset):
        for number in range(start + offset, 10**6, 4):
            key = ObjectKey(ResourceId("x.io", "things"), "default", f"n{number}")
            change = store.create(key, {"value": "x" * 200}, uid="u", now=NOW).change
            journal.append(change)
            await journal.commit()
            sys.stdout.write(f"{number} {change.resource_version}\\n")
            sys.stdout.flush()

    async def main():
        async with asyncio.TaskGroup() as group:
            group.create_task(journal.run())
            for offset in range(4):
                group.create_task(write(offset))

    asyncio.run(main())
    """
)


def test_kill_9_loses_nothing_acknowledged(tmp_path):
    acknowledged: dict[str, int] = {}
    for lines in (40, 90, 150):
        arguments = [sys.executable, "-c", WRITER, str(tmp_path)]
        with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            for _ in range(lines):
                name, version = writer.stdout.readline().split()
                acknowledged[f"n{name}"] = int(version)
            writer.send_signal(signal.SIGKILL)
            for line in writer.stdout:
                if line.endswith("\n"):
                    name, version = line.split()
                    acknowledged[f"n{name}"] = int(version)
        store, journal = opened(tmp_path)
        found = {
            item["metadata"]["name"]: int(item["metadata"]["resourceVersion"])
            for item in things(store)
        }
        assert found.items() >= acknowledged.items()
        assert store.resource_version > max(acknowledged.values())
        # so that the next writer's names begin behind those that are there
        for name in set(found) - {f"n{number}" for number in range(len(found))}:
            remove(store, journal, name)
            acknowledged.pop(name, None)
        journal.close()
