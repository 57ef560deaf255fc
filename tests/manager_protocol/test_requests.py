"""Requests as panels send them; the forms are those that ss-manager's own parser takes."""

import json

import pytest

from annotated_shadowsocks.errors import RemoteProtocolError
from annotated_shadowsocks.manager_protocol.requests import (
    MAX_REQUEST,
    Add,
    List,
    Ping,
    Remove,
    Request,
    Stat,
    User,
    parse_request,
    print_request,
)

ADD = Add(8001, "7cd308cc059")


@pytest.mark.parametrize(
    ("datagram", "wanted"),
    [
        (b'add: {"server_port": 8001, "password":"7cd308cc059"}', ADD),
        (b'add:{"server_port":8001,"password":"7cd308cc059"}', ADD),
        (b'add {"server_port":8001,"password":"7cd308cc059"}', ADD),
        (b'add: {"server_port":"8001","password":"7cd308cc059"}\n', ADD),
        (b'add: {"server_port":"8001","password":"7cd308cc059"}\0', ADD),
        (b'add: {"server_port":8001,"password":"7cd308cc059","limit":5,"plugin":""}', ADD),
        (
            b'add: {"server_port":8001,"password":"p","method":"aes-256-gcm","mode":"udp_only"}',
            Add(8001, "p", "aes-256-gcm", "udp_only"),
        ),
        (
            b'add: {"server_port":8001,"password":"p","users":[{"name":"a","password":"k"}]}',
            Add(8001, "p", users=(User("a", "k"),)),
        ),
        (b'add: {"server_port":8001,"password":"p","users":[]}', Add(8001, "p", users=())),
        (b'remove: {"server_port":8001}', Remove(8001)),
        (b'remove: {"server_port":"8001"}', Remove(8001)),
        (b"list", List()),
        (b"list\n", List()),
        (b"  ping", Ping()),
        (b"ping:", Ping()),
        (b'stat: {"8001":11370}\0', Stat(((8001, 11370),))),
        (b"stat: {}", Stat(())),
    ],
)
def test_what_is_asked_for(datagram: bytes, wanted: Request) -> None:
    assert parse_request(datagram) == wanted


@pytest.mark.parametrize(
    "datagram",
    [b"", b"  ", b"\0", b"foo", b"pingx", b"\xff\xfe", b"ping" + b" " * MAX_REQUEST, b": {}"],
)
def test_what_is_no_request_has_no_answer(datagram: bytes) -> None:
    assert parse_request(datagram) is None


@pytest.mark.parametrize(
    ("datagram", "reason"),
    [
        (b"add", "no JSON object"),
        (b"add: foo", "no JSON object"),
        (b"add: {", "no JSON object"),
        (b'add: {"server_port":8001,"password":"p"} more', "no JSON object"),
        (b"add: {" + b'"a":[' * 5000, "no JSON object"),
        (b'add: {"server_port":' + b"1" * 5000 + b"}", "no JSON object"),
        (b'add: {"server_port":NaN,"password":"p"}', "no JSON object"),
        (b'add: {"server_port":8001}', "no password"),
        (b'add: {"server_port":8001,"password":""}', "no password"),
        (b'add: {"server_port":8001,"password":7}', "password is no text"),
        (b'add: {"server_port":8001,"password":"\\ud800"}', "password is no UTF-8"),
        (b'add: {"server_port":8001,"password":"\xff"}', "password is no UTF-8"),
        (b'add: {"password":"p"}', "no port"),
        (b'add: {"server_port":0,"password":"p"}', "no port"),
        (b'add: {"server_port":70000,"password":"p"}', "no port"),
        (b'add: {"server_port":true,"password":"p"}', "no port"),
        (b'add: {"server_port":80.0,"password":"p"}', "no port"),
        (b'add: {"server_port":"abc","password":"p"}', "no port"),
        (b'add: {"server_port":"1;reboot","password":"p"}', "no port"),
        (b'add: {"server_port":8001,"password":"p","mode":"all"}', "a mode is one of"),
        (b'add: {"server_port":8001,"password":"p","plugin":"obfs-server"}', "no plugin"),
        (b'add: {"server_port":8001,"password":"p","users":{}}', "no list of objects"),
        (b'add: {"server_port":8001,"password":"p","users":[{"name":"a"}]}', "a user without"),
        (b"remove:", "no JSON object"),
        (b"remove: {}", "no port"),
        (b'stat: {"8001":-1}', "a whole number"),
        (b'stat: {"8001":"many"}', "a whole number"),
        (b'stat: {"x":1}', "no port"),
    ],
)
def test_what_is_not_well_made_is_said(datagram: bytes, reason: str) -> None:
    with pytest.raises(RemoteProtocolError, match=reason):
        parse_request(datagram)


def test_no_error_and_no_repr_tells_a_password() -> None:
    request = parse_request(b'add: {"server_port":8001,"password":"hush","users":null}')
    assert "hush" not in repr(request)
    with pytest.raises(RemoteProtocolError) as caught:
        parse_request(b'add: {"server_port":8001,"password":"hush"')
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    ("request_", "wanted"),
    [
        (List(), b"list"),
        (Ping(), b"ping"),
        (Remove(8001), b'remove: {"server_port":8001}'),
        (ADD, b'add: {"server_port":8001,"password":"7cd308cc059"}'),
        (Stat(((8001, 5),)), b'stat: {"8001":5}'),
    ],
)
def test_how_a_request_is_said(request_: Request, wanted: bytes) -> None:
    assert print_request(request_) == wanted
    assert parse_request(wanted) == request_


def test_all_of_a_request_is_said() -> None:
    whole = Add(1, "p\n\"'$(id)é", "aes-128-gcm", "tcp_and_udp", (User("a", "k"), User("b", "l")))
    said = print_request(whole)
    assert parse_request(said) == whole
    assert json.loads(said.removeprefix(b"add: "))["users"][1] == {"name": "b", "password": "l"}
