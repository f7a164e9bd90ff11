import itertools

import pytest

from ferrolb.reconcile import (
    Backoff,
    ListComplete,
    ListPage,
    Page,
    ReconcileError,
    ReflectorState,
    ReflectorTiming,
    Watch,
)
from ferrolb.reconcile.reflector import TRANSITIONS, Input, Pause, State

TIMING = ReflectorTiming(
    backoff=Backoff(base_s=1.0, cap_s=8.0),
    healthy_after_s=5.0,
    absent_retry_s=60.0,
    absent_grace_s=30.0,
)


def machine() -> ReflectorState[str]:
    return ReflectorState(jitter=lambda s: s, timing=TIMING)


def page(keys: str = "", version: str = "10", more: str = "") -> Page[str]:
    return Page(keys=frozenset(keys), resource_version=version, continue_from=more)


def watching(keys: str = "", version: str = "10") -> ReflectorState[str]:
    m = machine()
    m.request(now=0.0)
    m.on_page(page(keys, version), known=(), now=0.0)
    assert m.request(now=0.0) == Watch(version)
    m.on_open(now=0.0)
    return m


def test_first_request_is_the_first_page_at_once():
    m = machine()
    assert m.next_deadline() == 0.0
    assert m.request(now=0.0) == ListPage("", True)
    assert m.resource_version == ""


def test_pages_follow_each_other_then_the_watch_from_the_version_of_the_first():
    m = machine()
    m.request(now=0.0)
    assert m.on_page(page("ab", "10", "t1"), known="", now=0.0) is None
    assert m.request(now=0.0) == ListPage("t1", True)
    assert m.on_page(page("c", "11", "t2"), known="", now=0.0) is None
    assert m.request(now=0.0) == ListPage("t2", True)
    assert m.on_page(page("d", "12"), known="abcd", now=0.0) == ListComplete("10")
    assert m.request(now=0.0) == Watch("10")


def test_whole_list_tells_which_known_keys_vanished():
    m = machine()
    m.request(now=0.0)
    m.on_page(page("ab", more="t"), known="xyab", now=0.0)
    complete = m.on_page(page("c"), known="xyabc", now=0.0)
    assert complete == ListComplete("10", frozenset("xy"))


def test_keys_of_a_list_that_was_given_up_do_not_count_as_seen():
    m = machine()
    m.request(now=0.0)
    m.on_page(page("a", more="t"), known="", now=0.0)
    m.on_gone(now=0.0)
    m.request(now=1.0)
    assert m.on_page(page("b"), known="ab", now=1.0) == ListComplete("10", frozenset("a"))


def test_page_token_that_expired_asks_for_everything_at_once_but_only_once():
    m = machine()
    m.request(now=0.0)
    m.on_page(page("a", more="t"), known="", now=0.0)
    m.on_gone(now=0.0)
    assert m.request(now=0.9) is None
    assert m.request(now=1.0) == ListPage("", False)
    m.on_page(page("ab"), known="", now=1.0)
    m.request(now=1.0)
    m.on_gone(now=1.0)
    assert m.request(now=9.0) == ListPage("", True)


def test_page_that_did_not_come_is_asked_for_again():
    m = machine()
    m.request(now=0.0)
    m.on_page(page("a", more="t"), known="", now=0.0)
    m.on_unreachable(now=0.0)
    assert m.request(now=1.0) == ListPage("t", True)
    m.on_server_error(now=1.0)
    assert m.request(now=3.0) == ListPage("t", True)
    assert m.on_page(page("b"), known="ab", now=3.0) == ListComplete("10")


def test_waits_grow_until_the_watch_works_not_only_the_list():
    m = machine()
    now, waits = 0.0, []
    for _ in range(3):
        assert m.request(now=now) == ListPage("", True)
        m.on_page(page("a"), known="", now=now)
        assert m.request(now=now) == Watch("10")
        m.on_open(now=now)
        m.on_gone(now=now)
        waits.append(m.next_deadline() - now)
        now = m.next_deadline()
    assert waits == [1.0, 2.0, 4.0]
    m.request(now=now)
    m.on_page(page("a"), known="", now=now)
    m.request(now=now)
    m.on_progress("11", now=now)
    m.on_gone(now=now)
    assert m.next_deadline() == now + 1.0


def test_c25_what_may_be_listed_and_not_watched_is_listed_from_time_to_time():
    m = machine()
    now = 0.0
    for _ in range(3):
        assert m.request(now=now) == ListPage("", True)
        assert m.on_page(page("a"), known="a", now=now) == ListComplete("10")
        m.request(now=now)
        m.on_unwatchable(now=now)
        assert m.next_deadline() == now + 60.0
        now = m.next_deadline()


def test_watch_is_resumed_from_what_it_brought_last():
    m = watching()
    m.on_progress("12", now=1.0)
    m.on_progress("", now=1.0)
    assert m.resource_version == "12"
    m.on_end(now=1.0)
    assert m.request(now=1.0) == Watch("12")


