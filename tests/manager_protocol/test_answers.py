"""Answers, octet by octet.

Those of the first dialect are what shadowsocks-libev 3.3.5 said (tests/interop/test_manager.py
asks it again); those of the second are what shadowsocks-rust's protocol.rs prints.
"""

import json

import pytest

from annotated_shadowsocks.manager_protocol.answers import (
    MAX_ANSWER,
    Dialect,
    Listed,
    print_done,
    print_list,
    print_refused,
    print_stat,
    print_unavailable,
)

LIBEV, RUST = Dialect.LIBEV, Dialect.RUST
ONE = Listed(8001, "abcd", "aes-256-gcm")
TWO = Listed(8002, "efgh", "aes-128-gcm")
MANY = [Listed(port, f"password of {port}", "aes-256-gcm") for port in range(1000, 3000)]


@pytest.mark.parametrize(
    ("answer", "wanted"),
    [
        (print_done(LIBEV), b"ok"),
        (print_done(RUST), b"ok\n"),
        (print_refused(LIBEV, "no password"), b"err"),
        (print_refused(RUST, "no password"), b"no password\n"),
        (print_unavailable(LIBEV, "in use"), b"port is not available"),
        (print_unavailable(RUST, "in use"), b"in use\n"),
    ],
)
def test_short_answers(answer: bytes, wanted: bytes) -> None:
    assert answer == wanted


@pytest.mark.parametrize(
    ("dialect", "entries", "wanted"),
    [
        (LIBEV, [], b"[\n]"),
        (LIBEV, [ONE], b'[\n\t{"server_port":"8001","password":"abcd","method":"aes-256-gcm"}\n]'),
        (
            LIBEV,
            [ONE, TWO],
            b'[\n\t{"server_port":"8001","password":"abcd","method":"aes-256-gcm"},'
            b'\n\t{"server_port":"8002","password":"efgh","method":"aes-128-gcm"}\n]',
        ),
        (RUST, [], b"[]\n"),
        (
            RUST,
            [ONE, Listed(8002, "efgh", "2022-blake3-aes-128-gcm", [("a", "k")])],
            b'[{"server_port":8001,"password":"abcd"},'
            b'{"server_port":8002,"password":"efgh","users":[{"name":"a","password":"k"}]}]\n',
        ),
    ],
)
def test_a_list(dialect: Dialect, entries: list[Listed], wanted: bytes) -> None:
    assert print_list(dialect, entries) == [wanted]


@pytest.mark.parametrize(
    ("dialect", "octets", "wanted"),
    [
        (LIBEV, {}, b"stat: {}"),
        (LIBEV, {8001: 0, 8002: 11370}, b'stat: {"8001":0,"8002":11370}'),
        (RUST, {8001: 11370}, b'stat: {"8001":11370}\n'),
    ],
)
def test_octets_by_port(dialect: Dialect, octets: dict[int, int], wanted: bytes) -> None:
    assert print_stat(dialect, octets) == [wanted]


def test_a_long_list_of_the_first_dialect_is_one_document_in_pieces() -> None:
    pieces = print_list(LIBEV, MANY)
    assert len(pieces) > 1
    assert max(map(len, pieces)) < MAX_ANSWER + 100
    listed = json.loads(b"".join(pieces))
    assert [int(one["server_port"]) for one in listed] == [one.port for one in MANY]


def test_a_long_list_of_the_second_dialect_is_several_documents() -> None:
    pieces = print_list(RUST, MANY)
    assert len(pieces) > 1
    listed = [one for piece in pieces for one in json.loads(piece)]
    assert [one["server_port"] for one in listed] == [one.port for one in MANY]


@pytest.mark.parametrize("dialect", Dialect)
def test_no_port_is_lost_where_octets_are_said_in_pieces(dialect: Dialect) -> None:
    wanted = dict.fromkeys(range(1, 5000), 1 << 60)
    pieces = print_stat(dialect, wanted)
    assert len(pieces) > 1
    found: dict[str, int] = {}
    for piece in pieces:
        found |= json.loads(piece.removeprefix(b"stat: "))
    assert {int(port): octets for port, octets in found.items()} == wanted


def test_a_password_with_a_quote_is_still_json() -> None:
    [answer] = print_list(LIBEV, [Listed(1, 'a"b\\é', "aes-256-gcm")])
    assert json.loads(answer)[0]["password"] == 'a"b\\é'


def test_a_repr_tells_no_password() -> None:
    assert "abcd" not in repr(ONE)
