import pytest

from ferrolb.apimachinery import SelectorError, parse_label_selector
from ferrolb.model import Operator


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("", ""),
        ("   ", ""),
        ("a=b", "a in (b)"),
        ("a==b", "a in (b)"),
        (" a = b ", "a in (b)"),
        ("a!=b", "a notin (b)"),
        ("a=", "a in ()"),
        ("a=,b", "a in (),b"),
        ("a in (x,y)", "a in (x,y)"),
        ("a in (y, x,y)", "a in (x,y)"),
        ("a notin (x)", "a notin (x)"),
        ("a in ()", "a in ()"),
        ("a in (x,,y)", "a in (,x,y)"),
        ("a in (,)", "a in ()"),
        ("a in (in,notin)", "a in (in,notin)"),
        ("in=in", "in in (in)"),
        ("a", "a"),
        ("!a", "!a"),
        ("! a", "!a"),
        ("b,a=1", "a in (1),b"),
        ("metallb.io/pool=p", "metallb.io/pool in (p)"),
        ("a=b\0,c", "a in (b)"),
    ],
)
def test_selector_is_read(text, written):
    assert str(parse_label_selector(text)) == written


@pytest.mark.parametrize(
    ("text", "labels", "is_match"),
    [
        ("a=", {"a": ""}, True),
        ("a=", {}, False),
        ("a!=x", {}, True),
        ("a,!b", {"a": "1"}, True),
        ("a,!b", {"a": "1", "b": "1"}, False),
        ("a in (x,y),b notin (z)", {"a": "y", "b": "w"}, True),
    ],
)
def test_selector_matches(text, labels, is_match):
    assert parse_label_selector(text).matches(labels) is is_match


def test_exact_match_has_one_value():
    (requirement,) = parse_label_selector("a==b").requirements
    assert (requirement.operator, requirement.values) == (Operator.IN, ("b",))


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (",", "found ',', expected: !, identifier, or 'end of string'"),
        ("=a", "found '=', expected: !, identifier, or 'end of string'"),
        ("a,", "found '', expected: identifier after ','"),
        ("a=b c", "found 'c', expected: ',' or 'end of string'"),
        ("!", "unable to parse requirement: found '', expected: identifier"),
        ("a b", "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"),
        ("a=(", "unable to parse requirement: found '(', expected: identifier"),
        ("a in b", "unable to parse requirement: found 'b' expected: '('"),
        ("a in (", "unable to parse requirement: found '', expected: ',', ')' or identifier"),
        ("a in (b", "unable to parse requirement: found '', expected: ',' or ')'"),
        ("a in (b,=)", "unable to parse requirement: found '=', expected: ',', or identifier"),
        ("a>1", "unable to parse requirement: the operator '>' is not supported"),
    ],
)
def test_bad_selector_is_answered_as_the_api_does(text, error):
    with pytest.raises(SelectorError) as caught:
        parse_label_selector(text)
    assert str(caught.value) == error


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("@", '<nil>: Invalid value: "@": name part must consist of'),
        ("a/b/c", '<nil>: Invalid value: "a/b/c": a qualified name must consist of'),
        ("/a", '<nil>: Invalid value: "/a": prefix part must be non-empty'),
        ("b/", '<nil>: Invalid value: "b/": name part must be non-empty'),
        ("A/b", "prefix part a lowercase RFC 1123 subdomain must"),
        (f"{'a' * 254}/b", "prefix part must be no more than 253 bytes"),
        ("a" * 64, "name part must be no more than 63 bytes"),
        ("a=" + "b" * 64, "values[0][a]: Invalid value"),
        ("a in (b,-)", 'values[0][a]: Invalid value: "-": a valid label must be'),
    ],
)
def test_bad_keys_and_values_are_named(text, error):
    with pytest.raises(SelectorError) as caught:
        parse_label_selector(text)
    assert error in str(caught.value)
