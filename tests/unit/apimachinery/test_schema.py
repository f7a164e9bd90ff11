import copy

import pytest

from ferrolb.apimachinery import (
    SchemaView,
    apply_defaults,
    custom_resource_schema,
    prune,
    strict_error_text,
    strict_errors,
)
from ferrolb.model import JsonObject

META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
COMPONENTS: dict[str, JsonObject] = {
    META: {
        "type": "object",
        "properties": {
            "name": {"type": "string"},
            "labels": {"type": "object", "additionalProperties": {"type": "string"}},
            "managedFields": {
                "type": "array",
                "items": {"$ref": "#/components/schemas/Entry"},
            },
        },
    },
    "Entry": {"type": "object", "properties": {"fieldsV1": {"type": "object"}, "list": {}}},
}

PRUNING = [
    ({"properties": {"a": {}}}, {"a": 1}, {"a": 1}, []),
    ({"properties": {"a": {}}}, {"b": 1, "a": 1}, {"a": 1}, ["b"]),
    ({"type": "object"}, {"b": {"c": 1}}, {}, ["b"]),
    (
        {"properties": {"a": {"properties": {"b": {}}}}},
        {"a": {"c": 1, "b": 2}},
        {"a": {"b": 2}},
        ["a.c"],
    ),
    (
        {"properties": {"a": {"type": "array", "items": {"properties": {"b": {}}}}}},
        {"a": [{"b": 1}, {"c": 1}, 5]},
        {"a": [{"b": 1}, {}, 5]},
        ["a[1].c"],
    ),
    ({"properties": {"a": {"type": "array"}}}, {"a": [{"c": 1}]}, {"a": [{}]}, ["a[0].c"]),
    ({"properties": {"a": {"type": "array"}}}, {"a": [[{"c": 1}]]}, {"a": [[{}]]}, ["a[0][0].c"]),
    (
        {"additionalProperties": {"properties": {"b": {}}}},
        {"x": {"b": 1, "c": 1}},
        {"x": {"b": 1}},
        ["x.c"],
    ),
    ({"additionalProperties": True}, {"x": 1, "y": {"z": 1}}, {"x": 1, "y": {}}, ["y.z"]),
    ({"x-kubernetes-preserve-unknown-fields": True}, {"x": {"y": [1]}}, {"x": {"y": [1]}}, []),
    (
        {
            "x-kubernetes-preserve-unknown-fields": True,
            "properties": {"a": {"properties": {"b": {}}}},
        },
        {"a": {"c": 1}, "d": 1},
        {"a": {}, "d": 1},
        ["a.c"],
    ),
    (
        {"properties": {"a": {"type": "array", "x-kubernetes-preserve-unknown-fields": True}}},
        {"a": [{"c": 1}]},
        {"a": [{"c": 1}]},
        [],
    ),
    (
        {"properties": {"a": {"x-kubernetes-embedded-resource": True, "properties": {"s": {}}}}},
        {"a": {"kind": "X", "metadata": {"n": 1}, "s": 1, "t": 1}},
        {"a": {"kind": "X", "metadata": {"n": 1}, "s": 1}},
        ["a.t"],
    ),
]


@pytest.mark.parametrize(("schema", "obj", "expected", "unknown"), PRUNING)
def test_prune(schema, obj, expected, unknown):
    before = copy.deepcopy(obj)
    assert prune(obj, SchemaView.of(schema)) == (expected, unknown)
    assert obj == before


def test_metadata_of_a_custom_resource_is_pruned_by_the_api_s_own_type():
    view = SchemaView.of(
        custom_resource_schema({"type": "object", "properties": {"spec": {"type": "object"}}}),
        COMPONENTS,
    )
    obj: JsonObject = {
        "apiVersion": "v1",
        "kind": "Pool",
        "metadata": {
            "name": None,
            "labels": {"a": "b"},
            "color": 1,
            "managedFields": [{"fieldsV1": {"f:x": {}}, "list": [{"y": 1}], "z": 1}],
        },
        "spec": {},
    }
    pruned, unknown = prune(obj, view)
    assert unknown == ["metadata.color", "metadata.managedFields[0].z"]
    assert pruned["metadata"] == {
        "labels": {"a": "b"},
        "managedFields": [{"fieldsV1": {"f:x": {}}, "list": [{"y": 1}]}],
    }


