"""The server's handshake: octets by hand from the figures of RFC 1928 and RFC 1929."""

import hmac
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.errors import (
    AuthenticationError,
    LocalProtocolError,
    RemoteProtocolError,
    Truncated,
)
from annotated_shadowsocks.socks5.messages import Command, Reply
from annotated_shadowsocks.socks5.server import (
    ConnectRequested,
    ServerHandshake,
    UdpAssociateRequested,
)
from annotated_shadowsocks.testing.chunking import Outcome, Run, check, run_core
from annotated_shadowsocks.wire.address import UnknownAddressType
from annotated_shadowsocks.wire.core import NEED_DATA, PAUSED

octets = bytes.fromhex

# [RFC1928 §3] ver nmethods methods -> ver method
GREETING, SELECTED = octets("05 01 00"), octets("05 00")
GREETING_WITH_PASSWORD, SELECTED_PASSWORD = octets("05 02 00 02"), octets("05 02")
NO_METHOD = octets("05 ff")
# [RFC1929 §2] ver ulen uname plen passwd -> ver status
CREDENTIALS = octets("01 05") + b"alice" + octets("06") + b"secret"
WELCOME, GO_AWAY = octets("01 00"), octets("01 01")
# [RFC1928 §4] ver cmd rsv atyp dst_addr dst_port
CONNECT = octets("05 01 00 03 0b 6578616d706c652e636f6d 01bb")
EXAMPLE = Endpoint("example.com", 443)
# [RFC1928 §6] ver rep rsv atyp bnd_addr bnd_port
DONE, BOUND = octets("05 00 00 01 7f000001 1f90"), Endpoint("127.0.0.1", 8080)


def refusal(rep: int) -> bytes:
    return octets(f"05 {rep:02x} 00 01 00000000 0000")


def succeed(core: ServerHandshake, event: object) -> None:
    core.succeed(BOUND)


def anyone() -> ServerHandshake:
    return ServerHandshake()


def alice() -> ServerHandshake:
    return ServerHandshake({"alice": "secret", "bob": "hunter2"})


def refused(core: ServerHandshake, wire: bytes) -> bytes:
    """What the peer is told where ``wire`` is refused."""
    core.receive_data(wire)
    with pytest.raises(RemoteProtocolError):
        core.next_event()
    return core.data_to_send()


@pytest.mark.parametrize(
    ("request_octets", "event"),
    [
        ("05 01 00 01 c0000207 0050", ConnectRequested(Endpoint("192.0.2.7", 80))),
        (CONNECT.hex(), ConnectRequested(EXAMPLE)),
        (
            "05 01 00 04 20010db8000000000000000000000001 01bb",
            ConnectRequested(Endpoint("2001:db8::1", 443)),
        ),
        ("05 01 00 03 02 782e 0050", ConnectRequested(Endpoint("x.", 80))),
        ("05 03 00 01 00000000 0000", UdpAssociateRequested(Endpoint("0.0.0.0", 0))),
        # PySocks names the port that it will send from and, for the host, the name "0".
        ("05 03 00 03 01 30 d431", UdpAssociateRequested(Endpoint("0", 54321))),
        # [RFC1928 §4] RSV is zero; a client that does not clear it is served.
        ("05 01 ff 01 c0000207 0050", ConnectRequested(Endpoint("192.0.2.7", 80))),
    ],
)
def test_requests(request_octets: str, event: object) -> None:
    wire = GREETING + octets(request_octets)
    check(run_core(anyone, succeed), wire, Outcome((event,), SELECTED + DONE))


def test_user_and_password() -> None:
    wire = GREETING_WITH_PASSWORD + CREDENTIALS + CONNECT
    said = SELECTED_PASSWORD + WELCOME + DONE
    check(run_core(alice, succeed), wire, Outcome((ConnectRequested(EXAMPLE),), said))


def test_the_server_waits_for_its_owner() -> None:
    core = anyone()
    core.receive_data(GREETING)
    assert core.next_event() is NEED_DATA
    assert core.data_to_send() == SELECTED
    core.receive_data(CONNECT + b"GET /")
    assert core.next_event() == ConnectRequested(EXAMPLE)
    assert core.next_event() is PAUSED
    assert core.data_to_send() == b""
    core.succeed(BOUND)
    assert core.data_to_send() == DONE
    assert core.next_event() is PAUSED
    assert core.unread() == b"GET /"


# The greeting.


@pytest.mark.parametrize("first", [b"\x04", b"G", b"\x16", b"\x00"])
def test_a_stranger_is_told_nothing(first: bytes) -> None:
    check(run_core(anyone), first, Outcome(error=RemoteProtocolError))


