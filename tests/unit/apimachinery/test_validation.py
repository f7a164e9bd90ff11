import pytest

from ferrolb.apimachinery import SchemaView, validate
from ferrolb.apimachinery.field_error import FieldErrorKind


def texts(spec, value, old=None):
    """What validation says of `value` as the field `spec` with that schema."""
    view = SchemaView.of({"type": "object", "properties": {"spec": spec}})
    before = None if old is None else {"spec": old}
    return [str(error) for error in validate({"spec": value}, view, before)]


INT_OR_STRING = {"anyOf": [{"type": "integer"}, {"type": "string"}]}
PORT = {"type": "integer", "minimum": 1, "maximum": 16384}
NAMES = {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"}
PORTS = {
    "type": "array",
    "x-kubernetes-list-type": "map",
    "x-kubernetes-list-map-keys": ["port", "protocol"],
    "items": {
        "type": "object",
        "properties": {"port": PORT, "protocol": {"type": "string"}, "name": {"type": "string"}},
    },
}

TABLE = [
    # types
    ({"type": "boolean"}, True, []),
    (
        {"type": "boolean"},
        "yes",
        ['spec: Invalid value: "string": spec in body must be of type boolean: "string"'],
    ),
    (
        {"type": "string"},
        None,
        ['spec: Invalid value: "null": spec in body must be of type string: "null"'],
    ),
    ({"type": "string", "nullable": True}, None, []),
    (
        {"type": "string"},
        True,
        ['spec: Invalid value: "boolean": spec in body must be of type string: "boolean"'],
    ),
    ({"type": "number"}, 3, []),
    ({"type": "integer"}, 3.0, []),
    (
        {"type": "integer"},
        3.5,
        ['spec: Invalid value: "number": spec in body must be of type integer: "number"'],
    ),
    (
        {"type": "integer", "format": "int32"},
        True,
        ['spec: Invalid value: "": spec in body must be of type int32: ""'],
    ),
    (
        {"type": "string", "format": "date-time"},
        5,
        ['spec: Invalid value: "int64": spec in body must be of type date-time: "int64"'],
    ),
    (
        {"type": "object"},
        [],
        ['spec: Invalid value: "array": spec in body must be of type object: "array"'],
    ),
    ({"x-kubernetes-int-or-string": True}, 5, []),
    ({"x-kubernetes-int-or-string": True}, "5", []),
    (
        {"x-kubernetes-int-or-string": True},
        {},
        ['spec: Invalid value: "object": spec in body must be of type integer,string: "object"'],
    ),
    ({}, {"a": [1]}, []),
    # strings
    ({"type": "string", "maxLength": 2}, "abc", ["spec: Too long: may not be more than 2 bytes"]),
    ({"type": "string", "maxLength": 1}, "ab", ["spec: Too long: may not be more than 1 byte"]),
    (
        {"type": "string", "minLength": 1},
        "",
        ['spec: Invalid value: "": spec in body should be at least 1 chars long'],
    ),
    ({"type": "string", "pattern": "^a+$"}, "aa", []),
    (
        {"type": "string", "pattern": "^a+$"},
        "aa\n",
        ["spec: Invalid value: \"aa\\n\": spec in body should match '^a+$'"],
    ),
    ({"type": "string", "pattern": "("}, "x", []),
    ({"type": "string", "format": "ipv4"}, "10.0.0.1", []),
    (
        {"type": "string", "format": "ipv4"},
        "10.0.0.256",
        ['spec: Invalid value: "10.0.0.256": spec in body must be of type ipv4: "10.0.0.256"'],
    ),
    # numbers
    (PORT, 1, []),
    (PORT, 0, ["spec: Invalid value: 0: spec in body should be greater than or equal to 1"]),
    (
        PORT,
        20000,
        ["spec: Invalid value: 20000: spec in body should be less than or equal to 16384"],
    ),
    (
        {"type": "integer", "minimum": 0, "exclusiveMinimum": True},
        0,
        ["spec: Invalid value: 0: spec in body should be greater than 0"],
    ),
    (
        {"type": "number", "maximum": 1.5, "exclusiveMaximum": True},
        1.5,
        ["spec: Invalid value: 1.5: spec in body should be less than 1.5"],
    ),
    ({"type": "number", "maximum": 1.5, "exclusiveMaximum": True}, 1.25, []),
    (
        {"type": "integer", "multipleOf": 4},
        6,
        ["spec: Invalid value: 6: spec in body should be a multiple of 4"],
    ),
    ({"type": "integer", "multipleOf": 0}, 6, []),
    ({"type": "integer", "maximum": True}, 6, []),
    # enumerations
    ({"type": "string", "enum": ["layer2", "bgp"]}, "bgp", []),
    (
        {"type": "string", "enum": ["layer2", "bgp"]},
        "l2",
        ['spec: Unsupported value: "l2": supported values: "layer2", "bgp"'],
    ),
    (
        {"type": "integer", "enum": [1, 2]},
        3,
        ['spec: Unsupported value: 3: supported values: "1", "2"'],
    ),
    ({"enum": [1, 2]}, True, ['spec: Unsupported value: true: supported values: "1", "2"']),
    # lists
    (
        {"type": "array", "minItems": 1},
        [],
        ["spec: Invalid value: 0: spec in body should have at least 1 items"],
    ),
    ({"type": "array", "maxItems": 1}, [1, 2], ["spec: Too many: 2: must have at most 1 item"]),
    (
        {"type": "array", "uniqueItems": True},
        [{"a": 1}, {"a": 1}],
        ['spec: Invalid value: "": spec in body shouldn\'t contain duplicates'],
    ),
    (
        {"type": "array", "items": PORT},
        [1, "x"],
        ['spec[1]: Invalid value: "string": spec[1] in body must be of type integer: "string"'],
    ),
    (NAMES, ["a", "b", "a", "a"], ['spec[2]: Duplicate value: "a"']),
    (
        PORTS,
        [{"port": 1, "protocol": "TCP"}, {"port": 1}, {"port": 1, "protocol": "TCP"}],
        ['spec[2]: Duplicate value: {"port":1,"protocol":"TCP"}'],
    ),
    (
        PORTS,
        [{"port": 1}, None],
        ['spec[1]: Invalid value: "null": spec[1] in body must be of type object: "null"'],
    ),
    (
        {**PORTS, "items": {}},
        [5],
        ["spec[0]: Invalid value: 5: must be an object for an array of list-type map"],
    ),
    # objects
    (
        {"type": "object", "required": ["addresses"], "properties": {"addresses": {}}},
        {},
        ["spec.addresses: Required value"],
    ),
    ({"type": "object", "required": [5]}, {}, []),
    (
        {"type": "object", "minProperties": 1},
        {},
        ["spec: Invalid value: 0: spec in body should have at least 1 properties"],
    ),
    (
        {"type": "object", "maxProperties": 1},
        {"a": 1, "b": 2},
        ["spec: Too many: 2: must have at most 1 item"],
    ),
    (
        {"type": "object", "additionalProperties": {"type": "string"}},
        {"a": "x", "b": 5},
        ['spec.b: Invalid value: "integer": spec.b in body must be of type string: "integer"'],
    ),
    # junctors
    (INT_OR_STRING, 5, []),
    (
        INT_OR_STRING,
        True,
        [
            '<nil>: Invalid value: "": "spec" must validate at least one schema (anyOf)',
            'spec: Invalid value: "boolean": spec in body must be of type integer: "boolean"',
        ],
    ),
    ({"oneOf": [{"required": ["a"]}, {"required": ["b"]}]}, {"a": 1}, []),
    (
        {"oneOf": [{"required": ["a"]}, {"required": ["b"]}]},
        {"a": 1, "b": 1},
        [
            '<nil>: Invalid value: "": "spec" must validate one and only one schema (oneOf). '
            "Found 2 valid alternatives"
        ],
    ),
    (
        {"oneOf": [{"required": ["a"]}, {"required": ["b"]}]},
        {},
        [
            '<nil>: Invalid value: "": "spec" must validate one and only one schema (oneOf). '
            "Found none valid",
            "spec.a: Required value",
        ],
    ),
    ({"allOf": [{"minimum": 1}, {"maximum": 3}]}, 2, []),
    (
        {"allOf": [{"minimum": 1}, {"maximum": 3}]},
        4,
        [
            "spec: Invalid value: 4: spec in body should be less than or equal to 3",
            '<nil>: Invalid value: "": "spec" must validate all the schemas (allOf)',
        ],
    ),
    (
        {"allOf": [{"minimum": 5}]},
        4,
        [
            "spec: Invalid value: 4: spec in body should be greater than or equal to 5",
            '<nil>: Invalid value: "": "spec" must validate all the schemas (allOf). '
            "None validated",
        ],
    ),
    ({"not": {"required": ["a"]}}, {}, []),
    (
        {"not": {"required": ["a"]}},
        {"a": 1},
        ['<nil>: Invalid value: "": "spec" must not validate the schema (not)'],
    ),
]


@pytest.mark.parametrize(("spec", "value", "expected"), TABLE)
def test_value_against_keyword(spec, value, expected):
    assert texts(spec, value) == expected


def test_unchanged_value_passes_an_update():
    assert texts(PORT, 0, old=0) == []
    assert texts(PORT, 0, old=1) != []
    assert texts(NAMES, ["a", "a"], old=["a", "a"]) == []
    assert texts(PORT, True, old=1) != []


def test_unchanged_entry_of_a_list_of_type_map_passes_an_update():
    old = [{"port": 20000, "protocol": "TCP"}]
    new = [{"port": 1, "protocol": "TCP"}, {"port": 20000, "protocol": "TCP"}]
    assert texts(PORTS, new, old) == []
    changed = [{"port": 20000, "protocol": "TCP", "name": "web"}]
    assert texts(PORTS, changed, old) == []
    assert texts({**PORTS, "x-kubernetes-list-type": "atomic"}, new, old) == [
        "spec[1].port: Invalid value: 20000: spec[1].port in body should be less than or equal "
        "to 16384"
    ]


def test_new_field_of_an_update_is_checked():
    schema = {"type": "object", "properties": {"a": PORT, "b": PORT}}
    assert texts(schema, {"a": 0, "b": 0}, {"a": 0}) == [
        "spec.b: Invalid value: 0: spec.b in body should be greater than or equal to 1"
    ]


def test_error_names_the_cause_for_a_status():
    view = SchemaView.of({"type": "object", "required": ["spec"]})
    [error] = validate({}, view)
    assert error.kind is FieldErrorKind.REQUIRED
    assert error.cause == {
        "reason": "FieldValueRequired",
        "message": "Required value",
        "field": "spec",
    }


@pytest.mark.parametrize("value", [2**63, -(2**63) - 1])
def test_numbers_beyond_all_integers_are_none(value):
    (error,) = validate({"a": value}, SchemaView.of({"properties": {"a": {"type": "integer"}}}))
    assert str(error) == ('a: Invalid value: "number": a in body must be of type integer: "number"')
