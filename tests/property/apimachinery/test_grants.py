"""Bindings found by their subjects decide as all bindings looked through do, after any changes."""

from hypothesis import given
from hypothesis import strategies as st

from ferrolb.apimachinery import (
    Grants,
    PathRequest,
    ResourceRequest,
    User,
    is_allowed,
    is_subject,
    parse_rules,
)

NAMES = st.sampled_from(["a", "b"])
NAMESPACES = st.sampled_from(["", "x", "y"])
SUBJECTS = st.one_of(
    st.builds(lambda name: {"kind": "User", "name": name}, st.sampled_from(["ann", "bob"])),
    st.builds(lambda name: {"kind": "Group", "name": name}, st.sampled_from(["dev", "ops"])),
    st.builds(
        lambda name, namespace: {"kind": "ServiceAccount", "name": name, **namespace},
        NAMES,
        st.sampled_from([{}, {"namespace": "x"}, {"namespace": "y"}]),
    ),
)
RULES = st.one_of(
    st.builds(
        lambda verb, resource: {"verbs": [verb], "apiGroups": [""], "resources": [resource]},
        st.sampled_from(["get", "list", "*"]),
        st.sampled_from(["pods", "services", "*"]),
    ),
    st.just({"verbs": ["get"], "nonResourceURLs": ["/metrics"]}),
)
METADATA = st.builds(
    lambda name, namespace: {"name": name, "namespace": namespace}, NAMES, NAMESPACES
)


@st.composite
def objects(draw):
    kind = draw(st.sampled_from(["Role", "RoleBinding"]))
    metadata = draw(METADATA)
    prefix = "" if metadata["namespace"] else "Cluster"
    if kind == "Role":
        return {
            "kind": f"{prefix}Role",
            "metadata": metadata,
            "rules": draw(st.lists(RULES, max_size=2)),
        }
    role = draw(st.sampled_from(["ClusterRole", f"{prefix}Role"]))
    return {
        "kind": f"{prefix}RoleBinding",
        "metadata": metadata,
        "roleRef": {"kind": role, "name": draw(NAMES)},
        "subjects": draw(st.lists(SUBJECTS, max_size=3)),
    }


CHANGES = st.lists(st.tuples(st.sampled_from(["put", "put", "remove"]), objects()), max_size=25)
ACCOUNTS = ("ann", "bob", "system:serviceaccount:x:a", "system:serviceaccount:y:b")
USERS = [
    User(name=name, groups=groups) for name in ACCOUNTS for groups in [(), ("dev",), ("dev", "ops")]
]
REQUESTS = [
    PathRequest(verb="get", path="/metrics"),
    *(
        ResourceRequest(verb=verb, resource=resource, namespace=namespace)
        for verb in ("get", "list")
        for resource in ("pods", "services")
        for namespace in ("", "x", "y")
    ),
]


def place(obj):
    return obj["kind"], obj["metadata"]["namespace"], obj["metadata"]["name"]


def naive_rules(there, user, namespace):
    """Return the rules of a user by looking through everything."""
    for (kind, own, _), binding in there.items():
        if not kind.endswith("Binding") or own not in ("", namespace):
            continue
        reference = binding["roleRef"]
        role_place = (
            reference["kind"],
            own if reference["kind"] == "Role" else "",
            reference["name"],
        )
        if role_place in there and any(
            is_subject(subject, user, binding_namespace=own) for subject in binding["subjects"]
        ):
            yield from there[role_place]["rules"]


def assert_same(grants, there, user, request):
    namespace = getattr(request, "namespace", "")
    expected = list(naive_rules(there, user, namespace))
    decision = grants.decide(user, request)
    assert decision.is_allowed is is_allowed(parse_rules(expected), request)
    held = grants.held(user, namespace).rules
    assert sorted(map(repr, held)) == sorted(map(repr, expected))


@given(changes=CHANGES)
def test_the_index_decides_as_all_objects_looked_through_do(changes):
    grants, there = Grants(), {}
    for change, obj in changes:
        if change == "put":
            grants.put(obj)
            there[place(obj)] = obj
        else:
            grants.remove(obj)
            there.pop(place(obj), None)
    for user in USERS:
        for request in REQUESTS:
            assert_same(grants, there, user, request)


@given(changes=st.lists(objects(), max_size=10))
def test_nothing_is_left_of_what_was_removed(changes):
    grants = Grants()
    for obj in changes:
        grants.put(obj)
    for obj in changes:
        grants.remove(obj)
    assert grants == Grants()
