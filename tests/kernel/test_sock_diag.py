"""The netlink reader: against the live kernel, and against kernels that are not what they seem."""

import errno
import socket
import struct
import sys
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotated_shadowsocks.errors import ObserveError
from annotated_shadowsocks.kernel.sock_diag import SockDiag
from annotated_shadowsocks.testing.queues import StalledListener, until
from annotated_shadowsocks.wire import inet_diag
from annotated_shadowsocks.wire.inet_diag import Extension

LISTEN = 1 << inet_diag.TCP_LISTEN

# Messages of an imitation, by hand from netlink(7): nlmsg_len, type, flags, seq, pid, payload.
MULTI, INTERRUPTED = 2, 0x10
DONE, ERROR, ANSWER = 3, 2, 20


def message(type_: int, payload: bytes = b"", flags: int = MULTI, seq: int = 1) -> bytes:
    return struct.pack("=IHHII", 16 + len(payload), type_, flags, seq, 1234) + payload


def listener(port: int) -> bytes:
    """An inet_diag_msg of a listener on 0.0.0.0."""
    head = bytes([2, 10, 0, 0]) + port.to_bytes(2, "big") + bytes(2 + 32)
    return head + struct.pack("=IQ5I", 0, port, 0, 1, 8, 0, port)


class Imitation:
    """Answers each question with the next of its datagrams, as the kernel's end of the socket."""

    def __init__(self, *answers: list[bytes]) -> None:
        self.answers = list(answers)
        self.opened = 0
        self.ends: list[socket.socket] = []

    def open(self) -> socket.socket:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.opened += 1
        self.ends.append(theirs)
        for datagram in self.answers.pop(0):
            theirs.send(datagram)
        return ours

    def close(self) -> None:
        for end in self.ends:
            end.close()


@pytest.fixture
def imitate() -> Iterator[Callable[..., tuple[Imitation, SockDiag]]]:
    made: list[Imitation | SockDiag] = []

    def make(*answers: list[bytes]) -> tuple[Imitation, SockDiag]:
        imitation = Imitation(*answers)
        diag = SockDiag(imitation.open)
        made.extend((diag, imitation))
        return imitation, diag

    yield make
    for each in made:
        each.close()


Imitate = Callable[..., tuple[Imitation, SockDiag]]


# --- the kernel ---


def test_a_listener_of_known_depth() -> None:
    with StalledListener(backlog=5) as stalled, SockDiag() as diag:
        stalled.fill(3)
        (found,) = diag.sockets(inet_diag.AF_INET, LISTEN, stalled.port)
        assert (found.rqueue, found.wqueue) == (3, 5)
        assert found.local == ("127.0.0.1", stalled.port)
        assert found.state == inet_diag.TCP_LISTEN
        assert (found.inode, found.cookie) == (stalled.inode, stalled.cookie)
        assert found.attributes.keys().isdisjoint({Extension.SKMEMINFO, Extension.INFO})


def test_extensions_come_when_they_are_asked_for() -> None:
    wanted = 1 << Extension.SKMEMINFO | 1 << Extension.INFO | 1 << Extension.CONG
    with StalledListener(backlog=5) as stalled, SockDiag() as diag:
        stalled.fill(2)
        (found,) = diag.sockets(inet_diag.AF_INET, LISTEN, stalled.port, wanted)
        assert found.drops == 0
        assert found.tcp_info is not None
        assert (found.tcp_info.unacked, found.tcp_info.sacked) == stalled.queue() == (2, 5)
        name = stalled.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, 16)
        assert found.congestion == name.rstrip(b"\0").decode()


@pytest.mark.skipif(sys.platform != "linux", reason="netlink is Linux's")
@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_the_same_as_pyroute2(family: socket.AddressFamily) -> None:
    from pyroute2 import DiagSocket  # type: ignore[import-untyped]

    names = ("src", "sport", "rqueue", "wqueue", "uid", "inode", "cookie")
    host, backlog = ("127.0.0.1", 5) if family == socket.AF_INET else ("::1", 6)
    with StalledListener(backlog, host, family=family) as stalled, SockDiag() as ours:
        stalled.connect(3, host)
        until(lambda: stalled.queue() == (3, backlog))
        with DiagSocket() as theirs:
            told = [
                tuple(each[f"idiag_{name}"] for name in names)
                for each in theirs.get_sock_stats(family=family, states=LISTEN, extensions=0)
                if each["idiag_sport"] == stalled.port
            ]
        seen = [
            (*one.local, one.rqueue, one.wqueue, one.uid, one.inode, one.cookie)
            for one in ours.sockets(family, LISTEN, stalled.port)
        ]
        assert len(seen) == 1 and seen == told


