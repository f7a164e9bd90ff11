import subprocess
import sys

import pytest

from ferrolb.apimachinery import (
    SchemaView,
    compile_rules,
    tolerated_rules,
    validate_resource,
    validate_status,
)
from ferrolb.model import Json, JsonObject


def rule_texts(spec, value, old=None):
    view = SchemaView.of({"type": "object", "properties": {"spec": spec}})
    rules = compile_rules(view)
    assert rules.errors == ()
    before = None if old is None else {"spec": old}
    return [str(error) for error in rules.evaluate({"spec": value}, view, before)]


def ruled(schema, rule, **more):
    return {**schema, "x-kubernetes-validations": [{"rule": rule, **more}]}


STRING: JsonObject = {"type": "string"}
INTEGER = {"type": "integer"}
LENGTHS = {
    "type": "object",
    "properties": {
        "selectors": {"type": "array", "items": STRING},
        "length": INTEGER,
        "namespace": STRING,
        "dash-ed": STRING,
        "weight": {"type": "number"},
    },
}


@pytest.mark.parametrize(
    ("schema", "value", "expected"),
    [
        (ruled(STRING, "size(self) > 2"), "abc", []),
        (
            ruled(STRING, "size(self) > 2"),
            "a",
            ['spec: Invalid value: "string": failed rule: size(self) > 2'],
        ),
        (
            ruled(STRING, "size(self) > 2", message=" too short "),
            "a",
            ['spec: Invalid value: "string": too short'],
        ),
        (
            ruled(STRING, "false", messageExpression="'not ' + self"),
            "a",
            ['spec: Invalid value: "string": not a'],
        ),
        (
            ruled(STRING, "false", message="plain", messageExpression="''"),
            "a",
            ['spec: Invalid value: "string": plain'],
        ),
        (
            ruled(STRING, "false", message="m", reason="FieldValueForbidden"),
            "a",
            ["spec: Forbidden: m"],
        ),
        (
            ruled(STRING, "false", message="m", reason="FieldValueRequired"),
            "a",
            ["spec: Required value: m"],
        ),
        (
            ruled(STRING, "false", message="m", reason="FieldValueDuplicate"),
            "a",
            ['spec: Duplicate value: "string"'],
        ),
        (
            ruled(LENGTHS, "!has(self.length)", message="m", fieldPath=".length"),
            {"length": 1},
            ['spec.length: Invalid value: "object": m'],
        ),
        (ruled(LENGTHS, "!has(self.selectors) || size(self.selectors) == 0"), {}, []),
        (ruled(LENGTHS, "self.__namespace__ == 'a'"), {"namespace": "a"}, []),
        (ruled(LENGTHS, "self.dash__dash__ed == 'a'"), {"dash-ed": "a"}, []),
        (ruled(LENGTHS, "self.weight + 0.5 == 3.5"), {"weight": 3}, []),
        (ruled(STRING, "duration(self) >= duration('1s')"), "90s", []),
        (
            ruled(STRING, "duration(self) >= duration('1s')", message="m"),
            "90",
            [
                'spec: Invalid value: "string": String to Duration conversion failed '
                "evaluating rule: m"
            ],
        ),
        (
            ruled(LENGTHS, "self.length == 1"),
            {},
            [
                'spec: Invalid value: "object": no such key: length '
                "evaluating rule: self.length == 1"
            ],
        ),
        (
            ruled({"type": "array", "items": INTEGER}, "self[3] == 1"),
            [1],
            [
                'spec: Invalid value: "array": index out of bounds: 3 '
                "evaluating rule: self[3] == 1"
            ],
        ),
        (
            ruled(INTEGER, "1 / self == 1"),
            0,
            ['spec: Invalid value: "integer": division by zero evaluating rule: 1 / self == 1'],
        ),
        (
            ruled({"x-kubernetes-int-or-string": True}, "self + 1 == 2"),
            "x",
            [
                "spec: Invalid value: \"\": 'no such overload': call arguments did not match a "
                "supported operator, function or macro signature for rule: self + 1 == 2"
            ],
        ),
        (
            {"type": "array", "items": ruled(INTEGER, "self > 1")},
            [2, 1],
            ['spec[1]: Invalid value: "integer": failed rule: self > 1'],
        ),
        (
            {"type": "object", "additionalProperties": ruled(INTEGER, "self > 1")},
            {"a": 1},
            ['spec[a]: Invalid value: "integer": failed rule: self > 1'],
        ),
        (
            ruled({"type": "object", "additionalProperties": INTEGER}, "self.all(k, self[k] > 1)"),
            {"a": 2},
            [],
        ),
        (ruled({**STRING, "nullable": True}, "false"), None, []),
        (ruled(INTEGER, "self > 0"), 2**80, [
            'spec: Invalid value: "integer": int too big to convert '
            "evaluating rule: self > 0"
        ]),
        (ruled({"type": "object", "x-kubernetes-preserve-unknown-fields": True}, "size(self) == 0"),
         {"a": 1}, []),
    ],
)  # fmt: skip
def test_rule(schema, value, expected):
    assert rule_texts(schema, value) == expected


