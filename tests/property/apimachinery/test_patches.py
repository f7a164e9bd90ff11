from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.apimachinery.schemas import POD_SPEC, SERVICE

from ferrolb.apimachinery import PatchError, SchemaView, json_patch, merge_patch, strategic_patch
from ferrolb.apimachinery.document import equal_json
from ferrolb.model import Json, JsonObject

NAMES = st.sampled_from(["a", "b", "spec", "ports", "port", "name", "containers", "finalizers"])
DIRECTIVES = st.sampled_from(
    ["$patch", "$retainKeys", "$setElementOrder/ports", "$deleteFromPrimitiveList/finalizers"]
)
SCALARS = st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from(["", "x", "delete"])


def documents(names: st.SearchStrategy[str], scalars: st.SearchStrategy[Json] = SCALARS):
    return st.recursive(
        scalars,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=4),
        max_leaves=12,
    )


JSON = documents(NAMES)
POINTERS = st.lists(NAMES | st.sampled_from(["0", "1", "-", "~1"]), max_size=3).map(
    lambda tokens: "".join(f"/{token}" for token in tokens)
)
OPERATIONS = st.lists(
    st.fixed_dictionaries(
        {"op": st.sampled_from(["add", "remove", "replace", "move", "copy", "test", "x"])},
        optional={"path": POINTERS, "from": POINTERS, "value": JSON},
    ),
    max_size=5,
)


def without_nulls(value: Json) -> Json:
    if isinstance(value, dict):
        return {name: without_nulls(item) for name, item in value.items() if item is not None}
    return value


def difference(old: Json, new: Json) -> Json:
    """Return the merge patch that makes `new` of `old`."""
    if not isinstance(old, dict) or not isinstance(new, dict):
        return new
    patch: JsonObject = dict.fromkeys(old.keys() - new.keys())
    for name, value in new.items():
        if name not in old or not equal_json(old[name], value):
            patch[name] = difference(old.get(name), value)
    return patch


@given(JSON, JSON)
def test_merge_patch_of_the_difference_gives_the_other(old, new):
    new = without_nulls(new)
    assert equal_json(merge_patch(old, difference(old, new)), new)


@given(JSON, JSON)
def test_merge_patch_twice_is_once(target, patch):
    once = merge_patch(target, patch)
    assert equal_json(merge_patch(once, patch), once)


@given(JSON, OPERATIONS | JSON)
def test_any_json_patch_applies_or_is_refused(target, operations):
    with suppress(PatchError):
        json_patch(target, operations)


@given(JSON, JSON)
def test_a_tested_copy_is_equal(target, value):
    doc: Json = {"old": target}
    operations: Json = [
        {"op": "add", "path": "/new", "value": value},
        {"op": "copy", "from": "/new", "path": "/copy"},
        {"op": "test", "path": "/copy", "value": value},
        {"op": "remove", "path": "/copy"},
        {"op": "remove", "path": "/new"},
    ]
    assert equal_json(json_patch(doc, operations), doc)


@given(
    st.dictionaries(NAMES, JSON),
    st.dictionaries(NAMES | DIRECTIVES, documents(NAMES | DIRECTIVES)),
    st.sampled_from([SERVICE, POD_SPEC, SERVICE.property("spec"), None]),
)
def test_any_strategic_patch_applies_or_is_refused(
    target: JsonObject, patch: JsonObject, schema: SchemaView | None
):
    with suppress(PatchError):
        strategic_patch(target, patch, schema)


PLAIN = documents(NAMES, st.booleans() | st.integers(-2, 2) | st.sampled_from(["x", "y"]))


@given(st.dictionaries(NAMES, PLAIN), st.dictionaries(NAMES, documents(NAMES)))
def test_without_a_schema_a_strategic_patch_is_a_merge_patch(target, patch):
    patch = {name: _no_null_in_lists(value) for name, value in patch.items()}
    assert equal_json(strategic_patch(target, patch, None), merge_patch(target, patch))


def _no_null_in_lists(value: Json, *, is_in_list: bool = False) -> Json:
    if isinstance(value, dict):
        return {
            name: _no_null_in_lists(item, is_in_list=is_in_list)
            for name, item in value.items()
            if not (is_in_list and item is None)
        }
    if isinstance(value, list):
        return [_no_null_in_lists(item, is_in_list=True) for item in value]
    return value
