from ferrolb.apimachinery import ListType, MapType, SchemaView
from ferrolb.model import JsonObject

COMPONENTS: dict[str, JsonObject] = {
    "Spec": {
        "type": "object",
        "properties": {
            "ports": {
                "type": "array",
                "items": {"allOf": [{"$ref": "#/components/schemas/Port"}], "default": {}},
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["port", "protocol"],
                "x-kubernetes-patch-merge-key": "port",
                "x-kubernetes-patch-strategy": "merge,retainKeys",
            },
            "self": {"$ref": "#/components/schemas/Spec"},
            "loop": {"$ref": "#/components/schemas/Loop"},
            "gone": {"$ref": "#/components/schemas/Gone"},
            "any": {"type": "object"},
        },
    },
    "Port": {"type": "object", "properties": {"port": {"type": "integer"}}, "default": 1},
    "Loop": {"$ref": "#/components/schemas/Loop"},
}
ROOT: JsonObject = {
    "type": "object",
    "properties": {"spec": {"allOf": [{"$ref": "#/components/schemas/Spec"}]}},
}


def at(*path):
    view = SchemaView.of(ROOT, COMPONENTS)
    for name in path:
        child = view.items() if name == "[]" else view.property(name)
        assert child is not None
        view = child
    return view


def test_references_are_followed():
    ports = at("spec", "ports")
    assert ports.list_type is ListType.MAP
    assert ports.list_map_keys == ("port", "protocol")
    assert ports.patch_merge_key == "port"
    assert ports.patch_strategies == {"merge", "retainKeys"}
    assert at("spec", "ports", "[]", "port").type == "integer"
    assert at("spec", "self", "self", "ports") is not None


def test_keywords_beside_a_reference_win():
    assert at("spec", "ports", "[]").raw["default"] == {}


def test_nodes_below_a_reference_are_builtin():
    assert not at().is_builtin
    assert at("spec").is_builtin
    assert at("spec").component == "Spec"
    assert at("spec", "ports").is_builtin
    assert at("spec", "ports").component == ""
    assert at("spec", "any").is_open
    assert not at("spec").is_open


def test_loops_and_missing_targets_are_empty_schemas():
    assert at("spec", "loop").raw == {}
    assert at("spec", "gone").raw == {}


def test_children_are_made_once():
    view = at()
    assert view.property("spec") is view.property("spec")
    assert view.property("nothing") is None


def test_absent_keywords_have_defaults():
    view = SchemaView.of({"items": True, "additionalProperties": True, "properties": 5})
    assert view.type == ""
    assert view.items() is None
    assert view.additional() is None
    assert view.member("x") is None
    assert view.property_names() == ()
    assert view.list_type is ListType.ATOMIC
    assert view.list_map_keys == ()
    assert view.map_type is MapType.GRANULAR
    assert view.patch_merge_key is None
    assert view.patch_strategies == frozenset()
    assert not view.preserve_unknown
    assert not view.int_or_string
    assert not view.embedded_resource
    assert not view.nullable
    assert view.branches("anyOf") == ()
    assert view.negated() is None


def test_keywords_are_read():
    view = SchemaView.of(
        {
            "x-kubernetes-map-type": "atomic",
            "x-kubernetes-preserve-unknown-fields": True,
            "x-kubernetes-embedded-resource": True,
            "x-kubernetes-list-type": "unheard",
            "format": "int-or-string",
            "nullable": True,
            "additionalProperties": {"type": "string"},
            "anyOf": [{"type": "string"}, 5],
            "not": {"type": "integer"},
        }
    )
    assert view.map_type is MapType.ATOMIC
    assert view.preserve_unknown
    assert view.embedded_resource
    assert view.list_type is ListType.ATOMIC
    assert view.int_or_string
    assert view.nullable
    member = view.member("x")
    assert member is not None
    assert member.type == "string"
    assert [each.type for each in view.branches("anyOf")] == ["string"]
    negated = view.negated()
    assert negated is not None
    assert negated.type == "integer"