@pytest.mark.parametrize(
    "methods",
    [b"", b"\x01", b"\x02", b"\xff", bytes(range(1, 256))],
    ids=["none", "GSSAPI", "password", "FF itself", "all 255 others"],
)
def test_no_acceptable_method_is_two_octets(methods: bytes) -> None:
    wire = bytes([5, len(methods)]) + methods
    check(run_core(anyone), wire, Outcome((), NO_METHOD, b"", RemoteProtocolError))


def test_nobody_gets_in_without_a_name_where_there_are_users() -> None:
    check(run_core(alice), GREETING, Outcome((), NO_METHOD, b"", RemoteProtocolError))


@pytest.mark.parametrize("methods", [bytes(range(255)), bytes(range(254, -1, -1)), b"\x00\x00"])
def test_the_method_is_found_wherever_it_stands(methods: bytes) -> None:
    wire = bytes([5, len(methods)]) + methods + CONNECT
    check(run_core(anyone, succeed), wire, Outcome((ConnectRequested(EXAMPLE),), SELECTED + DONE))


# User and password.


def credentials(name: bytes, password: bytes) -> bytes:
    return bytes([1, len(name)]) + name + bytes([len(password)]) + password


@pytest.mark.parametrize(
    ("name", "password"),
    [
        (b"alice", b"Secret"),
        (b"alice", b"secret\0"),
        (b"alice", b"hunter2"),
        (b"carol", b"secret"),
        (b"carol", b""),
        (b"", b""),
        (b"", b"secret"),
        (b"alice", b""),
        (b"\xff\xfe", b"\xff"),
        (b"a" * 255, b"\0" * 255),
    ],
)
def test_wrong_credentials(name: bytes, password: bytes) -> None:
    wire = GREETING_WITH_PASSWORD + credentials(name, password)
    said = SELECTED_PASSWORD + GO_AWAY
    check(run_core(alice), wire, Outcome((), said, b"", AuthenticationError))


@pytest.mark.parametrize(
    ("name", "password"),
    [("n" * 255, "p" * 255), ("zoë", "пароль"), ("x", ""), ("", "x"), ("\0", "\0")],
)
def test_right_credentials(name: str, password: str) -> None:
    users = {name: password, "alice": "secret"}
    wire = GREETING_WITH_PASSWORD + credentials(name.encode(), password.encode()) + CONNECT
    check(
        run_core(lambda: ServerHandshake(users), succeed),
        wire,
        Outcome((ConnectRequested(EXAMPLE),), SELECTED_PASSWORD + WELCOME + DONE),
    )


def test_no_users_let_nobody_in() -> None:
    assert refused(ServerHandshake({}), GREETING) == NO_METHOD
    wire = GREETING_WITH_PASSWORD + credentials(b"", b"")
    assert refused(ServerHandshake({}), wire) == SELECTED_PASSWORD + GO_AWAY


def test_a_password_that_has_no_utf8_form_matches_nothing() -> None:
    wire = GREETING_WITH_PASSWORD + credentials(b"x", b"\xed\xa0")
    assert refused(ServerHandshake({"x": "\ud800"}), wire) == SELECTED_PASSWORD + GO_AWAY


def test_an_unknown_version_of_the_subnegotiation() -> None:
    wire = GREETING_WITH_PASSWORD + b"\x05"
    said = SELECTED_PASSWORD + GO_AWAY
    check(run_core(alice), wire, Outcome((), said, b"", RemoteProtocolError))


