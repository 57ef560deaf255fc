import json
from collections.abc import Mapping

import pytest

from annotated_shadowsocks.config.links import links
from annotated_shadowsocks.config.reader import read
from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.errors import ConfigError
from annotated_shadowsocks.shadowsocks.uri import ServerUri

ONE = {"server": "h", "password": "p", "method": "aes-256-gcm"}


def found(document: object, environment: Mapping[str, str] | None = None) -> list[ServerUri]:
    return links(read(json.dumps(document), "c.json"), environment or {}, lambda path: path)


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        ({}, ServerUri("aes-256-gcm", "p", Endpoint("h", 8388))),
        ({"remarks": "a b"}, ServerUri("aes-256-gcm", "p", Endpoint("h", 8388), "", "a b")),
        (
            {"password_file": "q", "password": None},
            ServerUri("aes-256-gcm", "q", Endpoint("h", 8388)),
        ),
        # A URL says what a peer can do, which is more than this program can.
        (
            {"method": "2022-blake3-aes-256-gcm"},
            ServerUri("2022-blake3-aes-256-gcm", "p", Endpoint("h", 8388)),
        ),
        (
            {"plugin": "obfs-local"},
            ServerUri("aes-256-gcm", "p", Endpoint("h", 8388), "obfs-local"),
        ),
        (
            {"plugin": "obfs-local", "plugin_opts": "obfs=http"},
            ServerUri("aes-256-gcm", "p", Endpoint("h", 8388), "obfs-local;obfs=http"),
        ),
        ({"plugin": "", "plugin_opts": ""}, ServerUri("aes-256-gcm", "p", Endpoint("h", 8388))),
    ],
)
def test_a_server_as_a_link(change: dict[str, object], wanted: ServerUri) -> None:
    assert found(ONE | change) == [wanted]


def test_every_server_is_a_link() -> None:
    document = ONE | {"port_password": {"1": "a", "2": "${PW}"}, "servers": [{"server": "b"}]}
    assert [(str(one.endpoint), one.password) for one in found(document, {"PW": "x"})] == [
        ("h:1", "a"),
        ("h:2", "x"),
        ("b:8388", "p"),
    ]


USERS = [{"name": "anna", "password": "a"}, {"name": "bob", "password": "${BOB}"}]


def test_each_user_has_a_link_with_what_opens_its_own_streams() -> None:
    chained = ONE | {"method": "2022-blake3-aes-128-gcm", "users": USERS, "remarks": "home"}
    assert [(one.tag, one.password) for one in found(chained, {"BOB": "b"})] == [
        ("home anna", "p:a"),
        ("home bob", "p:b"),
    ]
    alone = {"server": "h", "method": "aes-256-gcm", "users": USERS}
    assert [(one.tag, one.password) for one in found(alone, {"BOB": "b"})] == [
        ("anna", "a"),
        ("bob", "b"),
    ]


@pytest.mark.parametrize(
    ("document", "line"),
    [
        ({}, 'c.json: no server is configured; add "server"'),
        (ONE | {"method": None}, 'c.json: no method; add "method"'),
        (ONE | {"password": None}, "c.json: no password; add"),
        (ONE | {"acl": "x"}, "c.json:1:59 acl: not supported"),
        (ONE | {"x": 1}, "c.json:1:59 x: unknown key 'x'"),
    ],
)
def test_problems(document: object, line: str) -> None:
    with pytest.raises(ConfigError) as caught:
        found(document)
    assert str(caught.value).startswith(line)
