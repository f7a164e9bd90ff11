import pytest

from ferrolb.wire import Reader, TrailingBytesError, TruncatedError, WireError


def test_integers_are_big_endian():
    reader = Reader(bytes(range(1, 16)))
    assert reader.u8() == 0x01
    assert reader.u16() == 0x0203
    assert reader.u32() == 0x04050607
    assert reader.u64() == 0x08090A0B0C0D0E0F


def test_integers_of_any_size_with_and_without_sign():
    reader = Reader(b"\xff\xff\xfe\xff\xff\xfe")
    assert reader.integer(3) == 0xFFFFFE
    assert reader.integer(3, signed=True) == -2


def test_bytes_are_taken_skipped_and_counted():
    reader = Reader(b"abcdef")
    assert reader.take(2) == b"ab"
    reader.skip(1)
    assert (reader.position, reader.remaining) == (3, 3)
    assert reader.rest() == b"def"
    assert reader.rest() == b""


def test_a_failed_read_raises_and_moves_nothing():
    reader = Reader(b"abc")
    for read in (reader.u32, reader.u64, lambda: reader.take(4), lambda: reader.sub(4)):
        with pytest.raises(TruncatedError):
            read()
    with pytest.raises(TruncatedError):
        reader.skip(-1)
    assert reader.take(3) == b"abc"
    with pytest.raises(TruncatedError):
        reader.u8()


def test_a_nested_reader_cannot_leave_its_limit():
    outer = Reader(b"\x01\x02\x03\x04")
    inner = outer.sub(2)
    assert (inner.u8(), inner.position) == (1, 1)
    with pytest.raises(TruncatedError):
        inner.u16()
    assert inner.u8() == 2
    inner.finish()
    assert outer.u16() == 0x0304


def test_start_and_end_beyond_the_data_are_its_end():
    assert Reader(b"abc", 1, 99).rest() == b"bc"
    assert Reader(b"abc", 99).remaining == 0


def test_bytes_that_are_left_are_an_error():
    reader = Reader(b"ab")
    with pytest.raises(TrailingBytesError, match="2 bytes too many"):
        reader.finish()
    reader.skip(2)
    reader.finish()


def test_both_errors_are_malformed_input():
    assert issubclass(TruncatedError, WireError)
    assert issubclass(TrailingBytesError, WireError)
