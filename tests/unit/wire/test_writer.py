import pytest

from ferrolb.wire import NoRoomError, Writer


def test_integers_are_big_endian():
    writer = Writer()
    writer.u8(0x01)
    writer.u16(0x0203)
    writer.u32(0x04050607)
    writer.u64(0x08090A0B0C0D0E0F)
    assert writer.data() == bytes(range(1, 16))
    assert len(writer) == 15


def test_signed_integers():
    writer = Writer()
    writer.integer(-2, 3, signed=True)
    assert writer.data() == b"\xff\xff\xfe"


@pytest.mark.parametrize("value", [-1, 256])
def test_an_integer_that_does_not_fit_its_field_is_refused(value):
    writer = Writer()
    with pytest.raises(NoRoomError):
        writer.u8(value)
    assert writer.data() == b""


def test_nothing_is_written_beyond_the_limit():
    writer = Writer(limit=4)
    writer.put(b"abc")
    with pytest.raises(NoRoomError):
        writer.u16(1)
    assert writer.data() == b"abc"
    writer.u8(1)
    assert writer.data() == b"abc\x01"


def test_prefixes_nest():
    writer = Writer()
    with writer.prefixed(2):
        writer.u8(7)
        with writer.prefixed(1):
            writer.put(b"abc")
    assert writer.data() == b"\x00\x05\x07\x03abc"


def test_a_block_that_fails_leaves_nothing():
    writer = Writer(limit=300)
    writer.u8(9)

    def too_long():
        with writer.prefixed(1):
            writer.put(bytes(256))

    with pytest.raises(NoRoomError):
        too_long()
    assert writer.data() == b"\x09"
