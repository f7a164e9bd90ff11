"""Rules of faults under any requests: counts, ends, chance."""

import math
from typing import Any, get_args

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from ferrolb.devserver.fault_rules import (
    MAX_DELAY_S,
    Action,
    Cut,
    Delay,
    FaultRule,
    FaultRuleError,
    FaultTable,
    FaultVerb,
    Match,
    Refuse,
    RequestFacts,
    WatchEnd,
    WatchError,
    WatchStall,
    covers,
    draws,
    parse_rule,
)

VERBS = get_args(FaultVerb)
NAMES = st.sampled_from(["", "a", "b"])
ACTIONS: st.SearchStrategy[Action] = st.one_of(
    st.builds(Delay, seconds=st.floats(0.001, MAX_DELAY_S)),
    st.builds(Cut, where=st.sampled_from(["BeforeWork", "AfterWork", "InBody"])),
    st.builds(Refuse, code=st.sampled_from([409, 410, 500])),
    st.builds(Refuse, code=st.sampled_from([429, 503]), retry_after_seconds=st.integers(0, 9)),
    st.builds(WatchEnd),
    st.builds(WatchError, code=st.sampled_from([410, 500])),
    st.builds(WatchStall, seconds=st.none() | st.floats(0.001, 3600)),
)
MATCHES = st.builds(
    Match,
    verbs=st.none()
    | st.lists(st.sampled_from(VERBS), min_size=1, max_size=8).map(
        lambda verbs: ("watch", *verbs[1:])
    ),
    group=st.none() | NAMES,
    resource=st.none() | NAMES,
    subresource=st.none() | NAMES,
    namespace=st.none() | NAMES,
    name=st.none() | NAMES,
    user=st.none() | NAMES,
    user_agent_prefix=st.none() | NAMES,
)
RULES = st.builds(
    FaultRule,
    action=ACTIONS,
    match=MATCHES,
    times=st.none() | st.integers(1, 5),
    seconds=st.none() | st.floats(0.001, 100.0),
    probability=st.floats(0.001, 1.0),
    seed=st.integers(0, 2**32 - 1),
)
FACTS = st.builds(
    RequestFacts,
    verb=st.sampled_from(VERBS),
    group=NAMES,
    resource=NAMES,
    subresource=NAMES,
    namespace=NAMES,
    name=NAMES,
    user=NAMES,
    user_agent=NAMES,
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["action", "match", "type", "seconds", "verbs", "seed", "times", "x"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


def counts(table: FaultTable) -> list[int]:
    listing: Any = table.listing(now=0.0)
    return [one["acted"] for one in listing["rules"]]


@given(RULES)
def test_a_rule_that_is_written_down_is_read_as_itself(rule):
    assert parse_rule(msgspec.to_builtins(rule)) == rule


@given(JSON)
def test_any_document_is_a_rule_or_refused_with_a_path(document):
    field = "?"
    try:
        parse_rule(document)
    except FaultRuleError as error:
        field = error.error.field
    assert field


@given(st.lists(RULES, max_size=4), st.lists(st.tuples(FACTS, st.floats(0, 200)), max_size=20))
def test_no_rule_acts_too_often_too_late_or_on_others(rules, requests):
    table = FaultTable()
    for rule in rules:
        table.add(rule, now=0.0)
    acted = [0] * len(rules)
    for facts, now in sorted(requests, key=lambda one: one[1]):
        before = counts(table)
        decision = table.decide(facts, now=now)
        after = counts(table)
        met = [number for number, rule in enumerate(rules) if after[number] != before[number]]
        for number in met:
            rule = rules[number]
            acted[number] += 1
            assert covers(rule.match, facts)
            assert rule.times is None or acted[number] <= rule.times
            assert rule.seconds is None or now < rule.seconds
            assert facts.verb == "watch" or not isinstance(
                rule.action, WatchEnd | WatchError | WatchStall
            )
        waits = [rules[number].action for number in met]
        delays = [action.seconds for action in waits if isinstance(action, Delay)]
        others = [action for action in waits if not isinstance(action, Delay)]
        assert math.isclose(decision.delay_s, min(MAX_DELAY_S, sum(delays)))
        assert others == ([] if decision.action is None else [decision.action])


@given(RULES, st.lists(FACTS, max_size=20))
def test_the_same_requests_meet_the_same_faults(rule, requests):
    first, second = FaultTable(), FaultTable()
    first.add(rule, now=0.0)
    second.add(rule, now=0.0)
    assert [first.decide(facts, now=0.0) for facts in requests] == [
        second.decide(facts, now=0.0) for facts in requests
    ]


@given(st.integers(0, 2**32 - 1), st.floats(0.05, 1.0))
def test_chance_comes_near_what_was_asked_for(seed, probability):
    met = sum(draws(seed, number, probability) for number in range(400))
    assert abs(met / 400 - probability) < 0.15
    assert all(draws(seed, number, 1.0) for number in range(50))
