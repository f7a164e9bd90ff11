import copy

import pytest

from ferrolb.apimachinery import MalformedPatchError, PatchError, json_patch, merge_patch
from ferrolb.apimachinery.document import MAX_DEPTH
from ferrolb.apimachinery.patch import MAX_OPERATIONS
from ferrolb.model import Json

DOC: Json = {"a": {"b": [1, {"c": 2}]}, "d": None, "e/f": 1, "g~h": 2}


def nested(levels: int) -> Json:
    value: Json = 1
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        ({"op": "add", "path": "/a/b/-", "value": 3}, {"a": {"b": [1, {"c": 2}, 3]}}),
        ({"op": "add", "path": "/a/b/2", "value": 3}, {"a": {"b": [1, {"c": 2}, 3]}}),
        ({"op": "add", "path": "/a/b/0", "value": 3}, {"a": {"b": [3, 1, {"c": 2}]}}),
        ({"op": "add", "path": "/d", "value": 3}, {"d": 3}),
        ({"op": "replace", "path": "/a/b/0", "value": None}, {"a": {"b": [None, {"c": 2}]}}),
        ({"op": "replace", "path": "/e~1f", "value": 3}, {"e/f": 3}),
        ({"op": "replace", "path": "/g~0h", "value": 3}, {"g~h": 3}),
        ({"op": "remove", "path": "/a/b/1/c"}, {"a": {"b": [1, {}]}}),
        ({"op": "remove", "path": "/a/b/0"}, {"a": {"b": [{"c": 2}]}}),
        ({"op": "move", "from": "/a/b", "path": "/d"}, {"a": {}, "d": [1, {"c": 2}]}),
        ({"op": "move", "from": "/a/b/1/c", "path": "/a"}, {"a": 2}),
        ({"op": "move", "from": "/d", "path": "/d"}, {}),
        ({"op": "copy", "from": "/a/b", "path": "/d"}, {"d": [1, {"c": 2}]}),
        ({"op": "test", "path": "/a", "value": {"b": [1.0, {"c": 2}]}}, {}),
        ({"op": "test", "path": "/d", "value": None}, {}),
    ],
)
def test_operation(operation, expected):
    assert isinstance(DOC, dict)
    assert json_patch(DOC, [operation]) == {**DOC, **expected}


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        ({"op": "add", "path": "", "value": 3}, 3),
        ({"op": "replace", "path": "", "value": [3]}, [3]),
        ({"op": "remove", "path": ""}, None),
        ({"op": "copy", "from": "/a", "path": ""}, {"b": [1, {"c": 2}]}),
        ({"op": "move", "from": "/e~1f", "path": ""}, 1),
    ],
)
def test_operation_on_the_whole_document(operation, expected):
    assert json_patch(DOC, [operation]) == expected


@pytest.mark.parametrize(
    ("operation", "error"),
    [
        ({"op": "add", "path": "/x/y", "value": 1}, "add operation does not apply"),
        ({"op": "add", "path": "/x/y", "value": 1}, "doc is missing path: /x"),
        ({"op": "add", "path": "/e~1f/y", "value": 1}, "doc is missing path: /e~1f/y"),
        ({"op": "add", "path": "/a/b/3", "value": 1}, "no element '3' at /a/b/3"),
        ({"op": "add", "path": "/a/b/01", "value": 1}, "no element '01'"),
        ({"op": "add", "path": "/a/b/-1", "value": 1}, "no element '-1'"),
        ({"op": "add", "path": "/a/b/\u0663", "value": 1}, "no element"),
        ({"op": "add", "path": "/a/b/99999999999999", "value": 1}, "no element"),
        ({"op": "remove", "path": "/x"}, "remove operation does not apply"),
        ({"op": "remove", "path": "/a/b/-"}, "no element '-'"),
        ({"op": "replace", "path": "/x/y", "value": 1}, "replace operation does not apply"),
        ({"op": "move", "from": "/x", "path": "/y"}, "move operation does not apply"),
        ({"op": "move", "from": "/a", "path": "/a/z"}, "/a cannot move into itself"),
        ({"op": "move", "from": "", "path": "/a"}, '"" cannot move into itself'),
        ({"op": "move", "from": "/x", "path": "/x"}, "doc is missing path: /x"),
        ({"op": "copy", "from": "/x/y", "path": "/y"}, "copy operation does not apply"),
        ({"op": "test", "path": "/a/b/0", "value": True}, "testing value /a/b/0 failed"),
        ({"op": "test", "path": "/a/b", "value": [1]}, "testing value /a/b failed"),
        ({"op": "test", "path": "/a", "value": {"c": 1}}, "testing value /a failed"),
        ({"op": "test", "path": "", "value": []}, 'testing value "" failed'),
        ({"op": "test", "path": "/x", "value": 1}, "testing value /x failed"),
        ({"op": "test", "path": ""}, 'testing value "" failed'),
        ({"op": 3, "path": ""}, "unknown operation 3"),
        ({"op": "Add", "path": "", "value": 1}, "unknown operation 'Add'"),
        ({"op": "add", "value": 1}, "add operation without a path"),
        ({"op": "add", "path": 1, "value": 1}, "add operation without a path"),
        ({"op": "add", "path": "a", "value": 1}, "'a' is not a JSON pointer"),
        ({"op": "copy", "path": ""}, "copy operation without a from"),
        ({"op": "move", "path": "", "from": None}, "move operation without a from"),
        ({"op": "remove", "path": "/a" * (MAX_DEPTH + 1)}, "is not a JSON pointer"),
        ({}, "unknown operation None"),
    ],
)
def test_operation_that_does_not_apply(operation, error):
    with pytest.raises(PatchError) as caught:
        json_patch(DOC, [operation])
    assert error in str(caught.value)
    assert not isinstance(caught.value, MalformedPatchError)


