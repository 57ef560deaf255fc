"""The base of handshakes, by a toy protocol: ``hello`` is answered, a name is reported."""

from collections.abc import Generator

import pytest

from annotated_shadowsocks.errors import RemoteProtocolError, Truncated
from annotated_shadowsocks.testing.chunking import Outcome, check, run_core
from annotated_shadowsocks.wire.core import NEED_DATA, PAUSED, HandshakeCore, StreamCore


class Toy(HandshakeCore[bytes]):
    __slots__ = ()

    def _run(self) -> Generator[bytes | None, None, None]:
        self._send(b"welcome\n")
        if (yield from self._reader.read_exact(6)) != b"hello ":
            self._send(b"go away\n")
            raise RemoteProtocolError("no greeting")
        [size] = yield from self._reader.read_exact(1)
        name = yield from self._reader.read_exact(size)
        self._send(b"hi\n")
        yield name


def test_obeys_the_chunking_law() -> None:
    core: StreamCore[bytes] = Toy()  # the Protocol and the base agree
    assert core.next_event() is NEED_DATA
    check(run_core(Toy), b"hello \x03amy", Outcome((b"amy",), b"welcome\nhi\n"))
    check(run_core(Toy), b"hullo ", Outcome((), b"welcome\ngo away\n", b"", RemoteProtocolError))


def test_says_something_before_it_has_heard_anything() -> None:
    core = Toy()
    assert core.data_to_send() == b""
    assert core.next_event() is NEED_DATA
    assert core.data_to_send() == b"welcome\n"
    assert core.data_to_send() == b""


def test_pauses_behind_the_handshake_and_keeps_what_follows() -> None:
    core = Toy()
    core.receive_data(b"hello \x01arest")
    assert core.next_event() == b"a"
    assert core.next_event() is PAUSED
    core.receive_data(b" and more")
    core.receive_eof()
    assert core.next_event() is PAUSED
    assert core.unread() == b"rest and more"
    assert core.unread() == b""


def test_an_error_stays_and_its_refusal_can_still_be_sent() -> None:
    core = Toy()
    core.receive_data(b"HELLO ")
    with pytest.raises(RemoteProtocolError) as first:
        core.next_event()
    core.receive_data(b"hello \x01a" * 1000)
    core.receive_eof()
    with pytest.raises(RemoteProtocolError) as second:
        core.next_event()
    assert second.value is first.value
    assert core.data_to_send() == b"welcome\ngo away\n"
    assert core.unread() == b"", "what arrives after an error is dropped, not hoarded"


def test_truncation_stays_too() -> None:
    core = Toy()
    core.receive_eof()
    for _ in range(2):
        with pytest.raises(Truncated):
            core.next_event()


def test_waiting_reads_as_its_name() -> None:
    assert [repr(NEED_DATA), repr(PAUSED)] == ["NEED_DATA", "PAUSED"]
