"""Reading bytes that a stranger wrote."""

from ferrolb.wire.errors import TrailingBytesError, TruncatedError


class Reader:
    """A position in a piece of bytes that never leaves it; integers are big-endian.

    A read that fails raises and leaves the position where it was.
    """

    __slots__ = ("_at", "_data", "_end")

    def __init__(self, data: bytes, start: int = 0, end: int | None = None) -> None:
        """Read `data[start:end]`, which is not copied."""
        self._data = data
        self._end = len(data) if end is None else min(end, len(data))
        self._at = min(start, self._end)

    @property
    def position(self) -> int:
        """Offset of the next byte in the whole of the data, also in a nested reader."""
        return self._at

    @property
    def remaining(self) -> int:
        """How many bytes are left."""
        return self._end - self._at

    def u8(self) -> int:
        """Read one unsigned byte."""
        return self._data[self._advance(1)]

    def u16(self) -> int:
        """Read an unsigned integer of 2 bytes."""
        return self.integer(2)

    def u32(self) -> int:
        """Read an unsigned integer of 4 bytes."""
        return self.integer(4)

    def u64(self) -> int:
        """Read an unsigned integer of 8 bytes."""
        return self.integer(8)

    def integer(self, size: int, *, signed: bool = False) -> int:
        """Read an integer of `size` bytes."""
        start = self._advance(size)
        return int.from_bytes(self._data[start : self._at], "big", signed=signed)

    def take(self, size: int) -> bytes:
        """Read exactly `size` bytes."""
        start = self._advance(size)
        return self._data[start : self._at]

    def rest(self) -> bytes:
        """Read all that is left, which may be nothing."""
        return self.take(self._end - self._at)

    def skip(self, size: int) -> None:
        """Pass over exactly `size` bytes."""
        self._advance(size)

    def sub(self, size: int) -> "Reader":
        """Return a reader of the next `size` bytes only, and pass over them.

        It is the nested limit: whatever a length field says, what it governs cannot be left.
        """
        start = self._advance(size)
        return Reader(self._data, start, self._at)

    def finish(self) -> None:
        """Check that nothing is left.

        Raises:
            TrailingBytesError: something is.
        """
        if self._at != self._end:
            raise TrailingBytesError(f"{self._end - self._at} bytes too many")

    def _advance(self, size: int) -> int:
        start = self._at
        if not 0 <= size <= self._end - start:
            raise TruncatedError(f"{size} bytes wanted at {start}, {self._end - start} there")
        self._at = start + size
        return start
