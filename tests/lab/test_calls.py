"""System calls: what reaches the stage, and what is refused before it does."""

import pytest

from annotated_shadowsocks.lab.calls import Calls
from annotated_shadowsocks.lab.model_stage import ModelStage
from annotated_shadowsocks.lab.verdict import Differs, Refused
from annotated_shadowsocks.scripts.parser import parse
from annotated_shadowsocks.scripts.statements import Call

LISTENER = [
    "socket(..., SOCK_STREAM, IPPROTO_TCP) = 3",
    "bind(3, ..., ...) = 0",
    "listen(3, 7) = 0",
]


def make(*lines: str) -> tuple[Calls, ModelStage]:
    stage = ModelStage()
    calls = Calls(stage)
    for line in lines:
        (statement,) = parse(line).statements
        assert isinstance(statement.body, Call)
        calls.make(statement.body)
    return calls, stage


def test_a_listener() -> None:
    calls, stage = make(*LISTENER)
    assert calls.listening == [3]
    assert stage.queues(3).accept_limit == 7


def test_options_before_and_after_bind() -> None:
    make(
        LISTENER[0],
        "setsockopt(3, SOL_SOCKET, SO_REUSEADDR, [1], 4) = 0",
        "setsockopt(3, SOL_SOCKET, SO_REUSEPORT, [1], 4) = 0",
        "setsockopt(3, IPPROTO_TCP, TCP_SYNCNT, [3], 4) = 0",
        "setsockopt(3, IPPROTO_TCP, TCP_SYNCNT, [0], 4) = -1 EINVAL",
        *LISTENER[1:],
        "getsockopt(3, IPPROTO_TCP, TCP_SYNCNT, [3], [4]) = 0",
        "setsockopt(3, IPPROTO_TCP, TCP_DEFER_ACCEPT, [4], 4) = 0",
        "getsockopt(3, IPPROTO_TCP, TCP_DEFER_ACCEPT, [7], [4]) = 0",
        "fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK) = 0",
        "fcntl(3, F_GETFL) = 0x802",
    )


def test_errors_are_results() -> None:
    make(
        *LISTENER,
        "accept(3, ..., ...) = -1 EAGAIN",
        "socket(..., SOCK_STREAM, IPPROTO_TCP) = 4",
        "bind(4, ..., ...) = -1 EADDRINUSE",
        "shutdown(3, SHUT_RD) = 0",
        "shutdown(3, SHUT_RDWR) = -1 ENOTCONN",
        "accept(3, ..., ...) = -1 EINVAL",
        "close(3) = 0",
        "close(3) = -1 EBADF",
        "read(4, ..., 10) = -1 ENOTCONN",
    )


def test_sockets_without_a_number_take_the_lowest() -> None:
    calls, _ = make("socket(..., SOCK_STREAM, 0)", "socket(..., SOCK_STREAM, 0)", "close(3)")
    again = parse("socket(..., SOCK_STREAM, 0) = 3").statements[0].body
    assert isinstance(again, Call)
    calls.make(again)


def test_closing_ends_listening() -> None:
    calls, _ = make(*LISTENER, "close(3) = 0")
    assert calls.listening == []


@pytest.mark.parametrize(
    ("line", "expected", "got"),
    [
        ("listen(3, 1) = 5", "5", "0"),
        ("listen(3, 1) = -1 EINVAL", "-1 EINVAL", "0"),
        ("accept(3, ..., ...)", "no error", "-1 EAGAIN"),
        ("getsockopt(3, IPPROTO_TCP, TCP_FASTOPEN, [9], [4]) = 0", "TCP_FASTOPEN [9]", "[0]"),
    ],
)
def test_differences(line: str, expected: str, got: str) -> None:
    with pytest.raises(Differs) as caught:
        make(*LISTENER, line)
    assert (caught.value.expected, caught.value.got) == (expected, got)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("listen(3) = 0", r"listen\(\) needs 2 arguments"),
        ("listen(3, x) = 0", r"argument 2 of listen\(\) has to be a number"),
        ("listen(3, 4294967296) = 0", "listen's backlog is an int"),
        ("shutdown(3, 2) = 0", r"argument 2 of shutdown\(\) has to be a word"),
        ("shutdown(3, SHUT) = 0", r"shutdown\(\) has SHUT_RD, SHUT_WR, SHUT_RDWR"),
        ("setsockopt(3, SOL_SOCKET, SO_LINGER, [1], 4)", "the option SO_LINGER is not run"),
        ("setsockopt(3, IPPROTO_TCP, TCP_SYNCNT, [1, 2], 4)", "has to be a number in brackets"),
        ("setsockopt(3, IPPROTO_TCP, TCP_SYNCNT, [4294967296], 4)", "is an int"),
        ("getsockopt(3, SOL_SOCKET, SO_ERROR, [0], [4])", "the option SO_ERROR is not read"),
        ("read(3, ..., 99999999)", "99999999 octets: write 0 to 1048576"),
        ("recvmsg(3) = 0", r"recvmsg\(\) is not run"),
    ],
)
def test_refusals(line: str, reason: str) -> None:
    with pytest.raises(Refused, match=reason):
        make(*LISTENER, line)
