"""What is not named as missing may be handed on: it allows nothing that is not held."""

from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from ferrolb.apimachinery import PathRequest, ResourceRequest, is_allowed, parse_rules, uncovered


def some(*values, least=0):
    return st.lists(st.sampled_from(values), min_size=least, max_size=3)


ABOUT_RESOURCES = st.fixed_dictionaries(
    {
        "verbs": some("get", "list", "*", least=1),
        "apiGroups": some("", "apps", "*", least=1),
        "resources": some("pods", "pods/status", "*/status", "*", least=1),
    },
    optional={"resourceNames": some("a", "b", least=1)},
)
ABOUT_PATHS = st.fixed_dictionaries(
    {
        "verbs": some("get", "list", "*", least=1),
        "nonResourceURLs": some("/x", "/x/y", "/x*", "/x/*", "*", least=1),
    }
)
RULES = st.lists(st.one_of(ABOUT_RESOURCES, ABOUT_PATHS), max_size=4)

REQUESTS: list[ResourceRequest | PathRequest] = [
    *(
        ResourceRequest(
            verb=verb, group=group, resource=resource, subresource=subresource, name=name
        )
        for verb, group, resource, subresource, name in product(
            ["get", "list", "delete"], ["", "apps", "x"], ["pods", "z"], ["", "status"], ["", "a"]
        )
    ),
    *(
        PathRequest(verb=verb, path=path)
        for verb, path in product(["get", "put"], ["/x", "/x/", "/x/y", "/xy", "/z"])
    ),
]


@given(held=RULES, wanted=RULES)
def test_what_is_covered_allows_nothing_that_is_not_held(held, wanted):
    assert len(REQUESTS) == 82
    own, other = parse_rules(held), parse_rules(wanted)
    if not uncovered(own, wanted):
        for request in REQUESTS:
            assert is_allowed(own, request) or not is_allowed(other, request), request


@given(held=RULES, wanted=RULES)
def test_what_is_missing_is_held_once_it_is_added(held, wanted):
    assert uncovered(parse_rules([*held, *wanted]), wanted) == []


@given(held=RULES, wanted=RULES, more=RULES)
def test_who_holds_more_lacks_no_more(held, wanted, more):
    if not uncovered(parse_rules(held), wanted):
        assert not uncovered(parse_rules([*held, *more]), wanted)


@given(wanted=RULES)
def test_who_holds_nothing_lacks_every_rule(wanted):
    missing = uncovered((), wanted)
    assert bool(missing) == bool(wanted)
    assert missing == sorted(set(missing))
