from typing import TYPE_CHECKING

import pytest

from ferrolb.apimachinery import check_structural

if TYPE_CHECKING:
    from ferrolb.model import JsonObject

STRING = {"type": "string"}


def texts(schema):
    return [str(error) for error in check_structural(schema, "s")]


def root(**properties):
    return {"type": "object", "properties": properties}


GOOD = [
    root(spec={"type": "object", "properties": {"a": {"type": "array", "items": STRING}}}),
    root(a={"x-kubernetes-int-or-string": True, "anyOf": [{"type": "integer"}, STRING]}),
    root(
        a={
            "x-kubernetes-int-or-string": True,
            "allOf": [{"anyOf": [{"type": "integer"}, STRING]}, {"pattern": "^a"}],
        }
    ),
    root(a={"x-kubernetes-preserve-unknown-fields": True}),
    root(a={"type": "object", "additionalProperties": STRING}),
    root(a={"type": "object", "additionalProperties": True}),
    root(a={**STRING, "default": "x", "enum": ["x"], "pattern": "^x$"}),
    root(a={"type": "object", "default": {}, "properties": {"b": {**STRING, "default": "x"}}}),
    root(metadata={"type": "object", "properties": {"name": {**STRING, "pattern": "^a$"}}}),
    root(
        a={
            "type": "array",
            "items": {**root(k=STRING, l={**STRING, "default": ""}), "required": ["k"]},
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["k", "l"],
        }
    ),
    root(
        a={
            "type": "object",
            "x-kubernetes-embedded-resource": True,
            "x-kubernetes-preserve-unknown-fields": True,
            "x-kubernetes-map-type": "atomic",
        }
    ),
    root(
        a={
            "type": "array",
            "items": {"type": "object", "x-kubernetes-map-type": "atomic"},
            "x-kubernetes-list-type": "set",
        }
    ),
    root(a={"type": "object", "additionalProperties": False}),
    root(a={**root(b=STRING), "oneOf": [{"required": ["b"]}], "not": {"required": ["c"]}}),
]


