"""Writing bytes, with lengths that are known only afterwards."""

from collections.abc import Iterator
from contextlib import contextmanager

from ferrolb.wire.errors import NoRoomError


class Writer:
    """A growing piece of bytes; integers are big-endian.

    A write that does not fit raises `NoRoomError` and writes nothing.
    """

    __slots__ = ("_buffer", "_limit")

    def __init__(self, *, limit: int | None = None) -> None:
        """Write at most `limit` bytes, say what a datagram can carry; None: any number."""
        self._buffer = bytearray()
        self._limit = limit

    def __len__(self) -> int:
        return len(self._buffer)

    def u8(self, value: int) -> None:
        """Write one unsigned byte."""
        self.integer(value, 1)

    def u16(self, value: int) -> None:
        """Write an unsigned integer of 2 bytes."""
        self.integer(value, 2)

    def u32(self, value: int) -> None:
        """Write an unsigned integer of 4 bytes."""
        self.integer(value, 4)

    def u64(self, value: int) -> None:
        """Write an unsigned integer of 8 bytes."""
        self.integer(value, 8)

    def integer(self, value: int, size: int, *, signed: bool = False) -> None:
        """Write an integer in `size` bytes."""
        self.put(_encoded(value, size, signed=signed))

    def put(self, data: bytes) -> None:
        """Write bytes as they are."""
        if self._limit is not None and len(self._buffer) + len(data) > self._limit:
            raise NoRoomError(f"{len(data)} bytes do not fit a limit of {self._limit}")
        self._buffer += data

    @contextmanager
    def prefixed(self, size: int) -> Iterator[None]:
        """Write, before all that the block writes, its length in `size` bytes.

        Blocks nest. A block that raises leaves nothing behind, not even the length.
        """
        start = len(self._buffer)
        try:
            self.put(bytes(size))
            yield
            length = _encoded(len(self._buffer) - start - size, size)
        except BaseException:
            del self._buffer[start:]
            raise
        self._buffer[start : start + size] = length

    def data(self) -> bytes:
        """Return what has been written."""
        return bytes(self._buffer)


def _encoded(value: int, size: int, *, signed: bool = False) -> bytes:
    try:
        return value.to_bytes(size, "big", signed=signed)
    except OverflowError as error:
        raise NoRoomError(f"{value} does not fit {size} bytes") from error
