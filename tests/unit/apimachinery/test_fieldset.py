import pytest

from ferrolb.apimachinery import ManagedFieldsError
from ferrolb.apimachinery.fieldset import (
    decode_fields,
    encode_fields,
    key_element,
    path_text,
    value_element,
)

PORT = 'k:{"port":80,"protocol":"TCP"}'


@pytest.mark.parametrize(
    ("paths", "encoded"),
    [
        ([], {}),
        ([("f:spec",)], {"f:spec": {}}),
        ([("f:spec", "f:type")], {"f:spec": {"f:type": {}}}),
        ([("f:spec",), ("f:spec", "f:type")], {"f:spec": {".": {}, "f:type": {}}}),
        (
            [("f:ports",), ("f:ports", PORT), ("f:ports", PORT, "f:port")],
            {"f:ports": {".": {}, PORT: {".": {}, "f:port": {}}}},
        ),
        ([("f:finalizers", 'v:"a"')], {"f:finalizers": {'v:"a"': {}}}),
    ],
)
def test_fields_v1_form(paths, encoded):
    assert encode_fields(frozenset(paths)) == encoded
    assert decode_fields(encoded) == frozenset(paths)


def test_keys_are_the_same_however_they_are_written():
    assert decode_fields({'k:{"protocol": "TCP", "port": 80}': {}}) == {(PORT,)}
    assert key_element({"protocol": "TCP", "port": 80}) == PORT
    assert value_element("a") == 'v:"a"'


@pytest.mark.parametrize(
    "encoded",
    [
        None,
        [],
        {"f:a": "x"},
        {"a": {}},
        {"x:a": {}},
        {"k:[1]": {}},
        {"k:{": {}},
        {"v:": {}},
    ],
)
def test_bad_fields_are_refused(encoded):
    with pytest.raises(ManagedFieldsError):
        decode_fields(encoded)


def test_endless_nesting_is_refused():
    encoded: dict[str, object] = {}
    for _ in range(300):
        encoded = {"f:a": encoded, "f:b": {}}
    with pytest.raises(ManagedFieldsError):
        decode_fields(encoded)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ((), ""),
        (("f:spec", "f:ports", PORT, "f:nodePort"), '.spec.ports[port=80,protocol="TCP"].nodePort'),
        (("f:metadata", "f:finalizers", 'v:"a"'), '.metadata.finalizers[="a"]'),
        (("f:a", "v:1", "i:2"), ".a[=1][2]"),
    ],
)
def test_path_as_messages_have_it(path, text):
    assert path_text(path) == text