def test_definition_without_properties_gets_the_common_ones():
    schema = custom_resource_schema({"x-kubernetes-preserve-unknown-fields": True})
    assert schema["type"] == "object"
    view = SchemaView.of(schema, COMPONENTS)
    assert view.property_names() == ("apiVersion", "kind", "metadata")
    assert view.preserve_unknown


DEFAULTS = [
    ({"properties": {"a": {"default": 1}}}, {}, {"a": 1}),
    ({"properties": {"a": {"default": 1}}}, {"a": 2}, {"a": 2}),
    ({"properties": {"a": {"default": False}}}, {}, {"a": False}),
    ({"properties": {"a": {"default": 1}}}, {"a": None}, {"a": 1}),
    ({"properties": {"a": {"default": 1, "nullable": True}}}, {"a": None}, {"a": None}),
    ({"properties": {"a": {}}}, {"a": None}, {}),
    ({"properties": {"a": {"nullable": True}}}, {"a": None}, {"a": None}),
    ({"properties": {"a": {"properties": {"b": {"default": 1}}}}}, {}, {}),
    ({"properties": {"a": {"properties": {"b": {"default": 1}}}}}, {"a": {}}, {"a": {"b": 1}}),
    (
        {"properties": {"a": {"default": {}, "properties": {"b": {"default": 1}}}}},
        {},
        {"a": {"b": 1}},
    ),
    (
        {"properties": {"a": {"items": {"properties": {"b": {"default": 1}}}}}},
        {"a": [{}, {"b": 2}]},
        {"a": [{"b": 1}, {"b": 2}]},
    ),
    ({"properties": {"a": {"items": {"default": 3}}}}, {"a": [None, 1]}, {"a": [3, 1]}),
    ({"properties": {"a": {"items": {"nullable": True}}}}, {"a": [None]}, {"a": [None]}),
    ({"properties": {"a": {"type": "array"}}}, {"a": [None]}, {"a": [None]}),
    ({"additionalProperties": {"default": 4}}, {"x": None}, {"x": 4}),
    (
        {"additionalProperties": {"properties": {"b": {"default": 1}}}},
        {"x": {}},
        {"x": {"b": 1}},
    ),
    ({"x-kubernetes-preserve-unknown-fields": True}, {"x": {"y": None}}, {"x": {"y": None}}),
]


@pytest.mark.parametrize(("schema", "obj", "expected"), DEFAULTS)
def test_defaults(schema, obj, expected):
    before = copy.deepcopy(obj)
    assert apply_defaults(obj, SchemaView.of(schema)) == expected
    assert obj == before


def test_defaulted_objects_do_not_share_the_default():
    view = SchemaView.of({"properties": {"a": {"default": {"b": []}}}})
    first = apply_defaults({}, view)["a"]
    assert first == {"b": []}
    assert isinstance(first, dict)
    first["b"] = 5
    assert apply_defaults({}, view) == {"a": {"b": []}}


def test_builtin_types_are_not_defaulted():
    view = SchemaView.of(
        {"properties": {"m": {"$ref": "#/components/schemas/T"}}},
        {"T": {"type": "object", "default": {}, "properties": {"p": {"default": "TCP"}}}},
    )
    assert apply_defaults({}, view) == {}
    assert apply_defaults({"m": {}}, view) == {"m": {}}
    assert apply_defaults({"m": None}, view) == {"m": None}


def test_strict_error_names_all_fields():
    errors = strict_errors(["spec.foo", "spec.bar"], ["spec.x"])
    assert errors == [
        'duplicate field "spec.x"',
        'unknown field "spec.foo"',
        'unknown field "spec.bar"',
    ]
    assert strict_error_text(errors[1:2]) == 'strict decoding error: unknown field "spec.foo"'
    assert strict_error_text(errors[1:]) == (
        'strict decoding error: unknown field "spec.foo", unknown field "spec.bar"'
    )


@pytest.mark.parametrize(
    ("metadata", "kept"),
    [
        ({"labels": {"a": None}}, {"labels": {"a": ""}}),
        ({"labels": {}}, {}),
        ({"labels": None}, {}),
        ({"managedFields": []}, {"managedFields": []}),
    ],
)
def test_nothing_in_the_apis_own_types(metadata, kept):
    view = SchemaView.of(custom_resource_schema({}), COMPONENTS)
    assert prune({"metadata": metadata}, view) == ({"metadata": kept}, [])
