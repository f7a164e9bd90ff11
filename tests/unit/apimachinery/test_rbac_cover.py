"""What rules grant beyond others, and how that is worded."""

from typing import Any, Final

import pytest

from ferrolb.apimachinery import parse_rules, quoted_list, uncovered

PODS: Final[dict[str, Any]] = {"verbs": ["get", "list"], "apiGroups": [""], "resources": ["pods"]}


def test_verbs_on_one_thing_share_a_text_in_their_order():
    wanted = [{**PODS, "verbs": ["watch", "get"]}, {**PODS, "verbs": ["delete"]}]
    text = '{APIGroups:[""], Resources:["pods"], Verbs:["watch" "get" "delete"]}'
    assert uncovered((), wanted) == [text]


def test_only_what_is_not_held_is_named():
    assert uncovered(parse_rules([PODS]), [{**PODS, "verbs": ["get", "delete"]}]) == [
        '{APIGroups:[""], Resources:["pods"], Verbs:["delete"]}'
    ]


def test_each_object_has_its_own_text():
    assert uncovered((), [{**PODS, "verbs": ["get"], "resourceNames": ["b", "a"]}]) == [
        '{APIGroups:[""], Resources:["pods"], ResourceNames:["a"], Verbs:["get"]}',
        '{APIGroups:[""], Resources:["pods"], ResourceNames:["b"], Verbs:["get"]}',
    ]


def test_each_verb_on_a_path_has_its_own_text_once():
    rule: dict[str, Any] = {"verbs": ["get", "post"], "nonResourceURLs": ["/x"]}
    assert uncovered((), [rule, rule]) == [
        '{NonResourceURLs:["/x"], Verbs:["get"]}',
        '{NonResourceURLs:["/x"], Verbs:["post"]}',
    ]


@pytest.mark.parametrize(
    "rule", [{}, {"verbs": ["get"]}, {**PODS, "verbs": "get"}, {**PODS, "apiGroups": [1]}]
)
def test_what_grants_nothing_lacks_nothing(rule):
    assert uncovered((), [rule]) == []


def test_strings_are_listed_quoted_without_commas():
    assert quoted_list(["a", 'b"']) == '["a" "b\\""]'
    assert quoted_list([]) == "[]"
