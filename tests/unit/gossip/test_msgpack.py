import pytest

from ferrolb.gossip.msgpack import (
    pack_map,
    pack_raw,
    pack_signed,
    pack_unsigned,
    read_map,
    read_raw_size,
)
from ferrolb.wire import Reader, WireError

KEY = b"\xa1k"


@pytest.mark.parametrize("value", [0, 127, 128, 255, 256, 65535, 65536, 2**32 - 1])
def test_unsigned_values_come_back(value):
    assert read_map(Reader(pack_map(1) + KEY + pack_unsigned(value))) == {b"k": value}


@pytest.mark.parametrize(
    ("value", "text"),
    [(127, "7f"), (128, "d10080"), (32767, "d17fff"), (32768, "d200008000")],
)
def test_signed_fields_use_signed_types(value, text):
    assert pack_signed(value).hex() == text
    assert read_map(Reader(pack_map(1) + KEY + pack_signed(value))) == {b"k": value}


@pytest.mark.parametrize(("size", "head"), [(31, "bf"), (32, "da0020"), (65536, "db00010000")])
def test_strings_are_raw_and_never_of_the_newer_types(size, head):
    packed = pack_raw(bytes(size))
    assert packed.hex() == head + "00" * size
    assert read_map(Reader(pack_map(1) + KEY + packed)) == {b"k": bytes(size)}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("d90161", b"a"),
        ("c40161", b"a"),
        ("c5000161", b"a"),
        ("c60000000161", b"a"),
        ("ff", -1),
        ("d0ff", -1),
        ("d3ffffffffffffffff", -1),
        ("cf0000000000000001", 1),
        ("c0", None),
        ("c2", False),
        ("c3", True),
        ("ca00000000", None),
        ("cb0000000000000000", None),
        ("d400ff", None),
        ("c70100ff", None),
        ("9101", None),
        ("dc000101", None),
        ("81a16101", None),
        ("de0001a16101", None),
        ("9191919101", None),
    ],
)
def test_what_others_may_send_is_read_or_skipped(text, value):
    after = b"\xa1z\x05"
    data = b"\x82" + KEY + bytes.fromhex(text) + after
    assert read_map(Reader(data)) == {b"k": value, b"z": 5}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "c0",
        "8101" + "01",
        "81a16b",
        "81a16bdaffff00",
        "81a16b" + "91" * 5 + "01",
        "81a16bddffffffff",
        "81a16bc1",
        "de0021",
        "de0001a16b01"[:-2],
    ],
)
def test_what_is_no_map_is_refused(text):
    with pytest.raises(WireError):
        read_map(Reader(bytes.fromhex(text)))


def test_a_map_of_16_fields_has_a_longer_head():
    data = b"\xde\x00\x10" + b"".join(pack_raw(bytes([n])) + bytes([n]) for n in range(16))
    assert len(read_map(Reader(data))) == 16


@pytest.mark.parametrize("head", ["a0", "da0000", "c400"])
def test_the_size_of_the_last_string_is_read(head):
    data = b"\x82\xa1a\x00" + KEY + bytes.fromhex(head)
    assert read_raw_size(Reader(data), b"k") == 0


@pytest.mark.parametrize("text", ["82a16ba0a16100", "81a16100", "81a16b05"])
def test_the_size_of_another_field_is_none(text):
    with pytest.raises(WireError):
        read_raw_size(Reader(bytes.fromhex(text)), b"k")