@pytest.mark.parametrize(
    "operations",
    [
        None,
        {},
        ["x"],
        [{"op": "test", "path": "", "value": 1}] * (MAX_OPERATIONS + 1),
    ],
)
def test_what_is_no_patch_is_refused_before_anything_is_done(operations):
    with pytest.raises(MalformedPatchError):
        json_patch(DOC, operations)


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        ({"op": "replace", "path": "/x", "value": 1}, 1),
        ({"op": "add", "path": "/x"}, None),
        ({"op": "copy", "from": "/y", "path": "/x"}, None),
    ],
    ids=["replace", "add", "copy"],
)
def test_member_that_is_not_there_is_null(operation, expected):
    patched = json_patch({"a": 1}, [operation])
    assert patched == {"a": 1, "x": expected}


def test_member_that_is_not_there_is_tested_for_null():
    assert json_patch({"a": 1}, [{"op": "test", "path": "/x", "value": None}]) == {"a": 1}


def test_all_or_nothing():
    before = copy.deepcopy(DOC)
    operations: Json = [{"op": "remove", "path": "/a"}, {"op": "remove", "path": "/x"}]
    with pytest.raises(PatchError):
        json_patch(DOC, operations)
    assert before == DOC


def test_copying_a_list_into_itself_again_and_again_is_stopped():
    doubling: Json = [{"op": "copy", "from": "", "path": "/-"}] * 30
    with pytest.raises(PatchError, match="copy operations add up to more than"):
        json_patch([1], doubling)


def test_results_share_nothing_with_what_came_in():
    target: Json = {"a": {"x": [1]}, "b": {"y": [1]}}
    patch: Json = {"a": {"z": [2]}}
    operations: Json = [
        {"op": "add", "path": "/c", "value": {"z": [2]}},
        {"op": "copy", "from": "/c", "path": "/d"},
    ]
    before = copy.deepcopy((target, patch, operations))
    for made in (merge_patch(target, patch), json_patch(target, operations)):
        assert isinstance(made, dict)
        for value in made.values():
            assert isinstance(value, dict)
            for item in value.values():
                assert isinstance(item, list)
                item.append(9)
    assert (target, patch, operations) == before


def test_copies_are_independent_of_each_other():
    made = json_patch(
        {"a": [1]},
        [
            {"op": "copy", "from": "/a", "path": "/b"},
            {"op": "add", "path": "/a/-", "value": 2},
        ],
    )
    assert made == {"a": [1, 2], "b": [1]}


@pytest.mark.parametrize("patch", [nested(MAX_DEPTH + 1), nested(5000)])
def test_endless_nesting_is_refused(patch):
    with pytest.raises(PatchError, match="nested deeper"):
        merge_patch({}, {"a": patch})
    with pytest.raises(PatchError, match="nested deeper"):
        merge_patch(patch, {})
    with pytest.raises(PatchError, match="nested deeper"):
        json_patch({}, [{"op": "add", "path": "/a", "value": patch}])


def test_deepest_documents_still_pass():
    deep = nested(MAX_DEPTH - 1)
    assert merge_patch({}, {"a": deep}) == {"a": deep}