@pytest.mark.parametrize("v6only", [False, True])
def test_ipv6(v6only: bool) -> None:
    with (
        StalledListener(host="::", family=socket.AF_INET6, v6only=v6only) as stalled,
        SockDiag() as diag,
    ):
        (found,) = diag.sockets(inet_diag.AF_INET6, LISTEN, stalled.port)
        assert found.local == ("::", stalled.port)
        assert found.v6only is v6only
        assert diag.sockets(inet_diag.AF_INET, LISTEN, stalled.port) == []


def test_connections_are_seen_from_both_ends() -> None:
    with StalledListener() as stalled, SockDiag() as diag:
        (client,) = stalled.connect(1)
        client.send(b"12345")
        established = 1 << inet_diag.TCP_ESTABLISHED
        (server,) = diag.sockets(inet_diag.AF_INET, established, stalled.port)
        assert server.remote == client.getsockname()
        assert server.rqueue == 5
        assert server.inode == 0


def test_many_sockets_take_many_datagrams() -> None:
    with StalledListener(backlog=600) as stalled, SockDiag() as diag:
        stalled.fill(500)
        established = 1 << inet_diag.TCP_ESTABLISHED
        wanted = 1 << Extension.INFO
        found = diag.sockets(inet_diag.AF_INET, established, stalled.port, wanted)
        assert len({each.cookie for each in found}) == len(found) == 500


def test_a_question_that_the_kernel_refuses() -> None:
    with SockDiag() as diag:
        with pytest.raises(ObserveError, match="modprobe tcp_diag") as caught:
            diag.sockets(0, LISTEN)
        assert caught.value.errno == errno.ENOENT
        assert isinstance(diag.sockets(inet_diag.AF_INET, LISTEN), list)


# --- imitations ---


def test_answers_to_other_questions_are_passed_over(imitate: Imitate) -> None:
    stale = message(ANSWER, listener(1), seq=9) + message(DONE, seq=9)
    _, diag = imitate([stale, message(ANSWER, listener(2)) + message(DONE, bytes(4))])
    assert [each.local.port for each in diag.sockets(2, LISTEN)] == [2]


def test_what_is_neither_answer_nor_end_is_passed_over(imitate: Imitate) -> None:
    _, diag = imitate([message(1) + message(99, b"news") + message(DONE)])
    assert diag.sockets(2, LISTEN) == []


@pytest.mark.parametrize("where", ["answer", "end"])
def test_an_interrupted_dump_is_asked_for_again(imitate: Imitate, where: str) -> None:
    first, end = (INTERRUPTED, 0) if where == "answer" else (0, INTERRUPTED)
    _, diag = imitate(
        [
            message(ANSWER, listener(1), MULTI | first) + message(DONE, bytes(4), MULTI | end),
            message(ANSWER, listener(2), seq=2) + message(DONE, bytes(4), seq=2),
        ]
    )
    assert [each.local.port for each in diag.sockets(2, LISTEN)] == [2]


def test_a_table_that_never_stands_still(imitate: Imitate) -> None:
    ends = [message(DONE, bytes(4), INTERRUPTED, seq) for seq in range(1, 10)]
    _, diag = imitate(ends)
    with pytest.raises(ObserveError, match="changed during each of 5 readings"):
        diag.sockets(2, LISTEN)


