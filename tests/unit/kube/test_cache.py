import pytest

from ferrolb.kube import Cache, ObjectKey, ObjectMeta, Origin, RawObject, key_of, version_of


def obj(name: str = "a", version: int | str = 1, namespace: str = "ns") -> RawObject:
    meta = ObjectMeta(name=name, namespace=namespace, resourceVersion=str(version))
    return RawObject(metadata=meta, content={"v": str(version)})


@pytest.fixture
def changes():
    return []


@pytest.fixture
def cache(changes):
    cache: Cache[RawObject] = Cache()
    cache.subscribe(changes.append)
    return cache


def version(cache: Cache[RawObject], name: str = "a") -> str | None:
    found = cache.get(("ns", name))
    return found.metadata.resourceVersion if found else None


def test_key_prints_with_its_namespace_if_it_has_one():
    assert str(ObjectKey("ns", "a")) == "ns/a"
    assert str(ObjectKey("", "node-1")) == "node-1"
    assert key_of(obj()) == ("ns", "a")


@pytest.mark.parametrize(
    ("text", "expected"), [("12", 12), ("", 0), ("0x1", 0), ("-1", 0), ("\u0661", 0), ("1.5", 0)]
)
def test_version_that_is_no_number_is_older_than_any(text, expected):
    assert version_of(text) == expected


def test_objects_are_found_by_any_pair(cache):
    cache.put(obj())
    assert ("ns", "a") in cache
    assert ("ns", "b") not in cache
    assert cache.get(("ns", "b")) is None
    assert len(cache) == 1
    assert list(cache) == list(cache.keys()) == [ObjectKey("ns", "a")]
    assert [o.metadata.name for o in cache.values()] == ["a"]


def test_handlers_hear_of_additions_updates_and_deletions(cache, changes):
    first, second = obj(version=1), obj(version=2)
    cache.put(first)
    cache.put(second)
    cache.remove(ObjectKey("ns", "a"), "3")
    assert [(c.old, c.new, c.origin) for c in changes] == [
        (None, first, Origin.SERVER),
        (first, second, Origin.SERVER),
        (second, None, Origin.SERVER),
    ]
    assert {c.key for c in changes} == {("ns", "a")}


@pytest.mark.parametrize("late", [1, 5])
def test_state_that_is_older_or_the_same_changes_nothing(cache, changes, late):
    cache.put(obj(version=5))
    assert not cache.put(obj(version=late))
    assert version(cache) == "5"
    assert len(changes) == 1


def test_own_write_is_there_at_once_and_older_events_are_ignored(cache, changes):
    cache.put(obj(version=5))
    assert cache.put_written(obj(version=9))
    assert not cache.put(obj(version=7))
    assert not cache.put(obj(version=9))
    assert version(cache) == "9"
    assert [c.origin for c in changes] == [Origin.SERVER, Origin.WRITE]
    assert cache.put(obj(version=10))


def test_own_write_that_was_overtaken_is_ignored(cache):
    cache.put(obj(version=12))
    assert not cache.put_written(obj(version=11))
    assert version(cache) == "12"


def test_own_write_does_not_raise_the_dead(cache, changes):
    cache.put(obj(version=5))
    cache.remove(ObjectKey("ns", "a"), "8")
    cache.advance("8")
    assert not cache.put_written(obj(version=7))
    assert version(cache) is None
    assert cache.put_written(obj(version=9))
    assert [c.new is None for c in changes] == [False, True, False]


def test_deletion_older_than_the_object_is_ignored(cache):
    cache.put_written(obj(version=9))
    assert not cache.remove(ObjectKey("ns", "a"), "8")
    assert version(cache) == "9"
    assert cache.remove(ObjectKey("ns", "a"), "9")


def test_deletion_of_the_unknown_is_no_news(cache, changes):
    assert not cache.remove(ObjectKey("ns", "a"), "8")
    assert changes == []


def test_removal_without_a_version_is_unconditional(cache):
    cache.put(obj(version=9))
    assert cache.remove(ObjectKey("ns", "a"), "")


def test_versions_that_are_no_numbers_are_taken_as_they_come(cache):
    cache.put(obj(version="x"))
    assert cache.put(obj(version="w"))
    assert version(cache) == "w"
    assert cache.remove(ObjectKey("ns", "a"), "v")


def test_list_keeps_what_was_written_after_it(cache):
    cache.put_written(obj(version=12))
    cache.start_list("10")
    assert not cache.put(obj(version=9))
    assert not cache.remove(ObjectKey("ns", "a"), "10")
    assert version(cache) == "12"


def test_list_older_than_what_was_seen_overrides_it(cache):
    cache.start_list("50")
    cache.put(obj("a", 40))
    cache.put(obj("b", 41))
    cache.start_list("7")
    assert cache.put(obj("a", 3))
    assert version(cache, "a") == "3"
    assert cache.remove(ObjectKey("ns", "b"), "7")
    assert not cache.put(obj("a", 2))
    assert cache.put_written(obj("c", 8))


def test_advance_never_goes_back(cache):
    cache.advance("9")
    cache.advance("4")
    assert not cache.put_written(obj(version=9))


def test_unreadable_object_is_named_and_its_last_state_kept(cache, changes):
    good = obj(version=1)
    cache.put(good)
    assert cache.put_unreadable(ObjectKey("ns", "a"), "why")
    assert not cache.put_unreadable(ObjectKey("ns", "a"), "why")
    assert cache.unreadable == {("ns", "a"): "why"}
    assert (changes[-1].old, changes[-1].new) == (good, good)
    assert len(changes) == 2
    assert cache.put(obj(version=3))
    assert cache.unreadable == {}


def test_unreadable_object_that_was_never_readable_is_known_and_can_go(cache, changes):
    cache.put_unreadable(ObjectKey("ns", "b"), "why")
    assert cache.known() == {("ns", "b")}
    assert len(cache) == 0
    assert cache.remove(ObjectKey("ns", "b"), "5")
    assert cache.known() == frozenset()
    assert (changes[-1].old, changes[-1].new) == (None, None)


def test_cache_starts_unsynced(cache):
    assert not cache.synced.is_set()
