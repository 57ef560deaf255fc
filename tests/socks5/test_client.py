"""The client's handshake: octets by hand from the figures of RFC 1928 and RFC 1929."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.errors import (
    AuthenticationError,
    LocalProtocolError,
    RemoteProtocolError,
)
from annotated_shadowsocks.socks5.client import ClientHandshake, Established
from annotated_shadowsocks.socks5.messages import UNSPECIFIED, Command, Reply, RequestRefused
from annotated_shadowsocks.testing.chunking import Outcome, check, run_core
from annotated_shadowsocks.wire.core import NEED_DATA

octets = bytes.fromhex

EXAMPLE = Endpoint("example.com", 443)
# [RFC1928 §3] ver nmethods methods -> ver method
GREETING, SELECTED = octets("05 01 00"), octets("05 00")
GREETING_WITH_PASSWORD, SELECTED_PASSWORD = octets("05 02 00 02"), octets("05 02")
# [RFC1929 §2] ver ulen uname plen passwd -> ver status
CREDENTIALS = octets("01 05") + b"alice" + octets("06") + b"secret"
WELCOME = octets("01 00")
# [RFC1928 §4] ver cmd rsv atyp dst_addr dst_port
CONNECT = octets("05 01 00 03 0b 6578616d706c652e636f6d 01bb")
# [RFC1928 §6] ver rep rsv atyp bnd_addr bnd_port
DONE, BOUND = octets("05 00 00 01 7f000001 1f90"), Endpoint("127.0.0.1", 8080)


def connect() -> ClientHandshake:
    return ClientHandshake(EXAMPLE)


def connect_as_alice() -> ClientHandshake:
    return ClientHandshake(EXAMPLE, auth=("alice", "secret"))


@pytest.mark.parametrize(
    ("reply", "bound"),
    [
        (DONE, BOUND),
        (octets("05 00 00 04 00000000000000000000000000000001 0001"), Endpoint("::1", 1)),
        (octets("05 00 00 03 0b 6578616d706c652e636f6d 01bb"), EXAMPLE),
        (octets("05 00 ff 01 00000000 0000"), UNSPECIFIED),
    ],
)
def test_connect(reply: bytes, bound: Endpoint) -> None:
    check(run_core(connect), SELECTED + reply, Outcome((Established(bound),), GREETING + CONNECT))


def test_user_and_password() -> None:
    wire = SELECTED_PASSWORD + WELCOME + DONE
    said = GREETING_WITH_PASSWORD + CREDENTIALS + CONNECT
    check(run_core(connect_as_alice), wire, Outcome((Established(BOUND),), said))


def test_a_server_that_asks_for_no_password_is_not_told_it() -> None:
    said = GREETING_WITH_PASSWORD + CONNECT
    check(run_core(connect_as_alice), SELECTED + DONE, Outcome((Established(BOUND),), said))


def test_udp_associate() -> None:
    said = GREETING + octets("05 03 00 01 00000000 0000")
    check(
        run_core(lambda: ClientHandshake(UNSPECIFIED, Command.UDP_ASSOCIATE)),
        SELECTED + DONE,
        Outcome((Established(BOUND),), said),
    )


def test_each_word_waits_for_its_answer() -> None:
    core = connect_as_alice()
    for heard, said in [
        (b"", GREETING_WITH_PASSWORD),
        (SELECTED_PASSWORD, CREDENTIALS),
        (WELCOME, CONNECT),
    ]:
        core.receive_data(heard)
        assert core.next_event() is NEED_DATA
        assert core.data_to_send() == said


@pytest.mark.parametrize("reply", [reply for reply in Reply if reply is not Reply.SUCCEEDED])
def test_a_refusal_is_known_at_its_second_octet(reply: Reply) -> None:
    wire = SELECTED + bytes([5, reply])
    check(run_core(connect), wire, Outcome((), GREETING + CONNECT, b"", RequestRefused))
    core = connect()
    core.receive_data(wire)
    with pytest.raises(RequestRefused) as caught:
        core.next_event()
    assert caught.value.reply is reply


@pytest.mark.parametrize(
    ("wire", "said", "error"),
    [
        (octets("04 00"), b"", RemoteProtocolError),
        (octets("05 ff"), b"", AuthenticationError),
        (octets("05 01"), b"", RemoteProtocolError),
        (octets("05 02 05 00"), CREDENTIALS, RemoteProtocolError),
        (octets("05 02 01 01"), CREDENTIALS, AuthenticationError),
        (octets("05 02 01 ff"), CREDENTIALS, AuthenticationError),
        (octets("05 00 04 00"), CONNECT, RemoteProtocolError),
        (octets("05 00 05 09"), CONNECT, RemoteProtocolError),
        (octets("05 00 05 ff"), CONNECT, RemoteProtocolError),
    ],
)
def test_refusals_and_nonsense(wire: bytes, said: bytes, error: type[RemoteProtocolError]) -> None:
    expected = Outcome((), GREETING_WITH_PASSWORD + said, b"", error)
    check(run_core(connect_as_alice), wire, expected)


def test_a_password_that_was_never_offered_is_not_asked_for() -> None:
    wire = SELECTED_PASSWORD
    check(run_core(connect), wire, Outcome((), GREETING, b"", RemoteProtocolError))


@pytest.mark.parametrize(
    ("dst", "command", "auth"),
    [
        (Endpoint("", 80), Command.CONNECT, None),
        (Endpoint("a" * 256, 80), Command.CONNECT, None),
        (EXAMPLE, Command.BIND, None),
        (EXAMPLE, Command.CONNECT, ("", "secret")),
        (EXAMPLE, Command.CONNECT, ("alice", "")),
        (EXAMPLE, Command.CONNECT, ("a" * 256, "secret")),
        (EXAMPLE, Command.CONNECT, ("alice", "é" * 128)),
    ],
)
def test_what_cannot_be_asked_is_our_fault(
    dst: Endpoint, command: Command, auth: tuple[str, str] | None
) -> None:
    with pytest.raises(LocalProtocolError):
        ClientHandshake(dst, command, auth)


@given(st.data(), st.sampled_from([SELECTED + DONE, SELECTED_PASSWORD + WELCOME + DONE]))
def test_only_our_errors_escape_and_no_cut_matters(data: st.DataObject, good: bytes) -> None:
    start = data.draw(st.integers(0, len(good)))
    end = data.draw(st.integers(start, len(good)))
    wire = good[:start] + data.draw(st.binary(max_size=20)) + good[end:]
    cut = data.draw(st.lists(st.integers(0, len(wire)), max_size=6).map(sorted))
    pieces = [wire[a:b] for a, b in zip([0, *cut], [*cut, len(wire)], strict=True)]
    eof = data.draw(st.booleans())
    run = run_core(connect_as_alice)
    assert run(pieces, eof) == run([wire], eof)