@pytest.mark.parametrize(
    ("rule", "is_kept"),
    [
        ("isIP('10.0.0.1')", True),
        ("isIP('::ffff:1.2.3.4')", False),
        ("isIP('10.0.0.300')", False),
        ("ip('2001:db8::0') == ip('2001:db8::')", True),
        ("ip('x') == ''", False),
        ("ip('::1').family() == 6", True),
        ("isCIDR('10.0.0.0/8') && !isCIDR('10.0.0.0') && !isCIDR('10.0.0.0/33')", True),
        ("cidr('10.1.2.3/8').masked() == '10.0.0.0/8'", True),
        ("cidr('10.0.0.0/8').prefixLength() == 8", True),
        ("cidr('10.0.0.0/8').containsIP('10.9.9.9')", True),
        ("cidr('10.0.0.0/8').containsIP('11.9.9.9')", False),
        ("cidr('10.0.0.0/8').containsCIDR('10.1.0.0/16')", True),
        ("cidr('10.0.0.0/8').containsCIDR('::/0')", False),
        ("cidr('10.0.0.0/8').containsCIDR('0.0.0.0/0')", False),
        ("cidr('10') == ''", False),
        ("'abc 12'.find('[0-9]+') == '12' && 'abc'.find('[0-9]+') == ''", True),
        ("'1 22'.findAll('[0-9]+') == ['1', '22']", True),
        ("'a'.find('(') == ''", False),
        ("'a,b'.split(',').size() == 2", True),
        ("cel.bind(x, 1, x == 1)", True),
        ("math.greatest(1, 2) == 2", True),
    ],
)
def test_functions_of_the_api_server(rule, is_kept):
    assert (rule_texts(ruled(STRING, rule), "x") == []) is is_kept


IMMUTABLE = ruled(STRING, "self == oldSelf", message="Value is immutable")


def test_transition_rule_is_passed_over_on_create():
    assert rule_texts(IMMUTABLE, "a") == []


def test_transition_rule_holds_on_update():
    assert rule_texts(IMMUTABLE, "a", old="a") == []
    assert rule_texts(IMMUTABLE, "b", old="a") == [
        'spec: Invalid value: "string": Value is immutable'
    ]


def test_transition_rule_may_name_a_field_of_the_old_object():
    rule = "!has(oldSelf.length) || self.length >= oldSelf.length"
    assert rule_texts(ruled(LENGTHS, rule), {"length": 1}) == []
    assert rule_texts(ruled(LENGTHS, rule), {"length": 2}, old={"length": 1}) == []
    assert rule_texts(ruled(LENGTHS, rule), {"length": 1}, old={"length": 2}) == [
        f'spec: Invalid value: "object": failed rule: {rule}'
    ]


