"""Covering by rules agrees with allowing by rules, for any rules and requests."""

from hypothesis import given
from hypothesis import strategies as st

from ferrolb.apimachinery import PathRequest, ResourceRequest, Rule, is_allowed, missing_rules

VERBS = st.sampled_from(["get", "list", "*"])
GROUPS = st.sampled_from(["", "apps", "*"])
RESOURCES = st.sampled_from(["pods", "pods/status", "nodes/status", "*/status", "*"])
NAMES = st.sampled_from(["a", "b"])
PATHS = st.sampled_from(["/apis", "/apis/*", "/apis/apps", "*"])

RULES = st.builds(
    Rule,
    verbs=st.frozensets(VERBS),
    groups=st.frozensets(GROUPS),
    resources=st.frozensets(RESOURCES),
    names=st.frozensets(NAMES),
    paths=st.frozensets(PATHS),
)
REQUESTS = st.one_of(
    st.builds(
        ResourceRequest,
        verb=st.sampled_from(["get", "list"]),
        group=st.sampled_from(["", "apps"]),
        resource=st.sampled_from(["pods", "nodes"]),
        subresource=st.sampled_from(["", "status"]),
        name=st.sampled_from(["", "a", "b"]),
    ),
    st.builds(
        PathRequest, verb=st.just("get"), path=st.sampled_from(["/apis", "/apis/apps", "/x"])
    ),
)


@given(held=st.lists(RULES, max_size=3), wanted=RULES, request=REQUESTS)
def test_who_lacks_nothing_of_a_rule_may_do_all_it_allows(held, wanted, request):
    missing = missing_rules(held, [wanted])
    if is_allowed([wanted], request):
        assert is_allowed([*held, *missing], request)


@given(held=st.lists(RULES, max_size=3))
def test_nothing_is_missing_of_what_is_held(held):
    assert missing_rules(held, held) == []


@given(wanted=st.lists(RULES, max_size=3), request=REQUESTS)
def test_the_parts_told_as_missing_allow_what_the_rules_do_and_no_more(wanted, request):
    assert is_allowed(missing_rules([], wanted), request) == is_allowed(wanted, request)
