import json
from pathlib import Path
from typing import Any

import pytest

from ferrolb.apimachinery import ProtobufError, UnsupportedProtobufError, decode_protobuf
from ferrolb.devserver.schemas import decode_builtin_protobuf

VECTORS: Any = json.loads(
    (Path(__file__).parents[2] / "vectors/kubectl-protobuf.json").read_text(encoding="utf-8")
)
DECODED = [case for case in VECTORS["cases"] if case["object"] is not None]
OTHERS = [case for case in VECTORS["cases"] if case["object"] is None]

KINDS = {"v1 Thing": "Thing"}
TABLES: dict[str, dict[str, list[Any]]] = {
    "Thing": {
        "1": ["text", "string", False],
        "2": ["number", "int", False],
        "3": ["flag", "bool", False],
        "4": ["pointer", "int", True],
        "5": ["names", "[]string", False],
        "6": ["labels", "map:string", False],
        "7": ["data", "map:bytes", False],
        "8": ["time", "time", False],
        "9": ["micro", "micro-time", False],
        "10": ["port", "int-or-string", False],
        "11": ["limits", "map:quantity", False],
        "12": ["raw", "json", False],
        "13": ["extra", "map:list", False],
        "14": ["inner", "@Thing", True],
        "15": ["", "@Source", True],
        "16": ["counts", "map:int", False],
    },
    "Source": {"1": ["secret", "string", False]},
}


def varint(value: int) -> bytes:
    out = bytearray()
    value &= (1 << 64) - 1
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def put(number: int, value: "int | bytes | str") -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def body_of(content: bytes, kind: str = "Thing") -> bytes:
    return b"k8s\x00" + put(1, put(1, "v1") + put(2, kind)) + put(2, content)


def thing(content: bytes) -> Any:
    decoded = decode_protobuf(body_of(content), TABLES, KINDS)
    assert decoded.pop("apiVersion") == "v1"
    assert decoded.pop("kind") == "Thing"
    return decoded


@pytest.mark.parametrize("case", DECODED, ids=lambda case: case["command"])
def test_body_of_kubectl_is_read(case):
    assert decode_builtin_protobuf(bytes.fromhex(case["body"])) == case["object"]


def test_vectors_are_all_there():
    assert len(DECODED) == 20
    assert len(OTHERS) == 1


@pytest.mark.parametrize("case", OTHERS, ids=lambda case: case["command"])
def test_other_kinds_are_refused_with_a_way_out(case):
    with pytest.raises(UnsupportedProtobufError, match=r"/v1 \w+ .* kubectl apply -f -"):
        decode_builtin_protobuf(bytes.fromhex(case["body"]))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", {}),
        (put(1, "x") + put(2, 5) + put(3, 1), {"text": "x", "number": 5, "flag": True}),
        (put(1, "") + put(2, 0) + put(3, 0), {}),
        (put(2, -1), {"number": -1}),
        (put(4, 0), {"pointer": 0}),
        (put(2, 5) + put(2, 0), {}),
        (put(5, "a") + put(5, ""), {"names": ["a", ""]}),
        (
            put(6, put(1, "a") + put(2, "b")) + put(6, put(1, "c")),
            {"labels": {"a": "b", "c": ""}},
        ),
        (put(7, put(1, "a") + put(2, b"\x00\xff")), {"data": {"a": "AP8="}}),
        (put(8, put(1, 1700000000) + put(2, 5)), {"time": "2023-11-14T22:13:20Z"}),
        (put(8, b""), {}),
        (put(8, put(1, -62135596800)), {}),
        (put(9, put(1, 1) + put(2, 2000)), {"micro": "1970-01-01T00:00:01.000002Z"}),
        (put(9, b""), {}),
        (put(10, put(1, 0) + put(2, 80)), {"port": 80}),
        (put(10, put(1, 1) + put(3, "http")), {"port": "http"}),
        (put(10, put(1, 0) + put(2, 0) + put(3, "")), {}),
        (put(11, put(1, "cpu") + put(2, put(1, "5m"))), {"limits": {"cpu": "5m"}}),
        (put(12, put(1, '{"a": [1]}')), {"raw": {"a": [1]}}),
        (put(12, b""), {}),
        (put(13, put(1, "a") + put(2, put(1, "x") + put(1, "y"))), {"extra": {"a": ["x", "y"]}}),
        (put(14, put(14, put(1, "x"))), {"inner": {"inner": {"text": "x"}}}),
        (put(15, put(1, "x")), {"secret": "x"}),
        (put(16, put(1, "a")), {"counts": {"a": 0}}),
        (put(99, "unheard of") + put(98, 5) + put(1, "x"), {"text": "x"}),
        (varint(97 << 3 | 5) + b"1234" + varint(96 << 3 | 1) + b"12345678" + put(1, "x"),
         {"text": "x"}),
    ],
)  # fmt: skip
def test_message(content, expected):
    assert thing(content) == expected


def nested(levels: int) -> bytes:
    content = b""
    for _ in range(levels):
        content = put(14, content)
    return content


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"", "does not start"),
        (b'{"kind": "Thing"}', "does not start"),
        (b"k8s\x00" + put(1, 5), "a number stands where"),
        (body_of(put(1, 5)), "a number stands where"),
        (body_of(put(2, "x")), "bytes stand where a number"),
        (body_of(put(1, b"\xff")), "not UTF-8"),
        (body_of(put(12, put(1, "{"))), "embedded JSON"),
        (body_of(put(12, put(1, "[" * 100_000))), "embedded JSON"),
        (body_of(put(8, put(1, 1 << 60))), "out of range"),
        (body_of(b"\x0a\x05a"), "ends after the end"),
        (body_of(b"\xff" * 20), "has no end"),
        (body_of(b"\x80"), "has no end"),
        (body_of(b"\x0b"), "wire type 3"),
        (body_of(nested(60)), "nested deeper than 40 levels"),
        (body_of(b"") + put(3, "gzip"), "content encoding"),
    ],
)
def test_body_that_cannot_be_read(body, text):
    with pytest.raises(ProtobufError, match=text) as caught:
        decode_protobuf(body, TABLES, KINDS)
    assert not isinstance(caught.value, UnsupportedProtobufError)