def test_optional_old_self_is_evaluated_on_create_too():
    once = ruled(STRING, "oldSelf.hasValue() || self == 'new'", optionalOldSelf=True)
    assert rule_texts(once, "new") == []
    assert rule_texts(once, "old") != []
    assert rule_texts(once, "other", old="old") == []
    growing = ruled(INTEGER, "self >= oldSelf.orValue(0)", optionalOldSelf=True)
    assert rule_texts(growing, 3) == []
    assert rule_texts(growing, 3, old=4) != []


def test_rule_broken_before_does_not_block_another_change():
    assert rule_texts(ruled(INTEGER, "self > 5"), 3, old=3) == []
    assert rule_texts(ruled(INTEGER, "self > 5"), 3, old=4) != []


def test_old_entry_is_found_by_key_in_lists_of_type_map_only():
    items = {
        "type": "object",
        "properties": {"name": STRING, "value": ruled(INTEGER, "self >= oldSelf")},
    }
    keyed = {
        "type": "array",
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["name"],
        "items": items,
    }
    old, new = [{"name": "a", "value": 5}], [{"name": "b"}, {"name": "a", "value": 3}]
    assert rule_texts(keyed, new, old) == [
        'spec[1].value: Invalid value: "integer": failed rule: self >= oldSelf'
    ]
    assert rule_texts({"type": "array", "items": items}, new, old) == []


def test_root_sees_its_name_and_nothing_else_of_the_metadata():
    declared: list[Json] = [
        {"rule": "self.metadata.name == 'cluster'", "message": "call it cluster"},
        {"rule": "!has(self.metadata.labels)"},
    ]
    view = SchemaView.of({"type": "object", "x-kubernetes-validations": declared})
    rules = compile_rules(view)
    metadata: JsonObject = {"name": "x", "labels": {"a": "b"}}
    assert [str(error) for error in rules.evaluate({"metadata": metadata}, view)] == [
        '<nil>: Invalid value: "object": call it cluster'
    ]
    assert rules.evaluate({"metadata": {"name": "cluster"}}, view) == []
    assert len(rules.evaluate({"metadata": 5}, view)) == 1


@pytest.mark.parametrize(
    ("rule", "field", "text"),
    [
        ({"rule": "self +"}, "rule", "Syntax error"),
        ({"rule": "selfie == 1"}, "rule", "undeclared reference to 'selfie'"),
        ({"rule": "size(self)"}, "rule", "cel expression must evaluate to a bool"),
        ({"rule": "self > 3"}, "rule", "found no matching overload"),
        ({"rule": "oldSelf +"}, "rule", "compilation failed"),
        (
            {"rule": "true", "messageExpression": "1"},
            "messageExpression",
            "messageExpression must evaluate to a string",
        ),
        ({"rule": " "}, "rule", "rule is not specified"),
        (5, "rule", "rule is not specified"),
    ],
)
def test_rule_that_does_not_compile_is_reported(rule: Json, field: str, text: str):
    spec: JsonObject = {**STRING, "x-kubernetes-validations": [rule]}
    view = SchemaView.of({"type": "object", "properties": {"spec": spec}})
    rules = compile_rules(view, "spec.schema")
    [error] = rules.errors
    assert error.field == f"spec.schema.properties[spec].x-kubernetes-validations[0].{field}"
    assert text in error.detail
    assert not rules


def test_schema_without_rules_has_none():
    view = SchemaView.of({"type": "object", "properties": {"a": {"$ref": "#/x"}}})
    rules = compile_rules(view)
    assert not rules
    assert rules.evaluate({"a": 1}, view) == []
    assert validate_resource({"a": 1}, view, rules) == []


def test_text_that_is_not_unicode_fails_the_rule():
    [text] = rule_texts(ruled(STRING, "self == 'a'"), "\ud800")
    assert text.startswith('spec: Invalid value: "string": ')
    assert text.endswith("evaluating rule: self == 'a'")


