from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st

from ferrolb.apimachinery import (
    SchemaView,
    apply_defaults,
    custom_resource_schema,
    decode_error,
    find_duplicate_fields,
    prune,
    validate,
)
from ferrolb.crds import load_crds
from ferrolb.devserver.schemas import builtin_components, schema_for

VIEWS = [
    SchemaView.of(
        custom_resource_schema(version["schema"]["openAPIV3Schema"]), builtin_components()
    )
    for definition in cast("list[Any]", load_crds())
    for version in definition["spec"]["versions"]
]
SERVICE = schema_for("", "v1", "Service")

SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-10, 2**40), st.floats(), st.text(max_size=4)
)


def documents(names):
    """Objects whose keys are often those that the schemas know."""
    return st.recursive(
        SCALARS,
        lambda inner: st.one_of(
            st.lists(inner, max_size=3),
            st.dictionaries(st.one_of(st.sampled_from(names), st.text(max_size=3)), inner),
        ),
        max_leaves=12,
    )


def names_of(view: SchemaView, depth: int = 6) -> set[str]:
    found = set(view.property_names())
    children = [view.property(name) for name in view.property_names()]
    for child in [*children, view.items(), view.additional()]:
        if child is not None and depth:
            found |= names_of(child, depth - 1)
    return found


CUSTOM = sorted(set.union(*(names_of(view) for view in VIEWS)))
OBJECTS = st.dictionaries(st.sampled_from(["spec", "status", "metadata", "x"]), documents(CUSTOM))
SERVICES = st.dictionaries(
    st.sampled_from(["spec", "status", "metadata", "x"]), documents(sorted(names_of(SERVICE)))
)


@given(st.sampled_from(VIEWS), OBJECTS)
def test_pruning_twice_is_pruning_once(view, obj):
    pruned, _ = prune(obj, view)
    assert repr(prune(pruned, view)) == repr((pruned, []))


@given(st.sampled_from(VIEWS), OBJECTS)
def test_defaulting_twice_is_defaulting_once(view, obj):
    defaulted = apply_defaults(obj, view)
    assert repr(apply_defaults(defaulted, view)) == repr(defaulted)


@given(st.sampled_from(VIEWS), OBJECTS)
def test_defaults_pass_pruning(view, obj):
    defaulted = apply_defaults(prune(obj, view)[0], view)
    assert prune(defaulted, view)[1] == []


@given(st.sampled_from(VIEWS), OBJECTS, OBJECTS)
def test_anything_is_validated_without_an_exception(view, obj, old):
    for error in [*validate(obj, view), *validate(obj, view, old)]:
        assert str(error)
        assert error.cause["reason"]


@given(st.sampled_from(VIEWS), OBJECTS)
def test_unchanged_object_passes(view, obj):
    assert validate(obj, view, obj) == [] or repr(float("nan")) in repr(obj)


@given(SERVICES)
def test_anything_is_decoded_or_refused_without_an_exception(obj):
    error = decode_error(obj, SERVICE)
    assert error is None or error
    pruned, _ = prune(obj, SERVICE)
    assert repr(prune(pruned, SERVICE)[0]) == repr(pruned)


@given(st.binary())
def test_any_body_is_searched_for_duplicates(body):
    assert isinstance(find_duplicate_fields(body), list)
