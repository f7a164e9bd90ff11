import json
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ferrolb.apimachinery import ProtobufError
from ferrolb.devserver.schemas import decode_builtin_protobuf

VECTORS: Any = json.loads(
    (Path(__file__).parents[2] / "vectors/kubectl-protobuf.json").read_text(encoding="utf-8")
)
BODIES = st.sampled_from([bytes.fromhex(case["body"]) for case in VECTORS["cases"]])


def decode_or_refuse(body: bytes) -> None:
    try:
        decoded = decode_builtin_protobuf(body)
    except ProtobufError:
        return
    assert json.loads(json.dumps(decoded)) == decoded


@given(st.binary())
def test_any_bytes_decode_or_are_refused(data):
    decode_or_refuse(data)
    decode_or_refuse(b"k8s\x00" + data)


@given(BODIES, st.data())
def test_damaged_bodies_decode_or_are_refused(body, data):
    position = data.draw(st.integers(0, len(body) - 1))
    change = data.draw(st.binary(max_size=4))
    decode_or_refuse(body[:position] + change + body[position + data.draw(st.integers(0, 4)) :])


@given(BODIES, st.data())
def test_cut_bodies_decode_or_are_refused(body, data):
    decode_or_refuse(body[: data.draw(st.integers(0, len(body)))])
