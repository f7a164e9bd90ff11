"""Names, labels, annotations, finalizers and owners that are accepted and refused."""

import pytest

from ferrolb.devserver.metadata import MAX_ANNOTATIONS_BYTES, validate_metadata
from ferrolb.devserver.names import NameRule


def errors(rule=NameRule.SUBDOMAIN, **metadata):
    found = validate_metadata({"name": "a", **metadata}, rule=rule)
    return [error.field for error in found]


@pytest.mark.parametrize(
    ("rule", "good", "bad"),
    [
        (NameRule.SUBDOMAIN, ["a", "a.b-c", "0", "a" * 253], ["A", "a_", "-a", "a..b", "a" * 254]),
        (NameRule.LABEL, ["a", "0a", "a" * 63], ["a.b", "a" * 64, "a-", "\u00e4"]),
        (NameRule.LABEL_1035, ["a", "a0"], ["0a", "a.b", "a\n"]),
        (NameRule.PATH_SEGMENT, ["system:x", "A B"], [".", "..", "a/b", "a%b"]),
    ],
)
def test_names(rule, good, bad):
    assert [name for name in good if errors(rule, name=name)] == []
    assert [name for name in bad if not errors(rule, name=name)] == []


@pytest.mark.parametrize("name", [None, "", 1])
def test_name_is_required(name):
    assert errors(name=name) == ["metadata.name"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("labels", {"a/b/c": "x"}),
        ("labels", {"/a": "x"}),
        ("labels", {"A.b/": "x"}),
        ("labels", {"B@d": "x"}),
        ("labels", {"a" * 64: "x"}),
        ("labels", {"a": "-"}),
        ("labels", {"a": "b" * 64}),
        ("labels", "text"),
        ("annotations", {"a b": "x"}),
        ("annotations", {"a": "x" * MAX_ANNOTATIONS_BYTES}),
        ("annotations", []),
        ("finalizers", ["no space"]),
        ("finalizers", [1]),
        ("finalizers", "text"),
        ("ownerReferences", "text"),
    ],
)
def test_refused(field, value):
    assert set(errors(**{field: value})) == {f"metadata.{field}"}


def test_members_that_are_no_strings_are_named():
    assert errors(labels={"a": 1}) == ["metadata.labels.a"]


def test_owner_needs_all_its_parts():
    owner = {"apiVersion": "v1", "kind": "Pod", "name": "p"}
    assert errors(ownerReferences=[owner]) == ["metadata.ownerReferences.uid"]
    assert errors(ownerReferences=[{**owner, "uid": "u"}]) == []


def test_accepted():
    assert not errors(
        labels={"app.kubernetes.io/name": "x", "a": "", "B_2": "c.d"},
        annotations={"Example.com/Any": "any text at all\n"},
        finalizers=["example.com/hold", "foregroundDeletion"],
    )
