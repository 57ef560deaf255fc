"""A stream reader made of generators, so that a parser is written in the order of the RFC's figure.

TCP delivers a stream: a message may arrive whole, in single octets, or glued to the next one. A
parser that keeps half-read fields in attributes pays for that in every line. Here a parser is a
generator that asks for the octets it needs::

    ver, nmethods = yield from reader.read_exact(2)
    methods = yield from reader.read_exact(nmethods)

and is suspended inside ``read_exact`` until they have come. What is left over when the parser
returns was never its own, and ``unread`` hands it on.

Rejected: callbacks per field (the order of the figure is lost) and threads (one for each peer).
"""

from collections.abc import Generator

from ..errors import Truncated

__all__ = ["StreamReader"]


class StreamReader:
    """Octets that have arrived and were not read yet."""

    __slots__ = ("_buffer", "_eof")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._eof = False

    def feed(self, data: bytes | bytearray | memoryview) -> None:
        """Append what arrived."""
        self._buffer += data

    def feed_eof(self) -> None:
        """Say that nothing more will arrive."""
        self._eof = True

    def read_exact(self, n: int) -> Generator[None, None, bytes]:
        """Take exactly ``n`` octets; suspends while fewer are here, raises ``Truncated`` at EOF."""
        while len(self._buffer) < n:
            if self._eof:
                raise Truncated(f"stream ended {n - len(self._buffer)} octets short of a field")
            yield
        data = bytes(self._buffer[:n])
        del self._buffer[:n]
        return data

    def unread(self) -> bytes:
        """Give away, once, what has arrived and was not read."""
        data = bytes(self._buffer)
        self._buffer.clear()
        return data

    def __len__(self) -> int:
        return len(self._buffer)