@pytest.mark.parametrize("schema", GOOD)
def test_structural_schema_passes(schema):
    assert texts(schema) == []


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        (5, ["s: Invalid value: 5: must be a schema object"]),
        ({}, ["s.type: Required value: must not be empty at the root"]),
        ({"type": "array", "items": STRING}, [
            's.type: Invalid value: "array": must be object at the root'
        ]),
        (root(a={}), [
            "s.properties[a].type: Required value: must not be empty for specified object fields"
        ]),
        (root(a={"type": "array"}), ["s.properties[a].items: Required value: must be specified"]),
        (root(a={"type": "array", "items": {}}), [
            "s.properties[a].items.type: Required value: must not be empty for specified array "
            "items"
        ]),
        (root(a={"type": "text"}), [
            's.properties[a].type: Unsupported value: "text": supported values: "array", '
            '"boolean", "integer", "number", "object", "string"'
        ]),
        (root(a={**STRING, "$ref": "x"}), [
            "s.properties[a].$ref: Forbidden: $ref is not supported"
        ]),
        (root(a={"type": "array", "items": STRING, "uniqueItems": True}), [
            "s.properties[a].uniqueItems: Forbidden: uniqueItems cannot be set to true since the "
            "runtime complexity becomes quadratic"
        ]),
        (root(a={"x-kubernetes-int-or-string": True, "x-kubernetes-preserve-unknown-fields": True}),
         ["s.properties[a].x-kubernetes-preserve-unknown-fields: Invalid value: true: must be "
          "false if x-kubernetes-int-or-string is true"]),
        (root(a={**STRING, "nullable": "yes"}), [
            's.properties[a].nullable: Invalid value: "yes": must be a boolean'
        ]),
        (root(a={**STRING, "x-kubernetes-embedded-resource": True}), [
            "s.properties[a].properties: Required value: must not be empty if "
            "x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields",
            's.properties[a].type: Invalid value: "string": must be object if '
            "x-kubernetes-embedded-resource is true"
        ]),
        (root(a={"x-kubernetes-embedded-resource": True}), [
            "s.properties[a].properties: Required value: must not be empty if "
            "x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields",
            "s.properties[a].type: Required value: must be object if "
            "x-kubernetes-embedded-resource is true"
        ]),
        (root(a={**STRING, "x-kubernetes-list-type": "bag"}), [
            's.properties[a].type: Invalid value: "string": must be array if '
            "x-kubernetes-list-type is specified",
            's.properties[a].x-kubernetes-list-type: Unsupported value: "bag": supported values: '
            '"atomic", "set", "map"',
        ]),
        (root(a={"type": "array", "items": root(), "x-kubernetes-list-type": "map"}), [
            "s.properties[a].x-kubernetes-list-map-keys: Required value: must not be empty if "
            "x-kubernetes-list-type is map"
        ]),
        (root(a={"type": "array", "items": root(), "x-kubernetes-list-type": "map",
                 "x-kubernetes-list-map-keys": ["k"]}), [
            's.properties[a].x-kubernetes-list-map-keys: Invalid value: ["k"]: entries must all '
            "be names of item properties"
        ]),
        (root(a={"type": "array", "items": root(k=STRING), "x-kubernetes-list-type": "map",
                 "x-kubernetes-list-map-keys": ["k"]}), [
            "s.properties[a].items.properties[k].default: Required value: this property is in "
            "x-kubernetes-list-map-keys, so it must have a default or be a required property"
        ]),
        (root(a={"type": "array", "items": STRING, "x-kubernetes-list-type": "map",
                 "x-kubernetes-list-map-keys": ["k"]}), [
            's.properties[a].items.type: Invalid value: "string": must be object if parent '
            "array's x-kubernetes-list-type is map"
        ]),
        (root(a={"type": "array", "items": root(), "x-kubernetes-list-type": "set"}), [
            "s.properties[a].items.x-kubernetes-map-type: Invalid value: null: must be atomic as "
            "item of a list with x-kubernetes-list-type=set"
        ]),
        (root(a={"type": "object", "x-kubernetes-preserve-unknown-fields": False}), [
            "s.properties[a].x-kubernetes-preserve-unknown-fields: Invalid value: false: must be "
            "true or undefined"
        ]),
        (root(a={"$ref": "x"}), ["s.properties[a].$ref: Forbidden: $ref is not supported"]),
        (root(a={**STRING, "anyOf": [STRING]}), [
            "s.properties[a].anyOf[0].type: Forbidden: must be empty to be structural"
        ]),
        (root(a={"type": "object", "x-kubernetes-map-type": []}), [
            "s.properties[a].x-kubernetes-map-type: Unsupported value: []: supported values: "
            '"atomic", "granular"'
        ]),
        (root(kind={"type": "integer"}), [
            's.properties[kind].type: Invalid value: "integer": must be string'
        ]),
        (root(metadata={"type": "object", "properties": {"labels": root()}}), [
            "s.properties[metadata]: Forbidden: must not specify anything other than name and "
            "generateName, but metadata is implicitly specified"
        ]),
        (root(a={**STRING, "default": 5}), [
            's.properties[a].default: Invalid value: "integer":  in body must be of type string: '
            '"integer"'
        ]),
        (root(a={**root(b=STRING), "default": {"b": 5}}), [
            's.properties[a].default.b: Invalid value: "integer": b in body must be of type '
            'string: "integer"'
        ]),
        (root(a={**root(b=STRING), "default": {"c": 1}}), [
            's.properties[a].default: Invalid value: {"c":1}: must not have unknown fields'
        ]),
        (root(a={**STRING, "pattern": "("}), [
            's.properties[a].pattern: Invalid value: "(": must be a valid regular expression, but '
            "isn't: missing ), unterminated subpattern at position 0"
        ]),
        (root(a={**STRING, "pattern": "[[:foo:]"}), []),
        (root(a={**STRING, "pattern": "a{99999999999}"}), [
            's.properties[a].pattern: Invalid value: "a{99999999999}": must be a valid regular '
            "expression, but isn't: the repetition number is too large"
        ]),
        (root(a={**root(b=STRING), "anyOf": [{"type": "object", "properties": {"metadata": {}}}],
                 "allOf": [5, {"properties": {"b": {"minLength": 1}}}],
                 "not": {"items": {"pattern": "["}}}), [
            's.properties[a].allOf[0]: Invalid value: "integer": must be a schema object, not too '
            "deep",
            "s.properties[a].anyOf[0].properties[metadata]: Forbidden: must not be specified in a "
            "nested context",
            "s.properties[a].anyOf[0].type: Forbidden: must be empty to be structural",
            's.properties[a].not.items.pattern: Invalid value: "[": must be a valid regular '
            "expression, but isn't: unterminated character set at position 0",
        ]),
        ({"type": "object", "additionalProperties": STRING}, [
            "s.additionalProperties: Forbidden: must not be used at the root"
        ]),
        (root(a={**root(b=STRING), "additionalProperties": False}), [
            "s.properties[a].additionalProperties: Forbidden: additionalProperties and properties "
            "are mutual exclusive"
        ]),
        (root(a={"type": "object", "additionalProperties": {}}), [
            "s.properties[a].additionalProperties.type: Required value: must not be empty for "
            "specified object fields"
        ]),
    ],
)  # fmt: skip
def test_broken_schema_is_refused(schema, expected):
    assert texts(schema) == expected


def test_schema_nested_too_deep_is_refused():
    schema: JsonObject = {"type": "object"}
    for _ in range(100):
        schema = {"type": "object", "properties": {"a": schema}}
    [error] = check_structural(schema)
    assert error.detail == "must not be nested deeper than 60 levels"
