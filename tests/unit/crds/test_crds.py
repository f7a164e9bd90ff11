"""The definitions against the field tables of the specification (section 2)."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ferrolb.crds import crd_names, crd_text, load_crds

ROOT = Path(__file__).resolve().parents[3]
CRDS: dict[str, Any] = {crd["metadata"]["name"].split(".")[0]: crd for crd in load_crds()}  # type: ignore[index, call-overload, union-attr]

KINDS = {
    "addresspools": ("AddressPool", ["v1alpha1", "v1beta1"], "v1beta1"),
    "bfdprofiles": ("BFDProfile", ["v1beta1"], "v1beta1"),
    "bgpadvertisements": ("BGPAdvertisement", ["v1beta1"], "v1beta1"),
    "bgppeers": ("BGPPeer", ["v1beta1", "v1beta2"], "v1beta2"),
    "communities": ("Community", ["v1beta1"], "v1beta1"),
    "configurationstates": ("ConfigurationState", ["v1beta1"], "v1beta1"),
    "ipaddresspools": ("IPAddressPool", ["v1beta1"], "v1beta1"),
    "l2advertisements": ("L2Advertisement", ["v1beta1"], "v1beta1"),
    "servicebgpstatuses": ("ServiceBGPStatus", ["v1beta1"], "v1beta1"),
    "servicel2statuses": ("ServiceL2Status", ["v1beta1"], "v1beta1"),
}
STRINGS = {"type": "array", "items": {"type": "string"}}
SELECTOR = {
    "type": "object",
    "x-kubernetes-map-type": "atomic",
    "properties": {
        "matchLabels": {"type": "object", "additionalProperties": {"type": "string"}},
        "matchExpressions": {
            "type": "array",
            "x-kubernetes-list-type": "atomic",
            "items": {
                "type": "object",
                "required": ["key", "operator"],
                "properties": {
                    "key": {"type": "string"},
                    "operator": {"type": "string"},
                    "values": {**STRINGS, "x-kubernetes-list-type": "atomic"},
                },
            },
        },
    },
}
SELECTORS = {"type": "array", "items": SELECTOR}
TEXT = {"type": "string"}
FLAG = {"type": "boolean"}
INT32 = {"type": "integer", "format": "int32"}
INT64 = {"type": "integer", "format": "int64"}
ASN = {**INT64, "minimum": 0, "maximum": 4294967295}
MILLISECONDS = {**INT32, "minimum": 10, "maximum": 60000}


def rule(text: str, message: str) -> dict[str, Any]:
    return {"x-kubernetes-validations": [{"rule": text, "message": message}]}


IMMUTABLE = {**TEXT, **rule("self == oldSelf", "Value is immutable")}
OLD_EXPRESSION = {
    "type": "object",
    "required": ["key", "operator", "values"],
    "properties": {"key": TEXT, "operator": TEXT, "values": {**STRINGS, "minItems": 1}},
}
OLD_SELECTOR = {
    "type": "object",
    "properties": {
        "matchLabels": {"type": "object", "additionalProperties": TEXT},
        "matchExpressions": {"type": "array", "items": OLD_EXPRESSION},
    },
}
LEGACY_FIELDS: dict[str, dict[str, Any]] = {
    "spec": {"required": ["addresses", "protocol"]},
    "spec.addresses": STRINGS,
    "spec.protocol": {**TEXT, "enum": ["layer2", "bgp"]},
    "spec.autoAssign": {**FLAG, "default": True},
    "spec.bgpAdvertisements[].aggregationLength": {**INT32, "minimum": 1, "default": 32},
    "spec.bgpAdvertisements[].aggregationLengthV6": {**INT32, "default": 128},
    "spec.bgpAdvertisements[].localPref": INT32,
    "spec.bgpAdvertisements[].communities": STRINGS,
}
FIELDS: dict[tuple[str, str], dict[str, dict[str, Any]]] = {
    ("addresspools", "v1alpha1"): LEGACY_FIELDS,
    ("addresspools", "v1beta1"): LEGACY_FIELDS,
    ("ipaddresspools", "v1beta1"): {
        "": {"required": ["spec"]},
        "spec": {"required": ["addresses"]},
        "spec.addresses": STRINGS,
        "spec.autoAssign": {**FLAG, "default": True},
        "spec.avoidBuggyIPs": {**FLAG, "default": False},
        "spec.serviceAllocation.priority": {"type": "integer"},
        "spec.serviceAllocation.namespaces": STRINGS,
        "spec.serviceAllocation.namespaceSelectors": SELECTORS,
        "spec.serviceAllocation.serviceSelectors": SELECTORS,
        "status": {"required": ["assignedIPv4", "assignedIPv6", "availableIPv4", "availableIPv6"]},
        "status.assignedIPv4": INT64,
        "status.assignedIPv6": INT64,
        "status.availableIPv4": INT64,
        "status.availableIPv6": INT64,
    },
    ("l2advertisements", "v1beta1"): {
        "spec.ipAddressPools": STRINGS,
        "spec.ipAddressPoolSelectors": SELECTORS,
        "spec.nodeSelectors": SELECTORS,
        "spec.interfaces": STRINGS,
        "spec.serviceSelectors": SELECTORS,
        "spec.preferredNodeSelectors[]": {"required": ["preference", "weight"]},
        "spec.preferredNodeSelectors[].weight": {**INT32, "minimum": 1, "maximum": 100},
        "spec.preferredNodeSelectors[].preference": SELECTOR,
    },
    ("bgpadvertisements", "v1beta1"): {
        "spec": rule(
            "!has(self.serviceSelectors) || size(self.serviceSelectors) == 0 || "
            "((!has(self.aggregationLength) || self.aggregationLength == 32) && "
            "(!has(self.aggregationLengthV6) || self.aggregationLengthV6 == 128))",
            "serviceSelectors and aggregationLength are mutually exclusive, can only be used "
            "together with default aggregationLength (32) and aggregationLengthV6 (128)",
        ),
        "spec.aggregationLength": {**INT32, "minimum": 1, "default": 32},
        "spec.aggregationLengthV6": {**INT32, "default": 128},
        "spec.localPref": INT32,
        "spec.communities": STRINGS,
        "spec.ipAddressPools": STRINGS,
        "spec.ipAddressPoolSelectors": SELECTORS,
        "spec.nodeSelectors": SELECTORS,
        "spec.peers": STRINGS,
        "spec.serviceSelectors": SELECTORS,
    },
    ("bgppeers", "v1beta2"): {
        "spec": {"required": ["myASN"]},
        "spec.myASN": ASN,
        "spec.peerASN": ASN,
        "spec.localASN": {**ASN, "minimum": 1},
        "spec.dynamicASN": {**TEXT, "enum": ["internal", "external"]},
        "spec.peerAddress": TEXT,
        "spec.interface": TEXT,
        "spec.sourceAddress": TEXT,
        "spec.peerPort": {"type": "integer", "minimum": 1, "maximum": 16384, "default": 179},
        "spec.holdTime": TEXT,
        "spec.keepaliveTime": TEXT,
        "spec.connectTime": {
            **TEXT,
            "x-kubernetes-validations": [
                {
                    "rule": "duration(self) >= duration('1s') && "
                    "duration(self).getSeconds() <= 65535",
                    "message": "connect time should be between 1 seconds to 65535",
                },
                {
                    "rule": "duration(self).getMilliseconds() % 1000 == 0",
                    "message": "connect time should contain a whole number of seconds",
                },
            ],
        },
        "spec.routerID": TEXT,
        "spec.nodeSelectors": SELECTORS,
        "spec.password": TEXT,
        "spec.passwordSecret.name": TEXT,
        "spec.passwordSecret.namespace": TEXT,
        "spec.bfdProfile": TEXT,
        "spec.enableGracefulRestart": {
            **FLAG,
            **rule("self == oldSelf", "EnableGracefulRestart cannot be changed after creation"),
        },
        "spec.ebgpMultiHop": FLAG,
        "spec.vrf": TEXT,
        "spec.disableMP": {**FLAG, "default": False},
        "spec.dualStackAddressFamily": {**FLAG, "default": False},
    },
    ("bgppeers", "v1beta1"): {
        "spec": {"required": ["myASN", "peerASN", "peerAddress"]},
        "spec.myASN": ASN,
        "spec.peerASN": ASN,
        "spec.peerAddress": TEXT,
        "spec.sourceAddress": TEXT,
        "spec.peerPort": {"type": "integer", "minimum": 0, "maximum": 16384},
        "spec.holdTime": TEXT,
        "spec.keepaliveTime": TEXT,
        "spec.routerID": TEXT,
        "spec.nodeSelectors": {"type": "array", "items": OLD_SELECTOR},
        "spec.password": TEXT,
        "spec.bfdProfile": TEXT,
        "spec.ebgpMultiHop": FLAG,
    },
    ("bfdprofiles", "v1beta1"): {
        "spec.receiveInterval": MILLISECONDS,
        "spec.transmitInterval": MILLISECONDS,
        "spec.detectMultiplier": {**INT32, "minimum": 2, "maximum": 255},
        "spec.echoInterval": MILLISECONDS,
        "spec.echoMode": FLAG,
        "spec.passiveMode": FLAG,
        "spec.minimumTtl": {**INT32, "minimum": 1, "maximum": 254},
    },
    ("communities", "v1beta1"): {
        "spec.communities[].name": TEXT,
        "spec.communities[].value": TEXT,
    },
    ("configurationstates", "v1beta1"): {
        "status.result": {**TEXT, "enum": ["Valid", "Invalid", "Unknown"]},
        "status.errorSummary": TEXT,
        "status.conditions[]": {
            "required": ["lastTransitionTime", "message", "reason", "status", "type"]
        },
        "status.conditions[].status": {**TEXT, "enum": ["True", "False", "Unknown"]},
        "status.conditions[].message": {**TEXT, "maxLength": 32768},
        "status.conditions[].lastTransitionTime": {**TEXT, "format": "date-time"},
        "status.conditions[].observedGeneration": {**INT64, "minimum": 0},
        "status.conditions[].reason": {
            "minLength": 1,
            "maxLength": 1024,
            "pattern": "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$",
        },
        "status.conditions[].type": {"maxLength": 316},
    },
    ("servicel2statuses", "v1beta1"): {
        "spec": {"type": "object"},
        "status.node": IMMUTABLE,
        "status.serviceName": IMMUTABLE,
        "status.serviceNamespace": IMMUTABLE,
        "status.interfaces[].name": TEXT,
    },
    ("servicebgpstatuses", "v1beta1"): {
        "spec": {"type": "object"},
        "status.node": IMMUTABLE,
        "status.serviceName": IMMUTABLE,
        "status.serviceNamespace": IMMUTABLE,
        "status.peers": STRINGS,
    },
}
POOL_COLUMNS = [
    ("IPAddressPools", "string", ".spec.ipAddressPools", 0),
    ("IPAddressPool Selectors", "string", ".spec.ipAddressPoolSelectors", 0),
]
NODE_COLUMN = ("Node Selectors", "string", ".spec.nodeSelectors", 10)
SERVICE_COLUMNS = [
    ("Service Name", "string", ".status.serviceName", 0),
    ("Service Namespace", "string", ".status.serviceNamespace", 0),
]
COLUMNS: dict[str, list[tuple[str, str, str, int]]] = {
    "addresspools": [],
    "communities": [],
    "ipaddresspools": [
        ("Auto Assign", "boolean", ".spec.autoAssign", 0),
        ("Avoid Buggy IPs", "boolean", ".spec.avoidBuggyIPs", 0),
        ("Addresses", "string", ".spec.addresses", 0),
    ],
    "l2advertisements": [
        *POOL_COLUMNS,
        ("Interfaces", "string", ".spec.interfaces", 0),
        NODE_COLUMN,
    ],
    "bgpadvertisements": [*POOL_COLUMNS, ("Peers", "string", ".spec.peers", 0), NODE_COLUMN],
    "bgppeers": [
        ("Address", "string", ".spec.peerAddress", 0),
        ("ASN", "string", ".spec.peerASN", 0),
        ("BFD Profile", "string", ".spec.bfdProfile", 0),
        ("Multi Hops", "string", ".spec.ebgpMultiHop", 0),
    ],
    "bfdprofiles": [
        ("Passive Mode", "boolean", ".spec.passiveMode", 0),
        ("Transmit Interval", "integer", ".spec.transmitInterval", 0),
        ("Receive Interval", "integer", ".spec.receiveInterval", 0),
        ("Multiplier", "integer", ".spec.detectMultiplier", 0),
    ],
    "configurationstates": [
        ("Result", "string", ".status.result", 0),
        ("ErrorSummary", "string", ".status.errorSummary", 0),
        ("Age", "date", ".metadata.creationTimestamp", 0),
    ],
    "servicel2statuses": [("Allocated Node", "string", ".status.node", 0), *SERVICE_COLUMNS],
    "servicebgpstatuses": [("Node", "string", ".status.node", 0), *SERVICE_COLUMNS],
}
WARNINGS = {
    ("addresspools", "v1alpha1"): "metallb.io v1alpha1 AddressPool is deprecated",
    ("addresspools", "v1beta1"): (
        "metallb.io v1beta1 AddressPool is deprecated, consider using IPAddressPool"
    ),
    ("bgppeers", "v1beta1"): "v1beta1 is deprecated, please use v1beta2",
}
VERSIONS = [(plural, version) for plural, kind in KINDS.items() for version in kind[1]]
ROWS = [
    pytest.param(plural, version, path, expected, id=f"{plural}-{version}-{path}")
    for (plural, version), rows in FIELDS.items()
    for path, expected in rows.items()
]


def version_of(plural: str, name: str) -> dict[str, Any]:
    (found,) = [one for one in CRDS[plural]["spec"]["versions"] if one["name"] == name]
    return found  # type: ignore[no-any-return]


def root_of(plural: str, version: str) -> dict[str, Any]:
    return version_of(plural, version)["schema"]["openAPIV3Schema"]  # type: ignore[no-any-return]


def child(schema: dict[str, Any], path: str) -> dict[str, Any]:
    for part in path.split(".") if path else []:
        schema = schema["properties"][part.removesuffix("[]")]
        if part.endswith("[]"):
            assert schema["type"] == "array"
            schema = schema["items"]
    return schema


def bare(schema: Any) -> Any:
    """Leave out the descriptions, which are values of type text under that key."""
    if isinstance(schema, dict):
        return {
            key: bare(value)
            for key, value in schema.items()
            if key != "description" or not isinstance(value, str)
        }
    return [bare(item) for item in schema] if isinstance(schema, list) else schema


def nodes(schema: dict[str, Any], path: str = "") -> list[tuple[str, dict[str, Any]]]:
    found = [(path, schema)]
    for name, value in schema.get("properties", {}).items():
        found += nodes(value, f"{path}.{name}".lstrip("."))
    for key, mark in (("items", "[]"), ("additionalProperties", "{}")):
        if key in schema:
            found += nodes(schema[key], path + mark)
    return found


def test_all_kinds_are_there() -> None:
    assert crd_names() == tuple(sorted(f"{plural}.metallb.io" for plural in KINDS))
    assert set(CRDS) == set(KINDS)
    assert set(FIELDS) == set(VERSIONS)


def test_an_unknown_name() -> None:
    with pytest.raises(KeyError, match="nodes"):
        crd_text("nodes")


def test_the_caller_owns_what_is_loaded() -> None:
    load_crds()[0].clear()
    assert load_crds()[0]["kind"] == "CustomResourceDefinition"


@pytest.mark.parametrize("plural", KINDS)
def test_names_and_scope(plural: str) -> None:
    kind, versions, storage = KINDS[plural]
    crd = CRDS[plural]
    assert crd["apiVersion"] == "apiextensions.k8s.io/v1"
    assert crd["metadata"] == {"name": f"{plural}.metallb.io"}
    spec = crd["spec"]
    assert spec["group"] == "metallb.io"
    assert spec["scope"] == "Namespaced"
    assert spec["names"] == {
        "kind": kind,
        "listKind": f"{kind}List",
        "plural": plural,
        "singular": kind.lower(),
    }
    assert [one["name"] for one in spec["versions"]] == versions
    assert [one["name"] for one in spec["versions"] if one["storage"]] == [storage]
    assert all(one["served"] for one in spec["versions"])
    assert all(one["subresources"] == {"status": {}} for one in spec["versions"])
    assert spec.get("conversion") == ({"strategy": "None"} if len(versions) > 1 else None)


@pytest.mark.parametrize(("plural", "version"), VERSIONS)
def test_deprecation(plural: str, version: str) -> None:
    found = version_of(plural, version)
    assert found.get("deprecationWarning") == WARNINGS.get((plural, version))
    assert found.get("deprecated", False) == ((plural, version) in WARNINGS)


@pytest.mark.parametrize(("plural", "version"), VERSIONS)
def test_printer_columns(plural: str, version: str) -> None:
    columns = version_of(plural, version).get("additionalPrinterColumns", [])
    assert [
        (one["name"], one["type"], one["jsonPath"], one.get("priority", 0)) for one in columns
    ] == COLUMNS[plural]


@pytest.mark.parametrize(("plural", "version", "path", "expected"), ROWS)
def test_field(plural: str, version: str, path: str, expected: dict[str, Any]) -> None:
    schema = bare(child(root_of(plural, version), path))
    if "properties" in schema or "required" in expected or path.endswith("type"):
        assert {key: schema.get(key) for key in expected} == expected
    elif path.endswith("reason"):
        assert schema == {**expected, "type": "string"}
    else:
        assert schema == expected


@pytest.mark.parametrize(("plural", "version"), VERSIONS)
def test_c31_no_field_beside_those_of_the_tables(plural: str, version: str) -> None:
    leaves = {
        path
        for path, schema in nodes(root_of(plural, version))
        if path.startswith(("spec", "status")) and "properties" not in schema
    }
    known = FIELDS[plural, version]
    # lists are named with or without their items, selectors as a whole
    strays = {
        path
        for path in leaves - {"spec", "status"}
        if not any(path == one or path.startswith((f"{one}.", f"{one}[")) for one in known)
    }
    listed = {path.removesuffix("[]") for path in strays}
    assert {
        path for path in listed if not any(one.startswith(f"{path}[]") for one in known)
    } == set()


@pytest.mark.parametrize(("plural", "version"), VERSIONS)
def test_every_field_is_explained(plural: str, version: str) -> None:
    for path, schema in nodes(root_of(plural, version)):
        if path != "metadata" and not path.endswith(("[]", "{}")):
            assert len(schema["description"]) >= 9, path
            assert schema["description"].endswith("."), path


@pytest.mark.parametrize(("plural", "version"), VERSIONS)
def test_schemas_are_structural(plural: str, version: str) -> None:
    allowed = {
        *("type", "description", "properties", "items", "required", "default", "enum", "format"),
        *("additionalProperties", "minimum", "maximum", "minItems", "minLength", "maxLength"),
        *("pattern", "x-kubernetes-map-type", "x-kubernetes-list-type"),
        *("x-kubernetes-list-map-keys", "x-kubernetes-validations"),
    }
    types = {"string": str, "boolean": bool, "integer": int}
    for path, schema in nodes(root_of(plural, version)):
        assert set(schema) <= allowed, path
        assert schema["type"] in {"object", "array", *types}, path
        assert set(schema.get("required", [])) <= set(schema.get("properties", {})), path
        assert ("items" in schema) == (schema["type"] == "array"), path
        assert not ("properties" in schema and "additionalProperties" in schema), path
        if "default" in schema:
            assert type(schema["default"]) is types[schema["type"]], path
            assert path.split(".")[-1] not in child(
                root_of(plural, version), path.rpartition(".")[0]
            ).get("required", []), path
        if schema.get("x-kubernetes-list-type") == "map":
            keys = schema["x-kubernetes-list-map-keys"]
            assert set(keys) <= set(schema["items"]["required"]), path
    root = root_of(plural, version)
    assert root["properties"]["metadata"] == {"type": "object"}


def test_conditions_are_keyed_by_type() -> None:
    conditions = child(root_of("configurationstates", "v1beta1"), "status")["properties"]
    assert conditions["conditions"]["x-kubernetes-list-type"] == "map"
    assert conditions["conditions"]["x-kubernetes-list-map-keys"] == ["type"]


def test_configuration_states_have_no_spec() -> None:
    assert "spec" not in root_of("configurationstates", "v1beta1")["properties"]


def test_both_versions_of_the_legacy_pool_are_one() -> None:
    assert root_of("addresspools", "v1alpha1") == root_of("addresspools", "v1beta1")


# deploy/crds


def generate(script: Path, *arguments: str) -> int:
    return subprocess.run([sys.executable, script, *arguments], check=False).returncode


def test_c31_deployed_definitions_are_those_of_the_package() -> None:
    assert generate(ROOT / "scripts" / "generate_deploy.py", "--check") == 0


def test_generating_writes_mends_and_removes(tmp_path: Path) -> None:
    script = tmp_path / "scripts" / "generate_deploy.py"
    script.parent.mkdir()
    script.write_text((ROOT / "scripts" / "generate_deploy.py").read_text())
    crds = tmp_path / "deploy" / "crds"
    assert generate(script, "--check") == 1
    assert generate(script) == 0
    assert generate(script, "--check") == 0
    assert sorted(path.name for path in crds.iterdir()) == [f"{name}.yaml" for name in crd_names()]
    (crds / "communities.metallb.io.yaml").write_text("changed")
    (crds / "another.yaml").write_text("kind: Another")
    assert generate(script, "--check") == 1
    assert generate(script) == 0
    assert generate(script, "--check") == 0
    assert not (crds / "another.yaml").exists()