def test_rules_wait_until_types_are_right():
    view = SchemaView.of(
        {
            "type": "object",
            "properties": {"a": ruled(INTEGER, "self > 5"), "b": {**INTEGER, "minimum": 3}},
        }
    )
    rules = compile_rules(view)
    assert [str(error) for error in validate_resource({"a": 1, "b": "x"}, view, rules)] == [
        'b: Invalid value: "string": b in body must be of type integer: "string"',
        "<nil>: Invalid value: null: some validation rules were not checked because the object "
        "was invalid; correct the existing errors to complete validation",
    ]
    assert [str(error) for error in validate_resource({"a": 1, "b": 1}, view, rules)] == [
        "b: Invalid value: 1: b in body should be greater than or equal to 3",
        'a: Invalid value: "integer": failed rule: self > 5',
    ]
    assert validate_resource({"a": 6, "b": 3}, view, rules) == []


def test_library_is_loaded_by_the_first_rule_only():
    code = (
        "import sys, ferrolb.apimachinery as a\n"
        "a.compile_rules(a.SchemaView.of({'type': 'object'}))\n"
        "sys.exit('cel_expr_python' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("extra", "field", "detail"),
    [
        ({"message": " "}, "message", "must be non-empty if specified"),
        ({"message": "a\nb"}, "message", "must not contain line breaks"),
        ({"reason": "Why"}, "reason", 'supported values: "FieldValueDuplicate"'),
        ({"fieldPath": ".b"}, "fieldPath", "must be a valid path"),
        ({"fieldPath": "a"}, "fieldPath", "must be a valid path"),
        ({"fieldPath": ".a.b.c"}, "fieldPath", "must be a valid path"),
        ({"rule": "'self.c' != self.b"}, "rule", "1:17: undefined field 'b'"),
    ],
)
def test_rule_that_says_too_much_is_reported(extra, field, detail):
    schema: JsonObject = {
        "type": "object",
        "properties": {"a": STRING},
        "x-kubernetes-validations": [{"rule": "self.a.size() > 0", **extra}],
    }
    (error,) = compile_rules(SchemaView.of(schema)).errors
    assert error.field == f"openAPIV3Schema.x-kubernetes-validations[0].{field}"
    assert detail in error.detail


@pytest.mark.parametrize("path", [".a", "['a']", ".m['k']"])
def test_field_path_may_lead_into_fields_and_maps(path):
    schema: JsonObject = {
        "type": "object",
        "properties": {"a": STRING, "m": {"type": "object", "additionalProperties": STRING}},
        "x-kubernetes-validations": [{"rule": "true", "fieldPath": path}],
    }
    assert compile_rules(SchemaView.of(schema)).errors == ()


def test_rule_that_was_broken_before_is_tolerated():
    schema: JsonObject = {
        "type": "object",
        "properties": {"a": ruled(INTEGER, "self > 5"), "b": STRING},
    }
    view = SchemaView.of(schema)
    rules = compile_rules(view)
    before: JsonObject = {"a": 1}
    after: JsonObject = {"a": 1, "b": "x"}
    assert validate_resource(after, view, rules, before) == []
    (warned,) = tolerated_rules(after, view, rules, before)
    assert str(warned) == 'a: Invalid value: "integer": failed rule: self > 5'
    assert tolerated_rules({"a": 2}, view, rules, before) == []


def test_status_is_checked_apart():
    schema: JsonObject = {
        "type": "object",
        "properties": {
            "spec": {"type": "integer"},
            "status": {"type": "object", "properties": {"n": {"type": "integer"}}},
        },
    }
    view = SchemaView.of(schema)
    found = validate_status({"spec": "x", "status": {"n": "x"}}, view, compile_rules(view), {})
    assert [str(error) for error in found] == [
        'status.n: Invalid value: "string": n in body must be of type integer: "string"'
    ]
    assert validate_status({"spec": "x"}, view, compile_rules(view), {}) == []
