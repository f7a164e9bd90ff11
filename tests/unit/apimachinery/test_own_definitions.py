"""The definitions that the server starts with are served as they are meant."""

from typing import Any, cast

import pytest

from ferrolb.apimachinery import (
    SchemaView,
    apply_defaults,
    check_structural,
    compile_rules,
    custom_resource_schema,
    decode_error,
    prune,
    validate_resource,
)
from ferrolb.crds import load_crds
from ferrolb.devserver.schemas import builtin_components, schema_for
from ferrolb.model import JsonObject

Schemas = dict[tuple[str, str], JsonObject]


def schemas() -> Schemas:
    return {
        (definition["spec"]["names"]["kind"], version["name"]): version["schema"]["openAPIV3Schema"]
        for definition in cast("list[Any]", load_crds())
        for version in definition["spec"]["versions"]
    }


SCHEMAS = schemas()


def outcome(kind: str, version: str, obj: JsonObject, old: JsonObject | None = None):
    """Return what the object becomes, its unknown fields, and its errors."""
    view = SchemaView.of(custom_resource_schema(SCHEMAS[kind, version]), builtin_components())
    rules = compile_rules(view)
    assert decode_error(obj, view) is None
    pruned, unknown = prune(obj, view)
    result = apply_defaults(pruned, view)
    return result, unknown, [str(error) for error in validate_resource(result, view, rules, old)]


@pytest.mark.parametrize("definition", load_crds(), ids=lambda each: str(each["metadata"]))
def test_definition_decodes_and_has_known_fields_only(definition):
    view = schema_for("apiextensions.k8s.io", "v1", "CustomResourceDefinition")
    assert decode_error(definition, view) is None
    assert prune(definition, view) == (definition, [])


def test_all_schemas_are_structural_and_all_rules_compile():
    assert len(SCHEMAS) >= 12
    rules = 0
    for schema in SCHEMAS.values():
        assert check_structural(schema) == []
        compiled = compile_rules(SchemaView.of(schema))
        assert compiled.errors == ()
        rules += bool(compiled)
    assert rules >= 4


def test_pool_gets_its_defaults():
    pool: JsonObject = {"metadata": {"name": "a"}, "spec": {"addresses": ["10.0.0.0/24"]}}
    result, unknown, errors = outcome("IPAddressPool", "v1beta1", pool)
    assert result["spec"] == {
        "addresses": ["10.0.0.0/24"],
        "autoAssign": True,
        "avoidBuggyIPs": False,
    }
    assert unknown == []
    assert errors == []


def test_pool_with_mistakes():
    pool: JsonObject = {
        "metadata": {"name": "a", "colour": "blue"},
        "spec": {"autoAssign": "yes", "adresses": []},
    }
    _, unknown, errors = outcome("IPAddressPool", "v1beta1", pool)
    assert unknown == ["metadata.colour", "spec.adresses"]
    assert sorted(errors) == [
        "spec.addresses: Required value",
        'spec.autoAssign: Invalid value: "string": spec.autoAssign in body must be of type '
        'boolean: "string"',
    ]


def test_legacy_pool_of_an_unknown_protocol():
    pool: JsonObject = {"spec": {"addresses": ["10.0.0.0/24"], "protocol": "l2"}}
    _, _, errors = outcome("AddressPool", "v1beta1", pool)
    assert errors == ['spec.protocol: Unsupported value: "l2": supported values: "layer2", "bgp"']


def test_advertisement_with_selectors_and_aggregation():
    spec: JsonObject = {"serviceSelectors": [{}], "aggregationLength": 24}
    _, _, errors = outcome("BGPAdvertisement", "v1beta1", {"spec": spec})
    assert errors == [
        'spec: Invalid value: "object": serviceSelectors and aggregationLength are mutually '
        "exclusive, can only be used together with default aggregationLength (32) and "
        "aggregationLengthV6 (128)"
    ]
    spec = {"serviceSelectors": [{}], "aggregationLength": 32}
    assert outcome("BGPAdvertisement", "v1beta1", {"spec": spec})[2] == []


@pytest.mark.parametrize(
    ("time", "texts"),
    [
        ("10s", []),
        ("1m30s", []),
        ("0s", ["connect time should be between 1 seconds to 65535"]),
        ("20h", ["connect time should be between 1 seconds to 65535"]),
        ("1500ms", ["connect time should contain a whole number of seconds"]),
    ],
)
def test_connect_time_of_a_peer(time, texts):
    peer: JsonObject = {"spec": {"myASN": 64512, "peerASN": 64513, "connectTime": time}}
    _, _, errors = outcome("BGPPeer", "v1beta2", peer)
    assert errors == [f'spec.connectTime: Invalid value: "string": {text}' for text in texts]


def test_graceful_restart_of_a_peer_is_immutable():
    old: JsonObject = {"spec": {"myASN": 1, "peerASN": 2, "enableGracefulRestart": True}}
    new: JsonObject = {"spec": {"myASN": 1, "peerASN": 2, "enableGracefulRestart": False}}
    assert outcome("BGPPeer", "v1beta2", new)[2] == []
    assert outcome("BGPPeer", "v1beta2", new, old)[2] == [
        'spec.enableGracefulRestart: Invalid value: "boolean": EnableGracefulRestart cannot be '
        "changed after creation"
    ]


def test_node_of_a_status_is_immutable():
    old: JsonObject = {"status": {"node": "a"}}
    new: JsonObject = {"status": {"node": "b"}}
    assert outcome("ServiceL2Status", "v1beta1", new, old)[2] == [
        'status.node: Invalid value: "string": Value is immutable'
    ]