@pytest.mark.parametrize("name", [b"alice", b"carol"])
def test_known_and_unknown_names_take_one_path(
    name: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared = []

    def compare(expected: bytes, given: bytes) -> bool:
        compared.append(given)
        return expected == given

    monkeypatch.setattr(hmac, "compare_digest", compare)
    assert refused(alice(), GREETING_WITH_PASSWORD + credentials(name, b"wrong")).endswith(GO_AWAY)
    assert compared == [b"wrong"]


# Refused requests.


@pytest.mark.parametrize("cmd", [0x00, 0x02, 0x04, 0xFF])
def test_bind_and_unknown_commands(cmd: int) -> None:
    wire = GREETING + bytes([5, cmd]) + CONNECT[2:]
    said = SELECTED + refusal(0x07)
    check(run_core(anyone), wire, Outcome((), said, b"", RemoteProtocolError))


@pytest.mark.parametrize(
    ("served", "asked"),
    [(Command.CONNECT, 0x03), (Command.UDP_ASSOCIATE, 0x01), (Command.BIND, 0x02)],
)
def test_commands_that_are_not_served(served: Command, asked: int) -> None:
    core = ServerHandshake(commands=(served,))
    wire = GREETING + bytes([5, asked]) + CONNECT[2:]
    assert refused(core, wire) == SELECTED + refusal(0x07)


@pytest.mark.parametrize("atyp", [0x00, 0x02, 0x05, 0x11, 0xFF])
def test_unknown_address_type(atyp: int) -> None:
    wire = GREETING + bytes([5, 1, 0, atyp])
    said = SELECTED + refusal(0x08)
    check(run_core(anyone), wire, Outcome((), said, b"", UnknownAddressType))


@pytest.mark.parametrize("name", [b"", b"exa\0mple.com", b"\xff", b"a" * 255, b"fe80::1%lo"])
def test_what_cannot_be_a_name(name: bytes) -> None:
    wire = GREETING + bytes([5, 1, 0, 3, len(name)]) + name + b"\x01\xbb"
    said = SELECTED + refusal(0x01)
    check(run_core(anyone), wire, Outcome((), said, b"", RemoteProtocolError))


def test_a_request_of_another_version() -> None:
    said = SELECTED + refusal(0x01)
    check(run_core(anyone), GREETING + b"\x04", Outcome((), said, b"", RemoteProtocolError))


def test_a_truncated_request_is_told_nothing() -> None:
    core = anyone()
    core.receive_data(GREETING + CONNECT[:-1])
    core.receive_eof()
    with pytest.raises(Truncated):
        core.next_event()
    assert core.data_to_send() == SELECTED


# The answer.


def requested() -> ServerHandshake:
    core = anyone()
    core.receive_data(GREETING + CONNECT)
    assert core.next_event() == ConnectRequested(EXAMPLE)
    assert core.data_to_send() == SELECTED
    return core


@pytest.mark.parametrize("reply", [reply for reply in Reply if reply is not Reply.SUCCEEDED])
def test_fail(reply: Reply) -> None:
    core = requested()
    core.fail(reply)
    assert core.data_to_send() == refusal(reply.value)
    assert core.next_event() is PAUSED


@pytest.mark.parametrize(
    ("bound", "reply"),
    [
        (BOUND, DONE),
        (Endpoint("::1", 1), octets("05 00 00 04 00000000000000000000000000000001 0001")),
        (EXAMPLE, octets("05 00 00 03 0b 6578616d706c652e636f6d 01bb")),
    ],
)
def test_succeed(bound: Endpoint, reply: bytes) -> None:
    core = requested()
    core.succeed(bound)
    assert core.data_to_send() == reply


def test_an_answer_that_cannot_be_sent_can_be_given_again() -> None:
    core = requested()
    with pytest.raises(LocalProtocolError):
        core.succeed(Endpoint("", 0))
    core.fail(Reply.GENERAL_SOCKS_SERVER_FAILURE)
    assert core.data_to_send() == refusal(0x01)


def test_misuse_is_our_fault() -> None:
    early = anyone()
    for core in (early, requested()):
        with pytest.raises(LocalProtocolError, match="not a way to fail"):
            core.fail(Reply.SUCCEEDED)
    with pytest.raises(LocalProtocolError, match="no request"):
        early.succeed(BOUND)
    with pytest.raises(LocalProtocolError, match="no request"):
        early.fail(Reply.HOST_UNREACHABLE)
    assert early.data_to_send() == b""

    answered = requested()
    answered.succeed(BOUND)
    with pytest.raises(LocalProtocolError, match="no request"):
        answered.fail(Reply.HOST_UNREACHABLE)
    assert answered.data_to_send() == DONE


# Whatever comes.

TRANSCRIPTS = st.sampled_from(
    [
        (None, GREETING + CONNECT),
        (None, GREETING + octets("05 03 00 01 00000000 0000")),
        ({"alice": "secret"}, GREETING_WITH_PASSWORD + CREDENTIALS + CONNECT),
    ]
)


@given(st.data(), TRANSCRIPTS)
def test_only_our_errors_escape_and_no_cut_matters(
    data: st.DataObject, transcript: tuple[Mapping[str, str] | None, bytes]
) -> None:
    users, good = transcript
    start = data.draw(st.integers(0, len(good)))
    end = data.draw(st.integers(start, len(good)))
    wire = good[:start] + data.draw(st.binary(max_size=20)) + good[end:]
    cut = data.draw(st.lists(st.integers(0, len(wire)), max_size=6).map(sorted))
    pieces = [wire[a:b] for a, b in zip([0, *cut], [*cut, len(wire)], strict=True)]
    eof = data.draw(st.booleans())
    run: Run = run_core(lambda: ServerHandshake(users), succeed)
    assert run(pieces, eof) == run([wire], eof)
