"""Where sslocal listens, and who may enter."""

import json
from collections.abc import Callable

import pytest

from annotated_shadowsocks.config.listeners import read_users
from annotated_shadowsocks.config.model import Config, User
from annotated_shadowsocks.config.reader import Document
from annotated_shadowsocks.config.secret import Secret
from annotated_shadowsocks.config.sections import Section
from annotated_shadowsocks.config.sources import Sources
from annotated_shadowsocks.errors import ConfigError

ONE = {"server": "h", "password": "p", "method": "aes-256-gcm"}

Configure = Callable[..., Config]


@pytest.mark.parametrize(
    ("document", "flags", "wanted"),
    [
        ({}, {}, ["127.0.0.1:1080"]),
        ({"local_port": "1081"}, {}, ["127.0.0.1:1081"]),
        ({"local_address": "::1"}, {}, ["[::1]:1080"]),
        ({"local_address": "0.0.0.0:5"}, {}, ["0.0.0.0:5"]),
        ({"locals": []}, {}, ["127.0.0.1:1080"]),
        ({"locals": [{"disabled": True}]}, {}, []),
        (
            {"locals": [{"local_port": 1}, {"local_address": "::1"}]},
            {},
            ["127.0.0.1:1", "[::1]:1080"],
        ),
        ({"local_port": 1, "locals": [{"local_port": 2}]}, {}, ["127.0.0.1:1", "127.0.0.1:2"]),
        ({"locals": [{"local_port": 1, "disabled": True}, {"local_port": 2}]}, {}, ["127.0.0.1:2"]),
        # an open address is not inherited by an entry that did not ask for it
        (
            {"local_address": "0.0.0.0", "locals": [{"local_port": 2}]},
            {},
            ["0.0.0.0:1080", "127.0.0.1:2"],
        ),
        (
            {"local_port": 1, "locals": [{"local_port": 2}]},
            {"local_address": "[::1]:9"},
            ["[::1]:9"],
        ),
        ({"local_port": 1}, {"local_address": "::1"}, ["[::1]:1"]),
        ({}, {"local_port": "0"}, ["127.0.0.1:0"]),
        ({"local_address": "0.0.0.0:5"}, {"local_port": "9"}, ["0.0.0.0:9"]),
        ({"local_address": "0.0.0.0:5"}, {"local_address": "::1"}, ["[::1]:1080"]),
    ],
)
def test_where(
    document: dict[str, object],
    flags: dict[str, object],
    wanted: list[str],
    configure: Configure,
    problems: Callable[..., list[str]],
) -> None:
    text = json.dumps(ONE | document)
    if wanted:
        assert [str(one.listen) for one in configure(text, flags=flags).locals] == wanted
    else:
        (line,) = problems(text)
        assert line == "c.json: every entry of locals is disabled; enable one"


def test_an_entry_has_its_own_mode_or_that_of_the_top(configure: Configure) -> None:
    locals_ = [{"local_port": 1, "mode": "udp_only"}, {"local_port": 2}]
    first, second = configure(json.dumps(ONE | {"mode": "tcp_and_udp", "locals": locals_})).locals
    assert (first.tcp, first.udp) == (False, True)
    assert (second.tcp, second.udp) == (True, True)


@pytest.mark.parametrize(
    ("flags", "tcp", "udp"),
    [({}, True, False), ({"mode": "udp_only"}, False, True), ({"mode": "tcp_and_udp"}, True, True)],
)
def test_the_mode_of_the_command_line(
    flags: dict[str, object], tcp: bool, udp: bool, configure: Configure
) -> None:
    (listener,) = configure(json.dumps(ONE | {"mode": "tcp_only"}), flags=flags).locals
    assert (listener.tcp, listener.udp) == (tcp, udp)


def test_the_server_listens_nowhere_else(configure: Configure) -> None:
    text = json.dumps(ONE | {"local_port": 1, "socks5_auth_config_path": "gone"})
    assert configure(text, "ssserver").locals == ()


def test_two_listeners_on_one_address(problems: Callable[..., list[str]]) -> None:
    text = json.dumps(ONE | {"locals": [{"local_port": 1}, {"local_port": 1}]})
    (line,) = problems(text)
    assert line == "c.json: 127.0.0.1:1 is configured twice; remove one of the two"


# --- users ---


def users(text: str, **environment: str) -> tuple[User, ...]:
    sources = Sources(Document("c.json"), Section("command line"), environment, str)
    return read_users(text, "users.json", sources)


def file_of(*entries: object) -> str:
    return json.dumps({"password": {"users": entries}})


def test_users_are_read_in_the_form_of_shadowsocks_rust() -> None:
    alice = {"user_name": "alice", "password": "a"}
    bob = {"user_name": "bob", "password": "${PW}"}
    assert users(file_of(alice, bob), PW="b") == (
        User("alice", Secret("a")),
        User("bob", Secret("b")),
    )


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("{", "users.json:1:2: the file ends inside"),
        ("{}", 'users.json: no users; write {"password": {"users": [{'),
        (file_of(), 'users.json: no users; write {"password": {"users": [{'),
        (
            '{"password": {"user": []}}',
            "users.json:1:15 password.user: unknown key 'user'; did you",
        ),
        ('{"basic": {}}', "users.json:1:2 basic: unknown key 'basic'"),
        (file_of({"user_name": "a"}), "users.json:1:25 password.users[0]: a user without name or"),
        (file_of({"password": "a"}), "users.json:1:25 password.users[0]: a user without name or"),
        (file_of({"user_name": 1, "password": "a"}), "users.json:1:26 password.users[0].user_name"),
        (
            file_of({"user_name": "a", "password": "${PW}"}),
            "users.json:1:25 password.users[0]: the environment has no PW",
        ),
        # [RFC1929 §2] one octet holds the length
        (
            file_of({"user_name": "ä" * 128, "password": "a"}),
            "users.json:1:25 password.users[0]: longer than 255 octets; shorten it",
        ),
        (
            file_of({"user_name": "a", "password": "x" * 256}),
            "users.json:1:25 password.users[0]: longer than 255 octets; shorten it",
        ),
        (
            file_of({"user_name": "a", "password": "b"}, {"user_name": "a", "password": "c"}),
            "users.json:1:62 password.users[1]: the same user_name again; keep one",
        ),
    ],
)
def test_files_of_users_that_are_wrong(text: str, line: str) -> None:
    with pytest.raises(ConfigError) as caught:
        users(text)
    assert str(caught.value).startswith(line)


def test_255_octets_are_not_too_long() -> None:
    (user,) = users(file_of({"user_name": "x" * 255, "password": "y" * 255}))
    assert len(user.password.reveal()) == 255


def test_the_users_of_a_listener(configure: Configure) -> None:
    text = json.dumps(
        ONE | {"locals": [{"local_port": 1, "socks5_auth_config_path": "users"}, {"local_port": 2}]}
    )
    first, second = configure(text).locals
    assert [user.name for user in first.users] == ["alice"]
    assert second.users == ()


def test_a_file_of_users_that_cannot_be_read(problems: Callable[..., list[str]]) -> None:
    (line,) = problems(json.dumps(ONE | {"socks5_auth_config_path": "gone"}))
    assert line == (
        "c.json:1:59 socks5_auth_config_path: cannot read gone: No such file; check the name"
    )