@pytest.mark.parametrize(("lasted", "wait"), [(4.9, 1.0), (5.0, 0.0)])
def test_watch_that_ends_at_once_without_a_word_is_not_reopened_at_once(lasted, wait):
    m = watching()
    m.on_end(now=lasted)
    assert m.next_deadline() - lasted == pytest.approx(wait)


def test_watch_that_was_never_accepted_does_not_count_as_lasting():
    m = watching()
    m.on_unreachable(now=0.0)
    m.request(now=1.0)
    m.on_unreachable(now=60.0)
    assert m.next_deadline() == 62.0


def test_connection_that_broke_after_it_worked_is_reopened_after_the_first_wait():
    m = watching()
    for now in (0.0, 1.0, 3.0):
        m.on_unreachable(now=now)
        m.request(now=m.next_deadline())
    m.on_open(now=7.0)
    m.on_unreachable(now=12.0)
    assert m.next_deadline() == 13.0


def test_server_may_ask_for_more_rest():
    m = watching()
    m.on_unreachable(now=0.0, at_least_s=20.0)
    assert m.next_deadline() == 20.0
    m.request(now=20.0)
    m.on_server_error(now=20.0, at_least_s=30.0)
    assert m.next_deadline() == 50.0


@pytest.mark.parametrize("strike", [ReflectorState.on_silence, ReflectorState.on_server_error])
def test_second_strike_lists_again(strike):
    m = watching()
    strike(m, now=0.0)
    assert m.request(now=1.0) == Watch("10")
    strike(m, now=1.0)
    assert m.request(now=3.0) == ListPage("", True)


def test_anything_on_the_watch_clears_the_strikes():
    m = watching()
    m.on_silence(now=0.0)
    m.request(now=1.0)
    m.on_progress("11", now=1.0)
    m.on_silence(now=1.0)
    assert m.request(now=2.0) == Watch("11")


def test_refused_watch_lists_again():
    m = watching()
    m.on_refused(now=0.0)
    assert m.request(now=1.0) == ListPage("", True)


def test_absent_resource_is_an_empty_list_that_is_tried_again_slowly():
    m = machine()
    m.request(now=0.0)
    assert m.on_absent(known="", now=0.0) == ListComplete("")
    assert m.next_deadline() == 60.0
    assert m.request(now=60.0) == ListPage("", True)
    m.on_page(page("a"), known="", now=60.0)
    assert m.request(now=60.0) == Watch("10")


def test_known_objects_of_an_absent_resource_are_kept_for_a_grace_time():
    m = machine()
    m.request(now=0.0)
    assert m.on_absent(known="a", now=0.0) is None
    assert m.next_deadline() == 1.0
    m.request(now=29.0)
    assert m.on_absent(known="a", now=29.0) is None
    m.request(now=31.0)
    assert m.on_absent(known="a", now=31.0) == ListComplete("", frozenset("a"))
    assert m.next_deadline() == 91.0


def test_absence_is_counted_anew_after_a_page():
    m = machine()
    m.request(now=0.0)
    m.on_absent(known="a", now=0.0)
    m.request(now=1.0)
    m.on_page(page("a", more="t"), known="a", now=1.0)
    m.request(now=1.0)
    assert m.on_absent(known="a", now=40.0) is None


def test_every_pair_of_the_table_leads_somewhere_and_every_state_can_be_left():
    assert len(TRANSITIONS) == 21
    assert {source for source, _ in TRANSITIONS} == set(State)
    assert {happened for _, happened in TRANSITIONS} == set(Input)
    assert {pause for _, pause in TRANSITIONS.values()} == set(Pause)


def enter(state: State, happened: Input) -> ReflectorState[str]:
    m = machine()
    m._state = state
    m._enter(happened, 7.0)
    return m


@pytest.mark.parametrize(("state", "happened"), list(TRANSITIONS))
def test_pair_of_the_table_is_followed(state, happened):
    m = enter(state, happened)
    target, pause = TRANSITIONS[state, happened]
    waits = {Pause.NONE: 0.0, Pause.BACKOFF: 1.0, Pause.ABSENT: 60.0}
    assert m._state is target
    assert m.next_deadline() == 7.0 + waits[pause]


@pytest.mark.parametrize(
    ("state", "happened"),
    [pair for pair in itertools.product(State, Input) if pair not in TRANSITIONS],
)
def test_pair_outside_the_table_is_a_defect_of_the_caller(state, happened):
    with pytest.raises(ReconcileError, match=f"{happened.name} cannot happen in {state.name}"):
        enter(state, happened)


def test_defaults():
    m: ReflectorState[str] = ReflectorState(jitter=lambda s: s)
    m.request(now=0.0)
    m.on_unreachable(now=0.0)
    assert m.next_deadline() == pytest.approx(0.2)
