"""Whatever is read, no reader leaves its bytes; what was written is read again."""

from hypothesis import given
from hypothesis import strategies as st

from ferrolb.wire import Reader, WireError, Writer

OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("integer"), st.integers(-2, 12)),
        st.tuples(st.just("take"), st.integers(-2, 12)),
        st.tuples(st.just("sub"), st.integers(-2, 12)),
        st.tuples(st.just("skip"), st.integers(-2, 12)),
    ),
    max_size=12,
)


@given(st.binary(max_size=40), OPERATIONS)
def test_any_reads_stay_inside(data, operations):
    reader, end = Reader(data), len(data)
    for name, size in operations:
        before = reader.position
        try:
            if name == "integer":
                assert reader.integer(size) == int.from_bytes(data[before : before + size], "big")
            elif name == "take":
                assert reader.take(size) == data[before : before + size]
            elif name == "skip":
                reader.skip(size)
            else:
                reader, end = reader.sub(size), before + size
                assert reader.position == before
                assert reader.remaining == size
                continue
        except WireError:
            assert not 0 <= size <= end - before
            assert reader.position == before
            continue
        assert reader.position == before + size <= end


@given(st.recursive(st.binary(max_size=9), lambda parts: st.lists(parts, max_size=4), max_leaves=9))
def test_nested_lengths_are_read_again(tree):
    writer = Writer()

    def write(part):
        with writer.prefixed(2):
            if isinstance(part, bytes):
                writer.u8(0)
                writer.put(part)
            else:
                writer.u8(1)
                for one in part:
                    write(one)

    def read(outer):
        reader = outer.sub(outer.u16())
        if reader.u8() == 0:
            return reader.rest()
        parts = []
        while reader.remaining:
            parts.append(read(reader))
        return parts

    write(tree)
    whole = Reader(writer.data())
    assert read(whole) == tree
    whole.finish()
