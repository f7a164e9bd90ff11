import pytest

from ferrolb.apimachinery import JsonPath, JsonPathError
from ferrolb.apimachinery.jsonpath import MAX_STEPS
from ferrolb.model import JsonObject

OBJECT: JsonObject = {
    "spec": {
        "addresses": ["10.0.0.0/24", "fc00::/64"],
        "a.b": 1,
        "x y": 2,
        "peers": [{"asn": 64512, "port": 179}, {"asn": 64513}],
    },
    "status": {
        "conditions": [
            {"type": "Synced", "status": "False"},
            {"type": "Ready", "status": "True"},
            "odd",
        ]
    },
}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("", [OBJECT]),
        (".spec.a", []),
        ("$.spec.addresses[0]", ["10.0.0.0/24"]),
        (".spec.addresses[-1]", ["fc00::/64"]),
        (".spec.addresses[2]", []),
        (".spec.addresses[-3]", []),
        (".spec[0]", []),
        (".spec.addresses[*]", ["10.0.0.0/24", "fc00::/64"]),
        (".spec.peers[*].port", [179]),
        (".spec.peers[1].*", [64513]),
        (".spec.addresses[0].*", []),
        (".spec.a\\.b", [1]),
        (".spec['a.b']", [1]),
        ('.spec["x y"]', [2]),
        ('.status.conditions[?(@.type=="Ready")].status', ["True"]),
        (".status.conditions[?( @.type == 'Ready' )].status", ["True"]),
        (".status.conditions[?(@.type!='Ready')].status", ["False"]),
        (".spec.peers[?(@.port)].asn", [64512]),
        (".spec.peers[?(@.asn>64512)].asn", [64513]),
        (".spec.peers[?(@.asn>=64512)].asn", [64512, 64513]),
        (".spec.peers[?(@.asn<64513)].asn", [64512]),
        (".spec.peers[?(@.asn<=64513)].port", [179]),
        (".spec.peers[?(@.asn>'a')].asn", []),
        (".spec.peers[?(@.asn==true)].asn", []),
        (".spec.addresses[?(@>'a')]", ["fc00::/64"]),
        (".spec[?(@.a)]", []),
        (".status.conditions[?(@['type']=='Ready')].status", ["True"]),
    ],
)
def test_path_finds(path, found):
    assert JsonPath.parse(path).find(OBJECT) == found


@pytest.mark.parametrize(
    "path",
    [
        "spec",
        "..name",
        ".spec.",
        ".spec[",
        ".spec[a]",
        ".spec[0:2]",
        ".spec[?(@.a==)]",
        ".spec[?(@.a==b)]",
        ".spec[?(@.a='x')]",
        ".spec[?(@..a)]",
        ".a" * (MAX_STEPS + 1),
    ],
)
def test_path_outside_the_subset_is_refused(path):
    with pytest.raises(JsonPathError, match="JSON path"):
        JsonPath.parse(path)
