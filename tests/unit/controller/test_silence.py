from ferrolb.controller.silence import DELAY_S, TOLD_AT_ONCE, Silences
from ferrolb.model import ServiceKey

KEY, OTHER = ServiceKey("default", "web"), ServiceKey("default", "other")


def test_c25_it_is_told_once_and_after_the_delay():
    silences = Silences()
    assert not silences.judge(KEY, "why", now=5.0)
    assert silences.next_deadline() == 5.0 + DELAY_S
    assert silences.take_due(now=4.9 + DELAY_S) == []
    assert not silences.judge(KEY, "why", now=9.0)
    assert silences.take_due(now=5.0 + DELAY_S) == [(KEY, "why")]
    assert silences.next_deadline() is None
    assert not silences.judge(KEY, "why", now=99.0)
    assert silences.take_due(now=200.0) == []


def test_c25_what_ends_before_the_delay_is_never_told():
    silences = Silences()
    silences.judge(KEY, "why", now=0.0)
    assert not silences.judge(KEY, None, now=9.0)
    assert silences.take_due(now=99.0) == []
    assert len(silences) == 0
    silences.judge(KEY, "why", now=100.0)
    assert silences.take_due(now=105.0) == []
    assert silences.take_due(now=110.0) == [(KEY, "why")]


def test_c25_what_ends_later_is_no_longer_true():
    silences = Silences()
    silences.judge(KEY, "why", now=0.0)
    silences.take_due(now=10.0)
    assert silences.judge(KEY, None, now=20.0)
    assert not silences.judge(KEY, None, now=21.0)


def test_another_reason_waits_no_longer_than_the_first():
    silences = Silences()
    silences.judge(KEY, "first", now=0.0)
    silences.judge(KEY, "second", now=9.0)
    assert silences.take_due(now=10.0) == [(KEY, "second")]
    silences.judge(OTHER, "why", now=11.0)
    silences.judge(KEY, "third", now=12.0)
    assert silences.take_due(now=12.0) == [(KEY, "third")]
    assert silences.next_deadline() == 21.0


def test_many_are_told_a_few_at_a_time_the_first_first():
    silences = Silences()
    keys = [ServiceKey("default", f"s{n:03}") for n in range(TOLD_AT_ONCE + 10)]
    for key in keys:
        silences.judge(key, "why", now=0.0)
    assert [key for key, _ in silences.take_due(now=10.0)] == keys[:TOLD_AT_ONCE]
    assert silences.next_deadline() == 10.0
    assert [key for key, _ in silences.take_due(now=11.0)] == keys[TOLD_AT_ONCE:]
    assert len(silences) == len(keys)


def test_clearing_tells_what_had_been_told():
    silences = Silences()
    silences.judge(KEY, "why", now=0.0)
    silences.take_due(now=10.0)
    silences.judge(OTHER, "why", now=10.0)
    assert silences.clear() == [KEY]
    assert len(silences) == 0
    assert silences.next_deadline() is None
