from typing import TYPE_CHECKING

import pytest
from tests.unit.apimachinery.schemas import SERVICE

from ferrolb.apimachinery.structure import remove

if TYPE_CHECKING:
    from ferrolb.model import JsonObject

PORT = 'k:{"port":80,"protocol":"TCP"}'


@pytest.mark.parametrize(
    ("paths", "left"),
    [
        ([], {"selector": {"a": "1"}, "ports": [{"port": 80, "name": "x"}], "externalIPs": ["i"]}),
        ([("f:selector",), ("f:externalIPs",), ("f:ports", PORT, "f:name")],
         {"ports": [{"port": 80}]}),
        ([("f:ports", PORT), ("f:selector",), ("f:externalIPs",)], {}),
        # What merges as one value is not taken apart.
        ([("f:selector", "f:a"), ("f:externalIPs", 'v:"i"'), ("f:ports",)],
         {"selector": {"a": "1"}, "externalIPs": ["i"]}),
    ],
)  # fmt: skip
def test_fields_are_removed(paths, left):
    spec: JsonObject = {
        "selector": {"a": "1"},
        "ports": [{"port": 80, "name": "x"}],
        "externalIPs": ["i"],
    }
    made = remove({"spec": spec, "kind": "x"}, frozenset(("f:spec", *p) for p in paths), SERVICE)
    assert made == ({"spec": left, "kind": "x"} if left else {"kind": "x"})