@pytest.mark.parametrize("type_", [DONE, ERROR])
@pytest.mark.parametrize(
    ("code", "text"),
    [
        (errno.EPERM, "a seccomp or security profile forbids it"),
        (errno.ENOENT, "modprobe tcp_diag"),
        (errno.ENOBUFS, "No buffer space available"),
    ],
)
def test_errors_in_words(imitate: Imitate, type_: int, code: int, text: str) -> None:
    answer = message(ANSWER, listener(1)) + message(type_, struct.pack("=i", -code))
    _, diag = imitate([answer])
    with pytest.raises(ObserveError, match=text) as caught:
        diag.sockets(2, LISTEN)
    assert caught.value.errno == code
    assert str(caught.value).startswith("cannot see TCP sockets: ")


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\1",
        message(ANSWER, listener(1))[:-1],
        message(ANSWER, listener(1)[:71]),
        message(ANSWER, b"\1" + listener(1)[1:]),
        message(ANSWER, listener(1) + b"\3\0\7\0"),
        message(ERROR, b"\0"),
    ],
)
def test_after_a_broken_answer_the_next_question_is_answered(
    imitate: Imitate, answer: bytes
) -> None:
    second = message(ANSWER, listener(2), seq=2) + message(DONE, bytes(4), seq=2)
    imitation, diag = imitate([answer, message(DONE)], [second])
    with pytest.raises(ObserveError, match="malformed"):
        diag.sockets(2, LISTEN)
    assert [each.local.port for each in diag.sockets(2, LISTEN)] == [2]
    assert imitation.opened == 2


def test_an_imitation_that_does_not_answer(
    imitate: Imitate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("annotated_shadowsocks.kernel.sock_diag._TIMEOUT", struct.pack("@ll", 0, 1))
    _, diag = imitate([])
    with pytest.raises(ObserveError, match="no answer to netlink within"):
        diag.sockets(2, LISTEN)


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (errno.EPROTONOSUPPORT, "this kernel has no sock_diag"),
        (errno.EAFNOSUPPORT, "this system has no netlink"),
        (errno.EMFILE, "Too many open files"),
    ],
)
def test_no_socket_to_the_kernel(code: int, text: str) -> None:
    def refuse() -> socket.socket:
        raise OSError(code, "x")

    with pytest.raises(ObserveError, match=text):
        SockDiag(refuse).sockets(2, LISTEN)


def test_an_interruption_leaves_no_half_answer(
    imitate: Imitate, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(payload: object) -> None:
        raise KeyboardInterrupt

    second = message(ANSWER, listener(2), seq=2) + message(DONE, bytes(4), seq=2)
    imitation, diag = imitate([message(ANSWER, listener(1)), message(DONE)], [second])
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(inet_diag, "decode", interrupt)
        diag.sockets(2, LISTEN)
    assert [each.local.port for each in diag.sockets(2, LISTEN)] == [2]
    assert imitation.opened == 2


WHOLE = message(ANSWER, listener(1)) + message(ANSWER, listener(2)) + message(DONE, bytes(4))
PIECES = st.binary(min_size=1, max_size=120) | st.builds(
    lambda cut, at, octet: WHOLE[:at] + bytes([octet]) + WHOLE[at + 1 : cut],
    st.integers(1, len(WHOLE)),
    st.integers(0, len(WHOLE) - 1),
    st.integers(0, 255),
)


@given(st.lists(PIECES, min_size=1, max_size=3))
def test_any_datagrams_are_an_answer_or_an_observe_error(datagrams: list[bytes]) -> None:
    imitation = Imitation([*datagrams, message(DONE)])
    with SockDiag(imitation.open) as diag:
        try:
            diag.sockets(2, LISTEN)
        except ObserveError:
            pass
    imitation.close()


@pytest.mark.skipif(
    sys.byteorder != "little", reason="the octets are those of a little-endian host"
)
def test_the_question_as_the_kernel_sees_it(imitate: Imitate) -> None:
    imitation, diag = imitate([message(DONE)])
    diag.sockets(2, LISTEN, 443)
    asked = imitation.ends[0].recv(200)
    # nlmsg_len 72, SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST | NLM_F_DUMP, seq 1, pid 0; then
    # inet_diag_req_v2: AF_INET, TCP, no extensions, states 1 << 10, sport 443
    wanted = "48000000 1400 0103 01000000 00000000  02 06 00 00 00040000  01bb" + "00" * 46
    assert asked == bytes.fromhex(wanted)
