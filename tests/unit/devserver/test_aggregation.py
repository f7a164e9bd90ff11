"""Which rules a ClusterRole gathers from others."""

import pytest

from ferrolb.devserver.aggregation import gathered_rules


def role(name, *rules, gathers=None, **labels):
    found = {"metadata": {"name": name, "labels": labels}, "rules": list(rules)}
    if gathers is not None:
        found["aggregationRule"] = {"clusterRoleSelectors": gathers}
    return found


def rule(verb):
    return {"verbs": [verb]}


LABELLED = {"matchLabels": {"a": "true"}}


def test_role_without_aggregation_gathers_none():
    assert gathered_rules(role("x", rule("get")), []) is None


def test_rules_stand_in_the_order_of_selectors_then_names_each_once():
    whole = role("m", rule("own"), gathers=[{"matchLabels": {"b": "1"}}, LABELLED], a="true")
    others = [
        role("z", rule("get"), rule("list"), a="true"),
        whole,
        role("c", rule("watch"), rule("get"), b="1", a="true"),
        role("d", rule("patch"), a="false"),
    ]
    assert gathered_rules(whole, others) == [rule("watch"), rule("get"), rule("list")]


@pytest.mark.parametrize(
    ("selector", "names"),
    [
        ({"matchExpressions": [{"key": "a", "operator": "Exists"}]}, ["one", "two"]),
        ({"matchExpressions": [{"key": "a", "operator": "DoesNotExist"}]}, ["three"]),
        ({"matchExpressions": [{"key": "a", "operator": "In", "values": ["1", "3"]}]}, ["one"]),
        (
            {"matchExpressions": [{"key": "a", "operator": "NotIn", "values": ["1"]}]},
            ["three", "two"],
        ),
        ({}, ["one", "three", "two"]),
    ],
)
def test_expressions_select_too(selector, names):
    others = [
        role("one", rule("one"), a="1"),
        role("two", rule("two"), a="2"),
        role("three", rule("three")),
    ]
    found = gathered_rules(role("x", gathers=[selector]), others)
    assert found == [rule(name) for name in names]
