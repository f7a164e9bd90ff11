"""Lists in pages that all show one state."""

import base64
from datetime import UTC, datetime
from typing import Any

import pytest

from ferrolb.store import (
    BadContinueTokenError,
    ExpiredError,
    ObjectKey,
    ResourceId,
    Store,
    TooLargeVersionError,
)

NOW = datetime(2026, 3, 1, tzinfo=UTC)
PODS = ResourceId("", "pods")


def new_store(**options: Any) -> Any:
    return Store(**options)


def put(store, place, number=0):
    namespace, name = place.split("/")
    store.create(ObjectKey(PODS, namespace, name), {"number": number}, uid="u", now=NOW)


def filled(*places, **options):
    store = new_store(**options)
    for number, place in enumerate(places):
        put(store, place, number)
    return store


def places(page):
    return [f"{o['metadata']['namespace']}/{o['metadata']['name']}" for o in page.items]


def test_list_is_sorted_by_namespace_and_name():
    store = filled("b/z", "a-b/a", "a/b", "b/a", "a/a")
    page = store.list(PODS)
    assert places(page) == ["a/a", "a/b", "a-b/a", "b/a", "b/z"]
    assert (page.resource_version, page.continue_token, page.remaining) == (6, None, None)
    assert places(store.list(PODS, "a")) == ["a/a", "a/b"]
    assert places(store.list(PODS, "absent")) == []


def test_pages_cover_the_list_and_count_the_rest():
    store = filled("a/1", "a/2", "b/1", "b/2", "c/1")
    first = store.list(PODS, limit=2)
    second = store.list(PODS, limit=2, continue_token=first.continue_token)
    third = store.list(PODS, limit=2, continue_token=second.continue_token)
    assert [places(p) for p in (first, second, third)] == [
        ["a/1", "a/2"],
        ["b/1", "b/2"],
        ["c/1"],
    ]
    assert [p.remaining for p in (first, second, third)] == [3, 1, None]
    assert third.continue_token is None


def test_full_last_page_has_no_token():
    assert filled("a/1", "a/2").list(PODS, limit=2).continue_token is None


def test_limit_zero_is_no_limit():
    assert len(filled("a/1", "a/2").list(PODS, limit=0).items) == 2


def test_pages_within_a_namespace():
    store = filled("a/1", "a/2", "a/3", "b/1")
    first = store.list(PODS, "a", limit=2)
    assert first.remaining == 1
    assert places(store.list(PODS, "a", limit=2, continue_token=first.continue_token)) == ["a/3"]


def test_pages_show_the_state_of_the_first():
    store = filled("a/1", "a/2", "a/3", "a/4")
    first = store.list(PODS, limit=1)
    store.delete(ObjectKey(PODS, "a", "2"), now=NOW)
    store.update(ObjectKey(PODS, "a", "3"), {"number": "changed"})
    store.update(ObjectKey(PODS, "a", "3"), {"number": "again"})
    put(store, "a/25")
    put(store, "a/26")
    store.delete(ObjectKey(PODS, "a", "26"), now=NOW)
    rest = store.list(PODS, continue_token=first.continue_token)
    assert places(rest) == ["a/2", "a/3", "a/4"]
    assert [o["number"] for o in rest.items] == [1, 2, 3]
    assert rest.resource_version == first.resource_version == 5
    assert places(store.list(PODS)) == ["a/1", "a/25", "a/3", "a/4"]


def test_list_at_a_version():
    store = filled("a/1", "a/2")
    assert places(store.list(PODS, at=2)) == ["a/1"]
    assert places(store.list(PODS, at=1)) == []
    assert store.list(PODS, at=2).resource_version == 2


def test_list_at_a_forgotten_version():
    store = filled("a/1", "a/2")
    store.compact(2)
    with pytest.raises(ExpiredError, match="too old resource version: 1") as expired:
        store.list(PODS, at=1)
    assert expired.value.continue_token is None


def test_list_in_the_future():
    with pytest.raises(TooLargeVersionError) as refused:
        filled("a/1").list(PODS, at=3)
    assert str(refused.value) == "Too large resource version: 3, current: 2"
    assert (refused.value.requested, refused.value.current) == (3, 2)


def test_expired_token_offers_to_go_on_at_the_present_state():
    store = filled("a/1", "a/2", "a/3")
    first = store.list(PODS, limit=1)
    store.delete(ObjectKey(PODS, "a", "2"), now=NOW)
    store.compact(5)
    with pytest.raises(ExpiredError, match="continue parameter is too old") as expired:
        store.list(PODS, limit=1, continue_token=first.continue_token)
    page = store.list(PODS, limit=1, continue_token=expired.value.continue_token)
    assert places(page) == ["a/3"]
    assert page.resource_version == 5


def test_matches_fills_the_page_and_counts_nothing():
    store = filled(*(f"a/{number}" for number in range(9)))
    even = store.list(PODS, limit=2, matches=lambda o: o["number"] % 2 == 0)
    assert places(even) == ["a/0", "a/2"]
    assert even.remaining is None
    rest = store.list(
        PODS, continue_token=even.continue_token, matches=lambda o: o["number"] % 2 == 0
    )
    assert places(rest) == ["a/4", "a/6", "a/8"]
    assert rest.continue_token is None


@pytest.mark.parametrize(
    "token",
    [
        "x",
        "!!!",
        "é",
        base64.urlsafe_b64encode(b"{}").decode(),
        base64.urlsafe_b64encode(b"\xff\xfe").decode(),
        base64.urlsafe_b64encode(b'{"rv":1,"after":["a"],"scope":"pods/"}').decode(),
    ],
)
def test_garbage_is_no_token(token):
    with pytest.raises(BadContinueTokenError, match="continue key is not valid"):
        filled("a/1").list(PODS, continue_token=token)


def test_token_of_another_list_is_refused():
    store = filled("a/1", "a/2")
    token = store.list(PODS, limit=1).continue_token
    with pytest.raises(BadContinueTokenError, match="another list"):
        store.list(PODS, "a", continue_token=token)
