"""The generator reader: it suspends, it takes, it never takes more."""

import pytest

from annotated_shadowsocks.errors import Truncated
from annotated_shadowsocks.wire.reader import StreamReader


def test_suspends_until_the_octets_are_here() -> None:
    reader = StreamReader()
    field = reader.read_exact(3)
    assert next(field) is None
    reader.feed(b"ab")
    assert next(field) is None
    reader.feed(b"cd")
    with pytest.raises(StopIteration) as done:
        next(field)
    assert done.value.value == b"abc"
    assert reader.unread() == b"d"


def test_zero_octets_are_always_here() -> None:
    with pytest.raises(StopIteration) as done:
        next(StreamReader().read_exact(0))
    assert done.value.value == b""


def test_what_arrived_before_the_end_can_still_be_read() -> None:
    reader = StreamReader()
    reader.feed(b"ab")
    reader.feed_eof()
    with pytest.raises(StopIteration) as done:
        next(reader.read_exact(2))
    assert done.value.value == b"ab"
    with pytest.raises(Truncated, match="1 octets short"):
        next(reader.read_exact(1))


def test_eof_wakes_a_suspended_field() -> None:
    reader = StreamReader()
    field = reader.read_exact(3)
    assert next(field) is None
    reader.feed(b"a")
    reader.feed_eof()
    with pytest.raises(Truncated, match="2 octets short"):
        next(field)


def test_unread_gives_everything_once() -> None:
    reader = StreamReader()
    reader.feed(b"ab")
    reader.feed(memoryview(b"cd"))
    assert len(reader) == 4
    assert reader.unread() == b"abcd"
    assert reader.unread() == b""
    assert len(reader) == 0


def test_the_callers_buffer_is_copied() -> None:
    reader = StreamReader()
    buffer = bytearray(b"abc")
    reader.feed(memoryview(buffer))
    buffer[:] = b"xyz"
    assert reader.unread() == b"abc"
